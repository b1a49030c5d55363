/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file systems that layers and data volumes are made with, and how they are made and mounted for our purposes. */
#ifndef IMAGE_FILESYSTEM_H
#define IMAGE_FILESYSTEM_H

#include <stdbool.h>
#include <layerblk.h>

#define FILESYSTEM_DEFAULT	"ext4"
#define FILESYSTEM_WORDS	"ext4 xfs"	/* for help and completion */

/* -EINVAL unless it is one of FILESYSTEM_WORDS. */
int filesystem_check(const char *type, struct layerblk_error *err);

/*
 * Makes an empty one of `size` bytes at the beginning of a device that reads as zeros: nothing is zeroed or discarded first. What is
 * behind it is left alone.
 */
int filesystem_make(const char *type, const char *device, uint64_t size, struct layerblk_error *err);
/* The same for one that is mounted many times at once, on snapshots of the volume: it takes less memory then, and seeks more. */
int filesystem_make_frugal(const char *type, const char *device, uint64_t size, struct layerblk_error *err);

/* How many bytes of a base layer's volume are for its file system: the rest is for recipes, see layer_recipe.h. */
uint64_t filesystem_size(const char *type, uint64_t volume_size);

/* Where the file system on a device ends, by its superblock. */
int filesystem_end(const char *device, uint64_t *bytes, struct layerblk_error *err);

/*
 * Options (as in mount -o) for a tree that a layer is applied to, which is thrown away after a crash: no device nodes, set-id
 * programs or programs at all, and for ext4 no journal, so that a layer owns no journal blocks.
 */
const char *filesystem_import_options(const char *type);

/* Makes a new mount namespace for this process from which nothing spreads: whatever is mounted goes when it ends. */
int mounts_make_private(struct layerblk_error *err);

/* mkdir -p with mode 0700 for what is made. */
int directory_make(const char *path, struct layerblk_error *err);

#endif
