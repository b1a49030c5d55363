// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two libarchive readers in a row: `raw` decompresses what the blob gives, `tar` reads what `raw` gives. Each one's read
 * function hashes what passes. A failure below is kept in `failure`, because libarchive carries only its own words upwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <archive_entry.h>
#include "stream.h"

struct stream {
	const struct bundle_layer *layer;
	struct blob *blob;
	struct archive *raw;
	struct archive *tar;
	struct hasher *blob_hash;
	struct hasher *tar_hash;
	struct recipe *recipe;		/* borrowed; may be NULL */
	uint64_t blob_bytes;
	uint64_t tar_bytes;
	stream_progress_fn *progress;
	void *arg;
	bool raw_open;			/* the member of `raw` has been opened */
	bool raw_ended;
	struct layerblk_error failure;
	char digest[DIGEST_TEXT];
};

static la_ssize_t blob_callback(struct archive *archive, void *arg, const void **data)
{
	struct stream *stream = arg;
	ssize_t got = blob_read(stream->blob, data, &stream->failure);
	int rc;

	if (got > 0) {
		hasher_add(stream->blob_hash, *data, (size_t)got);
		stream->blob_bytes += (uint64_t)got;
		rc = stream->progress ? stream->progress(stream->arg, stream->blob_bytes) : 0;
		if (rc) {
			got = layerblk_error_set(&stream->failure, -rc, "read", stream->layer->blob, "%s",
						 rc == -EINTR ? "interrupted" : strerror(-rc));
		}
	}
	if (got < 0)
		archive_set_error(archive, stream->failure.code, "%s", stream->failure.why);
	return got;
}

/* Opens the one member of `raw` at the first byte that is asked for. */
static int raw_begin(struct stream *stream)
{
	struct archive_entry *entry;
	int got = archive_read_next_header(stream->raw, &entry);

	stream->raw_open = true;
	if (got == ARCHIVE_EOF)
		stream->raw_ended = true;	/* an empty blob */
	return got < ARCHIVE_WARN ? -1 : 0;
}

static la_ssize_t raw_failed(struct stream *stream, struct archive *upper)
{
	const char *text = archive_error_string(stream->raw);

	if (!stream->failure.code)
		layerblk_error_set(&stream->failure, EBADMSG, "decompress", stream->layer->blob, "%s",
				   text ? text : "the data is damaged");
	if (upper)
		archive_set_error(upper, EBADMSG, "%s", stream->failure.why);
	return -1;
}

static la_ssize_t raw_callback(struct archive *archive, void *arg, const void **data)
{
	struct stream *stream = arg;
	int64_t offset;
	size_t size = 0;

	if (!stream->raw_open && raw_begin(stream) != 0)
		return raw_failed(stream, archive);
	while (!stream->raw_ended && size == 0) {
		int got = archive_read_data_block(stream->raw, data, &size, &offset);

		if (got == ARCHIVE_EOF)
			stream->raw_ended = true;
		else if (got < ARCHIVE_OK)
			return raw_failed(stream, archive);
	}
	if (stream->raw_ended)
		return 0;
	hasher_add(stream->tar_hash, *data, size);
	stream->tar_bytes += size;
	if (stream->recipe)
		recipe_pass(stream->recipe, *data, size);
	return (la_ssize_t)size;
}

int stream_open_recorded(struct source *source, const struct bundle_layer *layer, struct recipe *recipe,
			 stream_progress_fn *progress, void *arg, struct stream **out, struct layerblk_error *err)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	int rc;

	if (!stream)
		return layerblk_error_set(err, ENOMEM, "read", layer->blob, "no memory");
	stream->layer = layer;
	stream->recipe = recipe;
	stream->progress = progress;
	stream->arg = arg;
	rc = blob_open(source, layer->blob, &stream->blob, err);
	if (rc)
		goto fail;
	stream->blob_hash = hasher_new(layer->digest);
	stream->tar_hash = hasher_new(NULL);
	stream->raw = archive_new_raw();
	stream->tar = archive_new_tar();
	if (!stream->blob_hash || !stream->tar_hash || !stream->raw || !stream->tar) {
		rc = layerblk_error_set(err, ENOMEM, "read", layer->blob, "no memory");
		goto fail;
	}
	if (archive_read_open(stream->raw, stream, NULL, blob_callback, NULL) != ARCHIVE_OK) {
		raw_failed(stream, NULL);
		rc = stream_error(stream, "read", layer->blob, err);
		goto fail;
	}
	if (archive_read_open(stream->tar, stream, NULL, raw_callback, NULL) != ARCHIVE_OK) {
		rc = stream_error(stream, "read", layer->blob, err);
		goto fail;
	}
	*out = stream;
	return 0;
fail:
	stream_close(stream);
	return rc;
}

int stream_open(struct source *source, const struct bundle_layer *layer, stream_progress_fn *progress, void *arg,
		struct stream **out, struct layerblk_error *err)
{
	return stream_open_recorded(source, layer, NULL, progress, arg, out, err);
}

struct recipe *stream_recipe(const struct stream *stream)
{
	return stream->recipe;
}

uint64_t stream_position(const struct stream *stream)
{
	return (uint64_t)archive_filter_bytes(stream->tar, 0);
}

struct archive *stream_tar(struct stream *stream)
{
	return stream->tar;
}

int stream_error(struct stream *stream, const char *what, const char *subject, struct layerblk_error *err)
{
	const char *text = archive_error_string(stream->tar);

	if (stream->failure.code) {
		if (err)
			*err = stream->failure;
		return -stream->failure.code;
	}
	return layerblk_error_set(err, EBADMSG, what, subject, "the tar is damaged: %s", text ? text : "no reason given");
}

/* What follows the end of the tar, and of the compressed data, counts for the digests. */
static int drain(struct stream *stream, struct layerblk_error *err)
{
	const void *data;
	la_ssize_t got;

	do
		got = raw_callback(stream->tar, stream, &data);
	while (got > 0);
	while (got == 0 && (got = blob_callback(stream->raw, stream, &data)) > 0)
		got = 0;
	return got < 0 ? stream_error(stream, "read", stream->layer->blob, err) : 0;
}

/* The blob has been read to its end. */
static int check_blob(struct stream *stream, struct layerblk_error *err)
{
	const struct bundle_layer *layer = stream->layer;

	hasher_text(stream->blob_hash, stream->digest);
	if (layer->size >= 0 && (uint64_t)layer->size != stream->blob_bytes)
		return layerblk_error_set(err, EBADMSG, "verify", layer->blob,
					  "it has %llu bytes, the manifest says %lld",
					  (unsigned long long)stream->blob_bytes, layer->size);
	if (*layer->digest && strcmp(stream->digest, layer->digest) != 0)
		return layerblk_error_set(err, EBADMSG, "verify", layer->blob, "its digest is %s, not %s", stream->digest,
					  layer->digest);
	return 0;
}

int stream_finish(struct stream *stream, struct layerblk_error *err)
{
	const struct bundle_layer *layer = stream->layer;
	char diff_id[DIGEST_TEXT];
	int rc = drain(stream, err);

	if (!rc)
		rc = check_blob(stream, err);
	if (rc)
		return rc;
	hasher_text(stream->tar_hash, diff_id);
	if (strcmp(diff_id, layer->diff_id) != 0)
		return layerblk_error_set(err, EBADMSG, "verify", layer->blob,
					  "its uncompressed digest is %s, the config says %s", diff_id, layer->diff_id);
	return 0;
}

int stream_check_blob(struct source *source, const struct bundle_layer *layer, stream_progress_fn *progress, void *arg,
		      struct layerblk_error *err)
{
	struct stream *stream = NULL;
	const void *data;
	la_ssize_t got;
	int rc = stream_open(source, layer, progress, arg, &stream, err);

	if (rc || !stream)
		return rc;
	do
		got = blob_callback(stream->raw, stream, &data);
	while (got > 0);
	rc = got < 0 ? stream_error(stream, "read", layer->blob, err) : check_blob(stream, err);
	stream_close(stream);
	return rc;
}

int stream_measure(struct source *source, const struct bundle_layer *layer, stream_progress_fn *progress, void *arg,
		   char diff_id[DIGEST_TEXT], struct layerblk_error *err)
{
	struct stream *stream = NULL;
	int rc = stream_open(source, layer, progress, arg, &stream, err);

	if (rc || !stream)
		return rc;
	rc = drain(stream, err);
	hasher_text(stream->tar_hash, diff_id);
	stream_close(stream);
	return rc;
}

uint64_t stream_blob_size(const struct stream *stream)
{
	return blob_size(stream->blob);
}

uint64_t stream_blob_bytes(const struct stream *stream)
{
	return stream->blob_bytes;
}

uint64_t stream_tar_bytes(const struct stream *stream)
{
	return stream->tar_bytes;
}

const char *stream_digest(const struct stream *stream)
{
	return stream->digest;
}

void stream_close(struct stream *stream)
{
	if (!stream)
		return;
	if (stream->tar)
		archive_read_free(stream->tar);
	if (stream->raw)
		archive_read_free(stream->raw);
	hasher_free(stream->blob_hash);
	hasher_free(stream->tar_hash);
	blob_close(stream->blob);
	free(stream);
}
