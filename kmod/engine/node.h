/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is in a node: accessors for map and catalog nodes, searching, and the validator that makes a node safe to walk.
 */
#ifndef LB_NODE_H
#define LB_NODE_H

#include "ref.h"

struct lb_extent_cpu {
	u64 lblk, count, pblk, birth;
};

/*
 * 0 or -EUCLEAN: counts, key order, extents that overlap or pass the address limits, offsets and lengths of catalog
 * items, child levels, births later than the node's own. *why: a constant string. Looks at nothing but the node: bounds
 * that its parent sets are checked by who descends.
 */
int lb_node_check(const struct lb_node *n, u8 kind, const char **why);

static inline unsigned int lb_node_count(const struct lb_node *n) { return le16_to_cpu(n->header.count); }
static inline unsigned int lb_node_level(const struct lb_node *n) { return n->header.level; }

struct lb_extent_cpu lb_extent_decode(const struct lb_extent *e);
struct lb_extent lb_extent_encode(const struct lb_extent_cpu *e);	/* count at most LB_EXTENT_MAX_BLOCKS */

/* Map nodes: the smallest key, of a leaf or an upper node. */
u64 lb_node_first_lblk(const struct lb_node *n);
/* Leaf: index of the first extent that ends behind lblk; the count if there is none. */
unsigned int lb_node_find_extent(const struct lb_node *n, u64 lblk);
/* Upper node: index of the child whose range holds lblk (0 also for what lies below the first key). */
unsigned int lb_node_find_child(const struct lb_node *n, u64 lblk);
/*
 * Upper node: where child i's range ends, the next child's key; `hi`, the end of the node's own range, for the last
 * one.
 */
u64 lb_node_child_end(const struct lb_node *n, unsigned int i, u64 hi);

/* Catalog items: pointers into the node. */
struct lb_item_cpu {
	const u8 *key, *value;
	u32 key_len, value_len;
};

struct lb_item_cpu lb_node_item(const struct lb_node *n, unsigned int i);
int lb_key_cmp(const u8 *a, u32 a_len, const u8 *b, u32 b_len);	/* bytewise, a shorter prefix first */
/* Index of the first item with a key greater than the given one; the count if there is none. */
unsigned int lb_node_find_key(const struct lb_node *n, const u8 *key, u32 key_len);

/* Upper node of either kind: child i. */
struct lb_ref lb_node_child(const struct lb_node *n, u8 kind, unsigned int i);

#endif /* LB_NODE_H */
