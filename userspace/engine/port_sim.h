/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A simulated disk with a volatile write cache, for tests. It is sparse (a disk of many TiB costs what was written), can be cloned cheaply (clones share
 * blocks), can lose its power at any point, and can fail in all the ways that disks do.
 *
 * The model: a write is visible to reads at once, and durable after a flush that begins after it has completed, or at once with FUA. At a power cut, of the writes not yet
 * durable any subset reaches the medium, each block as a whole or torn at 512 byte sectors. A write of several blocks is so many writes of one block. A
 * discard makes a block read as zeros (durable by the same rules).
 *
 * A port_sim may be used by several threads; the hook is called in the thread that does the I/O, without the disk's lock held.
 */
#ifndef LB_PORT_SIM_H
#define LB_PORT_SIM_H

#include "port_user.h"

#define PORT_SIM_SECTORS 8u	/* of 512 bytes in a block */

/* A new disk, all zeros. Running out of memory aborts, here and elsewhere in this file. */
struct port_dev *port_sim_new(u64 blocks);
void port_sim_free(struct port_dev *dev);
/* The same content, the same writes pending; no faults, no hook, counters at zero. */
struct port_dev *port_sim_clone(struct port_dev *dev);
/* Grow or shrink. What lay beyond the end is gone. */
void port_sim_resize(struct port_dev *dev, u64 blocks);
/* Without discard support, port_dev_can_discard() says false. Default: with. */
void port_sim_set_discard(struct port_dev *dev, bool can);

/* ------------------------------------------------------------------ counters */

struct port_sim_stat {
	u64 reads;		/* device reads, of one block each */
	u64 writes;		/* device writes, of one or more blocks */
	u64 write_blocks;
	u64 flushes;		/* explicit ones and PREFLUSH */
	u64 fuas;		/* writes with FUA */
	u64 discards, discard_blocks;
	u64 pending;		/* writes and discards (of one block each) not yet durable, now */
	u64 stored;		/* blocks that take memory, now */
};
void port_sim_get_stat(struct port_dev *dev, struct port_sim_stat *st);
void port_sim_reset_stat(struct port_dev *dev);

/* ------------------------------------------------------------------ power cuts */

/* A write (or discard) that is not durable yet. */
struct port_sim_write {
	u64 index;		/* 0, 1, 2 ... among the pending ones, in the order in which they were made */
	u64 serial;		/* the I/O's, as the hook knows it */
	u64 block;
	bool discard;
};

/* The first `room` of them; how many there are in all. */
u64 port_sim_pending(struct port_dev *dev, struct port_sim_write *list, u64 room);

/*
 * The disk after a power cut: a new disk, all of it durable. For every pending write, in order, pick() says which sectors reached the medium: bit i for sector i, 0x00 none, 0xff
 * the whole block. The given disk is unchanged.
 */
struct port_dev *port_sim_crash(struct port_dev *dev, u8 (*pick)(void *arg, const struct port_sim_write *w), void *arg);
/* The same by chance: whole, none or torn; the seed decides, also how many on the whole. */
struct port_dev *port_sim_crash_random(struct port_dev *dev, u64 seed);
struct port_dev *port_sim_crash_none(struct port_dev *dev);	/* nothing pending got there */
struct port_dev *port_sim_crash_all(struct port_dev *dev);	/* all of it did */

/* ------------------------------------------------------------------ the hook */

enum port_sim_op { PORT_SIM_READ, PORT_SIM_WRITE, PORT_SIM_FLUSH, PORT_SIM_DISCARD };

struct port_sim_io {
	enum port_sim_op op;
	u64 block, count;
	unsigned int flags;	/* PORT_PREFLUSH, PORT_FUA */
	u64 serial;		/* 1, 2, 3 ...: of writes, flushes and discards; of a read, the last one's */
};

/*
 * Called once for each read, write, flush and discard, at its most delicate moment: a write has been cached but not completed (so that port_sim_crash* inside the hook tears
 * it, also one with FUA), a flush has not made anything durable. A write with PREFLUSH gives a PORT_SIM_FLUSH call first, with the same serial. A non-zero
 * result makes the I/O fail with it, a write half done as if the disk were gone.
 */
typedef int (*port_sim_hook)(void *arg, struct port_dev *dev, const struct port_sim_io *io);
void port_sim_set_hook(struct port_dev *dev, port_sim_hook hook, void *arg);

/* ------------------------------------------------------------------ faults */

enum port_sim_effect {
	PORT_SIM_ERROR,		/* fails with `error` (0: -EIO); nothing is read or written */
	PORT_SIM_CORRUPT,	/* read: one bit flipped in what is returned. write: one bit flipped in what is stored */
	PORT_SIM_STALE,		/* read: what the block held before its last write */
	PORT_SIM_LOST,		/* write, flush: says that it worked, does nothing */
	PORT_SIM_MISDIRECT,	/* read, write: the block `arg` further on instead */
};

/* Each block of an I/O is matched on its own. Up to 16 faults at a time; the first that matches counts. */
struct port_sim_fault {
	enum port_sim_op op;
	enum port_sim_effect effect;
	u64 first, last;	/* blocks concerned, inclusive; last 0: all from first on */
	u64 skip;		/* so many matches pass unharmed first */
	u64 times;		/* then so many are hit; 0: all */
	s64 arg;
	int error;
};
void port_sim_add_fault(struct port_dev *dev, const struct port_sim_fault *fault);
void port_sim_clear_faults(struct port_dev *dev);
u64 port_sim_fault_hits(struct port_dev *dev);	/* since the last clear */

/* ------------------------------------------------------------------ behind the engine's back: no counters, faults or hooks */

void port_sim_peek(struct port_dev *dev, u64 block, void *buf);		/* what a read would return */
void port_sim_poke(struct port_dev *dev, u64 block, const void *buf);	/* durable at once */
bool port_sim_is_durable(struct port_dev *dev, u64 block);		/* no pending write to it */
/* Every block that has been written and not discarded since, ascending; *n of them. To be freed with free(). */
u64 *port_sim_stored(struct port_dev *dev, u64 *n);

#endif /* LB_PORT_SIM_H */
