/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Containers as the pool knows them: a writable volume, child of an image's top layer, with a JSON record in its attribute ATTR_CONTAINER,
 * and container/ID -> the volume's name. The record is the only state that outlives the machine's running; what runs at the moment is told
 * by work.h's lock of the id (conmon, or the command that works on it, holds it) and by the container's cgroup.
 *
 * The record has what the command line and the image's config came to, so that a container starts without its image's record: see
 * run_options.c and merge.c for those members. Besides: version, id, image, image_id, fs, created, status ("created", "running", "exited"),
 * started, finished, exit_code, error, oom, restarts, mounts (share.h), log.
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
#define CONTAINER_LOGS	"/var/lib/layerblk/containers"
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
/* -EEXIST, with why. */
int container_name_taken(const char *name, const char *what, struct layerblk_error *err);
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

/* NULL when it is not there. */
const char *container_text(const struct container *container, const char *key);

enum container_state { CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_PAUSED, CONTAINER_EXITED };

/* As it is now, whatever the record says; one that is being started or cleared up after counts as running. */
enum container_state container_state(const struct pool *pool, const struct container *container);
/* "created", "running", "paused", "exited". */
const char *container_state_name(enum container_state state);

/* Writes the record. The caller holds its lock. */
int container_save(const struct pool *pool, const struct container *container, struct layerblk_error *err);
/* Removes volume, record, log, and with `volumes` its anonymous volumes. The caller holds its lock, and nothing of it runs. */
int container_remove(const struct pool *pool, const struct container *container, bool volumes, struct layerblk_error *err);

/* Clears up after a container of this id whose conmon is gone, unless it lives; for work_sweep(). In end.c. */
int container_clean(const struct pool *pool, const char *id, struct layerblk_error *err);

#endif
