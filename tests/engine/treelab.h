/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A bench for the trees: a simulated disk with space, cache and writer, and commits without a pool above them. And the
 * checks that hold for every tree: structure, and that the image is what is reachable. Everything fails the running
 * cmocka test when it goes wrong.
 */
#ifndef LB_TREELAB_H
#define LB_TREELAB_H

#include "engine.h"
#include "support.h"
#include "tree.h"

struct lab {
	struct port_dev *dev;
	struct lb_space *space;
	struct lb_cache *cache;
	struct port_batch *batch;
	struct lb_tree_writer w;
	struct lb_space_root sroot;
	u64 blocks, gen;
	u8 *fixed;		/* per block: in the image of an empty pool */
	u8 *seen;		/* per block: what lab_mark_* found reachable, LAB_* */
};

#define LAB_DATA 1u
#define LAB_NODE 2u

struct lab *lab_new(u64 blocks, u64 cache_bytes);
void lab_free(struct lab *lab);

/* A commit: begin counts gen up. */
void lab_begin(struct lab *lab);
void lab_commit(struct lab *lab);
void lab_abort(struct lab *lab);

/* `want` data blocks, or fewer. */
u64 lab_alloc(struct lab *lab, u64 want, u64 hint, u64 *got);

/* A random number below n, the same in each run; lab_srand sets the seed. */
void lab_srand(u64 seed);
u64 lab_rand(u64 n);

/* ------------------------------------------------------------------ merging */

struct lab_changes {
	struct lb_map_change *v;
	u64 n, room, at;
};
void lab_change(struct lab_changes *c, u64 lblk, u64 count, u64 pblk);
void lab_changes_free(struct lab_changes *c);
struct lb_map_source lab_source(struct lab_changes *c);

/* What is merged into, and what comes out of it. */
struct lab_tree {
	struct lb_ref root;
	u64 nodes;
	s64 owned;
};
/* Merge, in a commit under way; the worst-case promise is checked. Returns the error. The changes are emptied. */
int lab_merge(struct lab *lab, const struct lb_owner *o, struct lab_tree *t, struct lab_changes *c);
/* The same in a commit of its own, without ancestors: everything in the tree is owned. */
void lab_merge_own(struct lab *lab, struct lab_tree *t, struct lab_changes *c);

/* A change to new blocks, contiguous ones; returns the first. */
u64 lab_put(struct lab *lab, struct lab_changes *c, u64 lblk, u64 count);
/* Merge n extents of one block, at step, 2 step, ..., none of which can join its neighbour (step > 1). */
void lab_fill(struct lab *lab, struct lab_tree *t, struct lab_changes *c, u64 n, u64 step);
/* Bounds of leaf i, and how many leaves there are. */
struct lab_leaf {
	u64 i, n, lo, hi;
	struct lb_ref ref;
};
struct lab_leaf lab_leaf(struct lab *lab, const struct lab_tree *t, u64 i);
/* Nothing is in the cache any more. */
void lab_cold(struct lab *lab);

/* ------------------------------------------------------------------ checking */

/*
 * The whole tree: order, bounds, fill, levels, generations, copies of the root, separators; returns the number of
 * nodes. visit (may be NULL) gets each map extent or catalog item in order.
 */
struct lab_visit {
	void (*extent)(void *arg, const struct lb_extent_cpu *e);
	void (*item)(void *arg, const struct lb_item_cpu *it);
	void *arg;
};
u64 lab_check_tree(struct lab *lab, const struct lb_ref *root, u8 kind, const struct lab_visit *visit);

/* Image against reachable: clear, mark every tree (of a map: what reaches beyond `from`), compare. */
void lab_mark_clear(struct lab *lab);
void lab_mark_tree(struct lab *lab, const struct lb_ref *root, u8 kind, u64 from);
void lab_mark_compare(struct lab *lab);

#endif /* LB_TREELAB_H */
