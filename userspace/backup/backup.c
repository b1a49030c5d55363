// SPDX-License-Identifier: GPL-2.0-or-later
/* See backup.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include "backup.h"
#include "cleanup.h"
#include "disk.h"
#include "report.h"
#include "volume_blocks.h"
#include "working.h"

#define NAME_PART	160		/* bytes of the volume's name in that of the snapshot */

/* ------------------------------------------------------------------ the snapshot */

/* "db@backup-20261121T204512Z", with "-2" and so on behind it when there is one of that second already. */
static void make_name(const struct backup *backup, int attempt, char *name, size_t size)
{
	time_t seconds = (time_t)backup->record.time_s;
	char date[32], number[16] = "";
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &tm);
	if (attempt)
		snprintf(number, sizeof(number), "-%d", attempt + 1);
	snprintf(name, size, "%.*s@backup-%s%s", NAME_PART, backup->source.name, date, number);
}

static int try_name(struct backup *backup, const char *name, struct layerblk_attrs *attrs, struct layerblk_error *err)
{
	const struct pool *pool = backup->pool;
	struct lb_vol_info taken;
	int rc = work_begin(pool, name, &backup->work, err);

	if (rc)
		return rc == -EBUSY ? -EEXIST : rc;
	/* Looked up under the lock of the name: the attributes are only touched once it is ours, for they may serve for another try. */
	rc = layerblk_vol_find(pool->lb, pool->uuid, name, 0, &taken, err);
	rc = rc == -ENOENT ? 0 : rc ? rc : -EEXIST;
	if (!rc) {
		work_enter(attrs, name, WORKING_KIND);
		rc = layerblk_vol_snapshot(pool->lb, pool->uuid, backup->source.id, name, LB_SNAP_FROZEN, 0, attrs,
					   &backup->record.id, err);
		rc = rc == -EEXIST ? -EAGAIN : rc;
	}
	if (rc) {
		work_end(&backup->work);
		return rc;
	}
	snprintf(backup->record.snapshot, sizeof(backup->record.snapshot), "%s", name);
	return 0;
}

int backup_begin(struct backup *backup, const struct pool *pool, const struct lb_vol_info *source, const struct backup_record *base,
		 struct layerblk_attrs *attrs, struct layerblk_error *err)
{
	char name[LB_NAME_MAX + 1];
	int rc = -EEXIST;

	*backup = (struct backup){ .pool = pool, .source = *source, .incremental = base != NULL, .work.lock = -1 };
	if (base) {
		backup->base = *base;
		memcpy(backup->record.base, base->backup, sizeof(base->backup));
	}
	backup->record.volume = source->id;
	backup->record.time_s = (uint64_t)time(NULL);
	snprintf(backup->record.name, sizeof(backup->record.name), "%s", source->name);
	if (getrandom(backup->record.backup, VOLSTREAM_ID, 0) != VOLSTREAM_ID)
		return layerblk_error_set(err, errno, "back up the volume", source->name, "%s", strerror(errno));
	if (source->flags & LB_VOL_OPEN)
		disk_sync_mounts(source->disk_major, source->disk_minor);
	layerblk_attrs_set_string(attrs, LB_ATTR_NEW_VOLUME, ATTR_IMPORT, "backup", 0);
	for (int attempt = 0; rc == -EEXIST && attempt < 100; attempt++) {
		make_name(backup, attempt, name, sizeof(name));
		rc = try_name(backup, name, attrs, err);
	}
	return rc;
}

int backup_complete(struct backup *backup, struct layerblk_error *err)
{
	const struct pool *pool = backup->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	int rc;

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "record the backup", backup->record.snapshot, "no memory");
	rc = backup_record_store(attrs, &backup->record, err);
	if (rc)
		return rc;
	layerblk_attrs_delete(attrs, backup->record.id, ATTR_IMPORT, 0);
	work_leave(attrs, backup->record.snapshot);
	rc = layerblk_attrs_commit(pool->lb, pool->uuid, attrs, err);
	if (!rc) {
		backup->record.id = 0;
		work_end(&backup->work);
	}
	return rc;
}

void backup_abandon(struct backup *backup)
{
	struct layerblk_error err = { 0 };
	char text[1600];

	if (!backup->pool || !backup->record.id)
		return;
	if (working_clean(backup->pool, backup->record.snapshot, &err) != 0)
		report_note("the snapshot of the failed backup stays until the next command: %s",
			    layerblk_error_format(&err, text, sizeof(text)));
	work_end(&backup->work);
	backup->record.id = 0;
}

/* ------------------------------------------------------------------ what the stream says of the volume */

static int describe(struct backup *backup, const char *device, const struct lb_vol_info *snapshot, struct volstream_volume *volume,
		    struct layerblk_error *err)
{
	cleanup_free char *fs = NULL;

	*volume = (struct volstream_volume){
		.id = backup->source.id, .time_s = backup->record.time_s, .size = snapshot->volume_size,
		.quota_blocks = backup->source.quota_blocks,
		.flags = backup->source.flags & LB_VOL_FROZEN ? VOLSTREAM_FROZEN : 0,
	};
	snprintf(volume->name, sizeof(volume->name), "%s", backup->source.name);
	memcpy(volume->pool, backup->pool->uuid, sizeof(volume->pool));
	memcpy(volume->backup, backup->record.backup, VOLSTREAM_ID);
	memcpy(volume->base, backup->record.base, VOLSTREAM_ID);
	if (disk_filesystem(device, &fs, NULL) == 0)
		snprintf(volume->fs, sizeof(volume->fs), "%s", fs);
	return backup_attrs_describe(backup->pool, backup->source.id, backup_attr_travels, volume, err);
}

/* ------------------------------------------------------------------ its part of the stream */

static int stream_from(struct backup *backup, const char *device, struct volstream_writer *writer, bool quiet, struct layerblk_error *err)
{
	struct volume_blocks blocks = { .pool = backup->pool, .base = backup->incremental ? backup->base.id : 0, .volume = backup->record.id,
					.device = device, .what = backup->source.name, .doing = "back up the volume", .quiet = quiet };
	struct volstream_volume volume = { 0 };
	struct volstream_totals totals;
	struct lb_vol_info snapshot;
	uint64_t before = volstream_written(writer);
	int rc;

	rc = layerblk_vol_stat(backup->pool->lb, backup->pool->uuid, backup->record.id, 0, &snapshot, err);
	if (!rc)
		rc = describe(backup, device, &snapshot, &volume, err);
	if (!rc)
		rc = volstream_volume_begin(writer, &volume, err);
	volstream_volume_clear(&volume);
	if (rc)
		return rc;
	blocks.size = snapshot.volume_size;
	snprintf(blocks.label, sizeof(blocks.label), "Backing up %.100s", backup->source.name);
	rc = volume_blocks_write(&blocks, writer, err);
	if (!rc)
		rc = volstream_volume_end(writer, &totals, err);
	if (rc)
		return rc;
	backup->record.data = totals.data_blocks * LB_BLOCK_SIZE;
	backup->record.sent = volstream_written(writer) - before;
	return 0;
}

int backup_stream(struct backup *backup, struct volstream_writer *writer, bool quiet, struct layerblk_error *err)
{
	const struct pool *pool = backup->pool;
	char device[DISK_PATH];
	int rc = disk_activate(pool->lb, pool->uuid, backup->record.id, 0, device, err);

	if (!rc)
		rc = stream_from(backup, device, writer, quiet, err);
	if (!rc)
		rc = disk_deactivate(pool->lb, pool->uuid, backup->record.id, err);
	return rc;
}
