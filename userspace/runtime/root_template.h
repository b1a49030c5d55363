/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The empty volumes that shared roots (root.h) are snapshots of: a file system with nothing in it, frozen. There is one for each file system
 * and size, made when it is first needed; "template/FS/SIZE" of the pool has its id. It is a cache: what has gone is made again.
 */
#ifndef RUNTIME_ROOT_TEMPLATE_H
#define RUNTIME_ROOT_TEMPLATE_H

#include <stdbool.h>
#include "record.h"
#include "remove.h"

#define KEY_TEMPLATE	"template/"
#define ATTR_TEMPLATE	"layerblk.template"	/* of the volume: JSON */

/* Finds it. -EAGAIN: there is none. */
int root_template_find(const struct pool *pool, const char *fs, uint64_t size, uint64_t *volume, struct layerblk_error *err);
/* Makes it, unless there is one. Takes its time: the pool is not locked. */
int root_template_make(const struct pool *pool, const char *fs, uint64_t size, struct layerblk_error *err);

/* Removes those that nothing descends from. *bytes: what they owned is added. */
int root_templates_prune(const struct pool *pool, uint64_t *bytes, remove_said_fn *said, void *arg, struct layerblk_error *err);

#endif
