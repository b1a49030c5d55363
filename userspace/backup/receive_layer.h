/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One layer out of a stream. It is made on a working volume over the layer that it was told against, and becomes a layer with all its keys in
 * one transaction when all of it has been read. Until an image has it, it is one that image prune removes.
 */
#ifndef BACKUP_RECEIVE_LAYER_H
#define BACKUP_RECEIVE_LAYER_H

#include "identity.h"
#include "layer_description.h"
#include "restore_target.h"

struct receive_layer {
	const struct pool *pool;
	struct layer_description description;
	struct restore_target target;
	char identity[IDENTITY_TEXT];
	uint64_t below;			/* the volume, 0: it is a base */
	char below_chains[2][DIGEST_TEXT];	/* as it was made, final; "" */
};

/*
 * Takes the description over, and begins. 1: the pool has the layer; -ENOENT: it has not the one below. After any failure as well,
 * receive_layer_discard().
 */
int receive_layer_begin(struct receive_layer *layer, const struct pool *pool, struct layer_description *description,
			struct layerblk_error *err);
int receive_layer_write(struct receive_layer *layer, const struct volstream_range *ranges, size_t count, const uint8_t *data,
			struct layerblk_error *err);
/* All of it has been read, and was right. */
int receive_layer_end(struct receive_layer *layer, struct layerblk_error *err);
/* What is unfinished goes. Takes a zeroed one, and one that has ended. */
void receive_layer_discard(struct receive_layer *layer);

#endif
