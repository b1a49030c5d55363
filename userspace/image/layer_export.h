/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A layer of an image as the tar that it is: rebuilt by its recipe when it came from a tar, else made from what it changes.
 *
 * A layer that came from no tar (commit and build freeze a volume, and never look into it) has a provisional diff_id until the first
 * export makes its tar: ATTR_LAYER then has "final" with the real one; see finalize.h.
 */
#ifndef IMAGE_LAYER_EXPORT_H
#define IMAGE_LAYER_EXPORT_H

#include "digest.h"
#include "layer_recipe.h"
#include "record.h"
#include "sink.h"

struct layer {				/* what ATTR_LAYER says */
	uint64_t volume;
	uint64_t below;			/* 0: it is a base */
	char fs[FS_TEXT];
	char diff_id[DIGEST_TEXT];	/* the final one if it is known, else "" */
	char chain[DIGEST_TEXT];	/* the final one if it is known, else "" */
	uint64_t tar_size;		/* known with diff_id */
	struct recipe_place recipe;
};

/* The layer at `at` in an image. -ENOENT when its volume is gone. */
int layer_load(const struct pool *pool, const struct image_record *record, size_t at, struct layer *out,
	       struct layerblk_error *err);

/*
 * Writes the layer's tar. With a diff_id: -EBADMSG at the end if that is not what came out. Otherwise diff_id and tar_size are filled in,
 * and the same comes out each time. Needs a private mount namespace.
 */
int layer_export(const struct pool *pool, struct layer *layer, const struct sink *to, struct layerblk_error *err);

#endif
