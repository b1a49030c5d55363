/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The block device under a pool: chosen by path, checked before it is overwritten, found by scanning. */
#ifndef LAYERCTL_DEVICE_H
#define LAYERCTL_DEVICE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include <layerblk.h>
#include "loop.h"

struct pool_device {
	char path[PATH_MAX];		/* of the block device */
	dev_t number;
	const char *file;		/* the file behind it, as given; NULL: none */
	bool made;			/* the file is ours: device_undo() removes it */
	struct loop loop;		/* fd -1: none of ours */
};

/*
 * A device or file that a pool may be made on. A file that does not exist is made, sparse, of `size` bytes; one that does is
 * enlarged to it. Refuses what is formatted, partitioned or holds a pool, unless `force`; and what is mounted or held by another,
 * always. size 0: as it is.
 */
int device_for_create(const char *path, uint64_t size, bool force, struct pool_device *out, struct layerblk_error *err);

/* A device or file that holds a pool, put behind a loop device when it is a file. */
int device_for_open(const char *path, bool read_only, struct pool_device *out, struct layerblk_error *err);

/* Takes away what libblkid finds, the backup at the end of the device too, so that nothing else claims the pool's device. */
int device_wipe_signatures(const char *path, struct layerblk_error *err);

/* Lets go of it; whoever opened it meanwhile keeps it. */
void device_release(struct pool_device *device);
/* The same after a failure: a file made here goes again, and a loop device is gone when it returns. */
void device_undo(struct pool_device *device);

/* Calls `each` for every block device that could hold a pool (not volumes of layerblk, empty drives, RAM disks). */
int device_scan(int (*each)(void *arg, const char *path, dev_t number), void *arg);

/* 0 when nobody holds the device exclusively; -EBUSY and who. */
int device_check_free(const char *path, struct layerblk_error *err);

#endif
