/* SPDX-License-Identifier: GPL-2.0 */
/* Between workload.c and crash.c: one run. */
#ifndef TEST_WORKLOAD_PRIV_H
#define TEST_WORKLOAD_PRIV_H

#include "workload.h"

#define WORKLOAD_LOG	60u
#define WORKLOAD_LINE	160u
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
	u32 op;
	unsigned int names;
	struct half_write *half[WORKLOAD_HALF];	/* each stays where it is: the engine links it */
	unsigned int half_count;
	char log[WORKLOAD_LOG][WORKLOAD_LINE];
	unsigned int log_count;
	/* a power cut that is to come */
	struct model *before;		/* the model before this operation; NULL: none is to come */
	u64 countdown, crash_seed;
	struct port_dev *crashed;	/* what the cut left */
};

bool workload_open(struct workload *w);
void workload_close_disk(struct workload *w, struct model_vol *v);
void workload_close_disks(struct workload *w);
bool workload_delete_all(struct workload *w);
/* Free everything, whatever the state. */
void workload_drop(struct workload *w);

/* A power cut at the nth device write, flush or discard from now on, if the operation that follows has as many; then workload_disarm() looks at what it left. */
void workload_arm(struct workload *w, u64 nth, u64 seed);
bool workload_disarm(struct workload *w);
void workload_submit_too(struct workload *w, u64 vol, u64 sector, u64 count, u32 version);
/* A power cut now; the run goes on from it. */
bool workload_power_cut(struct workload *w, u64 seed);

#endif /* TEST_WORKLOAD_PRIV_H */
