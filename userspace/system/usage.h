/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What takes the space of a pool: images, containers, volumes, snapshots, and what can be made again (layers of no image, templates). */
#ifndef SYSTEM_USAGE_H
#define SYSTEM_USAGE_H

#include "record.h"
#include "volume_users.h"

struct usage_sum {
	size_t total;
	size_t active;			/* in use: an image with a container, a container that runs, a volume that a container has */
	uint64_t bytes;			/* owned, which is what would come back */
	uint64_t idle_bytes;		/* of them, of those that are not in use */
};

enum usage_row { USAGE_IMAGES, USAGE_CONTAINERS, USAGE_VOLUMES, USAGE_SNAPSHOTS, USAGE_CACHE, USAGE_ROWS };

struct usage_item {
	const struct lb_vol_info *info;
	enum volume_kind kind;
	size_t images;			/* how many have it as a layer */
	bool in_use;
};

struct usage {
	struct lb_vol_info *volumes;	/* in the order of ids */
	struct usage_item *items;	/* one for each volume */
	size_t count;
	struct catalogue images;
	struct volume_uses uses;
	struct usage_sum sums[USAGE_ROWS];
};

/* usage_clear() it, also after a failure. */
int usage_load(const struct pool *pool, struct usage *out, struct layerblk_error *err);
void usage_clear(struct usage *usage);

/* Whether a container was made from the image, as far as its layers tell. */
bool usage_image_active(const struct usage *usage, const struct image_record *image);
struct usage_item *usage_item(const struct usage *usage, uint64_t volume);	/* NULL: there is none */

#endif
