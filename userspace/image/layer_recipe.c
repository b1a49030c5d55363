// SPDX-License-Identifier: GPL-2.0-or-later
/* See layer_recipe.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "filesystem.h"
#include "json.h"
#include "layer_recipe.h"
#include "spool.h"

#define GROW_BY		(1ULL << 20)	/* volumes grow in steps of this */

struct target {				/* a sink that writes from `offset` on */
	int fd;
	off_t offset;
	const char *device;
};

static int write_target(void *arg, const void *data, size_t size, struct layerblk_error *err)
{
	struct target *target = arg;
	int rc = write_all_at(target->fd, data, size, target->offset);

	if (rc) {
		layerblk_error_set(err, -rc, "write the layer's recipe to", target->device, "%s", strerror(-rc));
		if (rc == -ENOSPC)
			layerblk_error_hint(err, "Make room in the pool");
		return rc;
	}
	target->offset += (off_t)size;
	return 0;
}

static int make_room(const struct pool *pool, uint64_t volume, uint64_t end, struct layerblk_error *err)
{
	struct layerblk_vol_change change = { .flags = LB_VOL_SET_SIZE };
	struct lb_vol_info info;
	int rc = layerblk_vol_stat(pool->lb, pool->uuid, volume, 0, &info, err);

	if (rc || info.volume_size >= end)
		return rc;
	change.volume_size = (end + GROW_BY - 1) / GROW_BY * GROW_BY;
	return layerblk_vol_set(pool->lb, pool->uuid, volume, &change, NULL, err);
}

int layer_recipe_store(const struct pool *pool, uint64_t volume, const char *device, int fd, uint64_t size,
		       struct recipe_place *place, struct layerblk_error *err)
{
	struct target target = { .fd = -1, .device = device };
	struct sink sink = { write_target, &target };
	cleanup_fd int disk = -1;
	uint64_t end;
	int rc = filesystem_end(device, &end, err);

	if (rc)
		return rc;
	place->offset = (end + LB_BLOCK_SIZE - 1) / LB_BLOCK_SIZE * LB_BLOCK_SIZE;
	place->size = size;
	rc = make_room(pool, volume, place->offset + size, err);
	if (rc)
		return rc;
	disk = open(device, O_WRONLY | O_CLOEXEC);
	if (disk < 0)
		return layerblk_error_set(err, errno, "open", device, "%s", strerror(errno));
	target.fd = disk;
	target.offset = (off_t)place->offset;
	rc = spool_copy(fd, 0, size, &sink, "the layer's recipe", err);
	if (!rc && fsync(disk) != 0)
		rc = layerblk_error_set(err, errno, "write the layer's recipe to", device, "%s", strerror(errno));
	return rc;
}

json_object *layer_recipe_json(const struct recipe_place *place)
{
	json_object *json = json_object_new_object();

	json_object_object_add(json, "offset", json_object_new_int64((int64_t)place->offset));
	json_object_object_add(json, "size", json_object_new_int64((int64_t)place->size));
	return json;
}

struct recipe_place layer_recipe_place(json_object *layer)
{
	json_object *json = json_member(layer, "recipe", json_type_object);
	long long offset = json_number(json, "offset"), size = json_number(json, "size");

	return offset < 0 || size < 0 ? (struct recipe_place){ 0 } :
	       (struct recipe_place){ .offset = (uint64_t)offset, .size = (uint64_t)size };
}
