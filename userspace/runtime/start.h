/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts a container that does not run, under conmon. */
#ifndef RUNTIME_START_H
#define RUNTIME_START_H

#include "container.h"

/* Called when the container is there but does not yet run: the time to attach. A result that is not 0 ends it. */
typedef int start_ready_fn(void *arg, const struct container *container, struct layerblk_error *err);

/*
 * The record is read again, and written: "running", or with the error as it was. ready may be NULL. On failure *status is what to exit with
 * (STATUS_*), and the container is there as before. -EALREADY: it runs.
 */
int container_start(const struct pool *pool, struct container *container, start_ready_fn *ready, void *arg, int *status,
		    struct layerblk_error *err);

/* After container_create() of a container with --rm that could not be started. */
void container_discard(const struct pool *pool, const struct container *container);

#endif
