/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Benches for the tests in the kernel. Each is made by a suite's init and cleared away by its exit, however the test has ended.
 *
 *   struct englab   the engine alone on a memdisk: no bios and no disks, the background runs when the test says so
 *   struct biolab   an open pool of the module on a memdisk, a volume's disk, bios from the test to it
 *
 * Content is told by tags: a sector is filled with a pattern of its tag and its number; tag 0 means zeros. So a sector in the wrong place, or
 * of another volume, is seen.
 */
#ifndef LBK_LAB_H
#define LBK_LAB_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/workqueue.h>

#include "bio.h"
#include "memdisk.h"

#define LAB_BLOCKS	16384u		/* of a pool: 64 MiB */

void lab_fill(void *buf, u32 tag, u64 sector, unsigned int sectors);
/* The first sector that is not as lab_fill() makes it, or -1. */
int lab_mismatch(const void *buf, u32 tag, u64 sector, unsigned int sectors);
struct lb_name lab_name(const char *s);

/* ------------------------------------------------------------------ the engine */

struct englab {
	struct kunit *test;
	struct memdisk *md;
	struct file *file;		/* of md; NULL: not open */
	struct port_dev dev;
	struct lb_pool *pool;		/* NULL: not open */
	struct lb_vol *vols[8];		/* open ones */
	unsigned int holds, resumes, events[32];
	u64 room;
	/* with workers */
	struct workqueue_struct *wq;
	struct work_struct commit_work, reclaim_work;
};

/* Suite callbacks: a formatted pool of LAB_BLOCKS that is open. */
int englab_init(struct kunit *test);
int englab_init_small(struct kunit *test);		/* of 32 MiB */
void englab_exit(struct kunit *test);

/* Which fail the test when they do not succeed: */
void el_device_open(struct englab *l);
void el_device_close(struct englab *l);
void el_open(struct englab *l, unsigned int flags);
void el_close(struct englab *l);
void el_reopen(struct englab *l);
void el_power_cut(struct englab *l);		/* volumes are closed; the pool is opened again */
void el_settle(struct englab *l);
u64 el_create(struct englab *l, const char *name, u64 blocks);
u64 el_snapshot(struct englab *l, u64 source, const char *name);
struct lb_vol *el_vol_open(struct englab *l, u64 id);
void el_vol_close(struct englab *l, struct lb_vol *vol);
void el_write(struct englab *l, struct lb_vol *vol, u64 block, u64 count, u32 tag);
void el_expect(struct englab *l, struct lb_vol *vol, u64 block, u64 count, u32 tag);
/* The same of a volume that is not open. */
void el_fill(struct englab *l, u64 id, u64 block, u64 count, u32 tag);
void el_expect_vol(struct englab *l, u64 id, u64 block, u64 count, u32 tag);
void el_workers(struct englab *l);		/* from now on the background runs by itself */

/* Which tell: */
int el_try_open(struct englab *l, unsigned int flags);
int el_try_write(struct englab *l, struct lb_vol *vol, u64 block, u64 count, u32 tag);
int el_try_read(struct englab *l, struct lb_vol *vol, u64 block, u64 count, u32 tag);	/* -EILSEQ: other content */
int el_try_unmap(struct englab *l, struct lb_vol *vol, u64 block, u64 count);
struct lb_pool_stat *el_stat(struct englab *l);		/* valid until the next call; free, data and meta add up */

/* ------------------------------------------------------------------ bios */

#define BIOLAB_SECTORS	8192u		/* of the volume: 4 MiB */

struct biolab {
	struct kunit *test;
	struct memdisk *md;
	u8 uuid[16];
	bool open;			/* the pool is */
	struct lbk_pool *pool;		/* not referenced: nobody else closes it */
	u64 id;
	struct lbk_disk *disk;
	struct block_device *bdev;	/* the disk's */
	u32 *model;			/* the tag of each sector */
	unsigned int seed;
};

int biolab_init(struct kunit *test);
int biolab_init_irq(struct kunit *test);	/* the memdisk completes in an interrupt */
void biolab_exit(struct kunit *test);

/* A bio under way. */
struct labio {
	struct bio *bio;
	void *buf;
	size_t bytes;
	u32 tag;
	u64 sector;
	struct completion done;
	int error;
};

/* Start one on a disk; opf as REQ_OP_* and flags. A write's content is that of the tag. */
struct labio *bl_start_on(struct biolab *l, struct lbk_disk *disk, blk_opf_t opf, u64 sector, unsigned int sectors, u32 tag);
#define bl_start(l, opf, sector, sectors, tag) bl_start_on(l, (l)->disk, opf, sector, sectors, tag)
bool bl_done(struct labio *io);
/* Its error; a read's content is compared with its tag: -EILSEQ. Frees it. Fails the test when it takes a minute. */
int bl_wait(struct biolab *l, struct labio *io);
int bl_io_on(struct biolab *l, struct lbk_disk *disk, blk_opf_t opf, u64 sector, unsigned int sectors, u32 tag);
#define bl_io(l, opf, sector, sectors, tag) bl_io_on(l, (l)->disk, opf, sector, sectors, tag)

/* With the model kept: these must succeed. */
void bl_write(struct biolab *l, u64 sector, unsigned int sectors, u32 tag, blk_opf_t flags);
void bl_zero(struct biolab *l, enum req_op op, u64 sector, unsigned int sectors);	/* what is zero afterwards, in the model too */
void bl_flush(struct biolab *l);
void bl_verify(struct biolab *l);				/* all of the volume */
void bl_verify_on(struct biolab *l, struct lbk_disk *disk, const u32 *model);
u32 *bl_model_copy(struct biolab *l);

u64 bl_snapshot(struct biolab *l, const char *name);		/* of the volume */
struct lbk_disk *bl_activate(struct biolab *l, u64 id);
void bl_deactivate(struct biolab *l, struct lbk_disk *disk);
void bl_close(struct biolab *l);
void bl_open(struct biolab *l);					/* and the volume's disk */
void bl_power_cut(struct biolab *l);				/* and opens it again */
unsigned int bl_random(struct biolab *l, unsigned int below);

extern struct kunit_suite lbk_port_suite, lbk_port_irq_suite, lbk_engine_suite, lbk_engine_small_suite, lbk_chain_suite, lbk_bio_suite,
	lbk_bio_irq_suite, lbk_bio_order_suite, lbk_bio_hold_suite;

#endif /* LBK_LAB_H */
