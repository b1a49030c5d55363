/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A layer's blob as a tar stream, in one pass: blob (hashed) -> decompression by content -> tar bytes (hashed) -> entries.
 *
 * What the entries say is not to be trusted before stream_finish() has found both digests right.
 */
#ifndef IMAGE_STREAM_H
#define IMAGE_STREAM_H

#include "bundle.h"
#include "recipe.h"

struct stream;

/* Called with the bytes of the blob read so far; a result other than 0 (a negative errno) ends the reading with it. */
typedef int stream_progress_fn(void *arg, uint64_t done);

/* The source must outlive the stream; the layer too. progress may be NULL. */
int stream_open(struct source *source, const struct bundle_layer *layer, stream_progress_fn *progress, void *arg,
		struct stream **out, struct layerblk_error *err);

/* The same, with a recipe (may be NULL, must outlive the stream) through which the tar passes. */
int stream_open_recorded(struct source *source, const struct bundle_layer *layer, struct recipe *recipe,
			 stream_progress_fn *progress, void *arg, struct stream **out, struct layerblk_error *err);
struct recipe *stream_recipe(const struct stream *stream);

/* Only reads the blob and verifies its size and digest, which must be known. */
int stream_check_blob(struct source *source, const struct bundle_layer *layer, stream_progress_fn *progress, void *arg,
		      struct layerblk_error *err);

/* Only reads the blob: the digest of its uncompressed bytes, which nobody has told. */
int stream_measure(struct source *source, const struct bundle_layer *layer, stream_progress_fn *progress, void *arg,
		   char diff_id[DIGEST_TEXT], struct layerblk_error *err);

/* libarchive's reader of the tar; it stays the stream's. */
struct archive *stream_tar(struct stream *stream);

/* Where in the tar the contents of the entry begin whose header was read last, before any of them are read. */
uint64_t stream_position(const struct stream *stream);

/*
 * What to report when a call on stream_tar() failed: a failure beneath it (reading the blob, damaged compression, the
 * progress function) comes before what libarchive says of the tar. Gives a negative errno.
 */
int stream_error(struct stream *stream, const char *what, const char *subject, struct layerblk_error *err);

/* Reads what is left and verifies size and digest of the blob and the diff_id. */
int stream_finish(struct stream *stream, struct layerblk_error *err);

/* How many bytes the blob has as a file; known from the beginning. */
uint64_t stream_blob_size(const struct stream *stream);
/* Bytes of the blob and of the uncompressed tar; whole after stream_finish(). */
uint64_t stream_blob_bytes(const struct stream *stream);
uint64_t stream_tar_bytes(const struct stream *stream);
/* The blob's digest, after stream_finish(). */
const char *stream_digest(const struct stream *stream);

void stream_close(struct stream *stream);	/* takes NULL */

#endif
