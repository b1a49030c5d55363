/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inside of a salvage: what is left of a damaged pool, and the calls between salvage*.c.
 *
 * The order: every item of the catalog that can be read (salvage_catalog.c), volumes from them; of the families of
 * volumes that are damaged, every extent that can be read, what children can give back to a parent, and what of it
 * keeps to the rules of ownership (salvage_map.c); trees of that (salvage_tree.c), with every node of the old trees that
 * still fits; and a catalog of all items. All this happens on an overlay, where the result is repaired and judged
 * as any pool is; only what is proved is written (salvage.c).
 */
#ifndef LAYERCK_SALVAGE_H
#define LAYERCK_SALVAGE_H

#include "ck.h"

struct range {
	u64 lo, hi;			/* logical blocks [lo, hi) */
	bool shared;			/* an ancestor's node was there: what it has there now is this volume's too */
};

struct span {				/* logical blocks of which all is known: they lie under one node of this generation */
	u64 lo, hi, gen;
	u64 from, to;			/* what the node is said to hold */
};

struct piece {				/* an extent */
	u64 lblk, count, pblk, birth;
	bool graft;			/* known from a descendant, not from the volume's own tree */
};

struct used_node {			/* a node that can be linked again, if what it holds is still the same */
	struct lb_ref ref;
	u64 key;			/* the key it has in the node above it */
	u64 first;			/* a leaf's first logical block; else the address of the first child */
};

struct part {				/* a volume of the new pool */
	u64 id;
	struct lb_vol_record vol;
	struct lb_map_record map;
	char name[256];
	u32 name_len;
	bool has_vol, has_map;		/* the record was there */
	bool hurt;			/* its family is looked into */
	bool lost_root;			/* nothing says what it mapped */
	struct part *parent;
	struct part *heir;		/* being collapsed into it */
	u32 depth;
	struct lb_ref root;		/* of the new tree */
	bool rebuilt;			/* it is another one than before */
	u64 nodes;
	struct piece *pieces;
	size_t piece_count, piece_room;
	struct range *lost;
	size_t lost_count, lost_room;
	struct span *spans;		/* that it shares, or that descendants share with it */
	size_t span_count, span_room;
	struct used_node *own;		/* nodes of its own in the old tree */
	size_t own_count, own_room;
	struct used_node *tree;		/* all nodes of the new tree, once a child has asked for them */
	size_t tree_count, tree_room;
};

struct orphan {				/* an intact node that nothing reaches */
	struct lb_ref ref;
	u64 owner, first, end;		/* of a map node: the volume that wrote it, its first and last logical block (exclusive) */
	u64 hole;			/* the lost node it is given to; 0: none */
	u8 kind;
	bool below;			/* found below another one, or its second copy */
};

struct hole {				/* a map node that is lost */
	u64 id, lo, hi, gen;
	const struct part *part;
	u8 level;
	bool root;			/* nothing says where the volume's root was */
};
#define HOLE_ROOT	(1ULL << 63)	/* a hole's id: the node's address, or this and the volume's id */

struct item {
	u8 *key, *value;		/* one allocation */
	u32 key_len, value_len;
};
#define ITEM_GONE	(~0u)		/* value_len of an item that is dropped */

struct salvage {
	struct ck *ck;			/* the look at the damaged pool; ck->dev is the overlay */
	struct lbck_salvage *out;
	struct item *items;		/* of the catalog, ascending */
	size_t item_count, item_room;
	struct part *parts;		/* ascending id */
	size_t part_count, part_room;
	struct part **by_depth;		/* parents before children */
	struct blockset grafted;	/* blocks that were given back to an ancestor */
	struct orphan *orphans;		/* by address; with lbck_salvage.scan only */
	size_t orphan_count, orphan_room;
	struct hole *holes;
	size_t hole_count, hole_room;
	bool whole_pool;		/* all families are looked into */
};

/* salvage_catalog.c */
int salvage_items(struct salvage *s);		/* reads the catalog, makes parts of it */
int salvage_put(struct salvage *s, const u8 *key, u32 key_len, const void *value, u32 value_len);
struct item *salvage_item(const struct salvage *s, const u8 *key, u32 key_len, size_t *place);	/* or NULL, and where it would be */
struct part *salvage_part(const struct salvage *s, u64 id);
void salvage_free(struct salvage *s);

/* salvage_records.c */
int salvage_write_catalog(struct salvage *s);	/* a new catalog; the superblock in s->ck points at it */

/* An id in a key. */
static inline void key_put(u8 *p, u64 v)
{
	__be64 be = cpu_to_be64(v);

	memcpy(p, &be, sizeof(be));
}

static inline u64 key_id(const u8 *p)
{
	__be64 v;

	memcpy(&v, p, sizeof(v));
	return be64_to_cpu(v);
}

/* salvage_scan.c */
int salvage_scan(struct salvage *s);
int salvage_found_items(struct salvage *s, ck_each_item each, void *arg);
int salvage_found_volumes(struct salvage *s, int (*make)(struct salvage *s, u64 id));
bool salvage_assign(struct salvage *s);		/* orphans to holes; true: at least one has found its place */
const struct orphan *salvage_next_orphan(const struct salvage *s, u64 hole, u64 from);

/* salvage_map.c */
int salvage_maps(struct salvage *s);
static inline u64 part_origin_at(const struct part *p, u64 lblk)
{
	return lblk < le64_to_cpu(p->map.cursor) ? le64_to_cpu(p->map.low_origin) : le64_to_cpu(p->map.origin);
}
int part_add_piece(struct part *p, const struct piece *e);
int part_add_lost(struct part *p, u64 lo, u64 hi, bool shared);
void part_normalize(struct part *p);		/* both lists sorted, the lost ranges joined */

/* salvage_tree.c: p->root, p->nodes from p->pieces, with nodes of p->own and of the parent's new tree */
int salvage_tree(struct salvage *s, struct part *p);
int salvage_gather(struct salvage *s, const struct lb_ref *root, u64 least_gen, struct used_node **list, size_t *count,
		   size_t *room);

/* What is told of a loss. */
void salvage_tell(struct salvage *s, enum lbck_loss_kind kind, const struct part *p, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

void salvage_tell_range(struct salvage *s, const struct part *p, const struct range *r);

#endif /* LAYERCK_SALVAGE_H */
