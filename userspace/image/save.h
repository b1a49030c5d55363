/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images of the pool, written into a layout (layout_write.h): each with its config as it is, so that its id stays what it is. */
#ifndef IMAGE_SAVE_H
#define IMAGE_SAVE_H

#include "layout_write.h"
#include "packer.h"
#include "record.h"

struct save {
	const struct pool *pool;
	struct layout_writer *layout;	/* borrowed */
	enum packing packing;
	bool quiet;			/* no progress */
	struct save_blob *blobs;	/* of layers that have been written */
	size_t blob_count;
};

/*
 * Adds an image under these names (normal references; there may be none). It is finalized first (finalize.h), and *record then is
 * that of the final image. Layers that the layout has already are not written again. Needs a private mount namespace.
 */
int save_image(struct save *save, struct image_record *record, char *const *names, size_t name_count, struct layerblk_error *err);
void save_clear(struct save *save);

/* Makes save_image() give up at the next opportunity; may be called from a signal handler. */
void save_interrupt(void);

#endif
