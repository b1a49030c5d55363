// SPDX-License-Identifier: GPL-2.0-or-later
/* See usage.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "container.h"
#include "json.h"
#include "usage.h"

static int by_id(const void *a, const void *b)
{
	const struct lb_vol_info *first = a, *second = b;

	return first->id < second->id ? -1 : first->id > second->id;
}

struct usage_item *usage_item(const struct usage *usage, uint64_t volume)
{
	const struct lb_vol_info key = { .id = volume };
	const struct lb_vol_info *found = usage->count ? bsearch(&key, usage->volumes, usage->count, sizeof(key), by_id) : NULL;

	return found ? &usage->items[found - usage->volumes] : NULL;
}

/* A volume and all that it stands on. */
static void mark_used(struct usage *usage, uint64_t volume)
{
	struct usage_item *item = usage_item(usage, volume);

	while (item && !item->in_use) {
		item->in_use = true;
		item = usage_item(usage, item->info->parent);
	}
}

struct marking {
	const struct pool *pool;
	struct usage *usage;
};

static int mark_container(void *arg, const struct container *container)
{
	const struct marking *marking = arg;
	enum container_state state = container_state(marking->pool, container);
	struct usage_item *item = usage_item(marking->usage, container->volume);
	long long base = json_number(container->record, "base");

	if (!item)
		return 0;
	mark_used(marking->usage, item->info->parent);
	if (base > 0)			/* the image's layer need not be below it */
		mark_used(marking->usage, (uint64_t)base);
	item->in_use = state == CONTAINER_RUNNING || state == CONTAINER_PAUSED;
	return 0;
}

/* Of volumes that have been removed, some may stand between a template and what descends from it. */
static int mark_templates(const struct pool *pool, struct usage *usage, struct layerblk_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < usage->count; i++) {
		cleanup_free char *user = NULL;

		if (usage->items[i].kind != VOLUME_TEMPLATE)
			continue;
		rc = volume_descendant(pool, usage->volumes[i].id, &user, err);
		usage->items[i].in_use = user;
	}
	return rc;
}

static void mark_images(struct usage *usage)
{
	for (size_t i = 0; i < usage->images.record_count; i++) {
		const struct image_record *image = &usage->images.records[i];

		for (size_t k = 0; k < image->layer_count; k++) {
			struct usage_item *item = usage_item(usage, image->layers[k]);

			if (item)
				item->images++;
		}
	}
}

bool usage_image_active(const struct usage *usage, const struct image_record *image)
{
	const struct usage_item *top = usage_item(usage, record_top(image));

	return top && top->in_use;
}

static enum usage_row row_of(const struct usage_item *item)
{
	switch (item->kind) {
	case VOLUME_LAYER:
	case VOLUME_WORKING:
		return item->images ? USAGE_IMAGES : USAGE_CACHE;
	case VOLUME_TEMPLATE:
		return USAGE_CACHE;
	case VOLUME_CONTAINER:
		return USAGE_CONTAINERS;
	case VOLUME_DATA:
		return USAGE_VOLUMES;
	default:
		return USAGE_SNAPSHOTS;
	}
}

static void add_up(struct usage *usage)
{
	for (size_t i = 0; i < usage->count; i++) {
		const struct usage_item *item = &usage->items[i];
		enum usage_row row = row_of(item);
		struct usage_sum *sum = &usage->sums[row];
		uint64_t bytes = item->info->owned_blocks * LB_BLOCK_SIZE;

		sum->bytes += bytes;
		if (!item->in_use)
			sum->idle_bytes += bytes;
		if (row == USAGE_IMAGES)
			continue;	/* images are counted, not their layers */
		sum->total++;
		sum->active += item->in_use;
	}
	for (size_t i = 0; i < usage->images.record_count; i++) {
		usage->sums[USAGE_IMAGES].total++;
		usage->sums[USAGE_IMAGES].active += usage_image_active(usage, &usage->images.records[i]);
	}
}

int usage_load(const struct pool *pool, struct usage *out, struct layerblk_error *err)
{
	struct marking marking = { .pool = pool, .usage = out };
	size_t first;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = layerblk_vol_list(pool->lb, pool->uuid, 0, &out->volumes, &out->count, err);
	if (!rc)
		rc = catalogue_load(pool, &out->images, err);
	if (!rc)
		rc = volume_uses_load(pool, &out->uses, err);
	if (rc)
		return rc;
	out->items = calloc(out->count + 1, sizeof(*out->items));
	if (!out->items)
		return layerblk_error_set(err, ENOMEM, "add up what takes space", "", "no memory");
	if (out->count)
		qsort(out->volumes, out->count, sizeof(*out->volumes), by_id);
	for (size_t i = 0; i < out->count; i++)
		out->items[i] = (struct usage_item){ .info = &out->volumes[i], .kind = volume_kind(pool, &out->volumes[i]) };
	mark_images(out);
	for (size_t i = 0; i < out->count; i++)
		if (volume_uses_of(&out->uses, out->volumes[i].id, &first))
			mark_used(out, out->volumes[i].id);
	rc = container_each(pool, mark_container, &marking, err);
	if (!rc)
		rc = mark_templates(pool, out, err);
	if (!rc)
		add_up(out);
	return rc;
}

void usage_clear(struct usage *usage)
{
	free(usage->volumes);
	free(usage->items);
	catalogue_clear(&usage->images);
	volume_uses_clear(&usage->uses);
	memset(usage, 0, sizeof(*usage));
}
