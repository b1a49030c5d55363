// SPDX-License-Identifier: GPL-2.0
/*
 * Snapshots of volumes in use: one journal record each, no commit; what is cut off is there after a crash, in a chain of cuts that no commit has merged
 * too, whatever becomes of the volumes before the next commit.
 */
#include "poollab.h"

#include "pool_priv.h"

#define POOL_BLOCKS	20000u
#define CUTS		5u

static const char *cut_name(unsigned int i)
{
	static const char *const names[] = { "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11" };

	return names[i];
}

/* Block i is written before cut i, block 50 before each; between, with no flush. */
static void cut_often(struct poollab *pl, struct disk *v, u64 *ids, unsigned int cuts)
{
	unsigned int i;

	for (i = 0; i < cuts; i++) {
		pl_write(v, i, 1, i + 1);
		pl_write(v, 50, 1, i + 1);
		ids[i] = pl_snapshot(pl, v->id, cut_name(i));
	}
	pl_write(v, 50, 1, 100);
}

static void expect_cut(struct poollab *pl, u64 id, unsigned int i)
{
	unsigned int k;

	for (k = 0; k <= i; k++)
		pl_expect_vol(pl, id, k, 1, k + 1);
	pl_expect_vol(pl, id, i + 1, 1, 0);
	pl_expect_vol(pl, id, 50, 1, i + 1);
}

static void expect_cuts(struct poollab *pl, const u64 *ids, unsigned int cuts)
{
	unsigned int i;

	for (i = 0; i < cuts; i++)
		expect_cut(pl, ids[i], i);
}

static void one_write_and_no_commit(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct disk *v = pl_open(pl, pl_create(pl, "v", 100));
	struct port_sim_stat io;
	u64 commits, id;

	(void)state;
	pl_write(v, 0, 60, 1);
	pl_settle(pl);
	pl_write(v, 0, 10, 2);
	commits = pl_pool_stat(pl).commits;
	pl_io(pl);
	id = pl_snapshot(pl, v->id, "s");
	io = pl_io(pl);
	assert_int_equal(io.writes, 1);
	assert_int_equal(pl_pool_stat(pl).commits, commits);
	assert_true(pl_stat(pl, id).frozen);
	assert_int_equal(pl_stat(pl, id).owned_blocks, 60);
	assert_int_equal(pl_stat(pl, v->id).owned_blocks, 0);
	free(v);
	pl_crash(pl);
	/* What was not flushed is in the snapshot all the same. */
	pl_expect_vol(pl, id, 0, 10, 2);
	pl_expect_vol(pl, id, 10, 50, 1);
	pl_free(pl);
}

static void a_chain_of_cuts(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 vol = pl_create(pl, "v", 100), ids[CUTS], commits;
	struct disk *v = pl_open(pl, vol);

	(void)state;
	commits = pl_pool_stat(pl).commits;
	cut_often(pl, v, ids, CUTS);
	assert_int_equal(pl_pool_stat(pl).commits, commits);
	expect_cuts(pl, ids, CUTS);
	pl_expect(v, 50, 1, 100);
	assert_ok(disk_flush(v));
	free(v);
	pl_crash(pl);
	expect_cuts(pl, ids, CUTS);
	pl_expect_vol(pl, vol, 50, 1, 100);
	pl_settle(pl);
	expect_cuts(pl, ids, CUTS);
	pl_expect_vol(pl, vol, 50, 1, 100);
	pl_reopen(pl);
	expect_cuts(pl, ids, CUTS);
	pl_free(pl);
}

/* Beyond what one look-up should have to go through, a commit merges them. */
static void more_cuts_than_a_commit_takes(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 vol = pl_create(pl, "v", 100), ids[LB_CUTS_MAX + 3], commits;
	struct disk *v = pl_open(pl, vol);

	(void)state;
	commits = pl_pool_stat(pl).commits;
	cut_often(pl, v, ids, LB_CUTS_MAX + 3);
	assert_int_equal(pl_pool_stat(pl).commits, commits + 1);
	expect_cuts(pl, ids, LB_CUTS_MAX + 3);
	assert_ok(disk_flush(v));
	free(v);
	pl_crash(pl);
	expect_cuts(pl, ids, LB_CUTS_MAX + 3);
	pl_expect_vol(pl, vol, 50, 1, 100);
	pl_free(pl);
}

/* Without anything new in between, cuts are no burden for look-ups. */
static void cuts_of_an_idle_volume(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct disk *v = pl_open(pl, pl_create(pl, "v", 100));
	u64 first, commits, id = v->id, last = 0;
	unsigned int i;

	(void)state;
	pl_write(v, 0, 10, 1);
	first = pl_snapshot(pl, id, "s0");
	commits = pl_pool_stat(pl).commits;
	for (i = 1; i < 12; i++)
		last = pl_snapshot(pl, id, cut_name(i));
	assert_int_equal(pl_pool_stat(pl).commits, commits);
	pl_write(v, 0, 1, 2);
	pl_expect_vol(pl, last, 0, 10, 1);
	pl_close(v);
	pl_crash(pl);
	pl_expect_vol(pl, first, 0, 10, 1);
	pl_expect_vol(pl, last, 0, 10, 1);
	pl_settle(pl);
	pl_expect_vol(pl, first, 0, 10, 1);
	pl_expect_vol(pl, last, 0, 10, 1);
	pl_free(pl);
}

/* Deleted before a commit has merged them: one in the middle, the first, the volume itself; with a crash and without. */
static void deleted_before_the_merge(void **state)
{
	unsigned int i, victim;

	(void)state;
	for (i = 0; i < 2 * (CUTS + 1); i++) {
		struct poollab *pl = pl_new(POOL_BLOCKS);
		struct pl_used before;
		u64 ids[CUTS + 1];
		struct disk *v;
		unsigned int k;

		victim = i / 2;
		pl_create(pl, "other", 10);	/* so that there is a catalog */
		before = pl_used(pl);
		ids[CUTS] = pl_create(pl, "v", 100);
		v = pl_open(pl, ids[CUTS]);
		cut_often(pl, v, ids, CUTS);
		assert_ok(disk_flush(v));
		pl_close(v);
		pl_remove(pl, ids[victim]);
		if (i % 2)
			pl_crash(pl);
		for (k = 0; k < CUTS; k++)
			if (k != victim)
				expect_cut(pl, ids[k], k);
		pl_settle(pl);
		pl_reopen(pl);
		for (k = 0; k < CUTS; k++)
			if (k != victim)
				expect_cut(pl, ids[k], k);
		if (victim != CUTS)
			pl_expect_vol(pl, ids[CUTS], 50, 1, 100);
		for (k = 0; k <= CUTS; k++)
			if (k != victim)
				pl_remove(pl, ids[k]);
		pl_assert_used(pl, before);
		pl_free(pl);
	}
}

static void rolled_back_to_a_cut(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 vol = pl_create(pl, "v", 100), ids[CUTS];
	struct disk *v = pl_open(pl, vol);

	(void)state;
	cut_often(pl, v, ids, CUTS);
	pl_close(v);
	assert_ok(lb_vol_rollback(pl->pool, vol, ids[2]));
	expect_cut(pl, vol, 2);
	pl_fill(pl, vol, 3, 1, 77);
	pl_crash(pl);
	expect_cuts(pl, ids, CUTS);
	pl_settle(pl);
	expect_cuts(pl, ids, CUTS);
	pl_free(pl);
}

/* A pool that may not be written to has them in memory alone. */
static void read_only_after_a_crash(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 vol = pl_create(pl, "v", 100), ids[CUTS];
	struct disk *v = pl_open(pl, vol);
	struct port_dev *left;

	(void)state;
	cut_often(pl, v, ids, CUTS);
	assert_ok(disk_flush(v));
	free(v);
	left = port_sim_crash_none(pl->dev);
	host_abandon(&pl->h);
	port_sim_free(pl->dev);
	pl->dev = pl->h.dev = left;
	pl_check(pl);
	assert_ok(host_open(&pl->h, LB_POOL_OPEN_RO));
	pl->pool = pl->h.pool;
	expect_cuts(pl, ids, CUTS);
	pl_expect_vol(pl, vol, 50, 1, 100);
	pl_free(pl);
}

/* What differs between a cut and what came before it. */
static void differences_of_a_cut(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 vol = pl_create(pl, "v", 100), ids[CUTS], cursor = 0;
	struct disk *v = pl_open(pl, vol);
	struct lb_diff_range ranges[8];
	unsigned int n = 8;

	(void)state;
	cut_often(pl, v, ids, CUTS);
	assert_ok(lb_diff(pl->pool, ids[1], ids[2], &cursor, ranges, &n));
	assert_int_equal(n, 2);
	assert_int_equal(ranges[0].start, 2);
	assert_int_equal(ranges[0].count, 1);
	assert_int_equal(ranges[1].start, 50);
	pl_close(v);
	pl_free(pl);
}

/* Partial overwrites and holes go over whole. */
static void holes_and_overwrites(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 vol = pl_create(pl, "v", 100), a, b;
	struct disk *v = pl_open(pl, vol);

	(void)state;
	pl_write(v, 0, 40, 1);
	pl_settle(pl);
	assert_ok(disk_discard(v, 10, 20));
	a = pl_snapshot(pl, vol, "a");
	pl_write(v, 15, 5, 2);
	assert_ok(disk_discard(v, 0, 5));
	b = pl_snapshot(pl, vol, "b");
	pl_write(v, 0, 40, 3);
	free(v);
	pl_crash(pl);
	pl_expect_vol(pl, a, 0, 10, 1);
	pl_expect_vol(pl, a, 10, 20, 0);
	pl_expect_vol(pl, a, 30, 10, 1);
	pl_expect_vol(pl, b, 0, 5, 0);
	pl_expect_vol(pl, b, 5, 5, 1);
	pl_expect_vol(pl, b, 10, 5, 0);
	pl_expect_vol(pl, b, 15, 5, 2);
	pl_expect_vol(pl, b, 20, 10, 0);
	pl_free(pl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_write_and_no_commit), cmocka_unit_test(a_chain_of_cuts),
		cmocka_unit_test(more_cuts_than_a_commit_takes), cmocka_unit_test(cuts_of_an_idle_volume),
		cmocka_unit_test(deleted_before_the_merge), cmocka_unit_test(rolled_back_to_a_cut),
		cmocka_unit_test(read_only_after_a_crash), cmocka_unit_test(differences_of_a_cut),
		cmocka_unit_test(holes_and_overwrites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
