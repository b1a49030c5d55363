// SPDX-License-Identifier: GPL-2.0-or-later
/* See restore.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backup_input.h"
#include "backup_record.h"
#include "cleanup.h"
#include "json.h"
#include "replaced.h"
#include "restore.h"
#include "restore_target.h"

struct restoring {			/* one volume */
	struct restore_target target;
	struct volstream_volume volume;	/* the state that it has, as it was described */
	char first_name[LB_NAME_MAX + 1];	/* in its full backup; it may have been renamed after that */
	bool whole;			/* its VOLUME_END has come */
};

struct restore {
	const struct pool *pool;
	const struct restore_options *options;
	struct restoring **volumes;
	size_t count;
	struct restoring *current;	/* NULL: the volume at hand is passed over */
};

int restore_new(const struct pool *pool, const struct restore_options *options, struct restore **out, struct layerblk_error *err)
{
	struct restore *restore = calloc(1, sizeof(*restore));

	if (!restore)
		return layerblk_error_set(err, ENOMEM, "restore the volume", "", "no memory");
	restore->pool = pool;
	restore->options = options;
	*out = restore;
	return 0;
}

void restore_free(struct restore *restore)
{
	if (!restore)
		return;
	for (size_t i = 0; i < restore->count; i++) {
		restore_target_discard(&restore->volumes[i]->target);
		volstream_volume_clear(&restore->volumes[i]->volume);
		free(restore->volumes[i]);
	}
	free(restore->volumes);
	free(restore);
}

/* ------------------------------------------------------------------ which volume */

static bool is_wanted(const struct restore *restore, const struct volstream_volume *volume)
{
	for (size_t i = 0; i < restore->options->only_count; i++)
		if (strcmp(restore->options->only[i], volume->name) == 0)
			return true;
	return restore->options->only_count == 0;
}

static const char *name_for(const struct restore *restore, const struct volstream_volume *volume)
{
	return restore->options->name ? restore->options->name : volume->name;
}

/* What is wrong is said before hours of data are read; the transaction at the end is what decides. */
static int check_name(const struct restore *restore, const struct restoring *self, const char *name, struct layerblk_error *err)
{
	struct lb_vol_info info;
	int rc;

	for (size_t i = 0; i < restore->count; i++) {
		const struct restoring *other = restore->volumes[i];

		if (other == self || strcmp(name_for(restore, &other->volume), name) != 0)
			continue;
		layerblk_error_set(err, EEXIST, "restore the volume", name, "two volumes in the backups would have this name");
		return layerblk_error_hint(err, "Name the one that is meant, or restore them one by one with --name");
	}
	if (!restore->pool)
		return 0;
	rc = layerblk_vol_find(restore->pool->lb, restore->pool->uuid, name, 0, &info, err);
	if (rc == -ENOENT)
		return 0;
	if (!rc && restore->options->replace)
		rc = replaced_check(restore->pool, name, err);
	if (rc || restore->options->replace)
		return rc;
	layerblk_error_set(err, EEXIST, "restore the volume", name, "a volume of this name exists");
	return layerblk_error_hint(err, "Choose another name with --name, or have it replaced with --replace");
}

static struct restoring *state_of(const struct restore *restore, const uint8_t backup[VOLSTREAM_ID])
{
	for (size_t i = 0; i < restore->count; i++)
		if (memcmp(restore->volumes[i]->volume.backup, backup, VOLSTREAM_ID) == 0)
			return restore->volumes[i];
	return NULL;
}

static struct restoring *add_volume(struct restore *restore)
{
	struct restoring **more = reallocarray(restore->volumes, restore->count + 1, sizeof(*more));

	if (!more)
		return NULL;
	restore->volumes = more;
	more[restore->count] = calloc(1, sizeof(**more));
	return more[restore->count] ? more[restore->count++] : NULL;
}

/* ATTR_VOLUME can name a device or server to be mounted instead of the volume's own disk. No stream may make a container mount one. */
static bool may_come(const struct volstream_attr *attr)
{
	cleanup_json json_object *json = NULL;

	if (!backup_attr_travels(attr->key))
		return false;
	return strcmp(attr->key, ATTR_VOLUME) != 0 ||
	       (json_parse(attr->value, attr->value_len, json_type_object, ATTR_VOLUME, &json, NULL) == 0 &&
		!json_object_object_get_ex(json, "options", NULL));
}

/* The description is the reader's: this is a copy for as long as the volume is being made. */
static int keep_description(struct restoring *restoring, const struct volstream_volume *volume, struct layerblk_error *err)
{
	int rc = 0;

	volstream_volume_clear(&restoring->volume);
	restoring->volume = *volume;
	restoring->volume.attrs = NULL;
	restoring->volume.attr_count = 0;
	for (size_t i = 0; !rc && i < volume->attr_count; i++) {
		const struct volstream_attr *attr = &volume->attrs[i];

		if (!may_come(attr))
			rc = layerblk_error_set(err, EPROTO, "restore the volume", volume->name,
						"its backup has an attribute that no backup brings along");
		else
			rc = volstream_attr_add(&restoring->volume, attr->key, attr->value, attr->value_len, err);
	}
	return rc;
}

static int begin_full(struct restore *restore, const struct volstream_volume *volume, struct layerblk_error *err)
{
	struct restoring *restoring;
	int rc;

	if (state_of(restore, volume->backup))
		return layerblk_error_set(err, EEXIST, "restore the volume", volume->name, "the same backup is given twice");
	rc = check_name(restore, NULL, name_for(restore, volume), err);
	if (rc)
		return rc;
	restoring = add_volume(restore);
	if (!restoring)
		return layerblk_error_set(err, ENOMEM, "restore the volume", volume->name, "no memory");
	restore->current = restoring;
	snprintf(restoring->first_name, sizeof(restoring->first_name), "%s", volume->name);
	rc = keep_description(restoring, volume, err);
	return rc ? rc : restore_target_make(&restoring->target, restore->pool, "restore", NULL, volume->size, err);
}

static int no_base(const struct volstream_volume *volume, struct layerblk_error *err)
{
	char base[VOLSTREAM_ID_TEXT];

	layerblk_error_set(err, ESTALE, "restore the volume", volume->name, "this incremental backup follows on the backup %.12s, which was "
			   "not restored before it", volstream_id_text(volume->base, base));
	return layerblk_error_hint(err, "Give the full backup first, then every incremental one in the order in which they were made");
}

static int begin_incremental(struct restore *restore, const struct volstream_volume *volume, struct layerblk_error *err)
{
	struct restoring *restoring = state_of(restore, volume->base);
	int rc;

	restore->current = restoring;
	if (!restoring)
		return is_wanted(restore, volume) ? no_base(volume, err) : 0;
	rc = check_name(restore, restoring, name_for(restore, volume), err);
	if (!rc)
		rc = keep_description(restoring, volume, err);
	restoring->whole = false;
	restoring->target.written = true;
	return rc ? rc : restore_target_resize(&restoring->target, volume->size, err);
}

static int begin_volume(struct restore *restore, const struct volstream_volume *volume, struct layerblk_error *err)
{
	restore->current = NULL;
	if (!volstream_is_full(volume))
		return begin_incremental(restore, volume, err);
	return is_wanted(restore, volume) ? begin_full(restore, volume, err) : 0;
}

/* ------------------------------------------------------------------ reading */

static int take(struct restore *restore, const struct volstream_item *item, struct layerblk_error *err)
{
	struct restoring *current = restore->current;

	switch (item->type) {
	case VOLSTREAM_VOLUME:
		return begin_volume(restore, item->volume, err);
	case VOLSTREAM_BLOCKS:
		return current ? restore_target_write(&current->target, item->ranges, item->range_count, item->data, err) : 0;
	default:
		if (current)
			current->whole = true;
		return 0;
	}
}

static int read_streams(struct restore *restore, struct backup_input *input, struct layerblk_error *err)
{
	struct volstream_reader *reader;
	struct volstream_item item;
	int rc = volstream_reader_new(backup_input_read, input, VOLSTREAM_OF_VOLUMES, input->name, &reader, err);

	if (rc)
		return rc;
	while ((rc = volstream_next(reader, &item, err)) == 1) {
		rc = take(restore, &item, err);
		if (rc)
			break;
	}
	volstream_reader_free(reader);
	return rc;
}

int restore_read(struct restore *restore, const char *name, struct layerblk_error *err)
{
	struct backup_input input;
	int rc = backup_input_open(&input, "restore from", name, restore->pool ? "Restoring" : "Checking", restore->options->quiet, err);

	if (rc)
		return rc;
	rc = read_streams(restore, &input, err);
	backup_input_close(&input);
	return rc;
}

/* ------------------------------------------------------------------ the end */

static int check_wanted(const struct restore *restore, struct layerblk_error *err)
{
	const struct restore_options *options = restore->options;

	for (size_t i = 0; i < options->only_count; i++) {
		bool found = false;

		for (size_t j = 0; j < restore->count; j++)
			found |= strcmp(options->only[i], restore->volumes[j]->first_name) == 0;
		if (!found)
			return layerblk_error_set(err, ENOENT, "restore the volume", options->only[i], "it is not in the backups");
	}
	if (options->name && restore->count != 1)
		return layerblk_error_set(err, EINVAL, "restore as", options->name, "there are %zu volumes in the backups", restore->count);
	return 0;
}

int restore_finish(struct restore *restore, restore_said_fn *said, void *arg, struct layerblk_error *err)
{
	int rc = check_wanted(restore, err);

	for (size_t i = 0; !rc && i < restore->count; i++)
		rc = restore_target_close(&restore->volumes[i]->target, err);
	for (size_t i = 0; !rc && i < restore->count; i++) {
		struct restoring *restoring = restore->volumes[i];
		const char *name = name_for(restore, &restoring->volume);

		if (!restoring->whole)		/* the reader does not let it come to this */
			return layerblk_error_set(err, EBADMSG, "restore the volume", name, "its backup is not whole");
		rc = restore_target_name(&restoring->target, &restoring->volume, name, restore->options->replace, err);
		if (!rc)
			said(arg, &restoring->volume, name);
	}
	return rc;
}
