/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A container's files, seen from outside. In a process with a mount namespace of its own (namespace_run()). */
#ifndef RUNTIME_VIEW_H
#define RUNTIME_VIEW_H

#include "container.h"
#include "root.h"
#include "share.h"

struct view {
	const struct pool *pool;
	struct root mounted;		/* by us; zero-filled: nothing */
	char path[64];			/* where it is mounted */
	int root;			/* its root directory; -1: none */
	struct share_list shares;
};

/*
 * The root, mounted where nobody else sees it, whether the container runs or not. with_mounts: with the data volumes where the container
 * has them; of one that runs, what it sees itself. Waits for another command that looks into a shared root; -EBUSY.
 */
int view_open(const struct pool *pool, const struct container *container, bool with_mounts, struct view *out,
	      struct layerblk_error *err);
/* A frozen volume, such as an image's layer. */
int view_open_layer(const struct pool *pool, uint64_t volume, struct view *out, struct layerblk_error *err);
/* A snapshot of a shared root's volume, writable and nobody else's, laid over the layer. */
int view_open_over(const struct pool *pool, uint64_t volume, uint64_t layer, const char *fs, struct view *out, struct layerblk_error *err);
void view_close(struct view *view);

#endif
