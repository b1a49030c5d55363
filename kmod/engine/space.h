/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Space: which blocks are free, who gets them, and the bitmaps and region table on disk.
 *
 * Two views of every block:
 *   the image   what the bitmaps of the last durable commit say, plus the changes of the commit under way (staged, so that it can be undone).
 *               It is exactly the set reachable from the roots that the commit writes.
 *   live        what must not be handed out: the image, blocks handed out since and not yet in it, and blocks freed by a commit but not yet reclaimed.
 * A block goes: free -> alloc (live) -> lb_space_use (image) -> lb_space_release (out of the image, on the commit's freed list) -> reclaim (free).
 *
 * Bitmaps load lazily: what needs one that is not in memory gets -EAGAIN with LB_NOWAIT and reads it else. The region table is in memory whole.
 *
 * Locking: one spinlock for the live view and counters; the image is touched by the committing thread alone.
 */
#ifndef LB_SPACE_H
#define LB_SPACE_H

#include "geometry.h"
#include "ref.h"

struct lb_space;

/* Data is handed out with 64 KiB in mind: so many blocks, aligned to it. */
#define LB_CLUSTER_BLOCKS	16u

struct lb_space_root {			/* goes into the superblock */
	struct lb_ref root;
	u32 depth;
	u64 total_blocks;
};

/* Open the region table of a committed image. fixed blocks (superblocks, mirrors, journal) come from sb. Sleeps. */
int lb_space_open(struct port_dev *dev, const struct lb_super *sb, struct lb_space **out);
void lb_space_close(struct lb_space *s);

/* ---- live: allocation */

/*
 * Up to `want` contiguous blocks for data, at least one. hint: where they would best lie (0: no wish): taken when free there; else the start of a free 64 KiB cluster
 * (16 aligned blocks) in a data region, next to the last allocation; else any free run. Does not look at reserves: the caller has charged for them
 * (lb_space_charge). -ENOSPC no free block at all. Any context with LB_NOWAIT: only what is in memory counts then,
 * and -EAGAIN says that there is no room in loaded data regions (metadata regions are spared as long as others have any). -ENOMEM only without it.
 * LB_SPACE_OFFSET(n) in flags: not the start of a free cluster, but n blocks into it; n + want are no more than a cluster's blocks.
 */
#define LB_SPACE_OFFSET(n)	((unsigned int)(n) << 8)
int lb_space_alloc(struct lb_space *s, u64 want, u64 hint, unsigned int flags, u64 *pblk, u64 *got);
/*
 * The same for one who has charged for nothing: at most what is neither charged nor reserved, less `slack` blocks, which are charged in the same
 * step. -ENOSPC also when that leaves none; nothing is charged on an error.
 */
int lb_space_alloc_charged(struct lb_space *s, u64 want, u64 hint, u64 slack, unsigned int flags, u64 *pblk, u64 *got);
/*
 * lb_space_alloc() with LB_NOWAIT goes on with what is in memory while that is scarce, and notes it; this loads a few bitmaps ahead when it was noted (else it costs nothing). To be
 * called now and then where sleeping is fine; the sleeping lb_space_alloc(), commit_begin and reclaim do it themselves.
 */
void lb_space_preload(struct lb_space *s);
/* One block for metadata, from metadata regions (clustered, ascending) while there are any; `pair`: a second one, far away (another region if there is one). Sleeps. */
int lb_space_alloc_meta(struct lb_space *s, bool pair, u64 *addr, u64 *addr2);
/* Handed out, never in the image, seen by nobody: free at once. Any context. */
void lb_space_unalloc(struct lb_space *s, u64 pblk, u64 count);
/* Replay: the journal names these: not to be handed out. Idempotent. Sleeps. -EUCLEAN when outside the pool or on fixed blocks. */
int lb_space_mark(struct lb_space *s, u64 pblk, u64 count);

/* ---- live: charges. A charge is a promise that so many blocks can be allocated. */

/*
 * free_blocks - charged >= reserve must hold after: else -ENOSPC (0 charged). `use_reserve`: may go into the reserve (deletion only), down to
 * a quarter of it. Any context. lb_space_uncharge gives back: when the blocks have been allocated (the caller converts), or are not needed.
 */
int lb_space_charge(struct lb_space *s, u64 blocks, bool use_reserve);
void lb_space_uncharge(struct lb_space *s, u64 blocks);
void lb_space_set_reserve(struct lb_space *s, u64 blocks);

/* ---- the image: one commit at a time, one thread, all sleep */

void lb_space_commit_begin(struct lb_space *s);
/* Reachable from this commit on (blocks from lb_space_alloc*, or marked). -EUCLEAN when already in the image. */
int lb_space_use(struct lb_space *s, u64 pblk, u64 count);
/* Reachable no more: onto the freed list. -EUCLEAN when not in the image. */
int lb_space_release(struct lb_space *s, u64 pblk, u64 count);
/* Handed out, named by the journal perhaps, never in the image: onto the freed list only (it may be reused when this commit is durable). */
int lb_space_drop(struct lb_space *s, u64 pblk, u64 count);
/*
 * Allocate the new table blocks, write the changed bitmaps (to the slot not in use) and table blocks for `gen` into the batch's flow and wait for them
 * (not a flush: the superblock's PREFLUSH does that). *root is what the superblock must say.
 */
int lb_space_commit_write(struct lb_space *s, u64 gen, struct port_batch *batch, struct lb_space_root *root);
/* The superblock is durable: the staged image is the image; returns the list of what was freed (may be NULL). */
struct lb_freed;
struct lb_freed *lb_space_commit_done(struct lb_space *s);
/*
 * It was not: the image is the last durable one again, metadata blocks allocated since commit_begin are free (keep: stay
 * in use, for a superblock that reaches them may be on the disk after all), data blocks stay handed out; the freed list
 * is forgotten.
 */
void lb_space_commit_abort(struct lb_space *s, bool keep);

/* Blocks that commit_write allocates at the most, over and above (region table path copies): for the reserve. */
u64 lb_space_table_worst(struct lb_space *s);

/* ---- reclaim: after the commit is durable and all earlier readers have left */

/* Discards the runs on the device (coalesced; if it can), waits for that, makes the blocks free, frees the list. NULL is fine. Sleeps. */
void lb_space_reclaim(struct lb_space *s, struct lb_freed *f);
u64 lb_freed_blocks(const struct lb_freed *f);
/* Forget a list without making anything free (pool is being abandoned). */
void lb_freed_forget(struct lb_space *s, struct lb_freed *f);

/* ---- growth: between commits (commit_begin not called). The new size is in the next commit's root. Allocation sees it at once... only after _done; -EINVAL smaller. */
int lb_space_grow(struct lb_space *s, u64 total_blocks);
/* Can data lie in these blocks: in the pool, in one region, and not where something fixed is? Any context. */
bool lb_space_data_ok(struct lb_space *s, u64 pblk, u64 count);

struct lb_space_stat { u64 total, free, charged, reserve, pending, meta_used; };	/* pending: freed, not reclaimed; meta_used: fixed, bitmaps, tables of the space itself */
void lb_space_get_stat(struct lb_space *s, struct lb_space_stat *st);	/* any context */
u64 lb_space_free_blocks(struct lb_space *s);	/* cheap */

/* Is the block in the last durable image? For the checker and scrub. Sleeps; negative errno, 0, 1. */
int lb_space_in_image(struct lb_space *s, u64 pblk);
/* Scrub bitmaps and table: re-read and verify region r's bitmap and all table blocks; *bad counts. */
u64 lb_space_regions(struct lb_space *s);
int lb_space_scrub_region(struct lb_space *s, u64 r, unsigned int *bad);
int lb_space_scrub_table(struct lb_space *s, unsigned int *bad);

/* ---- format: the image of an empty pool: writes what an empty pool's root needs (nothing but an absent root, if all regions are virgin). */

#endif /* LB_SPACE_H */
