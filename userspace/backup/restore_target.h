/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The working volume that the blocks of a stream go into: made, written, resized, and in the end named or thrown away. */
#ifndef BACKUP_RESTORE_TARGET_H
#define BACKUP_RESTORE_TARGET_H

#include "volstream.h"
#include "working.h"

struct restore_target {
	const struct pool *pool;	/* NULL: nothing is kept, every call succeeds */
	struct working working;		/* id 0: none */
	uint64_t size;			/* bytes */
	bool written;			/* blocks may have been written before: cleared ranges count */
	int fd;				/* of its disk, -1 */
};

/*
 * An empty volume of `size` bytes, or with `below` a child of that frozen one, resized. purpose: "restore", what it is called on the way and
 * what ATTR_IMPORT says of it. -ESTALE when `below` is gone.
 */
int restore_target_make(struct restore_target *target, const struct pool *pool, const char *purpose, const struct lb_vol_info *below,
			uint64_t size, struct layerblk_error *err);
int restore_target_resize(struct restore_target *target, uint64_t size, struct layerblk_error *err);
/* The ranges of one record; data as in struct volstream_item. */
int restore_target_write(struct restore_target *target, const struct volstream_range *ranges, size_t count, const uint8_t *data,
			 struct layerblk_error *err);
/* Everything is on the disk, and the disk is let go of. */
int restore_target_close(struct restore_target *target, struct layerblk_error *err);
/* The transaction that makes it the volume `name` as described; with `replace`, instead of the one that has this name. */
int restore_target_name(struct restore_target *target, const struct volstream_volume *volume, const char *name, bool replace,
			struct layerblk_error *err);
/* The same in a transaction of the caller's: adds the volume's attributes, and that it is no working volume any more... */
void restore_target_attrs(const struct restore_target *target, const struct volstream_volume *volume, struct layerblk_attrs *attrs);
/* ...and this after it. */
void restore_target_done(struct restore_target *target);
/* Throws it away unless it has been named. */
void restore_target_discard(struct restore_target *target);

/* Ranges onto a file or disk of which `written` is as above: the part of restore_target_write() that needs no pool. */
int restore_ranges(int fd, bool written, const struct volstream_range *ranges, size_t count, const uint8_t *data,
		   struct layerblk_error *err);

#endif
