/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way of a bio.
 *
 *   bio_io.c      where the parts in flight come from
 *   bio.c         from submit_bio to the pool device and back, as long as nothing has to sleep
 *   bio_slow.c    in a worker: metadata reads, block locks, parts of blocks (read-modify-write)
 *   bio_flush.c   flushes, and FUA on blocks whose mapping is not durable yet
 *   bio_unmap.c   discard and write-zeroes
 *   bio_room.c    bios that wait for space
 *   hold.c        bios that wait for a snapshot's cut
 *
 * A bio is worked off in parts, each as long as one answer of the engine. A part in flight has a struct lbk_io; a bio (or what is left
 * of it) that waits or sleeps has a struct lbk_job, or is parked. The part that is the whole bio is redirected as it is, others
 * are clones chained to it. A bio that others are chained to is never redirected as it is: it would seem in flight until they all have
 * ended, and a hold that parks one of them would wait for ever.
 *
 * Allocation, always in this order, so that what is waited for can end: job, clone, io (a part in flight ends by itself). In
 * submit_bio() only the io, or instead of it a job, is waited for.
 */
#ifndef LBK_BIO_H
#define LBK_BIO_H

#include "disk.h"

struct lbk_io {
	struct lbk_disk *disk;
	struct bio *bio;		/* the part */
	union {
		bio_end_io_t *end_io;	/* its own */
		struct lbk_io *next;	/* while it is not in use: bio_io.c */
	};
	void *private;
	unsigned long start;		/* jiffies */
	unsigned int sectors;
	int gate;
	enum req_op op;
	bool write;			/* w is valid */
	blk_opf_t withheld;		/* REQ_FUA, REQ_PREFLUSH: a flush by the engine before it is acknowledged stands for them */
	struct lb_write w;
	struct work_struct work;	/* of the flush */
};

struct lbk_job {
	struct work_struct work;
	mempool_t *from;
	struct workqueue_struct *wq;	/* where it runs */
	struct lbk_disk *disk;
	struct bio *bio;		/* what is left of it */
	struct bio *clone;		/* taken in advance for the next part */
	unsigned long start;		/* jiffies: when the bio came */
	unsigned int sectors;		/* of the whole bio (unmap) */
	/* waiting for room */
	struct list_head link;
	u64 round;
	u64 since;			/* jiffies64 */
	u64 deadline;			/* jiffies64; 0: none set */
	bool asked;			/* has been through a round for this part */
	void (*fail)(struct lbk_job *job, int error);	/* NULL: free the job, end the bio */
};

#define LBK_BLOCK_SECTORS	(LB_BLOCK_BYTES >> SECTOR_SHIFT)

/* What a step says of a bio; otherwise a negative errno, and nothing has been done. */
#define LBK_GONE	0		/* it is on its way or has ended: do not touch it */
#define LBK_MORE	1		/* a part of it is: the bio is the rest */
#define LBK_HELD	2		/* nothing done: the volume is held */

/*
 * Does it end behind the volume's end? The block layer has compared it with the disk's size when it came; while it was held or
 * waited the volume may have been made smaller. In flight the answer stays true, for that is changed while the volume is held.
 */
static inline bool lbk_beyond(struct lbk_disk *disk, struct bio *bio)
{
	return bio_end_sector(bio) > lb_vol_blocks(disk->vol) * LBK_BLOCK_SECTORS;
}

/* bio_io.c */
struct lbk_io *lbk_io_alloc(struct lbk_disk *disk, gfp_t gfp);
void lbk_io_free(struct lbk_io *io);
int lbk_ios_reserve(mempool_t *reserve);		/* a pool's own; mempool_exit() it */
int lbk_ios_init(void);
void lbk_ios_exit(void);

/* bio.c */
void lbk_submit_bio(struct bio *bio);
/* Read or write; does not sleep but for memory. A job that the bio has already (or NULL) is consumed: never wait for a second one. */
void lbk_bio_issue(struct lbk_disk *disk, struct bio *bio, struct lbk_job *job);
/* What to do with a bio on which a step has ended with `ret` (not GONE or MORE). Consumes the job (may be NULL). */
void lbk_bio_stuck(struct lbk_disk *disk, struct bio *bio, int ret, struct lbk_job *job);
void lbk_bio_end(struct bio *bio, int error);
int lbk_io_step(struct lbk_disk *disk, struct bio *bio, struct lbk_job *job);	/* job NULL: do not sleep */
void lbk_io_dispatch(struct lbk_io *io, struct bio *part, sector_t sector);
void lbk_io_release(struct lbk_io *io);			/* account for it and free it */
/* Back to its owner. bio_endio() has run on the part once already, with lbk_io_end(); this is the second time. */
void lbk_part_end(struct bio *part);
struct lbk_job *lbk_job_alloc(struct lbk_disk *disk, struct bio *bio);	/* sleeps */
void lbk_job_free(struct lbk_job *job);
void lbk_job_queue(struct lbk_job *job, struct workqueue_struct *wq, work_func_t fn);
int lbk_bio_pools_init(struct lbk_pool *pool);
void lbk_bio_pools_exit(struct lbk_pool *pool);
int lbk_bio_init(void);
void lbk_bio_exit(void);

/* bio_slow.c */
void lbk_slow_work(struct work_struct *work);
/*
 * Write part of one block, from data at the bio's iterator (NULL: zeros); io is in flight with a first write begun. Ends the
 * part (lb_write_end, gate, in-flight count, io) whatever the result.
 */
int lbk_io_rmw(struct lbk_io *io, struct bio *bio, unsigned int skip, unsigned int sectors);

/* bio_flush.c */
void lbk_bio_flush(struct lbk_disk *disk, struct bio *bio);	/* with REQ_PREFLUSH, with data or without */
void lbk_flush_io(struct lbk_io *io);				/* any context: lb_flush(), then the part ends; counted as waiting */

/* bio_unmap.c */
void lbk_bio_unmap(struct lbk_disk *disk, struct bio *bio);

/* bio_room.c */
void lbk_room_init(struct lbk_pool *pool);
void lbk_room_exit(struct lbk_pool *pool);
void lbk_room_wait(struct lbk_job *job, int error);		/* -ENOSPC or -ENOBUFS; consumes the job */
void lbk_room_done(struct lbk_pool *pool, u64 round);		/* host->room */

#endif /* LBK_BIO_H */
