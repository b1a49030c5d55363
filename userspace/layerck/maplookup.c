// SPDX-License-Identifier: GPL-2.0
/*
 * Looking something up in one volume's map: a mapping, a node, the extent of a subtree. Silent: a node that cannot
 * be believed is told of where it is walked. Nothing is read that the volume has given up: what lies below its
 * heir's cursor, or below its own free_cursor.
 */
#include "ck.h"

static u64 given_up(const struct ck_vol *v)
{
	return v->heir && v->heir->cursor > v->free_cursor ? v->heir->cursor : v->free_cursor;
}

/* The child that key belongs to; a key below the first child's gives the first. */
static unsigned int child_of(const struct lb_node *n, u64 key)
{
	unsigned int i, count = le16_to_cpu(n->header.count);

	for (i = 1; i < count && le64_to_cpu(n->children[i].lblk) <= key; i++)
		;
	return i - 1;
}

struct ck_held ck_map_holds(struct ck *ck, const struct ck_vol *v, u64 key, u8 level, u64 addr)
{
	struct ck_held at = { .found = false, .lo = 0, .hi = LB_LBLK_MAX + 1 };
	struct lb_ref ref = v->root;
	const struct lb_node *n;
	unsigned int i;

	while (ref.addr && ref.level > level && at.hi > given_up(v)) {
		n = ck_node(ck, &ref, LB_TREE_MAP);
		if (!n)
			return at;
		i = child_of(n, key);
		at.lo = le64_to_cpu(n->children[i].lblk);
		if (i + 1u < le16_to_cpu(n->header.count))
			at.hi = le64_to_cpu(n->children[i + 1].lblk);
		ref = lb_ref_decode(&n->children[i].ptr);
	}
	at.found = ref.addr == addr && ref.level == level && ref.addr && at.hi > given_up(v);
	return at;
}

int ck_map_lookup(struct ck *ck, const struct ck_vol *v, u64 lblk, struct ck_extent *e)
{
	u64 hi = LB_LBLK_MAX + 1;
	struct lb_ref ref = v->root;
	const struct lb_node *n = NULL;
	unsigned int i;

	while (ref.addr) {
		if (hi <= given_up(v))
			return 0;
		n = ck_node(ck, &ref, LB_TREE_MAP);
		if (!n)
			return -EUCLEAN;
		if (!ref.level)
			break;
		i = child_of(n, lblk);
		if (i + 1u < le16_to_cpu(n->header.count))
			hi = le64_to_cpu(n->children[i + 1].lblk);
		ref = lb_ref_decode(&n->children[i].ptr);
	}
	for (i = 0; ref.addr && n && i < le16_to_cpu(n->header.count); i++) {
		*e = ck_extent(n, i);
		if (e->lblk + e->count <= lblk)
			continue;
		if (e->lblk > lblk)
			return 0;
		e->pblk += lblk - e->lblk;
		e->count -= lblk - e->lblk;
		e->lblk = lblk;
		return 1;
	}
	return 0;
}

u64 ck_map_end(struct ck *ck, const struct lb_ref *ref)
{
	struct lb_ref at = *ref;
	const struct lb_node *n;
	struct ck_extent e;

	for (;;) {
		n = ck_node(ck, &at, LB_TREE_MAP);
		if (!n)
			return 0;
		if (!at.level)
			break;
		at = lb_ref_decode(&n->children[le16_to_cpu(n->header.count) - 1].ptr);
	}
	e = ck_extent(n, le16_to_cpu(n->header.count) - 1u);
	return e.lblk + e.count;
}

u64 ck_map_first(struct ck *ck, const struct lb_ref *ref)
{
	struct lb_ref at = *ref;
	const struct lb_node *n;

	for (;;) {
		n = ck_node(ck, &at, LB_TREE_MAP);
		if (!n)
			return ~0ULL;
		if (!at.level)
			return ck_extent(n, 0).lblk;
		at = lb_ref_decode(&n->children[0].ptr);
	}
}
