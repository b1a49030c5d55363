// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See commit.h. The layer is made by image_commit(): no file is looked at. Later commits of the same container freeze what lies above the
 * earlier ones, but their image's layer holds all that is not as in the container's image.
 *
 * With a shared root, what has changed is copied onto a snapshot of the image's top layer first (shared_layer.h), without the pool's lock.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "commit.h"
#include "config_change.h"
#include "json.h"
#include "layer_commit.h"
#include "oci.h"
#include "reference.h"
#include "root.h"
#include "run_commands.h"
#include "shared_layer.h"

static json_object *member_or_new(json_object *object, const char *key)
{
	json_object *member = json_member(object, key, json_type_object);

	if (!member) {
		member = json_object_new_object();
		json_object_object_add(object, key, member);
	}
	return member;
}

/* What the container was run with, as Docker hands it on. */
static void take_settings(json_object *record, json_object *config)
{
	static const char *const texts[][2] = { { "user", "User" }, { "workdir", "WorkingDir" }, { "stop_signal", "StopSignal" } };
	static const char *const lists[][2] = { { "env", "Env" }, { "entrypoint", "Entrypoint" }, { "cmd", "Cmd" } };
	json_object *to = member_or_new(config, "config"), *labels;

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

/* The container's command in one text, for the history; NULL: no memory. */
static char *command_text(json_object *record)
{
	json_object *words = json_member(record, "command", json_type_array);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; out && words && i < json_object_array_length(words); i++)
		fprintf(out, "%s%s", i ? " " : "", json_object_get_string(json_object_array_get_idx(words, i)));
	return out && fclose(out) == 0 ? text : NULL;
}

/* The container's image, whose id may have become final since. */
static int find_image(const struct pool *pool, const struct container *container, struct image_record *out, json_object **config,
		      struct layerblk_error *err)
{
	const char *id = container_text(container, "image_id"), *fs = container_text(container, "fs");
	struct layerblk_error ignored;
	char target[KEY_TEXT];
	int rc;

	snprintf(target, sizeof(target), "%s/%s", fs ? fs : "", id ? digest_hex(id) : "");
	rc = record_load(pool, target, out, &ignored);
	if (rc == -ENOENT)
		rc = record_find(pool, id ? id : "", out, err);
	if (rc == -ENOENT)
		return layerblk_error_set(err, ENOENT, "commit the container", container->name,
					  "the image that it was made from has been removed");
	return rc ? rc : record_config(pool, out, config, err);
}

/* The config of the new image, but for its layer. */
static int prepare(const struct pool *pool, const struct container *container, const struct commit_request *request,
		   struct image_record *below, json_object **config, struct layerblk_error *err)
{
	int rc = find_image(pool, container, below, config, err);

	if (!rc)
		take_settings(container->record, *config);
	for (const char *const *line = request->changes; !rc && line && *line; line++)
		rc = config_change_line(*config, *line, err);
	return rc;
}

static bool pause_it(const struct pool *pool, const struct container *container, const struct commit_request *request)
{
	return request->pause && container_state(pool, container) == CONTAINER_RUNNING && oci_pause(container->id, NULL) == 0;
}

/* The pool is locked. */
static int commit_plain(const struct pool *pool, const struct container *container, const struct commit_request *request,
			struct image_commit commit, struct image_record *made, struct layerblk_error *err)
{
	struct image_record below = { 0 };
	cleanup_json json_object *config = NULL;
	int rc = prepare(pool, container, request, &below, &config, err);
	bool paused = !rc && pause_it(pool, container, request);

	commit.below = &below;
	commit.fs = below.fs;
	commit.volume = container->volume;
	commit.keep = true;
	commit.config = config;
	if (!rc)
		rc = image_commit(pool, &commit, made, err);
	if (paused)
		oci_resume(container->id, NULL);
	record_clear(&below);
	return rc;
}

/* The volumes of the layer that is to be. The pool is locked. */
static int begin_shared(const struct pool *pool, const struct container *container, const struct commit_request *request,
			struct shared_layer *layer, struct layerblk_error *err)
{
	struct image_record below = { 0 };
	cleanup_json json_object *config = NULL;
	int rc = prepare(pool, container, request, &below, &config, err);
	bool paused = !rc && pause_it(pool, container, request);

	if (!rc)
		rc = shared_layer_begin(pool, container, record_top(&below), layer, err);
	if (paused)
		oci_resume(container->id, NULL);
	record_clear(&below);
	return rc;
}

/* The image's record may be another one by now (finalize.h): it is looked for again. The pool is locked. */
static int end_shared(const struct pool *pool, const struct container *container, const struct commit_request *request,
		      const struct shared_layer *layer, struct image_commit commit, struct image_record *made, struct layerblk_error *err)
{
	struct image_record below = { 0 };
	cleanup_json json_object *config = NULL;
	int rc = prepare(pool, container, request, &below, &config, err);

	if (!rc && record_top(&below) != layer->below)
		rc = layerblk_error_set(err, ESTALE, "commit the container", container->name, "its image was replaced meanwhile");
	commit.below = &below;
	commit.fs = below.fs;
	commit.volume = layer->target.id;
	commit.work = layer->target.work.name;
	commit.config = config;
	if (!rc)
		rc = image_commit(pool, &commit, made, err);
	record_clear(&below);
	return rc;
}

static int commit_shared(const struct pool *pool, const struct container *container, const struct commit_request *request,
			 struct image_commit commit, int *lock, struct image_record *made, struct layerblk_error *err)
{
	struct shared_layer layer;
	int rc = begin_shared(pool, container, request, &layer, err);

	if (rc)
		return rc;
	close(take_fd(lock));
	rc = shared_layer_fill(&layer, err);
	if (!rc)
		rc = pool_lock(pool, lock, err);
	if (!rc)
		rc = end_shared(pool, container, request, &layer, commit, made, err);
	shared_layer_end(&layer, rc == 0);
	return rc;
}

int container_commit(const struct pool *pool, const struct container *container, const struct commit_request *request,
		     char id[DIGEST_TEXT], struct layerblk_error *err)
{
	cleanup_free char *created_by = command_text(container->record);
	char tag[REFERENCE_MAX], *tags[] = { tag };
	struct image_commit commit = { .created_by = created_by, .comment = request->message, .author = request->author, .tags = tags,
				       .tag_count = request->name ? 1 : 0 };
	struct image_record made = { 0 };
	cleanup_fd int lock = -1;
	int rc = request->name ? reference_normalize(request->name, tag, err) : 0;

	if (!rc)
		rc = pool_lock(pool, &lock, err);
	if (!rc)
		rc = root_is_shared(container) ? commit_shared(pool, container, request, commit, &lock, &made, err) :
		     commit_plain(pool, container, request, commit, &made, err);
	if (!rc)
		snprintf(id, DIGEST_TEXT, "%s", made.id);
	record_clear(&made);
	return rc;
}

static int take_changes(struct command_call *call, const char ***out)
{
	size_t count = 0;

	while (option_nth(call, "change", count))
		count++;
	*out = calloc(count + 1, sizeof(**out));
	if (!*out)
		return layerblk_error_set(&call->error, ENOMEM, "commit the container", call->argv[0], "no memory");
	for (size_t i = 0; i < count; i++)
		(*out)[i] = option_nth(call, "change", i);
	return 0;
}

int run_commit_run(struct command_call *call)
{
	struct commit_request request = {
		.name = call->argc > 1 ? call->argv[1] : NULL, .author = option_value(call, "author"),
		.message = option_value(call, "message"), .pause = true,
	};
	const char *pause = option_value(call, "pause"), **changes = NULL;
	struct container container;
	struct image_pool at;
	char id[DIGEST_TEXT];
	int rc = take_changes(call, &changes);

	request.changes = changes;
	request.pause = !pause || (strcmp(pause, "false") != 0 && strcmp(pause, "0") != 0);
	if (!rc)
		rc = container_argument(call, &at, &container);
	if (!rc) {
		rc = container_commit(&at.pool, &container, &request, id, &call->error);
		container_clear(&container);
	}
	free(changes);
	if (rc)
		return command_fail(call);
	puts(id);
	return fflush(stdout) ? 1 : 0;
}
