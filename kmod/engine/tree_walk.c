// SPDX-License-Identifier: GPL-2.0
/*
 * Walking all nodes of a tree, of either kind, in key order, parents first: for the checker, the scrub, and counting.
 *
 * Every node's keys have to lie within the range that its parent gives it. So a node cannot be met twice, and a walk
 * ends, also in a tree that somebody made to the contrary.
 *
 * Owns nothing beyond the call. The nodes on the way down stay pinned, at most one per level. Locks: none.
 */
#include "tree.h"

/*
 * A range of keys: [lo, hi) in a map; in the catalog from lo_key on to before hi_key (len 0: no end), which lie in
 * nodes further up, which are pinned.
 */
struct walk_range {
	u64 lo, hi;
	struct lb_item_cpu lo_key, hi_key;
};

struct walk_frame {
	struct lb_cnode *cn;
	unsigned int i;		/* the next child */
	struct walk_range range;
};

struct walk {
	struct lb_cache *c;
	const struct lb_walk_ops *ops;
	void *arg;
	u8 kind;
	unsigned int depth;
	struct walk_frame frames[LB_TREE_MAX_LEVEL + 1];
};

static bool key_in_range(const struct lb_item_cpu *it, const struct walk_range *r)
{
	return lb_key_cmp(it->key, it->key_len, r->lo_key.key, r->lo_key.key_len) >= 0 &&
	       (!r->hi_key.key_len || lb_key_cmp(it->key, it->key_len, r->hi_key.key, r->hi_key.key_len) < 0);
}

/* Its first and last key: those between ascend. */
static bool node_in_range(const struct lb_node *n, u8 kind, const struct walk_range *r)
{
	unsigned int last = lb_node_count(n) - 1;
	struct lb_extent_cpu e;
	struct lb_item_cpu it;

	if (kind == LB_TREE_CATALOG) {
		it = lb_node_item(n, last);
		if (!key_in_range(&it, r))
			return false;
		it = lb_node_item(n, 0);
		return key_in_range(&it, r);
	}
	if (lb_node_first_lblk(n) < r->lo)
		return false;
	if (lb_node_level(n))
		return le64_to_cpu(n->children[last].lblk) < r->hi;
	e = lb_extent_decode(&n->extents[last]);
	return e.lblk + e.count <= r->hi;
}

/* Visit one node; if it is to be descended into, it becomes the top frame. */
static int visit(struct walk *w, const struct lb_ref *ref, const struct walk_range *r)
{
	struct lb_cnode *cn = NULL;
	int err;

	if (w->ops->pre) {
		err = w->ops->pre(w->arg, ref, r->lo, r->hi);
		if (err)
			return err == LB_WALK_SKIP ? 0 : err;
	}
	err = lb_cache_get(w->c, ref, w->kind, 0, &cn);
	if (!err && !node_in_range(cn->node, w->kind, r)) {
		lb_cache_put(w->c, cn);
		err = -EUCLEAN;
	}
	if (err)
		return w->ops->bad ? w->ops->bad(w->arg, ref, err) : err;
	err = w->ops->enter(w->arg, ref, cn->node, r->lo, r->hi);
	if (err == LB_WALK_DESCEND && ref->level) {
		w->frames[w->depth++] = (struct walk_frame){ .cn = cn, .range = *r };
		return 0;
	}
	lb_cache_put(w->c, cn);
	return err == LB_WALK_SKIP ? 0 : err;
}

static int visit_next(struct walk *w)
{
	struct walk_frame *f = &w->frames[w->depth - 1];
	const struct lb_node *n = f->cn->node;
	struct walk_range r = f->range;
	struct lb_ref ref;

	if (f->i == lb_node_count(n)) {
		lb_cache_put(w->c, f->cn);
		w->depth--;
		return 0;
	}
	ref = lb_node_child(n, w->kind, f->i);
	if (w->kind == LB_TREE_MAP) {
		r.lo = le64_to_cpu(n->children[f->i].lblk);
		r.hi = lb_node_child_end(n, f->i, r.hi);
	} else {
		r.lo_key = lb_node_item(n, f->i);
		if (f->i + 1 < lb_node_count(n))
			r.hi_key = lb_node_item(n, f->i + 1);
	}
	f->i++;
	return visit(w, &ref, &r);
}

int lb_tree_walk(struct lb_cache *c, const struct lb_ref *root, u8 kind, const struct lb_walk_ops *ops, void *arg)
{
	const u8 none = 0;
	struct walk_range all = { .hi = ~0ULL, .lo_key = { .key = &none } };
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
	err = visit(w, root, &all);
	while (!err && w->depth) {
		err = visit_next(w);
		port_cond_resched();
	}
	while (w->depth)
		lb_cache_put(c, w->frames[--w->depth].cn);
	port_free(w);
	return err;
}
