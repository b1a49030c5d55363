/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An OCI image layout being written, as a directory or as a tar; with manifest.json beside it, it is a "docker save" archive as well. The
 * same images always come to the same bytes.
 */
#ifndef IMAGE_LAYOUT_WRITE_H
#define IMAGE_LAYOUT_WRITE_H

#include <json-c/json.h>
#include "digest.h"
#include "sink.h"

struct layout_writer;

/* fd: an open directory, or with `archive`, where the tar goes; borrowed. docker: with a manifest.json. */
int layout_new(int fd, bool archive, bool docker, struct layout_writer **out, struct layerblk_error *err);
void layout_free(struct layout_writer *layout);		/* takes NULL */

/* Whether a blob of this digest has been written. */
bool layout_has(const struct layout_writer *layout, const char *digest);

/* A blob that is at hand: its digest is found. One that is there already is not written again. */
int layout_put(struct layout_writer *layout, const void *data, size_t size, char digest[DIGEST_TEXT], struct layerblk_error *err);

/*
 * A blob of known digest and size that is written to a sink by `produce`, which sees to it that it is the right one. After a failure
 * the layout is of no use.
 */
typedef int layout_produce_fn(void *arg, const struct sink *to, struct layerblk_error *err);
int layout_produce(struct layout_writer *layout, const char *digest, uint64_t size, layout_produce_fn *produce, void *arg,
		   struct layerblk_error *err);

/*
 * An image whose blobs are all there. names: normal references, may be none. layers: digests of the layers' blobs, for
 * manifest.json.
 */
struct layout_image {
	const char *manifest_type;
	const char *manifest_digest;
	size_t manifest_size;
	const char *config_digest;
	char *const *names;
	size_t name_count;
	const char (*layers)[DIGEST_TEXT];
	size_t layer_count;
	json_object *platform;		/* of the index's entry; borrowed, may be NULL */
};
int layout_add_image(struct layout_writer *layout, const struct layout_image *image, struct layerblk_error *err);

/* The index and what else belongs to it, and the archive's end. */
int layout_finish(struct layout_writer *layout, struct layerblk_error *err);

#endif
