/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pools on this machine, open or not: by scanning block devices and by remembered places. */
#ifndef LAYERCTL_FIND_H
#define LAYERCTL_FIND_H

#include <layerblk.h>

struct found_pool {
	const char *path;		/* device or file */
	const char *label;		/* NULL: none, or it cannot be read */
	uint8_t uuid[LB_UUID_LEN];
	uint64_t total_blocks;
};

/*
 * Calls `each` once for every UUID that is found; ends at the first result that is not 0 and gives it. A remembered place
 * comes before a scanned one with the same UUID. Open pools are told as well.
 */
typedef int find_fn(void *arg, const struct found_pool *pool);
int find_pools(find_fn *each, void *arg);

/* The device or file of the one pool that has this label or beginning of a UUID: malloc()ed. -ENODEV, -ENOTUNIQ. */
int find_pool_path(const char *text, char **path, struct layerblk_error *err);

#endif
