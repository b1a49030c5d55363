// SPDX-License-Identifier: GPL-2.0
/*
 * Chains of volumes case by case: snapshots, freezing, deletion at every place and what it gives back, rollback, and
 * what each costs. "Gives back" is meant to the block: after settling, the blocks in use are as many as before.
 */
#include "poollab.h"

#define POOL_BLOCKS	16384ull

/* A frozen volume with blocks [at, at + count) of the tag over what its parent (0: none) has. */
static u64 layer(struct poollab *pl, u64 parent, const char *name, u64 at, u64 count, u64 tag)
{
	u64 id = parent ? pl_snapshot(pl, parent, name) : pl_create(pl, name, 1000);

	pl_fill(pl, id, at, count, tag);
	pl_freeze(pl, id);
	return id;
}

/* A pool with a little in it: one in which nothing ever was has no region table and no catalog yet. */
static struct poollab *used_pool(struct pl_used *used)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);

	layer(pl, 0, "other", 0, 5, 99);
	*used = pl_used(pl);
	return pl;
}

/* ------------------------------------------------------------------ snapshots */

static void children_of_a_frozen_volume_share_and_do_not_disturb(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 base = layer(pl, 0, "base", 0, 100, 1), a, b, f;
	struct pl_used before = pl_used(pl);
	unsigned int round;

	(void)state;
	a = pl_snapshot(pl, base, "a");
	b = pl_snapshot(pl, base, "b");
	assert_ok(lb_vol_snapshot(pl->pool, base, name_of("f"), true, 0, NULL, &f));
	assert_int_equal(pl_used(pl).data, before.data);
	pl_fill(pl, a, 10, 5, 2);
	pl_fill(pl, b, 12, 5, 3);
	pl_fill(pl, b, 500, 5, 3);
	for (round = 0; round < 3; round++) {
		pl_expect_vol(pl, base, 0, 100, 1);
		pl_expect_vol(pl, base, 100, 900, 0);
		pl_expect_vol(pl, a, 0, 10, 1);
		pl_expect_vol(pl, a, 10, 5, 2);
		pl_expect_vol(pl, a, 15, 85, 1);
		pl_expect_vol(pl, a, 100, 900, 0);
		pl_expect_vol(pl, b, 0, 12, 1);
		pl_expect_vol(pl, b, 12, 5, 3);
		pl_expect_vol(pl, b, 17, 83, 1);
		pl_expect_vol(pl, b, 500, 5, 3);
		pl_expect_vol(pl, f, 0, 100, 1);
		assert_int_equal(pl_stat(pl, a).parent, base);
		assert_int_equal(pl_stat(pl, a).owned_blocks, 5);
		assert_int_equal(pl_stat(pl, b).owned_blocks, 10);
		assert_int_equal(pl_stat(pl, base).children, 3);
		assert_true(pl_stat(pl, f).frozen);
		if (round)
			pl_reopen(pl);
		else
			pl_settle(pl);
	}
	assert_int_equal(pl_used(pl).data, before.data + 15);
	pl_free(pl);
}

static void a_snapshot_of_a_writable_volume_takes_its_place(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 base = layer(pl, 0, "base", 0, 20, 1), v = pl_snapshot(pl, base, "v"), s1, s2, id;
	struct disk *d = pl_open(pl, v);
	unsigned int round;

	(void)state;
	pl_write(d, 5, 10, 2);
	s1 = pl_snapshot(pl, v, "s1");		/* while it is open, its writes not yet committed */
	pl_write(d, 10, 10, 3);
	s2 = pl_snapshot(pl, v, "s2");
	assert_ok(disk_discard(d, 0, 12));
	pl_write(d, 11, 1, 4);
	/* A quota is for children. */
	assert_int_equal(lb_vol_snapshot(pl->pool, v, name_of("q"), false, 5, NULL, &id), -EINVAL);
	pl_close(d);
	assert_int_equal(pl_stat(pl, v).parent, s2);
	assert_int_equal(pl_stat(pl, s2).parent, s1);
	assert_int_equal(pl_stat(pl, s1).parent, base);
	assert_int_equal(pl_stat(pl, base).children, 1);
	for (round = 0; round < 2; round++) {
		pl_expect_vol(pl, s1, 0, 5, 1);
		pl_expect_vol(pl, s1, 5, 10, 2);
		pl_expect_vol(pl, s1, 15, 5, 1);
		pl_expect_vol(pl, s2, 0, 5, 1);
		pl_expect_vol(pl, s2, 5, 5, 2);
		pl_expect_vol(pl, s2, 10, 10, 3);
		pl_expect_vol(pl, v, 0, 11, 0);
		pl_expect_vol(pl, v, 11, 1, 4);
		pl_expect_vol(pl, v, 12, 8, 3);
		d = pl_open(pl, s2);
		assert_false(lb_vol_writable(d->vol));
		assert_int_equal(pl_try_write(d, 0, 1, 9), -EROFS);
		assert_int_equal(disk_discard(d, 0, 1), -EROFS);
		pl_close(d);
		pl_reopen(pl);
	}
	pl_free(pl);
}

/* A snapshot is durable when it returns, with all that was acknowledged before it, flushed or not. */
static void a_snapshot_survives_a_power_cut_with_what_was_not_flushed(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 100), s;
	struct disk *d = pl_open(pl, v);

	(void)state;
	pl_write(d, 0, 10, 1);
	s = pl_snapshot(pl, v, "s");
	pl_write(d, 0, 5, 2);		/* never flushed */
	free(d);
	pl_crash(pl);
	pl_expect_vol(pl, s, 0, 10, 1);
	pl_expect_vol(pl, v, 0, 10, 1);
	pl_free(pl);
}

static void a_frozen_volume_changes_name_and_attributes_only(void **state)
{
	struct lb_vol_change quota = { .set = LB_SET_QUOTA, .quota = 5 };
	struct lb_vol_change name = { .set = LB_SET_NAME, .name = name_of("w") };
	struct lb_vol_change size = { .set = LB_SET_SIZE, .size_blocks = 2000 };
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 1000);
	struct disk *d = pl_open(pl, v);

	(void)state;
	pl_write(d, 3, 3, 1);
	assert_ok(lb_vol_freeze(pl->pool, v, name_of("frozen"), NULL));	/* under an open disk, too */
	assert_false(lb_vol_writable(d->vol));
	assert_int_equal(pl_try_write(d, 3, 1, 2), -EROFS);
	assert_int_equal(pl_try_write(d, 30, 1, 2), -EROFS);
	pl_expect(d, 3, 3, 1);
	pl_close(d);
	pl_crash(pl);
	assert_string_equal(pl_stat(pl, v).name, "frozen");
	assert_int_equal(lb_vol_freeze(pl->pool, v, name_of(""), NULL), -EROFS);
	assert_int_equal(lb_vol_set(pl->pool, v, &quota, NULL), -EROFS);
	assert_int_equal(lb_vol_set(pl->pool, v, &size, NULL), -EROFS);
	assert_int_equal(lb_vol_rollback(pl->pool, v, v), -EROFS);
	assert_ok(lb_vol_set(pl->pool, v, &name, NULL));
	assert_string_equal(pl_stat(pl, v).name, "w");
	pl_expect_vol(pl, v, 3, 3, 1);
	pl_free(pl);
}

/* ------------------------------------------------------------------ deletion */

static void deleting_refuses_what_is_in_use(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 base = layer(pl, 0, "base", 0, 10, 1), v = pl_snapshot(pl, base, "v");
	struct disk *d = pl_open(pl, v);

	(void)state;
	assert_int_equal(lb_vol_remove(pl->pool, v, false, NULL), -EBUSY);
	assert_int_equal(lb_vol_rollback(pl->pool, v, base), -EBUSY);
	assert_int_equal(lb_vol_remove(pl->pool, base, true, NULL), -EBUSY);
	pl_close(d);
	assert_ok(lb_vol_remove(pl->pool, v, true, NULL));
	assert_ok(lb_vol_remove(pl->pool, base, false, NULL));
	pl_free(pl);
}

static void deleting_a_volume_gives_back_every_block(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 keep = layer(pl, 0, "keep", 0, 50, 1), v, i;
	struct pl_used before = pl_used(pl);
	struct disk *d;

	(void)state;
	/* Never committed; committed; half and half, with discards; a child with shared and own blocks. */
	v = pl_create(pl, "v", 100000);
	pl_fill(pl, v, 0, 300, 2);
	pl_remove(pl, v);
	pl_assert_used(pl, before);

	v = pl_create(pl, "v", 100000);
	d = pl_open(pl, v);
	for (i = 0; i < 1000; i++)
		pl_write(d, (i * 7919) % 100000, 1, 3);
	pl_settle(pl);
	for (i = 500; i < 1500; i++)
		pl_write(d, (i * 7919) % 100000, 1, 4);
	assert_ok(disk_discard(d, 0, 50000));
	pl_close(d);
	pl_remove(pl, v);
	pl_assert_used(pl, before);

	v = pl_snapshot(pl, keep, "v");
	pl_fill(pl, v, 25, 50, 5);
	pl_settle(pl);
	pl_remove(pl, v);
	pl_assert_used(pl, before);
	pl_expect_vol(pl, keep, 0, 50, 1);
	pl_free(pl);
}

/* base 0..99, mid 50..149, top 75..174; deleted in the order given, by place. */
static void delete_chain(const char *order)
{
	struct pl_used empty;
	struct poollab *pl = used_pool(&empty);
	u64 id[3];
	bool there[3] = { true, true, true };

	id[0] = layer(pl, 0, "base", 0, 100, 1);
	id[1] = layer(pl, id[0], "mid", 50, 100, 2);
	id[2] = layer(pl, id[1], "top", 75, 100, 3);
	assert_int_equal(pl_used(pl).data, empty.data + 300);
	for (; *order; order++) {
		u64 mapped = 0, left;

		pl_remove(pl, id[*order - '0']);
		there[*order - '0'] = false;
		left = pl_used(pl).data - empty.data;
		/* What lives on: each block that a volume still there reaches. */
		if (there[0])
			mapped += 100;
		if (there[1])
			mapped += there[0] ? 100 : 150;
		if (there[2])
			mapped += there[1] ? 100 : there[0] ? 125 : 175;
		assert_int_equal(left, mapped);
		assert_int_equal(pl_pool_stat(pl).hidden_volumes, 0);
		if (there[0])
			pl_expect_vol(pl, id[0], 0, 100, 1);
		if (there[1]) {
			pl_expect_vol(pl, id[1], 0, 50, 1);
			pl_expect_vol(pl, id[1], 50, 100, 2);
			assert_int_equal(pl_stat(pl, id[1]).parent, there[0] ? id[0] : 0);
			assert_int_equal(pl_stat(pl, id[1]).owned_blocks, there[0] ? 100 : 150);
		}
		if (there[2]) {
			pl_expect_vol(pl, id[2], 0, 50, 1);
			pl_expect_vol(pl, id[2], 50, 25, 2);
			pl_expect_vol(pl, id[2], 75, 100, 3);
			assert_int_equal(pl_stat(pl, id[2]).parent, there[1] ? id[1] : there[0] ? id[0] : 0);
		}
		pl_reopen(pl);
	}
	pl_assert_used(pl, empty);
	pl_free(pl);
}

static void deleting_a_chain_in_every_order(void **state)
{
	static const char *const orders[] = { "012", "021", "102", "120", "201", "210" };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(orders); i++)
		delete_chain(orders[i]);
}

static void a_deleted_parent_of_several_waits_and_is_reported(void **state)
{
	struct pl_used empty;
	struct poollab *pl = used_pool(&empty);
	u64 base = layer(pl, 0, "base", 0, 100, 1), a = pl_snapshot(pl, base, "a"), b = pl_snapshot(pl, base, "b");
	struct lb_pool_stat st;
	struct disk *d;

	(void)state;
	pl_fill(pl, a, 0, 100, 2);
	pl_fill(pl, b, 0, 40, 3);
	pl_remove(pl, base);
	pl_settle(pl);
	st = pl_pool_stat(pl);
	assert_int_equal(st.hidden_volumes, 1);
	assert_int_equal(st.pinned_blocks, 100);
	assert_int_equal(st.data_blocks, empty.data + 240);
	pl_create(pl, "base", 10);		/* its name is free */
	pl_expect_vol(pl, b, 40, 60, 1);
	pl_reopen(pl);
	pl_settle(pl);
	assert_int_equal(pl_pool_stat(pl).pinned_blocks, 100);

	/* With one child left it goes into that child, which is open and in use. */
	d = pl_open(pl, b);
	pl_remove(pl, a);
	pl_settle(pl);
	st = pl_pool_stat(pl);
	assert_int_equal(st.hidden_volumes, 0);
	assert_int_equal(st.pinned_blocks, 0);
	assert_int_equal(st.data_blocks, empty.data + 100);
	assert_int_equal(pl_stat(pl, b).parent, 0);
	assert_int_equal(pl_stat(pl, b).owned_blocks, 100);
	/* What it inherited is its own now: written in place. */
	pl_io(pl);
	pl_write(d, 40, 60, 4);
	assert_false(lb_flush_needed(d->vol));
	pl_expect(d, 0, 40, 3);
	pl_expect(d, 40, 60, 4);
	pl_close(d);
	assert_int_equal(pl_used(pl).data, empty.data + 100);
	pl_free(pl);
}

/* Fifty layers; all but the last are deleted, from the bottom, from the top, or odd ones first. */
static void a_long_chain_collapses_into_its_end(void **state)
{
	struct pl_used empty;
	struct poollab *pl = used_pool(&empty);
	unsigned int how, i;
	u64 id[50], end;
	char name[16];

	(void)state;
	for (how = 0; how < 3; how++) {
		for (i = 0; i < 50; i++) {
			snprintf(name, sizeof(name), "layer%u", i);
			id[i] = layer(pl, i ? id[i - 1] : 0, name, i * 3, 10, i + 1);
		}
		end = pl_snapshot(pl, id[49], "end");
		assert_int_equal(pl_used(pl).data, empty.data + 500);
		for (i = 0; i < 50; i++)
			pl_remove(pl, id[how == 0 ? i : how == 1 ? 49 - i : (i * 2 + 1) % 51]);
		assert_int_equal(pl_used(pl).data, empty.data + 49 * 3 + 10);
		assert_int_equal(pl_stat(pl, end).parent, 0);
		for (i = 0; i < 49; i++)
			pl_expect_vol(pl, end, i * 3, 3, i + 1);
		pl_expect_vol(pl, end, 49 * 3, 10, 50);
		pl_remove(pl, end);
		pl_assert_used(pl, empty);
	}
	pl_free(pl);
}

/* ------------------------------------------------------------------ rollback */

static void rolling_back(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 base = layer(pl, 0, "base", 0, 20, 1), v = pl_snapshot(pl, base, "v"), s1, s2;
	u64 other = layer(pl, 0, "other", 0, 5, 9);
	struct lb_vol_change grow = { .set = LB_SET_SIZE, .size_blocks = 1500 };
	struct pl_used before;

	(void)state;
	pl_fill(pl, v, 10, 20, 2);
	s1 = pl_snapshot(pl, v, "s1");
	before = pl_used(pl);
	assert_ok(lb_vol_set(pl->pool, v, &grow, NULL));
	pl_fill(pl, v, 1200, 20, 3);
	s2 = pl_snapshot(pl, v, "s2");
	pl_fill(pl, v, 0, 20, 4);
	assert_int_equal(lb_vol_rollback(pl->pool, v, other), -EINVAL);
	assert_int_equal(lb_vol_rollback(pl->pool, v, v), -EINVAL);
	assert_int_equal(lb_vol_rollback(pl->pool, v, 99), -EINVAL);
	assert_int_equal(lb_vol_rollback(pl->pool, s2, s1), -EROFS);

	assert_ok(lb_vol_rollback(pl->pool, v, s2));
	pl_crash(pl);
	pl_expect_vol(pl, v, 0, 10, 1);
	pl_expect_vol(pl, v, 1200, 20, 3);
	assert_int_equal(pl_stat(pl, v).owned_blocks, 0);
	pl_fill(pl, v, 0, 20, 5);

	/* Past s2, which stays where it was: the volume gets s1's content and size. */
	assert_ok(lb_vol_rollback(pl->pool, v, s1));
	assert_int_equal(pl_stat(pl, v).parent, s1);
	assert_int_equal(pl_stat(pl, v).size_blocks, 1000);
	pl_expect_vol(pl, v, 0, 10, 1);
	pl_expect_vol(pl, v, 10, 20, 2);
	pl_expect_vol(pl, v, 30, 970, 0);
	pl_expect_vol(pl, s2, 1200, 20, 3);
	pl_reopen(pl);
	pl_expect_vol(pl, v, 10, 20, 2);
	pl_expect_vol(pl, s2, 1200, 20, 3);
	pl_remove(pl, s2);
	pl_assert_used(pl, before);
	assert_ok(lb_vol_rollback(pl->pool, v, base));
	pl_expect_vol(pl, v, 0, 20, 1);
	pl_expect_vol(pl, v, 20, 80, 0);
	pl_free(pl);
}

/* ------------------------------------------------------------------ costs */

struct cost {
	struct port_sim_stat child, cut;
	u64 commits;
};

static struct cost snapshot_cost(struct poollab *pl, u64 frozen, u64 writable)
{
	struct cost c;
	u64 commits, a, b;

	pl_settle(pl);
	/* What a running pool has in its cache. */
	pl_stat(pl, frozen);
	pl_stat(pl, writable);
	commits = pl_pool_stat(pl).commits;
	pl_io(pl);
	a = pl_snapshot(pl, frozen, "cost of a child");
	c.child = pl_io(pl);
	c.commits = pl_pool_stat(pl).commits - commits;
	pl_settle(pl);
	pl_io(pl);
	b = pl_snapshot(pl, writable, "cost of a cut");
	c.cut = pl_io(pl);
	pl_remove(pl, a);
	pl_remove(pl, b);
	pl_settle(pl);
	return c;
}

/* One journal write for a child; for a cut one commit, which writes a few catalog leaves and no map. */
static void expect_cheap(const struct cost *c, const char *when)
{
	print_message("%s: child: %u writes, %u reads; cut: %u writes of %u blocks, %u reads\n", when,
		      (unsigned int)c->child.writes, (unsigned int)c->child.reads, (unsigned int)c->cut.writes,
		      (unsigned int)c->cut.write_blocks, (unsigned int)c->cut.reads);
	assert_int_equal(c->commits, 0);
	assert_int_equal(c->child.writes, 1);
	assert_int_equal(c->child.write_blocks, 1);
	assert_int_equal(c->child.fuas, 1);
	assert_int_equal(c->child.flushes, 0);	/* but for what FUA takes */
	assert_in_range(c->child.reads, 0, 8);
	assert_in_range(c->cut.write_blocks, 1, 40);
	assert_in_range(c->cut.flushes, 1, 2);
	assert_in_range(c->cut.reads, 0, 16);
}

/* A volume whose map has hundreds of leaves, so that walking or copying it would show. */
static u64 scattered(struct poollab *pl, const char *name)
{
	u64 id = pl_create(pl, name, 1 << 20), i;
	struct disk *d = pl_open(pl, id);

	for (i = 0; i < 5000; i++)
		pl_write(d, i * 200, 1, 1);
	pl_close(d);
	return id;
}

static void a_snapshot_costs_the_same_at_any_depth_and_number(void **state)
{
	struct poollab *pl = pl_new(65536);
	u64 base = scattered(pl, "base"), v, top;
	struct cost c;
	unsigned int i;
	char name[16];

	(void)state;
	pl_freeze(pl, base);
	v = pl_snapshot(pl, base, "v");
	c = snapshot_cost(pl, base, v);
	expect_cheap(&c, "depth 1, 2 volumes");
	for (i = 0, top = base; i < 100; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		pl_fill(pl, v, i * 200, 1, 2 + i);
		top = pl_snapshot(pl, v, name);
	}
	c = snapshot_cost(pl, top, v);
	expect_cheap(&c, "depth 100, 102 volumes");
	for (i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "v%u", i);
		pl_create(pl, name, 1000);
	}
	c = snapshot_cost(pl, top, v);
	expect_cheap(&c, "depth 100, 2102 volumes");
	pl_expect_vol(pl, v, 99 * 200, 1, 101);
	pl_expect_vol(pl, v, 100 * 200, 1, 1);
	pl_free(pl);
}

/* A look-up at the end of a chain reads as many nodes as one at its beginning. */
static void a_read_costs_the_same_at_any_depth(void **state)
{
	struct poollab *pl = pl_new(65536);
	u64 base = scattered(pl, "base"), v, reads[2], i;
	struct disk *d;
	char name[16];

	(void)state;
	pl_freeze(pl, base);
	v = pl_snapshot(pl, base, "v");
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "s%llu", (unsigned long long)i);
		pl_fill(pl, v, i * 200, 1, 2 + i);
		pl_snapshot(pl, v, name);
	}
	for (i = 0; i < 2; i++) {
		pl_reopen(pl);
		d = pl_open(pl, i ? v : base);
		pl_io(pl);
		pl_expect(d, 3000 * 200, 1, 1);
		reads[i] = pl_io(pl).reads;
		pl_close(d);
	}
	assert_int_equal(reads[0], reads[1]);
	assert_in_range(reads[0], 2, 4);	/* at most three levels and the block */
	pl_free(pl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(children_of_a_frozen_volume_share_and_do_not_disturb),
		cmocka_unit_test(a_snapshot_of_a_writable_volume_takes_its_place),
		cmocka_unit_test(a_snapshot_survives_a_power_cut_with_what_was_not_flushed),
		cmocka_unit_test(a_frozen_volume_changes_name_and_attributes_only),
		cmocka_unit_test(deleting_refuses_what_is_in_use),
		cmocka_unit_test(deleting_a_volume_gives_back_every_block),
		cmocka_unit_test(deleting_a_chain_in_every_order),
		cmocka_unit_test(a_deleted_parent_of_several_waits_and_is_reported),
		cmocka_unit_test(a_long_chain_collapses_into_its_end),
		cmocka_unit_test(rolling_back),
		cmocka_unit_test(a_snapshot_costs_the_same_at_any_depth_and_number),
		cmocka_unit_test(a_read_costs_the_same_at_any_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
