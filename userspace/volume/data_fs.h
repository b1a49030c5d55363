/* SPDX-License-Identifier: GPL-2.0-or-later */
/* File systems of data volumes: whatever mkfs is installed. Layers have fewer (filesystem.h). */
#ifndef VOLUME_DATA_FS_H
#define VOLUME_DATA_FS_H

#include <layerblk.h>

/* -EINVAL unless it can be a file system's name, -ENOENT (with what to install) when its mkfs is not there, -ENODEV when this kernel cannot mount it. */
int data_fs_check(const char *type, struct layerblk_error *err);
/* Makes an empty one on a disk of `size` bytes that reads as zeros. */
int data_fs_make(const char *type, const char *device, uint64_t size, struct layerblk_error *err);

/* A copy that is to be mounted beside its original gets an id of its own, where the kernel insists on that (btrfs). */
int data_fs_new_id(const char *type, const char *device, struct layerblk_error *err);

/* Makes the file system as large as its disk; it is mounted at `directory`. -EOPNOTSUPP: it cannot. */
int data_fs_grow(const char *type, const char *device, const char *directory, struct layerblk_error *err);

#endif
