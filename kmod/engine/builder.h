/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Nodes being built: the new tree's right edge, one open buffer of items per level. For the merges only.
 *
 * Items come in key order. On a level l > 0 an item is a link: to an old node of level l - 1 that stays as it is, or to
 * a new one (the builder's own). The rule for whoever links an old node of level l: settle levels 0 to l first; if that
 * is not possible, open the old node and add what is in it.
 */
#ifndef LB_BUILDER_H
#define LB_BUILDER_H

#include "tree.h"

#define LB_LEVEL_BYTES		(2u * LB_PAYLOAD_BYTES)
#define LB_LEVEL_ITEMS		(LB_LEVEL_BYTES / 7u)	/* the smallest item: a catalog's with a key of one byte and no value, and its offset */

struct lb_level {
	unsigned int count;
	unsigned int cost;			/* bytes that the items take in a node */
	u16 start[LB_LEVEL_ITEMS + 1];		/* where item i begins in data; start[count] is the end */
	u8 data[LB_LEVEL_BYTES];
};

struct lb_builder {
	struct lb_tree_writer *w;
	u64 owner;				/* for the nodes' headers */
	u8 kind;
	u64 nodes;				/* written by this builder */
	struct lb_level *levels[LB_TREE_MAX_LEVEL + 1];
};

void lb_builder_init(struct lb_builder *b, struct lb_tree_writer *w, u8 kind, u64 owner);
void lb_builder_free(struct lb_builder *b);

/*
 * Room for an item of `len` bytes behind the last one of this level: full nodes are written to make it. The item exists
 * when this returns; the caller fills it. Valid until the next call.
 */
int lb_builder_reserve(struct lb_builder *b, unsigned int level, unsigned int len, void **item);
int lb_builder_add_extent(struct lb_builder *b, const struct lb_extent_cpu *e);
/* A link, with the old node's own key. */
int lb_builder_add_child(struct lb_builder *b, unsigned int level, const struct lb_map_child *child);
int lb_builder_add_item(struct lb_builder *b, unsigned int level, const struct lb_item_cpu *it);

/*
 * Write out what is open on levels 0 to top. 1: all of them are empty now; 0: one has too little for a node of its own;
 * negative errno.
 */
int lb_builder_settle(struct lb_builder *b, unsigned int top);

/*
 * The end: write out all levels, the rightmost nodes as they come. 0: *root is the new tree's root (addr 0: nothing in
 * it). 1: nothing is left but a link to the single node *root, and the builder is empty: add that node's items and call
 * this again (a root has two copies, other nodes of a map have one).
 */
int lb_builder_finish(struct lb_builder *b, struct lb_ref *root);

#endif /* LB_BUILDER_H */
