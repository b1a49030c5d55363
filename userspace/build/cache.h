/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layers that were built before, by what they were built from: a key is a digest over the key of what lies below, the instruction
 * and the contents of the files that it takes. Kept in the pool as build/FS/HEX; a layer knows its key ("build" in ATTR_LAYER).
 */
#ifndef BUILD_CACHE_H
#define BUILD_CACHE_H

#include "record.h"

/* key becomes the digest over itself and the texts, up to a NULL. */
int cache_key_add(char key[DIGEST_TEXT], ...) __attribute__((sentinel));

struct built {				/* a layer */
	uint64_t volume;
	char diff_id[DIGEST_TEXT];
	char chain[DIGEST_TEXT];
};

/* 1 and *out when there is one that lies upon the layer `below` (NULL: nothing), else 0. */
int cache_find(const struct pool *pool, const char *fs, const char *key, const struct built *below, struct built *out,
	       struct layerblk_error *err);
/* Adds it to the transaction that makes the layer. */
void cache_enter(struct layerblk_attrs *attrs, const char *fs, const char *key, uint64_t volume);

#endif
