// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl volume backups and backup-prune. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backup_commands.h"
#include "backup_record.h"
#include "cleanup.h"
#include "image_commands.h"
#include "output.h"
#include "ref.h"
#include "release.h"
#include "retention.h"
#include "size.h"

struct backups {
	struct image_pool at;
	struct backup_record *all;	/* by volume, the newest first */
	size_t count;
};

/* A volume that is gone still has backups: then its name is looked for in them. */
static bool is_of(const struct backup_record *record, const char *text, const struct found_volume *volume)
{
	return volume ? record->volume == volume->info.id : strcmp(record->name, text) == 0;
}

/* Keeps only those of the volumes that are named. */
static int only_named(struct command_call *call, struct backups *backups)
{
	cleanup_free bool *meant = calloc(backups->count ? backups->count : 1, sizeof(*meant));
	size_t count = 0;

	if (!meant)
		return layerblk_error_set(&call->error, ENOMEM, "list the backups", "", "no memory");
	for (int i = 0; i < call->argc; i++) {
		struct found_volume volume;
		int rc = ref_find_volume(backups->at.pool.lb, call->argv[i], "list the backups of", &volume, &call->error);
		bool found = false;

		if (rc && rc != -ENOENT)
			return rc;
		for (size_t j = 0; j < backups->count; j++) {
			bool is = is_of(&backups->all[j], call->argv[i], rc ? NULL : &volume);

			meant[j] |= is;
			found |= is;
		}
		if (rc && !found)
			return rc;
	}
	for (size_t j = 0; j < backups->count; j++)
		if (meant[j])
			backups->all[count++] = backups->all[j];
	backups->count = count;
	return 0;
}

static int load(struct command_call *call, struct backups *backups)
{
	struct found_volume volume;
	int rc;

	memset(backups, 0, sizeof(*backups));
	rc = image_pool_open(call, &backups->at);
	/* "POOL/NAME" names the pool as well. */
	if (rc == -ENOTUNIQ && call->argc && !ref_find_volume(command_control(call), call->argv[0], "list the backups of", &volume, NULL)) {
		memcpy(backups->at.uuid, volume.uuid, sizeof(volume.uuid));
		backups->at.pool = (struct pool){ command_control(call), backups->at.uuid };
		rc = 0;
	}
	if (!rc)
		rc = backup_record_list(&backups->at.pool, 0, &backups->all, &backups->count, &call->error);
	if (!rc && call->argc)
		rc = only_named(call, backups);
	return rc;
}

/* ------------------------------------------------------------------ backups */

static const struct output_column columns[] = {
	{ "NAME", "name", OUTPUT_TEXT }, { "VOLUME", "volume", OUTPUT_TEXT }, { "CREATED", "created", OUTPUT_AGE },
	{ "KIND", "kind", OUTPUT_TEXT }, { "SENT", "sent", OUTPUT_SIZE }, { "OWN", "own", OUTPUT_SIZE },
	{ 0 },
};

static json_object *row_of(const struct backup_record *record)
{
	json_object *row = json_object_new_object();
	char text[VOLSTREAM_ID_TEXT];

	json_object_object_add(row, "name", output_string(record->snapshot));
	json_object_object_add(row, "id", output_uint(record->id));
	json_object_object_add(row, "volume", output_string(record->name));
	json_object_object_add(row, "volume_id", output_uint(record->volume));
	json_object_object_add(row, "created", output_time(record->time_s));
	json_object_object_add(row, "kind", json_object_new_string(backup_is_full(record) ? "full" : "incremental"));
	json_object_object_add(row, "backup", json_object_new_string(volstream_id_text(record->backup, text)));
	json_object_object_add(row, "base", backup_is_full(record) ? NULL : json_object_new_string(volstream_id_text(record->base, text)));
	json_object_object_add(row, "sent", output_uint(record->sent));
	json_object_object_add(row, "data", output_uint(record->data));
	json_object_object_add(row, "own", output_uint(record->owned));
	return row;
}

int backup_ls_run(struct command_call *call)
{
	cleanup_json json_object *rows = json_object_new_array();
	struct backups backups;
	int rc = load(call, &backups);

	for (size_t i = 0; !rc && i < backups.count; i++)
		json_object_array_add(rows, row_of(&backups.all[i]));
	free(backups.all);
	return rc ? command_fail(call) : output_rows(call, columns, rows);
}

/* ------------------------------------------------------------------ backup-prune */

static int take_number(struct command_call *call, const char *name, uint64_t *value)
{
	const char *text = option_value(call, name);

	*value = 0;
	return text ? number_parse(text, UINT32_MAX, value, "keep backups", &call->error) : 0;
}

static int remove_one(struct command_call *call, const struct backups *backups, const struct backup_record *record)
{
	const struct pool *pool = &backups->at.pool;
	struct found_volume snapshot = { 0 };
	int rc = layerblk_vol_stat(pool->lb, pool->uuid, record->id, 0, &snapshot.info, &call->error);

	memcpy(snapshot.uuid, pool->uuid, sizeof(snapshot.uuid));
	if (!rc)
		rc = release_disk(pool->lb, &snapshot, &call->error);
	if (!rc)
		rc = layerblk_vol_rm(pool->lb, pool->uuid, record->id, 0, NULL, &call->error);
	return rc == -ENOENT ? 0 : rc;
}

/* The backups of one volume. Gives the exit status. */
static int prune_volume(struct command_call *call, const struct backups *backups, size_t from, size_t count, const struct retention *retention)
{
	cleanup_free uint64_t *times = calloc(count, sizeof(*times));
	cleanup_free bool *keep = calloc(count, sizeof(*keep));
	int status = 0;

	if (!times || !keep) {
		layerblk_error_set(&call->error, ENOMEM, "remove backups", "", "no memory");
		return command_fail(call);
	}
	for (size_t i = 0; i < count; i++)
		times[i] = backups->all[from + i].time_s;
	retention_apply(retention, times, count, keep);
	for (size_t i = count; i-- > 0;) {
		const struct backup_record *record = &backups->all[from + i];

		if (keep[i])
			continue;
		if (!option_is_set(call, "dry-run") && remove_one(call, backups, record))
			status = command_fail(call);
		else
			puts(record->snapshot);
	}
	return status;
}

static int prune(struct command_call *call, const struct retention *retention)
{
	struct backups backups;
	int status = 0, rc = load(call, &backups);

	if (rc) {
		free(backups.all);
		return command_fail(call);
	}
	for (size_t from = 0, to; from < backups.count; from = to) {
		for (to = from + 1; to < backups.count && backups.all[to].volume == backups.all[from].volume; to++)
			;
		if (prune_volume(call, &backups, from, to - from, retention))
			status = 1;
	}
	free(backups.all);
	return fflush(stdout) ? 1 : status;
}

int backup_prune_run(struct command_call *call)
{
	struct retention retention;

	if (option_is_set(call, "all") ? call->argc != 0 : call->argc == 0)
		return command_usage_error(call, "needs volumes or --all");
	if (take_number(call, "keep-last", &retention.last) || take_number(call, "keep-daily", &retention.daily) ||
	    take_number(call, "keep-weekly", &retention.weekly))
		return command_fail(call);
	if (!retention.last && !retention.daily && !retention.weekly)
		return command_usage_error(call, "needs a rule: --keep-last, --keep-daily or --keep-weekly");
	return prune(call, &retention);
}
