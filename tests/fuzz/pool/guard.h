/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device between the engine (or the checker) and a simulated disk that lets nothing pass which must never happen, whatever lies on the disk: a write or a discard beyond
 * its end, a write to a disk that was opened for reading, more I/O than any bounded piece of work needs. Each of these aborts, which is a finding of the fuzzer.
 */
#ifndef FUZZ_GUARD_H
#define FUZZ_GUARD_H

#include "port_sim.h"

struct guard {
	struct port_dev dev;
	struct port_dev *sim;		/* borrowed */
	bool read_only;			/* from now on writes abort */
	u64 left;			/* I/Os until it aborts */
	u64 changes;			/* writes and discards so far */
};

#define GUARD_IO_LIMIT	2000000u

void guard_init(struct guard *g, struct port_dev *sim);

#endif /* FUZZ_GUARD_H */
