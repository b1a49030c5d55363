/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New volumes begin with what the image has at the path where they are mounted. */
#ifndef RUNTIME_FILL_H
#define RUNTIME_FILL_H

#include "container.h"
#include "share.h"

/*
 * Each share that is `fresh` becomes an empty directory, and then, unless it says no_copy, gets the content, owner and mode of the directory that
 * it covers.
 */
int volumes_fill(const struct pool *pool, const struct container *container, struct share_list *shares, const bool *fresh,
		 struct layerblk_error *err);

#endif
