/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The oracle for a disk that holds any pool, good or bad. What must hold of every disk:
 *
 *   - the checker, a repair, opening and every operation end, without a sanitizer's report, with all memory given back, and without a write outside of the device;
 *   - a look changes nothing, and a repair of what is clean changes nothing;
 *   - a repair leaves what it said it would, and a second one finds nothing to do;
 *   - what the checker finds clean opens, and is clean again after any operations and a close.
 */
#ifndef FUZZ_JUDGE_H
#define FUZZ_JUDGE_H

#include "patch.h"

/* Judges the disk; aborts when something does not hold. Frees the disk. */
void judge_disk(struct port_dev *disk, unsigned int flags, const u8 *ops, size_t op_bytes);

/* Once at the start: no log, a clock that stands still. */
void judge_init(void);

#endif /* FUZZ_JUDGE_H */
