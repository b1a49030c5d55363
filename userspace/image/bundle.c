// SPDX-License-Identifier: GPL-2.0-or-later
/* What both forms of an image source have in common; see bundle.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include "cleanup.h"
#include "bundle.h"
#include "reference.h"

#define CONFIG_MAX	LB_VALUE_MAX	/* it is kept as one attribute */

/* ------------------------------------------------------------------ platforms */

static void architecture_normalize(struct platform *platform)
{
	static const char *const same[][3] = {
		{ "x86_64", "amd64", "" }, { "aarch64", "arm64", "" }, { "i686", "386", "" }, { "i386", "386", "" },
		{ "armv7l", "arm", "v7" }, { "armhf", "arm", "v7" }, { "armv6l", "arm", "v6" }, { "x86-64", "amd64", "" },
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		if (strcmp(platform->architecture, same[i][0]) != 0)
			continue;
		strcpy(platform->architecture, same[i][1]);
		if (!*platform->variant)
			strcpy(platform->variant, same[i][2]);
		return;
	}
}

void platform_host(struct platform *out)
{
	struct utsname name;

	memset(out, 0, sizeof(*out));
	strcpy(out->os, "linux");
	if (uname(&name) == 0)
		snprintf(out->architecture, sizeof(out->architecture), "%.31s", name.machine);
	architecture_normalize(out);
	*out->variant = '\0';		/* the host runs older variants too */
}

int platform_parse(const char *text, struct platform *out, struct layerblk_error *err)
{
	char rest;
	int parts;

	memset(out, 0, sizeof(*out));
	parts = sscanf(text, "%31[a-z0-9_.-]/%31[a-z0-9_.-]/%31[a-z0-9_.-]%c", out->os, out->architecture, out->variant,
		       &rest);
	if (parts < 2 || parts > 3 || text[strlen(text) - 1] == '/')
		return layerblk_error_set(err, EINVAL, "use the platform", text,
					  "it is not of the form OS/ARCHITECTURE[/VARIANT]");
	architecture_normalize(out);
	return 0;
}

bool platform_matches(const struct platform *wanted, json_object *described)
{
	const char *os = json_text(described, "os"), *architecture = json_text(described, "architecture");
	const char *variant = json_text(described, "variant");

	return os && architecture && strcmp(os, wanted->os) == 0 && strcmp(architecture, wanted->architecture) == 0 &&
	       (!*wanted->variant || (variant && strcmp(variant, wanted->variant) == 0));
}

void platform_text(json_object *described, char *text, size_t size)
{
	const char *os = json_text(described, "os"), *architecture = json_text(described, "architecture");
	const char *variant = json_text(described, "variant");

	snprintf(text, size, "%s/%s%s%s", os ? os : "unknown", architecture ? architecture : "unknown",
		 variant ? "/" : "", variant ? variant : "");
}

/* ------------------------------------------------------------------ images */

struct bundle_image *bundle_add(struct bundle *bundle, struct layerblk_error *err)
{
	struct bundle_image *more;

	if (bundle->count >= IMAGES_MAX) {
		layerblk_error_set(err, EBADMSG, "read the image", "", "there are more than %d images", IMAGES_MAX);
		return NULL;
	}
	more = reallocarray(bundle->images, bundle->count + 1, sizeof(*more));
	if (!more) {
		layerblk_error_set(err, ENOMEM, "read the image", "", "no memory");
		return NULL;
	}
	bundle->images = more;
	memset(&more[bundle->count], 0, sizeof(*more));
	return &more[bundle->count++];
}

int bundle_name(struct bundle_image *image, const char *name, struct layerblk_error *err)
{
	char normal[REFERENCE_MAX];
	char **more, *copy;

	if (reference_normalize(name, normal, NULL) != 0)
		return 0;
	for (size_t i = 0; i < image->name_count; i++)
		if (strcmp(image->names[i], normal) == 0)
			return 0;
	copy = strdup(normal);
	more = copy ? reallocarray(image->names, image->name_count + 1, sizeof(*more)) : NULL;
	if (!more) {
		free(copy);
		return layerblk_error_set(err, ENOMEM, "read the image", name, "no memory");
	}
	image->names = more;
	more[image->name_count++] = copy;
	return 0;
}

static int take_diff_ids(struct bundle_image *image, json_object *diff_ids, const char *subject,
			 struct layerblk_error *err)
{
	const char *parent = NULL, *text;
	struct bundle_layer *layer;

	for (size_t i = 0; i < image->layer_count; i++) {
		json_object *item = json_object_array_get_idx(diff_ids, i);

		layer = &image->layers[i];
		text = json_object_is_type(item, json_type_string) ? json_object_get_string(item) : "";
		if (!digest_is_sha256(text))
			return layerblk_error_set(err, EBADMSG, "read", subject, "diff_id %zu is no sha256 digest", i + 1);
		strcpy(layer->diff_id, text);
		if (chain_id(parent, layer->diff_id, layer->chain))
			return layerblk_error_set(err, ENOMEM, "read", subject, "no memory");
		parent = layer->chain;
	}
	return 0;
}

int bundle_take_config(struct bundle_image *image, size_t layer_count, const char *subject,
		       struct layerblk_error *err)
{
	cleanup_json json_object *config = NULL;
	json_object *rootfs, *diff_ids;
	const char *os;
	int rc;

	if (image->config_size > CONFIG_MAX)
		return layerblk_error_set(err, EFBIG, "read", subject, "it has %zu bytes, the most a pool keeps is %u",
					  image->config_size, CONFIG_MAX);
	rc = json_parse(image->config, image->config_size, json_type_object, subject, &config, err);
	if (!rc)
		rc = json_need(config, "rootfs", json_type_object, subject, &rootfs, err);
	if (!rc)
		rc = json_need(rootfs, "diff_ids", json_type_array, subject, &diff_ids, err);
	if (rc)
		return rc;
	os = json_text(config, "os");
	if (os && *os && strcmp(os, "linux") != 0)
		return layerblk_error_set(err, EINVAL, "read", subject, "it is an image for %s, not for Linux", os);
	if (json_object_array_length(diff_ids) != layer_count)
		return layerblk_error_set(err, EBADMSG, "read", subject,
					  "it lists %zu layers, the manifest %zu", json_object_array_length(diff_ids),
					  layer_count);
	if (layer_count == 0 || layer_count > LAYERS_MAX)
		return layerblk_error_set(err, EBADMSG, "read", subject,
					  layer_count ? "it has more than %d layers" : "it has no layers", LAYERS_MAX);
	image->layers = calloc(layer_count, sizeof(*image->layers));
	if (!image->layers)
		return layerblk_error_set(err, ENOMEM, "read", subject, "no memory");
	image->layer_count = layer_count;
	return take_diff_ids(image, diff_ids, subject, err);
}

static void image_clear(struct bundle_image *image)
{
	for (size_t i = 0; i < image->name_count; i++)
		free(image->names[i]);
	for (size_t i = 0; i < image->layer_count; i++) {
		free(image->layers[i].blob);
		free(image->layers[i].media_type);
	}
	free(image->names);
	free(image->layers);
	free(image->config);
	free(image->manifest);
}

void bundle_clear(struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->count; i++)
		image_clear(&bundle->images[i]);
	free(bundle->images);
	memset(bundle, 0, sizeof(*bundle));
}

static bool image_is_called(const struct bundle_image *image, const char *chosen)
{
	char normal[REFERENCE_MAX];
	const char *colon;

	if (reference_normalize(chosen, normal, NULL) != 0)
		*normal = '\0';
	for (size_t i = 0; i < image->name_count; i++) {
		colon = strrchr(image->names[i], ':');
		if (strcmp(image->names[i], normal) == 0 || (colon && strcmp(colon + 1, chosen) == 0))
			return true;
	}
	return strcmp(image->id, chosen) == 0 || strcmp(image->manifest_digest, chosen) == 0;
}

static int choose(struct bundle *bundle, const char *chosen, const char *path, struct layerblk_error *err)
{
	char there[256] = "";
	size_t kept = 0, used = 0;

	for (size_t i = 0; i < bundle->count; i++) {
		struct bundle_image *image = &bundle->images[i];

		if (used < sizeof(there) - 1)
			used += (size_t)snprintf(there + used, sizeof(there) - used, "%s%s", used ? ", " : "",
						 image->name_count ? image->names[0] : image->id);
		if (image_is_called(image, chosen)) {
			struct bundle_image swap = bundle->images[kept];

			bundle->images[kept++] = *image;
			*image = swap;
		}
	}
	for (size_t i = kept; i < bundle->count; i++)
		image_clear(&bundle->images[i]);
	bundle->count = kept;
	if (kept > 0)
		return 0;
	return layerblk_error_set(err, ENOENT, "find an image in", path, "none is called \"%s\"; it holds %s", chosen,
				  there);
}

int bundle_read(struct source *source, const char *path, const struct platform *platform, const char *chosen,
		struct bundle *out, struct layerblk_error *err)
{
	int rc;

	memset(out, 0, sizeof(*out));
	if (source_has(source, "oci-layout") || source_has(source, "index.json")) {
		rc = oci_layout_read(source, path, platform, out, err);
	} else if (source_has(source, "manifest.json") && source_has(source, "version")) {
		rc = skopeo_dir_read(source, platform, out, err);
	} else if (source_has(source, "manifest.json")) {
		rc = docker_archive_read(source, out, err);
	} else {
		rc = layerblk_error_set(err, EBADMSG, "find an image in", path,
					source_has(source, "repositories") ?
					"it is a \"docker save\" archive from before Docker 1.10, without manifest.json" :
					"it has neither \"index.json\" (OCI image layout) nor \"manifest.json\" (docker save)");
		layerblk_error_hint(err, "Make one with \"skopeo copy ... oci:DIR\" or \"docker save\"");
	}
	if (!rc && chosen)
		rc = choose(out, chosen, path, err);
	if (rc)
		bundle_clear(out);
	return rc;
}
