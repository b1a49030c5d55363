/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applies a layer's tar to the tree of the layers below: files of every kind with ownership, modes, times, extended
 * attributes, holes; whiteouts and opaque directories take away.
 *
 * A layer that tries to get out of the tree is refused (-EBADMSG), see tree.h; the tree is then half done and to be thrown
 * away, as after every failure. Device nodes are made as they are: mount such a tree with nodev.
 */
#ifndef IMAGE_APPLY_H
#define IMAGE_APPLY_H

#include "stream.h"

struct apply_result {
	uint64_t entries;		/* in the tar */
	uint64_t whiteouts;
	bool lost;			/* a file of the layer was replaced by another of the same layer: a recipe is of no use */
};

/*
 * A recipe that the stream has is told which contents are in which file.
 *
 * root: the directory, open for reading. Does not call stream_finish(). result may be NULL. Needs root's rights; file names are
 * taken as bytes whatever the locale is.
 */
int apply_layer(int root, struct stream *stream, struct apply_result *result, struct layerblk_error *err);

/* The same for a tar that is no layer: ".wh." means nothing in it. */
int apply_tree(int root, struct stream *stream, struct layerblk_error *err);

#endif
