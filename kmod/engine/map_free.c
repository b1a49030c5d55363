// SPDX-License-Identifier: GPL-2.0
/*
 * Freeing what a deleted volume owns, in bounded steps.
 *
 * The tree does not change any more. A step walks the owned nodes from the cursor on, in key order: an owned leaf goes
 * with the extents in it that are owned; an upper node goes when its last child is done, for until then it is the way
 * to what is left. A node not owned holds nothing younger than itself: it is skipped unread. The cursor is always the
 * end of some leaf's range, and of every node it can be said whether the end of its range is at or below the cursor
 * (gone) or not (there). So a later step, or one after a crash, finds its way by the cursor alone, and never meets a
 * freed node.
 *
 * Why each block is freed exactly once, here and in map_collapse.c, with merges in between
 *
 *   Collapse frees what a deleted parent P owns (P.origin < birth <= P.frozen) and its only child C does not reach,
 *   while C goes on being written. At the cursor's position c, P's extents and nodes fall in two parts: decided (key <
 *   c; for a node: the end of its range in P's tree <= c) and undecided. For C, low_origin = P.origin and origin =
 *   P.frozen, so that what is P's counts as C's own exactly when it is decided.
 *   - A step decides what lies between the old cursor and the new one, against C's root of the same commit. What C
 *     reaches stays, and is C's from then on: a later merge into C that replaces it releases it. What C does not reach
 *     is released now, and C, which only ever gets new blocks, will never reach it again.
 *   - A merge into C leaves what is undecided alone. If C lets go of it, the step that decides it finds it unreached
 *     and releases it.
 *   So each is released once, if both sides draw the line at the same place. For an extent they do: block by block, by
 *   its key, and an extent of C's that crosses the cursor (two of P's with one birth, joined) is cut there. Joining
 *   changes births, never a block's place, and steps compare places. For a node the line is the end of its range in P's
 *   tree, and C's tree does not know that: there the node can reach further, when C deleted what lay to its right. But
 *   of a node in C's tree its first key is enough. If that is at or behind c, the node is undecided. If it is before c,
 *   the node is decided, for c is not within its range in P's tree: a step stops within a node's range only after going
 *   into the node, which it does only when C does not reach it, and C never will again.
 *   - A node that lies across c was gone into, hence is not reached by C; it is released when the cursor passes its
 *     end. Until then it can be read.
 *   - Nodes reached are found by their key: a link keeps its key for as long as the node is linked, so a look-up of the
 *     key in C's tree passes the node if it is there.
 *
 * Owns: the pinned nodes on the way down. Locks: none; the committing thread. Crash: cursor and image change in the
 * same commit.
 */
#include "map_shed.h"

/* ------------------------------------------------------------------ the walk that both kinds of freeing share */

static bool budget_spent(const struct lb_shed *s)
{
	return s->spent >= s->budget && s->cursor > s->start;
}

static int shed_leaf(struct lb_shed *s, const struct lb_node *n)
{
	unsigned int i, count = lb_node_count(n);
	int err = 0;

	for (i = 0; i < count && !err; i++) {
		struct lb_extent_cpu e = lb_extent_decode(&n->extents[i]);

		if (e.birth > s->origin)
			err = s->extent(s, &e);
	}
	return err;
}

/* Read a node that is to go. A leaf goes at once, an upper node becomes the top frame. */
static int shed_open(struct lb_shed *s, const struct lb_ref *ref, u64 lo, u64 hi)
{
	struct lb_cnode *cn;
	int err = lb_cache_get(s->w->cache, ref, LB_TREE_MAP, 0, &cn);

	if (err)
		return err;
	s->spent++;
	if (lb_node_first_lblk(cn->node) < lo)
		err = -EUCLEAN;
	if (!err && ref->level) {
		s->frames[s->depth++] = (struct lb_shed_frame){ .cn = cn, .hi = hi, .ref = *ref };
		return 0;
	}
	if (!err)
		err = shed_leaf(s, cn->node);
	lb_cache_put(s->w->cache, cn);
	if (!err)
		err = lb_tree_writer_release(s->w, ref);
	s->cursor = hi;
	return err;
}

/* The next child of the top frame, or, behind the last one, the top frame's own node. */
static int shed_next(struct lb_shed *s)
{
	struct lb_shed_frame *f = &s->frames[s->depth - 1];
	const struct lb_node *n = f->cn->node;
	struct lb_ref ref;
	u64 lo, hi;
	int err;

	if (f->i == lb_node_count(n)) {
		lb_cache_put(s->w->cache, f->cn);
		s->depth--;
		return lb_tree_writer_release(s->w, &f->ref);
	}
	lo = le64_to_cpu(n->children[f->i].lblk);
	hi = lb_node_child_end(n, f->i, f->hi);
	if (hi <= lo || hi > f->hi)
		return -EUCLEAN;
	ref = lb_node_child(n, LB_TREE_MAP, f->i);
	f->i++;
	if (hi <= s->cursor)
		return 0;
	err = ref.gen > s->origin ? s->keep(s, &ref, lo) : 1;
	if (err > 0)
		s->cursor = hi;
	return err ? min_t(int, err, 0) : shed_open(s, &ref, lo, hi);
}

/* May the step end here: no frame is finished that would have to go together with what ends at the cursor? */
static bool shed_may_stop(const struct lb_shed *s)
{
	const struct lb_shed_frame *f = &s->frames[s->depth - 1];

	return budget_spent(s) && f->i < lb_node_count(f->cn->node);
}

int lb_shed_run(struct lb_shed *s, const struct lb_ref *root)
{
	int err = root->gen > s->origin ? shed_open(s, root, 0, ~0ULL) : 0;

	if (!root->addr || root->gen <= s->origin)
		s->cursor = ~0ULL;
	while (!err && s->depth && !shed_may_stop(s)) {
		err = shed_next(s);
		port_cond_resched();
	}
	while (s->depth)
		lb_cache_put(s->w->cache, s->frames[--s->depth].cn);
	return err;
}

/* ------------------------------------------------------------------ deletion */

static int free_extent(struct lb_shed *s, const struct lb_extent_cpu *e)
{
	s->freed += e->count;
	return lb_space_release(s->w->space, e->pblk, e->count);
}

static int keep_none(struct lb_shed *s, const struct lb_ref *ref, u64 lo)
{
	(void)s;
	(void)ref;
	(void)lo;
	return 0;
}

int lb_map_free_step(struct lb_tree_writer *w, const struct lb_ref *root, u64 origin, u64 *cursor, unsigned int budget, u64 *freed_data)
{
	struct lb_shed *s = port_alloc(sizeof(*s), PORT_WAIT);
	int err;

	if (!s)
		return -ENOMEM;
	s->w = w;
	s->origin = origin;
	s->start = *cursor;
	s->cursor = *cursor;
	s->budget = budget;
	s->extent = free_extent;
	s->keep = keep_none;
	err = lb_shed_run(s, root);
	if (err >= 0)
		*cursor = s->cursor;
	*freed_data = s->freed;
	port_free(s);
	return err;
}
