// SPDX-License-Identifier: GPL-2.0
/*
 * Look-ups in a map tree.
 *
 * Owns nothing. What is in memory is looked at in one read section, without pins; else at most one node is pinned at a time. Locks: none;
 * a tree on disk never changes in place, and the caller sees to it that its blocks are not reused meanwhile (lb_io_enter, or it is the
 * committing thread).
 */
#include "engine.h"
#include "tree.h"

/*
 * The node of `level` that a look-up of lblk passes: its reference in *ref (in: the root's), the end of its range in
 * *hi (in: the root's).
 */
static int descend(struct lb_cache *c, u64 lblk, u8 level, unsigned int flags, struct lb_ref *ref, u64 *hi)
{
	while (ref->level > level) {
		struct lb_cnode *cn;
		unsigned int i;
		int err = lb_cache_get(c, ref, LB_TREE_MAP, flags, &cn);

		if (err)
			return err;
		i = lb_node_find_child(cn->node, lblk);
		*hi = lb_node_child_end(cn->node, i, *hi);
		*ref = lb_node_child(cn->node, LB_TREE_MAP, i);
		lb_cache_put(c, cn);
	}
	return 0;
}

/* i: the first extent that ends behind lblk. */
static void leaf_near(const struct lb_node *leaf, unsigned int i, u64 lblk, struct lb_near *near)
{
	unsigned int at = i ? i - 1 : 0, end = min_t(unsigned int, i + 2, lb_node_count(leaf));

	for (; at < end; at++) {
		struct lb_extent_cpu x = lb_extent_decode(&leaf->extents[at]);
		u64 pblk = x.birth > near->birth ? lb_near_place(x.lblk, x.count, x.pblk, lblk) : 0;

		if (pblk) {
			near->pblk = pblk;
			return;
		}
	}
}

static int leaf_extent(const struct lb_node *leaf, u64 lblk, struct lb_extent_cpu *e, struct lb_near *near)
{
	unsigned int i = lb_node_find_extent(leaf, lblk);

	if (near)
		leaf_near(leaf, i, lblk, near);
	if (i >= lb_node_count(leaf))
		return -ENOENT;
	*e = lb_extent_decode(&leaf->extents[i]);
	return 0;
}

/* As find_in_leaf(), as far as memory goes: else -EAGAIN. */
static int peek_in_leaf(struct lb_cache *c, const struct lb_ref *root, u64 lblk, u64 *hi, struct lb_extent_cpu *e, struct lb_near *near)
{
	const struct lb_node *n;
	struct lb_ref ref;
	unsigned int i;
	int err;

	*hi = ~0ULL;
	port_rcu_enter();
	n = lb_cache_peek(c, root, LB_TREE_MAP);
	while (n && lb_node_level(n)) {
		i = lb_node_find_child(n, lblk);
		*hi = lb_node_child_end(n, i, *hi);
		ref = lb_node_child(n, LB_TREE_MAP, i);
		n = lb_cache_peek(c, &ref, LB_TREE_MAP);
	}
	err = n ? leaf_extent(n, lblk, e, near) : -EAGAIN;
	port_rcu_leave();
	return err;
}

/*
 * The first extent that ends behind lblk in the leaf for lblk: 0; -ENOENT if that leaf has none. *hi: where the leaf's
 * range ends. near: may be NULL.
 */
static int find_in_leaf(struct lb_cache *c, const struct lb_ref *root, u64 lblk, unsigned int flags, u64 *hi, struct lb_extent_cpu *e,
			struct lb_near *near)
{
	struct lb_ref ref = *root;
	struct lb_cnode *cn;
	int err = peek_in_leaf(c, root, lblk, hi, e, near);

	if (err != -EAGAIN || (flags & LB_NOWAIT))
		return err;
	*hi = ~0ULL;
	err = descend(c, lblk, 0, flags, &ref, hi);
	if (!err)
		err = lb_cache_get(c, &ref, LB_TREE_MAP, flags, &cn);
	if (err)
		return err;
	err = leaf_extent(cn->node, lblk, e, near);
	lb_cache_put(c, cn);
	return err;
}

static void set_hole(struct lb_extent_cpu *e, u64 lblk, u64 end)
{
	*e = (struct lb_extent_cpu){ .lblk = lblk, .count = end - lblk, .pblk = LB_PBLK_HOLE };
}

int lb_map_lookup_near(struct lb_cache *c, const struct lb_ref *root, u64 lblk, u64 count, unsigned int flags, struct lb_extent_cpu *e,
		       struct lb_near *near)
{
	u64 end = lblk + count, at = lblk, hi;
	struct lb_extent_cpu x;
	u64 skip;

	while (root->addr && at < end) {
		int err = find_in_leaf(c, root, at, flags, &hi, &x, at == lblk ? near : NULL);

		if (err == -EAGAIN && at > lblk) {
			end = at;	/* a hole so far, and what comes next is not in memory */
			break;
		}
		if (err && err != -ENOENT)
			return err;
		if (err) {		/* none up to the leaf's end */
			at = hi > at ? hi : end;
			continue;
		}
		if (x.lblk > lblk) {
			end = min_t(u64, end, x.lblk);
			break;
		}
		skip = lblk - x.lblk;
		*e = (struct lb_extent_cpu){ .lblk = lblk, .count = min_t(u64, x.count - skip, count), .pblk = x.pblk + skip, .birth = x.birth };
		return 0;
	}
	set_hole(e, lblk, end);
	return 0;
}

int lb_map_lookup(struct lb_cache *c, const struct lb_ref *root, u64 lblk, u64 count, unsigned int flags, struct lb_extent_cpu *e)
{
	return lb_map_lookup_near(c, root, lblk, count, flags, e, NULL);
}

int lb_map_next(struct lb_cache *c, const struct lb_ref *root, u64 lblk, struct lb_extent_cpu *e)
{
	u64 hi = ~0ULL;
	int err;

	if (!root->addr)
		return -ENOENT;
	for (;;) {
		err = find_in_leaf(c, root, lblk, 0, &hi, e, NULL);
		if (err != -ENOENT || hi == ~0ULL)
			return err;
		if (hi <= lblk)		/* bounds that run backwards */
			return -EUCLEAN;
		lblk = hi;
	}
}

int lb_map_contains(struct lb_cache *c, const struct lb_ref *root, u64 key, u8 level, u64 addr)
{
	struct lb_ref ref = *root;
	u64 hi = ~0ULL;
	int err;

	if (!root->addr || root->level < level)
		return 0;
	err = descend(c, key, level, 0, &ref, &hi);
	return err ? err : ref.addr == addr;
}
