// SPDX-License-Identifier: GPL-2.0-or-later
/* See layer_commit.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cleanup.h"
#include "layer_commit.h"
#include "finalize.h"
#include "json.h"
#include "working.h"

struct committing {
	const struct pool *pool;
	const struct image_commit *commit;
	char diff_id[DIGEST_TEXT];
	char chain[DIGEST_TEXT];
	struct image_record record;
	struct work work;		/* of the snapshot */
	uint64_t volume;		/* the layer */
};

static int no_memory(struct layerblk_error *err)
{
	return layerblk_error_set(err, ENOMEM, "commit the image", "", "no memory");
}

/* ------------------------------------------------------------------ config */

static void now_text(char text[40])
{
	struct timespec now;
	struct tm tm;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	used = strftime(text, 40, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + used, 40 - used, ".%09ldZ", now.tv_nsec % 1000000000);
}

void history_add(json_object *config, const char *created, const char *created_by, const char *comment, const char *author, bool empty_layer)
{
	json_object *item = json_object_new_object();

	if (created)
		json_object_object_add(item, "created", json_object_new_string(created));
	if (author)
		json_object_object_add(item, "author", json_object_new_string(author));
	if (created_by)
		json_object_object_add(item, "created_by", json_object_new_string(created_by));
	if (comment)
		json_object_object_add(item, "comment", json_object_new_string(comment));
	if (empty_layer)
		json_object_object_add(item, "empty_layer", json_object_new_boolean(true));
	json_object_array_add(json_member_made(config, "history", json_type_array), item);
}

/* Adds the layer to a copy of the config, whose text has the image's id. */
static int make_config(struct committing *job, json_object **out, struct layerblk_error *err)
{
	const struct image_commit *commit = job->commit;
	json_object *config = NULL, *rootfs, *ids;
	size_t below = commit->below ? commit->below->layer_count : 0;
	const char *text;

	if (json_object_deep_copy(commit->config, &config, NULL) != 0)
		return no_memory(err);
	*out = config;
	now_text(job->record.created);
	json_object_object_add(config, "created", json_object_new_string(job->record.created));
	if (commit->author)
		json_object_object_add(config, "author", json_object_new_string(commit->author));
	rootfs = json_member_made(config, "rootfs", json_type_object);
	json_object_object_add(rootfs, "type", json_object_new_string("layers"));
	ids = json_member_made(rootfs, "diff_ids", json_type_array);
	if (json_object_array_length(ids) != below)
		return layerblk_error_set(err, EINVAL, "commit the image", "", "its config lists %zu layers, there are %zu below it",
					  json_object_array_length(ids), below);
	json_object_array_add(ids, json_object_new_string(job->diff_id));
	history_add(config, job->record.created, commit->created_by, commit->comment, commit->author, false);
	text = json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	return digest_of(text, strlen(text), job->record.id) == 0 ? 0 : no_memory(err);
}

/* ------------------------------------------------------------------ the layer */

static int take_chain(struct committing *job, struct layerblk_error *err)
{
	const struct image_record *below = job->commit->below;
	cleanup_json json_object *layer = below ? layer_attribute(job->pool, record_top(below)) : NULL;
	const char *chain, *final;

	layer_chains(layer, &chain, &final);
	if (below && !*chain)
		return layerblk_error_set(err, ENOENT, "commit the image", below->id, "its top layer is gone");
	digest_provisional(job->diff_id);
	return chain_id(chain, job->diff_id, job->chain) == 0 ? 0 : no_memory(err);
}

static char *layer_json(const struct committing *job)
{
	cleanup_json json_object *json = layer_attribute_new(job->record.fs, job->chain, job->diff_id);

	if (!json)
		return NULL;
	json_object_object_add(json, "provisional", json_object_new_boolean(true));
	return strdup(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
}

/* With keep: the frozen snapshot that is going to be the layer. */
static int take_snapshot(struct committing *job, struct layerblk_error *err)
{
	const struct pool *pool = job->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	char random[13], name[64];
	int rc;

	if (!attrs)
		return no_memory(err);
	random_hex(random, 6);
	snprintf(name, sizeof(name), "commit-%s", random);
	rc = work_begin(pool, name, &job->work, err);
	if (rc)
		return rc;
	work_enter(attrs, name, WORKING_KIND);
	layerblk_attrs_set_string(attrs, LB_ATTR_NEW_VOLUME, ATTR_IMPORT, job->chain, 0);
	return layerblk_vol_snapshot(pool->lb, pool->uuid, job->commit->volume, name, LB_SNAP_FROZEN, 0, attrs, &job->volume, err);
}

static int make_record(struct committing *job, json_object *config, struct layerblk_attrs *attrs, struct layerblk_error *err)
{
	const struct image_commit *commit = job->commit;
	size_t below = commit->below ? commit->below->layer_count : 0;
	const char *text = json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	int rc;

	job->record.layers = calloc(below + 1, sizeof(*job->record.layers));
	if (!job->record.layers)
		return no_memory(err);
	for (size_t i = 0; i < below; i++)
		job->record.layers[i] = commit->below->layers[i];
	job->record.layers[below] = job->volume;
	job->record.layer_count = below + 1;
	job->record.imported_s = (uint64_t)time(NULL);
	rc = record_store(attrs, &job->record, text, strlen(text), NULL, 0, err);
	for (size_t i = 0; !rc && i < commit->tag_count; i++)
		record_store_tag(attrs, &job->record, commit->tags[i]);
	return rc;
}

/* The transaction that makes the volume the layer, and the layers an image. */
static int enter(struct committing *job, json_object *config, struct layerblk_error *err)
{
	const struct pool *pool = job->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	cleanup_free char *json = layer_json(job);
	char key[KEY_TEXT], id[24], name[LB_NAME_MAX + 1];
	struct layerblk_vol_change change = { .flags = LB_VOL_SET_NAME, .name = name };
	int rc;

	if (!attrs || !json)
		return no_memory(err);
	layer_key(job->record.fs, job->chain, key);
	layer_name(job->record.fs, job->chain, name);
	snprintf(id, sizeof(id), "%" PRIu64, job->volume);
	layerblk_attrs_set_string(attrs, 0, key, id, 0);
	layerblk_attrs_set_string(attrs, job->volume, ATTR_LAYER, json, 0);
	layerblk_attrs_delete(attrs, job->volume, ATTR_IMPORT, 0);
	if (job->commit->keep)
		work_leave(attrs, job->work.name);
	else if (job->commit->work)
		work_leave(attrs, job->commit->work);
	rc = make_record(job, config, attrs, err);
	if (rc)
		return rc;
	return job->commit->keep ? layerblk_vol_set(pool->lb, pool->uuid, job->volume, &change, attrs, err) :
	       layerblk_vol_freeze(pool->lb, pool->uuid, job->volume, name, attrs, err);
}

int image_commit(const struct pool *pool, const struct image_commit *commit, struct image_record *out, struct layerblk_error *err)
{
	struct committing job = { .pool = pool, .commit = commit, .volume = commit->volume, .work.lock = -1 };
	cleanup_json json_object *config = NULL;
	int rc = take_chain(&job, err);

	memset(out, 0, sizeof(*out));
	snprintf(job.record.fs, sizeof(job.record.fs), "%s", commit->fs);
	if (!rc)
		rc = make_config(&job, &config, err);
	if (!rc && commit->keep)
		rc = take_snapshot(&job, err);
	if (!rc)
		rc = enter(&job, config, err);
	if (rc && commit->keep && job.work.lock >= 0)
		working_clean(pool, job.work.name, NULL);
	work_end(&job.work);
	if (rc)
		record_clear(&job.record);
	else
		*out = job.record;
	return rc;
}
