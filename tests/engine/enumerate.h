/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every crash state of an operation. While it runs, the disk's power fails at each of its writes and discards; then once more when it has been acknowledged. At each such
 * moment the disk may hold any subset of the writes that are not durable: all subsets where these are few, else a choice of them (all, none, all but one, one alone, at random), and
 * some in which a block of the newest write is torn at 512 bytes. Subsets without the newest write were looked at before it. Each must fit the model: crash.c.
 */
#ifndef TEST_ENUMERATE_H
#define TEST_ENUMERATE_H

#include "workload.h"

struct workload;

struct enumerate_opts {
	u64 seed;
	unsigned int all_up_to;		/* pending writes of which all subsets are taken; at most 20 */
	unsigned int samples;		/* random subsets where they are more */
	unsigned int torn;		/* torn ones at each write */
};

/* Do the operation, and look at all its states. False: w->m->why. */
bool enumerate_op(struct workload *w, const struct script_op *op, const struct enumerate_opts *opts);

#endif /* TEST_ENUMERATE_H */
