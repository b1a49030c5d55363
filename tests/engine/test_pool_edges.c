// SPDX-License-Identifier: GPL-2.0
/* The pool's less used ways, one by one: block locks, the cache from outside, a failed pool's answers, limits of arguments, superblocks that cannot be. */
#include <unistd.h>

#include "checklab.h"
#include "damage.h"
#include "poollab.h"
#include "pool_priv.h"

#define POOL_BLOCKS	8192ull

/* ------------------------------------------------------------------ block locks */

struct waiter {
	struct disk *d;
	u64 block, count;
	int err;
	bool unmap;
	pthread_t thread;
};

static void *wait_for_lock(void *arg)
{
	struct waiter *w = arg;
	u8 *buf = calloc(w->count, LB_BLOCK_BYTES);

	if (w->unmap)
		w->err = disk_discard(w->d, w->block, w->count);
	else
		w->err = disk_write(w->d, w->block * SECTORS, (u32)(w->count * SECTORS), buf, 0);
	free(buf);
	return NULL;
}

/* Blocks whose first write is under way: who may not wait is sent away, others wait, and their change comes after it. */
static void a_first_write_locks_its_blocks(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u8 *buf = calloc(4, LB_BLOCK_BYTES);
	struct waiter waiters[2] = { { .block = 11, .count = 1 }, { .block = 9, .count = 40, .unmap = true } };
	struct disk_pending p;
	struct lb_write w;
	u64 v, count = 3, done;
	unsigned int i;
	struct disk *d;
	int idx;

	(void)state;
	v = pl_create(pl, "v", 200);
	d = pl_open(pl, v);
	for (i = 0; i < 2; i++) {
		memset(buf, 0xab, 4 * LB_BLOCK_BYTES);
		count = 3;
		assert_ok(disk_write_begin(d, 10, &count, buf, &p));
		assert_int_equal(count, 3);
		idx = lb_io_enter(d->vol);
		assert_int_equal(lb_write_begin(d->vol, 12, 1, LB_NOWAIT, &w), -EAGAIN);
		assert_int_equal(lb_write_begin(d->vol, 9, 1, LB_NOWAIT, &w), 0);
		lb_write_end(&w, -EIO);
		assert_int_equal(lb_unmap(d->vol, 8, 16, LB_NOWAIT, &done), -EAGAIN);
		assert_int_equal(done, 0);
		lb_io_leave(d->vol, idx);
		waiters[i].d = d;
		assert_int_equal(pthread_create(&waiters[i].thread, NULL, wait_for_lock, &waiters[i]), 0);
		usleep(50000);
		pl_expect(d, 10, 3, 0);			/* nothing is visible yet */
		disk_write_end(&p, 0);
		pthread_join(waiters[i].thread, NULL);
		assert_ok(waiters[i].err);
		assert_ok(disk_read(d, 12 * SECTORS, SECTORS, buf));
		assert_int_equal(buf[5], i ? 0 : 0xab);	/* what came later counts */
		assert_ok(disk_read(d, 11 * SECTORS, SECTORS, buf));
		assert_int_equal(buf[5], 0);
		assert_ok(disk_discard(d, 8, 16));
	}
	free(buf);
	pl_close(d);
	pl_free(pl);
}

/* So many changes and no more are kept in memory: who would add one is told to wait for a commit, and then can. */
static void changes_in_memory_are_limited(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 400), i, commits, done;
	struct disk *d = pl_open(pl, v);
	struct lb_write w;
	int idx;

	(void)state;
	pl_settle(pl);
	pl->pool->mem_limit = 12;
	for (i = 0; i < 12; i++) {
		idx = lb_io_enter(d->vol);
		assert_ok(lb_write_begin(d->vol, 3 * i, 1, 0, &w));
		lb_write_end(&w, 0);
		lb_io_leave(d->vol, idx);
	}
	idx = lb_io_enter(d->vol);
	assert_int_equal(lb_write_begin(d->vol, 100, 1, 0, &w), -ENOBUFS);
	assert_int_equal(lb_unmap(d->vol, 0, 1, 0, &done), -ENOBUFS);
	lb_io_leave(d->vol, idx);
	commits = pl_pool_stat(pl).commits;
	for (i = 0; i < 60; i++)
		pl_write(d, 100 + 3 * i, 1, i + 1);
	assert_true(pl_pool_stat(pl).commits >= commits + 4);
	for (i = 0; i < 60; i++)
		pl_expect(d, 100 + 3 * i, 1, i + 1);
	pl_close(d);
	pl_free(pl);
}

/* What the device did not take is not there, and its blocks are free again. */
static void a_failed_first_write_leaves_what_was_there(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u8 *buf = calloc(8, LB_BLOCK_BYTES);
	struct disk_pending p;
	u64 v = pl_create(pl, "v", 100), count = 8;
	struct pl_used before;
	struct disk *d;

	(void)state;
	d = pl_open(pl, v);
	pl_write(d, 0, 4, 7);
	pl_settle(pl);
	before = pl_used(pl);
	assert_ok(disk_write_begin(d, 20, &count, buf, &p));
	disk_write_end(&p, -EIO);
	pl_expect(d, 20, 8, 0);
	pl_expect(d, 0, 4, 7);
	pl_assert_used(pl, before);
	free(buf);
	pl_close(d);
	pl_free(pl);
}

/* ------------------------------------------------------------------ the cache under pressure */

static void the_cache_gives_nodes_back(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 4000), i, could, went;
	struct disk *d = pl_open(pl, v);

	(void)state;
	for (i = 0; i < 600; i++)
		pl_write(d, 2 * i, 1, i + 1);
	pl_settle(pl);
	for (i = 0; i < 600; i++)
		pl_expect(d, 2 * i, 1, i + 1);
	could = lb_cache_count(pl->pool);
	assert_true(could >= 3);
	went = lb_cache_shrink(pl->pool, 2);
	assert_true(went >= 1 && went <= 2);
	assert_int_equal(lb_cache_count(pl->pool), could - went);
	went += lb_cache_shrink(pl->pool, ~0ull);
	assert_true(went >= could);
	assert_int_equal(lb_cache_count(pl->pool), 0);
	pl_io(pl);
	for (i = 0; i < 600; i++)
		pl_expect(d, 2 * i, 1, i + 1);
	assert_true(pl_io(pl).reads > 600);		/* the nodes were read again */
	pl_close(d);
	pl_free(pl);
}

/* ------------------------------------------------------------------ policy, size */

static void policies_that_change_nothing_on_disk(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct lb_pool_policy cache = { .set = LB_POLICY_CACHE, .cache_limit_bytes = 4u << 20 };
	struct lb_pool_policy queue = { .set = LB_POLICY_QUEUE, .queue_nospc = true, .nospc_timeout_ms = 5000 };
	u64 gen = pl_pool_stat(pl).generation, now = 0;

	(void)state;
	assert_ok(lb_pool_set_policy(pl->pool, &cache));
	assert_true(pl_pool_stat(pl).cache_limit_bytes <= 4u << 20 && pl_pool_stat(pl).cache_limit_bytes > 4000000);
	assert_int_equal(pl_pool_stat(pl).generation, gen);
	assert_ok(lb_pool_grow(pl->pool, POOL_BLOCKS, &now));
	assert_int_equal(now, POOL_BLOCKS);
	assert_int_equal(pl_pool_stat(pl).generation, gen);
	assert_int_equal(pl->h.events[LB_EV_POOL_GROWN], 0);
	assert_int_equal(lb_pool_grow(pl->pool, LB_POOL_MAX_BLOCKS + 1, &now), -EINVAL);
	assert_int_equal(lb_pool_grow(pl->pool, POOL_BLOCKS + 1, &now), -EINVAL);	/* the device is no larger */
	assert_ok(lb_pool_set_policy(pl->pool, &queue));
	pl_reopen(pl);
	assert_true(pl_pool_stat(pl).queue_nospc);
	queue.queue_nospc = false;
	assert_ok(lb_pool_set_policy(pl->pool, &queue));
	pl_reopen(pl);
	assert_false(pl_pool_stat(pl).queue_nospc);
	pl_free(pl);
}

/* A pool that was full is not when there is room again: told each time. */
static void full_is_told_anew_each_time(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v, round;

	(void)state;
	for (round = 1; round <= 2; round++) {
		struct disk *d;
		u64 b;

		v = pl_create(pl, "filler", 1u << 20);
		d = pl_open(pl, v);
		for (b = 0; !pl_try_write(d, b, 64, 3); b += 64)
			assert_true(b < POOL_BLOCKS);
		assert_true(pl_pool_stat(pl).no_space);
		host_work(&pl->h);
		assert_int_equal(pl->h.events[LB_EV_NO_SPACE], round);
		pl_close(d);
		pl_remove(pl, v);
		pl_settle(pl);
		lb_work_commit(pl->pool);		/* looks whether it still is full */
		assert_false(pl_pool_stat(pl).no_space);
	}
	pl_free(pl);
}

/* ------------------------------------------------------------------ arguments */

static void arguments_out_of_bounds(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 base = pl_create(pl, "base", 16), child, id = 5, cursor = 0;
	char long_key[300], key[256] = "x";
	const struct lb_attr_change change = { .vol = base, .key = "k", .key_len = 1, .value = "v", .value_len = 1 };
	const struct lb_tx tx = { .changes = &change, .count = 1 };
	struct lb_diff_range range;
	unsigned int none = 0;
	u32 len = 0, key_len = 256;

	(void)state;
	memset(long_key, 'k', sizeof(long_key));
	assert_int_equal(lb_attr_get(pl->pool, base, "", 0, NULL, &len), -EINVAL);
	assert_int_equal(lb_attr_get(pl->pool, base, long_key, 256, NULL, &len), -EINVAL);
	assert_int_equal(lb_attr_next(pl->pool, base, key, &key_len, &len), -EINVAL);
	assert_int_equal(lb_vol_find(pl->pool, (struct lb_name){ .s = "", .len = 0 }, &id), -ENOENT);
	assert_int_equal(lb_vol_find(pl->pool, (struct lb_name){ .s = long_key, .len = 256 }, &id), -ENOENT);
	assert_int_equal(id, 5);
	pl_freeze(pl, base);
	child = pl_snapshot(pl, base, "child");
	assert_int_equal(lb_diff(pl->pool, 0, base, &cursor, &range, &none), -EINVAL);
	none = 1;
	assert_int_equal(lb_diff(pl->pool, 0, child, &cursor, &range, &none), -EINVAL);	/* not frozen */
	/* A deleted parent is hidden: nothing of it can be changed. */
	assert_ok(lb_vol_set(pl->pool, 0, NULL, &tx));
	pl_remove(pl, base);
	assert_int_equal(lb_vol_set(pl->pool, 0, NULL, &tx), -ENOENT);
	pl_free(pl);
}

/* ------------------------------------------------------------------ a pool that has failed, or is read only */

static void a_failed_pool_answers(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 16), w = pl_create(pl, "w", 16), id;
	struct lb_vol *vol;
	struct disk *d = pl_open(pl, v);

	(void)state;
	pl_write(d, 0, 4, 9);
	pl_settle(pl);
	lb_pool_fail(pl->pool, -EIO, "the test");
	lb_pool_fail(pl->pool, -ENOSPC, "it twice");	/* the first one counts */
	assert_true(pl_pool_stat(pl).failed);
	assert_int_equal(pl_pool_stat(pl).failed_errno, -EIO);
	lb_work_commit(pl->pool);
	lb_work_commit(pl->pool);
	assert_int_equal(pl->h.events[LB_EV_POOL_FAILED], 1);
	assert_true(lb_flush_needed(d->vol));
	assert_int_equal(lb_flush(d->vol), -EIO);
	assert_int_equal(pl_try_write(d, 0, 1, 9), -EROFS);
	pl_expect(d, 0, 4, 9);				/* reads go on */
	assert_int_equal(lb_vol_create(pl->pool, name_of("x"), 8, 0, NULL, &id), -EROFS);
	assert_ok(lb_vol_open(pl->pool, w, NULL, &vol));
	lb_vol_close(vol);
	assert_int_equal(lb_pool_scrub(pl->pool, true), 0);
	lb_work_commit(pl->pool);
	assert_int_equal(lb_work_due_ms(pl->pool), ~0ull);
	pl_close(d);
	pl_crash(pl);
	d = pl_open(pl, v);
	pl_expect(d, 0, 4, 9);
	pl_close(d);
	pl_free(pl);
}

static void a_flush_of_a_read_only_pool_is_passed_on(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 16);
	struct port_sim_stat io;
	struct disk *d;

	(void)state;
	assert_ok(host_close(&pl->h));
	assert_ok(host_open(&pl->h, LB_POOL_OPEN_RO));
	pl->pool = pl->h.pool;
	d = pl_open(pl, v);
	pl_io(pl);
	assert_ok(lb_flush(d->vol));
	io = pl_io(pl);
	assert_int_equal(io.flushes, 1);
	assert_int_equal(io.writes, 0);
	pl_close(d);
	pl_free(pl);
}

/* ------------------------------------------------------------------ superblocks */

struct field {
	const char *what;
	size_t offset;
	u64 value;
	int err;
};

#define FIELD(f, v, e)	{ #f " " #v, offsetof(struct lb_super, f), (v), (e) }

/* Sound checksums, impossible values: nothing is believed, and nothing is written. */
static void superblocks_that_cannot_be(void **state)
{
	static const struct field fields[] = {
		FIELD(mirror_block, 5000, -EUCLEAN), FIELD(mirror_block, LB_MIRROR_BLOCK_LARGE, -EUCLEAN),
		FIELD(journal_blocks, LB_JOURNAL_MIN_BLOCKS - 1, -EUCLEAN), FIELD(journal_blocks, LB_JOURNAL_MAX_BLOCKS + 1, -EUCLEAN),
		FIELD(journal_blocks, 4095, -EUCLEAN), FIELD(journal_block, 3, -EUCLEAN), FIELD(journal_block, POOL_BLOCKS, -EUCLEAN),
		FIELD(journal_block, POOL_BLOCKS - 100, -EUCLEAN), FIELD(journal_pos, 512, -EUCLEAN),
		FIELD(data_blocks, POOL_BLOCKS + 1, -EUCLEAN), FIELD(meta_blocks, POOL_BLOCKS + 1, -EUCLEAN),
		FIELD(total_blocks, LB_POOL_MIN_BLOCKS - 1, -EUCLEAN), FIELD(total_blocks, LB_POOL_MAX_BLOCKS + 1, -EUCLEAN),
		FIELD(total_blocks, POOL_BLOCKS + 1, -EFBIG), FIELD(catalog_root.addr, POOL_BLOCKS, -EUCLEAN),
		FIELD(catalog_root.addr2, POOL_BLOCKS, -EUCLEAN), FIELD(catalog_root.gen, 1u << 20, -EUCLEAN),
		FIELD(region_root.addr, POOL_BLOCKS, -EUCLEAN), FIELD(incompat, 1, -EOPNOTSUPP), FIELD(ro_compat, 1, -EOPNOTSUPP),
	};
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct lb_super_info info;
	struct port_dev *dev, *before;
	static struct damage d;
	struct host h;
	unsigned int i;
	int err;

	(void)state;
	pl_create(pl, "v", 16);
	pl_reopen(pl);
	pl_reopen(pl);
	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		dev = port_sim_crash_all(pl->dev);
		damage_begin(&d, dev);
		memcpy((u8 *)&d.sb + fields[i].offset, &(__le64){ cpu_to_le64(fields[i].value) }, sizeof(__le64));
		damage_super_put(&d);
		/* The copies at the old mirror's place are another pool's then. */
		before = port_sim_clone(dev);
		host_init(&h, dev);
		err = host_open(&h, 0);
		if (err != fields[i].err)
			fail_msg("%s: opening gives %d", fields[i].what, err);
		assert_true(checklab_same(dev, before));
		if (fields[i].offset == offsetof(struct lb_super, ro_compat)) {
			assert_ok(host_open(&h, LB_POOL_OPEN_RO));
			assert_ok(host_close(&h));
		} else {
			assert_true(lb_pool_probe(dev, &info) == fields[i].err);
		}
		port_sim_free(before);
		port_sim_free(dev);
	}
	pl_free(pl);
}

/* ------------------------------------------------------------------ a scrub beside work that is under way */

static void a_scrub_of_a_pool_half_way(void **state)
{
	static const enum checklab_image images[] = { IMAGE_COLLAPSE, IMAGE_FREE };
	struct checklab *lab = checklab_new();
	unsigned int i, steps;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(images); i++) {
		struct port_dev *dev = port_sim_clone(lab->images[images[i]]);
		struct lb_pool_stat st;
		struct host h;

		host_init(&h, dev);
		assert_ok(host_open(&h, 0));
		h.pool->step_budget = 1;
		lb_pool_stop(h.pool, true);		/* the deletion stays where it is */
		assert_ok(lb_pool_scrub(h.pool, true));
		lb_pool_stop(h.pool, false);
		for (steps = 0; steps < 1000; steps++) {
			lb_scrub_step(h.pool);
			lb_pool_stat(h.pool, &st);
			if (st.scrub_state != 1)
				break;
		}
		assert_int_equal(st.scrub_state, 2);
		assert_int_equal(st.scrub_errors, 0);
		assert_true(st.scrub_done_blocks >= 6);
		assert_ok(host_close(&h));
		checklab_opens(lab, images[i], dev);
		port_sim_free(dev);
	}
	checklab_free(lab);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_first_write_locks_its_blocks),
		cmocka_unit_test(changes_in_memory_are_limited),
		cmocka_unit_test(a_failed_first_write_leaves_what_was_there),
		cmocka_unit_test(the_cache_gives_nodes_back),
		cmocka_unit_test(policies_that_change_nothing_on_disk),
		cmocka_unit_test(full_is_told_anew_each_time),
		cmocka_unit_test(arguments_out_of_bounds),
		cmocka_unit_test(a_failed_pool_answers),
		cmocka_unit_test(a_flush_of_a_read_only_pool_is_passed_on),
		cmocka_unit_test(superblocks_that_cannot_be),
		cmocka_unit_test(a_scrub_of_a_pool_half_way),
	};

	port_log_set_level(0);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
