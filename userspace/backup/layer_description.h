/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stream says of a layer: its ATTR_LAYER and its labels. What comes out of a stream is taken member by member, and anything else is
 * left out.
 */
#ifndef BACKUP_LAYER_DESCRIPTION_H
#define BACKUP_LAYER_DESCRIPTION_H

#include "record.h"
#include "volstream.h"

struct layer_description {
	char fs[FS_TEXT];
	char chain[DIGEST_TEXT];	/* as it was made: with a provisional diff_id, these are no digests of anything */
	char diff_id[DIGEST_TEXT];
	char final_chain[DIGEST_TEXT];	/* "" unless those are provisional */
	char final_diff_id[DIGEST_TEXT];
	char build[DIGEST_TEXT];	/* the key of the build cache, "" */
	struct volstream_volume volume;	/* with the attributes that the volume is to have */
};

/* Whether a layer takes this attribute along. */
bool layer_attr_travels(const char *key);

/* -EPROTO with what is wrong. layer_description_clear() it after 0. */
int layer_description_take(const struct volstream_volume *volume, struct layer_description *out, struct layerblk_error *err);
void layer_description_clear(struct layer_description *layer);

/* The digest of the layer's tar, and its ChainID: the final ones. */
const char *layer_description_diff_id(const struct layer_description *layer);
const char *layer_description_chain(const struct layer_description *layer);

#endif
