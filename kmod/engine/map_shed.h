/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The walk of map_free.c: through what a volume owns, from a cursor on, freeing as it goes. Deletion and collapse
 * differ in what they keep.
 */
#ifndef LB_MAP_SHED_H
#define LB_MAP_SHED_H

#include "tree.h"

struct lb_shed_frame {
	struct lb_cnode *cn;
	unsigned int i;			/* the next child */
	u64 hi;				/* end of the node's range */
	struct lb_ref ref;
};

struct lb_shed {
	struct lb_tree_writer *w;
	u64 origin;			/* what was born later is the volume's own */
	u64 start, cursor;
	unsigned int budget, spent;	/* nodes read */
	u64 freed;			/* data blocks */
	/* An owned extent of a leaf that goes: release of it what is to go, and count that in freed. */
	int (*extent)(struct lb_shed *s, const struct lb_extent_cpu *e);
	/* An owned node, not read yet: 1: it stays, with all beneath it; 0: it goes; negative errno. */
	int (*keep)(struct lb_shed *s, const struct lb_ref *ref, u64 lo);
	const struct lb_ref *child;	/* collapse: the child's root */
	unsigned int depth;
	struct lb_shed_frame frames[LB_TREE_MAX_LEVEL + 1];
};

/* One step in the tree at `root`, whose root node goes if it is owned. s->cursor ~0ULL: all is done. */
int lb_shed_run(struct lb_shed *s, const struct lb_ref *root);

#endif /* LB_MAP_SHED_H */
