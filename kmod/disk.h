/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The disk of an active volume: /dev/layerblkN.
 *
 * Life: lbk_disk_activate() opens the volume and adds the disk; lbk_disk_deactivate() removes it. Between, disk->vol is set, but for
 * the moments between lbk_disk_suspend() and lbk_disk_resume(), when nobody has the disk open and no bio is in flight.
 *
 * Two counts keep the volume alive under bios. `inflight` counts parts of bios whose block the engine has named, reads included: what
 * a hold waits for. `waiting` counts bios that are here but not in flight: parked by a hold, waiting for room, for a flush, for a worker.
 * A bio in submit_bio() itself is counted by the queue, which del_gendisk() drains.
 *
 * Locks: see pool.h. disk->lock protects openers, exclusive, holds, parked and waiting.
 */
#ifndef LBK_DISK_H
#define LBK_DISK_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/percpu-refcount.h>

#include "pool.h"

#define LBK_LABEL_KEY	"layerblk.label"	/* the pool's attribute that names it to people */

struct lbk_disk {
	struct lb_vol *vol;
	struct lbk_pool *pool;
	struct block_device *below;	/* pool->bdev */
	struct percpu_ref inflight;
	struct gendisk *gd;
	bool read_only;			/* frozen, or activated so */
	bool linked;			/* among the holders of the device below */

	u64 id;
	int index;
	struct hlist_node hash;		/* pool->disks */

	spinlock_t lock;
	unsigned int openers;		/* open block devices and requests that pin the disk */
	bool exclusive;			/* a request has it for itself: it cannot be opened */
	unsigned int holds;
	struct bio_list parked;
	unsigned int waiting;
	wait_queue_head_t idle;		/* waiting has become 0 */
	wait_queue_head_t resumed;	/* holds has become 0 */

	struct mutex hold_lock;		/* one hold or resume at a time */
	struct completion drained;
	struct work_struct unpark;
};

/* All with pool->disks_lock held. */
struct lbk_disk *lbk_disk_find(struct lbk_pool *pool, u64 id);
/* Finds it or makes it (read-only when the volume or the pool is). Errors of lb_vol_open() and of adding a disk. */
int lbk_disk_activate(struct lbk_pool *pool, u64 id, bool read_only, struct lbk_disk **out);
int lbk_disk_deactivate(struct lbk_disk *disk);		/* -EBUSY */
int lbk_disk_deactivate_all(struct lbk_pool *pool);	/* -EBUSY: then none has been */
int lbk_disk_suspend(struct lbk_disk *disk);		/* -EBUSY */
void lbk_disk_resume(struct lbk_disk *disk);
void lbk_disk_remove(struct lbk_disk *disk);		/* a suspended one, whose volume is gone */
/* Take over size and frozenness from the volume, after a request that may have changed them. */
void lbk_disk_refresh(struct lbk_disk *disk);

/* A volume's disk, pinned (as if open) until lbk_disk_unpin(); NULL when it has none. Takes disks_lock. */
struct lbk_disk *lbk_disk_pin(struct lbk_pool *pool, u64 id);
void lbk_disk_unpin(struct lbk_disk *disk);
/* The volume's names have changed: udev is to look again. id 0: all disks of the pool. */
void lbk_disk_changed(struct lbk_pool *pool, u64 id);

/* hold.c: bios that may not go on. */
int lbk_hold_init(struct lbk_disk *disk);
void lbk_hold_exit(struct lbk_disk *disk);
void lbk_hold(struct lbk_disk *disk);			/* new bios are parked; returns when none is in flight */
void lbk_resume(struct lbk_disk *disk);
void lbk_wait_held(struct lbk_disk *disk);		/* sleeps until there is no hold */
bool lbk_park(struct lbk_disk *disk, struct bio *bio);	/* false: there is no hold (any more) */
void lbk_wait_begin(struct lbk_disk *disk);		/* one more bio is here without being in flight */
void lbk_wait_end(struct lbk_disk *disk);
void lbk_wait_idle(struct lbk_disk *disk);
void lbk_fail_parked(struct lbk_disk *disk);

int lbk_disk_init(void);
void lbk_disk_exit(void);

#endif /* LBK_DISK_H */
