/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The blocks of a frozen volume into a stream: those in which it differs from another one, by the trees, or all that are in use. They are read
 * from the volume's own disk with O_DIRECT, so that the page cache is not filled with them.
 */
#ifndef BACKUP_VOLUME_BLOCKS_H
#define BACKUP_VOLUME_BLOCKS_H

#include "record.h"
#include "volstream_write.h"

struct volume_blocks {
	const struct pool *pool;
	uint64_t base;			/* a frozen volume, 0: an empty one */
	uint64_t volume;		/* a frozen one, active */
	uint64_t size;			/* its bytes */
	const char *device;
	const char *doing, *what;	/* in errors: "back up the volume" "db" */
	char label[128];		/* of the progress */
	bool quiet;
};

/* What stands between a VOLUME and its end. -EINTR when the command was interrupted (backup_interrupt()). */
int volume_blocks_write(const struct volume_blocks *blocks, struct volstream_writer *writer, struct layerblk_error *err);

#endif
