/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Containers as the pool knows them: a writable volume, child of an image's top layer, with a JSON record in its attribute
 * ATTR_CONTAINER, and container/ID -> the volume's name. The record is the only state that outlives a command; what runs at
 * the moment is told by work.h's lock and the OCI runtime.
 *
 * The record: version, id, name, image, image_id, fs, created, command, auto_remove, tty, network, mounts, status ("created",
 * "running", "exited"), started, finished, exit_code.
 */
#ifndef RUNTIME_CONTAINER_H
#define RUNTIME_CONTAINER_H

#include <json-c/json.h>
#include "record.h"
#include "remove.h"
#include "work.h"

#define KEY_CONTAINER	"container/"
#define CONTAINER_KIND	"container"	/* of work.h */
#define CONTAINER_DIR	RUN_DIR "/containers"
#define CONTAINER_ID	65		/* 64 hex digits and the terminating zero */

struct container {
	uint64_t volume;
	char name[LB_NAME_MAX + 1];	/* of the volume and of the container */
	char id[CONTAINER_ID];
	json_object *record;
};

void container_clear(struct container *container);

/* -EINVAL unless it can name a container: a letter or digit, then letters, digits, '_', '.', '-'. */
int container_name_check(const char *name, struct layerblk_error *err);
/* Two words for a container that was given no name; another try gives others. */
void container_name_invent(char *name, size_t size);

/* Of a volume: -ENOENT when it is no container. */
int container_load(const struct pool *pool, uint64_t volume, struct container *out, struct layerblk_error *err);
/* By name or the beginning of the id. */
int container_find(const struct pool *pool, const char *text, struct container *out, struct layerblk_error *err);
/* Every container; a result of each that is not 0 ends it. The container is each's to read only. */
typedef int container_fn(void *arg, const struct container *container);
int container_each(const struct pool *pool, container_fn *each, void *arg, struct layerblk_error *err);

/* Adds the record and the key by id to the transaction that makes the volume (id LB_ATTR_NEW_VOLUME). */
void container_enter(struct layerblk_attrs *attrs, const struct container *container);
/* Adds a changed record to a transaction. */
void container_update(struct layerblk_attrs *attrs, const struct container *container);
/* Adds the removal of the key by id. */
void container_leave(struct layerblk_attrs *attrs, const struct container *container);

void container_set_text(struct container *container, const char *key, const char *value);
void container_set_number(struct container *container, const char *key, int64_t value);
void container_set_time(struct container *container, const char *key);	/* now */
bool container_flag(const struct container *container, const char *key);

/*
 * A container that is over: the status, or with auto_remove the volume with all that belongs to it. Also lets go of its disk. The
 * caller holds its lock.
 */
int container_finish(const struct pool *pool, struct container *container, int exit_code, struct layerblk_error *err);
/* Removes volume and record. The caller holds its lock, and nothing of it runs. */
int container_remove(const struct pool *pool, const struct container *container, struct layerblk_error *err);

/* Ends and clears away what a killed command left running or mounted; for work_sweep(). */
int container_clean(const struct pool *pool, const char *name, struct layerblk_error *err);

#endif
