/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An image out of a stream, all of whose layers have come: its record and its tags, in one transaction. */
#ifndef BACKUP_RECEIVE_IMAGE_H
#define BACKUP_RECEIVE_IMAGE_H

#include "incoming.h"

/* Whether the pool has the image, of whatever layers: 1 or 0. */
int receive_image_is_there(const struct pool *pool, const struct incoming *incoming, size_t at, struct layerblk_error *err);

/* 1: it is entered, or is there and has got the names as well. 0: a layer is missing. */
int receive_image_enter(const struct pool *pool, const struct incoming *incoming, size_t at, struct layerblk_error *err);

#endif
