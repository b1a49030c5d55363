/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ending containers that run, and removing them. */
#ifndef RUNTIME_STOP_H
#define RUNTIME_STOP_H

#include "container.h"

#define STOP_SECONDS	10

/* Its stop signal, and after `seconds` (-1: as it was made) KILL; waits until all is cleared up. 0 when it does not run. */
int container_stop(const struct pool *pool, const struct container *container, int seconds, struct layerblk_error *err);
/* -ESRCH when it does not run. */
int container_kill(const struct pool *pool, const struct container *container, int number, struct layerblk_error *err);
/* -EBUSY when it runs and not `force`. */
int container_destroy(const struct pool *pool, const struct container *container, bool force, bool volumes,
		      struct layerblk_error *err);
/* *status when it has ended; at once when it does not run. */
int container_wait(const struct pool *pool, const struct container *container, int *status, struct layerblk_error *err);

#endif
