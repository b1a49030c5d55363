/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done when a container has ended. */
#ifndef RUNTIME_END_H
#define RUNTIME_END_H

#include "container.h"

#define STOPPED_FILE	"stopped"	/* in the bundle: it was ended on purpose, so it is not started again */

/*
 * After a container that no longer runs, or is to be ended: network, disks, bundle; the record, or with auto_remove all of it; tells those
 * who wait. The caller holds its lock. Harmless when it is repeated. The record of *container is as it is then.
 */
int container_settle(const struct pool *pool, struct container *container, struct layerblk_error *err);

/* As conmon's exit command: unmounts, waits for the lock, settles, and starts it again if its restart policy says so. */
int container_ended(const struct pool *pool, const char *id, struct layerblk_error *err);

#endif
