// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl volume backup. All snapshots are taken first, so that several volumes are of nearly the same instant. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "backup.h"
#include "backup_commands.h"
#include "backup_output.h"
#include "cleanup.h"
#include "data_volume.h"
#include "image_commands.h"
#include "labels.h"
#include "ref.h"
#include "report.h"
#include "size.h"
#include "volume.h"
#include "volume_users.h"
#include "working.h"

struct job {
	struct command_call *call;
	struct image_pool at;
	const char *since;
	enum volstream_encoding encoding;
	bool quiet;
	struct backup *backups;
	size_t count;			/* whose snapshots are taken */
};

/* ------------------------------------------------------------------ which volumes */

static const char *wrong_filter(const struct command_call *call)
{
	const char *filter;

	for (size_t i = 0; (filter = option_nth(call, "filter", i)); i++)
		if (strncmp(filter, "name=", 5) != 0 && strncmp(filter, "label=", 6) != 0)
			return filter;
	return NULL;
}

/* One that stands for storage elsewhere has nothing that could be read here. */
static bool is_elsewhere(const struct pool *pool, uint64_t id)
{
	struct data_volume about;
	bool elsewhere = data_volume_load(pool, id, &about, NULL) == 0 && about.device;

	data_volume_clear(&about);
	return elsewhere;
}

static bool is_chosen(const struct command_call *call, const struct pool *pool, const struct lb_vol_info *info)
{
	const char *filter;

	if (volume_kind(pool, info) != VOLUME_DATA || is_elsewhere(pool, info->id))
		return false;
	for (size_t i = 0; (filter = option_nth(call, "filter", i)); i++)
		if (!volume_matches(pool, info, filter))
			return false;
	return true;
}

static int choose_all(struct job *job, struct lb_vol_info **out, size_t *count)
{
	struct command_call *call = job->call;
	const struct pool *pool = &job->at.pool;
	size_t n;
	int rc = image_pool_open(call, &job->at);

	if (!rc)
		rc = layerblk_vol_list(pool->lb, pool->uuid, 0, out, &n, &call->error);
	if (rc)
		return rc;
	*count = 0;
	for (size_t i = 0; i < n; i++) {
		if (is_chosen(call, pool, &(*out)[i]))
			(*out)[(*count)++] = (*out)[i];
	}
	return 0;
}

/* A volume that is named twice is one. */
static int add_named(struct job *job, const char *text, struct lb_vol_info *chosen, size_t *count)
{
	struct layerblk_error *err = &job->call->error;
	struct found_volume found;
	int rc = ref_find_volume(job->at.pool.lb, text, "back up the volume", &found, err);

	if (rc)
		return rc;
	if (!*count)
		memcpy(job->at.uuid, found.uuid, sizeof(job->at.uuid));
	else if (memcmp(job->at.uuid, found.uuid, LB_UUID_LEN) != 0)
		return layerblk_error_set(err, EXDEV, "back up the volume", text, "it is in another pool than the first one");
	for (size_t i = 0; i < *count; i++)
		if (chosen[i].id == found.info.id)
			return 0;
	chosen[(*count)++] = found.info;
	return 0;
}

static int choose_named(struct job *job, struct lb_vol_info **out, size_t *count)
{
	struct command_call *call = job->call;
	int rc = 0;

	job->at.pool.lb = command_control(call);
	job->at.pool.uuid = job->at.uuid;
	if (!job->at.pool.lb)
		return -call->error.code;
	*count = 0;
	*out = calloc((size_t)call->argc, sizeof(**out));
	if (!*out)
		return layerblk_error_set(&call->error, ENOMEM, "back up the volume", call->argv[0], "no memory");
	for (int i = 0; !rc && i < call->argc; i++) {
		rc = add_named(job, call->argv[i], *out, count);
		if (!rc && is_elsewhere(&job->at.pool, (*out)[*count - 1].id))
			rc = layerblk_error_set(&call->error, EOPNOTSUPP, "back up the volume", call->argv[i],
						"it stands for storage elsewhere, which is to be backed up there");
	}
	if (!rc)
		work_sweep(&job->at.pool, WORKING_KIND, working_clean);
	return rc;
}

/* ------------------------------------------------------------------ snapshots */

/* *base is NULL for a full backup. */
static int find_base(struct job *job, const struct lb_vol_info *source, struct backup_record *record, const struct backup_record **base)
{
	int rc;

	*base = NULL;
	if (!job->since)
		return 0;
	rc = backup_record_find(&job->at.pool, source->id, job->since, record, &job->call->error);
	if (!rc)
		*base = record;
	return rc == -ENOENT && strcmp(job->since, "last") == 0 ? 0 : rc;
}

static int take_snapshot(struct job *job, const struct lb_vol_info *source)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct layerblk_error *err = &job->call->error;
	const struct backup_record *base;
	struct backup_record record;
	int rc;

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "back up the volume", source->name, "no memory");
	rc = find_base(job, source, &record, &base);
	if (!rc)
		rc = labels_add(job->call, attrs, LB_ATTR_NEW_VOLUME);
	if (!rc)
		rc = backup_begin(&job->backups[job->count], &job->at.pool, source, base, attrs, err);
	if (!rc)
		job->count++;
	return rc;
}

static int take_snapshots(struct job *job, const struct lb_vol_info *chosen, size_t count)
{
	int rc = 0;

	job->backups = calloc(count ? count : 1, sizeof(*job->backups));
	if (!job->backups)
		return layerblk_error_set(&job->call->error, ENOMEM, "back up the volumes", "", "no memory");
	for (size_t i = 0; !rc && i < count; i++)
		rc = take_snapshot(job, &chosen[i]);
	return rc;
}

/* ------------------------------------------------------------------ streams */

static void say(const struct job *job, const struct backup *backup, bool standard_output)
{
	const struct backup_record *record = &backup->record;
	char sent[SIZE_TEXT];

	if (!standard_output)
		puts(record->snapshot);
	else if (!job->quiet)
		report_note("%s: %s, %s", record->snapshot, backup->incremental ? "incremental" : "full", size_format(record->sent, sent));
}

/* Some of the job's backups into one stream, which ends up at path (NULL: standard output). */
static int write_stream(struct job *job, struct backup *backups, size_t count, const char *path, struct layerblk_error *err)
{
	struct volstream_writer *writer = NULL;
	struct backup_output output;
	struct sink sink = { backup_output_write, &output };
	int rc = backup_output_open(&output, "the backup", path, err);

	if (!rc)
		rc = volstream_writer_new(&sink, VOLSTREAM_OF_VOLUMES, job->encoding, (uint64_t)time(NULL), &writer, err);
	for (size_t i = 0; !rc && i < count; i++)
		rc = backup_stream(&backups[i], writer, job->quiet, err);
	if (!rc)
		rc = volstream_finish(writer, err);
	volstream_writer_free(writer);
	rc = backup_output_close(&output, rc, err);
	for (size_t i = 0; !rc && i < count; i++) {
		rc = backup_complete(&backups[i], err);
		if (!rc)
			say(job, &backups[i], !path || strcmp(path, "-") == 0);
	}
	return rc;
}

/* Each volume by itself: one that fails does not keep the others from being backed up. */
static int write_files(struct job *job, const char *directory)
{
	struct command_call *call = job->call;
	int status = 0;

	for (size_t i = 0; i < job->count; i++) {
		struct backup *backup = &job->backups[i];
		cleanup_free char *path = NULL;

		if (asprintf(&path, "%s/%s" BACKUP_SUFFIX, directory, backup->record.snapshot) < 0) {
			path = NULL;
			layerblk_error_set(&call->error, ENOMEM, "write the backup", backup->record.snapshot, "no memory");
			status = command_fail(call);
		} else if (write_stream(job, backup, 1, path, &call->error)) {
			status = command_fail(call);
		}
	}
	return status;
}

static int write_all(struct job *job)
{
	const char *path = option_value(job->call, "output");
	struct stat st;

	if (path && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return write_files(job, path);
	if (job->count == 0)
		report_note("there is no volume to back up");
	return write_stream(job, job->backups, job->count, path, &job->call->error) ? command_fail(job->call) : 0;
}

static int run(struct job *job)
{
	cleanup_free struct lb_vol_info *chosen = NULL;
	struct command_call *call = job->call;
	size_t count = 0;
	int rc, status;

	rc = option_is_set(call, "all") ? choose_all(job, &chosen, &count) : choose_named(job, &chosen, &count);
	if (!rc && count > 1 && job->since && strcmp(job->since, "last") != 0)
		return command_usage_error(call, "several volumes have no backup in common: use --since last");
	signal(SIGPIPE, SIG_IGN);		/* a reader that goes away is a failure like others */
	image_catch_signals(backup_interrupt);
	if (!rc)
		rc = take_snapshots(job, chosen, count);
	status = rc ? command_fail(call) : write_all(job);
	for (size_t i = 0; i < job->count; i++)
		backup_abandon(&job->backups[i]);
	free(job->backups);
	return fflush(stdout) != 0 ? 1 : status;
}

int backup_run(struct command_call *call)
{
	struct job job = { .call = call, .since = option_value(call, "since"), .quiet = option_is_set(call, "quiet") };
	const char *compress = option_value(call, "compress");

	if (option_is_set(call, "all") ? call->argc != 0 : call->argc == 0)
		return command_usage_error(call, "needs volumes or --all");
	if (option_value(call, "filter") && !option_is_set(call, "all"))
		return command_usage_error(call, "--filter chooses from --all");
	if (wrong_filter(call))
		return command_usage_error(call, "the filter \"%s\" is none of name=TEXT, label=KEY and label=KEY=VALUE", wrong_filter(call));
	if (compress && strcmp(compress, "none") != 0 && strcmp(compress, "zstd") != 0)
		return command_usage_error(call, "--compress is one of: %s", COMPRESS_WORDS);
	job.encoding = compress && strcmp(compress, "zstd") == 0 ? VOLSTREAM_ZSTD : VOLSTREAM_RAW;
	return run(&job);
}
