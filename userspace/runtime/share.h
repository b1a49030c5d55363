/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data volumes: volumes with a file system that containers mount at a path of theirs, and that outlive them.
 *
 * One volume may be in several containers at once. Each mounts it in its own mount namespace (the kernel gives all of them
 * the same file system) and holds a shared lock on it; who lets go last lets go of the disk as well.
 */
#ifndef RUNTIME_SHARE_H
#define RUNTIME_SHARE_H

#include <json-c/json.h>
#include "record.h"

#define ATTR_VOLUME	"layerblk.volume"	/* of a volume: JSON; a data volume made by us */
#define SHARE_SIZE	(10ULL << 30)		/* of a volume that is made because it is missing */
#define SHARE_DIR	"/run/layerblk/volumes"

struct share {				/* one -v */
	char *source;			/* the volume's name, or an absolute path of the host */
	char *target;			/* absolute, in the container */
	bool read_only;
	bool bound;			/* source is a path of the host */
	uint64_t volume;
	int lock;			/* -1: none */
	bool mounted;
	char path[64];			/* where the volume is mounted */
};

/* NAME:/path[:ro|rw] or /host:/path[:ro|rw]. -EINVAL. share_clear() it. */
int share_parse(const char *text, struct share *out, struct layerblk_error *err);
void share_clear(struct share *share);

/*
 * Finds the volume, or makes it with an ext4; one that nothing was ever written to gets an ext4 too. For a path of the host, makes a
 * missing directory, as Docker does.
 */
int share_prepare(const struct pool *pool, struct share *share, struct layerblk_error *err);
/* Activates and mounts it, in a private mount namespace. */
int share_mount(const struct pool *pool, struct share *share, struct layerblk_error *err);
/* Unmounts it and lets go of its disk if nobody else uses it. */
void share_release(const struct pool *pool, struct share *share);
/* Lets go of the disks of what a container's record lists, as far as nobody uses them. */
void share_release_all(const struct pool *pool, json_object *record);

/* As in a container's record. */
json_object *share_json(const struct share *share);

#endif
