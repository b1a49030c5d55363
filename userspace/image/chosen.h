/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The images that a command line names: each once, with those of its names by which it was named. */
#ifndef IMAGE_CHOSEN_H
#define IMAGE_CHOSEN_H

#include "record.h"

#define CHOSEN_NAMES	64		/* of one image; more are left out */

struct chosen_image {
	struct image_record record;
	char *names[CHOSEN_NAMES];	/* normal ones; none when it was meant by its id */
	size_t name_count;
};

struct chosen {
	struct chosen_image *images;
	size_t count;
};

/* -ENOENT when one is not there. chosen_clear() it in any case. */
int chosen_load(const struct pool *pool, char *const *texts, size_t count, struct chosen *out, struct layerblk_error *err);
void chosen_clear(struct chosen *chosen);

#endif
