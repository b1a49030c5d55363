// SPDX-License-Identifier: GPL-2.0
/*
 * The tree of a salvaged volume, from its extents, level by level. Where a node that exists holds just what comes next,
 * it is linked: one of the volume's own old ones, or one of its parent's new tree, and so what was shared is still shared,
 * and the rest of the old trees is not written again. All other nodes are written to free places; the old trees stay
 * whole until the new superblock is durable.
 *
 * A new node of a frozen volume is born in the generation in which that was frozen: later than anything in it, and not
 * later than its children's origin, so that it is not taken for theirs.
 */
#include <stdlib.h>

#include "salvage.h"

/* ------------------------------------------------------------------ nodes that can be used again */

static int cmp_used(const void *a, const void *b)
{
	const struct used_node *x = a, *y = b;

	if (x->ref.level != y->ref.level)
		return x->ref.level < y->ref.level ? -1 : 1;
	return (x->first > y->first) - (x->first < y->first);
}

struct gather {
	struct salvage *s;
	u64 least_gen;
	struct used_node **list;
	size_t *count, *room;
	struct lb_node *bufs[LB_TREE_MAX_LEVEL + 1];
};

static int gather_node(struct gather *g, const struct lb_ref *ref, u64 key)
{
	struct ck *ck = g->s->ck;
	const struct lb_node *n;
	struct lb_node *buf;
	unsigned int i;
	int err = 0;

	/* Nothing in a node is younger than itself. */
	if (ref->gen < g->least_gen)
		return 0;
	n = ref->level <= LB_TREE_MAX_LEVEL ? ck_node(ck, ref, LB_TREE_MAP) : NULL;
	if (!n || blockset_has(&ck->multi, ref->addr))
		return ck->no_memory ? -ENOMEM : 0;
	err = ck_grow(g->list, g->room, *g->count, sizeof(**g->list));
	if (err)
		return err;
	(*g->list)[(*g->count)++] = (struct used_node){
		.ref = *ref, .key = key, .first = ref->level ? le64_to_cpu(n->children[0].ptr.addr) : ck_extent(n, 0).lblk,
	};
	if (!ref->level)
		return 0;
	if (!g->bufs[ref->level])
		g->bufs[ref->level] = port_alloc_block(PORT_WAIT);
	buf = g->bufs[ref->level];
	if (!buf)
		return -ENOMEM;
	memcpy(buf, n, sizeof(*buf));
	for (i = 0; i < le16_to_cpu(buf->header.count) && !err; i++) {
		struct lb_ref child = lb_ref_decode(&buf->children[i].ptr);

		if (child.level == ref->level - 1)
			err = gather_node(g, &child, le64_to_cpu(buf->children[i].lblk));
	}
	return err;
}

int salvage_gather(struct salvage *s, const struct lb_ref *root, u64 least_gen, struct used_node **list, size_t *count,
		   size_t *room)
{
	struct gather g = { .s = s, .least_gen = least_gen, .list = list, .count = count, .room = room };
	unsigned int level;
	int err = gather_node(&g, root, 0);

	for (level = 0; level <= LB_TREE_MAX_LEVEL; level++)
		port_free_block(g.bufs[level]);
	if (!err && *count)
		qsort(*list, *count, sizeof(**list), cmp_used);
	return err;
}

/* ------------------------------------------------------------------ a level */

struct entry {				/* a node, for the level above it */
	struct lb_ref ref;
	u64 key;
};

struct level {
	struct salvage *s;
	struct part *p;
	u8 level;
	u64 gen;			/* of new nodes */
	/* what comes in: extents, or the nodes of the level below */
	const struct piece *pieces;
	const struct entry *below;
	size_t count;
	/* what comes out */
	struct entry *out;
	size_t out_count, out_room;
	bool single;			/* one node is all: the root, which has two copies */
};

static size_t node_max(const struct level *l)
{
	return l->level ? LB_MAP_NODE_MAX : LB_MAP_LEAF_MAX;
}

static u64 item_key(const struct level *l, size_t i)
{
	return l->level ? l->below[i].key : l->pieces[i].lblk;
}

/* Where what comes before item i ends, as far as this level knows. */
static u64 end_before(const struct level *l, size_t i)
{
	if (!i)
		return 0;
	return l->level ? l->below[i - 1].key + 1 : l->pieces[i - 1].lblk + l->pieces[i - 1].count;
}

/* Does the node hold just what comes from item i on? How many, or 0. */
static size_t node_fits(const struct level *l, const struct lb_node *n, size_t i)
{
	size_t k, count = le16_to_cpu(n->header.count);

	if (count > l->count - i)
		return 0;
	for (k = 0; k < count; k++) {
		if (l->level) {
			struct lb_ref ref = lb_ref_decode(&n->children[k].ptr);

			if (le64_to_cpu(n->children[k].lblk) != l->below[i + k].key || !ck_ref_same(&ref, &l->below[i + k].ref))
				return 0;
		} else {
			const struct piece *e = &l->pieces[i + k];
			struct ck_extent x = ck_extent(n, (unsigned int)k);

			if (x.lblk != e->lblk || x.count != e->count || x.pblk != e->pblk || x.birth != e->birth)
				return 0;
		}
	}
	return count;
}

static bool owner_possible(const struct level *l, const struct lb_node *n)
{
	u64 owner = le64_to_cpu(n->header.owner);

	return owner && owner < le64_to_cpu(l->s->ck->sb->next_volume);
}

static size_t try_list(const struct level *l, const struct used_node *list, size_t n, size_t i, struct entry *found)
{
	struct used_node want = { .ref.level = l->level, .first = l->level ? l->below[i].ref.addr : l->pieces[i].lblk };
	size_t lo = 0, hi = n, count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (cmp_used(&list[mid], &want) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < n && !cmp_used(&list[lo], &want); lo++) {
		const struct used_node *u = &list[lo];
		const struct lb_node *node;

		if (!u->ref.addr2 != !l->single || (!l->single && (u->key < end_before(l, i) || u->key > item_key(l, i))))
			continue;
		node = ck_node(l->s->ck, &u->ref, LB_TREE_MAP);
		count = node && owner_possible(l, node) ? node_fits(l, node, i) : 0;
		if (!count || (i + count < l->count && !ck_full_enough(node, LB_TREE_MAP)))
			continue;
		*found = (struct entry){ .ref = u->ref, .key = u->key };
		return count;
	}
	return 0;
}

/* A node to link for what comes from item i on: how many items it is good for, or 0. */
static size_t find_node(struct level *l, size_t i, struct entry *found)
{
	const struct part *parent = l->p->parent;
	size_t n = try_list(l, l->p->own, l->p->own_count, i, found);

	return n || !parent ? n : try_list(l, parent->tree, parent->tree_count, i, found);
}

static int put_out(struct level *l, const struct entry *e)
{
	int err = ck_grow(&l->out, &l->out_room, l->out_count, sizeof(*l->out));

	if (!err)
		l->out[l->out_count++] = *e;
	return err;
}

static void fill_node(const struct level *l, struct lb_node *n, size_t first, size_t count)
{
	size_t k, size = l->level ? sizeof(struct lb_map_child) : sizeof(struct lb_extent);

	memset(n, 0, sizeof(*n));
	for (k = 0; k < count; k++) {
		if (l->level) {
			n->children[k].lblk = cpu_to_le64(l->below[first + k].key);
			n->children[k].ptr = lb_ref_encode(&l->below[first + k].ref);
		} else {
			const struct piece *e = &l->pieces[first + k];

			n->extents[k] = (struct lb_extent){ .lblk_len = cpu_to_le64(e->lblk | e->count << LB_LBLK_BITS),
							    .pblk = cpu_to_le64(e->pblk), .birth = cpu_to_le64(e->birth) };
		}
	}
	n->header.kind = LB_TREE_MAP;
	n->header.level = l->level;
	n->header.count = cpu_to_le16((u16)count);
	n->header.used = cpu_to_le16((u16)(count * size));
}

static int write_node(struct level *l, size_t first, size_t count)
{
	struct ck *ck = l->s->ck;
	struct entry e = { .key = item_key(l, first), .ref = { .gen = l->gen, .level = l->level } };
	struct lb_node *n;
	int err = ck_fresh_block(ck, false, &e.ref.addr);

	if (!err && l->single)
		err = ck_fresh_block(ck, true, &e.ref.addr2);
	if (err)
		return err;
	n = port_alloc_block(PORT_WAIT);
	if (!n)
		return -ENOMEM;
	fill_node(l, n, first, count);
	e.ref.csum = lb_block_seal(n, LB_MAGIC_NODE, e.ref.addr, l->gen, l->p->id);
	err = port_write(ck->dev, e.ref.addr, (void *const *)&n, 1, 0);
	if (!err && e.ref.addr2) {
		lb_block_seal(n, LB_MAGIC_NODE, e.ref.addr2, l->gen, l->p->id);
		err = port_write(ck->dev, e.ref.addr2, (void *const *)&n, 1, 0);
	}
	port_free_block(n);
	return err ? err : put_out(l, &e);
}

/* Nodes for the items [first, end), as many as it takes, as full as each other. */
static int write_run(struct level *l, size_t first, size_t end)
{
	size_t nodes = (end - first + node_max(l) - 1) / node_max(l);
	int err = 0;

	for (; nodes && !err; nodes--) {
		size_t n = (end - first + nodes - 1) / nodes;

		err = write_node(l, first, n);
		first += n;
	}
	return err;
}

/* Link what can be linked, write the rest; what is too little for a node of its own takes in what comes next. */
static int run_level(struct level *l)
{
	size_t i = 0, first = 0;
	int err = 0;

	l->single = l->count <= node_max(l);
	while (i < l->count && !err) {
		struct entry e;
		size_t n = find_node(l, i, &e);

		if (!n) {
			i++;
			continue;
		}
		if (first < i && i - first < node_max(l) / 2) {
			i += n;
			continue;
		}
		err = write_run(l, first, i);
		if (!err)
			err = put_out(l, &e);
		i += n;
		first = i;
	}
	return err ? err : write_run(l, first, l->count);
}

/* ------------------------------------------------------------------ the tree */

/* Do both map the same, however it is cut into extents? */
static bool same_as_parent(const struct part *p)
{
	const struct part *q = p->parent;
	size_t i = 0, k = 0;
	u64 at = 0;

	if (!q || p->map.cursor)
		return false;
	while (i < p->piece_count && k < q->piece_count) {
		const struct piece *a = &p->pieces[i], *b = &q->pieces[k];
		u64 lo = max_t(u64, at, a->lblk), end = min_t(u64, a->lblk + a->count, b->lblk + b->count);

		if (lo != max_t(u64, at, b->lblk) || a->birth != b->birth || a->pblk - a->lblk != b->pblk - b->lblk)
			return false;
		i += end == a->lblk + a->count;
		k += end == b->lblk + b->count;
		at = end;
	}
	return i == p->piece_count && k == q->piece_count;
}

static int count_nodes(struct salvage *s, struct part *p)
{
	int err = 0;

	if (!p->tree_count && p->root.addr)
		err = salvage_gather(s, &p->root, 0, &p->tree, &p->tree_count, &p->tree_room);
	p->nodes = p->tree_count;
	return err;
}

static int build(struct salvage *s, struct part *p)
{
	u64 frozen = le64_to_cpu(p->vol.frozen);
	struct level l = { .s = s, .p = p, .gen = frozen ? frozen : s->ck->gen, .pieces = p->pieces, .count = p->piece_count };
	struct entry *below = NULL;
	int err;

	do {
		l.out = NULL;
		l.out_count = 0;
		l.out_room = 0;
		err = l.level > LB_TREE_MAX_LEVEL ? -EUCLEAN : run_level(&l);
		free(below);
		below = l.out;
		l.below = below;
		l.count = l.out_count;
		l.level++;
	} while (!err && l.count > 1);
	if (!err)
		p->root = below[0].ref;
	free(below);
	return err;
}

int salvage_tree(struct salvage *s, struct part *p)
{
	struct lb_ref before = lb_ref_decode(&p->map.root);
	int err = 0;

	memset(&p->root, 0, sizeof(p->root));
	if (same_as_parent(p))
		p->root = p->parent->root;
	else if (p->piece_count)
		err = build(s, p);
	if (!err)
		err = count_nodes(s, p);
	p->rebuilt = !ck_ref_same(&before, &p->root) || p->lost_root;
	return err;
}
