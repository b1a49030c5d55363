/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A memtable: the changes of one volume's map in one generation, as ordered ranges that do not overlap, in a skip list.
 *
 * Nothing here locks or sleeps: the volume's spinlock is held around every call but lb_mem_find() and the allocation of nodes, so an entry can be
 * inserted by the completion of a device write. The memory an insertion can need is allocated before the write is submitted.
 *
 * lb_mem_find() may run beside a change. What it returns is then worth nothing, as the volume's sequence count tells; but it comes to an end and
 * meets only nodes: links are set in one store each, to nodes that are complete, and a node taken out leads into the dropped or spare list, which
 * end. The nodes are freed when nobody can be looking any more (lb_mem_retire).
 */
#ifndef LB_MEMTABLE_H
#define LB_MEMTABLE_H

#include "format.h"
#include "port.h"

#define LB_MEM_HEIGHT	12

struct lb_mem_node {
	u64 lblk, count;
	u64 pblk;			/* LB_PBLK_HOLE: unmapped */
	struct lb_list dirty_link;	/* memtable->dirty_list while it is dirty */
	bool dirty;			/* not yet written to the journal */
	u8 height;
	struct lb_mem_node *next[];	/* height pointers; next[0] also links the dropped list and the free ones */
};

struct lb_memtable {
	u64 gen;			/* valid while there is an entry or a dropped run */
	u64 entries;
	u64 dirty;			/* entries not in the journal */
	u64 new_blocks;			/* data blocks mapped by entries */
	u64 unmaps;			/* holes entered: quota may come free with the commit */
	u64 charge;			/* metadata blocks charged for the merge of this table */
	struct lb_mem_node *dropped;	/* runs that were mapped here and are no more: free once this generation is durable */
	struct lb_mem_node *spare;	/* emptied nodes, freed when the table is cleared */
	struct lb_list dirty_list;	/* entries not in the journal, in no order that matters */
	struct lb_mem_node *head[LB_MEM_HEIGHT];
};
void lb_mem_init(struct lb_memtable *mt);

/* What one insertion can need: the entry, and two of: right remnant of a split entry, records of dropped runs. */
#define LB_MEM_NODES	3

struct lb_mem_node *lb_mem_node_alloc(unsigned int how);	/* PORT_WAIT or PORT_NOWAIT; NULL */
void lb_mem_node_free(struct lb_mem_node *n);			/* any context */

/*
 * Map [lblk, lblk + count) to pblk (or make it a hole), replacing what was there; data that was mapped there goes to the dropped list.
 * Takes nodes out of nodes[] (set to NULL); what is left is the caller's to free. Contiguous dirty neighbours are joined.
 * False when a dropped run could not be recorded for want of a third node: those blocks stay handed out until the pool is opened again.
 */
bool lb_mem_insert(struct lb_memtable *mt, u64 lblk, u64 count, u64 pblk, bool dirty, struct lb_mem_node *nodes[LB_MEM_NODES]);
/* The first entry that ends behind lblk, or NULL. *before: the last one that begins at lblk or before it, or NULL. */
struct lb_mem_node *lb_mem_find(const struct lb_memtable *mt, u64 lblk, struct lb_mem_node **before);
static inline struct lb_mem_node *lb_mem_first(const struct lb_memtable *mt) { return mt->head[0]; }
static inline bool lb_mem_empty(const struct lb_memtable *mt) { return !mt->entries && !mt->dropped; }
/* Take an entry off the dirty list: it is on its way to the journal. */
void lb_mem_clean(struct lb_memtable *mt, struct lb_mem_node *n);
/* All entries become dropped runs (their volume is gone). */
void lb_mem_drop_all(struct lb_memtable *mt);
/* All that is in `from` goes to `to`, which is empty; `from` is as new. */
void lb_mem_move(struct lb_memtable *to, struct lb_memtable *from);
/* Put all nodes of a table that the caller took out of the view before *chain, to be freed with lb_mem_free_chain(), and forget them. */
void lb_mem_retire(struct lb_memtable *mt, struct lb_mem_node **chain);
void lb_mem_free_chain(struct lb_mem_node *chain);		/* no reader is left */
/* Forget everything and free the memory. No lock needed: the table is the caller's alone. */
void lb_mem_clear(struct lb_memtable *mt);

#endif /* LB_MEMTABLE_H */
