/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who uses a volume's disk. Each user (a container, a command that looks into a container or a layer) has a shared lock on a file of the
 * volume from before it activates the disk until it has unmounted it; who lets go last lets go of the disk. The lock goes with the
 * processes that hold the descriptor, conmon among them.
 */
#ifndef IMAGE_HOLD_H
#define IMAGE_HOLD_H

#include "record.h"

/* *fd: close-on-exec. */
int hold_take(const struct pool *pool, uint64_t volume, int *fd, struct layerblk_error *err);
/* Closes *fd, and lets go of the disk unless somebody else holds it. Whoever else has it open (a mount on the host) keeps it. */
void hold_drop(const struct pool *pool, uint64_t volume, int *fd);
/* As hold_drop() of one that ended without it. */
void hold_let_go(const struct pool *pool, uint64_t volume);
/* Lets go of the disks of all whose holders have been killed. */
void hold_sweep(const struct pool *pool);
/* The volume has been removed, and its id is never used again. */
void hold_forget(const struct pool *pool, uint64_t volume);

/* Another lock, for what only one may do with the volume at a time. -EBUSY when somebody has it; *fd is to be closed. */
int hold_alone(const struct pool *pool, uint64_t volume, int *fd, struct layerblk_error *err);

#endif
