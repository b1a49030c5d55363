/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removes names, images and the layers that nothing else uses. */
#ifndef IMAGE_REMOVE_H
#define IMAGE_REMOVE_H

#include "record.h"

#define ATTR_CONTAINER	"layerblk.container"	/* of a volume: the JSON of the container whose root it is */

/* Told of everything that goes, in order: what is "Untagged" or "Deleted". */
typedef void remove_said_fn(void *arg, const char *what, const char *name);

/*
 * text names the image as record_find() takes it. One of several names: only that goes. The last name, or an id: the record,
 * then layers from the top down until one is used by another image or a container, or has a child. Without force, -EBUSY when the id of
 * an image with several names is given, or a container was made from it. The record, its names and the top layer go in
 * one transaction; a crash after that leaves layers, which the next import of the image takes up again.
 */
int image_remove(const struct pool *pool, const char *text, bool force, remove_said_fn *said, void *arg,
		 struct layerblk_error *err);

/*
 * Removes what nothing leads to: images without a name (with `all`, also those with one) of which there is no container, and layers that belong
 * to no image (what an interrupted import had finished), no container, and have no child. *bytes: what the layers owned.
 */
int image_prune(const struct pool *pool, bool all, uint64_t *bytes, remove_said_fn *said, void *arg, struct layerblk_error *err);

#endif
