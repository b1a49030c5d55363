/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pool commands that change something, by file: pool_open.c, pool_create.c, pool_set.c. */
#ifndef LAYERCTL_POOL_H
#define LAYERCTL_POOL_H

#include "command.h"

int pool_create(struct command_call *call);
int pool_destroy(struct command_call *call);
int pool_open(struct command_call *call);
int pool_close(struct command_call *call);
int pool_grow(struct command_call *call);
int pool_set(struct command_call *call);

/* Closes an open pool; waits for short-lived openers of its disks, tells which volume keeps it open. */
int pool_close_one(struct layerblk *lb, const struct lb_ioc_pool_status *pool, struct layerblk_error *err);

#endif
