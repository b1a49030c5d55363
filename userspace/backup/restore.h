/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Volumes out of backup streams.
 *
 * Each is rebuilt under a working name with an entry under work/ (work.h): the full backup first, then the incrementals, each of
 * which must be told against exactly the state that is there. Only when every stream has been read to its end and was right, each gets its
 * name, labels and quota in one transaction. Until then nothing of it is visible under its name; what a killed restore leaves, the
 * next command removes.
 */
#ifndef BACKUP_RESTORE_H
#define BACKUP_RESTORE_H

#include "record.h"
#include "volstream_read.h"

struct restore_options {
	const char *name;		/* NULL: the volume's own */
	char *const *only;		/* names in the streams; none: all */
	size_t only_count;
	bool replace;			/* what has the name now, goes */
	bool quiet;
};

struct restore;

/* pool NULL: the streams and their chain are only checked. The options must outlive it. */
int restore_new(const struct pool *pool, const struct restore_options *options, struct restore **out, struct layerblk_error *err);
/* Discards what is not finished. Takes NULL. */
void restore_free(struct restore *restore);

/* Reads all streams of one file; name is what it is called, "-" is standard input. */
int restore_read(struct restore *restore, const char *name, struct layerblk_error *err);

/* Gives the volumes their names; told of each. */
typedef void restore_said_fn(void *arg, const struct volstream_volume *volume, const char *name);
int restore_finish(struct restore *restore, restore_said_fn *said, void *arg, struct layerblk_error *err);

#endif
