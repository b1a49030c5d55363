// SPDX-License-Identifier: GPL-2.0
/* See treelab.h. One thread; nothing here is shared. */
#include "treelab.h"

static struct dice lab_dice;

void lab_srand(u64 seed)
{
	lab_dice.state = seed;
}

u64 lab_rand(u64 n)
{
	return n ? dice_below(&lab_dice, n) : 0;
}

/* ------------------------------------------------------------------ life */

struct lab *lab_new(u64 blocks, u64 cache_bytes)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	struct lb_super *sb = test_super(blocks);
	u64 i;

	assert_non_null(lab);
	lab->blocks = blocks;
	lab->gen = 1;
	lab->dev = port_sim_new(blocks);
	assert_int_equal(lb_space_open(lab->dev, sb, &lab->space), 0);
	free(sb);
	lab->cache = lb_cache_alloc(lab->dev, cache_bytes);
	assert_non_null(lab->cache);
	lab->batch = port_batch_alloc(lab->dev);
	assert_non_null(lab->batch);
	lab->fixed = calloc(1, blocks);
	lab->seen = calloc(1, blocks);
	assert_true(lab->fixed && lab->seen);
	for (i = 0; i < blocks; i++) {
		int r = lb_space_in_image(lab->space, i);

		assert_true(r >= 0);
		lab->fixed[i] = (u8)r;
	}
	return lab;
}

void lab_free(struct lab *lab)
{
	port_batch_free(lab->batch);
	lb_cache_free(lab->cache);
	lb_space_close(lab->space);
	port_sim_free(lab->dev);
	free(lab->fixed);
	free(lab->seen);
	free(lab);
}

void lab_begin(struct lab *lab)
{
	lab->gen++;
	lb_space_commit_begin(lab->space);
	assert_int_equal(lb_tree_writer_init(&lab->w, lab->cache, lab->space, lab->batch, lab->gen), 0);
}

void lab_commit(struct lab *lab)
{
	assert_int_equal(lb_tree_writer_sync(&lab->w), 0);
	assert_int_equal(lb_space_commit_write(lab->space, lab->gen, lab->batch, &lab->sroot), 0);
	assert_int_equal(port_flush(lab->dev), 0);
	lb_space_reclaim(lab->space, lb_space_commit_done(lab->space));
	lb_tree_writer_done(&lab->w);
}

void lab_abort(struct lab *lab)
{
	lb_tree_writer_abort(&lab->w);
	lb_space_commit_abort(lab->space, false);
}

u64 lab_alloc(struct lab *lab, u64 want, u64 hint, u64 *got)
{
	u64 pblk = 0;

	assert_int_equal(lb_space_alloc(lab->space, want, hint, 0, &pblk, got), 0);
	assert_in_range(*got, 1, want);
	return pblk;
}

/* ------------------------------------------------------------------ merging */

void lab_change(struct lab_changes *c, u64 lblk, u64 count, u64 pblk)
{
	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 64;
		c->v = realloc(c->v, c->room * sizeof(c->v[0]));
		assert_non_null(c->v);
	}
	c->v[c->n++] = (struct lb_map_change){ .lblk = lblk, .count = count, .pblk = pblk };
}

void lab_changes_free(struct lab_changes *c)
{
	free(c->v);
	memset(c, 0, sizeof(*c));
}

static bool source_next(void *arg, struct lb_map_change *ch)
{
	struct lab_changes *c = arg;

	if (c->at == c->n) {
		c->at++;	/* asked once more: an error */
		return false;
	}
	assert_true(c->at < c->n);
	*ch = c->v[c->at++];
	return true;
}

struct lb_map_source lab_source(struct lab_changes *c)
{
	c->at = 0;
	return (struct lb_map_source){ .next = source_next, .arg = c };
}

int lab_merge(struct lab *lab, const struct lb_owner *o, struct lab_tree *t, struct lab_changes *c)
{
	struct lb_map_source src = lab_source(c);
	u64 worst = lb_map_merge_worst(t->nodes, t->root.level, c->n), before = lab->w.nodes_written;
	struct lb_merge_result res;
	int err = lb_map_merge(&lab->w, o, &t->root, &src, &res);

	if (lab->w.nodes_written - before > worst)
		fail_msg("wrote %llu nodes, promised %llu (tree of %llu nodes, level %u, %llu changes)",
			 (unsigned long long)(lab->w.nodes_written - before), (unsigned long long)worst, (unsigned long long)t->nodes,
			 t->root.level, (unsigned long long)c->n);
	c->n = 0;
	if (err)
		return err;
	t->root = res.root;
	t->nodes += (u64)res.nodes;
	t->owned += res.owned;
	assert_int_equal(res.owned, res.data);
	return 0;
}

void lab_merge_own(struct lab *lab, struct lab_tree *t, struct lab_changes *c)
{
	struct lb_owner o = { .vol = 1 };

	lab_begin(lab);
	assert_int_equal(lab_merge(lab, &o, t, c), 0);
	lab_commit(lab);
}

u64 lab_put(struct lab *lab, struct lab_changes *c, u64 lblk, u64 count)
{
	u64 got, pblk = lab_alloc(lab, count, 0, &got);

	assert_int_equal(got, count);
	lab_change(c, lblk, count, pblk);
	return pblk;
}

void lab_fill(struct lab *lab, struct lab_tree *t, struct lab_changes *c, u64 n, u64 step)
{
	u64 got, pblk, k;

	for (; n; n -= got) {
		pblk = lab_alloc(lab, min_t(u64, n, 16000), 0, &got);
		for (k = 0; k < got; k++)
			lab_change(c, (c->n + 1) * step, 1, pblk + k);
	}
	lab_merge_own(lab, t, c);
}

static int leaf_pre(void *arg, const struct lb_ref *ref, u64 lo, u64 hi)
{
	struct lab_leaf *l = arg;

	if (ref->level)
		return LB_WALK_DESCEND;
	if (l->n++ == l->i) {
		l->lo = lo;
		l->hi = hi;
		l->ref = *ref;
	}
	return LB_WALK_SKIP;
}

static int leaf_enter(void *arg, const struct lb_ref *ref, const struct lb_node *n, u64 lo, u64 hi)
{
	return LB_WALK_DESCEND;
}

struct lab_leaf lab_leaf(struct lab *lab, const struct lab_tree *t, u64 i)
{
	static const struct lb_walk_ops ops = { .pre = leaf_pre, .enter = leaf_enter };
	struct lab_leaf l = { .i = i };

	assert_ok(lb_tree_walk(lab->cache, &t->root, LB_TREE_MAP, &ops, &l));
	return l;
}

void lab_cold(struct lab *lab)
{
	lb_cache_free(lab->cache);
	lab->cache = lb_cache_alloc(lab->dev, 64 << 20);
	assert_non_null(lab->cache);
}

/* ------------------------------------------------------------------ structure */

struct key {
	u64 lblk;
	const u8 *bytes;
	u32 len;
};

struct check {
	struct lab *lab;
	const struct lab_visit *visit;
	u8 kind;
	u64 nodes, end;
};

static struct key first_key(const struct lb_node *n, u8 kind, unsigned int i)
{
	struct lb_item_cpu it;

	if (kind == LB_TREE_MAP)
		return (struct key){ .lblk = lb_node_level(n) ? le64_to_cpu(n->children[i].lblk) : lb_extent_decode(&n->extents[i]).lblk };
	it = lb_node_item(n, i);
	return (struct key){ .bytes = it.key, .len = it.key_len };
}

static int key_cmp(u8 kind, const struct key *a, const struct key *b)
{
	if (kind == LB_TREE_MAP)
		return a->lblk < b->lblk ? -1 : a->lblk > b->lblk;
	return lb_key_cmp(a->bytes, a->len, b->bytes, b->len);
}

static void check_fill(const struct check *c, const struct lb_node *n, bool rightmost)
{
	unsigned int count = lb_node_count(n);

	if (rightmost)
		return;
	if (c->kind == LB_TREE_CATALOG)
		assert_true(le16_to_cpu(n->header.used) >= LB_PAYLOAD_BYTES / 3);
	else
		assert_true(count >= (lb_node_level(n) ? LB_MAP_NODE_MAX / 2 : LB_MAP_LEAF_MAX / 2));
}

static void check_leaf(struct check *c, const struct lb_node *n)
{
	unsigned int i;

	for (i = 0; i < lb_node_count(n); i++) {
		if (c->kind == LB_TREE_MAP) {
			struct lb_extent_cpu e = lb_extent_decode(&n->extents[i]);

			assert_true(e.lblk >= c->end);
			c->end = e.lblk + e.count;
			if (c->visit && c->visit->extent)
				c->visit->extent(c->visit->arg, &e);
		} else {
			struct lb_item_cpu it = lb_node_item(n, i);

			if (c->visit && c->visit->item)
				c->visit->item(c->visit->arg, &it);
		}
	}
}

static void check_node(struct check *c, const struct lb_ref *ref, const struct key *lo, const struct key *hi, bool root)
{
	struct lb_cnode *cn;
	const struct lb_node *n;
	struct key k;
	unsigned int i, count;

	assert_int_equal(lb_cache_get(c->lab->cache, ref, c->kind, 0, &cn), 0);
	n = cn->node;
	count = lb_node_count(n);
	c->nodes++;
	assert_int_equal(le64_to_cpu(n->header.self), ref->addr);
	assert_int_equal(n->header.level, ref->level);
	if (c->kind == LB_TREE_CATALOG || root)
		assert_true(ref->addr2 != 0);
	if (root && lb_node_level(n))
		assert_true(count >= 2);
	check_fill(c, n, !hi);
	k = first_key(n, c->kind, 0);
	if (lo)
		assert_int_equal(key_cmp(c->kind, &k, lo), 0);	/* a separator is the first key itself */
	k = first_key(n, c->kind, count - 1);
	if (hi)
		assert_true(key_cmp(c->kind, &k, hi) < 0);
	if (!lb_node_level(n))
		check_leaf(c, n);
	if (!lb_node_level(n) && c->kind == LB_TREE_MAP && hi)
		assert_true(c->end <= hi->lblk);
	for (i = 0; lb_node_level(n) && i < count; i++) {
		struct lb_ref child = lb_node_child(n, c->kind, i);
		struct key clo = first_key(n, c->kind, i), chi;

		if (i + 1 < count)
			chi = first_key(n, c->kind, i + 1);
		check_node(c, &child, &clo, i + 1 < count ? &chi : hi, false);
	}
	lb_cache_put(c->lab->cache, cn);
}

u64 lab_check_tree(struct lab *lab, const struct lb_ref *root, u8 kind, const struct lab_visit *visit)
{
	struct check c = { .lab = lab, .kind = kind, .visit = visit };

	if (root->addr)
		check_node(&c, root, NULL, NULL, true);
	return c.nodes;
}

/* ------------------------------------------------------------------ reachable against image */

struct mark {
	struct lab *lab;
	u8 kind;
	u64 from;
};

static void mark_block(struct lab *lab, u64 pblk, u8 what)
{
	assert_true(pblk && pblk < lab->blocks);
	if (lab->fixed[pblk] || (lab->seen[pblk] && lab->seen[pblk] != what))
		fail_msg("block %llu is used as two things", (unsigned long long)pblk);
	lab->seen[pblk] = what;
}

static int mark_pre(void *arg, const struct lb_ref *ref, u64 lo, u64 hi)
{
	const struct mark *m = arg;

	(void)lo;
	if (hi <= m->from)
		return LB_WALK_SKIP;
	mark_block(m->lab, ref->addr, LAB_NODE);
	if (ref->addr2)
		mark_block(m->lab, ref->addr2, LAB_NODE);
	return LB_WALK_DESCEND;
}

static int mark_enter(void *arg, const struct lb_ref *ref, const struct lb_node *n, u64 lo, u64 hi)
{
	const struct mark *m = arg;
	unsigned int i;
	u64 k;

	(void)lo;
	(void)hi;
	for (i = 0; m->kind == LB_TREE_MAP && !ref->level && i < lb_node_count(n); i++) {
		struct lb_extent_cpu e = lb_extent_decode(&n->extents[i]);

		for (k = 0; k < e.count; k++)
			if (e.lblk + k >= m->from)
				mark_block(m->lab, e.pblk + k, LAB_DATA);
	}
	return LB_WALK_DESCEND;
}

void lab_mark_clear(struct lab *lab)
{
	memset(lab->seen, 0, lab->blocks);
}

void lab_mark_tree(struct lab *lab, const struct lb_ref *root, u8 kind, u64 from)
{
	struct mark m = { .lab = lab, .kind = kind, .from = from };
	static const struct lb_walk_ops ops = { .pre = mark_pre, .enter = mark_enter };

	assert_int_equal(lb_tree_walk(lab->cache, root, kind, &ops, &m), 0);
}

void lab_mark_compare(struct lab *lab)
{
	u64 i, free_blocks = 0;

	/* The space's own table: of one level in a pool as small as these. */
	assert_int_equal(lab->sroot.depth, 0);
	if (lab->sroot.root.addr) {
		mark_block(lab, lab->sroot.root.addr, LAB_NODE);
		mark_block(lab, lab->sroot.root.addr2, LAB_NODE);
	}
	for (i = 0; i < lab->blocks; i++) {
		int in = lb_space_in_image(lab->space, i);

		if (in != (lab->fixed[i] || lab->seen[i]))
			fail_msg("block %llu: %s, but %s", (unsigned long long)i, in ? "in the image" : "not in the image",
				 lab->seen[i] ? "reachable" : "not reachable");
		free_blocks += !in;
	}
	/* Between commits nothing is handed out that is not in the image. */
	assert_int_equal(lb_space_free_blocks(lab->space), free_blocks);
}
