/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A bench for faults: one operation of the engine's public face, done on a fresh clone of a prepared pool beside its model, with one fault (or one that stays) at a place that a
 * number names; and what must hold after that, whatever the fault was.
 *
 * Two models go with it: what the pool holds if the operation came to nothing, and what it holds if it was done. An operation that says 0 was done, and what it promises to
 * be durable is; one that says an error left the pool as it was, or, when the pool has failed, as either.
 */
#ifndef TEST_FAULTLAB_H
#define TEST_FAULTLAB_H

#include "model.h"

#define FLAB_POOL_BLOCKS		8192ull
#define FLAB_DEVICE_BLOCKS	12000ull
#define FLAB_TEXT		(2 * MODEL_TEXT)
#define FLAB_WIDE		400u	/* blocks of the volumes that have trees of several leaves */

enum fault_scene {
	SCENE_CLEAN,		/* closed */
	SCENE_JOURNAL,		/* cut off with a journal to replay: entries of several volumes, a new volume, an attribute */
	SCENE_BUSY,		/* cut off in the middle of a deletion and of a collapse, which opening goes on with */
	SCENES
};

enum fault_kind {
	FAULT_ALLOC,		/* the nth allocation fails */
	FAULT_NOMEM,		/* it and all that follow */
	FAULT_READ, FAULT_WRITE, FAULT_FLUSH, FAULT_DISCARD,	/* the nth block read, block written, flush, discard fails */
	FAULT_DEAD,		/* from the nth I/O on all fail, a write perhaps half done */
	FAULT_RDONLY,		/* from the nth write or flush on these and discards fail; reads do not */
	FAULT_KINDS,
	/* Lies: a read says that it worked. nth: the nth block read, of all. */
	LIE_CORRUPT = FAULT_KINDS, LIE_STALE,
	LIE_MISDIRECT,		/* by flab_misdirection blocks */
	LIE_BAD_BLOCK,		/* every read of block number nth gives it corrupted */
	LIE_KINDS
};
extern s64 flab_misdirection;
extern const char *const fault_kind_names[LIE_KINDS];

struct faultlab;

#define OP_OPENS	1u	/* run() opens the pool */
#define OP_CLOSES	2u	/* run() closes it */
#define OP_COMMITS	4u	/* a commit is part of it: what fails within that may fail the pool */
#define OP_VOID		8u	/* background work: has no error to give back */
#define OP_JOURNALS	16u	/* writes the journal: so does what fails within that, when it cannot be done in another way */

struct fault_op {
	const char *name;
	enum fault_scene scene;
	unsigned int flags;
	void (*setup)(struct faultlab *l);			/* without faults; may be NULL */
	void (*expect)(struct faultlab *l, struct model *after);	/* what success does to the model; may be NULL */
	int (*run)(struct faultlab *l);				/* engine calls only */
	bool (*holds)(struct faultlab *l, bool done);		/* what no model knows; may be NULL */
};
extern const struct fault_op fault_ops[];
extern const unsigned int fault_op_count;

struct faultlab {
	const struct fault_op *op;
	struct host h;
	struct model *m, *after;	/* not done, done */
	u64 next_id;			/* which the next volume will get */
	u64 size;			/* the pool's, or other things that an operation keeps for itself */
	/* the I/O of an operation that writes */
	struct model_vol *io_vol;
	u64 io_sector, io_count;
	u32 io_version;
	unsigned int io_flags;
	/* the fault */
	struct fault_counter {
		enum fault_kind kind;
		u64 nth;		/* 0: only count */
		u64 reads, writes, flushes, discards, ios, changes;
	} counter;
	u64 allocs;
	u64 allocations;		/* alive before it was made */
	char why[FLAB_TEXT];
};

/* Prepare all scenes; free them. */
void fault_scenes_make(void);
void fault_scenes_free(void);

/* A clone of the operation's scene, opened and set up. What goes wrong here aborts. */
void flab_begin(struct faultlab *l, const struct fault_op *op);
void flab_end(struct faultlab *l);
/* How often the operation does what may fail: for each kind the number of places. */
void flab_count(const struct fault_op *op, u64 places[FAULT_KINDS]);

/* One fault at the nth place. `variant` decides what is looked at besides (0 to 3). False: l.why says. */
bool flab_case(const struct fault_op *op, enum fault_kind kind, u64 nth, unsigned int variant, char why[FLAB_TEXT + 40]);

#define FLAB_MUST_WORK	64u	/* with variant: the operation succeeds, fault or not */

/* ------------------------------------------------------------------ for those who make lies of faults (test_lies.c) */

/* What an operation reads and writes of metadata, in order. */
struct flab_access {
	u64 nth;		/* of all blocks read, or written */
	u64 block;
	u32 magic;
	bool twin;		/* there is a second copy of it */
	bool tail;		/* in the journal, and nothing behind it says that it was ever whole */
};
struct flab_trace {
	struct flab_access *reads, *writes;
	unsigned int n_reads, n_writes;
};
void flab_trace(const struct fault_op *op, struct flab_trace *t);
void flab_trace_free(struct flab_trace *t);
bool flab_is_journal(u64 block);
/* Does this block of the disk hold metadata? Its magic (a journal block without one: that of a record), else 0. */
u32 flab_magic(struct port_dev *dev, u64 block);

bool flab_say(struct faultlab *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void flab_close_disks(struct faultlab *l);

/* ------------------------------------------------------------------ for operations */

struct model_vol *flab_vol(struct faultlab *l, const char *name);
u64 flab_id(struct faultlab *l, const char *name);
struct disk *flab_disk(struct faultlab *l, const char *name);	/* opened, if it is not; aborts */
/* Sectors of a volume that is open, done and acknowledged. */
void flab_write(struct faultlab *l, const char *name, u64 sector, u64 count);
/* A volume is removed, in the pool and in the model. */
void flab_remove(struct faultlab *l, const char *name);
/* The I/O that is to be made under a fault: known to both models, acknowledged in that of success. */
void flab_plan_io(struct faultlab *l, struct model *after, const char *name, u64 sector, u64 count, unsigned int flags, bool discard);
int flab_do_io(struct faultlab *l);

#endif /* TEST_FAULTLAB_H */
