// SPDX-License-Identifier: GPL-2.0-or-later
/* See receive_image.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cleanup.h"
#include "identity.h"
#include "json.h"
#include "layer_export.h"
#include "receive_image.h"
#include "work.h"

static void take_created(struct image_record *record, const struct bundle_image *image)
{
	cleanup_json json_object *config = NULL;
	const char *created;

	if (json_parse(image->config, image->config_size, json_type_object, "config", &config, NULL) != 0)
		return;
	created = json_text(config, "created");
	if (created)
		snprintf(record->created, sizeof(record->created), "%s", created);
}

static void describe(const struct incoming *incoming, size_t at, struct image_record *record)
{
	const struct bundle_image *image = &incoming->bundle.images[at];

	*record = (struct image_record){ .imported_s = (uint64_t)time(NULL) };
	strcpy(record->fs, incoming->images[at].fs);
	strcpy(record->id, image->id);
	strcpy(record->manifest_digest, image->manifest_digest);
	take_created(record, image);
}

int receive_image_is_there(const struct pool *pool, const struct incoming *incoming, size_t at, struct layerblk_error *err)
{
	struct image_record record, found;
	char target[KEY_TEXT];
	int rc;

	describe(incoming, at, &record);
	record_target(&record, target);
	rc = record_load(pool, target, &found, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	record_clear(&found);
	return 1;
}

/* What the pool says of the layer, be it just received or of long ago, has to be what the config says of it. */
static int check_layer(const struct pool *pool, const struct image_record *record, size_t at, const struct bundle_layer *want,
		       struct layerblk_error *err)
{
	struct layer layer;
	int rc = layer_load(pool, record, at, &layer, err);

	if (!rc && (strcmp(layer.fs, record->fs) != 0 || strcmp(layer.diff_id, want->diff_id) != 0 || strcmp(layer.chain, want->chain) != 0))
		rc = layerblk_error_set(err, EPROTO, "receive the image", record->id, "its layer %zu is not the one that its config names", at + 1);
	return rc;
}

/* 0: a layer is missing. The top is looked for first, for it comes last. */
static int find_layers(const struct pool *pool, const struct incoming *incoming, size_t at, struct image_record *record,
		       struct layerblk_error *err)
{
	const struct bundle_image *image = &incoming->bundle.images[at];
	char text[VOLSTREAM_ID_TEXT];
	int rc = 1;

	record->layer_count = image->layer_count;
	record->layers = calloc(image->layer_count, sizeof(*record->layers));
	if (!record->layers)
		return layerblk_error_set(err, ENOMEM, "receive the image", record->id, "no memory");
	for (size_t i = image->layer_count; rc == 1 && i-- > 0;)
		rc = identity_find(pool, volstream_id_text(incoming->images[at].ids[i], text), &record->layers[i], err);
	if (rc <= 0)
		return rc;
	for (size_t i = 0; i < image->layer_count; i++) {
		rc = check_layer(pool, record, i, &image->layers[i], err);
		if (rc)
			return rc;
	}
	return 1;
}

static int enter(const struct pool *pool, const struct incoming *incoming, size_t at, struct image_record *record, struct layerblk_error *err)
{
	const struct bundle_image *image = &incoming->bundle.images[at];
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	int rc = receive_image_is_there(pool, incoming, at, err);

	if (rc < 0)
		return rc;
	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "receive the image", record->id, "no memory");
	if (rc == 0) {
		rc = find_layers(pool, incoming, at, record, err);
		if (rc == 1)
			rc = record_store(attrs, record, image->config, image->config_size, image->manifest, image->manifest_size, err);
		else
			return rc;
	} else {
		rc = 0;
	}
	for (size_t i = 0; i < image->name_count; i++)
		record_store_tag(attrs, record, image->names[i]);
	if (!rc && layerblk_attrs_count(attrs))
		rc = layerblk_attrs_commit(pool->lb, pool->uuid, attrs, err);
	return rc ? rc : 1;
}

int receive_image_enter(const struct pool *pool, const struct incoming *incoming, size_t at, struct layerblk_error *err)
{
	struct image_record record;
	cleanup_fd int lock = -1;
	int rc;

	describe(incoming, at, &record);
	rc = pool_lock(pool, &lock, err);
	if (!rc)
		rc = enter(pool, incoming, at, &record, err);
	record_clear(&record);
	return rc;
}
