// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * "docker save" archives: manifest.json lists images with the names of their config, layers and tags. The archive has no digests of
 * its blobs: the config's digest is the image's id (and its file's name, which is compared), and each layer's
 * uncompressed tar has to have the config's diff_id.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "bundle.h"

static int take_layers(struct source *source, struct bundle_image *image, json_object *layers,
		       struct layerblk_error *err)
{
	for (size_t i = 0; i < image->layer_count; i++) {
		json_object *item = json_object_array_get_idx(layers, i);
		const char *name = json_object_is_type(item, json_type_string) ? json_object_get_string(item) : NULL;

		if (!name || !*name)
			return layerblk_error_set(err, EBADMSG, "read", "manifest.json", "layer %zu has no name", i + 1);
		if (!source_has(source, name))
			return layerblk_error_set(err, ENOENT, "read", "manifest.json", "layer %zu, \"%.200s\", is missing",
						  i + 1, name);
		image->layers[i].size = -1;
		image->layers[i].blob = strdup(name);
		if (!image->layers[i].blob)
			return layerblk_error_set(err, ENOMEM, "read", "manifest.json", "no memory");
	}
	return 0;
}

/* "HEX.json" or "blobs/sha256/HEX": a name that is a digest must be the content's. */
static int check_config_name(const struct bundle_image *image, const char *name, struct layerblk_error *err)
{
	const char *base = strrchr(name, '/');
	char named[DIGEST_TEXT];
	size_t length;

	base = base ? base + 1 : name;
	length = strcspn(base, ".");
	if (length != 64 || (strcmp(base + length, "") != 0 && strcmp(base + length, ".json") != 0))
		return 0;
	snprintf(named, sizeof(named), "sha256:%.64s", base);
	if (!digest_is_sha256(named) || strcmp(named, image->id) == 0)
		return 0;
	return layerblk_error_set(err, EBADMSG, "verify", name, "its digest is %s, not what its name says", image->id);
}

static int take_tags(struct bundle_image *image, json_object *tags, struct layerblk_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && tags && i < json_object_array_length(tags); i++) {
		json_object *item = json_object_array_get_idx(tags, i);

		if (json_object_is_type(item, json_type_string))
			rc = bundle_name(image, json_object_get_string(item), err);
	}
	return rc;
}

static int take_image(struct source *source, struct bundle *bundle, json_object *item, struct layerblk_error *err)
{
	const char *name = json_text(item, "Config");
	struct bundle_image *image;
	json_object *layers;
	int rc;

	if (!name || !*name)
		return layerblk_error_set(err, EBADMSG, "read", "manifest.json", "an image has no \"Config\"");
	rc = json_need(item, "Layers", json_type_array, "manifest.json", &layers, err);
	if (rc)
		return rc;
	image = bundle_add(bundle, err);
	if (!image)
		return -ENOMEM;
	rc = source_load(source, name, DOCUMENT_MAX, &image->config, &image->config_size, err);
	if (!rc && digest_of(image->config, image->config_size, image->id))
		rc = layerblk_error_set(err, ENOMEM, "read", name, "no memory");
	if (!rc)
		rc = check_config_name(image, name, err);
	if (!rc)
		rc = bundle_take_config(image, json_object_array_length(layers), name, err);
	if (!rc)
		rc = take_layers(source, image, layers, err);
	return rc ? rc : take_tags(image, json_member(item, "RepoTags", json_type_array), err);
}

int docker_archive_read(struct source *source, struct bundle *bundle, struct layerblk_error *err)
{
	cleanup_json json_object *manifest = NULL;
	cleanup_free char *text = NULL;
	size_t size;
	int rc;

	rc = source_load(source, "manifest.json", DOCUMENT_MAX, &text, &size, err);
	if (!rc)
		rc = json_parse(text, size, json_type_array, "manifest.json", &manifest, err);
	for (size_t i = 0; !rc && i < json_object_array_length(manifest); i++)
		rc = take_image(source, bundle, json_object_array_get_idx(manifest, i), err);
	if (!rc && bundle->count == 0)
		rc = layerblk_error_set(err, ENOENT, "find an image in", "manifest.json", "it lists none");
	return rc;
}
