/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A layer's volume mounted read-only for the moment, in the private mount namespace of a command (mounts_make_private()). */
#ifndef IMAGE_VOLUME_MOUNT_H
#define IMAGE_VOLUME_MOUNT_H

#include "disk.h"
#include "record.h"

struct volume_mount {
	const struct pool *pool;
	uint64_t volume;
	int hold;
	bool mounted;
	int root;			/* its root directory, -1: none */
	char device[DISK_PATH];
	char directory[64];
};

/* -ENOENT when there is no such volume. After a failure there is nothing to release. */
int volume_mount(const struct pool *pool, uint64_t volume, const char *fs, struct volume_mount *out, struct layerblk_error *err);
/* Unmounts it and lets go of its disk if nobody else has it; takes a zeroed one that was never mounted, too. */
void volume_release(struct volume_mount *mount);

#endif
