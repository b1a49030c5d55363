/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory entries that one layer has made, as (inode of the directory, name): what a whiteout or an opaque directory of
 * the same layer must not remove, and which symbolic links the layer must not walk through.
 */
#ifndef IMAGE_ENTRYSET_H
#define IMAGE_ENTRYSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entryset {
	struct entryset_item **buckets;
	size_t bucket_count;
	size_t count;
};

/* A zeroed set is an empty one. -ENOMEM; adding what is there is no error. */
int entryset_add(struct entryset *set, uint64_t directory, const char *name);
bool entryset_has(const struct entryset *set, uint64_t directory, const char *name);
void entryset_remove(struct entryset *set, uint64_t directory, const char *name);
void entryset_clear(struct entryset *set);

#endif
