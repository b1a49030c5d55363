// SPDX-License-Identifier: GPL-2.0-or-later
/* See layer_description.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backup_record.h"
#include "cleanup.h"
#include "json.h"
#include "layer_description.h"
#include "layer_recipe.h"

#define MEDIA_TYPE_MAX	255

bool layer_attr_travels(const char *key)
{
	return strcmp(key, ATTR_LAYER) == 0 || is_label(key);
}

const char *layer_description_diff_id(const struct layer_description *layer)
{
	return *layer->final_diff_id ? layer->final_diff_id : layer->diff_id;
}

const char *layer_description_chain(const struct layer_description *layer)
{
	return *layer->final_chain ? layer->final_chain : layer->chain;
}

void layer_description_clear(struct layer_description *layer)
{
	volstream_volume_clear(&layer->volume);
	memset(layer, 0, sizeof(*layer));
}

/* ------------------------------------------------------------------ the JSON, from what the stream says into what is kept */

static bool copy_digest(json_object *from, const char *key, char out[DIGEST_TEXT])
{
	const char *text = json_text(from, key);

	if (!digest_is_sha256(text))
		return false;
	strcpy(out, text);
	return true;
}

/* The name is part of keys, and what the layer is mounted as; that the blocks are of this file system is looked at later. */
static bool copy_fs(json_object *from, char out[FS_TEXT])
{
	const char *fs = json_text(from, "fs");

	if (!fs || !*fs || strlen(fs) >= FS_TEXT || strspn(fs, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(fs))
		return false;
	strcpy(out, fs);
	return true;
}

static bool copy_number(json_object *from, json_object *to, const char *key)
{
	long long number = json_number(from, key);

	if (number >= 0)
		json_object_object_add(to, key, json_object_new_int64(number));
	return number >= 0 || !json_object_object_get_ex(from, key, NULL);
}

/* The blob that it came as. */
static bool copy_blob(json_object *from, json_object *to)
{
	const char *digest = json_text(from, "digest"), *type = json_text(from, "media_type");

	if (digest && !digest_valid(digest))
		return false;
	for (const char *c = type; c && *c; c++)
		if (*c <= ' ' || *c > '~' || c - type == MEDIA_TYPE_MAX)
			return false;
	if (digest)
		json_object_object_add(to, "digest", json_object_new_string(digest));
	if (type)
		json_object_object_add(to, "media_type", json_object_new_string(type));
	return copy_number(from, to, "size") && copy_number(from, to, "tar_size");
}

static bool copy_recipe(json_object *from, json_object *to, uint64_t volume_size)
{
	struct recipe_place place = layer_recipe_place(from);

	if (!place.size)
		return true;
	if (place.offset > volume_size || place.size > volume_size - place.offset)
		return false;
	json_object_object_add(to, "recipe", layer_recipe_json(&place));
	return json_number(from, "tar_size") >= 0;
}

static bool copy_final(json_object *from, json_object *to, struct layer_description *out)
{
	json_object *final = json_member(from, "final", json_type_object), *copy = json_object_new_object();

	json_object_object_add(to, "final", copy);
	if (!final || !copy_digest(final, "diff_id", out->final_diff_id) || !copy_digest(final, "chain", out->final_chain))
		return false;
	json_object_object_add(copy, "diff_id", json_object_new_string(out->final_diff_id));
	json_object_object_add(copy, "chain", json_object_new_string(out->final_chain));
	return json_number(final, "tar_size") >= 0 && copy_number(final, copy, "tar_size");
}

/* The whole of it; NULL when something is not as it must be. A layer that never was a tar has to be final. */
static json_object *take_json(json_object *from, uint64_t volume_size, struct layer_description *out)
{
	json_object *to;
	bool good;

	if (json_number(from, "version") != 1 || !copy_fs(from, out->fs) || !copy_digest(from, "chain", out->chain) ||
	    !copy_digest(from, "diff_id", out->diff_id))
		return NULL;
	to = layer_attribute_new(out->fs, out->chain, out->diff_id);
	good = to && copy_blob(from, to) && copy_recipe(from, to, volume_size);
	if (good && json_object_get_boolean(json_member(from, "provisional", json_type_boolean)))
		json_object_object_add(to, "provisional", json_object_new_boolean(true));
	if (good && json_object_object_get_ex(from, "build", NULL)) {
		good = copy_digest(from, "build", out->build);
		json_object_object_add(to, "build", json_object_new_string(out->build));
	}
	if (good && !layer_recipe_place(from).size)
		good = copy_final(from, to, out);
	if (good)
		return to;
	json_object_put(to);
	return NULL;
}

/* ------------------------------------------------------------------ the attributes */

static int take_layer(const struct volstream_attr *attr, struct layer_description *out, struct layerblk_error *err)
{
	cleanup_json json_object *from = NULL, *to = NULL;
	const char *text;

	if (json_parse(attr->value, attr->value_len, json_type_object, ATTR_LAYER, &from, NULL) == 0)
		to = take_json(from, out->volume.size, out);
	if (!to)
		return layerblk_error_set(err, EPROTO, "receive the layer", out->volume.name, "its description makes no sense");
	text = json_object_to_json_string_ext(to, JSON_C_TO_STRING_PLAIN);
	return volstream_attr_add(&out->volume, ATTR_LAYER, text, strlen(text), err);
}

static int take_attr(const struct volstream_attr *attr, struct layer_description *out, struct layerblk_error *err)
{
	if (!layer_attr_travels(attr->key))
		return layerblk_error_set(err, EPROTO, "receive the layer", out->volume.name, "it has an attribute that no layer brings along");
	if (strcmp(attr->key, ATTR_LAYER) != 0)
		return volstream_attr_add(&out->volume, attr->key, attr->value, attr->value_len, err);
	if (*out->chain)
		return layerblk_error_set(err, EPROTO, "receive the layer", out->volume.name, "it is described twice");
	return take_layer(attr, out, err);
}

int layer_description_take(const struct volstream_volume *volume, struct layer_description *out, struct layerblk_error *err)
{
	int rc = 0;

	memset(out, 0, sizeof(*out));
	out->volume = *volume;
	out->volume.attrs = NULL;
	out->volume.attr_count = 0;
	for (size_t i = 0; !rc && i < volume->attr_count; i++)
		rc = take_attr(&volume->attrs[i], out, err);
	if (!rc && !*out->chain)
		rc = layerblk_error_set(err, EPROTO, "receive the layer", volume->name, "it is a volume that is no layer");
	if (!rc && !(volume->flags & VOLSTREAM_FROZEN))
		rc = layerblk_error_set(err, EPROTO, "receive the layer", volume->name, "it is a volume that is not frozen");
	if (rc)
		layer_description_clear(out);
	return rc;
}
