/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The snapshots that a pool keeps for backups. Each is a frozen volume NAME@backup-TIME with the attribute ATTR_BACKUP, which it gets
 * in one transaction when its stream is complete: what has the attribute can be the base of an incremental backup.
 */
#ifndef BACKUP_RECORD_H
#define BACKUP_RECORD_H

#include "record.h"
#include "volstream.h"

#define ATTR_BACKUP	"layerblk.backup"	/* of a volume: JSON */

struct backup_record {
	uint64_t id;			/* the snapshot */
	char snapshot[LB_NAME_MAX + 1];
	uint64_t owned;			/* bytes that it alone answers for */
	uint64_t volume;		/* the one that was backed up */
	char name[LB_NAME_MAX + 1];	/* its name then */
	uint8_t backup[VOLSTREAM_ID];
	uint8_t base[VOLSTREAM_ID];	/* zeros: a full one */
	uint64_t time_s;
	uint64_t sent;			/* bytes of its stream */
	uint64_t data;			/* bytes of the volume's blocks in it */
};

/* Whether it is one of the labels that people give. */
bool is_label(const char *key);
/* Whether a volume takes this attribute along into its backups and back: its labels, and what `run -v` knows of it. */
bool backup_attr_travels(const char *key);
/* Adds those of a volume's attributes to its description. */
int backup_attrs_describe(const struct pool *pool, uint64_t volume, bool (*travels)(const char *key), struct volstream_volume *out,
			  struct layerblk_error *err);

bool backup_is_full(const struct backup_record *record);

/* Adds the attribute to the transaction that completes the backup. */
int backup_record_store(struct layerblk_attrs *attrs, const struct backup_record *record, struct layerblk_error *err);

/* Whether a volume is such a snapshot: 1 and what is known of it, 0, or a negative errno. */
int backup_record_load(const struct pool *pool, const struct lb_vol_info *info, struct backup_record *out, struct layerblk_error *err);

/* All backups of a volume (0: of all), by volume and the newest first. free(*out). */
int backup_record_list(const struct pool *pool, uint64_t volume, struct backup_record **out, size_t *count, struct layerblk_error *err);

/*
 * The backup of this volume that `text` means: the snapshot's name, its identity (8 or more hex digits), or "last". -ENOENT when there
 * is none.
 */
int backup_record_find(const struct pool *pool, uint64_t volume, const char *text, struct backup_record *out, struct layerblk_error *err);

#endif
