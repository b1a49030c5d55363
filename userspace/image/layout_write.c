// SPDX-License-Identifier: GPL-2.0-or-later
/* See layout_write.h. In a directory, a blob gets its name when it is whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cleanup.h"
#include "layout_write.h"
#include "reference.h"
#include "spool.h"
#include "tarhead.h"

#define WHAT		"write the image's file"
#define BLOBS		"blobs/sha256"
#define UNFINISHED	BLOBS "/unfinished"

struct layout_writer {
	int fd;
	bool archive;
	bool docker;
	struct sink to_fd;
	char (*blobs)[DIGEST_TEXT];
	size_t blob_count;
	json_object *entries;		/* of index.json */
	json_object *images;		/* of manifest.json */
};

static int no_memory(struct layerblk_error *err)
{
	return layerblk_error_set(err, ENOMEM, WHAT, "", "no memory");
}

/* ------------------------------------------------------------------ files */

static int put_directory(struct layout_writer *layout, const char *name, struct layerblk_error *err)
{
	struct tar_entry entry = { .path = name, .mode = S_IFDIR | 0755 };
	uint64_t stored;

	if (layout->archive)
		return tar_head(&entry, &layout->to_fd, &stored, err);
	if (mkdirat(layout->fd, name, 0755) != 0 && errno != EEXIST)
		return layerblk_error_set(err, errno, WHAT, name, "%s", strerror(errno));
	return 0;
}

/* A sink that lets no more through than was announced. */
struct measured {
	const struct sink *to;
	uint64_t left;
};

static int measured_write(void *arg, const void *data, size_t size, struct layerblk_error *err)
{
	struct measured *measured = arg;

	if (size > measured->left)
		return layerblk_error_set(err, EBADMSG, WHAT, "", "it is longer than it should be");
	measured->left -= size;
	return sink_write(measured->to, data, size, err);
}

static int produce_measured(const struct sink *to, const char *name, uint64_t size, layout_produce_fn *produce, void *arg,
			    struct layerblk_error *err)
{
	struct measured measured = { .to = to, .left = size };
	struct sink sink = { measured_write, &measured };
	int rc = produce(arg, &sink, err);

	if (!rc && measured.left)
		rc = layerblk_error_set(err, EBADMSG, WHAT, name, "it is shorter than it should be");
	return rc;
}

static int put_in_archive(struct layout_writer *layout, const char *name, uint64_t size, layout_produce_fn *produce, void *arg,
			  struct layerblk_error *err)
{
	struct tar_entry entry = { .path = name, .mode = S_IFREG | 0644, .size = size };
	uint64_t stored;
	int rc = tar_head(&entry, &layout->to_fd, &stored, err);

	if (!rc)
		rc = produce_measured(&layout->to_fd, name, size, produce, arg, err);
	return rc ? rc : tar_pad(stored, &layout->to_fd, err);
}

static int put_in_directory(struct layout_writer *layout, const char *name, uint64_t size, layout_produce_fn *produce,
			    void *arg, struct layerblk_error *err)
{
	cleanup_fd int fd = openat(layout->fd, UNFINISHED, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	struct sink sink = { spool_sink, &fd };
	int rc;

	if (fd < 0)
		return layerblk_error_set(err, errno, WHAT, name, "%s", strerror(errno));
	rc = produce_measured(&sink, name, size, produce, arg, err);
	if (!rc && renameat(layout->fd, UNFINISHED, layout->fd, name) != 0)
		rc = layerblk_error_set(err, errno, WHAT, name, "%s", strerror(errno));
	if (rc)
		unlinkat(layout->fd, UNFINISHED, 0);
	return rc;
}

static int put_file(struct layout_writer *layout, const char *name, uint64_t size, layout_produce_fn *produce, void *arg,
		    struct layerblk_error *err)
{
	return layout->archive ? put_in_archive(layout, name, size, produce, arg, err) :
	       put_in_directory(layout, name, size, produce, arg, err);
}

struct text {
	const char *data;
	size_t size;
};

static int produce_text(void *arg, const struct sink *to, struct layerblk_error *err)
{
	const struct text *text = arg;

	return sink_write(to, text->data, text->size, err);
}

static int put_json(struct layout_writer *layout, const char *name, json_object *json, struct layerblk_error *err)
{
	const char *data = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	struct text text = { data, data ? strlen(data) : 0 };

	return data ? put_file(layout, name, text.size, produce_text, &text, err) : no_memory(err);
}

/* ------------------------------------------------------------------ blobs */

int layout_new(int fd, bool archive, bool docker, struct layout_writer **out, struct layerblk_error *err)
{
	struct layout_writer *layout = calloc(1, sizeof(*layout));
	int rc;

	if (!layout)
		return no_memory(err);
	layout->fd = fd;
	layout->archive = archive;
	layout->docker = docker;
	layout->to_fd = (struct sink){ spool_sink, &layout->fd };
	layout->entries = json_object_new_array();
	layout->images = json_object_new_array();
	rc = layout->entries && layout->images ? 0 : no_memory(err);
	if (!rc)
		rc = put_directory(layout, "blobs/", err);
	if (!rc)
		rc = put_directory(layout, BLOBS "/", err);
	if (rc) {
		layout_free(layout);
		return rc;
	}
	*out = layout;
	return 0;
}

void layout_free(struct layout_writer *layout)
{
	if (!layout)
		return;
	json_object_put(layout->entries);
	json_object_put(layout->images);
	free(layout->blobs);
	free(layout);
}

bool layout_has(const struct layout_writer *layout, const char *digest)
{
	for (size_t i = 0; i < layout->blob_count; i++)
		if (strcmp(layout->blobs[i], digest) == 0)
			return true;
	return false;
}

int layout_produce(struct layout_writer *layout, const char *digest, uint64_t size, layout_produce_fn *produce, void *arg,
		   struct layerblk_error *err)
{
	char name[sizeof(BLOBS) + DIGEST_TEXT];
	char (*more)[DIGEST_TEXT];
	int rc;

	if (layout_has(layout, digest))
		return 0;
	snprintf(name, sizeof(name), BLOBS "/%s", digest_hex(digest));
	rc = put_file(layout, name, size, produce, arg, err);
	if (rc)
		return rc;
	more = reallocarray(layout->blobs, layout->blob_count + 1, sizeof(*more));
	if (!more)
		return no_memory(err);
	layout->blobs = more;
	strcpy(more[layout->blob_count++], digest);
	return 0;
}

int layout_put(struct layout_writer *layout, const void *data, size_t size, char digest[DIGEST_TEXT], struct layerblk_error *err)
{
	struct text text = { data, size };

	if (digest_of(data, size, digest) != 0)
		return no_memory(err);
	return layout_produce(layout, digest, size, produce_text, &text, err);
}

/* ------------------------------------------------------------------ images */

/* Whether another image of the layout has the tag: then the tag alone does not say which one is meant. */
static bool tag_is_taken(const struct layout_writer *layout, const char *tag)
{
	for (size_t i = 0; i < json_object_array_length(layout->entries); i++) {
		json_object *notes, *ref;

		if (json_object_object_get_ex(json_object_array_get_idx(layout->entries, i), "annotations", &notes) &&
		    json_object_object_get_ex(notes, "org.opencontainers.image.ref.name", &ref) &&
		    strcmp(json_object_get_string(ref), tag) == 0)
			return true;
	}
	return false;
}

/* name NULL: none. */
static int add_entry(struct layout_writer *layout, const struct layout_image *image, const char *name, struct layerblk_error *err)
{
	json_object *entry = json_object_new_object(), *notes = name ? json_object_new_object() : NULL;
	char repository[REFERENCE_MAX], full[REFERENCE_MAX + 32];
	const char *tag;

	if (!entry || (name && !notes)) {
		json_object_put(entry);
		return no_memory(err);
	}
	json_object_object_add(entry, "mediaType", json_object_new_string(image->manifest_type));
	json_object_object_add(entry, "digest", json_object_new_string(image->manifest_digest));
	json_object_object_add(entry, "size", json_object_new_int64((int64_t)image->manifest_size));
	if (name) {
		reference_full(name, full);
		reference_split(name, repository, &tag);
		json_object_object_add(notes, "io.containerd.image.name", json_object_new_string(full));
		json_object_object_add(notes, "org.opencontainers.image.ref.name",
				       json_object_new_string(tag_is_taken(layout, tag) ? full : tag));
		json_object_object_add(entry, "annotations", notes);
	}
	if (image->platform)
		json_object_object_add(entry, "platform", json_object_get(image->platform));
	json_object_array_add(layout->entries, entry);
	return 0;
}

static json_object *blob_path(const char *digest)
{
	char path[sizeof(BLOBS) + DIGEST_TEXT];

	snprintf(path, sizeof(path), BLOBS "/%s", digest_hex(digest));
	return json_object_new_string(path);
}

static int add_docker(struct layout_writer *layout, const struct layout_image *image, struct layerblk_error *err)
{
	json_object *item = json_object_new_object(), *tags = json_object_new_array(), *layers = json_object_new_array();

	if (!item || !tags || !layers) {
		json_object_put(item);
		json_object_put(tags);
		json_object_put(layers);
		return no_memory(err);
	}
	for (size_t i = 0; i < image->name_count; i++)
		json_object_array_add(tags, json_object_new_string(image->names[i]));
	for (size_t i = 0; i < image->layer_count; i++)
		json_object_array_add(layers, blob_path(image->layers[i]));
	json_object_object_add(item, "Config", blob_path(image->config_digest));
	json_object_object_add(item, "RepoTags", tags);
	json_object_object_add(item, "Layers", layers);
	json_object_array_add(layout->images, item);
	return 0;
}

int layout_add_image(struct layout_writer *layout, const struct layout_image *image, struct layerblk_error *err)
{
	int rc = image->name_count ? 0 : add_entry(layout, image, NULL, err);

	for (size_t i = 0; !rc && i < image->name_count; i++)
		rc = add_entry(layout, image, image->names[i], err);
	return rc ? rc : add_docker(layout, image, err);
}

int layout_finish(struct layout_writer *layout, struct layerblk_error *err)
{
	cleanup_json json_object *index = json_object_new_object(), *version = json_object_new_object();
	int rc;

	if (!index || !version)
		return no_memory(err);
	json_object_object_add(version, "imageLayoutVersion", json_object_new_string("1.0.0"));
	json_object_object_add(index, "schemaVersion", json_object_new_int(2));
	json_object_object_add(index, "mediaType", json_object_new_string("application/vnd.oci.image.index.v1+json"));
	json_object_object_add(index, "manifests", json_object_get(layout->entries));
	rc = put_json(layout, "index.json", index, err);
	if (!rc && layout->docker)
		rc = put_json(layout, "manifest.json", layout->images, err);
	if (!rc)
		rc = put_json(layout, "oci-layout", version, err);
	if (!rc && layout->archive)
		rc = tar_end(&layout->to_fd, err);
	return rc;
}
