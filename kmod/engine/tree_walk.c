// SPDX-License-Identifier: GPL-2.0
/*
 * Walking all nodes of a tree, of either kind, in key order, parents first: for the checker, the scrub, and counting.
 *
 * Owns nothing beyond the call. The nodes on the way down stay pinned, at most one per level. Locks: none.
 */
#include "tree.h"

struct walk_frame {
	struct lb_cnode *cn;
	unsigned int i;		/* the next child */
	u64 hi;
};

struct walk {
	struct lb_cache *c;
	const struct lb_walk_ops *ops;
	void *arg;
	u8 kind;
	unsigned int depth;
	struct walk_frame frames[LB_TREE_MAX_LEVEL + 1];
};

/* Visit one node; if it is to be descended into, it becomes the top frame. */
static int visit(struct walk *w, const struct lb_ref *ref, u64 lo, u64 hi)
{
	struct lb_cnode *cn;
	int err;

	if (w->ops->pre) {
		err = w->ops->pre(w->arg, ref, lo, hi);
		if (err)
			return err == LB_WALK_SKIP ? 0 : err;
	}
	err = lb_cache_get(w->c, ref, w->kind, 0, &cn);
	if (err)
		return w->ops->bad ? w->ops->bad(w->arg, ref, err) : err;
	err = w->ops->enter(w->arg, ref, cn->node, lo, hi);
	if (err == LB_WALK_DESCEND && ref->level) {
		w->frames[w->depth++] = (struct walk_frame){ .cn = cn, .hi = hi };
		return 0;
	}
	lb_cache_put(w->c, cn);
	return err == LB_WALK_SKIP ? 0 : err;
}

static int visit_next(struct walk *w)
{
	struct walk_frame *f = &w->frames[w->depth - 1];
	const struct lb_node *n = f->cn->node;
	struct lb_ref ref;
	u64 lo = 0, hi = ~0ULL;

	if (f->i == lb_node_count(n)) {
		lb_cache_put(w->c, f->cn);
		w->depth--;
		return 0;
	}
	ref = lb_node_child(n, w->kind, f->i);
	if (w->kind == LB_TREE_MAP) {
		lo = le64_to_cpu(n->children[f->i].lblk);
		hi = lb_node_child_end(n, f->i, f->hi);
	}
	f->i++;
	return visit(w, &ref, lo, hi);
}

int lb_tree_walk(struct lb_cache *c, const struct lb_ref *root, u8 kind, const struct lb_walk_ops *ops, void *arg)
{
	struct walk *w;
	int err;

	if (!root->addr)
		return 0;
	w = port_alloc(sizeof(*w), PORT_WAIT);
	if (!w)
		return -ENOMEM;
	w->c = c;
	w->ops = ops;
	w->arg = arg;
	w->kind = kind;
	err = visit(w, root, 0, ~0ULL);
	while (!err && w->depth) {
		err = visit_next(w);
		port_cond_resched();
	}
	while (w->depth)
		lb_cache_put(c, w->frames[--w->depth].cn);
	port_free(w);
	return err;
}
