/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a runtime mounts on must be there. Where a root has no such file or directory, an empty one is made before and taken away afterwards, and
 * the time of the directory that it was in put back: a layer that is made by running something in it has no trace of them.
 */
#ifndef RUNTIME_MOUNTPOINTS_H
#define RUNTIME_MOUNTPOINTS_H

#include <json-c/json.h>
#include <layerblk.h>

struct mountpoints {			/* zero-filled: none */
	struct mountpoint *items;	/* in the order in which they were made */
	size_t count;
};

/* mounts: as in the runtime's config. Symbolic links in the root lead nowhere out of it. On failure nothing is left of them. */
int mountpoints_make(int root, json_object *mounts, struct mountpoints *out, struct layerblk_error *err);
/* Takes away those that are still empty. Nothing is mounted on them any more. */
void mountpoints_remove(int root, struct mountpoints *points);

#endif
