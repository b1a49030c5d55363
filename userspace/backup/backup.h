/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One volume's part of a backup: a snapshot, and its blocks into the stream.
 *
 * The snapshot is made with an entry under work/ (work.h), so that one whose command was killed is removed by the next command. It is
 * kept, as the base of the next incremental, only by backup_complete(), when all of the stream has arrived.
 */
#ifndef BACKUP_BACKUP_H
#define BACKUP_BACKUP_H

#include "backup_record.h"
#include "volstream_write.h"
#include "work.h"

struct backup {
	const struct pool *pool;
	struct lb_vol_info source;
	bool incremental;
	struct backup_record base;	/* when it is */
	struct backup_record record;	/* of the new one */
	struct work work;
};

/* Takes the snapshot. base NULL: a full backup. attrs: changes that are to ride along, as labels of LB_ATTR_NEW_VOLUME. */
int backup_begin(struct backup *backup, const struct pool *pool, const struct lb_vol_info *source, const struct backup_record *base,
		 struct layerblk_attrs *attrs, struct layerblk_error *err);
/* Writes the volume's records. */
int backup_stream(struct backup *backup, struct volstream_writer *writer, bool quiet, struct layerblk_error *err);
/* The stream has arrived: the snapshot stays, in one transaction. After a failure, backup_abandon(). */
int backup_complete(struct backup *backup, struct layerblk_error *err);
/* It has not: the snapshot goes. Harmless after backup_complete(). */
void backup_abandon(struct backup *backup);

#endif
