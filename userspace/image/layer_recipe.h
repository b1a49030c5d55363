/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a layer's recipe (recipe.h) is kept: in the layer's own volume, behind its file system.
 *
 * So it comes and goes with the layer in one transaction, moves with it, and takes space only in the layer that it is of. Volumes
 * above inherit the blocks, but not the attribute that says where they are: what a child writes there, a larger file system
 * or a recipe of its own, is the child's. A file system that leaves no room behind it gets some: the volume grows.
 */
#ifndef IMAGE_LAYER_RECIPE_H
#define IMAGE_LAYER_RECIPE_H

#include <json-c/json.h>
#include "record.h"

struct recipe_place {
	uint64_t offset;		/* bytes from the beginning of the volume */
	uint64_t size;			/* 0: there is no recipe */
};

/* Writes `size` bytes of `fd` into an active, writable volume whose file system is not mounted; durable when it returns. */
int layer_recipe_store(const struct pool *pool, uint64_t volume, const char *device, int fd, uint64_t size,
		       struct recipe_place *place, struct layerblk_error *err);

/* As a member of ATTR_LAYER. */
json_object *layer_recipe_json(const struct recipe_place *place);
struct recipe_place layer_recipe_place(json_object *layer);

#endif
