/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Everything that can be done with an open pool, as the bytes of an input say, 4 to an operation. Errors are expected, and nothing is said of what comes back; the work is bounded
 * by the number of operations, whatever the pool holds.
 */
#ifndef FUZZ_EXERCISE_H
#define FUZZ_EXERCISE_H

#include "host.h"

#define EXERCISE_OPS	64u

struct exercise {
	struct host h;		/* of a pool that is open */
	unsigned int flags;	/* LB_POOL_OPEN_* for opening it again */
	bool failed;		/* an operation found the pool failed */
};

/* What is there is looked at: volumes, maps, attributes, differences. */
void exercise_look(struct exercise *x);
/* 0, or the error of opening the pool again after an operation that closed it: then no pool is open. */
int exercise_run(struct exercise *x, const u8 *ops, size_t bytes);

#endif /* FUZZ_EXERCISE_H */
