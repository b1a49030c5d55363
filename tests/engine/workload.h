/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Workloads on one pool beside its model, with power cuts. A random run is decided by its seed alone. Whatever goes wrong ends the run; then the operations are
 * made fewer for as long as it still goes wrong, and the message, the seed and what is left of the script are printed.
 */
#ifndef TEST_WORKLOAD_H
#define TEST_WORKLOAD_H

#include "model.h"
#include "script.h"

struct workload_opts {
	u64 seed;
	u32 ops;			/* operations */
	u64 pool_blocks;		/* at the start */
	u64 grow_blocks;		/* the device's size, to which it may grow */
	u64 vol_blocks;			/* volumes get up to this many */
	u32 crash_permille;		/* of operations: a power cut at a random moment within (looked at, the run goes on) */
	u32 reopen_permille;		/* of operations: a power cut after which the run goes on from what is left */
	u32 nowait_permille;		/* of allocations that must not sleep fail */
	unsigned int step_budget;	/* leaves of deletion in one commit; 0: the engine's own */
	const char *profile;		/* its name, for the message */
	bool no_reduce;			/* a failure is told as it is */
};

struct workload_result {
	u32 done;			/* operations */
	u64 crashes;			/* states looked at */
	u64 nospc, commits;
	u64 ops[OP_KINDS];		/* how many of each kind succeeded */
};

/* A random run. True when all went well. */
bool workload_run(const struct workload_opts *opts, struct workload_result *res);
/* The same with a script instead of chance; opts->ops is not looked at. Nothing is printed on failure; why has MODEL_TEXT bytes, or is NULL. */
bool workload_run_script(const struct workload_opts *opts, const struct script *script, struct workload_result *res, char *why);

#endif /* TEST_WORKLOAD_H */
