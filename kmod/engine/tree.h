/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The trees as the rest of the engine sees them: look-ups, walks, the bulk merge of a commit, freeing, collapse,
 * differences. Roots are values (struct lb_ref); a tree on disk never changes in place. Split over map_lookup.c,
 * map_merge.c, map_free.c, map_collapse.c, map_diff.c, catalog_tree.c, catalog_merge.c, tree_walk.c, tree_writer.c,
 * builder.c.
 */
#ifndef LB_TREE_H
#define LB_TREE_H

#include "cache.h"
#include "node.h"
#include "space.h"

/* ------------------------------------------------------------------ map: reading */

/*
 * What lies at [lblk, lblk + count): the first run, e->lblk == lblk, 1 <= e->count <= count, contiguous and of one
 * birth; a hole has pblk LB_PBLK_HOLE and birth 0, and may be cut short at a leaf's edge only if that is unavoidable
 * without another read under LB_NOWAIT. root.addr 0: all hole. flags LB_NOWAIT (-EAGAIN).
 */
int lb_map_lookup(struct lb_cache *c, const struct lb_ref *root, u64 lblk, u64 count, unsigned int flags, struct lb_extent_cpu *e);
/*
 * The same, and where lblk would best lie: beside a neighbour of the same logical cluster that is born after near->birth, at the same distance;
 * near->pblk stays as it was when there is none in lblk's leaf.
 */
struct lb_near {
	u64 birth, pblk;
};
int lb_map_lookup_near(struct lb_cache *c, const struct lb_ref *root, u64 lblk, u64 count, unsigned int flags, struct lb_extent_cpu *e,
		       struct lb_near *near);
/* Where lblk would lie beside blocks [from, from + count) at pblk: 0 if they are of other clusters. */
static inline u64 lb_near_place(u64 from, u64 count, u64 pblk, u64 lblk)
{
	u64 cluster = lblk / LB_CLUSTER_BLOCKS;

	if (from > lblk)
		return from / LB_CLUSTER_BLOCKS == cluster && pblk > from - lblk ? pblk - (from - lblk) : 0;
	return (from + count - 1) / LB_CLUSTER_BLOCKS == cluster ? pblk + (lblk - from) : 0;
}
/* The first extent that ends behind lblk (whole, not clipped): 0, or -ENOENT at the end. Sleeps. */
int lb_map_next(struct lb_cache *c, const struct lb_ref *root, u64 lblk, struct lb_extent_cpu *e);
/* Is the very node `addr` of this level the one that a look-up of `key` passes in this tree? 1, 0, -errno. Sleeps. */
int lb_map_contains(struct lb_cache *c, const struct lb_ref *root, u64 key, u8 level, u64 addr);

/*
 * Walk all nodes of either kind of tree in key order, parents first. enter() gets a verified node: return
 * LB_WALK_DESCEND, LB_WALK_SKIP (not its children) or a negative errno to stop with. pre() (may be NULL), before a node
 * is read, gets its reference and its key bounds (map trees; hi exclusive): LB_WALK_SKIP saves the read. On a node that
 * cannot be read, or whose keys are not within the bounds that its parent gives it (-EUCLEAN), bad() (may be NULL: stop
 * with the error) may return 0 to go on beside it. Sleeps.
 */
#define LB_WALK_DESCEND	0
#define LB_WALK_SKIP	1
struct lb_walk_ops {
	int (*pre)(void *arg, const struct lb_ref *ref, u64 lo, u64 hi);
	int (*enter)(void *arg, const struct lb_ref *ref, const struct lb_node *node, u64 lo, u64 hi);
	int (*bad)(void *arg, const struct lb_ref *ref, int error);
};

int lb_tree_walk(struct lb_cache *c, const struct lb_ref *root, u8 kind, const struct lb_walk_ops *ops, void *arg);

/* ------------------------------------------------------------------ the writing side, within one commit */

/*
 * One per commit. New nodes are allocated by lb_space_alloc_meta and lb_space_use'd, sealed with `gen`, entered in the
 * cache (so readers of the same commit find them), and written through the batch. lb_tree_writer_sync waits for the
 * writes and releases the pins; it is called by the writer itself when many pages are out (bounded memory). A writer
 * ends with lb_tree_writer_done() or lb_tree_writer_abort(), once init has succeeded.
 */
struct lb_addr_list;
struct lb_tree_out;
struct lb_tree_writer {
	struct lb_cache *cache;
	struct lb_space *space;
	struct port_batch *batch;
	u64 gen;
	u64 nodes_written;	/* second copies not counted */
	s64 meta_blocks;	/* blocks of nodes that came into the image, less those that left it; each copy counted */
	/* the writer's own */
	struct lb_tree_out *out;	/* nodes on their way to the device */
	unsigned int outs;
	struct lb_addr_list *written, *released;
};

int lb_tree_writer_init(struct lb_tree_writer *w, struct lb_cache *cache, struct lb_space *space, struct port_batch *batch, u64 gen);
/* 0 or the first write's error (then: abort). Sleeps. */
int lb_tree_writer_sync(struct lb_tree_writer *w);
/*
 * After an error: wait, forget every node written in this commit (drop from the cache) and free the writer's memory.
 * Sleeps.
 */
void lb_tree_writer_abort(struct lb_tree_writer *w);
/*
 * After a sync, when the commit is durable and the new roots are published: drop the nodes that were released from the
 * cache and free the writer's memory.
 */
void lb_tree_writer_done(struct lb_tree_writer *w);

/*
 * For the trees' own code. Write `node` (a block from port_alloc_block, which passes to the writer also on failure;
 * items, kind, level, count and used are filled in), with a second copy if `pair`. -ENOSPC, -ENOMEM, -EIO, -EUCLEAN.
 */
int lb_tree_writer_node(struct lb_tree_writer *w, struct lb_node *node, u64 owner, bool pair, struct lb_ref *ref);
/* The node, all its copies, is reachable no more. */
int lb_tree_writer_release(struct lb_tree_writer *w, const struct lb_ref *ref);

/* Who owns what in a volume's tree. */
struct lb_owner {
	u64 vol;
	u64 origin;		/* keys >= cursor */
	u64 low_origin;		/* keys < cursor */
	u64 cursor;
};

/*
 * A block at key k is owned iff birth > (k < cursor ? low_origin : origin); an extent that crosses the cursor is judged
 * in two parts. A node is owned iff birth > (its first key < cursor ? low_origin : origin). (The end of a node's range
 * will not do: a node that a parent and its child share can reach further in the child's tree, when its right neighbour
 * there is gone. map_free.c says why the first key will.)
 */

/*
 * Ascending, not overlapping, else -EINVAL. pblk LB_PBLK_HOLE: unmap; count may be any size then, else
 * LB_EXTENT_MAX_BLOCKS.
 */
struct lb_map_change {
	u64 lblk, count, pblk;
};

struct lb_map_source {			/* yields the changes in order: true while there is one. Called once per change. */
	bool (*next)(void *arg, struct lb_map_change *ch);
	void *arg;
};

struct lb_merge_result {
	struct lb_ref root;
	s64 owned;			/* change in data blocks owned: new ones less freed owned ones */
	s64 data;			/* change in data blocks allocated by this (the same, here) */
	s64 nodes;			/* change in the number of nodes in the tree: shared ones too, second copies not */
};

/*
 * Merge changes into the tree at `root`: one pass, left to right, one open node per level. New extents are born in
 * w->gen, each is lb_space_use'd. What they replace is lb_space_release'd when owned (else an ancestor's: left alone).
 * Replaced nodes likewise. Untouched subtrees are linked, not read, unless a neighbour less than half full needs them.
 * Neighbouring extents that are contiguous in both address spaces are joined when both are owned (larger birth) or have
 * equal birth. A change that is there already is left as it is. On error the commit must be aborted. Sleeps.
 */
int lb_map_merge(struct lb_tree_writer *w, const struct lb_owner *o, const struct lb_ref *root,
		 const struct lb_map_source *src, struct lb_merge_result *res);

/*
 * Free what a deleted volume owns, from *cursor on, reading about `budget` owned nodes (at least one leaf):
 * lb_space_release for owned extents, for owned leaves and for upper nodes that end at or below the new cursor.
 * Subtrees not owned are skipped unread. *cursor moves on to a leaf's upper bound; ~0ULL: all done, the root too.
 * *freed_data counts data blocks. On error *cursor stays; the commit must be aborted. Sleeps.
 */
int lb_map_free_step(struct lb_tree_writer *w, const struct lb_ref *root, u64 origin, u64 *cursor, unsigned int budget,
		     u64 *freed_data);

/*
 * Collapse a deleted parent into its only child, from *cursor on: of what the parent owns (birth > parent_origin), free
 * what the child's tree does not reach at the same place: extents by the block, nodes by lb_map_contains. A parent's
 * upper node is decided when the cursor passes its end. Subtrees contained in the child, or not owned by the parent,
 * are skipped unread. *cursor: a leaf's upper bound in the parent's tree; ~0ULL when done. *freed_data counts data
 * blocks. On error *cursor stays; the commit must be aborted. Sleeps.
 *
 * child_root is the root of this very commit: merge the child's changes first, under the old cursor; the new cursor
 * goes into the same commit. Neither tree may be in the middle of another collapse or of being freed: a parent into
 * which its own parent is being collapsed, or a child that is being collapsed or freed, has to wait until the other is
 * done.
 */
int lb_map_collapse_step(struct lb_tree_writer *w, const struct lb_ref *parent_root, u64 parent_origin,
			 const struct lb_ref *child_root, u64 *cursor, unsigned int budget, u64 *freed_data);

/*
 * Ranges from `from` on in which tree b may differ from tree a (by mapping), ascending, adjacent ones with equal
 * `mapped` joined; at most *n; *next: where to go on, ~0ULL at the end. Reads no node that both trees share.
 */
struct lb_diff_run {
	u64 start, count;
	bool mapped;		/* in b */
};

int lb_map_diff(struct lb_cache *c, const struct lb_ref *a, const struct lb_ref *b, u64 from, struct lb_diff_run *runs,
		unsigned int *n, u64 *next);

/*
 * The most nodes (not counting second copies) that merging `changes` changes into a tree of `nodes` nodes and root
 * level `level` can write. Cheap, any context, monotonic in changes.
 */
u64 lb_map_merge_worst(u64 nodes, u8 level, u64 changes);
u64 lb_cat_merge_worst(u64 nodes, u8 level, u64 changes);	/* changes: items */

/* ------------------------------------------------------------------ catalog */

/* *value_len in: room, out: length. -ENOENT, -ERANGE. Sleeps. */
int lb_cat_lookup(struct lb_cache *c, const struct lb_ref *root, const u8 *key, u32 key_len, u8 *value, u32 *value_len);
/*
 * The smallest key greater than the given one (key_len 0: the smallest of all): key (room LB_CAT_KEY_MAX) and value
 * (room LB_CAT_VALUE_MAX) are replaced. -ENOENT at the end.
 */
int lb_cat_next(struct lb_cache *c, const struct lb_ref *root, u8 *key, u32 *key_len, u8 *value, u32 *value_len);

struct lb_cat_change {
	const u8 *key, *value;		/* value NULL: delete (not there: fine) */
	u32 key_len, value_len;		/* stay valid until the merge returns */
};

struct lb_cat_source {			/* ascending, distinct keys */
	bool (*next)(void *arg, struct lb_cat_change *ch);
	void *arg;
};

/* Every replaced node is released (the catalog is never shared), new ones have two copies. res->owned is 0. */
int lb_cat_merge(struct lb_tree_writer *w, const struct lb_ref *root, const struct lb_cat_source *src,
		 struct lb_merge_result *res);

#endif /* LB_TREE_H */
