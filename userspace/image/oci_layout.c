// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * OCI image layouts: oci-layout, index.json, blobs/ALGORITHM/HEX.
 *
 * index.json names manifests and further indexes. Of an index with one manifest for each platform the one that fits is taken; entries
 * that are no images (attestations, signatures) are passed over. Several entries for the same manifest are one image
 * with several names.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "bundle.h"
#include "reference.h"

#define INDEX_DEPTH	8
#define INDEX_ENTRIES	10000		/* seen in all indexes together */

#define OCI_INDEX	"application/vnd.oci.image.index.v1+json"
#define OCI_MANIFEST	"application/vnd.oci.image.manifest.v1+json"
#define DOCKER_LIST	"application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_MANIFEST	"application/vnd.docker.distribution.manifest.v2+json"
#define OCI_CONFIG	"application/vnd.oci.image.config.v1+json"
#define DOCKER_CONFIG	"application/vnd.docker.container.image.v1+json"

struct layout {				/* one reading */
	struct source *source;
	bool flat;			/* blobs lie at the top, as skopeo's "dir:" has them */
	const struct platform *platform;
	struct bundle *bundle;
	char fallback[REFERENCE_MAX];	/* the repository for entries that have only a tag, "" */
	char seen[256];			/* platforms that did not fit, for the error */
	size_t entries;
};

struct descriptor {
	const char *media_type;		/* "" when missing */
	char digest[DIGEST_TEXT];
	long long size;
	char blob[DIGEST_TEXT + 8];	/* its path in the layout */
	char subject[DIGEST_TEXT + 32];	/* for errors */
};

static int descriptor_read(const struct layout *layout, json_object *item, const char *what, struct descriptor *out,
			   struct layerblk_error *err)
{
	const char *digest = json_text(item, "digest"), *colon;

	if (!digest || !digest_valid(digest))
		return layerblk_error_set(err, EBADMSG, "read the image", what,
					  "a descriptor has no valid digest (\"%.160s\")", digest ? digest : "");
	colon = strchr(digest, ':');
	out->media_type = json_text(item, "mediaType");
	if (!out->media_type)
		out->media_type = "";
	strcpy(out->digest, digest);
	out->size = json_number(item, "size");
	if (layout->flat)
		snprintf(out->blob, sizeof(out->blob), "%s", colon + 1);
	else
		snprintf(out->blob, sizeof(out->blob), "blobs/%.*s/%s", (int)(colon - digest), digest, colon + 1);
	snprintf(out->subject, sizeof(out->subject), "%.24s %s", what, digest);
	return 0;
}

/* A document by its descriptor, verified. */
static int descriptor_load(struct layout *layout, const struct descriptor *descriptor, char **data, size_t *size,
			   struct layerblk_error *err)
{
	cleanup_free char *text = NULL;
	int rc;

	rc = source_load(layout->source, descriptor->blob, DOCUMENT_MAX, &text, size, err);
	if (!rc)
		rc = digest_check(text, *size, descriptor->digest, descriptor->size, descriptor->subject, err);
	if (!rc)
		*data = take_ptr(text);
	return rc;
}

static bool layer_type_known(const char *type)
{
	static const char *const known[] = {
		"",
		"application/vnd.oci.image.layer.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.foreign.diff.tar",
	};
	size_t length = strcspn(type, "+");

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strlen(known[i]) == length && memcmp(known[i], type, length) == 0)
			return strcmp(type + length, "") == 0 || strcmp(type + length, "+gzip") == 0 ||
			       strcmp(type + length, "+zstd") == 0;
	}
	return strcmp(type, "application/vnd.docker.image.rootfs.diff.tar.gzip") == 0 ||
	       strcmp(type, "application/vnd.docker.image.rootfs.diff.tar.zstd") == 0 ||
	       strcmp(type, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip") == 0;
}

static int manifest_layers(struct layout *layout, struct bundle_image *image, json_object *layers, const char *subject,
			   struct layerblk_error *err)
{
	struct descriptor descriptor;
	int rc;

	for (size_t i = 0; i < image->layer_count; i++) {
		struct bundle_layer *layer = &image->layers[i];

		rc = descriptor_read(layout, json_object_array_get_idx(layers, i), "layer", &descriptor, err);
		if (rc)
			return rc;
		if (!layer_type_known(descriptor.media_type))
			return layerblk_error_set(err, EBADMSG, "read", subject,
						  "layer %zu has the media type \"%.100s\", which is no file system layer",
						  i + 1, descriptor.media_type);
		if (!source_has(layout->source, descriptor.blob))
			return layerblk_error_set(err, ENOENT, "read", subject, "the blob of layer %zu, %s, is missing",
						  i + 1, descriptor.blob);
		strcpy(layer->digest, descriptor.digest);
		layer->size = descriptor.size;
		layer->blob = strdup(descriptor.blob);
		layer->media_type = strdup(descriptor.media_type);
		if (!layer->blob || !layer->media_type)
			return layerblk_error_set(err, ENOMEM, "read", subject, "no memory");
	}
	return 0;
}

static int entry_names(struct layout *layout, struct bundle_image *image, json_object *entry, struct layerblk_error *err)
{
	json_object *notes = json_member(entry, "annotations", json_type_object);
	const char *full = json_text(notes, "io.containerd.image.name");
	const char *ref = json_text(notes, "org.opencontainers.image.ref.name");
	char name[2 * REFERENCE_MAX];

	if (full)
		return bundle_name(image, full, err);
	if (!ref && !*layout->fallback)
		return 0;
	if (!ref || reference_is_tag(ref)) {
		if (!*layout->fallback)
			return 0;
		snprintf(name, sizeof(name), "%s:%.128s", layout->fallback, ref ? ref : "latest");
		return bundle_name(image, name, err);
	}
	return bundle_name(image, ref, err);
}

/* An image that an earlier entry brought already gets this entry's name too. */
static struct bundle_image *already_there(struct layout *layout, const char *manifest_digest)
{
	for (size_t i = 0; i < layout->bundle->count; i++)
		if (strcmp(layout->bundle->images[i].manifest_digest, manifest_digest) == 0)
			return &layout->bundle->images[i];
	return NULL;
}

/* The config of a manifest is read before an image is made of it: its platform decides when the entry names none. */
static int manifest_image(struct layout *layout, json_object *manifest, const struct descriptor *from,
			  struct bundle_image *image, struct layerblk_error *err)
{
	struct descriptor config = { .media_type = "" };
	json_object *item, *layers;
	int rc;

	rc = json_need(manifest, "config", json_type_object, from->subject, &item, err);
	if (!rc)
		rc = json_need(manifest, "layers", json_type_array, from->subject, &layers, err);
	if (!rc)
		rc = descriptor_read(layout, item, "config", &config, err);
	if (rc)
		return rc;
	if (*config.media_type && strcmp(config.media_type, OCI_CONFIG) != 0 &&
	    strcmp(config.media_type, DOCKER_CONFIG) != 0)
		return layerblk_error_set(err, EBADMSG, "read", from->subject,
					  "its config has the media type \"%.100s\": it is an artifact, not an image",
					  config.media_type);
	if (!digest_is_sha256(config.digest))
		return layerblk_error_set(err, EBADMSG, "read", from->subject, "its config's digest is no sha256");
	rc = descriptor_load(layout, &config, &image->config, &image->config_size, err);
	if (!rc)
		rc = bundle_take_config(image, json_object_array_length(layers), config.subject, err);
	if (!rc)
		rc = manifest_layers(layout, image, layers, from->subject, err);
	strcpy(image->id, config.digest);
	return rc;
}

static int read_manifest(struct layout *layout, json_object *entry, const struct descriptor *descriptor, char *text,
			 size_t size, json_object *manifest, struct layerblk_error *err)
{
	struct bundle_image *image = already_there(layout, descriptor->digest);
	int rc;

	if (image)
		return entry_names(layout, image, entry, err);
	if (size > LB_VALUE_MAX)
		return layerblk_error_set(err, EFBIG, "read", descriptor->subject,
					  "it has %zu bytes, the most a pool keeps is %u", size, LB_VALUE_MAX);
	image = bundle_add(layout->bundle, err);
	if (!image)
		return -ENOMEM;
	image->manifest = malloc(size + 1);
	if (!image->manifest)
		return layerblk_error_set(err, ENOMEM, "read", descriptor->subject, "no memory");
	memcpy(image->manifest, text, size + 1);
	image->manifest_size = size;
	strcpy(image->manifest_digest, descriptor->digest);
	rc = manifest_image(layout, manifest, descriptor, image, err);
	return rc ? rc : entry_names(layout, image, entry, err);
}

static int read_index(struct layout *layout, json_object *index, json_object *names, const char *subject, int depth,
		      struct layerblk_error *err);

/* names: the entry of index.json under which all this is, which has the annotations with the name. */
static int read_entry(struct layout *layout, json_object *entry, json_object *names, int depth,
		      struct layerblk_error *err)
{
	cleanup_json json_object *document = NULL;
	cleanup_free char *text = NULL;
	struct descriptor descriptor;
	const char *type;
	size_t size;
	int rc;

	rc = descriptor_read(layout, entry, "manifest", &descriptor, err);
	if (!rc)
		rc = descriptor_load(layout, &descriptor, &text, &size, err);
	if (!rc)
		rc = json_parse(text, size, json_type_object, descriptor.subject, &document, err);
	if (rc)
		return rc;
	type = json_text(document, "mediaType");
	if (!type)
		type = descriptor.media_type;
	if (strcmp(type, OCI_INDEX) == 0 || strcmp(type, DOCKER_LIST) == 0 ||
	    (json_member(document, "manifests", json_type_array) && !json_member(document, "layers", json_type_array)))
		return read_index(layout, document, names, descriptor.subject, depth + 1, err);
	if (*type && strcmp(type, OCI_MANIFEST) != 0 && strcmp(type, DOCKER_MANIFEST) != 0)
		return layerblk_error_set(err, EBADMSG, "read", descriptor.subject,
					  "it has the media type \"%.100s\", which is no image manifest", type);
	return read_manifest(layout, names, &descriptor, text, size, document, err);
}

/* Whether an entry of an index is to be read: its platform, if it says one, fits. */
static bool entry_fits(struct layout *layout, json_object *entry)
{
	json_object *platform = json_member(entry, "platform", json_type_object);
	const char *os = json_text(platform, "os");
	size_t used = strlen(layout->seen);
	char text[112];

	if (json_text(entry, "artifactType") || (os && strcmp(os, "unknown") == 0))
		return false;
	if (!platform || platform_matches(layout->platform, platform))
		return true;
	platform_text(platform, text, sizeof(text));
	if (!strstr(layout->seen, text))
		snprintf(layout->seen + used, sizeof(layout->seen) - used, "%s%s", used ? ", " : "", text);
	return false;
}

static int read_index(struct layout *layout, json_object *index, json_object *names, const char *subject, int depth,
		      struct layerblk_error *err)
{
	json_object *entries, *entry;
	int rc;

	if (depth > INDEX_DEPTH)
		return layerblk_error_set(err, EBADMSG, "read", subject, "indexes are nested more than %d deep", INDEX_DEPTH);
	rc = json_need(index, "manifests", json_type_array, subject, &entries, err);
	for (size_t i = 0; !rc && i < json_object_array_length(entries); i++) {
		if (++layout->entries > INDEX_ENTRIES)
			return layerblk_error_set(err, EBADMSG, "read", subject, "there are more than %d entries",
						  INDEX_ENTRIES);
		entry = json_object_array_get_idx(entries, i);
		if (!json_object_is_type(entry, json_type_object))
			return layerblk_error_set(err, EBADMSG, "read", subject, "entry %zu is no JSON object", i + 1);
		if (!entry_fits(layout, entry))
			continue;
		rc = read_entry(layout, entry, names ? names : entry, depth, err);
		if (!rc && names)
			return 0;	/* of a nested index, the first that fits is the image */
	}
	return rc;
}

static int check_version(struct source *source, struct layerblk_error *err)
{
	cleanup_json json_object *document = NULL;
	cleanup_free char *text = NULL;
	const char *version;
	size_t size;
	int rc;

	rc = source_load(source, "oci-layout", DOCUMENT_MAX, &text, &size, err);
	if (!rc)
		rc = json_parse(text, size, json_type_object, "oci-layout", &document, err);
	if (rc)
		return rc;
	version = json_text(document, "imageLayoutVersion");
	if (!version || strncmp(version, "1.", 2) != 0)
		return layerblk_error_set(err, EBADMSG, "read", "oci-layout",
					  "its version is \"%.32s\"; 1.x is understood", version ? version : "");
	return 0;
}

int oci_layout_read(struct source *source, const char *path, const struct platform *platform, struct bundle *bundle,
		    struct layerblk_error *err)
{
	struct layout layout = { .source = source, .platform = platform, .bundle = bundle };
	cleanup_json json_object *index = NULL;
	cleanup_free char *text = NULL;
	size_t size;
	int rc;

	rc = check_version(source, err);
	if (!rc)
		rc = source_load(source, "index.json", DOCUMENT_MAX, &text, &size, err);
	if (!rc)
		rc = json_parse(text, size, json_type_object, "index.json", &index, err);
	if (rc)
		return rc;
	if (strcmp(path, "-") != 0)
		reference_from_path(path, layout.fallback);
	rc = read_index(&layout, index, NULL, "index.json", 0, err);
	if (rc || bundle->count > 0)
		return rc;
	if (*layout.seen) {
		layerblk_error_set(err, ENOENT, "find an image in", path, "none is for %s/%s; it holds %s",
				   platform->os, platform->architecture, layout.seen);
		return layerblk_error_hint(err, "Choose one with --platform");
	}
	return layerblk_error_set(err, ENOENT, "find an image in", path, "its index lists none");
}

int skopeo_dir_read(struct source *source, const struct platform *platform, struct bundle *bundle, struct layerblk_error *err)
{
	struct layout layout = { .source = source, .platform = platform, .bundle = bundle, .flat = true };
	struct descriptor descriptor = { .media_type = "", .subject = "manifest.json" };
	cleanup_json json_object *manifest = NULL;
	cleanup_free char *text = NULL;
	size_t size;
	int rc = source_load(source, "manifest.json", DOCUMENT_MAX, &text, &size, err);

	if (!rc)
		rc = json_parse(text, size, json_type_object, "manifest.json", &manifest, err);
	if (!rc && digest_of(text, size, descriptor.digest) != 0)
		rc = layerblk_error_set(err, ENOMEM, "read", "manifest.json", "no memory");
	if (!rc && json_member(manifest, "manifests", json_type_array))
		rc = layerblk_error_set(err, EBADMSG, "read", "manifest.json", "it is an index of several images, not of one");
	return rc ? rc : read_manifest(&layout, NULL, &descriptor, text, size, manifest, err);
}
