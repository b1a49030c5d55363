// SPDX-License-Identifier: GPL-2.0-or-later
/* See stage.h. Layers of a build that fails stay, for the next one to begin from, until image prune removes them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "bundle.h"
#include "cleanup.h"
#include "filesystem.h"
#include "finalize.h"
#include "json.h"
#include "layer_commit.h"
#include "stage.h"
#include "working.h"

static int no_memory(struct layerblk_error *err)
{
	return layerblk_error_set(err, ENOMEM, "build the image", "", "no memory");
}

/* ------------------------------------------------------------------ beginnings */

int state_begin_scratch(struct build_state *state, const struct build_options *options, struct layerblk_error *err)
{
	struct platform platform;

	*state = (struct build_state){ .options = options, .key = "scratch" };
	snprintf(state->fs, sizeof(state->fs), "%s", options->fs);
	platform_host(&platform);
	state->config = json_object_new_object();
	if (!state->config || cache_key_add(state->key, options->fs, platform.architecture, NULL) != 0)
		return no_memory(err);
	json_object_object_add(state->config, "architecture", json_object_new_string(platform.architecture));
	json_object_object_add(state->config, "os", json_object_new_string("linux"));
	json_object_object_add(state->config, "config", json_object_new_object());
	return 0;
}

static const char *top_chain(const struct build_state *state)
{
	return state->count ? state->layers[state->count - 1].chain : "";
}

static int take_layer(struct build_state *state, uint64_t volume, const char *diff_id, struct layerblk_error *err)
{
	cleanup_json json_object *layer = layer_attribute(state->options->pool, volume);
	struct built *more = reallocarray(state->layers, state->count + 1, sizeof(*more));
	const char *chain, *final;

	if (!more)
		return no_memory(err);
	state->layers = more;
	layer_chains(layer, &chain, &final);
	if (!*chain)
		return layerblk_error_set(err, ENOENT, "build from", "the image", "one of its layers has been removed");
	more += state->count++;
	more->volume = volume;
	strcpy(more->chain, chain);
	strcpy(more->diff_id, diff_id);
	return 0;
}

/* What is built upon an image depends on its files and its config, not on the id that it has at the moment (finalize.h). */
static int begin_key(struct build_state *state, struct layerblk_error *err)
{
	json_object *config = json_member(state->config, "config", json_type_object);
	const char *architecture = json_text(state->config, "architecture");

	if (cache_key_add(state->key, state->fs, top_chain(state), architecture ? architecture : "",
			  config ? json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN) : "", NULL) != 0)
		return no_memory(err);
	return 0;
}

int state_begin_image(struct build_state *state, const struct build_options *options, const struct image_record *image,
		      struct layerblk_error *err)
{
	json_object *ids;
	int rc;

	*state = (struct build_state){ .options = options, .key = "image" };
	strcpy(state->fs, image->fs);
	strcpy(state->created, image->created);
	rc = record_config(options->pool, image, &state->config, err);
	if (rc)
		return rc;
	ids = json_member(json_member(state->config, "rootfs", json_type_object), "diff_ids", json_type_array);
	if (!ids || json_object_array_length(ids) != image->layer_count)
		return layerblk_error_set(err, EUCLEAN, "build from", image->id, "its config does not fit its layers");
	for (size_t i = 0; !rc && i < image->layer_count; i++)
		rc = take_layer(state, image->layers[i], json_object_get_string(json_object_array_get_idx(ids, i)), err);
	return rc ? rc : begin_key(state, err);
}

int state_begin_stage(struct build_state *state, const struct build_state *other, struct layerblk_error *err)
{
	*state = (struct build_state){ .options = other->options, .count = other->count };
	strcpy(state->key, other->key);
	strcpy(state->fs, other->fs);
	strcpy(state->created, other->created);
	state->layers = calloc(other->count + 1, sizeof(*state->layers));
	if (!state->layers || json_object_deep_copy(other->config, &state->config, NULL) != 0)
		return no_memory(err);
	if (other->count)
		memcpy(state->layers, other->layers, other->count * sizeof(*state->layers));
	return variables_copy(&other->args, &state->args) ? no_memory(err) : 0;
}

void state_clear(struct build_state *state)
{
	free(state->layers);
	json_object_put(state->config);
	variables_clear(&state->args);
	memset(state, 0, sizeof(*state));
}

const char *state_text(const struct build_state *state, const char *name)
{
	const char *value = json_text(json_member(state->config, "config", json_type_object), name);

	return value ? value : "";
}

const char *state_created(const struct build_state *state)
{
	return *state->created ? state->created : NULL;
}

static int set_from_env(struct variables *out, json_object *env)
{
	int rc = 0;

	for (size_t i = 0; !rc && env && i < json_object_array_length(env); i++) {
		cleanup_free char *text = strdup(json_object_get_string(json_object_array_get_idx(env, i)));
		char *equals = text ? strchr(text, '=') : NULL;

		if (!equals)
			continue;
		*equals = '\0';
		rc = variables_set(out, text, equals + 1);
	}
	return rc;
}

int state_variables(const struct build_state *state, struct variables *out)
{
	json_object *env = json_member(json_member(state->config, "config", json_type_object), "Env", json_type_array);
	int rc = variables_copy(&state->args, out);

	return rc ? rc : set_from_env(out, env);
}

/* ------------------------------------------------------------------ a layer */

static int change_files(struct build_state *state, struct working *working, state_change_fn *change, void *arg,
			struct layerblk_error *err)
{
	int rc = working_mount(working, state->fs, state->count == 0, state->options->size, "nodev,noatime", err);
	cleanup_fd int root = rc ? -1 : open(working->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (rc)
		return rc;
	if (root < 0)
		return layerblk_error_set(err, errno, "open", working->directory, "%s", strerror(errno));
	if (state->count == 0)
		unlinkat(root, "lost+found", AT_REMOVEDIR);
	rc = change(arg, root, working->directory, err);
	close(take_fd(&root));
	if (!rc)
		rc = working_unmount(working, err);
	return rc ? rc : working_deactivate(working, err);
}

static char *layer_json(const struct build_state *state, const struct built *layer)
{
	cleanup_json json_object *json = layer_attribute_new(state->fs, layer->chain, layer->diff_id);

	if (!json)
		return NULL;
	json_object_object_add(json, "provisional", json_object_new_boolean(true));
	json_object_object_add(json, "build", json_object_new_string(state->key));
	return strdup(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
}

/* The transaction that makes the working volume a layer. */
static int freeze(struct build_state *state, struct working *working, struct built *layer, struct layerblk_error *err)
{
	const struct pool *pool = state->options->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	char name[LB_NAME_MAX + 1], key[KEY_TEXT], id[24];
	cleanup_free char *json = NULL;

	layer->volume = working->id;
	digest_provisional(layer->diff_id);
	if (!attrs || chain_id(top_chain(state), layer->diff_id, layer->chain) != 0 || !(json = layer_json(state, layer)))
		return no_memory(err);
	layer_key(state->fs, layer->chain, key);
	layer_name(state->fs, layer->chain, name);
	snprintf(id, sizeof(id), "%" PRIu64, layer->volume);
	layerblk_attrs_set_string(attrs, 0, key, id, 0);
	layerblk_attrs_set_string(attrs, layer->volume, ATTR_LAYER, json, 0);
	layerblk_attrs_delete(attrs, layer->volume, ATTR_IMPORT, 0);
	cache_enter(attrs, state->fs, state->key, layer->volume);
	work_leave(attrs, working->work.name);
	return layerblk_vol_freeze(pool->lb, pool->uuid, layer->volume, name, attrs, err);
}

static int make_layer(struct build_state *state, state_change_fn *change, void *arg, struct built *layer, struct layerblk_error *err)
{
	uint64_t below = state->count ? state->layers[state->count - 1].volume : 0;
	char random[13], name[64];
	struct working working;
	int rc;

	random_hex(random, 6);
	snprintf(name, sizeof(name), "build-%s", random);
	rc = working_begin(state->options->pool, name, below, state->options->size, state->key, &working, err);
	if (rc == -ESTALE)
		return layerblk_error_set(err, ENOENT, "build the image", "", "a layer below has been removed meanwhile");
	if (rc)
		return rc;
	rc = change_files(state, &working, change, arg, err);
	if (!rc)
		rc = freeze(state, &working, layer, err);
	if (rc)
		working_discard(&working);
	else
		working_done(&working);
	return rc;
}

static int take_time(struct build_state *state, uint64_t volume, struct layerblk_error *err)
{
	const struct pool *pool = state->options->pool;
	struct lb_vol_info info;
	struct tm tm;
	time_t created;
	int rc = layerblk_vol_stat(pool->lb, pool->uuid, volume, 0, &info, err);

	if (rc)
		return rc;
	created = (time_t)info.created_s;
	gmtime_r(&created, &tm);
	strftime(state->created, sizeof(state->created), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return 0;
}

int state_change(struct build_state *state, const char *created_by, state_change_fn *change, void *arg, bool *cached,
		 struct layerblk_error *err)
{
	struct built layer, *more = reallocarray(state->layers, state->count + 1, sizeof(*more));
	int rc = 0;

	if (!more)
		return no_memory(err);
	state->layers = more;
	*cached = false;
	if (!state->options->no_cache) {
		rc = cache_find(state->options->pool, state->fs, state->key, state->count ? &state->layers[state->count - 1] : NULL, &layer,
				err);
		if (rc < 0)
			return rc;
		*cached = rc == 1;
	}
	rc = *cached ? 0 : make_layer(state, change, arg, &layer, err);
	if (!rc)
		rc = take_time(state, layer.volume, err);
	if (rc)
		return rc;
	state->layers[state->count++] = layer;
	history_add(state->config, state_created(state), created_by, NULL, NULL, false);
	return 0;
}

/* ------------------------------------------------------------------ the image */

static void add_rootfs(struct build_state *state, const char *created)
{
	json_object *rootfs = json_object_new_object(), *ids = json_object_new_array();

	for (size_t i = 0; i < state->count; i++)
		json_object_array_add(ids, json_object_new_string(state->layers[i].diff_id));
	json_object_object_add(rootfs, "type", json_object_new_string("layers"));
	json_object_object_add(rootfs, "diff_ids", ids);
	json_object_object_add(state->config, "created", json_object_new_string(created));
	json_object_object_add(state->config, "rootfs", rootfs);
}

int state_finish(struct build_state *state, char *const *tags, size_t tag_count, struct image_record *out, struct layerblk_error *err)
{
	const struct pool *pool = state->options->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct image_record record = { .layer_count = state->count, .imported_s = (uint64_t)time(NULL) };
	cleanup_free uint64_t *layers = calloc(state->count + 1, sizeof(*layers));
	char target[KEY_TEXT];
	const char *text;
	int rc;

	if (!attrs || !layers)
		return no_memory(err);
	if (!state->count)
		return layerblk_error_set(err, EINVAL, "build the image", "", "it has no files: nothing was copied into it");
	for (size_t i = 0; i < state->count; i++)
		layers[i] = state->layers[i].volume;
	record.layers = layers;
	strcpy(record.fs, state->fs);
	strcpy(record.created, state->created);
	add_rootfs(state, record.created);
	text = json_object_to_json_string_ext(state->config, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (digest_of(text, strlen(text), record.id) != 0)
		return no_memory(err);
	rc = record_store(attrs, &record, text, strlen(text), NULL, 0, err);
	for (size_t i = 0; !rc && i < tag_count; i++)
		record_store_tag(attrs, &record, tags[i]);
	if (!rc)
		rc = layerblk_attrs_commit(pool->lb, pool->uuid, attrs, err);
	record_target(&record, target);
	return rc ? rc : record_load(pool, target, out, err);
}
