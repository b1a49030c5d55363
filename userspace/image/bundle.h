/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a source says it holds: images with their configs and the blobs of their layers, whatever the form it is in (an OCI
 * image layout or a "docker save" archive). Reading a bundle verifies every document (size, digest, JSON, consistency) and
 * that every blob is there; the blobs' own digests are verified when they are unpacked.
 */
#ifndef IMAGE_BUNDLE_H
#define IMAGE_BUNDLE_H

#include "digest.h"
#include "json.h"
#include "source.h"

#define DOCUMENT_MAX	(4U << 20)	/* indexes and manifests, bytes */
#define LAYERS_MAX	1024
#define IMAGES_MAX	1024

struct bundle_layer {
	char *blob;			/* its name in the source */
	char digest[DIGEST_TEXT];	/* of the blob; "": not known (docker save) */
	long long size;			/* of the blob by its descriptor; -1: not known */
	char diff_id[DIGEST_TEXT];	/* of the uncompressed tar */
	char chain[DIGEST_TEXT];	/* ChainID of this and all below */
	char *media_type;		/* may be NULL */
};

struct bundle_image {
	char id[DIGEST_TEXT];		/* the config's digest: the image's id, as Docker has it */
	char *config;			/* the bytes as they are */
	size_t config_size;
	char *manifest;			/* NULL for docker save */
	size_t manifest_size;
	char manifest_digest[DIGEST_TEXT]; /* "" for docker save */
	char **names;			/* normal references */
	size_t name_count;
	struct bundle_layer *layers;	/* the base first */
	size_t layer_count;
};

struct bundle {
	struct bundle_image *images;
	size_t count;
};

/* "linux/amd64", "linux/arm/v7". */
struct platform {
	char os[32];
	char architecture[32];
	char variant[32];		/* "": any */
};

int platform_parse(const char *text, struct platform *out, struct layerblk_error *err);
void platform_host(struct platform *out);
/* Whether an OCI platform object or a config (both have "os", "architecture", "variant") is for `wanted`. */
bool platform_matches(const struct platform *wanted, json_object *described);
void platform_text(json_object *described, char *text, size_t size);

/*
 * Reads all images that fit the platform. path is that of the source, from which images without a name are called.
 * chosen: only the image of this name, or NULL. -ENOENT when none fits, with what there is instead.
 */
int bundle_read(struct source *source, const char *path, const struct platform *platform, const char *chosen,
		struct bundle *out, struct layerblk_error *err);
void bundle_clear(struct bundle *bundle);

/* ------------------------------------------------------------------ for the two readers */

/* A new image at the end, or NULL (no memory, with err set). */
struct bundle_image *bundle_add(struct bundle *bundle, struct layerblk_error *err);
/* Adds a name as it stands in the source; one that breaks the rules, or is there already, is left out. */
int bundle_name(struct bundle_image *image, const char *name, struct layerblk_error *err);
/*
 * Checks the config in image->config, makes image->layers with diff_ids and ChainIDs. layer_count is what the manifest
 * has. subject names the config in errors.
 */
int bundle_take_config(struct bundle_image *image, size_t layer_count, const char *subject,
		       struct layerblk_error *err);

int oci_layout_read(struct source *source, const char *path, const struct platform *platform, struct bundle *bundle,
		    struct layerblk_error *err);
/* What "skopeo copy ... dir:" writes: one manifest and its blobs as they came from a registry. It has no name. */
int skopeo_dir_read(struct source *source, const struct platform *platform, struct bundle *bundle, struct layerblk_error *err);
int docker_archive_read(struct source *source, struct bundle *bundle, struct layerblk_error *err);

#endif
