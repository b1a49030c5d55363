// SPDX-License-Identifier: GPL-2.0-or-later
/* See volume_users.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "container.h"
#include "json.h"
#include "root.h"
#include "root_template.h"
#include "volume_users.h"

static bool has(const struct pool *pool, uint64_t id, const char *key)
{
	cleanup_free char *value = NULL;

	return layerblk_attr_get(pool->lb, pool->uuid, id, key, &value, NULL, NULL) == 0;
}

enum volume_kind volume_kind(const struct pool *pool, const struct lb_vol_info *info)
{
	if (has(pool, info->id, ATTR_CONTAINER))
		return VOLUME_CONTAINER;
	if (has(pool, info->id, ATTR_IMPORT))
		return VOLUME_WORKING;
	if (!(info->flags & LB_VOL_FROZEN))
		return VOLUME_DATA;
	if (has(pool, info->id, ATTR_LAYER))
		return VOLUME_LAYER;
	return has(pool, info->id, ATTR_TEMPLATE) ? VOLUME_TEMPLATE : VOLUME_SNAPSHOT;
}

const char *volume_kind_name(enum volume_kind kind)
{
	static const char *const names[] = {
		[VOLUME_DATA] = "data", [VOLUME_SNAPSHOT] = "snapshot", [VOLUME_LAYER] = "layer",
		[VOLUME_TEMPLATE] = "template", [VOLUME_CONTAINER] = "container", [VOLUME_WORKING] = "working",
	};

	return names[kind];
}

/* ------------------------------------------------------------------ descendants */

static int by_id(const void *a, const void *b)
{
	const struct lb_vol_info *first = a, *second = b;

	return first->id < second->id ? -1 : first->id > second->id;
}

static bool descends(const struct lb_vol_info *volumes, size_t count, const struct lb_vol_info *at, uint64_t id)
{
	while (at && at->parent && at->parent != id) {
		const struct lb_vol_info key = { .id = at->parent };

		at = bsearch(&key, volumes, count, sizeof(key), by_id);
	}
	return at && at->parent == id;
}

int volume_descendant(const struct pool *pool, uint64_t id, char **name, struct layerblk_error *err)
{
	cleanup_free struct lb_vol_info *volumes = NULL;
	size_t count;
	int rc = layerblk_vol_list(pool->lb, pool->uuid, LB_STAT_HIDDEN, &volumes, &count, err);

	*name = NULL;
	if (!rc && count)
		qsort(volumes, count, sizeof(*volumes), by_id);
	for (size_t i = 0; !rc && !*name && i < count; i++) {
		if ((volumes[i].flags & LB_VOL_HIDDEN) || !descends(volumes, count, &volumes[i], id))
			continue;
		*name = strdup(volumes[i].name);
		if (!*name)
			rc = layerblk_error_set(err, ENOMEM, "look for what descends from", volumes[i].name, "no memory");
	}
	return rc;
}

/* ------------------------------------------------------------------ uses */

static int add_use(struct volume_uses *uses, uint64_t volume, const struct container *container)
{
	struct volume_use *more = reallocarray(uses->list, uses->count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	uses->list = more;
	more[uses->count].volume = volume;
	strcpy(more[uses->count++].container, container->name);
	return 0;
}

static int collect_one(void *arg, const struct container *container)
{
	struct volume_uses *uses = arg;
	json_object *mounts = json_member(container->record, "mounts", json_type_array);
	uint64_t layer = root_layer(container);
	int rc = layer ? add_use(uses, layer, container) : 0;

	for (size_t i = 0; !rc && mounts && i < json_object_array_length(mounts); i++) {
		long long volume = json_number(json_object_array_get_idx(mounts, i), "volume_id");

		if (volume > 0)
			rc = add_use(uses, (uint64_t)volume, container);
	}
	return rc;
}

static int by_volume(const void *a, const void *b)
{
	const struct volume_use *first = a, *second = b;

	if (first->volume != second->volume)
		return first->volume < second->volume ? -1 : 1;
	return strcmp(first->container, second->container);
}

int volume_uses_load(const struct pool *pool, struct volume_uses *out, struct layerblk_error *err)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = container_each(pool, collect_one, out, err);
	if (rc == -ENOMEM)
		layerblk_error_set(err, ENOMEM, "list the containers' volumes", "", "no memory");
	if (rc)
		volume_uses_clear(out);
	else if (out->count)
		qsort(out->list, out->count, sizeof(*out->list), by_volume);
	return rc;
}

void volume_uses_clear(struct volume_uses *uses)
{
	free(uses->list);
	memset(uses, 0, sizeof(*uses));
}

size_t volume_uses_of(const struct volume_uses *uses, uint64_t volume, size_t *first)
{
	size_t low = 0, high = uses->count, end;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (uses->list[middle].volume < volume)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < uses->count && uses->list[end].volume == volume; end++)
		;
	*first = low;
	return end - low;
}

static int check_template(const struct pool *pool, const struct lb_vol_info *info, const char *what, struct layerblk_error *err)
{
	cleanup_free char *user = NULL;
	int rc = volume_descendant(pool, info->id, &user, err);

	if (rc || !user)
		return rc;
	layerblk_error_set(err, EBUSY, what, info->name, "%s has a shared root, which descends from it", user);
	return layerblk_error_hint(err, "`layerctl system prune` removes templates that nothing descends from");
}

int volume_check_unused(const struct pool *pool, const struct volume_uses *uses, const struct lb_vol_info *info, const char *what,
			struct layerblk_error *err)
{
	size_t first, count = volume_uses_of(uses, info->id, &first);

	if (count) {
		layerblk_error_set(err, EBUSY, what, info->name, "the container %s mounts it%s", uses->list[first].container,
				   count > 1 ? ", and others do" : "");
		return layerblk_error_hint(err, "Remove the container with `layerctl rm %s` first", uses->list[first].container);
	}
	switch (volume_kind(pool, info)) {
	case VOLUME_CONTAINER:
		layerblk_error_set(err, EBUSY, what, info->name, "it is a container's root");
		return layerblk_error_hint(err, "`layerctl rm %s` removes the container", info->name);
	case VOLUME_LAYER:
		layerblk_error_set(err, EBUSY, what, info->name, "it is an image's layer");
		return layerblk_error_hint(err, "`layerctl image rm` removes images, and with the last one of them the layer; `image prune` those of none");
	case VOLUME_TEMPLATE:
		return check_template(pool, info, what, err);
	default:
		return 0;
	}
}
