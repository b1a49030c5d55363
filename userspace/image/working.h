/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A volume that a layer is being made on, from its making until it is frozen or thrown away. Its entry under work/ (work.h) is there from the
 * first to the last, so that a killed command leaves nothing that the next one does not remove.
 */
#ifndef IMAGE_WORKING_H
#define IMAGE_WORKING_H

#include "disk.h"
#include "work.h"

#define WORKING_DIR	RUN_DIR "/import"
#define WORKING_KIND	"import"	/* of work.h */

struct working {			/* zero-filled but for work.lock = -1: none */
	const struct pool *pool;
	struct work work;
	uint64_t id;
	bool mounted;
	char directory[sizeof(WORKING_DIR) + 1 + WORK_NAME_MAX];
	char device[DISK_PATH];
};

/*
 * Makes the volume: a child of `below`, or with 0 an empty one of `size` bytes. name is its own until it is frozen, purpose what
 * ATTR_IMPORT says of it. -ESTALE when `below` is gone. The pool may be locked.
 */
int working_begin(const struct pool *pool, const char *name, uint64_t below, uint64_t size, const char *purpose, struct working *out,
		  struct layerblk_error *err);

/* The same for a frozen snapshot of a writable volume, which is in use perhaps: it is as of one instant. */
int working_cut(const struct pool *pool, const char *name, uint64_t volume, const char *purpose, struct working *out,
		struct layerblk_error *err);

/* Activates and mounts it. make: with a new file system first, in a volume of `size` bytes. options as in mount -o. */
int working_mount(struct working *working, const char *fs, bool make, uint64_t size, const char *options, struct layerblk_error *err);
/* Writes it back and unmounts it; it stays active. */
int working_unmount(struct working *working, struct layerblk_error *err);
/* Lets go of its disk. */
int working_deactivate(struct working *working, struct layerblk_error *err);

/* It has been frozen, in a transaction that had work_leave() and the removal of ATTR_IMPORT in it. */
void working_done(struct working *working);
/* After a failure: it goes. The error that is to be reported is another one, so that ours is only noted. */
void working_discard(struct working *working);

/* Clears away one that a killed command has left; for work_sweep(). */
int working_clean(const struct pool *pool, const char *name, struct layerblk_error *err);

#endif
