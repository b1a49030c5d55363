/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New volumes begin with what the image has at the path where they are mounted. */
#ifndef RUNTIME_FILL_H
#define RUNTIME_FILL_H

#include "container.h"
#include "share.h"

/*
 * Each volume that is new and empty gets, unless its share says no_copy, the content, owner and mode of the directory that it covers, and is new no
 * more.
 */
int volumes_fill(const struct pool *pool, const struct container *container, struct share_list *shares, struct layerblk_error *err);

#endif
