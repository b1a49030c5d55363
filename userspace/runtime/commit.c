// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See commit.h. The layer is made by image_commit(): no file is looked at. Later commits of the same container freeze what lies above the
 * earlier ones, but their image's layer holds all that is not as in the container's image.
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
#include "run_commands.h"

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

static int commit_paused(const struct pool *pool, const struct container *container, const struct image_commit *commit, bool pause,
			 struct image_record *out, struct layerblk_error *err)
{
	int rc;

	pause = pause && container_state(pool, container) == CONTAINER_RUNNING && oci_pause(container->id, NULL) == 0;
	rc = image_commit(pool, commit, out, err);
	if (pause)
		oci_resume(container->id, NULL);
	return rc;
}

int container_commit(const struct pool *pool, const struct container *container, const struct commit_request *request,
		     char id[DIGEST_TEXT], struct layerblk_error *err)
{
	cleanup_free char *created_by = command_text(container->record);
	cleanup_json json_object *config = NULL;
	struct image_record below = { 0 }, made = { 0 };
	char tag[REFERENCE_MAX], *tags[] = { tag };
	struct image_commit commit = { .below = &below, .fs = below.fs, .volume = container->volume, .keep = true,
				       .created_by = created_by, .comment = request->message, .author = request->author, .tags = tags,
				       .tag_count = request->name ? 1 : 0 };
	cleanup_fd int lock = -1;
	int rc = request->name ? reference_normalize(request->name, tag, err) : 0;

	if (!rc)
		rc = pool_lock(pool, &lock, err);
	if (!rc)
		rc = find_image(pool, container, &below, &config, err);
	if (!rc)
		take_settings(container->record, config);
	for (const char *const *line = request->changes; !rc && line && *line; line++)
		rc = config_change_line(config, *line, err);
	commit.config = config;
	if (!rc)
		rc = commit_paused(pool, container, &commit, request->pause, &made, err);
	if (!rc)
		snprintf(id, DIGEST_TEXT, "%s", made.id);
	record_clear(&below);
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
