/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Imports an image: one frozen volume a layer, each a child of the one below.
 *
 * A layer is made on a working volume and appears whole, in one transaction that freezes it, names it and enters its
 * ChainID; the last layer's transaction holds the image's record and tags too. A crash at any point leaves no layer or a
 * whole one, and an image only when all of it is there. Working volumes that a crash leaves are work.h's.
 */
#ifndef IMAGE_IMPORT_H
#define IMAGE_IMPORT_H

#include "bundle.h"
#include "record.h"

struct import_options {
	const char *fs;
	uint64_t size;			/* of a base layer's volume, bytes */
	char **tags;			/* normal names; with none, the image's own */
	size_t tag_count;
	bool quiet;
};

/* Makes import_image() give up at the next opportunity, as after a failure; may be called from a signal handler. */
void import_interrupt(void);

/*
 * The process must be in a mount namespace of its own (mounts_make_private()). *record is the image's, also when it was
 * there already; record_clear() it.
 */
int import_image(const struct pool *pool, struct source *source, const struct bundle_image *image,
		 const struct import_options *options, struct image_record *record, struct layerblk_error *err);

#endif
