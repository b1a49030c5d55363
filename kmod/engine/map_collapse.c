// SPDX-License-Identifier: GPL-2.0
/*
 * Collapsing a deleted parent into its only child, in bounded steps, while the child goes on being written. The head of
 * map_free.c says why each block is freed exactly once.
 *
 * The walk is that of map_free.c over the parent's tree. A node that the child's tree holds too stays with all beneath
 * it, unread. In the other leaves each block is looked up in the child: the child maps it at the same place, or it
 * goes.
 *
 * Owns nothing beyond the call. Locks: none; the committing thread. Crash: cursor, image and the child's root change in
 * the same commit.
 */
#include "map_shed.h"

/* Release what the child does not map at the same place. */
static int collapse_extent(struct lb_shed *s, const struct lb_extent_cpu *e)
{
	u64 at = 0;

	while (at < e->count) {
		struct lb_extent_cpu x;
		int err = lb_map_lookup(s->w->cache, s->child, e->lblk + at, e->count - at, 0, &x);

		if (!err && x.pblk != e->pblk + at) {
			s->freed += x.count;
			err = lb_space_release(s->w->space, e->pblk + at, x.count);
		}
		if (err)
			return err;
		at += x.count;
	}
	return 0;
}

static int collapse_keep(struct lb_shed *s, const struct lb_ref *ref, u64 lo)
{
	return lb_map_contains(s->w->cache, s->child, lo, ref->level, ref->addr);
}

/* Does the child's tree hold the parent's root? Its key is its own first one. */
static int collapse_keep_root(struct lb_shed *s, const struct lb_ref *root)
{
	struct lb_cnode *cn;
	int err;

	if (!root->addr || root->addr == s->child->addr)
		return 1;
	if (root->gen <= s->origin || !s->child->addr)
		return 0;
	err = lb_cache_get(s->w->cache, root, LB_TREE_MAP, 0, &cn);
	if (err)
		return err;
	err = collapse_keep(s, root, lb_node_first_lblk(cn->node));
	lb_cache_put(s->w->cache, cn);
	return err;
}

int lb_map_collapse_step(struct lb_tree_writer *w, const struct lb_ref *parent_root, u64 parent_origin, const struct lb_ref *child_root, u64 *cursor,
			 unsigned int budget, u64 *freed_data)
{
	struct lb_shed *s = port_alloc(sizeof(*s), PORT_WAIT);
	int err;

	if (!s)
		return -ENOMEM;
	s->w = w;
	s->origin = parent_origin;
	s->start = *cursor;
	s->cursor = *cursor;
	s->budget = budget;
	s->extent = collapse_extent;
	s->keep = collapse_keep;
	s->child = child_root;
	err = collapse_keep_root(s, parent_root);
	if (err > 0)
		s->cursor = ~0ULL;
	else if (!err)
		err = lb_shed_run(s, parent_root);
	if (err >= 0)
		*cursor = s->cursor;
	*freed_data = s->freed;
	port_free(s);
	return min_t(int, err, 0);
}
