/* SPDX-License-Identifier: GPL-2.0 */
/* One run, between workload.c (chance), workload_io.c and workload_ops.c (doing it), crash.c (power cuts) and enumerate.c (all of them). */
#ifndef TEST_WORKLOAD_PRIV_H
#define TEST_WORKLOAD_PRIV_H

#include "workload.h"

#define WORKLOAD_HALF	6u

struct half_write {
	u64 vol, block, count;
	u32 version;
	struct disk_pending pending;
};

struct workload {
	const struct workload_opts *opts;
	struct workload_result *res;
	struct host h;
	struct model *m;
	u64 state;			/* of the chance */
	u32 labels;			/* given so far */
	struct half_write *half[WORKLOAD_HALF];	/* each stays where it is: the engine links it */
	unsigned int half_count;
	/* a power cut that is to come */
	struct model *before;		/* the model before this operation; NULL: none is to come */
	u64 countdown, crash_seed;
	struct port_dev *crashed;	/* what the cut left */
};

/* ------------------------------------------------------------------ workload.c */

/* Below n. */
u64 workload_chance(u64 *state, u64 n);
/* A random operation that makes sense in the state there is. */
struct script_op workload_choose(struct workload *w);

/* ------------------------------------------------------------------ workload_io.c */

/* Note what is wrong, in w->m->why; false. */
bool workload_wrong(struct workload *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The operation's volume, or NULL; NULL also when it cannot be written to. */
struct model_vol *workload_vol(struct workload *w, const struct script_op *op);
struct model_vol *workload_writable(struct workload *w, const struct script_op *op);
/* No write is left half done (of this volume; NULL: of any). */
void workload_end_pending(struct workload *w, struct model_vol *v);
void workload_close_disk(struct workload *w, struct model_vol *v);
void workload_close_disks(struct workload *w);

bool workload_op_write(struct workload *w, const struct script_op *op);
bool workload_op_scatter(struct workload *w, const struct script_op *op);
bool workload_op_zero(struct workload *w, const struct script_op *op);
bool workload_op_discard(struct workload *w, const struct script_op *op);
bool workload_op_flush(struct workload *w, const struct script_op *op);
bool workload_op_begin(struct workload *w, const struct script_op *op);
bool workload_op_end(struct workload *w, const struct script_op *op);
bool workload_op_read(struct workload *w, const struct script_op *op);

/* ------------------------------------------------------------------ workload_ops.c */

/* Do one operation on pool and model, without its cut. False: m->why. */
bool workload_op(struct workload *w, const struct script_op *op);
/* With its cut. */
bool workload_do(struct workload *w, const struct script_op *op);
bool workload_open(struct workload *w);
/* All volumes go, and the pool is closed; then it must be as empty as a new one. */
bool workload_delete_all(struct workload *w);
/* Close disks and pool, and ask the checker. */
bool workload_close(struct workload *w, const char *when);

/* ------------------------------------------------------------------ crash.c */

/* What a random power cut at the nth device write, flush or discard from now on left, if there are as many until workload_disarm(), is looked at there. */
void workload_arm(struct workload *w, u64 nth, u64 seed);
bool workload_disarm(struct workload *w);
/* w->before knows these sectors as on their way, too. */
void workload_submit_too(struct workload *w, u64 vol, u64 sector, u64 count, u32 version);
/* A power cut now; the run goes on from it. */
bool workload_power_cut(struct workload *w, u64 seed);
/*
 * Does this disk, which a power cut left, hold what w->m allows, or else what w->before does (if there is one)? The seed decides how far it goes: power cuts during the
 * recovery, going on with a random workload after it. The disk is used up. False: m->why.
 */
bool workload_fits(struct workload *w, struct port_dev *dev, u64 seed);
/* The pool's memory goes; half-done writes never end. */
void workload_abandon(struct workload *w);
/* Free everything, whatever the state; the model too. */
void workload_drop(struct workload *w);

#endif /* TEST_WORKLOAD_PRIV_H */
