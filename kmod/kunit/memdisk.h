/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk in memory for the tests: a real gendisk that does what a test tells it to.
 *
 * It has a volatile write cache: what has been written is durable after a flush, or when it came with FUA. memdisk_power_cut() takes it
 * back to what is durable. It notes every bio in a log, fails those that it is told to, keeps bios back until they are let go, and
 * completes in submit_bio() or in a hardware interrupt.
 */
#ifndef LBK_MEMDISK_H
#define LBK_MEMDISK_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/irq_work.h>

#define MEMDISK_LOG	1024u

struct memdisk_entry {
	enum req_op op;
	blk_opf_t opf;
	sector_t sector;
	unsigned int sectors;
};

/* Which bios, for memdisk_fail() and memdisk_keep(): by what they do. */
#define MEMDISK_READ	1u
#define MEMDISK_WRITE	2u	/* with data */
#define MEMDISK_FLUSH	4u	/* without data */
#define MEMDISK_DISCARD	8u
#define MEMDISK_META	16u	/* only those marked as metadata */
#define MEMDISK_DATA	32u	/* only those that are not */
#define MEMDISK_ALL	(MEMDISK_READ | MEMDISK_WRITE | MEMDISK_FLUSH | MEMDISK_DISCARD)

struct memdisk_opts {
	u64 blocks;			/* of 4 KiB */
	u64 room;			/* it can grow to so many; 0: as many */
	unsigned int sector_bytes;	/* logical block size; 0: 512 */
	bool no_discard;
	bool irq;			/* completions in an interrupt */
};

struct memdisk {
	struct gendisk *gd;
	u64 room;
	spinlock_t lock;		/* all that follows; taken in interrupts */
	struct page **now, **durable;	/* a block each; NULL: zeros. The same page in both when it is durable. */
	struct memdisk_entry log[MEMDISK_LOG];
	unsigned int logged;		/* entries; further bios are counted in lost only */
	unsigned int lost;
	unsigned int fail_what, fail_skip, fail_count;
	blk_status_t fail_status;
	unsigned int keep_what;
	unsigned int kept;
	struct bio_list keep;
	bool irq;
	bool off;			/* no power: everything fails */
	u64 off_after;			/* so many writes and flushes until then; 0: never */
	struct bio_list ready;		/* for the interrupt */
	struct irq_work irq_work;
};

struct memdisk *memdisk_new(const struct memdisk_opts *opts);	/* NULL */
void memdisk_free(struct memdisk *md);				/* nobody has it open */
dev_t memdisk_dev(struct memdisk *md);
void memdisk_grow(struct memdisk *md, u64 blocks);

/* The first `skip` bios of this kind are well, the next `count` fail. what 0: none fails. */
void memdisk_fail(struct memdisk *md, unsigned int what, unsigned int skip, unsigned int count, blk_status_t status);
/* Bios of this kind are kept back from now on; what 0: all that are kept go on. */
void memdisk_keep(struct memdisk *md, unsigned int what);
unsigned int memdisk_kept(struct memdisk *md);
/* The power goes now or, with writes, after so many writes and flushes: nothing is read or written until memdisk_power_cut(). */
void memdisk_power_off(struct memdisk *md, u64 writes);
/* What was not durable is lost, and the power is back. Nobody may have it open. */
void memdisk_power_cut(struct memdisk *md);

void memdisk_log_clear(struct memdisk *md);
/* How many bios of this kind (MEMDISK_*) there are in the log; -1 when it is not complete. */
int memdisk_logged(struct memdisk *md, unsigned int what);
/* The index of the first at `from` or later of this kind, or -1. */
int memdisk_log_find(struct memdisk *md, unsigned int what, unsigned int from);

/* Changes one byte of a block, as a disk that rots. */
void memdisk_damage(struct memdisk *md, u64 block, unsigned int at);
bool memdisk_block_is_zero(struct memdisk *md, u64 block);

#endif /* LBK_MEMDISK_H */
