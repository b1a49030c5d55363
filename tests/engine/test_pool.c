// SPDX-License-Identifier: GPL-2.0
/* A pool's administration case by case: making and opening, names and sizes, events, policy, what is refused. */
#include "poollab.h"

#define POOL_BLOCKS	8192ull
#define SIZE_MAX_BLOCKS	(LB_LBLK_MAX / 2 + 1)

/* ------------------------------------------------------------------ making, opening, closing */

static void format_refuses_what_cannot_be_a_pool(void **state)
{
	struct port_dev *dev = port_sim_new(POOL_BLOCKS);
	const struct lb_format_opts bad[] = {
		{ .total_blocks = LB_POOL_MIN_BLOCKS - 1 }, { .total_blocks = POOL_BLOCKS + 1 },
		{ .total_blocks = LB_POOL_MAX_BLOCKS + 1 },
		{ .total_blocks = 1ull << 63 }, { .journal_blocks = LB_JOURNAL_MIN_BLOCKS - 1 },
		{ .journal_blocks = LB_JOURNAL_MAX_BLOCKS + 1 }, { .journal_blocks = LB_JOURNAL_MAX_BLOCKS },
		{ .journal_blocks = ~0ull },
	};
	struct lb_super_info info;
	struct port_sim_stat st;
	unsigned int i;
	u8 uuid[16];

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(lb_pool_format(dev, &bad[i], uuid), -EINVAL);
	port_sim_get_stat(dev, &st);
	assert_int_equal(st.writes, 0);
	assert_int_equal(lb_pool_probe(dev, &info), -EMEDIUMTYPE);
	port_sim_free(dev);
}

static void probe_tells_what_format_made_until_it_is_wiped(void **state)
{
	const struct lb_format_opts opts = { .total_blocks = 9000, .uuid = "fifteen letters" };
	const struct lb_format_opts by_chance = { .total_blocks = 0 };
	struct port_dev *dev = port_sim_new(10000);
	struct lb_super_info info;
	struct host h;
	u8 uuid[16];

	(void)state;
	assert_ok(lb_pool_format(dev, &opts, uuid));
	assert_memory_equal(uuid, opts.uuid, 16);
	assert_ok(lb_pool_probe(dev, &info));
	assert_memory_equal(info.uuid, opts.uuid, 16);
	assert_int_equal(info.total_blocks, 9000);
	assert_ok(lb_pool_format(dev, &by_chance, uuid));
	assert_memory_not_equal(uuid, opts.uuid, 16);
	assert_ok(lb_pool_probe(dev, &info));
	assert_memory_equal(info.uuid, uuid, 16);
	assert_int_equal(info.total_blocks, 10000);

	/* A device that has shrunk below its pool is not opened. */
	host_init(&h, dev);
	port_sim_resize(dev, 9999);
	assert_int_equal(host_open(&h, 0), -EFBIG);
	port_sim_resize(dev, 10000);
	assert_ok(lb_pool_wipe(dev));
	assert_int_equal(lb_pool_probe(dev, &info), -EMEDIUMTYPE);
	assert_int_equal(host_open(&h, 0), -EMEDIUMTYPE);
	port_sim_free(dev);
	assert_int_equal(port_alloc_live(), 0);
}

static void volumes_are_found_by_name_and_in_order_after_reopening(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 a = pl_create(pl, "a", 10), b = pl_create(pl, "b", 20), c = pl_create(pl, "c", 30), id;
	unsigned int round;
	struct lb_vol_stat st;

	(void)state;
	for (round = 0; round < 2; round++) {
		assert_ok(lb_vol_find(pl->pool, name_of("b"), &id));
		assert_int_equal(id, b);
		assert_int_equal(lb_vol_find(pl->pool, name_of("d"), &id), -ENOENT);
		assert_int_equal(lb_vol_find(pl->pool, name_of(""), &id), -ENOENT);
		assert_ok(lb_vol_next(pl->pool, 0, false, &id));
		assert_int_equal(id, a);
		assert_ok(lb_vol_next(pl->pool, a, false, &id));
		assert_int_equal(id, b);
		assert_ok(lb_vol_next(pl->pool, b, false, &id));
		assert_int_equal(id, c);
		assert_int_equal(lb_vol_next(pl->pool, c, true, &id), -ENOENT);
		st = pl_stat(pl, b);
		assert_string_equal(st.name, "b");
		assert_int_equal(st.size_blocks, 20);
		assert_int_equal(st.parent, 0);
		assert_int_equal(st.frozen, 0);
		assert_int_equal(st.created, 1700000000);
		assert_int_equal(lb_vol_stat(pl->pool, c + 1, false, &st), -ENOENT);
		assert_int_equal(pl_pool_stat(pl).volumes, 3);
		pl_reopen(pl);
	}
	pl_free(pl);
}

static void a_volume_is_open_once(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 id = pl_create(pl, "v", 10);
	struct disk *d = pl_open(pl, id), second;
	struct lb_vol *vol;

	(void)state;
	assert_int_equal(lb_vol_id(d->vol), id);
	assert_int_equal(lb_vol_blocks(d->vol), 10);
	assert_true(lb_vol_writable(d->vol));
	assert_int_equal(disk_open(&pl->h, id, &second), -EBUSY);
	pl_close(d);
	pl_close(pl_open(pl, id));
	assert_int_equal(lb_vol_open(pl->pool, id + 1, NULL, &vol), -ENOENT);
	pl_free(pl);
}

static void ids_are_never_used_again(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 first = pl_create(pl, "v", 10), last = pl_create(pl, "w", 10), id;

	(void)state;
	pl_remove(pl, last);
	pl_settle(pl);
	pl_reopen(pl);
	id = pl_create(pl, "w", 10);
	assert_true(id > last);
	pl_remove(pl, id);
	pl_crash(pl);		/* creation and removal are in the journal only */
	last = pl_create(pl, "w", 10);
	assert_true(last > id);
	assert_int_equal(pl_stat(pl, first).size_blocks, 10);
	pl_free(pl);
}

/* ------------------------------------------------------------------ names and sizes */

static void names_that_are_refused(void **state)
{
	char longest[256], nul[] = { 'a', 0, 'b' };
	const struct lb_name bad[] = {
		name_of(""), name_of("."), name_of(".."), name_of("a/b"), name_of("/"), name_of("a\n"),
		name_of("\x7f"), name_of("\x1b[0m"),
		{ .s = nul, .len = 3 }, { .s = longest, .len = 256 }, { .s = longest, .len = ~0u },
	};
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 10), w = pl_create(pl, "w", 10), base = pl_create(pl, "base", 10), id, writes;
	struct lb_vol_change rename = { .set = LB_SET_NAME };
	unsigned int i;

	(void)state;
	memset(longest, 'x', sizeof(longest));
	pl_freeze(pl, base);
	writes = pl_pool_stat(pl).journal_writes;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(lb_vol_create(pl->pool, bad[i], 10, 0, NULL, &id), -EINVAL);
		assert_int_equal(lb_vol_snapshot(pl->pool, v, bad[i], false, 0, NULL, &id), -EINVAL);
		assert_int_equal(lb_vol_snapshot(pl->pool, base, bad[i], false, 0, NULL, &id), -EINVAL);
		rename.name = bad[i];
		assert_int_equal(lb_vol_set(pl->pool, v, &rename, NULL), -EINVAL);
		if (bad[i].len)		/* for freezing, no name keeps the name */
			assert_int_equal(lb_vol_freeze(pl->pool, v, bad[i], NULL), -EINVAL);
	}
	assert_int_equal(lb_vol_create(pl->pool, name_of("w"), 10, 0, NULL, &id), -EEXIST);
	assert_int_equal(lb_vol_snapshot(pl->pool, v, name_of("w"), false, 0, NULL, &id), -EEXIST);
	assert_int_equal(lb_vol_snapshot(pl->pool, base, name_of("w"), false, 0, NULL, &id), -EEXIST);
	assert_int_equal(lb_vol_freeze(pl->pool, v, name_of("w"), NULL), -EEXIST);
	rename.name = name_of("w");
	assert_int_equal(lb_vol_set(pl->pool, v, &rename, NULL), -EEXIST);
	assert_ok(lb_vol_set(pl->pool, w, &rename, NULL));	/* its own */
	assert_int_equal(pl_stat(pl, v).frozen, 0);
	assert_int_equal(pl_pool_stat(pl).volumes, 3);
	assert_int_equal(pl_pool_stat(pl).journal_writes, writes + 1);
	pl_free(pl);
}

static void names_that_are_allowed(void **state)
{
	static const char *const good[] = { "a", "...", ".hidden", " ", "a b",
		"image:tag@sha256", "\xc3\xa9t\xc3\xa9", "-", "~" };
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct lb_vol_change rename = { .set = LB_SET_NAME };
	char longest[256] = { 0 };
	unsigned int i;
	u64 id, v;

	(void)state;
	memset(longest, 'x', 255);
	for (i = 0; i < ARRAY_SIZE(good); i++)
		pl_create(pl, good[i], 1);
	v = pl_create(pl, longest, 1);
	/* A name is free as soon as its volume is gone or has another. */
	rename.name = name_of("other");
	assert_ok(lb_vol_set(pl->pool, v, &rename, NULL));
	id = pl_create(pl, longest, 1);
	pl_remove(pl, id);
	pl_create(pl, longest, 1);
	pl_reopen(pl);
	for (i = 0; i < ARRAY_SIZE(good); i++)
		assert_ok(lb_vol_find(pl->pool, name_of(good[i]), &id));
	assert_ok(lb_vol_find(pl->pool, name_of("other"), &id));
	assert_int_equal(id, v);
	assert_ok(lb_vol_find(pl->pool, name_of(longest), &id));
	assert_string_equal(pl_stat(pl, id).name, longest);
	pl_free(pl);
}

static void sizes_that_are_refused(void **state)
{
	const u64 bad[] = { 0, SIZE_MAX_BLOCKS + 1, LB_LBLK_MAX, 1ull << 48, 1ull << 52, 1ull << 63, ~0ull };
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", SIZE_MAX_BLOCKS), id;
	struct lb_vol_change size = { .set = LB_SET_SIZE | LB_SET_SHRINK };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(lb_vol_create(pl->pool, name_of("w"), bad[i], 0, NULL, &id), -EINVAL);
		size.size_blocks = bad[i];
		assert_int_equal(lb_vol_set(pl->pool, v, &size, NULL), -EINVAL);
	}
	/* The last block of the largest volume is as good as any. */
	pl_fill(pl, v, SIZE_MAX_BLOCKS - 1, 1, 7);
	pl_reopen(pl);
	pl_expect_vol(pl, v, SIZE_MAX_BLOCKS - 1, 1, 7);
	assert_int_equal(pl_pool_stat(pl).volumes, 1);
	pl_free(pl);
}

static void requests_on_volumes_that_are_not_there(void **state)
{
	struct lb_vol_change quota = { .set = LB_SET_QUOTA, .quota = 5 };
	struct lb_vol_change size = { .set = LB_SET_SIZE, .size_blocks = 5 };
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 gone = pl_create(pl, "gone", 10), base = pl_create(pl, "base", 10), id;
	const u64 none[] = { gone, base, 99, ~0ull };
	struct lb_vol *vol;
	unsigned int i, n = 1;

	(void)state;
	pl_freeze(pl, base);
	pl_snapshot(pl, base, "one");
	pl_snapshot(pl, base, "two");
	pl_remove(pl, base);		/* stays, hidden */
	pl_remove(pl, gone);
	pl_settle(pl);
	for (i = 0; i < ARRAY_SIZE(none); i++) {
		u64 cursor = 0;
		struct lb_diff_range range;

		assert_int_equal(lb_vol_remove(pl->pool, none[i], false, NULL), -ENOENT);
		assert_int_equal(lb_vol_set(pl->pool, none[i], &quota, NULL), -ENOENT);
		assert_int_equal(lb_vol_set(pl->pool, none[i], &size, NULL), -ENOENT);
		assert_int_equal(lb_vol_freeze(pl->pool, none[i], name_of(""), NULL), -ENOENT);
		assert_int_equal(lb_vol_rollback(pl->pool, none[i], base), -ENOENT);
		assert_int_equal(lb_diff(pl->pool, 0, none[i], &cursor, &range, &n), -ENOENT);
		n = 1;
		assert_int_equal(lb_vol_snapshot(pl->pool, none[i], name_of("x"), false, 0, NULL, &id), -ENOENT);
		assert_int_equal(lb_vol_open(pl->pool, none[i], NULL, &vol), none[i] == base ? -EINVAL : -ENOENT);
	}
	assert_ok(lb_vol_next(pl->pool, 0, true, &id));
	assert_int_equal(id, base);
	assert_true(pl_stat(pl, base).hidden);
	pl_free(pl);
}

/* ------------------------------------------------------------------ events, policy, read-only */

static void expect_event(struct poollab *pl, enum lb_event_type type, u64 count, u64 vol, u64 arg)
{
	assert_int_equal(pl->h.events[type], count);
	assert_int_equal(pl->h.event_vol, vol);
	assert_int_equal(pl->h.event_arg, arg);
}

static void every_request_tells_what_it_did(void **state)
{
	struct lb_vol_change rename = { .set = LB_SET_NAME, .name = name_of("w") };
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v, s, c, now;

	(void)state;
	v = pl_create(pl, "v", 10);
	expect_event(pl, LB_EV_VOL_CREATE, 1, v, 0);
	s = pl_snapshot(pl, v, "s");
	expect_event(pl, LB_EV_VOL_SNAPSHOT, 1, s, v);
	c = pl_snapshot(pl, s, "c");
	expect_event(pl, LB_EV_VOL_SNAPSHOT, 2, c, s);
	assert_ok(lb_vol_set(pl->pool, v, &rename, NULL));
	expect_event(pl, LB_EV_VOL_CHANGE, 1, v, 0);
	assert_ok(lb_vol_rollback(pl->pool, v, s));
	expect_event(pl, LB_EV_VOL_ROLLBACK, 1, v, s);
	pl_freeze(pl, c);
	expect_event(pl, LB_EV_VOL_FREEZE, 1, c, 0);
	pl_remove(pl, c);
	expect_event(pl, LB_EV_VOL_REMOVE, 1, c, 0);
	pl_settle(pl);
	assert_true(pl->h.events[LB_EV_SPACE_FREED]);
	port_sim_resize(pl->dev, POOL_BLOCKS + 1000);
	assert_ok(lb_pool_grow(pl->pool, 0, &now));
	assert_int_equal(now, POOL_BLOCKS + 1000);
	expect_event(pl, LB_EV_POOL_GROWN, 1, 0, now);
	/* What is refused is not told. */
	assert_int_equal(lb_vol_remove(pl->pool, c, false, NULL), -ENOENT);
	assert_int_equal(lb_vol_rollback(pl->pool, s, v), -EROFS);
	expect_event(pl, LB_EV_POOL_GROWN, 1, 0, now);
	pl_free(pl);
}

static void policy_is_checked_and_kept(void **state)
{
	struct lb_pool_policy good = { .set = 15, .queue_nospc = true, .nospc_timeout_ms = 5000, .low_water_blocks = 77,
				       .commit_interval_ms = 2000, .cache_limit_bytes = 2 << 20 };
	const struct lb_pool_policy bad[] = {
		{ .set = 16 }, { .set = LB_POLICY_INTERVAL, .commit_interval_ms = 99 },
		{ .set = LB_POLICY_INTERVAL, .commit_interval_ms = 3600001 },
		{ .set = LB_POLICY_CACHE, .cache_limit_bytes = 4096 },
	};
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct lb_pool_stat st;
	unsigned int i;

	(void)state;
	assert_ok(lb_pool_set_policy(pl->pool, &good));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(lb_pool_set_policy(pl->pool, &bad[i]), -EINVAL);
	assert_in_range(pl_pool_stat(pl).cache_limit_bytes, (2 << 20) - 8192, 2 << 20);
	pl_crash(pl);
	st = pl_pool_stat(pl);
	assert_true(st.queue_nospc);
	assert_int_equal(st.nospc_timeout_ms, 5000);
	assert_int_equal(st.low_water_blocks, 77);
	assert_int_equal(st.commit_interval_ms, 2000);
	pl_free(pl);
}

/* Opened read-only, the journal's content is there and the device is not written. */
static void a_read_only_pool_writes_nothing(void **state)
{
	struct lb_vol_change rename = { .set = LB_SET_NAME, .name = name_of("x") };
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 10), id, now;
	struct disk *d = pl_open(pl, v);
	struct port_dev *left;
	struct port_sim_stat io;

	(void)state;
	pl_write(d, 0, 5, 1);
	assert_ok(disk_flush(d));
	free(d);
	left = port_sim_crash_none(pl->dev);
	host_abandon(&pl->h);
	port_sim_free(pl->dev);
	pl->dev = pl->h.dev = left;
	port_sim_reset_stat(left);
	assert_ok(host_open(&pl->h, LB_POOL_OPEN_RO));
	pl->pool = pl->h.pool;
	assert_true(pl_pool_stat(pl).read_only);
	d = pl_open(pl, v);
	pl_expect(d, 0, 5, 1);
	pl_expect(d, 5, 5, 0);
	assert_false(lb_vol_writable(d->vol));
	assert_int_equal(pl_try_write(d, 0, 1, 2), -EROFS);
	assert_int_equal(disk_discard(d, 0, 1), -EROFS);
	assert_ok(disk_flush(d));
	pl_close(d);
	assert_int_equal(lb_vol_create(pl->pool, name_of("w"), 10, 0, NULL, &id), -EROFS);
	assert_int_equal(lb_vol_snapshot(pl->pool, v, name_of("w"), false, 0, NULL, &id), -EROFS);
	assert_int_equal(lb_vol_freeze(pl->pool, v, name_of(""), NULL), -EROFS);
	assert_int_equal(lb_vol_remove(pl->pool, v, false, NULL), -EROFS);
	assert_int_equal(lb_vol_rollback(pl->pool, v, v), -EROFS);
	assert_int_equal(lb_vol_set(pl->pool, v, &rename, NULL), -EROFS);
	assert_int_equal(lb_pool_grow(pl->pool, 0, &now), -EROFS);
	assert_int_equal(lb_pool_commit(pl->pool), -EROFS);
	lb_work_commit(pl->pool);
	io = pl_io(pl);
	assert_int_equal(io.writes + io.discards, 0);
	pl_reopen(pl);
	io = pl_io(pl);
	assert_true(io.writes > 0);
	pl_expect_vol(pl, v, 0, 5, 1);
	pl_free(pl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(format_refuses_what_cannot_be_a_pool),
		cmocka_unit_test(probe_tells_what_format_made_until_it_is_wiped),
		cmocka_unit_test(volumes_are_found_by_name_and_in_order_after_reopening),
		cmocka_unit_test(a_volume_is_open_once),
		cmocka_unit_test(ids_are_never_used_again),
		cmocka_unit_test(names_that_are_refused),
		cmocka_unit_test(names_that_are_allowed),
		cmocka_unit_test(sizes_that_are_refused),
		cmocka_unit_test(requests_on_volumes_that_are_not_there),
		cmocka_unit_test(every_request_tells_what_it_did),
		cmocka_unit_test(policy_is_checked_and_kept),
		cmocka_unit_test(a_read_only_pool_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
