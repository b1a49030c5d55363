/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A device that keeps what is written to it in memory, above one that is only read: where a salvage is made and proved
 * before anything of it reaches the real device. For one thread.
 */
#ifndef LAYERCK_OVERLAY_H
#define LAYERCK_OVERLAY_H

#include "port_user.h"

struct overlay;

struct overlay *overlay_new(struct port_dev *below);	/* NULL: no memory */
void overlay_free(struct overlay *o);
struct port_dev *overlay_dev(struct overlay *o);
/* What was written to the block, or NULL: nothing was. */
const void *overlay_block(const struct overlay *o, u64 block);
/* Every block that was written, in no order, until fn returns other than 0. */
int overlay_each(const struct overlay *o, int (*fn)(void *arg, u64 block, const void *data), void *arg);

#endif /* LAYERCK_OVERLAY_H */
