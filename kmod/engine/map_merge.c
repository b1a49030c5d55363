// SPDX-License-Identifier: GPL-2.0
/*
 * The bulk merge of a commit: sorted changes go into a map tree in one pass from left to right.
 *
 * The old tree is descended into where there is a change; the rest is linked as it is. What is opened is released (when
 * the volume owns it) and its items go to the builder one level at a time, so that a changed leaf and its changed
 * neighbours become as few nodes as they need. An old node can be linked when all open levels up to its own can be
 * written out at least half full; when not, it is opened although nothing in it changes: it brings at least half a
 * node, so this happens once, it does not cascade. The rightmost node of a level may be less than half full, but its
 * range has no end: whatever comes behind it goes into it, and so it is opened then.
 *
 * Owns: the pinned nodes on the way down, one per level; the builder's buffers; one extent (tail) that may still grow.
 *
 * Invariants
 *   - Every block of the old tree is decided once: kept (linked, or its extent copied), or, if owned, released, or left
 *     to the ancestor that owns it.
 *   - While a collapse is under way, node and extent alike are judged by the key they begin at, an extent block by
 *     block: see map_free.c.
 *   - An extent never crosses a range's bound: changes are cut at the end of each leaf's range as they meet it, and
 *     grow together again in the tail.
 *   - Links keep their key: a shared node has the same key in every tree that it is in.
 *
 * Locks: none; one merge at a time, by the committing thread. Crash: see tree_writer.c; nothing of the old tree is
 * overwritten.
 */
#include "builder.h"

struct merge_frame {
	struct lb_cnode *cn;
	unsigned int i;			/* the next child */
	u64 hi;				/* end of the node's range */
};

struct merge {
	struct lb_tree_writer *w;
	const struct lb_owner *o;
	const struct lb_map_source *src;
	struct lb_map_change ch;	/* what is left of the current change */
	bool have;			/* there is one */
	u64 change_end;			/* end of the last change fetched */
	struct lb_extent_cpu tail;	/* the last extent, not in the builder yet; count 0: none */
	s64 owned;
	u64 opened;			/* nodes of the old tree that are not in the new one */
	unsigned int depth;
	struct merge_frame frames[LB_TREE_MAX_LEVEL + 1];
	struct lb_builder b;
};

/* ------------------------------------------------------------------ who owns what */

static u64 origin_at(const struct lb_owner *o, u64 lblk)
{
	return lblk < o->cursor ? o->low_origin : o->origin;
}

/* Is every block of the extent the volume's? */
static bool extent_owned(const struct lb_owner *o, const struct lb_extent_cpu *e)
{
	return e->birth > origin_at(o, e->lblk) && e->birth > origin_at(o, e->lblk + e->count - 1);
}

/* Is a node with this first key the volume's? If not, nothing beneath it is. */
static bool node_owned(const struct lb_owner *o, u64 gen, u64 first)
{
	return gen > origin_at(o, first);
}

/* ------------------------------------------------------------------ changes in */

static int next_change(struct merge *m)
{
	struct lb_map_change *ch = &m->ch;

	m->have = m->src->next(m->src->arg, ch);
	if (!m->have)
		return 0;
	if (!ch->count || ch->lblk < m->change_end || ch->lblk > LB_LBLK_MAX || ch->count > LB_LBLK_MAX + 1 - ch->lblk)
		return -EINVAL;
	if (ch->pblk != LB_PBLK_HOLE && ch->count > LB_EXTENT_MAX_BLOCKS)
		return -EINVAL;
	m->change_end = ch->lblk + ch->count;
	return 0;
}

/* The first n blocks of the current change are done. */
static int advance(struct merge *m, u64 n)
{
	m->ch.lblk += n;
	m->ch.count -= n;
	if (m->ch.pblk != LB_PBLK_HOLE)
		m->ch.pblk += n;
	return m->ch.count ? 0 : next_change(m);
}

/* ------------------------------------------------------------------ extents out */

static int flush_tail(struct merge *m)
{
	int err = m->tail.count ? lb_builder_add_extent(&m->b, &m->tail) : 0;

	m->tail.count = 0;
	return err;
}

/* The next extent of the new tree; it joins the one before it if it can. */
static int emit(struct merge *m, const struct lb_extent_cpu *e)
{
	struct lb_extent_cpu *t = &m->tail;
	int err;

	if (t->count && t->lblk + t->count == e->lblk && t->pblk + t->count == e->pblk && t->count + e->count <= LB_EXTENT_MAX_BLOCKS &&
	    (t->birth == e->birth || (extent_owned(m->o, t) && extent_owned(m->o, e)))) {
		t->count += e->count;
		t->birth = max_t(u64, t->birth, e->birth);
		return 0;
	}
	err = flush_tail(m);
	*t = *e;
	return err;
}

/* The first n blocks of an extent, which loses them. */
static struct lb_extent_cpu take_front(struct lb_extent_cpu *e, u64 n)
{
	struct lb_extent_cpu front = *e;

	front.count = n;
	e->lblk += n;
	e->pblk += n;
	e->count -= n;
	return front;
}

/* The first n blocks of the current change. */
static int emit_change(struct merge *m, u64 n)
{
	struct lb_extent_cpu e = { .lblk = m->ch.lblk, .count = n, .pblk = m->ch.pblk, .birth = m->w->gen };
	int err = 0;

	if (e.pblk != LB_PBLK_HOLE) {
		m->owned += n;
		err = lb_space_use(m->w->space, e.pblk, n);
		if (!err)
			err = emit(m, &e);
	}
	return err ? err : advance(m, n);
}

/* What the volume owns of an extent goes; on either side of the cursor by that side's origin. */
static int release_extent(struct merge *m, struct lb_extent_cpu e)
{
	int err = 0;

	while (e.count && !err) {
		u64 n = e.lblk < m->o->cursor ? min_t(u64, e.count, m->o->cursor - e.lblk) : e.count;
		struct lb_extent_cpu part = take_front(&e, n);

		if (!extent_owned(m->o, &part))
			continue;
		m->owned -= n;
		err = lb_space_release(m->w->space, part.pblk, n);
	}
	return err;
}

/* ------------------------------------------------------------------ leaves */

/* One extent of the old tree against the changes that meet it. */
static int merge_extent(struct merge *m, struct lb_extent_cpu e)
{
	struct lb_extent_cpu part;
	int err = 0;

	while (e.count && !err) {
		u64 n;

		if (!m->have || m->ch.lblk >= e.lblk + e.count)
			return emit(m, &e);
		if (m->ch.lblk < e.lblk) {
			err = emit_change(m, min_t(u64, m->ch.count, e.lblk - m->ch.lblk));
			continue;
		}
		if (m->ch.lblk > e.lblk) {
			part = take_front(&e, m->ch.lblk - e.lblk);
			err = emit(m, &part);
			continue;
		}
		n = min_t(u64, m->ch.count, e.count);
		part = take_front(&e, n);
		if (part.pblk == m->ch.pblk) {		/* there already */
			err = emit(m, &part);
			if (!err)
				err = advance(m, n);
			continue;
		}
		err = release_extent(m, part);
		if (!err)
			err = emit_change(m, n);
	}
	return err;
}

/* All changes that begin below hi, up to hi. */
static int merge_rest(struct merge *m, u64 hi)
{
	int err = 0;

	while (m->have && m->ch.lblk < hi && !err)
		err = emit_change(m, min_t(u64, m->ch.count, hi - m->ch.lblk));
	return err;
}

static int merge_leaf(struct merge *m, const struct lb_node *node, u64 hi)
{
	unsigned int i, n = lb_node_count(node);
	struct lb_extent_cpu e = lb_extent_decode(&node->extents[n - 1]);
	int err = e.lblk + e.count > hi ? -EUCLEAN : 0;

	for (i = 0; i < n && !err; i++)
		err = merge_extent(m, lb_extent_decode(&node->extents[i]));
	return err ? err : merge_rest(m, hi);
}

/* ------------------------------------------------------------------ nodes */

/* Take an old node with keys in [lo, hi) apart: a leaf at once; an upper node becomes the top frame. */
static int open_node(struct merge *m, const struct lb_ref *ref, u64 lo, u64 hi)
{
	struct lb_cnode *cn;
	int err = lb_cache_get(m->w->cache, ref, LB_TREE_MAP, 0, &cn);

	if (err)
		return err;
	m->opened++;
	if (lb_node_first_lblk(cn->node) < lo)
		err = -EUCLEAN;
	else if (node_owned(m->o, ref->gen, lb_node_first_lblk(cn->node)))
		err = lb_tree_writer_release(m->w, ref);
	if (!err && ref->level) {
		m->frames[m->depth++] = (struct merge_frame){ .cn = cn, .hi = hi };
		return 0;
	}
	if (!err)
		err = merge_leaf(m, cn->node, hi);
	lb_cache_put(m->w->cache, cn);
	return err;
}

/* A leaf of which nothing stays and which holds nothing of the volume's own need not be read. */
static bool leaf_replaced(const struct merge *m, const struct lb_ref *ref, u64 lo, u64 hi)
{
	return ref->level == 0 && m->have && m->ch.lblk <= lo && m->ch.lblk + m->ch.count >= min_t(u64, hi, LB_LBLK_MAX + 1) &&
	       !node_owned(m->o, ref->gen, lo);
}

/* 1: the node is linked as it is; 0: it has to be opened. */
static int try_link(struct merge *m, const struct lb_map_child *child, const struct lb_ref *ref, u64 hi)
{
	int err;

	if (m->have && m->ch.lblk < hi)
		return 0;
	err = flush_tail(m);
	if (!err)
		err = lb_builder_settle(&m->b, ref->level);
	if (err <= 0)
		return err;
	err = lb_builder_add_child(&m->b, ref->level + 1, child);
	return err ? err : 1;
}

/* The next child of the top frame. */
static int merge_child(struct merge *m)
{
	struct merge_frame *f = &m->frames[m->depth - 1];
	const struct lb_node *n = f->cn->node;
	const struct lb_map_child *child;
	struct lb_ref ref;
	u64 lo, hi;
	int err;

	if (f->i == lb_node_count(n)) {
		lb_cache_put(m->w->cache, f->cn);
		m->depth--;
		return 0;
	}
	child = &n->children[f->i];
	lo = le64_to_cpu(child->lblk);
	hi = lb_node_child_end(n, f->i, f->hi);
	if (hi <= lo)
		return -EUCLEAN;
	f->i++;
	ref = lb_ref_decode(&child->ptr);
	if (leaf_replaced(m, &ref, lo, hi)) {
		m->opened++;
		return merge_rest(m, hi);
	}
	err = try_link(m, child, &ref, hi);
	if (err)
		return err < 0 ? err : 0;
	return open_node(m, &ref, lo, hi);
}

static int merge_tree(struct merge *m, const struct lb_ref *root)
{
	int err = root->addr ? open_node(m, root, 0, ~0ULL) : merge_rest(m, ~0ULL);

	while (!err && m->depth) {
		err = merge_child(m);
		port_cond_resched();
	}
	return err;
}

/*
 * No change is left: what the builder has becomes the tree. A single old node that is all there is becomes the root, as
 * a new node.
 */
static int merge_finish(struct merge *m, struct lb_ref *root)
{
	int err = flush_tail(m);

	while (!err) {
		err = lb_builder_finish(&m->b, root);
		if (err <= 0)
			return err;
		err = open_node(m, root, 0, ~0ULL);
		while (!err && m->depth) {
			struct merge_frame *f = &m->frames[m->depth - 1];
			unsigned int i;

			for (i = 0; i < lb_node_count(f->cn->node) && !err; i++)
				err = lb_builder_add_child(&m->b, root->level, &f->cn->node->children[i]);
			lb_cache_put(m->w->cache, f->cn);
			m->depth--;
		}
		if (!err)
			err = flush_tail(m);
	}
	return err;
}

int lb_map_merge(struct lb_tree_writer *w, const struct lb_owner *o, const struct lb_ref *root, const struct lb_map_source *src,
		 struct lb_merge_result *res)
{
	struct merge *m = port_alloc(sizeof(*m), PORT_WAIT);
	int err;

	if (!m)
		return -ENOMEM;
	*res = (struct lb_merge_result){ .root = *root };
	m->w = w;
	m->o = o;
	m->src = src;
	lb_builder_init(&m->b, w, LB_TREE_MAP, o->vol);
	err = next_change(m);
	if (!err && m->have) {
		err = merge_tree(m, root);
		if (!err)
			err = merge_finish(m, &res->root);
		res->owned = m->owned;
		res->data = m->owned;
		res->nodes = (s64)m->b.nodes - (s64)m->opened;
	}
	while (m->depth)
		lb_cache_put(w->cache, m->frames[--m->depth].cn);
	lb_builder_free(&m->b);
	port_free(m);
	return err;
}

/* ------------------------------------------------------------------ the worst case */

/*
 * Two bounds, the smaller one counts. A run is what the builder makes between two moments at which a level is empty; of
 * n items it makes ceil(n / capacity) nodes.
 *
 * By changes: on each level a change opens at most two nodes of which something stays (those at its ends, or one and a
 * neighbour that has to be pulled in), and adds at most two items to a leaf (itself, and the old extent's second part)
 * or, above, one for each node more than there was. So a run of c changes has at most 2c nodes' worth and 2c items
 * more, which is 3c nodes. On the root's level only one node is there to be opened: what c changes make of it, and the
 * levels that grow above it, are not more than 3c either.
 *
 * By the tree: every node is opened, all runs together make nodes + (items added) / capacity, and one more for each
 * run: there are not more runs on a level than nodes or changes. Each new node is an item added on the level above.
 */
u64 lb_map_merge_worst(u64 nodes, u8 level, u64 changes)
{
	u64 by_changes = changes * 3 * ((u64)level + 1);
	u64 added = min_t(u64, nodes, changes * ((u64)level + 1)) + changes / (LB_MAP_LEAF_MAX / 2) + 1;
	u64 by_tree = nodes + added + added / (LB_MAP_NODE_MAX - 1) + LB_TREE_MAX_LEVEL + 1;

	return changes ? min_t(u64, by_changes, by_tree) : 0;
}
