/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An open pool: the kernel side of one struct lb_pool.
 *
 * Names: lb_ is the engine's, lbk_ the kernel side's.
 *
 * Locks, outermost first:
 *   pool->disks_lock   which volumes have a disk: activation, deactivation, and changes that need a disk without users (mutex)
 *   lbk_pools_lock     the list of pools, their states and users (mutex, held for moments)
 *   the engine's mutexes; disk->hold_lock may be taken under them (vol_hold)
 *   disk->lock, pool->room.lock, the event ring's lock (spin, leaves)
 * freeze_bdev, sync_blockdev and all that waits for a file system run under none of them.
 *
 * Work queues are per pool, for a pool may lie on a loop device on a volume of another one. What runs where, and what it waits for:
 *   commit_wq    lb_work_commit()    device I/O, in-flight I/O of a volume (a cut)
 *   reclaim_wq   lb_work_reclaim()   in-flight I/O, device I/O, a commit
 *   flush_wq     lb_flush()          device I/O, a commit
 *   unmap_wq     lb_unmap()          device I/O, block locks (held by in-flight I/O or by a running work of slow_wq)
 *   slow_wq      bios that sleep     device I/O, block locks, room in slow_wq for nothing: a work there never holds a block lock while it is queued
 *   unpark_wq    parked bios         what submit_bio() waits for: parts in flight, jobs, and so works of slow_wq and flush_wq
 * The first two are frozen when the machine is suspended. None waits for another work of its own queue, so that the one rescuer of
 * each is enough.
 */
#ifndef LBK_POOL_H
#define LBK_POOL_H

#include <linux/hashtable.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "engine.h"
#include "port_kernel.h"

struct lbk_disk;
struct shrinker;

enum lbk_pool_state {
	LBK_POOL_OPENING,		/* in the list to keep its UUID, not to be found */
	LBK_POOL_OPEN,
	LBK_POOL_CLOSING,
};

/* Bios that wait for space or for memtable room: see bio_room.c. */
struct lbk_room {
	spinlock_t lock;
	struct list_head rounds;	/* jobs that wait for a round */
	struct list_head later;		/* jobs that try again when the timer fires */
	u64 done;			/* the newest round that is over */
	struct delayed_work timer;
};

struct lbk_pool {
	struct lb_pool *engine;
	struct block_device *bdev;
	/* for bios on the way */
	mempool_t ios;			/* struct lbk_io */
	mempool_t jobs;			/* struct lbk_job, of reads and bare flushes */
	mempool_t write_jobs;		/* of what may wait for room, perhaps for ever: apart, so that it never keeps a read waiting */
	mempool_t pages;		/* of read-modify-write */
	struct bio_set clones;
	struct workqueue_struct *slow_wq, *flush_wq, *unmap_wq, *unpark_wq, *commit_wq, *reclaim_wq;
	struct lbk_room room;

	struct delayed_work commit_work;
	struct work_struct reclaim_work;
	struct work_struct gone_work;	/* what is to be done when gone is set */
	struct port_dev dev;
	struct file *file;
	bool ready;			/* the engine is open: its work may be done */
	bool read_only;
	bool gone;			/* the device said that it has been removed */
	u8 uuid[16];

	struct list_head link;		/* lbk_pools; this and the next two: lbk_pools_lock */
	enum lbk_pool_state state;
	unsigned int users;		/* requests under way */

	struct mutex disks_lock;
	DECLARE_HASHTABLE(disks, 8);	/* struct lbk_disk by volume id; disks_lock */
	unsigned int disk_count;	/* disks_lock */

	struct shrinker *shrinker;
	struct kobject kobj;
	struct completion kobj_done;
};

/* Open: 0 and a UUID, or what lb_pool_open() and opening a block device say; -EBUSY a pool with this UUID is open. */
int lbk_pool_open(dev_t dev, bool read_only, bool fallback, u8 uuid[16]);
/* -EBUSY a disk is open: nothing has changed. Otherwise the pool is closed on return, whatever the error. */
int lbk_pool_close(const u8 uuid[16]);

/* A pool by UUID, or NULL. It stays open until lbk_pool_put(). */
struct lbk_pool *lbk_pool_get(const u8 uuid[16]);
/* The pool with the smallest UUID greater than this one, or NULL. */
struct lbk_pool *lbk_pool_next(const u8 uuid[16]);
void lbk_pool_put(struct lbk_pool *pool);

int lbk_pools_init(void);
void lbk_pools_exit(void);

/* sysfs.c */
int lbk_sysfs_add(struct lbk_pool *pool);
void lbk_sysfs_del(struct lbk_pool *pool);
int lbk_sysfs_init(void);
void lbk_sysfs_exit(void);
u64 lbk_pool_state_bits(const struct lb_pool_stat *st);	/* LB_POOL_* */

#endif /* LBK_POOL_H */
