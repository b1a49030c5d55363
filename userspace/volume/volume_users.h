/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a volume is there for, and which containers mount it: as a volume, or as the layer that their root is laid over. */
#ifndef VOLUME_VOLUME_USERS_H
#define VOLUME_VOLUME_USERS_H

#include "record.h"

enum volume_kind { VOLUME_DATA, VOLUME_SNAPSHOT, VOLUME_LAYER, VOLUME_TEMPLATE, VOLUME_CONTAINER, VOLUME_WORKING };

/*
 * A container's root, an image's layer, a template of shared roots, one that a command is still working on; of all others, the frozen ones are
 * snapshots and the writable ones data.
 */
enum volume_kind volume_kind(const struct pool *pool, const struct lb_vol_info *info);
const char *volume_kind_name(enum volume_kind kind);

struct volume_use {
	uint64_t volume;
	char container[LB_NAME_MAX + 1];
};

struct volume_uses {			/* by volume; all of a pool's containers, in whatever state */
	struct volume_use *list;
	size_t count;
};

int volume_uses_load(const struct pool *pool, struct volume_uses *out, struct layerblk_error *err);
void volume_uses_clear(struct volume_uses *uses);
/* The first one's index, and how many follow; 0: nobody. */
size_t volume_uses_of(const struct volume_uses *uses, uint64_t volume, size_t *first);

/* A visible volume that descends from it: its name is malloc()ed; NULL: there is none. What has been removed counts for nothing. */
int volume_descendant(const struct pool *pool, uint64_t id, char **name, struct layerblk_error *err);

/*
 * -EBUSY when a container has the volume, or the volume is no data volume, snapshot or template that nothing descends from; `what` is for the
 * error: "remove the volume".
 */
int volume_check_unused(const struct pool *pool, const struct volume_uses *uses, const struct lb_vol_info *info, const char *what,
			struct layerblk_error *err);

#endif
