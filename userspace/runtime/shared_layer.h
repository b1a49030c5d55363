/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A layer from a container with a shared root, for commit. What the container has changed lies on a volume that is no child of its image's
 * layer, in a form that is overlayfs's. So it is copied onto a writable snapshot of that layer, which then is a layer like all others.
 *
 * The container goes on meanwhile: the copy is made of a snapshot of its volume, which is as of one instant. All three volumes are working
 * volumes (working.h): a killed command leaves nothing that the next one does not remove.
 */
#ifndef RUNTIME_SHARED_LAYER_H
#define RUNTIME_SHARED_LAYER_H

#include "container.h"
#include "working.h"

struct shared_layer {
	const struct pool *pool;
	const char *fs;			/* borrowed from the container, like what it is of */
	uint64_t base;			/* the layer under the container's overlay */
	uint64_t below;			/* the layer that the new one is a child of, with the same content */
	struct working cut;		/* the container's volume, frozen */
	struct working own;		/* a child of that, for the overlay wants to write */
	struct working target;		/* what becomes the layer */
};

/* Makes the volumes; takes no time. The pool is locked. After a failure there is nothing to end. */
int shared_layer_begin(const struct pool *pool, const struct container *container, uint64_t below, struct shared_layer *out,
		       struct layerblk_error *err);
/* Copies, and lets go of the target's disk. */
int shared_layer_fill(struct shared_layer *layer, struct layerblk_error *err);
/* Removes the volumes; made: the target has become a layer and stays. */
void shared_layer_end(struct shared_layer *layer, bool made);

#endif
