// SPDX-License-Identifier: GPL-2.0-or-later
/* See volume_users.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "container.h"
#include "json.h"
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
	return has(pool, info->id, ATTR_LAYER) ? VOLUME_LAYER : VOLUME_SNAPSHOT;
}

const char *volume_kind_name(enum volume_kind kind)
{
	static const char *const names[] = {
		[VOLUME_DATA] = "data", [VOLUME_SNAPSHOT] = "snapshot", [VOLUME_LAYER] = "layer", [VOLUME_CONTAINER] = "container",
		[VOLUME_WORKING] = "working",
	};

	return names[kind];
}

/* ------------------------------------------------------------------ uses */


static int collect_one(void *arg, const struct container *container)
{
	struct volume_uses *uses = arg;
	json_object *mounts = json_member(container->record, "mounts", json_type_array);

	for (size_t i = 0; mounts && i < json_object_array_length(mounts); i++) {
		long long volume = json_number(json_object_array_get_idx(mounts, i), "volume_id");
		struct volume_use *more;

		if (volume <= 0)
			continue;
		more = reallocarray(uses->list, uses->count + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		uses->list = more;
		more[uses->count].volume = (uint64_t)volume;
		strcpy(more[uses->count++].container, container->name);
	}
	return 0;
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
	default:
		return 0;
	}
}
