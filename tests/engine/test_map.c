// SPDX-License-Identifier: GPL-2.0
/*
 * Map trees, case by case: look-ups, what a merge joins, splits, keeps, reads and refuses, roots, fill, freeing and
 * differences.
 */
#include "treelab.h"

#define SMALL (2 * LB_REGION_BLOCKS)
#define LARGE (14 * LB_REGION_BLOCKS)

static struct lab *lab;
static struct lab_tree tree;
static struct lab_changes ch;

static int setup_blocks(u64 blocks)
{
	lab = lab_new(blocks, 64 << 20);
	lab_srand(1);
	memset(&tree, 0, sizeof(tree));
	return 0;
}

static int setup(void **state) { (void)state; return setup_blocks(SMALL); }
static int setup_large(void **state) { (void)state; return setup_blocks(LARGE); }

static int teardown(void **state)
{
	(void)state;
	lab_changes_free(&ch);
	lab_free(lab);
	return 0;
}

/* ------------------------------------------------------------------ helpers */

static u64 put(u64 lblk, u64 count) { return lab_put(lab, &ch, lblk, count); }

static void merge_as(const struct lb_owner *o)
{
	lab_begin(lab);
	assert_ok(lab_merge(lab, o, &tree, &ch));
	lab_commit(lab);
}

static void merge(void)
{
	lab_merge_own(lab, &tree, &ch);
}

static void expect_extent(u64 lblk, u64 count, u64 pblk, u64 birth)
{
	struct lb_extent_cpu e;

	assert_ok(lb_map_next(lab->cache, &tree.root, lblk, &e));
	assert_int_equal(e.lblk, lblk);
	assert_int_equal(e.count, count);
	assert_int_equal(e.pblk, pblk);
	assert_int_equal(e.birth, birth);
}

static void expect_lookup(u64 lblk, u64 count, u64 want_count, u64 want_pblk)
{
	struct lb_extent_cpu e;

	assert_ok(lb_map_lookup(lab->cache, &tree.root, lblk, count, 0, &e));
	assert_int_equal(e.lblk, lblk);
	assert_int_equal(e.count, want_count);
	assert_int_equal(e.pblk, want_pblk);
	assert_int_equal(e.birth == 0, want_pblk == LB_PBLK_HOLE);
}

static void check(void)
{
	assert_int_equal(lab_check_tree(lab, &tree.root, LB_TREE_MAP, NULL), tree.nodes);
	lab_mark_clear(lab);
	lab_mark_tree(lab, &tree.root, LB_TREE_MAP, 0);
	lab_mark_compare(lab);
}

static void fill(u64 n, u64 step) { lab_fill(lab, &tree, &ch, n, step); }

static void cold(void) { lab_cold(lab); }

static u64 reads(void)
{
	struct lb_cache_stat st;

	lb_cache_get_stat(lab->cache, &st);
	return st.device_reads;
}

static struct lab_leaf leaf_at(u64 i) { return lab_leaf(lab, &tree, i); }

/* ------------------------------------------------------------------ small trees */

static void test_empty(void **state)
{
	struct lb_diff_run runs[2];
	struct lb_extent_cpu e;
	unsigned int n = 2;
	u64 next;

	expect_lookup(0, 5, 5, LB_PBLK_HOLE);
	assert_int_equal(lb_map_next(lab->cache, &tree.root, 0, &e), -ENOENT);
	assert_int_equal(lb_map_contains(lab->cache, &tree.root, 0, 0, 77), 0);
	assert_ok(lb_map_diff(lab->cache, &tree.root, &tree.root, 0, runs, &n, &next));
	assert_int_equal(n, 0);
	assert_int_equal(next, ~0ULL);
	merge();		/* no change at all */
	assert_int_equal(tree.root.addr, 0);
	lab_change(&ch, 0, LB_LBLK_MAX + 1, LB_PBLK_HOLE);
	merge();		/* a hole in nothing */
	assert_int_equal(tree.root.addr, 0);
	assert_int_equal(tree.nodes, 0);
	check();
}

static void test_split(void **state)
{
	u64 a = put(100, 100), b, first, second;

	merge();
	first = lab->gen;
	assert_int_equal(tree.nodes, 1);
	assert_int_equal(tree.owned, 100);
	expect_lookup(0, 1000, 100, LB_PBLK_HOLE);
	expect_lookup(90, 5, 5, LB_PBLK_HOLE);
	expect_lookup(100, 1000, 100, a);
	expect_lookup(150, 10, 10, a + 50);
	expect_lookup(199, 10, 1, a + 99);
	expect_lookup(200, 10, 10, LB_PBLK_HOLE);
	b = put(120, 10);
	merge();
	second = lab->gen;
	assert_int_equal(tree.owned, 100);
	/* What is left of the old extent keeps its birth. */
	expect_extent(100, 20, a, first);
	expect_extent(120, 10, b, second);
	expect_extent(130, 70, a + 30, first);
	lab_change(&ch, 110, 50, LB_PBLK_HOLE);
	merge();
	assert_int_equal(tree.owned, 50);
	expect_extent(100, 10, a, first);
	expect_extent(160, 40, a + 60, first);
	expect_lookup(110, 100, 50, LB_PBLK_HOLE);
	check();
}

static void test_join(void **state)
{
	struct lb_owner o = { .vol = 2 };
	struct lab_tree parent;
	u64 got, p = lab_alloc(lab, 300, 0, &got);

	assert_int_equal(got, 300);
	lab_change(&ch, 100, 50, p);
	merge();
	lab_change(&ch, 150, 50, p + 50);
	merge();
	/* Both owned: one extent, of the larger birth. */
	expect_extent(100, 100, p, lab->gen);
	/* Two pieces of one merge. */
	lab_change(&ch, 200, 10, p + 100);
	lab_change(&ch, 210, 10, p + 110);
	merge();
	expect_extent(100, 120, p, lab->gen);
	/* An ancestor's does not join what is the volume's own. */
	parent = tree;
	o.origin = lab->gen;
	lab_change(&ch, 220, 10, p + 120);
	lab_change(&ch, 300, 10, p + 200);
	merge_as(&o);
	expect_extent(100, 120, p, o.origin);
	expect_extent(220, 10, p + 120, lab->gen);
	/* Neighbours in one of the two address spaces only do not join either. */
	lab_change(&ch, 240, 10, p + 130);
	merge_as(&o);
	expect_extent(240, 10, p + 130, lab->gen);
	/* The rest was handed out for nothing. */
	lb_space_unalloc(lab->space, p + 140, 60);
	lb_space_unalloc(lab->space, p + 210, 90);
	lab_mark_clear(lab);
	lab_mark_tree(lab, &parent.root, LB_TREE_MAP, 0);
	lab_mark_tree(lab, &tree.root, LB_TREE_MAP, 0);
	lab_mark_compare(lab);
}

static void test_replay(void **state)
{
	u64 a = put(100, 100), birth;

	merge();
	birth = lab->gen;
	/* The same again: nothing is used or released twice. */
	lab_change(&ch, 100, 100, a);
	merge();
	assert_int_equal(tree.owned, 100);
	expect_extent(100, 100, a, birth);
	/* Parts of it, mixed with something new. */
	lab_change(&ch, 100, 10, a);
	put(110, 10);
	lab_change(&ch, 120, 30, a + 20);
	merge();
	assert_int_equal(tree.owned, 100);
	expect_extent(100, 10, a, birth);
	expect_extent(120, 80, a + 20, birth);
	check();
}

/* Half of the extent lies below a collapse's cursor, and is the volume's own by that. */
static void test_cursor(void **state)
{
	u64 a = put(0, 100), before = lab->gen;
	struct lb_owner o = { .vol = 2, .cursor = 40 };

	merge();
	o.low_origin = before;
	o.origin = lab->gen;
	tree.owned = 0;
	lab_change(&ch, 30, 20, LB_PBLK_HOLE);
	merge_as(&o);
	assert_int_equal(tree.owned, -10);
	lab_mark_clear(lab);
	assert_int_equal(lb_space_in_image(lab->space, a + 29), 1);
	assert_int_equal(lb_space_in_image(lab->space, a + 30), 0);
	assert_int_equal(lb_space_in_image(lab->space, a + 39), 0);
	assert_int_equal(lb_space_in_image(lab->space, a + 40), 1);
}

static void test_refused(void **state)
{
	static const struct lb_map_change bad[][2] = {
		{ { .lblk = 5, .count = 0, .pblk = 9000 } },
		{ { .lblk = 5, .count = 65536, .pblk = 9000 } },
		{ { .lblk = LB_LBLK_MAX + 1, .count = 1, .pblk = 9000 } },
		{ { .lblk = LB_LBLK_MAX, .count = 2, .pblk = 9000 } },
		{ { .lblk = 0, .count = ~0ULL, .pblk = LB_PBLK_HOLE } },
		{ { .lblk = 5, .count = 5, .pblk = 9000 }, { .lblk = 9, .count = 1, .pblk = 9100 } },
		{ { .lblk = 5, .count = 5, .pblk = LB_PBLK_HOLE }, { .lblk = 4, .count = 1, .pblk = LB_PBLK_HOLE } },
	};
	struct lb_owner o = { .vol = 1 };
	struct lb_ref root;
	unsigned int i;

	put(5, 10);
	merge();
	root = tree.root;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		lab_begin(lab);
		lab_change(&ch, bad[i][0].lblk, bad[i][0].count, bad[i][0].pblk);
		if (bad[i][1].count)
			lab_change(&ch, bad[i][1].lblk, bad[i][1].count, bad[i][1].pblk);
		if (bad[i][1].count && bad[i][0].pblk)	/* a block that can be used */
			assert_ok(lb_space_mark(lab->space, 9000, 5));
		assert_int_equal(lab_merge(lab, &o, &tree, &ch), -EINVAL);
		lab_abort(lab);
		assert_memory_equal(&tree.root, &root, sizeof(root));
	}
	lb_space_unalloc(lab->space, 9000, 5);
	/* A block that is in use, or was never handed out. */
	lab_begin(lab);
	lab_change(&ch, 100, 1, 9500);
	assert_int_equal(lab_merge(lab, &o, &tree, &ch), -EUCLEAN);
	lab_abort(lab);
	check();
}

/* The last block that a volume can have. */
static void test_limits(void **state)
{
	u64 p = put(LB_LBLK_MAX, 1);

	merge();
	expect_lookup(LB_LBLK_MAX, 1, 1, p);
	expect_lookup(LB_LBLK_MAX - 9, 10, 9, LB_PBLK_HOLE);
	lab_change(&ch, 0, LB_LBLK_MAX + 1, LB_PBLK_HOLE);
	merge();
	assert_int_equal(tree.root.addr, 0);
	check();
}

/* ------------------------------------------------------------------ shape */

static int full_leaf(void *arg, const struct lb_ref *ref, const struct lb_node *n, u64 lo, u64 hi)
{
	if (hi != ~0ULL)
		assert_int_equal(lb_node_count(n), ref->level ? LB_MAP_NODE_MAX : LB_MAP_LEAF_MAX);
	return LB_WALK_DESCEND;
}

/* Appending, in small commits and large ones, leaves full nodes behind. */
static void test_append(void **state)
{
	static const struct lb_walk_ops ops = { .enter = full_leaf };
	u64 at = 0, i, k;

	for (i = 0; i < 300; i++) {
		u64 got, n = 1 + lab_rand(i % 20 ? 150 : 1500), p = lab_alloc(lab, n, 0, &got);

		for (k = 0; k < got; k++, at += 2)
			lab_change(&ch, at, 1, p + k);
		merge();
	}
	check();
	assert_int_equal(tree.root.level, 2);
	assert_ok(lb_tree_walk(lab->cache, &tree.root, LB_TREE_MAP, &ops, NULL));
}

/* Sequential writes join across commits: one leaf for all. */
static void test_sequential(void **state)
{
	u64 hint = 0, at = 0, i, got;

	for (i = 0; i < 200; i++) {
		u64 p = lab_alloc(lab, 128, hint, &got);

		lab_change(&ch, at, got, p);
		at += got;
		hint = p + got;
		merge();
	}
	assert_int_equal(tree.nodes, 1);
	check();
}

static void test_huge_hole(void **state)
{
	fill(40000, 2);
	assert_int_equal(tree.root.level, 2);
	check();
	lab_change(&ch, 0, LB_LBLK_MAX + 1, LB_PBLK_HOLE);
	merge();
	assert_int_equal(tree.root.addr, 0);
	assert_int_equal(tree.nodes, 0);
	assert_int_equal(tree.owned, 0);
	check();
}

/* An ancestor's leaves are not read when a hole covers them, nor when nothing is in them to change. */
static void test_unread(void **state)
{
	struct lb_owner o = { .vol = 2 };
	struct lab_tree parent;
	u64 upper;

	fill(40000, 2);
	parent = tree;
	upper = (tree.nodes - 1) / 50;	/* at the most so many above the leaves */
	o.origin = lab->gen;
	cold();
	lab_change(&ch, 1, 100000, LB_PBLK_HOLE);
	merge_as(&o);
	assert_int_equal(tree.root.addr, 0);
	assert_int_equal(tree.nodes, 0);
	assert_in_range(reads(), 1, upper + 1);
	/* One block: the way down, and no more. */
	tree = parent;
	cold();
	put(31001, 1);
	merge_as(&o);
	assert_in_range(reads(), 1, 3);
	assert_int_equal(lab_check_tree(lab, &tree.root, LB_TREE_MAP, NULL), tree.nodes);
}

/* All goes but one leaf or one upper node that is linked: it becomes the root, in two copies. */
static void keep_only(u64 first, u64 n)
{
	u64 lo, hi;

	fill(40000, 2);
	lo = leaf_at(first).lo;
	hi = leaf_at(first + n - 1).hi;
	lab_change(&ch, 0, lo, LB_PBLK_HOLE);
	lab_change(&ch, hi, LB_LBLK_MAX + 1 - hi, LB_PBLK_HOLE);
	merge();
	check();
	lab_change(&ch, 0, LB_LBLK_MAX + 1, LB_PBLK_HOLE);
	merge();
	check();
}

static void test_keep_one(void **state)
{
	keep_only(0, 1);
	keep_only(1, 1);
	keep_only(57, 1);
	keep_only(57, 2);
	keep_only(0, 101);
	keep_only(101, 101);
	keep_only(90, 30);
}

/* Every second leaf goes, then what is left is thinned out until every node has needed a neighbour. */
static void test_thin_out(void **state)
{
	u64 i, k, before;

	fill(20000, 2);
	before = tree.nodes;
	for (i = 0; i < leaf_at(0).n; i += 2) {
		struct lab_leaf l = leaf_at(i);

		lab_change(&ch, l.lo, min_t(u64, l.hi, LB_LBLK_MAX + 1) - l.lo, LB_PBLK_HOLE);
	}
	merge();
	check();
	assert_true(tree.nodes < before * 3 / 5);
	for (i = 0; i < 10; i++) {
		for (k = 1; k <= 20000; k++)
			if (k % 11 == i)
				lab_change(&ch, 2 * k, 1, LB_PBLK_HOLE);
		merge();
		check();
	}
	/* At least half full, so: */
	assert_true(tree.nodes <= 20000 / 11 / 2 / (LB_MAP_LEAF_MAX / 2) + 4);
}

/* ------------------------------------------------------------------ look-ups without sleeping */

static void test_nowait(void **state)
{
	struct lb_extent_cpu e;
	struct lab_leaf l;

	fill(1000, 10);
	l = leaf_at(2);
	cold();
	assert_int_equal(lb_map_lookup(lab->cache, &tree.root, 500, 1, LB_NOWAIT, &e), -EAGAIN);
	/* The leaf's last block and the hole behind it, up to the next leaf, which is not in memory. */
	assert_ok(lb_map_lookup(lab->cache, &tree.root, l.hi - 9, 1, 0, &e));
	assert_ok(lb_map_lookup(lab->cache, &tree.root, l.hi - 9, 100, LB_NOWAIT, &e));
	assert_int_equal(e.pblk, LB_PBLK_HOLE);
	assert_int_equal(e.count, 9);
	assert_int_equal(lb_map_lookup(lab->cache, &tree.root, l.hi, 1, LB_NOWAIT, &e), -EAGAIN);
}

/* ------------------------------------------------------------------ freeing and difference */

static void test_free_steps(void **state)
{
	unsigned int budgets[] = { 1, 7, 100, 100000 }, i;

	for (i = 0; i < ARRAY_SIZE(budgets); i++) {
		u64 cursor = 0, last = 0, freed, total = 0, steps = 0;

		fill(30000, 2);
		while (cursor != ~0ULL) {
			lab_begin(lab);
			assert_ok(lb_map_free_step(&lab->w, &tree.root, 0, &cursor, budgets[i], &freed));
			assert_int_equal(lab->w.meta_blocks < 0, true);
			lab_commit(lab);
			assert_true(cursor > last);
			last = cursor;
			total += freed;
			steps++;
			lab_mark_clear(lab);
			if (cursor != ~0ULL)
				lab_mark_tree(lab, &tree.root, LB_TREE_MAP, cursor);
			if (steps % 16 == 1)
				lab_mark_compare(lab);
		}
		assert_int_equal(total, 30000);
		assert_in_range(steps, budgets[i] > 1000 ? 1 : tree.nodes / (2 * budgets[i]), tree.nodes);
		memset(&tree, 0, sizeof(tree));
		check();
	}
}

/* A child with one change: its difference from the parent is found without reading what both share. */
static void test_diff_reads(void **state)
{
	struct lb_owner o = { .vol = 2 };
	struct lb_diff_run runs[8];
	struct lab_tree parent;
	unsigned int n = 8;
	u64 next;

	fill(40000, 2);
	parent = tree;
	o.origin = lab->gen;
	put(20001, 1);
	lab_change(&ch, 60000, 1, LB_PBLK_HOLE);
	merge_as(&o);
	cold();
	assert_ok(lb_map_diff(lab->cache, &parent.root, &tree.root, 0, runs, &n, &next));
	assert_int_equal(n, 2);
	assert_int_equal(next, ~0ULL);
	assert_true(runs[0].start == 20001 && runs[0].count == 1 && runs[0].mapped);
	assert_true(runs[1].start == 60000 && runs[1].count == 1 && !runs[1].mapped);
	/* Each tree: root, two upper nodes, two leaves, or a leaf more where one was split. */
	assert_in_range(reads(), 1, 12);
	cold();
	n = 8;
	assert_ok(lb_map_diff(lab->cache, &tree.root, &tree.root, 0, runs, &n, &next));
	assert_int_equal(n, 0);
	assert_int_equal(reads(), 0);
}

/* ------------------------------------------------------------------ walking */

struct walk_note {
	u64 nodes, skip_from, bad, extents;
};

static int note_pre(void *arg, const struct lb_ref *ref, u64 lo, u64 hi)
{
	return lo >= ((struct walk_note *)arg)->skip_from ? LB_WALK_SKIP : LB_WALK_DESCEND;
}

static int note_enter(void *arg, const struct lb_ref *ref, const struct lb_node *n, u64 lo, u64 hi)
{
	struct walk_note *w = arg;

	assert_true(lb_node_first_lblk(n) >= lo && lb_node_first_lblk(n) < hi);
	w->nodes++;
	w->extents += ref->level ? 0 : lb_node_count(n);
	return LB_WALK_DESCEND;
}

static int note_bad(void *arg, const struct lb_ref *ref, int error)
{
	assert_int_equal(error, -EUCLEAN);
	((struct walk_note *)arg)->bad++;
	return 0;
}

static int note_stop(void *arg, const struct lb_ref *ref, const struct lb_node *n, u64 lo, u64 hi)
{
	return ref->level ? LB_WALK_DESCEND : -ECANCELED;
}

static struct lb_ref leaf_ref;

static int note_leaf(void *arg, const struct lb_ref *ref, u64 lo, u64 hi)
{
	if (!ref->level && lo <= 5000)
		leaf_ref = *ref;
	return ref->level ? LB_WALK_DESCEND : LB_WALK_SKIP;
}

static void test_walk(void **state)
{
	struct lb_walk_ops ops = { .enter = note_enter }, find = { .pre = note_leaf, .enter = note_enter };
	struct walk_note w = { .skip_from = 4000 };
	u8 *block;

	fill(5000, 2);
	assert_ok(lb_tree_walk(lab->cache, &tree.root, LB_TREE_MAP, &ops, &w));
	assert_int_equal(w.nodes, tree.nodes);
	assert_int_equal(w.extents, 5000);
	w.nodes = w.extents = 0;
	ops.pre = note_pre;
	assert_ok(lb_tree_walk(lab->cache, &tree.root, LB_TREE_MAP, &ops, &w));
	assert_in_range(w.extents, 2000, 2300);
	ops = (struct lb_walk_ops){ .enter = note_stop };
	assert_int_equal(lb_tree_walk(lab->cache, &tree.root, LB_TREE_MAP, &ops, &w), -ECANCELED);
	/* A bad leaf stops the walk, or is gone by. */
	assert_ok(lb_tree_walk(lab->cache, &tree.root, LB_TREE_MAP, &find, &w));
	block = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);
	port_sim_peek(lab->dev, leaf_ref.addr, block);
	block[1000] ^= 1;
	port_sim_poke(lab->dev, leaf_ref.addr, block);
	cold();
	port_log_set_level(0);
	ops = (struct lb_walk_ops){ .enter = note_enter };
	assert_int_equal(lb_tree_walk(lab->cache, &tree.root, LB_TREE_MAP, &ops, &w), -EUCLEAN);
	w = (struct walk_note){ .skip_from = ~0ULL };
	ops.bad = note_bad;
	assert_ok(lb_tree_walk(lab->cache, &tree.root, LB_TREE_MAP, &ops, &w));
	port_log_set_level(PORT_LOG_WARN);
	assert_int_equal(w.bad, 1);
	assert_int_equal(w.nodes, tree.nodes - 1);
	free(block);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define CASE_LARGE(f) cmocka_unit_test_setup_teardown(f, setup_large, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_empty), CASE(test_split), CASE(test_join), CASE(test_replay), CASE(test_cursor), CASE(test_refused),
		CASE(test_limits), CASE_LARGE(test_append), CASE(test_sequential), CASE_LARGE(test_huge_hole), CASE_LARGE(test_unread),
		CASE_LARGE(test_keep_one), CASE_LARGE(test_thin_out),
		 CASE(test_nowait), CASE_LARGE(test_free_steps), CASE_LARGE(test_diff_reads), CASE(test_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
