/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A layer's tar made from its file tree and that of the layer below, for layers that did not come from a tar: what has changed,
 * whiteouts (".wh.NAME") for what is gone, and ".wh..wh..opq" in directories that took the place of others. The same trees
 * always come to the same bytes.
 */
#ifndef IMAGE_LAYER_TAR_H
#define IMAGE_LAYER_TAR_H

#include "sink.h"
#include "tree_changes.h"

/*
 * before: the root of the layer below, -1 for a base layer. Both open for reading. -EINVAL for what no layer can hold: a name that begins with ".wh.".
 */
int layer_tar_write(int before, int after, enum tree_relation relation, const struct sink *to, struct layerblk_error *err);

#endif
