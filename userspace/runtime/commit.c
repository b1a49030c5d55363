// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See commit.h. No file is looked at: the layer's diff_id, which is the digest of a tar that nobody has made, is a random number until
 * the image is first saved, and with it the image's id.
 *
 * First the snapshot is there, entered as work that a killed command leaves; then, in one transaction, the image. Later commits of the same
 * container freeze what lies above the earlier ones, but their image's layer holds all that is not as in the container's image.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cleanup.h"
#include "commit.h"
#include "import.h"
#include "json.h"
#include "oci.h"
#include "reference.h"
#include "run_commands.h"

struct commit {
	const struct pool *pool;
	const struct container *container;
	const struct commit_request *request;
	struct image_record image;	/* the container's */
	json_object *config;		/* the new image's */
	char diff_id[DIGEST_TEXT];
	char chain[DIGEST_TEXT];
	char layer[LB_NAME_MAX + 1];	/* the volume's name */
	char tag[REFERENCE_MAX];
	char created[40];
	uint64_t volume;
	struct work work;
};

/* ------------------------------------------------------------------ the config */

static json_object *member_or_new(json_object *object, const char *key, enum json_type type)
{
	json_object *member = json_member(object, key, type);

	if (!member) {
		member = type == json_type_array ? json_object_new_array() : json_object_new_object();
		json_object_object_add(object, key, member);
	}
	return member;
}

/* What the container was run with, as Docker hands it on. */
static void take_settings(const struct commit *commit)
{
	static const char *const texts[][2] = { { "user", "User" }, { "workdir", "WorkingDir" }, { "stop_signal", "StopSignal" } };
	static const char *const lists[][2] = { { "env", "Env" }, { "entrypoint", "Entrypoint" }, { "cmd", "Cmd" } };
	json_object *record = commit->container->record, *to = member_or_new(commit->config, "config", json_type_object), *labels;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (json_text(record, texts[i][0]))
			json_object_object_add(to, texts[i][1], json_object_new_string(json_text(record, texts[i][0])));
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		json_object *list = json_member(record, lists[i][0], json_type_array);

		if (list && json_object_array_length(list))
			json_object_object_add(to, lists[i][1], json_object_get(list));
		else if (list)
			json_object_object_del(to, lists[i][1]);
	}
	labels = json_member(record, "labels", json_type_object);
	if (labels && json_object_object_length(labels))
		json_object_object_add(to, "Labels", json_object_get(labels));
}

static void add_history(const struct commit *commit)
{
	json_object *entry = json_object_new_object(), *words = json_member(commit->container->record, "command", json_type_array);
	cleanup_free char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; out && words && i < json_object_array_length(words); i++)
		fprintf(out, "%s%s", i ? " " : "", json_object_get_string(json_object_array_get_idx(words, i)));
	json_object_object_add(entry, "created", json_object_new_string(commit->created));
	if (out && fclose(out) == 0)
		json_object_object_add(entry, "created_by", json_object_new_string(text));
	if (commit->request->author)
		json_object_object_add(entry, "author", json_object_new_string(commit->request->author));
	if (commit->request->message)
		json_object_object_add(entry, "comment", json_object_new_string(commit->request->message));
	json_object_array_add(member_or_new(commit->config, "history", json_type_array), entry);
}

static void make_config(const struct commit *commit)
{
	json_object *rootfs = member_or_new(commit->config, "rootfs", json_type_object);

	json_object_array_add(member_or_new(rootfs, "diff_ids", json_type_array), json_object_new_string(commit->diff_id));
	json_object_object_add(commit->config, "created", json_object_new_string(commit->created));
	if (commit->request->author)
		json_object_object_add(commit->config, "author", json_object_new_string(commit->request->author));
	take_settings(commit);
	add_history(commit);
}

/* ------------------------------------------------------------------ the layer */

static int find_image(struct commit *commit, struct layerblk_error *err)
{
	const char *id = container_text(commit->container, "image_id"), *fs = container_text(commit->container, "fs");
	char target[KEY_TEXT];
	int rc;

	snprintf(target, sizeof(target), "%s/%s", fs ? fs : "", id ? digest_hex(id) : "");
	rc = record_load(commit->pool, target, &commit->image, err);
	if (rc == -ENOENT)
		return layerblk_error_set(err, ENOENT, "commit the container", commit->container->name,
					  "the image that it was made from has been removed");
	return rc ? rc : record_config(commit->pool, &commit->image, &commit->config, err);
}

static int make_digests(struct commit *commit, struct layerblk_error *err)
{
	cleanup_json json_object *below = layer_attribute(commit->pool, record_top(&commit->image));
	const char *chain = json_text(below, "chain");
	char random[DIGEST_HEX];
	struct timespec now;
	struct tm tm;

	random_hex(random, 32);
	snprintf(commit->diff_id, sizeof(commit->diff_id), "sha256:%s", random);
	if (!chain || chain_id(chain, commit->diff_id, commit->chain) != 0)
		return layerblk_error_set(err, EUCLEAN, "commit the container", commit->container->name, "its image's top layer has no ChainID");
	layer_name(commit->image.fs, commit->chain, commit->layer);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(commit->created, sizeof(commit->created), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return 0;
}

static int freeze(struct commit *commit, struct layerblk_error *err)
{
	const struct pool *pool = commit->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	cleanup_json json_object *json = json_object_new_object();
	bool pause = commit->request->pause && container_state(pool, commit->container) == CONTAINER_RUNNING;
	int rc = work_begin(pool, commit->layer, &commit->work, err);

	if (rc)
		return rc;
	if (!attrs || !json)
		return layerblk_error_set(err, ENOMEM, "commit the container", commit->container->name, "no memory");
	json_object_object_add(json, "version", json_object_new_int(1));
	json_object_object_add(json, "chain", json_object_new_string(commit->chain));
	json_object_object_add(json, "diff_id", json_object_new_string(commit->diff_id));
	json_object_object_add(json, "fs", json_object_new_string(commit->image.fs));
	layerblk_attrs_set_string(attrs, LB_ATTR_NEW_VOLUME, ATTR_LAYER, json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN), 0);
	layerblk_attrs_set_string(attrs, LB_ATTR_NEW_VOLUME, ATTR_IMPORT, commit->chain, 0);
	work_enter(attrs, commit->layer, IMPORT_KIND);
	if (pause)
		pause = oci_pause(commit->container->id, NULL) == 0;
	rc = layerblk_vol_snapshot(pool->lb, pool->uuid, commit->container->volume, commit->layer, 0, 0, attrs, &commit->volume, err);
	if (pause)
		oci_resume(commit->container->id, NULL);
	return rc;
}

/* ------------------------------------------------------------------ the image */

static int store(struct commit *commit, char id[DIGEST_TEXT], struct layerblk_error *err)
{
	const struct pool *pool = commit->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	const char *text = json_object_to_json_string_ext(commit->config, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	struct image_record record = { .layer_count = commit->image.layer_count + 1, .imported_s = (uint64_t)time(NULL) };
	cleanup_free uint64_t *layers = calloc(record.layer_count, sizeof(*layers));
	char key[KEY_TEXT], number[24];
	int rc;

	if (!attrs || !layers || digest_of(text, strlen(text), record.id) != 0)
		return layerblk_error_set(err, ENOMEM, "commit the container", commit->container->name, "no memory");
	memcpy(layers, commit->image.layers, commit->image.layer_count * sizeof(*layers));
	layers[commit->image.layer_count] = commit->volume;
	record.layers = layers;
	snprintf(record.fs, sizeof(record.fs), "%s", commit->image.fs);
	snprintf(record.created, sizeof(record.created), "%s", commit->created);
	rc = record_store(attrs, &record, text, strlen(text), NULL, 0, err);
	if (rc)
		return rc;
	if (*commit->tag)
		record_store_tag(attrs, &record, commit->tag);
	layer_key(commit->image.fs, commit->chain, key);
	snprintf(number, sizeof(number), "%" PRIu64, commit->volume);
	layerblk_attrs_set_string(attrs, 0, key, number, 0);
	layerblk_attrs_delete(attrs, commit->volume, ATTR_IMPORT, 0);
	work_leave(attrs, commit->layer);
	strcpy(id, record.id);
	return layerblk_attrs_commit(pool->lb, pool->uuid, attrs, err);
}

int container_commit(const struct pool *pool, const struct container *container, const struct commit_request *request,
		     char id[DIGEST_TEXT], struct layerblk_error *err)
{
	struct commit commit = { .pool = pool, .container = container, .request = request, .work.lock = -1 };
	cleanup_fd int lock = -1;
	int rc = request->name ? reference_normalize(request->name, commit.tag, err) : 0;

	if (!rc)
		rc = pool_lock(pool, &lock, err);
	if (!rc)
		rc = find_image(&commit, err);
	if (!rc)
		rc = make_digests(&commit, err);
	if (!rc)
		make_config(&commit);
	if (!rc)
		rc = freeze(&commit, err);
	if (!rc) {
		rc = store(&commit, id, err);
		if (rc)
			import_clean(pool, commit.layer, NULL);
	}
	work_end(&commit.work);
	record_clear(&commit.image);
	json_object_put(commit.config);
	return rc;
}

int run_commit_run(struct command_call *call)
{
	struct commit_request request = {
		.name = call->argc > 1 ? call->argv[1] : NULL, .author = option_value(call, "author"),
		.message = option_value(call, "message"), .pause = true,
	};
	const char *pause = option_value(call, "pause");
	struct container container;
	struct image_pool at;
	char id[DIGEST_TEXT];
	int rc = container_argument(call, &at, &container);

	if (rc)
		return command_fail(call);
	if (pause)
		request.pause = strcmp(pause, "false") != 0 && strcmp(pause, "0") != 0;
	rc = container_commit(&at.pool, &container, &request, id, &call->error);
	container_clear(&container);
	if (rc)
		return command_fail(call);
	puts(id);
	return fflush(stdout) ? 1 : 0;
}
