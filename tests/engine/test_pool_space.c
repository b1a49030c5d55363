// SPDX-License-Identifier: GPL-2.0
/* Space case by case: quotas, a pool that is full and what still works in it, low-water marks, growth. */
#include "poollab.h"

#define POOL_BLOCKS	8192ull

static int set_quota(struct poollab *pl, u64 id, u64 blocks)
{
	struct lb_vol_change ch = { .set = LB_SET_QUOTA, .quota = blocks };

	return lb_vol_set(pl->pool, id, &ch, NULL);
}

/* ------------------------------------------------------------------ quotas */

static void a_quota_ends_writes_and_can_be_raised(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v, size = 1000;
	struct disk *d;

	(void)state;
	assert_ok(lb_vol_create(pl->pool, name_of("v"), size, 100, NULL, &v));
	d = pl_open(pl, v);
	pl_write(d, 0, 60, 1);
	/* What fits is written, then the error: as on a file system that fills up. */
	assert_int_equal(pl_try_write(d, 60, 64, 2), -EDQUOT);
	pl_expect(d, 60, 40, 2);
	pl_expect(d, 100, 24, 0);
	assert_int_equal(pl_stat(pl, v).owned_blocks, 100);
	pl_write(d, 0, 100, 3);				/* what is there can be written again */
	assert_int_equal(pl_try_write(d, 100, 1, 3), -EDQUOT);
	pl_settle(pl);
	pl_write(d, 0, 100, 4);
	assert_int_equal(pl_try_write(d, 500, 1, 4), -EDQUOT);
	assert_int_equal(pl->h.events[LB_EV_NO_SPACE], 0);	/* the pool has space */
	/* A discard makes room within it, at once or after the commit that the write asks for. */
	assert_ok(disk_discard(d, 0, 10));
	pl_write(d, 500, 10, 5);
	assert_int_equal(pl_try_write(d, 600, 1, 5), -EDQUOT);
	assert_ok(set_quota(pl, v, 110));
	pl_write(d, 600, 10, 6);
	assert_int_equal(pl_try_write(d, 700, 1, 6), -EDQUOT);
	pl_close(d);
	pl_reopen(pl);
	assert_int_equal(pl_stat(pl, v).quota, 110);
	d = pl_open(pl, v);
	assert_int_equal(pl_try_write(d, 700, 1, 6), -EDQUOT);
	pl_expect(d, 0, 10, 0);
	pl_expect(d, 10, 90, 4);
	pl_expect(d, 500, 10, 5);
	pl_expect(d, 600, 10, 6);
	/* A quota below what is there takes nothing away, and lets nothing be added. */
	assert_ok(set_quota(pl, v, 50));
	pl_write(d, 10, 90, 7);
	assert_int_equal(pl_try_write(d, 700, 1, 7), -EDQUOT);
	assert_ok(set_quota(pl, v, 0));
	pl_write(d, 0, size, 8);
	pl_close(d);
	pl_free(pl);
}

static void a_quota_counts_what_a_child_owns(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 base = pl_create(pl, "base", 1000), v, s;
	struct disk *d;

	(void)state;
	pl_fill(pl, base, 0, 500, 1);
	pl_freeze(pl, base);
	assert_ok(lb_vol_snapshot(pl->pool, base, name_of("v"), false, 20, NULL, &v));
	d = pl_open(pl, v);
	pl_write(d, 0, 20, 2);
	assert_int_equal(pl_try_write(d, 20, 1, 2), -EDQUOT);
	pl_expect(d, 20, 480, 1);
	/* After a snapshot nothing is its own: the whole quota again, also for blocks that it had written. */
	s = pl_snapshot(pl, v, "s");
	pl_write(d, 10, 20, 3);
	assert_int_equal(pl_try_write(d, 0, 1, 3), -EDQUOT);
	pl_settle(pl);
	assert_int_equal(pl_try_write(d, 0, 1, 3), -EDQUOT);
	pl_close(d);
	/* Its snapshot deleted, what it shared is its own: over the quota, and no error for what it has. */
	pl_remove(pl, s);
	pl_settle(pl);
	assert_int_equal(pl_stat(pl, v).owned_blocks, 30);
	d = pl_open(pl, v);
	pl_write(d, 0, 30, 4);
	assert_int_equal(pl_try_write(d, 30, 1, 4), -EDQUOT);
	pl_close(d);
	pl_free(pl);
}

/* ------------------------------------------------------------------ full */

/* Write until the pool is full; how many blocks it took. */
static u64 fill_pool(struct poollab *pl, struct disk *d, u64 tag)
{
	u64 i;
	int err = 0;

	for (i = 0; !err; i++)
		err = pl_try_write(d, i, 1, tag);
	assert_int_equal(err, -ENOSPC);
	return i - 1;
}

static void a_full_pool_keeps_everything_and_can_delete(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 keep = pl_create(pl, "keep", 100), v = pl_create(pl, "v", 100000), w, n, m;
	struct pl_used before;
	struct lb_pool_stat st;
	struct disk *d;

	(void)state;
	pl_fill(pl, keep, 0, 100, 1);
	before = pl_used(pl);
	d = pl_open(pl, v);
	n = fill_pool(pl, d, 2);
	assert_in_range(n, POOL_BLOCKS * 3 / 4, POOL_BLOCKS);
	st = pl_pool_stat(pl);
	assert_true(st.no_space);
	assert_true(st.low_space);
	assert_int_equal(pl->h.events[LB_EV_LOW_SPACE], 1);
	host_work(&pl->h);
	assert_int_equal(pl->h.events[LB_EV_NO_SPACE], 1);
	/* What is there is written in place, flushed, read, committed. */
	pl_write(d, 0, n, 3);
	assert_ok(disk_flush(d));
	pl_expect(d, 0, n, 3);
	assert_ok(lb_pool_commit(pl->pool));
	assert_int_equal(pl_try_write(d, n, 1, 3), -ENOSPC);
	pl_close(d);
	pl_reopen(pl);
	pl_expect_vol(pl, v, 0, n, 3);
	/* A discard makes room, as much as it discards. */
	d = pl_open(pl, v);
	assert_ok(disk_discard(d, 0, 1000));
	pl_write(d, 0, 900, 4);
	pl_close(d);
	/* Deletion as well, and the next volume gets as much as the first. */
	pl_remove(pl, v);
	w = pl_create(pl, "w", 100000);
	d = pl_open(pl, w);
	m = fill_pool(pl, d, 5);
	assert_in_range(m, n - 16, n + 16);
	pl_expect(d, 0, m, 5);
	pl_close(d);
	pl_remove(pl, w);
	pl_assert_used(pl, before);
	pl_expect_vol(pl, keep, 0, 100, 1);
	assert_false(pl_pool_stat(pl).failed);
	pl_free(pl);
}

/* Scattered single blocks, whose metadata costs most. */
static void a_pool_filled_with_scattered_blocks_can_delete_too(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct dice dice = { .state = test_seed(5) };
	u64 v = pl_create(pl, "v", 1ull << 40), w = pl_create(pl, "w", 1ull << 40), n = 0;
	struct pl_used before;
	struct disk *d;
	int err = 0;

	(void)state;
	pl_fill(pl, w, 0, 1, 1);
	before = pl_used(pl);
	d = pl_open(pl, v);
	while (!err) {
		err = pl_try_write(d, dice_below(&dice, 1ull << 40), 1, 2);
		n++;
	}
	assert_int_equal(err, -ENOSPC);
	assert_in_range(n, POOL_BLOCKS / 2, POOL_BLOCKS);
	assert_ok(disk_flush(d));
	pl_close(d);
	pl_reopen(pl);
	pl_remove(pl, v);
	pl_assert_used(pl, before);
	pl_fill(pl, w, 1, 2000, 3);
	pl_free(pl);
}

/* A full pool that is set to wait says for how long. */
static void a_full_pool_waits_if_it_is_set_so(void **state)
{
	struct lb_pool_policy policy = { .set = LB_POLICY_QUEUE, .queue_nospc = true };
	struct poollab *pl = pl_new(POOL_BLOCKS);

	(void)state;
	assert_int_equal(lb_nospc(pl->pool), 0);
	assert_ok(lb_pool_set_policy(pl->pool, &policy));
	assert_true(lb_nospc(pl->pool) == ~0ull);
	policy.nospc_timeout_ms = 1234;
	assert_ok(lb_pool_set_policy(pl->pool, &policy));
	assert_int_equal(lb_nospc(pl->pool), 1234);
	pl_free(pl);
}

static void the_low_water_mark_tells_once_each_time(void **state)
{
	struct lb_pool_policy policy = { .set = LB_POLICY_LOW_WATER, .low_water_blocks = 4000 };
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 100000);
	struct disk *d = pl_open(pl, v);
	unsigned int round;

	(void)state;
	assert_ok(lb_pool_set_policy(pl->pool, &policy));
	for (round = 1; round <= 3; round++) {
		pl_write(d, 0, 3000, 1);
		pl_settle(pl);
		assert_int_equal(pl->h.events[LB_EV_LOW_SPACE], round - 1);
		pl_write(d, 3000, 2000, 1);
		pl_settle(pl);
		pl_write(d, 5000, 10, 1);
		pl_settle(pl);
		assert_int_equal(pl->h.events[LB_EV_LOW_SPACE], round);
		assert_true(pl_pool_stat(pl).low_space);
		assert_ok(disk_discard(d, 0, 100000));
		pl_settle(pl);
		lb_work_commit(pl->pool);
		assert_false(pl_pool_stat(pl).low_space);
	}
	assert_int_equal(pl->h.events[LB_EV_NO_SPACE], 0);
	pl_close(d);
	pl_free(pl);
}

/* ------------------------------------------------------------------ growth */

static void growing_a_full_pool_under_open_volumes(void **state)
{
	static const u64 sizes[] = {
		POOL_BLOCKS + 1, POOL_BLOCKS + 500, LB_REGION_BLOCKS, LB_REGION_BLOCKS + 63, LB_REGION_BLOCKS + 64,
		2 * LB_REGION_BLOCKS + 100,
	};
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 1000000), at = 0, now, free;
	struct disk *d = pl_open(pl, v);
	unsigned int i;

	(void)state;
	at = fill_pool(pl, d, 1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		now = 0;
		lb_work_reclaim(pl->pool);
		free = pl_pool_stat(pl).free_blocks;
		assert_int_equal(lb_pool_grow(pl->pool, sizes[i], &now), -EINVAL);	/* the device has not grown */
		port_sim_resize(pl->dev, sizes[i]);
		assert_ok(lb_pool_grow(pl->pool, i & 1 ? sizes[i] : 0, &now));
		assert_int_equal(now, sizes[i]);
		assert_int_equal(pl_pool_stat(pl).total_blocks, sizes[i]);
		assert_int_equal(lb_pool_grow(pl->pool, sizes[i] - 1, &now), -EINVAL);
		lb_work_reclaim(pl->pool);
		assert_true(pl_pool_stat(pl).free_blocks >= free);
		assert_int_equal(pl->h.events[LB_EV_POOL_GROWN], i + 1);
		if (i && sizes[i] - sizes[i - 1] >= 100) {
			u64 n = (sizes[i] - sizes[i - 1]) * 3 / 4;

			pl_write(d, at, n, 1);
			at += n;
		}
	}
	assert_ok(disk_flush(d));
	pl_close(d);
	pl_reopen(pl);
	assert_int_equal(pl_pool_stat(pl).total_blocks, sizes[ARRAY_SIZE(sizes) - 1]);
	pl_expect_vol(pl, v, 0, at, 1);
	pl_remove(pl, v);
	pl_used(pl);
	pl_free(pl);
}

/* Grown, and the power cut at once: the pool has its new size, and the volume what it had. */
static void growth_is_durable_on_return(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 100), now;

	(void)state;
	pl_fill(pl, v, 0, 100, 1);
	assert_ok(lb_pool_commit(pl->pool));
	port_sim_resize(pl->dev, 100000);
	assert_ok(lb_pool_grow(pl->pool, 90000, &now));
	pl_crash(pl);
	assert_int_equal(pl_pool_stat(pl).total_blocks, 90000);
	pl_expect_vol(pl, v, 0, 100, 1);
	pl_used(pl);
	pl_free(pl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quota_ends_writes_and_can_be_raised),
		cmocka_unit_test(a_quota_counts_what_a_child_owns),
		cmocka_unit_test(a_full_pool_keeps_everything_and_can_delete),
		cmocka_unit_test(a_pool_filled_with_scattered_blocks_can_delete_too),
		cmocka_unit_test(a_full_pool_waits_if_it_is_set_so),
		cmocka_unit_test(the_low_water_mark_tells_once_each_time),
		cmocka_unit_test(growing_a_full_pool_under_open_volumes),
		cmocka_unit_test(growth_is_durable_on_return),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
