// SPDX-License-Identifier: GPL-2.0-or-later
/* See finalize.h. Layers are finalized one by one; each one's digest stays known when a later one fails. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "finalize.h"
#include "json.h"
#include "report.h"
#include "work.h"

static int nowhere(void *arg, const void *data, size_t size, struct layerblk_error *err)
{
	(void)arg;
	(void)data;
	(void)size;
	(void)err;
	return 0;
}

void digest_provisional(char diff_id[DIGEST_TEXT])
{
	char random[65];

	random_hex(random, 32);
	snprintf(diff_id, DIGEST_TEXT, "sha256:%s", random);
}

/* Enters the final digests of a layer; who made the same layer first has its ChainID. below: the ChainID of what it lies upon. */
static int store_final(const struct pool *pool, const struct layer *layer, const char *below, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	cleanup_json json_object *json = layer_attribute(pool, layer->volume);
	json_object *final = json_object_new_object();
	cleanup_fd int lock = -1;
	int rc;

	if (!attrs || !json || !final) {
		json_object_put(final);
		return layerblk_error_set(err, ENOMEM, "finalize the layer", layer->diff_id, "no memory");
	}
	json_object_object_add(final, "diff_id", json_object_new_string(layer->diff_id));
	json_object_object_add(final, "chain", json_object_new_string(layer->chain));
	json_object_object_add(final, "tar_size", json_object_new_int64((int64_t)layer->tar_size));
	json_object_object_add(json, "final", final);
	rc = pool_lock(pool, &lock, err);
	if (!rc)
		rc = layer_enter(pool, attrs, layer->fs, layer->chain, layer->volume, layer->below, below, err);
	if (rc)
		return rc;
	layerblk_attrs_set_string(attrs, layer->volume, ATTR_LAYER,
				  json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN), 0);
	return layerblk_attrs_commit(pool->lb, pool->uuid, attrs, err);
}

/* Each layer's final diff_id into `diff_ids`. *changed: the config has another one. */
static int final_diff_ids(const struct pool *pool, const struct image_record *record, json_object *old, json_object *diff_ids,
			  bool *changed, finalize_said_fn *said, void *arg, struct layerblk_error *err)
{
	struct sink sink = { nowhere, NULL };
	char below[DIGEST_TEXT] = "";
	struct layer layer;
	int rc = 0;

	for (size_t i = 0; !rc && i < record->layer_count; i++) {
		json_object *was = json_object_array_get_idx(old, i);

		rc = layer_load(pool, record, i, &layer, err);
		if (rc)
			return rc;
		if (!*layer.diff_id) {
			if (said)
				said(arg, i, record->layer_count);
			rc = layer_export(pool, &layer, &sink, err);
			if (!rc && chain_id(below, layer.diff_id, layer.chain) != 0)
				rc = layerblk_error_set(err, ENOMEM, "finalize the layer", layer.diff_id, "no memory");
			if (!rc)
				rc = store_final(pool, &layer, below, err);
		}
		strcpy(below, layer.chain);
		json_object_array_add(diff_ids, json_object_new_string(layer.diff_id));
		if (!json_object_is_type(was, json_type_string) || strcmp(json_object_get_string(was), layer.diff_id) != 0)
			*changed = true;
	}
	return rc;
}

/* The image under its final id, in one transaction. */
static int replace_record(const struct pool *pool, struct image_record *record, json_object *config, struct layerblk_error *err)
{
	const char *text = json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct image_record final = *record;
	char before[KEY_TEXT], target[KEY_TEXT];
	struct catalogue all;
	cleanup_fd int lock = -1;
	int rc;

	if (!attrs || digest_of(text, strlen(text), final.id) != 0)
		return layerblk_error_set(err, ENOMEM, "finalize the image", record->id, "no memory");
	*final.manifest_digest = '\0';
	record_target(record, before);
	rc = pool_lock(pool, &lock, err);
	if (!rc)
		rc = catalogue_load(pool, &all, err);
	if (rc)
		return rc;
	record_drop(attrs, record);
	record_store_alias(attrs, record, &final);
	rc = record_store(attrs, &final, text, strlen(text), NULL, 0, err);
	for (size_t i = 0; !rc && i < all.tag_count; i++)
		if (strcmp(all.tags[i].target, before) == 0)
			record_store_tag(attrs, &final, all.tags[i].name);
	catalogue_clear(&all);
	if (!rc)
		rc = layerblk_attrs_commit(pool->lb, pool->uuid, attrs, err);
	if (rc)
		return rc;
	record_target(&final, target);
	record_clear(record);
	return record_load(pool, target, record, err);
}

int image_finalize(const struct pool *pool, struct image_record *record, finalize_said_fn *said, void *arg,
		   struct layerblk_error *err)
{
	cleanup_json json_object *config = NULL, *diff_ids = json_object_new_array();
	json_object *rootfs, *old;
	bool changed = false;
	int rc = record_config(pool, record, &config, err);

	if (!rc)
		rc = json_need(config, "rootfs", json_type_object, "the image's config", &rootfs, err);
	if (!rc)
		rc = json_need(rootfs, "diff_ids", json_type_array, "the image's config", &old, err);
	if (!rc && !diff_ids)
		rc = layerblk_error_set(err, ENOMEM, "finalize the image", record->id, "no memory");
	if (!rc)
		rc = final_diff_ids(pool, record, old, diff_ids, &changed, said, arg, err);
	if (rc || !changed)
		return rc;
	json_object_object_add(rootfs, "diff_ids", json_object_get(diff_ids));
	return replace_record(pool, record, config, err);
}

static void say_finalizing(void *arg, size_t layer, size_t layers)
{
	(void)arg;
	report_note("making the tar of layer %zu/%zu for the first time", layer + 1, layers);
}

int image_finalize_noted(const struct pool *pool, struct image_record *record, bool quiet, struct layerblk_error *err)
{
	char before[DIGEST_TEXT];
	int rc;

	strcpy(before, record->id);
	rc = image_finalize(pool, record, quiet ? NULL : say_finalizing, NULL, err);
	if (!rc && strcmp(before, record->id) != 0 && !quiet)
		report_note("the image %.19s now has its final id: %s", before, record->id);
	return rc;
}
