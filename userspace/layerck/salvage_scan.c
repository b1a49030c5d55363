// SPDX-License-Identifier: GPL-2.0
/*
 * Nodes whose way is lost. The bitmaps say exactly what the trees reach, so a block that is in use and that nothing reaches
 * hung below something that cannot be read; and when it holds an intact node, that node is not an old one: those are
 * free. Only where the bitmap is intact, and only when asked for: a data block looks like a node if whoever wrote it
 * wanted it to.
 *
 * A leaf of the catalog has one place, by its keys. A map node is given to the one lost node that can have had it: above it, not
 * older, around it, and in the family of the volume that wrote it. With more than one, or none, it is given to nobody.
 */
#include <stdlib.h>

#include "salvage.h"

static int cmp_addr(const void *a, const void *b)
{
	const struct orphan *x = a, *y = b;

	return (x->ref.addr > y->ref.addr) - (x->ref.addr < y->ref.addr);
}

static struct orphan *find_orphan(const struct salvage *s, u64 addr)
{
	struct orphan key = { .ref.addr = addr };

	return s->orphan_count ? bsearch(&key, s->orphans, s->orphan_count, sizeof(key), cmp_addr) : NULL;
}

/* ------------------------------------------------------------------ finding them */

static int take_node(struct salvage *s, u64 addr, const struct lb_node *n)
{
	struct orphan o = { .ref = { .addr = addr, .gen = le64_to_cpu(n->header.gen), .csum = le32_to_cpu(n->header.csum),
				     .level = n->header.level },
			    .owner = le64_to_cpu(n->header.owner), .kind = n->header.kind };
	bool map = o.kind == LB_TREE_MAP;
	const char *why;
	int err;

	if (lb_block_verify(n, LB_MAGIC_NODE, addr, o.ref.gen, o.ref.csum, &why) || !o.ref.gen || o.ref.gen > s->ck->gen ||
	    ck_node_form(n, o.kind, o.ref.level, &why) || !o.owner == map)
		return 0;
	if (map)
		o.first = o.ref.level ? le64_to_cpu(n->children[0].lblk) : ck_extent(n, 0).lblk;
	err = ck_grow(&s->orphans, &s->orphan_room, s->orphan_count, sizeof(*s->orphans));
	if (!err)
		s->orphans[s->orphan_count++] = o;
	return err;
}

static int cmp_twin(const void *a, const void *b)
{
	const struct orphan *x = *(struct orphan *const *)a, *y = *(struct orphan *const *)b;

	if (x->ref.csum != y->ref.csum)
		return x->ref.csum < y->ref.csum ? -1 : 1;
	if (x->ref.gen != y->ref.gen)
		return x->ref.gen < y->ref.gen ? -1 : 1;
	return cmp_addr(x, y);
}

/* The second copies of roots and catalog nodes are not nodes of their own. */
static int pair_up(struct salvage *s)
{
	struct orphan **list = calloc(s->orphan_count + 1, sizeof(*list));
	size_t i;

	if (!list)
		return -ENOMEM;
	for (i = 0; i < s->orphan_count; i++)
		list[i] = &s->orphans[i];
	qsort(list, s->orphan_count, sizeof(*list), cmp_twin);
	for (i = 1; i < s->orphan_count; i++) {
		struct orphan *o = list[i - 1], *t = list[i];

		if (o->below || t->ref.csum != o->ref.csum || t->ref.gen != o->ref.gen || t->kind != o->kind || t->owner != o->owner)
			continue;
		o->ref.addr2 = t->ref.addr;
		t->below = true;
	}
	free(list);
	return 0;
}

/* And what hangs below another one comes with that. */
static int sort_out(struct salvage *s, struct lb_node *n)
{
	size_t i, k;
	int err = pair_up(s);

	for (i = 0; i < s->orphan_count && !err; i++) {
		struct orphan *o = &s->orphans[i], *below;

		if (o->kind != LB_TREE_MAP)
			continue;
		o->end = ck_map_end(s->ck, &o->ref);
		if (!o->ref.level)
			continue;
		err = port_read(s->ck->dev, o->ref.addr, n);
		for (k = 0; !err && k < le16_to_cpu(n->header.count); k++) {
			below = find_orphan(s, le64_to_cpu(n->children[k].ptr.addr));
			if (below)
				below->below = true;
		}
	}
	return !err && s->ck->no_memory ? -ENOMEM : err;
}

int salvage_scan(struct salvage *s)
{
	struct ck *ck = s->ck;
	struct lb_node *n = port_alloc_block(PORT_WAIT);
	u64 r, i, regions = region_count(ck->total);
	int err = n ? 0 : -ENOMEM;

	for (r = 0; r < regions && !err; r++) {
		const u8 *bits = blockset_region(&ck->lost, r);

		if (!bits || !ck->regions[r].known || !ck->regions[r].bitmap_ok)
			continue;
		for (i = 0; i < region_size(ck->total, r) && !err; i++) {
			u64 block = r * LB_REGION_BLOCKS + i;

			if (!bit_get(bits, (u32)i) || blockset_has(&ck->used, block) || port_read(ck->dev, block, n))
				continue;
			err = take_node(s, block, n);
		}
	}
	if (!err)
		err = sort_out(s, n);
	port_free_block(n);
	return err;
}

/* ------------------------------------------------------------------ the catalog's leaves */

int salvage_found_items(struct salvage *s, ck_each_item each, void *arg)
{
	struct lb_node *n = port_alloc_block(PORT_WAIT);
	unsigned int k;
	size_t i;
	int err = n ? 0 : -ENOMEM;

	for (i = 0; i < s->orphan_count && !err; i++) {
		const struct orphan *o = &s->orphans[i];

		if (o->kind != LB_TREE_CATALOG || o->ref.level || o->below)
			continue;
		if (port_read(s->ck->dev, o->ref.addr, n))
			continue;
		for (k = 0; k < le16_to_cpu(n->header.count) && !err; k++) {
			struct ck_item it = ck_item(n, k);

			err = each(arg, it.key, it.key_len, it.value, it.value_len);
		}
	}
	port_free_block(n);
	return err;
}

/* Volumes that nothing but a tree is left of. */
int salvage_found_volumes(struct salvage *s, int (*make)(struct salvage *s, u64 id))
{
	size_t i;
	int err = 0;

	for (i = 0; i < s->orphan_count && !err; i++) {
		const struct orphan *o = &s->orphans[i];

		/* Roots have two copies, and nothing else of a map has. */
		if (o->kind == LB_TREE_MAP && !o->below && o->ref.addr2)
			err = make(s, o->owner);
	}
	return err;
}

/* ------------------------------------------------------------------ maps */

static const struct part *eldest(const struct part *p)
{
	while (p->parent)
		p = p->parent;
	return p;
}

static bool may_hang(const struct salvage *s, const struct hole *h, const struct orphan *o)
{
	const struct part *writer = salvage_part(s, o->owner);

	if (h->root)		/* of the volume itself, since its parent was frozen: whose else should it be? */
		return o->owner == h->part->id && o->ref.addr2 && o->ref.gen > le64_to_cpu(h->part->map.origin);
	return o->ref.level < h->level && o->ref.gen <= h->gen && o->first >= h->lo && o->end && o->end <= h->hi &&
	       (!writer || eldest(writer) == eldest(h->part));
}

bool salvage_assign(struct salvage *s)
{
	bool any = false;
	size_t i, k;

	for (i = 0; i < s->orphan_count; i++) {
		struct orphan *o = &s->orphans[i];
		const struct hole *only = NULL;
		bool many = false;

		if (o->kind != LB_TREE_MAP || o->below)
			continue;
		for (k = 0; k < s->hole_count; k++) {
			if (!may_hang(s, &s->holes[k], o))
				continue;
			/* The same node, seen from another volume. */
			many = many || (only && only->id != s->holes[k].id);
			only = &s->holes[k];
		}
		o->hole = only && !many ? only->id : 0;
		any = any || o->hole;
	}
	return any;
}

/* The orphan of this hole with the smallest first key from `from` on. */
const struct orphan *salvage_next_orphan(const struct salvage *s, u64 hole, u64 from)
{
	const struct orphan *best = NULL;
	size_t i;

	for (i = 0; i < s->orphan_count; i++) {
		const struct orphan *o = &s->orphans[i];

		if (o->hole == hole && o->first >= from && (!best || o->first < best->first))
			best = o;
	}
	return best;
}
