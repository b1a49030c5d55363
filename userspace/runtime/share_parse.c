// SPDX-License-Identifier: GPL-2.0-or-later
/* How mounts are written on the command line (-v, --mount, --tmpfs) and in a container's record. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "json.h"
#include "share.h"
#include "size.h"

static const char *const kinds[] = { "volume", "bind", "tmpfs" };

static int no_memory(const char *text, struct layerblk_error *err)
{
	return layerblk_error_set(err, ENOMEM, "use the mount", text, "no memory");
}

static int check_target(const char *text, const char *target, struct layerblk_error *err)
{
	size_t length = target ? strlen(target) : 0;

	if (target && length && *target == '/' && strspn(target, "/") != length && !strstr(target, "/../") &&
	    (length < 3 || strcmp(target + length - 3, "/..") != 0))
		return 0;
	return layerblk_error_set(err, EINVAL, "use the mount", text, "the path in the container must be absolute and not \"/\"");
}

/* Without the slashes at its end. */
static char *copy_target(const char *target)
{
	size_t length = strlen(target);

	while (length > 1 && target[length - 1] == '/')
		length--;
	return strndup(target, length);
}

static bool known_propagation(const char *word)
{
	static const char *const all[] = { "private", "rprivate", "slave", "rslave", "shared", "rshared", NULL };

	for (const char *const *one = all; *one; one++)
		if (strcmp(word, *one) == 0)
			return true;
	return false;
}

static bool add_option(struct share *share, const char *word)
{
	char *more;

	if (asprintf(&more, "%s%s%s", share->options ? share->options : "", share->options ? "," : "", word) < 0)
		return false;
	free(share->options);
	share->options = more;
	return true;
}

void share_clear(struct share *share)
{
	free(share->source);
	free(share->target);
	free(share->options);
	volume_request_clear(&share->wanted);
	if (share->lock >= 0)
		close(share->lock);
	memset(share, 0, sizeof(*share));
	share->lock = -1;
}

/* ------------------------------------------------------------------ -v */

static int wrong(const char *text, const char *why, struct layerblk_error *err)
{
	layerblk_error_set(err, EINVAL, "use the volume", text, "%s", why);
	return layerblk_error_hint(err, "The form is [NAME:]/path or /directory:/path, with \":ro\" at the end for read-only");
}

static int volume_options(const char *text, char *words, struct share *out, struct layerblk_error *err)
{
	char *word;

	while ((word = strsep(&words, ",")) != NULL) {
		if (strcmp(word, "ro") == 0)
			out->read_only = true;
		else if (strcmp(word, "nocopy") == 0)
			out->no_copy = true;
		else if (known_propagation(word)) {
			if (!add_option(out, word))
				return no_memory(text, err);
		} else if (strcmp(word, "rw") != 0 && strcmp(word, "z") != 0 && strcmp(word, "Z") != 0)
			return wrong(text, "what follows the path is neither \"ro\" nor \"rw\" nor \"nocopy\"", err);
	}
	return 0;
}

static int finish(const char *text, const char *source, const char *target, struct share *out, struct layerblk_error *err)
{
	int rc = check_target(text, target, err);

	if (rc || !target)
		return rc;
	out->target = copy_target(target);
	if (source)
		out->source = strdup(source);
	return out->target && (out->source || !source) ? 0 : no_memory(text, err);
}

int share_parse(const char *text, struct share *out, struct layerblk_error *err)
{
	cleanup_free char *copy = strdup(text);
	char *source = copy, *target, *mode;
	int rc = 0;

	*out = (struct share){ .lock = -1 };
	if (!copy)
		return no_memory(text, err);
	target = strchr(copy, ':');
	if (target) {
		*target++ = '\0';
	} else if (*copy == '/') {
		target = copy;
		source = NULL;
		out->anonymous = true;
	} else {
		return wrong(text, "no path in the container is given", err);
	}
	mode = target == copy ? NULL : strchr(target, ':');
	if (mode) {
		*mode++ = '\0';
		rc = volume_options(text, mode, out, err);
	}
	if (!rc && source && *source == '/')
		out->kind = SHARE_BIND;
	else if (!rc && source && layerblk_name_check(source, NULL) != 0)
		rc = wrong(text, "this cannot be a volume's name", err);
	if (!rc)
		rc = finish(text, source, target, out, err);
	if (rc)
		share_clear(out);
	return rc;
}

/* ------------------------------------------------------------------ --mount */

struct mount_words {
	const char *source;
	const char *target;
	bool has_type;
};

static bool truth(const char *value)
{
	return !value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

static int tmpfs_size(const char *text, const char *value, struct share *out, struct layerblk_error *err)
{
	char option[40];
	uint64_t bytes;
	int rc = size_parse(value ? value : "", &bytes, "use the mount's size", err);

	if (rc)
		return rc;
	snprintf(option, sizeof(option), "size=%llu", (unsigned long long)bytes);
	return add_option(out, option) ? 0 : no_memory(text, err);
}

static int mount_word(const char *text, const char *key, const char *value, struct mount_words *words, struct share *out,
		      struct layerblk_error *err)
{
	char option[80];

	if (strcmp(key, "type") == 0) {
		words->has_type = true;
		for (size_t i = 0; value && i < 3; i++)
			if (strcmp(value, kinds[i]) == 0) {
				out->kind = (enum share_kind)i;
				return 0;
			}
		return layerblk_error_set(err, EINVAL, "use the mount", text, "its type is not one of: volume, bind, tmpfs");
	}
	if (strcmp(key, "source") == 0 || strcmp(key, "src") == 0)
		words->source = value;
	else if (strcmp(key, "target") == 0 || strcmp(key, "destination") == 0 || strcmp(key, "dst") == 0)
		words->target = value;
	else if (strcmp(key, "readonly") == 0 || strcmp(key, "ro") == 0)
		out->read_only = truth(value);
	else if (strcmp(key, "volume-nocopy") == 0)
		out->no_copy = truth(value);
	else if (strcmp(key, "volume-driver") == 0) {
		if (!value || strcmp(value, "local") != 0)
			return layerblk_error_set(err, EINVAL, "use the mount", text, "the only volume-driver is \"local\"");
	} else if (strcmp(key, "volume-opt") == 0)
		return volume_request_option(&out->wanted, value ? value : "", err);
	else if (strcmp(key, "tmpfs-size") == 0)
		return tmpfs_size(text, value, out, err);
	else if (strcmp(key, "tmpfs-mode") == 0) {
		snprintf(option, sizeof(option), "mode=%.60s", value ? value : "");
		return add_option(out, option) ? 0 : no_memory(text, err);
	} else if (strcmp(key, "bind-propagation") == 0 && value && known_propagation(value))
		return add_option(out, value) ? 0 : no_memory(text, err);
	else
		return layerblk_error_set(err, EINVAL, "use the mount", text, "\"%s\" is no field that is known", key);
	return 0;
}

static int check_mount(const char *text, const struct mount_words *words, struct share *out, struct layerblk_error *err)
{
	const char *source = words->source && *words->source ? words->source : NULL;

	if (!words->target)
		return layerblk_error_set(err, EINVAL, "use the mount", text, "it has no target");
	if (out->kind == SHARE_BIND && (!source || *source != '/'))
		return layerblk_error_set(err, EINVAL, "use the mount", text, "a bind mount needs an absolute path as its source");
	if (out->kind == SHARE_TMPFS && source)
		return layerblk_error_set(err, EINVAL, "use the mount", text, "a tmpfs has no source");
	if (out->kind == SHARE_VOLUME && source && layerblk_name_check(source, NULL) != 0)
		return layerblk_error_set(err, EINVAL, "use the mount", text, "this cannot be a volume's name");
	out->must_exist = out->kind == SHARE_BIND;
	out->anonymous = out->kind == SHARE_VOLUME && !source;
	return finish(text, source, words->target, out, err);
}

int share_parse_mount(const char *text, struct share *out, struct layerblk_error *err)
{
	cleanup_free char *copy = strdup(text);
	struct mount_words words = { 0 };
	char *rest = copy, *word, *value;
	int rc = copy ? 0 : no_memory(text, err);

	*out = (struct share){ .lock = -1 };
	while (!rc && (word = strsep(&rest, ",")) != NULL) {
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		rc = mount_word(text, word, value, &words, out, err);
	}
	if (!rc)
		rc = check_mount(text, &words, out, err);
	if (rc)
		share_clear(out);
	return rc;
}

int share_parse_tmpfs(const char *text, struct share *out, struct layerblk_error *err)
{
	cleanup_free char *copy = strdup(text);
	char *options = copy ? strchr(copy, ':') : NULL;
	int rc = copy ? 0 : no_memory(text, err);

	*out = (struct share){ .kind = SHARE_TMPFS, .lock = -1 };
	if (options)
		*options++ = '\0';
	if (!rc && options && *options && !add_option(out, options))
		rc = no_memory(text, err);
	if (!rc)
		rc = finish(text, NULL, copy, out, err);
	if (rc)
		share_clear(out);
	return rc;
}

/* ------------------------------------------------------------------ records */

json_object *share_json(const struct share *share)
{
	json_object *json = json_object_new_object();

	json_object_object_add(json, "type", json_object_new_string(kinds[share->kind]));
	if (share->source)
		json_object_object_add(json, "source", json_object_new_string(share->source));
	json_object_object_add(json, "target", json_object_new_string(share->target));
	json_object_object_add(json, "read_only", json_object_new_boolean(share->read_only));
	if (share->options)
		json_object_object_add(json, "options", json_object_new_string(share->options));
	if (share->kind == SHARE_VOLUME) {
		json_object_object_add(json, "volume_id", json_object_new_int64((int64_t)share->volume));
		json_object_object_add(json, "anonymous", json_object_new_boolean(share->anonymous));
	}
	return json;
}

int share_from_json(json_object *json, struct share *out, struct layerblk_error *err)
{
	const char *type = json_text(json, "type"), *source = json_text(json, "source"), *target = json_text(json, "target");
	const char *options = json_text(json, "options");
	long long volume = json_number(json, "volume_id");

	*out = (struct share){ .lock = -1 };
	while (type && out->kind < SHARE_TMPFS && strcmp(type, kinds[out->kind]) != 0)
		out->kind++;
	if (!type || !target || (!source && out->kind != SHARE_TMPFS) || (out->kind == SHARE_VOLUME && volume <= 0))
		return layerblk_error_set(err, EUCLEAN, "read the container's record", target ? target : "", "a mount is damaged");
	out->read_only = json_object_get_boolean(json_member(json, "read_only", json_type_boolean));
	out->anonymous = json_object_get_boolean(json_member(json, "anonymous", json_type_boolean));
	out->volume = volume > 0 ? (uint64_t)volume : 0;
	out->target = strdup(target);
	out->source = source ? strdup(source) : NULL;
	out->options = options ? strdup(options) : NULL;
	if (out->target && (out->source || !source) && (out->options || !options))
		return 0;
	share_clear(out);
	return no_memory("", err);
}

/* ------------------------------------------------------------------ lists */

bool shares_have(const struct share_list *list, const char *target)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->shares[i].target && strcmp(list->shares[i].target, target) == 0)
			return true;
	return false;
}

static int by_target(const void *a, const void *b)
{
	return strcmp(((const struct share *)a)->target, ((const struct share *)b)->target);
}

int shares_add(struct share_list *list, struct share *share, struct layerblk_error *err)
{
	struct share *more;

	if (!share->target || shares_have(list, share->target)) {
		layerblk_error_set(err, EINVAL, "mount at", share->target ? share->target : "", "two mounts have this path");
		share_clear(share);
		return -EINVAL;
	}
	more = reallocarray(list->shares, list->count + 1, sizeof(*more));
	if (!more) {
		share_clear(share);
		return no_memory("", err);
	}
	list->shares = more;
	more[list->count++] = *share;
	*share = (struct share){ .lock = -1 };
	qsort(more, list->count, sizeof(*more), by_target);
	return 0;
}

void shares_clear(struct share_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		share_clear(&list->shares[i]);
	free(list->shares);
	*list = (struct share_list){ 0 };
}

json_object *shares_json(const struct share_list *list)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->count; i++)
		json_object_array_add(array, share_json(&list->shares[i]));
	return array;
}

int shares_from_json(json_object *array, struct share_list *out, struct layerblk_error *err)
{
	struct share share;
	int rc = 0;

	*out = (struct share_list){ 0 };
	for (size_t i = 0; !rc && array && i < json_object_array_length(array); i++) {
		rc = share_from_json(json_object_array_get_idx(array, i), &share, err);
		if (!rc)
			rc = shares_add(out, &share, err);
	}
	if (rc)
		shares_clear(out);
	return rc;
}
