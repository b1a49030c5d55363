// SPDX-License-Identifier: GPL-2.0
/*
 * Walking every volume's map, parents first. A volume walks what it owns (birth > origin) and claims it; of what it
 * shares, it is shown that the owner's tree holds the very same thing at the same place, and it is not walked
 * again. So each block is claimed once, at one logical address, by its owner.
 *
 * While a deleted parent P is collapsed into its heir V, step by step, P has given up all that ends at or below V's
 * cursor; what of it V's tree reaches is V's. A node's end is not the same in both trees (a neighbour may be gone
 * from V's), so for nodes of P's age P's tree is asked. Logical blocks are judged one by one: an extent may cross a
 * cursor.
 */
#include <stdio.h>

#include "ck.h"

struct walk {
	struct ck *ck;
	struct ck_vol *v;
	struct lb_node *bufs[LB_TREE_MAX_LEVEL + 1];
};

/* Where a node hangs. */
struct hang {
	u64 lo, hi;
	struct ck_above above;
};

static int walk_ref(struct walk *w, const struct lb_ref *ref, const struct hang *at);

/* ------------------------------------------------------------------ who owns it */

/* Does v own the node by birth? first: the key of its first extent. */
static bool owns_node(struct ck *ck, const struct ck_vol *v, const struct lb_ref *ref, u64 first)
{
	struct ck_held held;

	if (ref->gen > v->origin)
		return true;
	if (first >= v->cursor || ref->gen <= v->low_origin || !v->parent)
		return false;
	held = ck_map_holds(ck, v->parent, first, ref->level, ref->addr);
	return !held.found;
}

static const struct ck_vol *node_owner(struct ck *ck, const struct ck_vol *v, const struct lb_ref *ref, u64 first)
{
	while (v && !owns_node(ck, v, ref, first))
		v = v->parent;
	return v;
}

static const struct ck_vol *extent_owner(const struct ck_vol *v, u64 lblk, u64 birth)
{
	while (v && birth <= ck_origin_at(v, lblk))
		v = v->parent;
	return v;
}

/* ------------------------------------------------------------------ extents */

/*
 * Blocks [e->lblk, + e->count), all on one side of every cursor, that an ancestor owns: it must map them the same
 * way.
 */
static void judge_shared(struct walk *w, const struct ck_extent *e)
{
	const struct ck_vol *owner = extent_owner(w->v, e->lblk, e->birth);
	struct ck_extent piece = *e, theirs;
	struct ck_where at = CK_VOL_AT(w->v->id, e->pblk);
	char who[320];

	ck_vol_text(w->v, who, sizeof(who));
	if (!owner) {
		w->ck->incomplete = true;	/* it may be this volume's own, whose birth is wrong */
		ck_tell(w->ck, LBCK_EXTENT_SHARED, at,
			"%s: block %llu, born in generation %llu: older than every ancestor", who,
			(unsigned long long)e->lblk, (unsigned long long)e->birth);
		return;
	}
	if (!owner->usable)
		return;
	while (piece.count) {
		int found = ck_map_lookup(w->ck, owner, piece.lblk, &theirs);

		if (found < 0)
			return;		/* told where the owner was walked */
		if (!found || theirs.pblk != piece.pblk || theirs.birth != piece.birth) {
			w->ck->incomplete = true;
			ck_tell(w->ck, LBCK_EXTENT_SHARED, at,
				"%s: block %llu at %llu, born in generation %llu, should be volume %llu's, "
				"which has %s%llu there (born in %llu)",
				who, (unsigned long long)piece.lblk, (unsigned long long)piece.pblk,
				(unsigned long long)piece.birth,
				(unsigned long long)owner->id, found ? "" : "a hole, not ",
				(unsigned long long)(found ? theirs.pblk : piece.pblk),
				(unsigned long long)(found ? theirs.birth : 0));
			return;
		}
		if (theirs.count > piece.count)
			theirs.count = piece.count;
		piece.lblk += theirs.count;
		piece.pblk += theirs.count;
		piece.count -= theirs.count;
	}
}

/* The first cursor of the volume or an ancestor that cuts (lblk, end), or end. */
static u64 next_cut(const struct ck_vol *v, u64 lblk, u64 end)
{
	if (v->heir && v->heir->cursor > lblk && v->heir->cursor < end)
		end = v->heir->cursor;
	if (v->free_cursor > lblk && v->free_cursor < end)
		end = v->free_cursor;
	for (; v && v->cut; v = v->parent)
		if (v->cursor > lblk && v->cursor < end)
			end = v->cursor;
	return end;
}

static int judge_extent(struct walk *w, const struct ck_extent *whole)
{
	struct ck_vol *v = w->v;
	u64 end = whole->lblk + whole->count, lblk, next;
	struct ck_where at = CK_VOL_AT(v->id, whole->pblk);
	int err;

	if (end > v->size && v->state == LB_VOL_LIVE)
		ck_tell(w->ck, LBCK_EXTENT_SIZE, at, "volume %llu has %llu blocks and maps [%llu, %llu)",
			(unsigned long long)v->id,
			(unsigned long long)v->size, (unsigned long long)whole->lblk, (unsigned long long)end);
	for (lblk = whole->lblk; lblk < end; lblk = next) {
		struct ck_extent e = { .lblk = lblk, .pblk = whole->pblk + (lblk - whole->lblk),
				       .birth = whole->birth };

		next = next_cut(v, lblk, end);
		e.count = next - lblk;
		if (lblk < v->free_cursor || (v->heir && lblk < v->heir->cursor))
			continue;
		if (e.birth <= ck_origin_at(v, lblk)) {
			judge_shared(w, &e);
			continue;
		}
		err = ck_claim(w->ck, e.pblk, e.count, CK_USE_DATA, v->id, "data at logical block", e.lblk);
		if (err < 0)
			return err;
		v->found_owned += e.count;
	}
	return 0;
}

/* ------------------------------------------------------------------ nodes */

static void tell_bounds(struct walk *w, const struct lb_ref *ref, const struct hang *at, u64 first, u64 end)
{
	if (first < at->lo || end > at->hi)
		ck_tell(w->ck, LBCK_NODE_BOUNDS, CK_VOL_AT(w->v->id, ref->addr),
			"block %llu of volume %llu: keys [%llu, %llu) in [%llu, %llu)",
			(unsigned long long)ref->addr, (unsigned long long)w->v->id, (unsigned long long)first,
			(unsigned long long)end,
			(unsigned long long)at->lo, (unsigned long long)at->hi);
}

static struct hang child_hang(const struct lb_node *n, unsigned int i, const struct hang *at)
{
	bool last = i + 1u == le16_to_cpu(n->header.count);

	return (struct hang){
		.lo = le64_to_cpu(n->children[i].lblk),
		.hi = last ? at->hi : le64_to_cpu(n->children[i + 1].lblk),
		.above = { .gen = le64_to_cpu(n->header.gen), .level = (u8)(n->header.level - 1),
			   .rightmost = last && at->above.rightmost },
	};
}

/*
 * Children of a node that was claimed (or that is P's and straddles the cursor, with only_below: those of v's that
 * begin below it).
 */
static int walk_children(struct walk *w, const struct lb_ref *ref, const struct hang *at, u64 only_below)
{
	struct lb_node *n = w->bufs[ref->level];
	unsigned int i;
	int err = 0;

	tell_bounds(w, ref, at, le64_to_cpu(n->children[0].lblk),
		    le64_to_cpu(n->children[le16_to_cpu(n->header.count) - 1].lblk) + 1);
	for (i = 0; i < le16_to_cpu(n->header.count) && !err; i++) {
		struct hang child = child_hang(n, i, at);
		struct lb_ref child_ref = lb_ref_decode(&n->children[i].ptr);

		if (child.lo >= only_below)
			break;
		err = walk_ref(w, &child_ref, &child);
	}
	return err;
}

static int walk_leaf(struct walk *w, const struct lb_ref *ref, const struct hang *at)
{
	const struct lb_node *n = w->bufs[0];
	unsigned int i, count = le16_to_cpu(n->header.count);
	struct ck_extent first = ck_extent(n, 0), last = ck_extent(n, count - 1);
	int err = 0;

	tell_bounds(w, ref, at, first.lblk, last.lblk + last.count);
	for (i = 0; i < count && !err; i++) {
		struct ck_extent e = ck_extent(n, i);

		err = judge_extent(w, &e);
	}
	return err;
}

static int claim_node(struct walk *w, const struct lb_ref *ref)
{
	const char *what = ref->level ? "upper node, level" : "leaf, level";
	int err = ck_claim(w->ck, ref->addr, 1, CK_USE_META, w->v->id, what, ref->level);

	if (err >= 0 && ref->addr2)
		err = ck_claim(w->ck, ref->addr2, 1, CK_USE_META, w->v->id, what, ref->level);
	return err < 0 ? err : 0;
}

static int load_buf(struct walk *w, const struct lb_ref *ref)
{
	if (!w->bufs[ref->level])
		w->bufs[ref->level] = port_alloc_block(PORT_WAIT);
	return w->bufs[ref->level] ? 0 : -ENOMEM;
}

static int walk_owned(struct walk *w, const struct lb_ref *ref, const struct hang *at)
{
	u64 before = w->v->found_nodes;
	int err = claim_node(w, ref);

	if (!err)
		err = load_buf(w, ref);
	if (!err)
		err = ck_node_judge(w->ck, ref, LB_TREE_MAP, w->v->id, &at->above, w->bufs[ref->level]);
	if (err < 0)
		return err;
	w->v->found_nodes++;
	if (err) {
		w->ck->incomplete = true;
		w->v->whole = false;
		return 0;
	}
	if (!ref->level)
		return walk_leaf(w, ref, at);
	err = walk_children(w, ref, at, ~0ULL);
	if (!err && w->v->whole)
		err = ck_memo_put(w->ck->memo, ref->addr, w->v->found_nodes - before);
	return err;
}

/* How many nodes a shared subtree has: remembered from where it was walked. */
static void count_shared(struct walk *w, const struct lb_ref *ref)
{
	u64 nodes = ref->level ? ck_memo_get(w->ck->memo, ref->addr) : 1;

	w->v->found_nodes += nodes;
	if (!nodes)
		w->v->whole = false;
}

/* An ancestor's node: its tree must hold it, and what is in it must lie within the bounds that it has in this tree. */
static int walk_shared(struct walk *w, const struct lb_ref *ref, const struct hang *at, u64 first)
{
	const struct ck_vol *v = w->v, *owner = node_owner(w->ck, v, ref, first);
	u64 end;

	count_shared(w, ref);
	if (!owner) {
		w->ck->incomplete = true;
		ck_tell(w->ck, LBCK_NODE_SHARED, CK_VOL_AT(v->id, ref->addr),
			"volume %llu: block %llu, born in generation %llu: older than every ancestor",
			(unsigned long long)v->id,
			(unsigned long long)ref->addr, (unsigned long long)ref->gen);
		return 0;
	}
	if (!owner->usable)
		return 0;
	if (!ck_map_holds(w->ck, owner, first, ref->level, ref->addr).found) {
		w->ck->incomplete = true;
		ck_tell(w->ck, LBCK_NODE_SHARED, CK_VOL_AT(v->id, ref->addr),
			"volume %llu: block %llu, level %u, of generation %llu, is not in volume %llu's tree at %llu",
			(unsigned long long)v->id, (unsigned long long)ref->addr, ref->level,
			(unsigned long long)ref->gen,
			(unsigned long long)owner->id, (unsigned long long)first);
		return 0;
	}
	end = ck_map_end(w->ck, ref);
	if (end)
		tell_bounds(w, ref, at, first, end);
	/* P's own node across the cursor: children below it may be v's. */
	if (ref->level && first < v->cursor && at->hi > v->cursor && ref->gen > v->low_origin) {
		const struct lb_node *n = ck_node(w->ck, ref, LB_TREE_MAP);
		int err = load_buf(w, ref);

		if (err || !n)
			return err;
		memcpy(w->bufs[ref->level], n, sizeof(*n));
		w->v->whole = false;
		return walk_children(w, ref, at, v->cursor);
	}
	return 0;
}

static int walk_ref(struct walk *w, const struct lb_ref *ref, const struct hang *at)
{
	struct ck_vol *v = w->v;
	u64 first;

	if (at->hi <= v->free_cursor || (v->heir && at->hi <= v->heir->cursor)) {
		v->whole = false;
		return 0;
	}
	if (ref->gen > v->origin)
		return walk_owned(w, ref, at);
	if (at->above.root && v->parent && ck_ref_same(&v->parent->root, ref) && !v->cursor) {
		count_shared(w, ref);
		return 0;
	}
	first = ck_map_first(w->ck, ref);
	if (first == ~0ULL) {
		/* Its owner's pointer may be a better one than this. */
		ck_tell(w->ck, LBCK_NODE_BAD, CK_VOL_AT(v->id, ref->addr),
			"block %llu, which volume %llu shares, or what is beneath it",
			(unsigned long long)ref->addr, (unsigned long long)v->id);
		w->ck->incomplete = true;
		v->whole = false;
		return 0;
	}
	if (owns_node(w->ck, v, ref, first))
		return walk_owned(w, ref, at);
	return walk_shared(w, ref, at, first);
}

/* ------------------------------------------------------------------ volumes */

static int walk_volume(struct walk *w)
{
	struct ck_vol *v = w->v;
	struct hang at = { .lo = 0, .hi = LB_LBLK_MAX + 1,
			   .above = { .gen = w->ck->gen, .level = v->root.level, .root = true, .rightmost = true } };

	v->found_owned = 0;
	v->found_nodes = 0;
	v->whole = true;
	if (!v->root.addr)
		return 0;
	if (v->root.level > LB_TREE_MAX_LEVEL) {
		ck_tell(w->ck, LBCK_NODE_KIND, CK_VOL_AT(v->id, v->root.addr), "volume %llu's root has level %u",
			(unsigned long long)v->id,
			v->root.level);
		w->ck->incomplete = true;
		v->whole = false;
		return 0;
	}
	return walk_ref(w, &v->root, &at);
}

int ck_maps(struct ck *ck)
{
	struct walk w = { .ck = ck };
	unsigned int level;
	size_t i;
	int err = 0;

	/* An ancestor's nodes are counted when a descendant asks for them: by depth, then. */
	for (i = 0; i < ck->cat.vol_count && !err; i++) {
		w.v = ck->cat.by_depth[i];
		if (w.v->usable)
			err = walk_volume(&w);
		else
			ck->incomplete = true;
	}
	for (level = 0; level <= LB_TREE_MAX_LEVEL; level++)
		port_free_block(w.bufs[level]);
	return err;
}
