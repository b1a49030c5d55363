// SPDX-License-Identifier: GPL-2.0
/*
 * lb_map_merge_worst() and lb_cat_merge_worst() are promises that space is charged by: nothing may ever write more
 * nodes. lab_merge() compares; here are the cases where it is tight.
 */
#include "treelab.h"

#define LARGE (14 * LB_REGION_BLOCKS)

static struct lab *lab;
static struct lab_tree tree;
static struct lab_changes ch;

static int setup(void **state)
{
	lab = lab_new(LARGE, 64 << 20);
	lab_srand(1);
	memset(&tree, 0, sizeof(tree));
	return 0;
}

static int teardown(void **state)
{
	lab_changes_free(&ch);
	lab_free(lab);
	return 0;
}

/* One change at a time into full nodes: each splits on every level. */
static void test_worst_single(void **state)
{
	u64 worst = 0, i;

	lab_fill(lab, &tree, &ch, 168 * 101 * 2, 2);
	for (i = 0; i < 150; i++) {
		lab_put(lab, &ch, 2 * (1 + lab_rand(168 * 101 * 2)) + 1, 1);
		lab_begin(lab);
		assert_ok(lab_merge(lab, &(struct lb_owner){ .vol = 1 }, &tree, &ch));
		worst = max_t(u64, worst, lab->w.nodes_written);
		lab_commit(lab);
	}
	assert_int_equal(lab_check_tree(lab, &tree.root, LB_TREE_MAP, NULL), tree.nodes);
	print_message("one change into %llu nodes: at most %llu written\n", (unsigned long long)tree.nodes, (unsigned long long)worst);
}

/*
 * The very worst: a full root of full leaves, and a change over the seam of two extents in two leaves. Nothing goes,
 * one comes, and every level splits.
 */
static void test_worst_seam(void **state)
{
	u64 i, pblk, got;
	struct lab_leaf l;

	for (i = 0; i < LB_MAP_NODE_MAX * LB_MAP_LEAF_MAX; i++) {
		pblk = lab_alloc(lab, 2, 0, &got);
		assert_int_equal(got, 2);
		lab_change(&ch, 3 * i, 2, pblk);
	}
	lab_merge_own(lab, &tree, &ch);
	assert_int_equal(tree.nodes, LB_MAP_NODE_MAX + 1);
	l = lab_leaf(lab, &tree, 50);
	lab_put(lab, &ch, l.hi - 2, 3);
	lab_begin(lab);
	assert_ok(lab_merge(lab, &(struct lb_owner){ .vol = 1 }, &tree, &ch));
	assert_int_equal(lab->w.nodes_written, 6);
	assert_int_equal(lb_map_merge_worst(LB_MAP_NODE_MAX + 1, 1, 1), 6);
	lab_commit(lab);
	assert_int_equal(tree.root.level, 2);
	assert_int_equal(lab_check_tree(lab, &tree.root, LB_TREE_MAP, NULL), tree.nodes);
}

/* A change in every nth leaf, as an insertion, as a hole over an end, as a hole that leaves little. */
static void test_worst_spread(void **state)
{
	u64 kind, every, i;

	for (kind = 0; kind < 5; kind++) {
		for (every = 1; every <= 4; every++) {
			u64 n, changes, written;

			lab_fill(lab, &tree, &ch, 168 * 140, 3);
			n = lab_leaf(lab, &tree, 0).n;
			for (i = 0; i + 1 < n; i += every) {
				struct lab_leaf l = lab_leaf(lab, &tree, i);

				if (kind == 0)
					lab_put(lab, &ch, l.lo + 1, 1);
				else if (kind == 1)
					lab_change(&ch, l.lo + 3, l.hi - l.lo - 6, LB_PBLK_HOLE);
				else if (kind == 2)
					lab_change(&ch, l.hi - 2, every > 1 ? 4 : 1, LB_PBLK_HOLE);
				else if (kind == 3)
					lab_change(&ch, l.lo + 1 + every, (l.hi - l.lo) / 2, LB_PBLK_HOLE);
				else
					lab_put(lab, &ch, l.hi - 1, every > 1 ? 3 : 1);
			}
			changes = ch.n;
			lab_begin(lab);
			assert_ok(lab_merge(lab, &(struct lb_owner){ .vol = 1 }, &tree, &ch));
			written = lab->w.nodes_written;
			lab_commit(lab);
			assert_int_equal(lab_check_tree(lab, &tree.root, LB_TREE_MAP, NULL), tree.nodes);
			assert_true(written <= 3 * changes + 4);
			lab_change(&ch, 0, LB_LBLK_MAX + 1, LB_PBLK_HOLE);
			lab_merge_own(lab, &tree, &ch);
		}
	}
}

/*
 * One or few changes, each the nastiest there is, again and again: the ends of leaves and of upper nodes, holes that
 * leave little, long holes from anywhere to anywhere.
 */
static void nasty_change(u64 *at, u64 end)
{
	struct lab_leaf l = lab_leaf(lab, &tree, lab_rand(lab_leaf(lab, &tree, 0).n));
	u64 lo = max_t(u64, lab_rand(3) ? l.lo : l.lo + 3 * lab_rand(168), *at), n = 1 + lab_rand(lab_rand(2) ? 5 : 900), pblk;

	if (lo >= end)
		return;
	switch (lab_rand(4)) {
	case 0:
		pblk = lab_alloc(lab, n, 0, &n);
		lab_change(&ch, lo + 2, n, pblk);
		n += 2;
		break;
	case 1:
		lab_change(&ch, lo, n, LB_PBLK_HOLE);
		break;
	case 2:		/* several leaves, to shortly before an end */
		n = 3 * 168 * (1 + lab_rand(120));
		lab_change(&ch, lo + lab_rand(6), n, LB_PBLK_HOLE);
		n += 6;
		break;
	default:
		lab_put(lab, &ch, lo + 1, 1);
		n = 2;
	}
	*at = lo + n;
}

static void test_worst_random(void **state)
{
	const u64 end = 3 * 168 * 210;
	u64 i, written, promised, most = 0;

	for (i = 0; i < 40 * test_rounds(10); i++) {
		u64 at = 0, k, n = 1 + lab_rand(lab_rand(2) ? 2 : 40);

		if (i % 40 == 0) {
			lab_change(&ch, 0, LB_LBLK_MAX + 1, LB_PBLK_HOLE);
			lab_merge_own(lab, &tree, &ch);
			lab_fill(lab, &tree, &ch, end / 3 - lab_rand(200), 3);
		}
		for (k = 0; k < n; k++)
			nasty_change(&at, end);
		if (!ch.n)
			continue;
		promised = lb_map_merge_worst(tree.nodes, tree.root.level, ch.n);
		lab_begin(lab);
		assert_ok(lab_merge(lab, &(struct lb_owner){ .vol = 1 }, &tree, &ch));
		written = lab->w.nodes_written;
		lab_commit(lab);
		most = max_t(u64, most, written * 100 / promised);
		if (i % 8 == 0)
			assert_int_equal(lab_check_tree(lab, &tree.root, LB_TREE_MAP, NULL), tree.nodes);
	}
	print_message("at most %llu %% of what was promised\n", (unsigned long long)most);
}

static void test_worst_monotonic(void **state)
{
	u64 nodes, c;
	u8 level;

	for (nodes = 0; nodes < 100000; nodes = nodes * 3 + 1) {
		for (level = 0; level < 5; level++) {
			u64 last = 0, one = lb_map_merge_worst(1ULL << 40, level, 1), cone = lb_cat_merge_worst(1ULL << 40, level, 1), clast = 0;

			for (c = 0; c < 3000; c++) {
				u64 w = lb_map_merge_worst(nodes, level, c), cw = lb_cat_merge_worst(nodes, level, c);

				assert_true(w >= last && w <= last + one);
				assert_true(cw >= clast && cw <= clast + cone);
				last = w;
				clast = cw;
			}
		}
	}
}


#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { CASE(test_worst_single), CASE(test_worst_seam), CASE(test_worst_spread), CASE(test_worst_random), CASE(test_worst_monotonic) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
