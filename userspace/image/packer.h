/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compression of a stream of bytes: the same bytes always come to the same result (no time, no name in it). */
#ifndef IMAGE_PACKER_H
#define IMAGE_PACKER_H

#include "sink.h"

enum packing {
	PACKING_NONE,
	PACKING_GZIP,
	PACKING_ZSTD,
};

#define PACKING_WORDS	"none gzip zstd"	/* for help and completion */

/* -EINVAL unless it is one of PACKING_WORDS. */
int packing_parse(const char *word, enum packing *out, struct layerblk_error *err);
/* What it is called behind a media type: "", "+gzip", "+zstd". */
const char *packing_suffix(enum packing packing);

struct packer;

/* `to` is where the compressed bytes go; borrowed until packer_free(). */
int packer_new(enum packing packing, const struct sink *to, struct packer **out, struct layerblk_error *err);
/* A sink_fn: arg is the packer. */
int packer_write(void *arg, const void *data, size_t size, struct layerblk_error *err);
/* The end of the stream has been written to `to`. */
int packer_finish(struct packer *packer, struct layerblk_error *err);
void packer_free(struct packer *packer);	/* takes NULL */

#endif
