// SPDX-License-Identifier: GPL-2.0-or-later
/* See import.h. The pool's lock is held only from looking a layer up to making its child, or to committing it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "apply.h"
#include "cleanup.h"
#include "filesystem.h"
#include "import.h"
#include "layer_recipe.h"
#include "report.h"
#include "working.h"

#define TRIES		3		/* when layers vanish under our hands */

struct import {
	const struct pool *pool;
	struct source *source;
	const struct bundle_image *image;
	const struct import_options *options;
	uint64_t *volumes;		/* one a layer; 0: not there (yet) */
	struct progress progress;
};

struct filling {			/* a layer that is being made */
	struct working working;
	struct recipe *recipe;		/* of its tar */
	struct recipe_place place;	/* where that is, in the end */
};

static volatile sig_atomic_t interrupted;

void import_interrupt(void)
{
	interrupted = 1;
}

/* ------------------------------------------------------------------ one layer */

static int show_progress(void *arg, uint64_t done)
{
	struct import *import = arg;

	progress_update(&import->progress, done);
	return interrupted ? -EINTR : 0;
}

/* The recipe of a tar whose files are not all there in the end: all of the tar, read once more. */
static int record_whole(struct import *import, size_t at, struct filling *filling, struct layerblk_error *err)
{
	struct stream *stream = NULL;
	int rc;

	recipe_free(filling->recipe);
	filling->recipe = NULL;
	rc = recipe_new(&filling->recipe, err);
	if (!rc)
		rc = stream_open_recorded(import->source, &import->image->layers[at], filling->recipe, show_progress, import, &stream,
					  err);
	if (!rc)
		rc = stream_finish(stream, err);
	stream_close(stream);
	return rc;
}

static int store_recipe(struct import *import, struct filling *filling, struct layerblk_error *err)
{
	const struct working *working = &filling->working;
	uint64_t size;
	int fd, rc = recipe_finish(filling->recipe, &fd, &size, err);

	return rc ? rc : layer_recipe_store(import->pool, working->id, working->device, fd, size, &filling->place, err);
}

/* Unpacks the layer into the mounted volume and leaves it unmounted, written back. */
static int fill(struct import *import, size_t at, struct filling *filling, struct stream *stream,
		struct layerblk_error *err)
{
	struct working *working = &filling->working;
	cleanup_fd int root = open(working->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct apply_result result;
	int rc;

	if (root < 0)
		return layerblk_error_set(err, errno, "open", working->directory, "%s", strerror(errno));
	if (at == 0)
		unlinkat(root, "lost+found", AT_REMOVEDIR);	/* ext4's own; no image has it */
	rc = apply_layer(root, stream, &result, err);
	if (!rc)
		rc = stream_finish(stream, err);
	if (!rc && result.lost)
		rc = record_whole(import, at, filling, err);
	close(take_fd(&root));
	if (!rc)
		rc = working_unmount(working, err);
	if (!rc)
		rc = store_recipe(import, filling, err);
	return rc ? rc : working_deactivate(working, err);
}

static char *layer_json(const struct import *import, size_t at, const struct filling *filling, const struct stream *stream)
{
	const struct bundle_layer *layer = &import->image->layers[at];
	cleanup_json json_object *json = layer_attribute_new(import->options->fs, layer->chain, layer->diff_id);

	if (!json)
		return NULL;
	json_object_object_add(json, "digest", json_object_new_string(stream_digest(stream)));
	if (layer->media_type && *layer->media_type)
		json_object_object_add(json, "media_type", json_object_new_string(layer->media_type));
	json_object_object_add(json, "size", json_object_new_int64((int64_t)stream_blob_bytes(stream)));
	json_object_object_add(json, "tar_size", json_object_new_int64((int64_t)stream_tar_bytes(stream)));
	json_object_object_add(json, "recipe", layer_recipe_json(&filling->place));
	return strdup(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
}

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

/* Adds the image's record and tags to the transaction that makes it complete. */
static int add_record(struct import *import, struct layerblk_attrs *attrs, struct layerblk_error *err)
{
	const struct bundle_image *image = import->image;
	const struct import_options *options = import->options;
	struct image_record record = {
		.layers = import->volumes, .layer_count = image->layer_count, .imported_s = (uint64_t)time(NULL),
	};
	int rc;

	snprintf(record.fs, sizeof(record.fs), "%s", options->fs);
	strcpy(record.id, image->id);
	strcpy(record.manifest_digest, image->manifest_digest);
	take_created(&record, image);
	rc = record_store(attrs, &record, image->config, image->config_size, image->manifest, image->manifest_size, err);
	for (size_t i = 0; !rc && i < options->tag_count; i++)
		record_store_tag(attrs, &record, options->tags[i]);
	for (size_t i = 0; !rc && !options->tag_count && i < image->name_count; i++)
		record_store_tag(attrs, &record, image->names[i]);
	return rc;
}

/* The transaction that makes the working volume the layer. The pool is locked. */
static int commit_layer(struct import *import, size_t at, const struct filling *filling, const struct stream *stream,
			struct layerblk_error *err)
{
	const struct working *working = &filling->working;
	const struct pool *pool = import->pool;
	const struct bundle_layer *layer = &import->image->layers[at];
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	cleanup_free char *json = layer_json(import, at, filling, stream);
	char key[KEY_TEXT], name[LB_NAME_MAX + 1], id[24];
	int rc = 0;

	if (!attrs || !json)
		return layerblk_error_set(err, ENOMEM, "import the layer", layer->chain, "no memory");
	layer_key(import->options->fs, layer->chain, key);
	snprintf(id, sizeof(id), "%" PRIu64, working->id);
	layerblk_attrs_set_string(attrs, 0, key, id, 0);
	layerblk_attrs_set_string(attrs, working->id, ATTR_LAYER, json, 0);
	layerblk_attrs_delete(attrs, working->id, ATTR_IMPORT, 0);
	work_leave(attrs, working->work.name);
	import->volumes[at] = working->id;
	if (at + 1 == import->image->layer_count)
		rc = add_record(import, attrs, err);
	if (rc)
		return rc;
	layer_name(import->options->fs, layer->chain, name);
	rc = layerblk_vol_freeze(pool->lb, pool->uuid, working->id, name, attrs, err);
	if (rc == -EEXIST) {		/* the short name is taken by a volume of another kind: the whole digest */
		snprintf(name, sizeof(name), "layer-%s.%s", digest_hex(layer->chain), import->options->fs);
		rc = layerblk_vol_freeze(pool->lb, pool->uuid, working->id, name, attrs, err);
	}
	if (rc)
		import->volumes[at] = 0;
	return rc;
}

/* *shared: somebody else finished the same layer first; the working volume is to be thrown away. */
static int finish_layer(struct import *import, size_t at, const struct filling *filling, const struct stream *stream,
			bool *shared, struct layerblk_error *err)
{
	cleanup_fd int lock = -1;
	int rc = pool_lock(import->pool, &lock, err);

	*shared = false;
	if (rc)
		return rc;
	rc = layer_find(import->pool, import->options->fs, import->image->layers[at].chain, &import->volumes[at], err);
	if (rc < 0)
		return rc;
	if (rc == 1) {
		*shared = true;
		return 0;
	}
	return commit_layer(import, at, filling, stream, err);
}

static int make_layer(struct import *import, size_t at, struct filling *filling, struct layerblk_error *err)
{
	const struct import_options *options = import->options;
	const struct bundle_image *image = import->image;
	const struct bundle_layer *layer = &image->layers[at];
	struct working *working = &filling->working;
	struct stream *stream = NULL;
	bool shared = false;
	int rc;

	rc = recipe_new(&filling->recipe, err);
	if (!rc)
		rc = stream_open_recorded(import->source, layer, filling->recipe, show_progress, import, &stream, err);
	if (!rc) {
		progress_begin(&import->progress, stream_blob_size(stream), options->quiet, "Layer %zu/%zu %.12s",
			       at + 1, image->layer_count, digest_hex(layer->diff_id));
		rc = working_mount(working, options->fs, at == 0, options->size, filesystem_import_options(options->fs), err);
		if (!rc)
			rc = fill(import, at, filling, stream, err);
		progress_end(&import->progress);
	}
	if (!rc)
		rc = finish_layer(import, at, filling, stream, &shared, err);
	stream_close(stream);
	recipe_free(filling->recipe);
	if (rc || shared)
		working_discard(working);
	else
		working_done(working);
	return rc;
}

/* ------------------------------------------------------------------ the image */

/*
 * Fills in import->volumes. Gives how many layers are there, counted from the base to the highest one found (one below it that
 * has been removed by hand is still part of it, and stays 0), or a negative errno.
 */
static int find_layers(struct import *import, struct layerblk_error *err)
{
	const struct bundle_image *image = import->image;
	int there = 0, rc;

	memset(import->volumes, 0, image->layer_count * sizeof(*import->volumes));
	for (size_t i = 0; i < image->layer_count; i++) {
		rc = layer_find(import->pool, import->options->fs, image->layers[i].chain, &import->volumes[i], err);
		if (rc < 0)
			return rc;
		if (rc == 1)
			there = (int)i + 1;
	}
	return there;
}

/* Begins the working volume of the next layer, under the lock under which the layer below was found or made. */
static int begin_layer(struct import *import, size_t at, struct working *working, struct layerblk_error *err)
{
	char random[13], name[64];

	random_hex(random, 6);
	snprintf(name, sizeof(name), "import-%s-%zu", random, at + 1);
	return working_begin(import->pool, name, at ? import->volumes[at - 1] : 0, import->options->size, import->image->layers[at].chain,
			     working, err);
}

/* Everything was there: only the record is missing, or is written again with new tags. */
static int record_only(struct import *import, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	int rc;

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "record the image", "", "no memory");
	rc = add_record(import, attrs, err);
	return rc ? rc : layerblk_attrs_commit(import->pool->lb, import->pool->uuid, attrs, err);
}

/*
 * One layer further: finds the highest layer that is there and makes the next one, or the record. *done: the image is
 * complete. Looking again after each layer costs little, and takes up what others have made or removed meanwhile.
 */
static int advance(struct import *import, bool *done, struct layerblk_error *err)
{
	const struct bundle_image *image = import->image;
	struct filling filling = { .working.work.lock = -1 };
	cleanup_fd int lock = -1;
	int there, rc;

	rc = pool_lock(import->pool, &lock, err);
	if (rc)
		return rc;
	there = find_layers(import, err);
	if (there < 0)
		return there;
	*done = (size_t)there == image->layer_count;
	if (*done)
		return record_only(import, err);
	rc = begin_layer(import, (size_t)there, &filling.working, err);
	close(take_fd(&lock));
	if (!rc)
		rc = make_layer(import, (size_t)there, &filling, err);
	if (!rc && !import->options->quiet) {
		printf("%.12s: Imported\n", digest_hex(image->layers[there].diff_id));
		fflush(stdout);
	}
	*done = !rc && (size_t)there + 1 == image->layer_count && import->volumes[there] == filling.working.id;
	return rc;
}

/* Layers that need no unpacking: their blobs still have to be what the manifest says, which will be kept. */
static int check_reused(struct import *import, struct layerblk_error *err)
{
	const struct bundle_image *image = import->image;
	int there = find_layers(import, err), rc = 0;

	if (there < 0)
		return there;
	for (int i = 0; !rc && i < there; i++) {
		const struct bundle_layer *layer = &image->layers[i];

		if (*layer->digest) {
			progress_begin(&import->progress, layer->size > 0 ? (uint64_t)layer->size : 0, import->options->quiet,
				       "Checking layer %d/%zu %.12s", i + 1, image->layer_count, digest_hex(layer->diff_id));
			rc = stream_check_blob(import->source, layer, show_progress, import, err);
			progress_end(&import->progress);
		}
		if (!rc && !import->options->quiet)
			printf("%.12s: Already there\n", digest_hex(layer->diff_id));
	}
	return rc;
}

static int run(struct import *import, struct layerblk_error *err)
{
	bool done = false;
	int rc = check_reused(import, err), tries = 0;

	while (!rc && !done) {
		if (interrupted)
			return layerblk_error_set(err, EINTR, "import the image", import->image->id, "interrupted");
		rc = advance(import, &done, err);
		if (rc == -ESTALE && ++tries < TRIES)
			rc = 0;
	}
	return rc;
}

int import_image(const struct pool *pool, struct source *source, const struct bundle_image *image,
		 const struct import_options *options, struct image_record *record, struct layerblk_error *err)
{
	struct import import = { .pool = pool, .source = source, .image = image, .options = options };
	cleanup_free uint64_t *volumes = calloc(image->layer_count, sizeof(*volumes));
	char target[KEY_TEXT];
	int rc;

	if (!volumes)
		return layerblk_error_set(err, ENOMEM, "import the image", image->id, "no memory");
	import.volumes = volumes;
	rc = run(&import, err);
	if (rc)
		return rc;
	snprintf(target, sizeof(target), "%s/%s", options->fs, digest_hex(image->id));
	return record_load(pool, target, record, err);
}
