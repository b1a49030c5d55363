// SPDX-License-Identifier: GPL-2.0-or-later
/* The rows of the volume commands; create, ls, inspect and rm. */
#include <errno.h>
#include <string.h>
#include "cleanup.h"
#include "command.h"
#include "disk.h"
#include "labels.h"
#include "output.h"
#include "ref.h"
#include "release.h"
#include "show.h"
#include "size.h"
#include "volume.h"

/* ------------------------------------------------------------------ create */

static int create_volume(struct command_call *call, struct layerblk *lb, const struct layerblk_attrs *attrs)
{
	const char *size_text = option_value(call, "size");
	cleanup_free char *name = NULL;
	uint8_t uuid[LB_UUID_LEN];
	uint64_t size, quota, id;
	int ret;

	ret = size_parse_volume(size_text, &size, "create a volume of size", &call->error);
	if (!ret)
		ret = volume_quota(option_value(call, "quota"), &quota, &call->error);
	if (!ret)
		ret = ref_new_volume(lb, call->argv[0], "create the volume", NULL, uuid, &name, &call->error);
	if (!ret)
		ret = layerblk_vol_create(lb, uuid, name, size, quota, attrs, &id, &call->error);
	if (!ret)
		puts(call->argv[0]);
	return ret;
}

static int create(struct command_call *call)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct layerblk *lb;

	if (!option_value(call, "size"))
		return command_usage_error(call, "needs --size");
	lb = command_control(call);
	if (!lb || !attrs || labels_add(call, attrs, LB_ATTR_NEW_VOLUME) || create_volume(call, lb, attrs))
		return command_fail(call);
	return fflush(stdout) ? 1 : 0;
}

/* ------------------------------------------------------------------ ls */

static const char *name_of(const struct lb_vol_info *volumes, size_t n, uint64_t id)
{
	size_t low = 0, high = n;	/* in the order of ids */

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (volumes[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && volumes[low].id == id && volumes[low].name[0] ? volumes[low].name : NULL;
}

/* "name=TEXT" (a part of the name), "label=KEY[=VALUE]", "frozen=true|false"; the names are checked before. */
static bool passes(struct layerblk *lb, const uint8_t *uuid, const struct lb_vol_info *info, const char *filter)
{
	cleanup_free char *value = NULL;
	const char *equals;
	char key[LB_KEY_MAX + sizeof(USER_LABEL)];

	if (!strncmp(filter, "name=", 5))
		return strstr(info->name, filter + 5) != NULL;
	if (!strncmp(filter, "frozen=", 7))
		return !strcmp(filter + 7, info->flags & LB_VOL_FROZEN ? "true" : "false");
	filter += strlen("label=");
	equals = strchr(filter, '=');
	snprintf(key, sizeof(key), USER_LABEL "%.*s", equals ? (int)(equals - filter) : LB_KEY_MAX, filter);
	if (layerblk_attr_get(lb, uuid, info->id, key, &value, NULL, NULL))
		return false;
	return !equals || !strcmp(value, equals + 1);
}

static bool passes_all(struct command_call *call, struct layerblk *lb, const uint8_t *uuid,
		       const struct lb_vol_info *info)
{
	const char *filter;
	size_t i;

	for (i = 0; (filter = option_nth(call, "filter", i)); i++) {
		if (!passes(lb, uuid, info, filter))
			return false;
	}
	return true;
}

static const char *wrong_filter(const struct command_call *call)
{
	const char *filter;
	size_t i;

	for (i = 0; (filter = option_nth(call, "filter", i)); i++) {
		if (strncmp(filter, "name=", 5) && strncmp(filter, "label=", 6) && strcmp(filter, "frozen=true") &&
		    strcmp(filter, "frozen=false"))
			return filter;
	}
	return NULL;
}

static int ls(struct command_call *call)
{
	cleanup_free struct lb_vol_info *volumes = NULL;
	cleanup_json json_object *rows = json_object_new_array();
	struct lb_ioc_pool_status pool;
	struct layerblk *lb;
	size_t i, n;

	if (wrong_filter(call))
		return command_usage_error(call, "the filter \"%s\" is none of name=TEXT, label=KEY, label=KEY=VALUE and "
					   "frozen=true|false", wrong_filter(call));
	lb = command_control(call);
	if (!lb || ref_find_pool(lb, call->argv[0], &pool, &call->error) ||
	    layerblk_vol_list(lb, pool.uuid, option_is_set(call, "all") ? LB_STAT_HIDDEN : 0, &volumes, &n, &call->error))
		return command_fail(call);
	for (i = 0; i < n; i++) {
		if (passes_all(call, lb, pool.uuid, &volumes[i]))
			json_object_array_add(rows, show_volume(&volumes[i], name_of(volumes, n, volumes[i].parent)));
	}
	return output_rows(call, show_volume_columns, rows);
}

/* ------------------------------------------------------------------ inspect */

static json_object *chain_json(struct layerblk *lb, const struct found_volume *volume)
{
	json_object *chain = json_object_new_array();
	struct lb_vol_info info = volume->info;

	while (info.parent && !layerblk_vol_stat(lb, volume->uuid, info.parent, 0, &info, NULL)) {
		json_object *link = json_object_new_object();

		json_object_object_add(link, "id", output_uint(info.id));
		json_object_object_add(link, "name", output_string(info.name));
		json_object_array_add(chain, link);
	}
	return chain;
}

static json_object *mounts_json(const struct lb_vol_info *info)
{
	json_object *list = json_object_new_array();
	char **paths;
	size_t i, n;

	if (!(info->flags & LB_VOL_ACTIVE) || disk_mounts(info->disk_major, info->disk_minor, &paths, &n, NULL))
		return list;
	for (i = 0; i < n; i++)
		json_object_array_add(list, output_string(paths[i]));
	disk_mounts_free(paths, n);
	return list;
}

static int inspect_one(struct command_call *call, struct layerblk *lb, const char *text, json_object *rows)
{
	struct found_volume volume;
	struct lb_vol_info parent;
	json_object *object;
	char uuid[UUID_TEXT];
	bool named;

	if (ref_find_volume(lb, text, "inspect the volume", &volume, &call->error) ||
	    layerblk_vol_stat(lb, volume.uuid, volume.info.id, LB_STAT_MAPPED, &volume.info, &call->error))
		return -1;
	named = volume.info.parent &&
		!layerblk_vol_stat(lb, volume.uuid, volume.info.parent, 0, &parent, NULL) && parent.name[0];
	object = show_volume(&volume.info, named ? parent.name : NULL);
	json_object_array_add(rows, object);
	json_object_object_add(object, "pool", json_object_new_string(uuid_text(volume.uuid, uuid)));
	json_object_object_add(object, "total", output_uint(volume.info.mapped_blocks * LB_BLOCK_SIZE));
	json_object_object_add(object, "ancestors", chain_json(lb, &volume));
	json_object_object_add(object, "mounts", mounts_json(&volume.info));
	return show_attributes(lb, volume.uuid, volume.info.id, object, &call->error);
}

/* As with Docker, those that are found are printed although another is not. */
static int inspect(struct command_call *call)
{
	cleanup_json json_object *rows = json_object_new_array();
	struct layerblk *lb = command_control(call);
	int i, status = 0, printed;

	if (!lb)
		return command_fail(call);
	for (i = 0; i < call->argc; i++) {
		if (inspect_one(call, lb, call->argv[i], rows))
			status = command_fail(call);
	}
	printed = output_json(rows);
	return status ? status : printed;
}

/* ------------------------------------------------------------------ rm */

static int rm_one(struct command_call *call, struct layerblk *lb, const char *text)
{
	struct found_volume volume;
	uint32_t flags = option_is_set(call, "no-children") ? LB_RM_IF_NO_CHILDREN : 0;
	int ret = ref_find_volume(lb, text, "remove the volume", &volume, &call->error);

	if (ret == -ENOENT && option_is_set(call, "force"))
		return 0;
	if (!ret)
		ret = release_disk(lb, &volume, &call->error);
	if (ret)
		return ret;
	ret = layerblk_vol_rm(lb, volume.uuid, volume.info.id, flags, NULL, &call->error);
	if (ret)
		restore_disk(lb, &volume, NULL);
	else
		puts(text);
	return ret;
}

static int rm(struct command_call *call)
{
	struct layerblk *lb = command_control(call);
	int i, status = 0;

	if (!lb)
		return command_fail(call);
	for (i = 0; i < call->argc; i++) {
		if (rm_one(call, lb, call->argv[i]))
			status = command_fail(call);
	}
	return fflush(stdout) ? 1 : status;
}

/* ------------------------------------------------------------------ rows */

static const struct command_option create_options[] = {
	{ .name = "size", .letter = 's', .value = "SIZE", .help = "The volume's size, as 10G; its space is taken as it is written" },
	{ .name = "quota", .value = "SIZE", .help = "The most space that its own data may take" },
	OPTION_LABEL,
	{ 0 },
};

static const struct command_option ls_options[] = {
	{ .name = "all", .letter = 'a', .help = "Show deleted volumes that are still there, too" },
	{ .name = "filter", .value = "FILTER", .help = "Only those with name=TEXT, label=KEY[=VALUE], frozen=true|false" },
	{ .name = "quiet", .letter = 'q', .help = "Print only names" },
	OPTION_FORMAT,
	{ 0 },
};

static const struct command_option rm_options[] = {
	{ .name = "force", .letter = 'f', .help = "No error for a volume that is not there" },
	{ .name = "no-children", .help = "Refuse when other volumes descend from it" },
	{ 0 },
};

static const struct command_option resize_options[] = {
	{ .name = "shrink", .help = "Allow a smaller size; what lies beyond is lost" },
	{ 0 },
};

static const struct command_option set_options[] = {
	{ .name = "name", .letter = 'n', .value = "NAME", .help = "Rename the volume" },
	{ .name = "quota", .value = "SIZE", .help = "The most space that its own data may take; \"none\" for no limit" },
	OPTION_LABEL,
	{ .name = "label-rm", .value = "KEY", .help = "Remove a label; may be repeated" },
	{ 0 },
};

const struct command volume_commands[] = {
	{ .path = "volume create", .args = "NAME", .min_args = 1, .max_args = 1, .summary = "Make an empty volume",
	  .details = "The size is exact and a multiple of 4096 bytes. Prints the name.",
	  .options = create_options, .run = create },
	{ .path = "volume ls", .args = "[POOL]", .max_args = 1, .summary = "List volumes",
	  .details = "OWN is the space that would come back if the volume were removed and nothing descended from it.",
	  .options = ls_options, .complete = COMPLETE_POOL, .run = ls },
	{ .path = "volume inspect", .args = "VOLUME...", .min_args = 1, .max_args = -1,
	  .summary = "Show everything about volumes, as JSON", .complete = COMPLETE_VOLUME, .run = inspect },
	{ .path = "volume rm", .args = "VOLUME...", .min_args = 1, .max_args = -1, .summary = "Remove volumes",
	  .details = "The name is free at once and the space comes back in the background. What other volumes descend from "
		     "goes on serving them, without a name, until one of them alone is left and takes it over.",
	  .options = rm_options, .complete = COMPLETE_VOLUME, .run = rm },
	{ .path = "volume resize", .args = "VOLUME SIZE", .min_args = 2, .max_args = 2, .summary = "Change a volume's size",
	  .details = "SIZE is the new size, or with '+' what is added. Works while the volume is mounted; its file system "
		     "is then grown with its own tool (resize2fs, xfs_growfs).",
	  .options = resize_options, .complete = COMPLETE_VOLUME, .run = volume_resize },
	{ .path = "volume set", .args = "VOLUME", .min_args = 1, .max_args = 1,
	  .summary = "Change a volume's name, quota or labels", .details = "All of it happens or nothing.",
	  .options = set_options, .complete = COMPLETE_VOLUME, .run = volume_set },
	{ .path = "volume rollback", .args = "VOLUME SNAPSHOT", .min_args = 2, .max_args = 2,
	  .summary = "Take a volume back to a snapshot that it descends from",
	  .details = "What was written since is lost. The volume must not be mounted.",
	  .complete = COMPLETE_VOLUME, .run = volume_rollback },
	{ 0 },
};
