/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images made here, by commit and build, and the ids they have.
 *
 * Freezing a volume as a layer is one transaction, whatever is in it; its diff_id would need all of it to be read. So such a layer gets a
 * provisional diff_id, a random number, and the image a config with that in it, whose digest is its id for the time being.
 * Everything else about the image is as usual. What leaves this machine must be right: the first save or push makes the tars, enters
 * the real diff_ids beside the provisional ones in ATTR_LAYER ("final"), and gives the image a config with them, and with it
 * its final id. The provisional id goes on to mean the image (KEY_ALIAS).
 */
#ifndef IMAGE_FINALIZE_H
#define IMAGE_FINALIZE_H

#include "layer_export.h"
#include "record.h"

/* Told of each layer whose digest is being found. May be NULL. */
typedef void finalize_said_fn(void *arg, size_t layer, size_t layers);

/*
 * *record is replaced by that of the final image, if it is not final yet. One transaction: a crash leaves the one or the
 * other. Layers that were imported before recipes were kept are treated so, too. Needs a private mount namespace.
 */
int image_finalize(const struct pool *pool, struct image_record *record, finalize_said_fn *said, void *arg,
		   struct layerblk_error *err);

/* The same with notes on standard error, unless quiet, of what takes its time and of the new id. */
int image_finalize_noted(const struct pool *pool, struct image_record *record, bool quiet, struct layerblk_error *err);

/* A provisional diff_id: a random digest. */
void digest_provisional(char diff_id[DIGEST_TEXT]);

#endif
