// SPDX-License-Identifier: GPL-2.0
/*
 * The trees when things go wrong: every allocation fails in turn, every read, every write; nodes are damaged; and whole
 * trees are hostile, each node sealed and valid for itself. An error comes back, the commit is aborted, the old tree is
 * as it was, nothing leaks, nothing crashes or hangs.
 */
#include "treelab.h"

#define BLOCKS (4 * LB_REGION_BLOCKS)

static struct lab *lab;
static struct lab_tree tree, child;
static struct lab_changes ch;

/* A tree of three levels would take long here: two do. child shares most of it. */
static int setup(void **state)
{
	struct lb_owner o = { .vol = 2 };
	u64 i;

	lab = lab_new(BLOCKS, 64 << 20);
	lab_srand(1);
	memset(&tree, 0, sizeof(tree));
	lab_fill(lab, &tree, &ch, 6000, 2);
	child = tree;
	child.owned = 0;
	o.origin = lab->gen;
	for (i = 0; i < 20; i++)
		lab_put(lab, &ch, 300 * i + 5, 2);
	lab_begin(lab);
	assert_ok(lab_merge(lab, &o, &child, &ch));
	lab_commit(lab);
	port_log_set_level(0);
	return 0;
}

static int teardown(void **state)
{
	port_log_set_level(PORT_LOG_WARN);
	lab_changes_free(&ch);
	lab_free(lab);
	return 0;
}

/* ------------------------------------------------------------------ what is tried, again and again */

/* Each runs in a commit; prepare() comes before it. */
static u64 fresh;		/* a block for it */

static int try_merge(void)
{
	struct lb_owner o = { .vol = 1 };
	struct lab_tree t = tree;
	int err;

	lab_change(&ch, 0, 700, LB_PBLK_HOLE);
	lab_change(&ch, 3001, 1, fresh);
	lab_change(&ch, 9000, LB_LBLK_MAX - 9000, LB_PBLK_HOLE);
	err = lab_merge(lab, &o, &t, &ch);
	return err ? err : lb_tree_writer_sync(&lab->w);
}

static int try_free(void)
{
	u64 cursor = 0, freed;
	int err = 0;

	while (!err && cursor != ~0ULL)
		err = lb_map_free_step(&lab->w, &tree.root, 0, &cursor, 5, &freed);
	return err;
}

static int try_collapse(void)
{
	u64 cursor = 0, freed;
	int err = 0;

	while (!err && cursor != ~0ULL)
		err = lb_map_collapse_step(&lab->w, &tree.root, 0, &child.root, &cursor, 5, &freed);
	return err;
}

static int try_read(void)
{
	struct lb_diff_run runs[64];
	unsigned int n = 64;
	struct lb_extent_cpu e;
	u64 at = 0;
	int err = lb_map_diff(lab->cache, &tree.root, &child.root, 0, runs, &n, &at);

	if (!err)
		err = lb_map_lookup(lab->cache, &tree.root, 5000, 10, 0, &e);
	for (at = 0; !err; at = e.lblk + e.count)
		err = lb_map_next(lab->cache, &tree.root, at, &e);
	if (err == -ENOENT)
		err = lb_map_contains(lab->cache, &child.root, 5000, 0, 1);
	return err;
}

static int walk_enter(void *arg, const struct lb_ref *ref, const struct lb_node *n, u64 lo, u64 hi)
{
	return LB_WALK_DESCEND;
}

static int try_walk(void)
{
	static const struct lb_walk_ops ops = { .enter = walk_enter };

	return lb_tree_walk(lab->cache, &tree.root, LB_TREE_MAP, &ops, NULL);
}

static int (*const tries[])(void) = { try_merge, try_free, try_collapse, try_read, try_walk };

/* Both trees, and the image, are what they were. */
static void check_same(void)
{
	assert_int_equal(lab_check_tree(lab, &tree.root, LB_TREE_MAP, NULL), tree.nodes);
	assert_int_equal(lab_check_tree(lab, &child.root, LB_TREE_MAP, NULL), child.nodes);
	lab_mark_clear(lab);
	lab_mark_tree(lab, &tree.root, LB_TREE_MAP, 0);
	lab_mark_tree(lab, &child.root, LB_TREE_MAP, 0);
	lab_mark_compare(lab);
}

/* One try in a commit that is aborted in any case; arm() makes something fail in it. */
static int attempt(int (*try)(void), void (*arm)(u64 nth), u64 nth)
{
	u64 got;
	int err;

	fresh = lab_alloc(lab, 1, 0, &got);
	lab_cold(lab);
	lab_begin(lab);
	arm(nth);
	err = try();
	arm(0);
	ch.n = 0;
	lab_abort(lab);
	lb_space_unalloc(lab->space, fresh, 1);
	return err;
}

static void in_turn(void (*arm)(u64 nth), int want, u64 step)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		u64 nth, failed = 0;
		int err = 1;

		for (nth = 1; err; nth += 1 + lab_rand(step)) {
			err = attempt(tries[i], arm, nth);
			if (err && err != want)
				fail_msg("try %u, failure %llu: error %d", i, (unsigned long long)nth, err);
			failed += err != 0;
			if (err && failed % 16 == 1)
				check_same();
			if (nth > 20000)
				fail_msg("try %u does not end", i);
		}
		check_same();
		print_message("try %u: %llu failures\n", i, (unsigned long long)failed);
	}
}

static void arm_alloc(u64 nth) { port_fault_alloc(nth, 1); }

static void arm_read(u64 nth)
{
	struct port_sim_fault f = { .op = PORT_SIM_READ, .effect = PORT_SIM_ERROR, .skip = nth - 1, .times = 1, .last = BLOCKS };

	port_sim_clear_faults(lab->dev);
	if (nth)
		port_sim_add_fault(lab->dev, &f);
}

/* A lost bit is as bad; but a root has a second copy, so both reads of it are hit. */
static void arm_corrupt(u64 nth)
{
	struct port_sim_fault f = { .op = PORT_SIM_READ, .effect = PORT_SIM_CORRUPT, .skip = nth - 1, .times = 2, .last = BLOCKS };

	port_sim_clear_faults(lab->dev);
	if (nth)
		port_sim_add_fault(lab->dev, &f);
}

static void arm_write(u64 nth)
{
	struct port_sim_fault f = { .op = PORT_SIM_WRITE, .effect = PORT_SIM_ERROR, .skip = nth - 1, .times = 1, .last = BLOCKS };

	port_sim_clear_faults(lab->dev);
	if (nth)
		port_sim_add_fault(lab->dev, &f);
}

static void test_allocations(void **state)
{
	u64 live;

	attempt(try_merge, arm_alloc, 0);
	lab_cold(lab);
	live = port_alloc_live();
	in_turn(arm_alloc, -ENOMEM, 3);
	lab_cold(lab);
	/* Bitmaps may have come or gone, a few blocks; a leak in each of hundreds of failures would be more. */
	assert_in_range(port_alloc_live(), 0, live + 16);
}

/* A root whose first copy cannot be read is read from the second: no error then, but a later failure is one. */
static void test_reads(void **state)
{
	unsigned int i;
	u64 nth;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		u64 failed = 0, calm = 0;

		for (nth = 1; calm < 8; nth++) {
			int err = attempt(tries[i], arm_read, nth);

			assert_true(err == 0 || err == -EIO);
			failed += err != 0;
			calm = err ? 0 : calm + 1;
		}
		check_same();
		assert_true(failed > 0);
	}
}

static void test_corrupt(void **state)
{
	unsigned int i;
	u64 nth;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		u64 failed = 0, calm = 0;

		for (nth = 1; calm < 8; nth++) {
			int err = attempt(tries[i], arm_corrupt, nth);

			assert_true(err == 0 || err == -EUCLEAN);
			failed += err != 0;
			calm = err ? 0 : calm + 1;
		}
		check_same();
		assert_true(failed > 0);
	}
}

static void test_writes(void **state)
{
	u64 nth, failed = 0;
	int err = 1;

	for (nth = 1; err; nth++) {
		err = attempt(try_merge, arm_write, nth);
		assert_true(err == 0 || err == -EIO);
		failed += err != 0;
		check_same();
	}
	assert_true(failed > 0);
}

/* A disk that is full in the middle of a merge. */
static void test_no_space(void **state)
{
	u64 got, p, taken = 0, *run = calloc(2 * BLOCKS, sizeof(*run)), n = 0, fresh_block = lab_alloc(lab, 1, 0, &got), left;
	struct lb_owner o = { .vol = 1 };
	struct lab_tree t = tree;

	while (!lb_space_alloc(lab->space, 20000, 0, 0, &p, &got)) {
		run[n++] = p;
		run[n++] = got;
		taken += got;
	}
	for (left = 0; left < 4; left++) {	/* so many blocks are left */
		if (left)
			lb_space_unalloc(lab->space, run[0] + left - 1, 1);
		lab_begin(lab);
		lab_change(&ch, 3001, 1, fresh_block);
		t = tree;
		/* A leaf becomes one or two; the root has two copies. */
		assert_int_equal(lab_merge(lab, &o, &t, &ch), left < 4 ? -ENOSPC : 0);
		lab_abort(lab);
	}
	run[0] += left - 1;
	run[1] -= left - 1;
	for (; n; n -= 2)
		lb_space_unalloc(lab->space, run[n - 2], run[n - 1]);
	lb_space_unalloc(lab->space, fresh_block, 1);
	free(run);
	check_same();
	assert_true(taken > 0);
}

/* ------------------------------------------------------------------ hostile trees */

/* Nodes made behind the engine's back, sealed: valid each for itself, senseless together. */
struct hostile {
	struct lb_ref refs[60];
	unsigned int n;
	u64 next;		/* block to put one at */
};

static void hostile_node(struct hostile *h, u8 level)
{
	struct lb_node *n = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);
	struct lb_ref *out = &h->refs[h->n++];
	u64 at = lab_rand(50), gen = 1 + lab_rand(20);
	unsigned int i, count = 1 + (unsigned int)lab_rand(6);
	const char *why;

	memset(n, 0, sizeof(*n));
	for (i = 0; i < count; i++) {
		if (level) {
			struct lb_ref r;

			do
				r = h->refs[lab_rand(h->n - 1)];
			while (r.level + 1 != level);
			gen = max_t(u64, gen, r.gen);
			n->children[i].lblk = cpu_to_le64(at);
			n->children[i].ptr = lb_ref_encode(&r);
		} else {
			struct lb_extent_cpu e = { .lblk = at, .count = 1 + lab_rand(30), .pblk = 9000 + lab_rand(lab_rand(20) ? 100 : BLOCKS), .birth = 1 + lab_rand(gen) };

			at += e.count;
			n->extents[i] = lb_extent_encode(&e);
		}
		at += 1 + lab_rand(40);
	}
	n->header.kind = LB_TREE_MAP;
	n->header.level = level;
	n->header.count = cpu_to_le16(count);
	n->header.used = cpu_to_le16(count * (level ? sizeof(struct lb_map_child) : sizeof(struct lb_extent)));
	*out = (struct lb_ref){ .addr = h->next++, .gen = gen, .level = level };
	out->csum = lb_block_seal(n, LB_MAGIC_NODE, out->addr, gen, 1);
	assert_ok(lb_node_check(n, LB_TREE_MAP, &why));
	port_sim_poke(lab->dev, out->addr, n);
	free(n);
}

/* Whatever comes of it: an error or none. */
static void hostile_use(const struct lb_ref *a, const struct lb_ref *b)
{
	static const struct lb_walk_ops ops = { .enter = walk_enter };
	struct lb_owner o = { .vol = 1, .origin = lab_rand(20), .cursor = lab_rand(2) * lab_rand(300) };
	struct lab_tree t = { .root = *a, .nodes = 1000 };
	struct lb_diff_run runs[8];
	struct lb_extent_cpu e;
	u64 cursor = 0, freed, at, i;
	int err = 0;

	o.low_origin = lab_rand(o.origin + 1);
	lab_begin(lab);
	for (i = lab_rand(4), at = 0; i; i--) {
		u64 count = 1 + lab_rand(100);

		lab_change(&ch, at + lab_rand(100), count, LB_PBLK_HOLE);
		at = ch.v[ch.n - 1].lblk + count;
	}
	lab_merge(lab, &o, &t, &ch);
	for (i = 0; !err && cursor != ~0ULL; i++)
		err = lab_rand(2) ? lb_map_free_step(&lab->w, a, o.origin, &cursor, 1, &freed) :
				    lb_map_collapse_step(&lab->w, a, o.origin, b, &cursor, 1, &freed);
	assert_true(i < 10000);
	lab_abort(lab);
	for (at = 0, i = 0; at != ~0ULL && i < 10000; i++) {
		unsigned int n = 1 + (unsigned int)lab_rand(8);

		if (lb_map_diff(lab->cache, a, b, at, runs, &n, &at))
			break;
	}
	for (at = 0, err = 0; !err && at < 1000; at++) {
		err = lb_map_lookup(lab->cache, a, at, 1 + lab_rand(50), 0, &e);
		if (!err)
			assert_true(e.lblk == at && e.count);
		lb_map_next(lab->cache, a, at, &e);
		lb_map_contains(lab->cache, a, at, (u8)lab_rand(4), 9999);
	}
	lb_tree_walk(lab->cache, a, LB_TREE_MAP, &ops, NULL);
}

static void test_hostile(void **state)
{
	u64 round;

	for (round = 0; round < test_rounds(300); round++) {
		struct hostile h = { .next = 20000 };
		u8 level;
		unsigned int i;

		for (level = 0; level < 4; level++)
			for (i = 0; i < 8u - 2 * level; i++)
				hostile_node(&h, level);
		for (i = 0; i < 6; i++) {
			struct lb_ref *a = &h.refs[lab_rand(h.n)], *b = &h.refs[lab_rand(h.n)];

			hostile_use(a, b);
		}
		lab_cold(lab);
	}
	check_same();
}

/* Every child of a node is the same one, eleven times over: 10^20 leaves in twelve blocks. All has to end, and soon. */
static void test_bomb(void **state)
{
	static const struct lb_walk_ops ops = { .enter = walk_enter };
	struct hostile h = { .next = 20000 }, g = { .next = 21000 };
	struct lb_node *n = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);
	struct lb_owner o = { .vol = 1, .origin = 1000 };
	struct lb_ref ref = { .addr = 0 }, other = { .addr = 0 };
	struct hostile *both[] = { &h, &g };
	struct lab_tree t = { .nodes = 12 };
	struct lb_diff_run runs[8];
	unsigned int i, k, m = 8;
	u64 at, freed;

	for (k = 0; k < 2; k++) {
		hostile_node(both[k], 0);
		ref = both[k]->refs[0];
		for (i = 1; i <= LB_TREE_MAX_LEVEL; i++) {
			unsigned int c;

			memset(n, 0, sizeof(*n));
			for (c = 0; c < LB_MAP_NODE_MAX; c++) {
				n->children[c].lblk = cpu_to_le64(c);
				n->children[c].ptr = lb_ref_encode(&ref);
			}
			n->header.kind = LB_TREE_MAP;
			n->header.level = (u8)i;
			n->header.count = cpu_to_le16(LB_MAP_NODE_MAX);
			n->header.used = cpu_to_le16(LB_MAP_NODE_MAX * sizeof(struct lb_map_child));
			ref = (struct lb_ref){ .addr = both[k]->next++, .gen = 100, .level = (u8)i };
			ref.csum = lb_block_seal(n, LB_MAGIC_NODE, ref.addr, ref.gen, 1);
			port_sim_poke(lab->dev, ref.addr, n);
		}
		if (!k)
			other = ref;
	}
	free(n);
	assert_int_equal(lb_tree_walk(lab->cache, &ref, LB_TREE_MAP, &ops, NULL), -EUCLEAN);
	assert_int_equal(lb_map_diff(lab->cache, &ref, &other, 0, runs, &m, &at), -EUCLEAN);
	t.root = ref;
	lab_begin(lab);
	lab_change(&ch, 0, LB_LBLK_MAX + 1, LB_PBLK_HOLE);
	assert_int_equal(lab_merge(lab, &o, &t, &ch), -EUCLEAN);
	lab_abort(lab);
	lab_begin(lab);
	at = 0;
	assert_int_equal(lb_map_free_step(&lab->w, &ref, 0, &at, ~0u, &freed), -EUCLEAN);
	lab_abort(lab);
	lab_begin(lab);
	assert_int_equal(lb_map_collapse_step(&lab->w, &ref, 0, &other, &at, ~0u, &freed), -EUCLEAN);
	lab_abort(lab);
	check_same();
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_allocations), CASE(test_reads), CASE(test_corrupt), CASE(test_writes), CASE(test_no_space), CASE(test_hostile), CASE(test_bomb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
