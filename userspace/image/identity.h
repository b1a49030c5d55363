/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a layer's blocks are called, wherever they are: 16 random bytes, as 32 hex digits.
 *
 * A ChainID names files; the same one, imported twice, is two volumes with different blocks. Differences of blocks are told
 * against blocks, and so by identity. A layer gets one when it is first sent, keeps it for ever, and takes it along: a frozen volume never changes.
 *
 *	identity/HEX		of the pool: the id of the volume
 *	layerblk.identity	of the volume: HEX
 */
#ifndef IMAGE_IDENTITY_H
#define IMAGE_IDENTITY_H

#include "record.h"

#define ATTR_IDENTITY	"layerblk.identity"
#define KEY_IDENTITY	"identity/"
#define IDENTITY_BYTES	16
#define IDENTITY_TEXT	(2 * IDENTITY_BYTES + 1)

/* The layer's, "" when it has none. */
int identity_load(const struct pool *pool, uint64_t volume, char text[IDENTITY_TEXT], struct layerblk_error *err);
/* As identity_load(), after it has got one if it had none. */
int identity_give(const struct pool *pool, uint64_t volume, char text[IDENTITY_TEXT], struct layerblk_error *err);
/* The layer that has it: 1 and *volume, or 0. */
int identity_find(const struct pool *pool, const char *text, uint64_t *volume, struct layerblk_error *err);
/* Adds it to the transaction that makes the layer, or its removal to the one that removes it. */
void identity_enter(struct layerblk_attrs *attrs, uint64_t volume, const char *text);
void identity_drop(const struct pool *pool, struct layerblk_attrs *attrs, uint64_t volume);

/* Calls `each` for every one that a layer of the pool has; what it gives, if not 0, ends it. */
typedef int identity_fn(void *arg, const char *text);
int identity_each(const struct pool *pool, identity_fn *each, void *arg, struct layerblk_error *err);

#endif
