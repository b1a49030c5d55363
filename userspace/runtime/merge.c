// SPDX-License-Identifier: GPL-2.0-or-later
/* See merge.h. An image's config is foreign: members of the wrong type are passed over. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "json.h"
#include "merge.h"

/* The "config" member of the image's config, which may be missing. */
static json_object *settings(json_object *config)
{
	return json_member(config, "config", json_type_object);
}

/* ------------------------------------------------------------------ the command */

static void append(json_object *to, json_object *from)
{
	for (size_t i = 0; from && i < json_object_array_length(from); i++) {
		json_object *item = json_object_array_get_idx(from, i);

		if (json_object_is_type(item, json_type_string))
			json_object_array_add(to, json_object_get(item));
	}
}

static json_object *entrypoint_of(json_object *config, const char *entrypoint)
{
	json_object *words = json_object_new_array();

	if (!entrypoint)
		append(words, json_member(settings(config), "Entrypoint", json_type_array));
	else if (*entrypoint)
		json_object_array_add(words, json_object_new_string(entrypoint));
	return words;
}

static json_object *cmd_of(json_object *config, const char *entrypoint, int argc, char *const *argv)
{
	json_object *words = json_object_new_array();

	for (int i = 0; i < argc; i++)
		json_object_array_add(words, json_object_new_string(argv[i]));
	if (argc == 0 && !entrypoint)
		append(words, json_member(settings(config), "Cmd", json_type_array));
	return words;
}

void merge_words(json_object *record, json_object *config, const char *entrypoint, int argc, char *const *argv)
{
	json_object_object_add(record, "entrypoint", entrypoint_of(config, entrypoint));
	json_object_object_add(record, "cmd", cmd_of(config, entrypoint, argc, argv));
}

int merge_args(json_object *config, const char *entrypoint, int argc, char *const *argv, json_object **out,
	       struct layerblk_error *err)
{
	json_object *args = entrypoint_of(config, entrypoint), *cmd = cmd_of(config, entrypoint, argc, argv);

	append(args, cmd);
	json_object_put(cmd);
	if (json_object_array_length(args) == 0 || !*json_object_get_string(json_object_array_get_idx(args, 0))) {
		json_object_put(args);
		layerblk_error_set(err, EINVAL, "run the image", "", "no command is given, and the image names none");
		return layerblk_error_hint(err, "Give one after the image's name");
	}
	*out = args;
	return 0;
}

/* ------------------------------------------------------------------ the environment */

static bool same_key(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	return strcspn(b, "=") == length && strncmp(a, b, length) == 0;
}

void env_set(json_object *env, const char *item)
{
	for (size_t i = 0; i < json_object_array_length(env); i++) {
		if (!same_key(json_object_get_string(json_object_array_get_idx(env, i)), item))
			continue;
		json_object_array_put_idx(env, i, json_object_new_string(item));
		return;
	}
	json_object_array_add(env, json_object_new_string(item));
}

bool env_has(json_object *env, const char *key)
{
	for (size_t i = 0; env && i < json_object_array_length(env); i++)
		if (same_key(json_object_get_string(json_object_array_get_idx(env, i)), key))
			return true;
	return false;
}

void env_pair(json_object *env, const char *key, const char *value)
{
	cleanup_free char *item = NULL;

	if (asprintf(&item, "%s=%s", key, value) < 0)
		item = NULL;
	else
		env_set(env, item);
}

/* The image's, then what the record has. */
static json_object *merged_env(json_object *own, json_object *of_image)
{
	json_object *env = json_object_new_array();

	for (size_t i = 0; of_image && i < json_object_array_length(of_image); i++) {
		json_object *item = json_object_array_get_idx(of_image, i);

		if (json_object_is_type(item, json_type_string) && strchr(json_object_get_string(item), '='))
			env_set(env, json_object_get_string(item));
	}
	for (size_t i = 0; own && i < json_object_array_length(own); i++)
		env_set(env, json_object_get_string(json_object_array_get_idx(own, i)));
	return env;
}

/* ------------------------------------------------------------------ the rest */

static json_object *merged_labels(json_object *own, json_object *of_image)
{
	json_object *labels = json_object_new_object();

	if (of_image) {
		json_object_object_foreach(of_image, key, value)
			if (json_object_is_type(value, json_type_string))
				json_object_object_add(labels, key, json_object_get(value));
	}
	if (own) {
		json_object_object_foreach(own, key, value)
			json_object_object_add(labels, key, json_object_get(value));
	}
	return labels;
}

static void take_text(json_object *record, const char *key, json_object *config, const char *image_key)
{
	const char *text = json_text(settings(config), image_key);

	if (!json_text(record, key) && text && *text)
		json_object_object_add(record, key, json_object_new_string(text));
}

/* The keys of an object like {"80/tcp": {}}. */
static json_object *keys_of(json_object *object)
{
	json_object *array = json_object_new_array();

	if (object) {
		json_object_object_foreach(object, key, value) {
			(void)value;
			json_object_array_add(array, json_object_new_string(key));
		}
	}
	return array;
}

void merge_config(json_object *record, json_object *config)
{
	json_object *image = settings(config);

	json_object_object_add(record, "env", merged_env(json_member(record, "env", json_type_array),
							 json_member(image, "Env", json_type_array)));
	json_object_object_add(record, "labels", merged_labels(json_member(record, "labels", json_type_object),
							       json_member(image, "Labels", json_type_object)));
	take_text(record, "user", config, "User");
	take_text(record, "workdir", config, "WorkingDir");
	take_text(record, "stop_signal", config, "StopSignal");
	json_object_object_add(record, "exposed", keys_of(json_member(image, "ExposedPorts", json_type_object)));
}

int merge_volumes(struct share_list *shares, json_object *config, struct layerblk_error *err)
{
	json_object *volumes = json_member(settings(config), "Volumes", json_type_object);
	struct share share;
	int rc = 0;

	if (!volumes)
		return 0;
	json_object_object_foreach(volumes, path, value) {
		(void)value;
		if (rc)
			break;
		rc = share_parse(path, &share, err);
		if (rc)
			break;
		if (!share.anonymous || shares_have(shares, share.target))
			share_clear(&share);
		else
			rc = shares_add(shares, &share, err);
	}
	return rc;
}
