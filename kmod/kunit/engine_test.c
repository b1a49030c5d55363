// SPDX-License-Identifier: GPL-2.0
/*
 * The engine on the kernel's port: pools, volumes and their data, attributes, space, errors of the device. Chains of volumes and power
 * cuts are in chain_test.c.
 */
#include <linux/slab.h>

#include "lab.h"

/* ------------------------------------------------------------------ pools */

static void a_new_pool_is_empty(struct kunit *test)
{
	struct englab *l = test->priv;
	struct lb_pool_stat *st = el_stat(l);
	u64 id = 0;

	KUNIT_EXPECT_EQ(test, st->total_blocks, (u64)LAB_BLOCKS);
	KUNIT_EXPECT_EQ(test, st->volumes, 0ULL);
	KUNIT_EXPECT_EQ(test, st->data_blocks, 0ULL);
	KUNIT_EXPECT_FALSE(test, st->failed || st->read_only);
	KUNIT_EXPECT_EQ(test, lb_vol_next(l->pool, 0, true, &id), -ENOENT);
	el_reopen(l);
	KUNIT_EXPECT_EQ(test, el_stat(l)->volumes, 0ULL);
}

static void probe_tells_what_is_there(struct kunit *test)
{
	struct lb_super_info info = { };
	struct englab *l = test->priv;

	el_close(l);
	KUNIT_EXPECT_EQ(test, lb_pool_probe(&l->dev, &info), 0);
	KUNIT_EXPECT_EQ(test, info.total_blocks, (u64)LAB_BLOCKS);
	KUNIT_EXPECT_EQ(test, lb_pool_wipe(&l->dev), 0);
	KUNIT_EXPECT_EQ(test, lb_pool_probe(&l->dev, &info), -EMEDIUMTYPE);
	KUNIT_EXPECT_EQ(test, el_try_open(l, 0), -EMEDIUMTYPE);
	l->pool = NULL;
}

static void a_device_too_small_is_refused(struct kunit *test)
{
	struct lb_format_opts opts = { .total_blocks = LB_POOL_MIN_BLOCKS - 1 };
	struct englab *l = test->priv;
	u8 uuid[16];

	el_close(l);
	KUNIT_EXPECT_EQ(test, lb_pool_format(&l->dev, &opts, uuid), -EINVAL);
	opts.total_blocks = LAB_BLOCKS + 1;
	KUNIT_EXPECT_EQ(test, lb_pool_format(&l->dev, &opts, uuid), -EINVAL);
	opts.total_blocks = LB_POOL_MIN_BLOCKS;
	KUNIT_EXPECT_EQ(test, lb_pool_format(&l->dev, &opts, uuid), 0);
	el_open(l, 0);
	KUNIT_EXPECT_EQ(test, el_stat(l)->total_blocks, (u64)LB_POOL_MIN_BLOCKS);
}

static void a_pool_open_read_only_writes_nothing(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 id = el_create(l, "v", 64), other;

	el_fill(l, id, 0, 8, 1);
	el_close(l);
	memdisk_log_clear(l->md);
	el_open(l, LB_POOL_OPEN_RO);
	el_expect_vol(l, id, 0, 8, 1);
	KUNIT_EXPECT_EQ(test, lb_vol_create(l->pool, lab_name("w"), 64, 0, NULL, &other), -EROFS);
	el_close(l);
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, MEMDISK_WRITE | MEMDISK_DISCARD), 0);
	el_open(l, 0);
}

static void a_pool_grows(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 id = el_create(l, "v", 2 * LAB_BLOCKS), now = 0;

	KUNIT_EXPECT_EQ(test, lb_pool_grow(l->pool, LAB_BLOCKS + 4096, &now), -EINVAL);
	memdisk_grow(l->md, LAB_BLOCKS + 4096);
	KUNIT_EXPECT_EQ(test, lb_pool_grow(l->pool, 0, &now), 0);
	KUNIT_EXPECT_EQ(test, now, LAB_BLOCKS + 4096ULL);
	KUNIT_EXPECT_EQ(test, l->events[LB_EV_POOL_GROWN], 1u);
	KUNIT_EXPECT_EQ(test, lb_pool_grow(l->pool, LAB_BLOCKS, &now), -EINVAL);
	el_fill(l, id, 0, 64, 3);
	el_reopen(l);
	KUNIT_EXPECT_EQ(test, el_stat(l)->total_blocks, LAB_BLOCKS + 4096ULL);
	el_expect_vol(l, id, 0, 64, 3);
}

static void policy_is_kept(struct kunit *test)
{
	struct lb_pool_policy policy = {
		.set = LB_POLICY_QUEUE | LB_POLICY_LOW_WATER | LB_POLICY_INTERVAL,
		.queue_nospc = true, .nospc_timeout_ms = 1234, .low_water_blocks = 77, .commit_interval_ms = 5000,
	};
	struct englab *l = test->priv;

	KUNIT_EXPECT_EQ(test, lb_pool_set_policy(l->pool, &policy), 0);
	el_power_cut(l);
	KUNIT_EXPECT_TRUE(test, el_stat(l)->queue_nospc);
	KUNIT_EXPECT_EQ(test, el_stat(l)->nospc_timeout_ms, 1234ULL);
	KUNIT_EXPECT_EQ(test, el_stat(l)->low_water_blocks, 77ULL);
	KUNIT_EXPECT_EQ(test, el_stat(l)->commit_interval_ms, 5000ULL);
}

/* ------------------------------------------------------------------ volumes */

static void volumes_are_made_found_and_removed(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 a = el_create(l, "a", 10), b = el_create(l, "b", 20), id = 0;
	struct lb_vol_stat *st = kunit_kzalloc(test, sizeof(*st), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, st);
	KUNIT_EXPECT_EQ(test, lb_vol_find(l->pool, lab_name("b"), &id), 0);
	KUNIT_EXPECT_EQ(test, id, b);
	KUNIT_EXPECT_EQ(test, lb_vol_find(l->pool, lab_name("c"), &id), -ENOENT);
	KUNIT_EXPECT_EQ(test, lb_vol_next(l->pool, a, false, &id), 0);
	KUNIT_EXPECT_EQ(test, id, b);
	KUNIT_EXPECT_EQ(test, lb_vol_stat(l->pool, b, true, st), 0);
	KUNIT_EXPECT_EQ(test, st->size_blocks, 20ULL);
	KUNIT_EXPECT_EQ(test, st->mapped_blocks, 0ULL);
	KUNIT_EXPECT_EQ(test, lb_vol_remove(l->pool, a, false, NULL), 0);
	KUNIT_EXPECT_EQ(test, lb_vol_find(l->pool, lab_name("a"), &id), -ENOENT);
	el_power_cut(l);		/* all of that was durable */
	KUNIT_EXPECT_EQ(test, lb_vol_find(l->pool, lab_name("a"), &id), -ENOENT);
	KUNIT_EXPECT_EQ(test, lb_vol_find(l->pool, lab_name("b"), &id), 0);
	KUNIT_EXPECT_GT(test, el_create(l, "a", 10), b);	/* ids are not used again */
}

static void bad_requests_are_refused(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 v = el_create(l, "v", 10), id;
	struct lb_vol *vol;

	KUNIT_EXPECT_EQ(test, lb_vol_create(l->pool, lab_name("v"), 10, 0, NULL, &id), -EEXIST);
	KUNIT_EXPECT_EQ(test, lb_vol_create(l->pool, lab_name(""), 10, 0, NULL, &id), -EINVAL);
	KUNIT_EXPECT_EQ(test, lb_vol_create(l->pool, lab_name("a/b"), 10, 0, NULL, &id), -EINVAL);
	KUNIT_EXPECT_EQ(test, lb_vol_create(l->pool, lab_name("w"), 0, 0, NULL, &id), -EINVAL);
	KUNIT_EXPECT_EQ(test, lb_vol_snapshot(l->pool, 999, lab_name("w"), false, 0, NULL, &id), -ENOENT);
	KUNIT_EXPECT_EQ(test, lb_vol_rollback(l->pool, v, v), -EINVAL);
	vol = el_vol_open(l, v);
	KUNIT_EXPECT_EQ(test, lb_vol_remove(l->pool, v, false, NULL), -EBUSY);
	KUNIT_EXPECT_EQ(test, lb_vol_open(l->pool, v, l, &l->vols[7]), -EBUSY);
	l->vols[7] = NULL;
	el_vol_close(l, vol);
	KUNIT_EXPECT_EQ(test, lb_vol_freeze(l->pool, v, lab_name(""), NULL), 0);
	KUNIT_EXPECT_EQ(test, lb_vol_freeze(l->pool, v, lab_name(""), NULL), -EROFS);
	vol = el_vol_open(l, v);
	KUNIT_EXPECT_FALSE(test, lb_vol_writable(vol));
	KUNIT_EXPECT_EQ(test, el_try_write(l, vol, 0, 1, 1), -EROFS);
}

static void volumes_are_renamed_and_resized(struct kunit *test)
{
	struct lb_vol_change c = { .set = LB_SET_NAME | LB_SET_SIZE, .size_blocks = 100, .name = lab_name("new") };
	struct englab *l = test->priv;
	u64 v = el_create(l, "old", 50), id = 0;
	struct lb_vol *vol;

	el_fill(l, v, 0, 50, 5);
	KUNIT_EXPECT_EQ(test, lb_vol_set(l->pool, v, &c, NULL), 0);
	KUNIT_EXPECT_EQ(test, lb_vol_find(l->pool, lab_name("old"), &id), -ENOENT);
	KUNIT_EXPECT_EQ(test, lb_vol_find(l->pool, lab_name("new"), &id), 0);
	c.set = LB_SET_SIZE;
	c.size_blocks = 20;
	KUNIT_EXPECT_EQ(test, lb_vol_set(l->pool, v, &c, NULL), -EINVAL);
	c.set = LB_SET_SIZE | LB_SET_SHRINK;
	KUNIT_EXPECT_EQ(test, lb_vol_set(l->pool, v, &c, NULL), 0);
	c.set = LB_SET_SIZE;
	c.size_blocks = 60;
	KUNIT_EXPECT_EQ(test, lb_vol_set(l->pool, v, &c, NULL), 0);
	vol = el_vol_open(l, v);
	KUNIT_EXPECT_EQ(test, lb_vol_blocks(vol), 60ULL);
	el_expect(l, vol, 0, 20, 5);
	el_expect(l, vol, 20, 40, 0);		/* what was cut off does not come back */
}

static void a_quota_is_kept(struct kunit *test)
{
	struct englab *l = test->priv;
	struct lb_vol *vol;
	u64 id = 0;

	KUNIT_ASSERT_EQ(test, lb_vol_create(l->pool, lab_name("v"), 64, 16, NULL, &id), 0);
	vol = el_vol_open(l, id);
	el_write(l, vol, 0, 16, 1);
	KUNIT_EXPECT_EQ(test, el_try_write(l, vol, 20, 1, 2), -EDQUOT);
	el_write(l, vol, 0, 16, 3);		/* its own again: nothing more */
	KUNIT_EXPECT_EQ(test, el_try_unmap(l, vol, 0, 8), 0);
	el_settle(l);
	el_write(l, vol, 20, 8, 2);
	KUNIT_EXPECT_EQ(test, el_try_write(l, vol, 40, 1, 2), -EDQUOT);
}

/* ------------------------------------------------------------------ data */

static void holes_read_as_zeros(struct kunit *test)
{
	struct englab *l = test->priv;
	struct lb_vol *vol = el_vol_open(l, el_create(l, "v", 64));
	struct lb_mapping m;
	int idx;

	idx = lb_io_enter(vol);
	KUNIT_EXPECT_EQ(test, lb_read_map(vol, 0, 64, LB_NOWAIT, &m), 0);
	KUNIT_EXPECT_EQ(test, m.pblk, (u64)LB_PBLK_HOLE);
	KUNIT_EXPECT_EQ(test, m.count, 64ULL);
	lb_io_leave(vol, idx);
	el_write(l, vol, 30, 2, 1);
	el_expect(l, vol, 0, 30, 0);
	el_expect(l, vol, 30, 2, 1);
	el_expect(l, vol, 32, 32, 0);
}

static void a_write_is_seen_when_it_has_ended(struct kunit *test)
{
	struct englab *l = test->priv;
	struct lb_vol *vol = el_vol_open(l, el_create(l, "v", 64));
	void *buf = port_alloc_block(PORT_WAIT);
	struct lb_write w, again;
	int idx;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	lab_fill(buf, 9, 5 * LBK_BLOCK_SECTORS, LBK_BLOCK_SECTORS);
	idx = lb_io_enter(vol);
	KUNIT_EXPECT_EQ(test, lb_write_begin(vol, 5, 1, 0, &w), 0);
	KUNIT_EXPECT_FALSE(test, w.in_place);
	KUNIT_EXPECT_EQ(test, lb_write_begin(vol, 5, 1, LB_NOWAIT, &again), -EAGAIN);	/* locked against another first write */
	KUNIT_EXPECT_EQ(test, port_write(&l->dev, w.pblk, &buf, 1, 0), 0);
	el_expect(l, vol, 5, 1, 0);
	lb_write_end(&w, 0);
	el_expect(l, vol, 5, 1, 9);
	KUNIT_EXPECT_EQ(test, lb_write_begin(vol, 5, 1, LB_NOWAIT, &again), 0);
	KUNIT_EXPECT_TRUE(test, again.in_place);
	KUNIT_EXPECT_TRUE(test, again.unjournaled);
	lb_write_end(&again, 0);
	lb_io_leave(vol, idx);
	port_free_block(buf);
	KUNIT_EXPECT_TRUE(test, lb_flush_needed(vol));
	KUNIT_EXPECT_EQ(test, lb_flush(vol), 0);
	KUNIT_EXPECT_FALSE(test, lb_flush_needed(vol));
	idx = lb_io_enter(vol);
	KUNIT_EXPECT_EQ(test, lb_write_begin(vol, 5, 1, LB_NOWAIT, &again), 0);
	KUNIT_EXPECT_FALSE(test, again.unjournaled);
	lb_write_end(&again, 0);
	lb_io_leave(vol, idx);
}

static void a_failed_write_leaves_the_old_content(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 v = el_create(l, "v", 64), free;
	struct lb_vol *vol = el_vol_open(l, v);

	el_write(l, vol, 0, 4, 1);
	el_settle(l);
	free = el_stat(l)->free_blocks;
	memdisk_fail(l->md, MEMDISK_WRITE, 0, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, el_try_write(l, vol, 8, 4, 2), -EIO);
	el_expect(l, vol, 8, 4, 0);
	el_expect(l, vol, 0, 4, 1);
	KUNIT_EXPECT_FALSE(test, el_stat(l)->failed);
	el_write(l, vol, 8, 4, 3);
	KUNIT_EXPECT_EQ(test, el_try_unmap(l, vol, 8, 4), 0);
	el_settle(l);
	KUNIT_EXPECT_EQ(test, el_stat(l)->free_blocks, free);	/* nothing is lost by an error */
}

static void unmapped_blocks_read_as_zeros_and_are_free(struct kunit *test)
{
	struct englab *l = test->priv;
	struct lb_vol *vol = el_vol_open(l, el_create(l, "v", 1024));
	u64 before;

	el_settle(l);
	before = el_stat(l)->data_blocks;
	el_write(l, vol, 0, 600, 1);
	el_settle(l);
	KUNIT_EXPECT_EQ(test, el_stat(l)->data_blocks, before + 600);
	KUNIT_EXPECT_EQ(test, el_try_unmap(l, vol, 100, 400), 0);
	el_expect(l, vol, 100, 400, 0);
	el_settle(l);
	KUNIT_EXPECT_EQ(test, el_stat(l)->data_blocks, before + 200);
	el_reopen(l);
	vol = el_vol_open(l, 1);
	el_expect(l, vol, 0, 100, 1);
	el_expect(l, vol, 100, 400, 0);
	el_expect(l, vol, 500, 100, 1);
}

static void many_scattered_blocks(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 v = el_create(l, "v", 1 << 20);
	struct lb_vol *vol = el_vol_open(l, v);
	unsigned int i;

	for (i = 0; i < 900; i++)		/* some leaves and a root */
		el_write(l, vol, (i * 7919ull) % (1 << 20), 1, i + 1);
	el_settle(l);
	for (i = 0; i < 900; i += 3)		/* into the middle of old leaves */
		el_write(l, vol, (i * 7919ull) % (1 << 20), 1, i + 2000);
	for (i = 1; i < 900; i += 3)
		KUNIT_EXPECT_EQ(test, el_try_unmap(l, vol, (i * 7919ull) % (1 << 20), 1), 0);
	el_reopen(l);
	vol = el_vol_open(l, v);
	for (i = 0; i < 900; i++)
		el_expect(l, vol, (i * 7919ull) % (1 << 20), 1, i % 3 == 0 ? i + 2000 : i % 3 == 1 ? 0 : i + 1);
	KUNIT_EXPECT_GT(test, lb_cache_count(l->pool), 4ULL);
	KUNIT_EXPECT_GT(test, lb_cache_shrink(l->pool, ~0ULL), 0ULL);
	el_expect(l, vol, 0, 1, 2000);
}

/* ------------------------------------------------------------------ attributes */

static struct lb_attr_change change(u64 vol, const char *key, const char *value, unsigned int flags)
{
	return (struct lb_attr_change){ .vol = vol, .key = key, .key_len = strlen(key), .value = value,
					.value_len = value ? strlen(value) : 0, .flags = flags };
}

static void expect_attr(struct kunit *test, u64 vol, const char *key, const char *value)
{
	struct englab *l = test->priv;
	char got[32] = "";
	u32 len = sizeof(got) - 1;
	int err;

	err = lb_attr_get(l->pool, vol, key, strlen(key), got, &len);
	KUNIT_EXPECT_EQ(test, err, value ? 0 : -ENOENT);
	if (!err && value) {
		got[len] = 0;
		KUNIT_EXPECT_STREQ(test, got, value);
	}
}

static void attributes_change_with_their_volume(struct kunit *test)
{
	struct lb_attr_change two[2] = { change(LB_NEW_VOLUME, "os", "linux", 0), change(0, "last", "v", 0) };
	struct lb_tx tx = { .changes = two, .count = 2 };
	struct englab *l = test->priv;
	char key[255] = "";
	u32 len = 0, value_len = 0;
	u64 id = 0, other = 0;

	KUNIT_EXPECT_EQ(test, lb_vol_create(l->pool, lab_name("v"), 8, 0, &tx, &id), 0);
	expect_attr(test, id, "os", "linux");
	expect_attr(test, 0, "last", "v");
	two[1] = change(0, "last", "w", LB_CHANGE_EXCLUSIVE);
	KUNIT_EXPECT_EQ(test, lb_vol_create(l->pool, lab_name("w"), 8, 0, &tx, &other), -EEXIST);
	KUNIT_EXPECT_EQ(test, lb_vol_find(l->pool, lab_name("w"), &other), -ENOENT);	/* all or nothing */
	two[0] = change(id, "os", NULL, LB_CHANGE_DELETE | LB_CHANGE_MUST_EXIST);
	two[1] = change(id, "arch", "x86", 0);
	KUNIT_EXPECT_EQ(test, lb_vol_set(l->pool, id, &(struct lb_vol_change){ }, &tx), 0);
	el_power_cut(l);
	expect_attr(test, id, "os", NULL);
	expect_attr(test, id, "arch", "x86");
	KUNIT_EXPECT_EQ(test, lb_attr_next(l->pool, id, key, &len, &value_len), 0);
	KUNIT_EXPECT_EQ(test, len, 4u);
	KUNIT_EXPECT_EQ(test, value_len, 3u);
	KUNIT_EXPECT_EQ(test, lb_attr_next(l->pool, id, key, &len, &value_len), -ENOENT);
	KUNIT_EXPECT_EQ(test, lb_vol_remove(l->pool, id, false, NULL), 0);
	expect_attr(test, id, "arch", NULL);
}

static void a_large_attribute_comes_back_whole(struct kunit *test)
{
	u32 bytes = 300000, len = bytes, small = 10;
	struct englab *l = test->priv;
	u8 *value = port_alloc(bytes, PORT_WAIT), *got = port_alloc(bytes, PORT_WAIT);
	struct lb_attr_change c = { .key = "config", .key_len = 6, .value = value, .value_len = bytes };
	struct lb_tx tx = { .changes = &c, .count = 1 };
	u32 i;

	KUNIT_ASSERT_TRUE(test, value && got);
	for (i = 0; i < bytes; i++)
		value[i] = i * 31 >> 3;
	KUNIT_EXPECT_EQ(test, lb_vol_set(l->pool, 0, &(struct lb_vol_change){ }, &tx), 0);
	el_power_cut(l);
	KUNIT_EXPECT_EQ(test, lb_attr_get(l->pool, 0, "config", 6, got, &small), -ERANGE);
	KUNIT_EXPECT_EQ(test, small, bytes);
	KUNIT_EXPECT_EQ(test, lb_attr_get(l->pool, 0, "config", 6, got, &len), 0);
	KUNIT_EXPECT_EQ(test, len, bytes);
	KUNIT_EXPECT_EQ(test, memcmp(value, got, bytes), 0);
	port_free(value);
	port_free(got);
}

/* ------------------------------------------------------------------ errors of the device */

static void a_failed_commit_makes_the_pool_read_only(struct kunit *test)
{
	struct englab *l = test->priv;
	struct lb_pool *pool = l->pool;
	u64 v = el_create(l, "v", 64), id;
	struct lb_vol *vol = el_vol_open(l, v);

	el_write(l, vol, 0, 8, 1);
	KUNIT_EXPECT_EQ(test, lb_flush(vol), 0);
	memdisk_fail(l->md, MEMDISK_WRITE | MEMDISK_META, 0, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, lb_pool_commit(l->pool), -EIO);
	KUNIT_EXPECT_TRUE(test, el_stat(l)->failed);
	KUNIT_EXPECT_EQ(test, el_stat(l)->failed_errno, -EIO);
	lb_work_commit(l->pool);		/* tells it */
	KUNIT_EXPECT_EQ(test, l->events[LB_EV_POOL_FAILED], 1u);
	KUNIT_EXPECT_EQ(test, lb_vol_create(l->pool, lab_name("w"), 8, 0, NULL, &id), -EROFS);
	KUNIT_EXPECT_EQ(test, el_try_write(l, vol, 20, 1, 2), -EROFS);
	el_expect(l, vol, 0, 8, 1);		/* reads go on */
	el_vol_close(l, vol);
	l->pool = NULL;
	KUNIT_EXPECT_NE(test, lb_pool_close(pool), 0);
	el_open(l, 0);
	el_expect_vol(l, v, 0, 8, 1);		/* what was flushed is there */
}

static void a_failed_journal_write_is_told_to_who_flushes(struct kunit *test)
{
	struct englab *l = test->priv;
	struct lb_pool *pool = l->pool;
	u64 v = el_create(l, "v", 64);
	struct lb_vol *vol = el_vol_open(l, v);

	el_write(l, vol, 0, 8, 1);
	KUNIT_EXPECT_EQ(test, lb_flush(vol), 0);
	el_write(l, vol, 8, 8, 2);
	memdisk_fail(l->md, MEMDISK_WRITE | MEMDISK_META, 0, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_LT(test, lb_flush(vol), 0);
	KUNIT_EXPECT_LT(test, lb_flush(vol), 0);	/* never "all is well" after that */
	KUNIT_EXPECT_TRUE(test, el_stat(l)->failed);
	el_vol_close(l, vol);
	l->pool = NULL;
	lb_pool_close(pool);
	el_open(l, 0);
	el_expect_vol(l, v, 0, 8, 1);
}

static void a_pool_that_cannot_be_read_does_not_open(struct kunit *test)
{
	struct englab *l = test->priv;
	unsigned int n, opened = 0;
	u64 v = el_create(l, "v", 64);
	int err;

	el_fill(l, v, 0, 8, 1);
	el_close(l);
	for (n = 0; n < 200 && !opened; n++) {
		/* The n-th read and all after it fail. */
		memdisk_fail(l->md, MEMDISK_READ, n, UINT_MAX, BLK_STS_IOERR);
		err = el_try_open(l, 0);
		memdisk_fail(l->md, 0, 0, 0, BLK_STS_OK);
		if (!err)
			opened = n;
		else
			KUNIT_EXPECT_TRUE_MSG(test, err == -EIO || err == -EMEDIUMTYPE || err == -EUCLEAN || err == -ESTALE, "read %u: %d", n, err);
	}
	KUNIT_EXPECT_GT(test, opened, 2u);
	el_expect_vol(l, v, 0, 8, 1);
}

static void damaged_metadata_is_never_believed(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 v = el_create(l, "v", 1 << 16);
	struct lb_vol *vol = el_vol_open(l, v);
	unsigned int i, entries, damaged = 0, seen = 0;
	int err;

	for (i = 0; i < 400; i++)
		el_write(l, vol, i * 100, 1, i + 1);
	memdisk_log_clear(l->md);
	KUNIT_ASSERT_EQ(test, lb_pool_commit(l->pool), 0);
	entries = l->md->logged;
	for (i = 0; i < entries && damaged < 12; i++) {
		struct memdisk_entry e = l->md->log[i];
		unsigned int k;

		/* Nodes and bitmaps; superblocks come with FUA, and are read when a pool is opened only. */
		if (e.op != REQ_OP_WRITE || !e.sectors || (e.opf & REQ_FUA))
			continue;
		damaged++;
		memdisk_damage(l->md, e.sector / LBK_BLOCK_SECTORS, 200);
		lb_cache_shrink(l->pool, ~0ULL);
		for (k = 0; k < 400; k += 7) {
			err = el_try_read(l, vol, k * 100, 1, k + 1);
			KUNIT_EXPECT_TRUE_MSG(test, !err || err == -EUCLEAN, "block %u: %d", k * 100, err);
			seen += err == -EUCLEAN;
		}
		memdisk_damage(l->md, e.sector / LBK_BLOCK_SECTORS, 200);	/* as it was */
	}
	KUNIT_EXPECT_GT(test, damaged, 2u);
	KUNIT_EXPECT_GT(test, seen, 0u);
	lb_cache_shrink(l->pool, ~0ULL);
	for (i = 0; i < 400; i += 7)
		el_expect(l, vol, i * 100, 1, i + 1);
}

static void a_scrub_reads_it_all(struct kunit *test)
{
	struct englab *l = test->priv;

	el_fill(l, el_create(l, "v", 4096), 0, 512, 1);
	el_settle(l);
	KUNIT_EXPECT_EQ(test, lb_pool_scrub(l->pool, true), 0);
	lb_work_commit(l->pool);
	KUNIT_EXPECT_EQ(test, l->events[LB_EV_SCRUB_DONE], 1u);
	KUNIT_EXPECT_EQ(test, el_stat(l)->scrub_errors, 0ULL);
	KUNIT_EXPECT_GT(test, el_stat(l)->scrub_done_blocks, 0ULL);
}

/* ------------------------------------------------------------------ a pool that is full */

static void a_full_pool_says_so_and_recovers(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 v = el_create(l, "v", LAB_BLOCKS), w = el_create(l, "w", 64), n;
	struct lb_vol *vol = el_vol_open(l, v);
	int err = 0;

	for (n = 0; n < LAB_BLOCKS && !err; n += 256)
		err = el_try_write(l, vol, n, 256, 1);
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	KUNIT_EXPECT_GT(test, n, 4096ULL);
	KUNIT_EXPECT_EQ(test, lb_nospc(l->pool), 0ULL);
	lb_work_commit(l->pool);			/* tells it */
	KUNIT_EXPECT_EQ(test, l->events[LB_EV_NO_SPACE], 1u);
	el_expect(l, vol, 0, 256, 1);
	el_write(l, vol, 0, 64, 2);			/* in place */
	KUNIT_EXPECT_EQ(test, lb_flush(vol), 0);
	KUNIT_EXPECT_EQ(test, el_try_unmap(l, vol, 1024, 2048), 0);
	el_fill(l, w, 0, 64, 3);
	el_vol_close(l, vol);
	KUNIT_EXPECT_EQ(test, lb_vol_remove(l->pool, v, false, NULL), 0);
	el_settle(l);
	KUNIT_EXPECT_EQ(test, el_stat(l)->data_blocks, 64ULL);
	el_reopen(l);
	el_expect_vol(l, w, 0, 64, 3);
}

static struct kunit_case engine_cases[] = {
	KUNIT_CASE(a_new_pool_is_empty),
	KUNIT_CASE(probe_tells_what_is_there),
	KUNIT_CASE(a_device_too_small_is_refused),
	KUNIT_CASE(a_pool_open_read_only_writes_nothing),
	KUNIT_CASE(a_pool_grows),
	KUNIT_CASE(policy_is_kept),
	KUNIT_CASE(volumes_are_made_found_and_removed),
	KUNIT_CASE(bad_requests_are_refused),
	KUNIT_CASE(volumes_are_renamed_and_resized),
	KUNIT_CASE(a_quota_is_kept),
	KUNIT_CASE(holes_read_as_zeros),
	KUNIT_CASE(a_write_is_seen_when_it_has_ended),
	KUNIT_CASE(a_failed_write_leaves_the_old_content),
	KUNIT_CASE(unmapped_blocks_read_as_zeros_and_are_free),
	KUNIT_CASE(many_scattered_blocks),
	KUNIT_CASE(attributes_change_with_their_volume),
	KUNIT_CASE(a_large_attribute_comes_back_whole),
	KUNIT_CASE(a_failed_commit_makes_the_pool_read_only),
	KUNIT_CASE(a_failed_journal_write_is_told_to_who_flushes),
	KUNIT_CASE(a_pool_that_cannot_be_read_does_not_open),
	KUNIT_CASE(damaged_metadata_is_never_believed),
	KUNIT_CASE(a_scrub_reads_it_all),
	{ }
};

static struct kunit_case engine_small_cases[] = {
	KUNIT_CASE(a_full_pool_says_so_and_recovers),
	{ }
};

struct kunit_suite lbk_engine_suite = {
	.name		= "layerblk_engine",
	.init		= englab_init,
	.exit		= englab_exit,
	.test_cases	= engine_cases,
};

struct kunit_suite lbk_engine_small_suite = {
	.name		= "layerblk_engine_small",
	.init		= englab_init_small,
	.exit		= englab_exit,
	.test_cases	= engine_small_cases,
};
