// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See save.h. A layer that is not to be compressed is streamed: its digest and size are known before. A compressed one goes through a
 * temporary file. The manifest that the image came with is kept if it fits what is written: if no layer was compressed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "finalize.h"
#include "json.h"
#include "layer_export.h"
#include "report.h"
#include "save.h"
#include "spool.h"

#define OCI_MANIFEST	"application/vnd.oci.image.manifest.v1+json"
#define OCI_CONFIG	"application/vnd.oci.image.config.v1+json"
#define OCI_LAYER	"application/vnd.oci.image.layer.v1.tar"

struct save_blob {
	char diff_id[DIGEST_TEXT];
	char digest[DIGEST_TEXT];
	uint64_t size;
};

struct layer_writing {			/* one layer under way */
	struct save *save;
	struct layer *layer;
	struct progress progress;
	const struct sink *to;
	struct hasher *hash;		/* of what is compressed */
	uint64_t done;
	uint64_t written;
	int fd;				/* what is compressed */
	uint64_t size;
};

static volatile sig_atomic_t interrupted;

void save_interrupt(void)
{
	interrupted = 1;
}

void save_clear(struct save *save)
{
	free(save->blobs);
	save->blobs = NULL;
	save->blob_count = 0;
}

/* ------------------------------------------------------------------ layers */

/* A sink that shows how far the tar is. */
static int watched_write(void *arg, const void *data, size_t size, struct layerblk_error *err)
{
	struct layer_writing *writing = arg;

	if (interrupted)
		return layerblk_error_set(err, EINTR, "write the image", "", "interrupted");
	writing->done += size;
	progress_update(&writing->progress, writing->done);
	return sink_write(writing->to, data, size, err);
}

static int export_to(struct layer_writing *writing, const struct sink *to, struct layerblk_error *err)
{
	struct sink sink = { watched_write, writing };

	writing->to = to;
	return layer_export(writing->save->pool, writing->layer, &sink, err);
}

static int produce_plain(void *arg, const struct sink *to, struct layerblk_error *err)
{
	return export_to(arg, to, err);
}

static int packed_write(void *arg, const void *data, size_t size, struct layerblk_error *err)
{
	struct layer_writing *writing = arg;

	hasher_add(writing->hash, data, size);
	writing->written += size;
	return spool_sink(&writing->fd, data, size, err);
}

static int produce_packed(void *arg, const struct sink *to, struct layerblk_error *err)
{
	struct layer_writing *writing = arg;

	return spool_copy(writing->fd, 0, writing->written, to, "a temporary file", err);
}

static int pack(struct layer_writing *writing, struct layerblk_error *err)
{
	struct sink to_file = { packed_write, writing }, to_packer = { packer_write, NULL };
	struct packer *packer = NULL;
	int rc = packer_new(writing->save->packing, &to_file, &packer, err);

	to_packer.arg = packer;
	if (!rc)
		rc = export_to(writing, &to_packer, err);
	if (!rc)
		rc = packer_finish(packer, err);
	packer_free(packer);
	return rc;
}

static int write_packed(struct layer_writing *writing, struct save_blob *blob, struct layerblk_error *err)
{
	int rc;

	writing->hash = hasher_new(NULL);
	writing->fd = spool_open();
	if (writing->fd < 0 || !writing->hash)
		rc = layerblk_error_set(err, writing->hash ? errno : ENOMEM, "make a temporary file for", "the layer", "%s",
					strerror(writing->hash ? errno : ENOMEM));
	else
		rc = pack(writing, err);
	if (!rc) {
		hasher_text(writing->hash, blob->digest);
		blob->size = writing->written;
		rc = layout_produce(writing->save->layout, blob->digest, blob->size, produce_packed, writing, err);
	}
	hasher_free(writing->hash);
	if (writing->fd >= 0)
		close(writing->fd);
	return rc;
}

static struct save_blob *blob_of(const struct save *save, const char *diff_id)
{
	for (size_t i = 0; i < save->blob_count; i++)
		if (strcmp(save->blobs[i].diff_id, diff_id) == 0)
			return &save->blobs[i];
	return NULL;
}

/* Gives where in save->blobs the layer is now. */
static int write_layer(struct save *save, const struct image_record *record, size_t at, size_t *index, struct layerblk_error *err)
{
	struct layer layer;
	struct layer_writing writing = { .save = save, .layer = &layer, .fd = -1 };
	struct save_blob *more, *known;
	int rc = layer_load(save->pool, record, at, &layer, err);

	if (rc)
		return rc;
	known = blob_of(save, layer.diff_id);
	if (known) {
		*index = (size_t)(known - save->blobs);
		return 0;
	}
	more = reallocarray(save->blobs, save->blob_count + 1, sizeof(*more));
	if (!more)
		return layerblk_error_set(err, ENOMEM, "write the image", record->id, "no memory");
	save->blobs = more;
	more += save->blob_count;
	strcpy(more->diff_id, layer.diff_id);
	strcpy(more->digest, layer.diff_id);
	more->size = layer.tar_size;
	progress_begin(&writing.progress, layer.tar_size, save->quiet, "Layer %zu/%zu %.12s", at + 1, record->layer_count,
		       digest_hex(layer.diff_id));
	rc = save->packing == PACKING_NONE ?
	     layout_produce(save->layout, more->digest, more->size, produce_plain, &writing, err) :
	     write_packed(&writing, more, err);
	progress_end(&writing.progress);
	if (!rc)
		*index = save->blob_count++;
	return rc;
}

/* ------------------------------------------------------------------ manifests */

static json_object *descriptor(const char *type, const char *digest, uint64_t size)
{
	json_object *json = json_object_new_object();

	json_object_object_add(json, "mediaType", json_object_new_string(type));
	json_object_object_add(json, "digest", json_object_new_string(digest));
	json_object_object_add(json, "size", json_object_new_int64((int64_t)size));
	return json;
}

/* Whether the manifest that the image came with names just these blobs; *type is what it is, borrowed from it. */
static bool manifest_fits(json_object *manifest, const char *config, const char (*digests)[DIGEST_TEXT], size_t count,
			  const char **type)
{
	json_object *layers = json_member(manifest, "layers", json_type_array);
	const char *of_config = json_text(json_member(manifest, "config", json_type_object), "digest"), *of_layer;

	*type = json_text(manifest, "mediaType");
	if (!*type)
		*type = OCI_MANIFEST;
	if (!layers || json_object_array_length(layers) != count || !of_config || strcmp(of_config, config) != 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		of_layer = json_text(json_object_array_get_idx(layers, i), "digest");
		if (!of_layer || strcmp(of_layer, digests[i]) != 0)
			return false;
	}
	return true;
}

static int make_manifest(struct save *save, const struct image_record *record, size_t config_size, const size_t *layers,
			 json_object **out)
{
	json_object *manifest = json_object_new_object(), *list = json_object_new_array();
	char type[64];

	snprintf(type, sizeof(type), OCI_LAYER "%s", packing_suffix(save->packing));
	for (size_t i = 0; i < record->layer_count; i++)
		json_object_array_add(list, descriptor(type, save->blobs[layers[i]].digest, save->blobs[layers[i]].size));
	json_object_object_add(manifest, "schemaVersion", json_object_new_int(2));
	json_object_object_add(manifest, "mediaType", json_object_new_string(OCI_MANIFEST));
	json_object_object_add(manifest, "config", descriptor(OCI_CONFIG, record->id, config_size));
	json_object_object_add(manifest, "layers", list);
	*out = manifest;
	return 0;
}

static json_object *platform_of(const char *config_text, size_t size)
{
	static const char *const members[] = { "architecture", "os", "variant" };
	cleanup_json json_object *config = NULL;
	json_object *platform;

	if (json_parse(config_text, size, json_type_object, "config", &config, NULL) != 0 || !json_text(config, "architecture") ||
	    !json_text(config, "os"))
		return NULL;
	platform = json_object_new_object();
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		if (json_text(config, members[i]))
			json_object_object_add(platform, members[i], json_object_new_string(json_text(config, members[i])));
	return platform;
}

/* The layers are there: config, manifest and the index's entries. */
static int write_documents(struct save *save, const struct image_record *record, const size_t *layers, char *const *names,
			   size_t name_count, struct layerblk_error *err)
{
	cleanup_free char (*digests)[DIGEST_TEXT] = calloc(record->layer_count + 1, sizeof(*digests));
	cleanup_json json_object *manifest = NULL, *platform = NULL;
	cleanup_free char *config = NULL, *kept = NULL;
	char manifest_digest[DIGEST_TEXT], config_digest[DIGEST_TEXT];
	struct layout_image image = { .names = names, .name_count = name_count, .layer_count = record->layer_count };
	size_t config_size, size;
	const char *text;
	int rc;

	if (!digests)
		return layerblk_error_set(err, ENOMEM, "write the image", record->id, "no memory");
	rc = record_document(save->pool, record, "config", &config, &config_size, err);
	if (!rc)
		rc = layout_put(save->layout, config, config_size, config_digest, err);
	if (!rc && strcmp(config_digest, record->id) != 0)
		rc = layerblk_error_set(err, EBADMSG, "write the image", record->id, "its config in the pool has another digest");
	if (rc)
		return rc;
	for (size_t i = 0; i < record->layer_count; i++)
		strcpy(digests[i], save->blobs[layers[i]].digest);
	if (*record->manifest_digest && record_document(save->pool, record, "manifest", &kept, &size, NULL) == 0 &&
	    json_parse(kept, size, json_type_object, "manifest", &manifest, NULL) == 0 &&
	    manifest_fits(manifest, record->id, (const char (*)[DIGEST_TEXT])digests, record->layer_count, &image.manifest_type)) {
		text = kept;
	} else {
		json_object_put(manifest);
		make_manifest(save, record, config_size, layers, &manifest);
		image.manifest_type = OCI_MANIFEST;
		text = json_object_to_json_string_ext(manifest, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
		size = strlen(text);
	}
	rc = layout_put(save->layout, text, size, manifest_digest, err);
	if (rc)
		return rc;
	platform = platform_of(config, config_size);
	image.manifest_digest = manifest_digest;
	image.manifest_size = size;
	image.config_digest = config_digest;
	image.layers = (const char (*)[DIGEST_TEXT])digests;
	image.platform = platform;
	return layout_add_image(save->layout, &image, err);
}

int save_image(struct save *save, struct image_record *record, char *const *names, size_t name_count, struct layerblk_error *err)
{
	cleanup_free size_t *layers = calloc(record->layer_count ? record->layer_count : 1, sizeof(*layers));
	int rc;

	if (!layers)
		return layerblk_error_set(err, ENOMEM, "write the image", record->id, "no memory");
	rc = image_finalize_noted(save->pool, record, save->quiet, err);
	for (size_t i = 0; !rc && i < record->layer_count; i++)
		rc = write_layer(save, record, i, &layers[i], err);
	return rc ? rc : write_documents(save, record, layers, names, name_count, err);
}
