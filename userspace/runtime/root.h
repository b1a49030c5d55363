/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container's root directory: from its volume to a file tree, in a process with a mount namespace of its own (namespace_run()).
 *
 * Plain: the volume is a snapshot of the image's top layer, and is mounted as it is. Each container has a page cache of its own.
 *
 * Shared ("root": "shared" in the record): the image's top layer ("base") is mounted read-only, one disk and one file system for all its
 * containers, and so one page cache. The volume is a snapshot of an empty one (root_template.h), and has only what the container has changed:
 * overlayfs lays its directory "root" over the layer. Everything else looks at the overlay, never beneath it.
 *
 * Two overlays over one volume at once are forbidden by overlayfs: hold_alone()'s lock is held as long as there is one. The disks are held
 * by hold.h. What is inherited by conmon are root_locks().
 */
#ifndef RUNTIME_ROOT_H
#define RUNTIME_ROOT_H

#include "container.h"

#define ROOT_LOCKS	3
#define ROOT_SHARED	"shared"	/* the value of "root" in the record */
#define ROOT_WAIT_MS	15000		/* how long callers of root_mount() try again while it is busy */

struct root {				/* zero-filled: nothing is mounted */
	const struct pool *pool;
	uint64_t volume;
	uint64_t layer;			/* below it; 0: plain */
	int hold, layer_hold, alone;	/* locks; -1: none */
	bool mounted;
	char path[PATH_MAX];
};

bool root_is_shared(const struct container *container);
/* The layer that a shared root is laid over; 0 for a plain one. */
uint64_t root_layer(const struct container *container);

/*
 * Mounts it at a directory. -EBUSY: another command has it mounted, or is just letting it go; try again. After a failure nothing is held.
 */
int root_mount(const struct pool *pool, const struct container *container, const char *directory, struct root *out,
	       struct layerblk_error *err);
/* A frozen volume as it is, read-only. */
int root_mount_frozen(const struct pool *pool, uint64_t volume, const char *directory, struct root *out, struct layerblk_error *err);
/* The volume of a shared root, or a snapshot of it, laid over the layer. fs is the file system of both. */
int root_mount_over(const struct pool *pool, uint64_t volume, uint64_t layer, const char *fs, const char *directory, struct root *out,
		    struct layerblk_error *err);
/* Detaches it, with what is mounted in it, and lets go of the disks. */
void root_unmount(struct root *root);

/* Its locks, -1 for those that it does not have. */
void root_locks(const struct root *root, int locks[ROOT_LOCKS]);
/* As root_unmount() of a container that ended without it. */
void root_let_go(const struct pool *pool, const struct container *container);

/* The root of a container that runs, without what is mounted in it: *fd. pid is a process of it. -ESRCH: it has ended, or has no root yet. */
int root_open_running(pid_t pid, int *fd, struct layerblk_error *err);

#endif
