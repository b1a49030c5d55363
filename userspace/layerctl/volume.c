// SPDX-License-Identifier: GPL-2.0-or-later
/* The rows of the volume commands; ls and inspect. */
#include <errno.h>
#include <string.h>
#include "cleanup.h"
#include "command.h"
#include "confirm.h"
#include "data_volume.h"
#include "disk.h"
#include "fields.h"
#include "image_commands.h"
#include "labels.h"
#include "output.h"
#include "ref.h"
#include "show.h"
#include "volume.h"
#include "volume_commands.h"
#include "volume_users.h"

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

struct listing {
	struct command_call *call;
	struct pool pool;
	struct volume_uses uses;
};

bool volume_has_label(const struct pool *pool, uint64_t id, const char *text)
{
	cleanup_free char *value = NULL;
	const char *equals = strchr(text, '=');
	char key[LB_KEY_MAX + sizeof(USER_LABEL)];

	snprintf(key, sizeof(key), USER_LABEL "%.*s", equals ? (int)(equals - text) : LB_KEY_MAX, text);
	if (layerblk_attr_get(pool->lb, pool->uuid, id, key, &value, NULL, NULL))
		return false;
	return !equals || !strcmp(value, equals + 1);
}

bool volume_matches(const struct pool *pool, const struct lb_vol_info *info, const char *filter)
{
	const char *value = strchr(filter, '=') + 1;

	return !strncmp(filter, "name=", 5) ? strstr(info->name, value) != NULL : volume_has_label(pool, info->id, value);
}

/* The names are checked before. */
static bool passes(const struct listing *listing, const struct lb_vol_info *info, enum volume_kind kind, const char *filter)
{
	const char *value = strchr(filter, '=') + 1;
	size_t first;

	if (!strncmp(filter, "frozen=", 7))
		return !strcmp(value, info->flags & LB_VOL_FROZEN ? "true" : "false");
	if (!strncmp(filter, "kind=", 5))
		return !strcmp(value, volume_kind_name(kind));
	if (!strncmp(filter, "dangling=", 9))
		return kind == VOLUME_DATA && !strcmp(value, volume_uses_of(&listing->uses, info->id, &first) ? "false" : "true");
	return volume_matches(&listing->pool, info, filter);
}

static bool passes_all(const struct listing *listing, const struct lb_vol_info *info, enum volume_kind kind)
{
	const char *filter;
	size_t i;

	for (i = 0; (filter = option_nth(listing->call, "filter", i)); i++) {
		if (!passes(listing, info, kind, filter))
			return false;
	}
	return true;
}

static bool is_filter(const char *filter)
{
	static const char *const whole[] = {
		"frozen=true", "frozen=false", "dangling=true", "dangling=false", "kind=data", "kind=snapshot", "kind=layer",
		"kind=template", "kind=container", "kind=working", NULL
	};

	for (const char *const *one = whole; *one; one++) {
		if (!strcmp(filter, *one))
			return true;
	}
	return !strncmp(filter, "name=", 5) || !strncmp(filter, "label=", 6);
}

static const char *wrong_filter(const struct command_call *call)
{
	const char *filter;
	size_t i;

	for (i = 0; (filter = option_nth(call, "filter", i)); i++) {
		if (!is_filter(filter))
			return filter;
	}
	return NULL;
}

static int ls(struct command_call *call)
{
	cleanup_free struct lb_vol_info *volumes = NULL;
	cleanup_json json_object *rows = json_object_new_array();
	struct listing listing = { .call = call };
	struct lb_ioc_pool_status pool;
	size_t i, n;

	if (wrong_filter(call))
		return command_usage_error(call, "the filter \"%s\" is none of name=TEXT, label=KEY, label=KEY=VALUE, frozen=true|false, "
					   "dangling=true|false and kind=data|snapshot|layer|template|container|working", wrong_filter(call));
	listing.pool = (struct pool){ .lb = command_control(call), .uuid = pool.uuid };
	if (!listing.pool.lb || ref_find_pool(listing.pool.lb, call->argv[0], &pool, &call->error) ||
	    layerblk_vol_list(listing.pool.lb, pool.uuid, option_is_set(call, "all") ? LB_STAT_HIDDEN : 0, &volumes, &n, &call->error) ||
	    volume_uses_load(&listing.pool, &listing.uses, &call->error))
		return command_fail(call);
	for (i = 0; i < n; i++) {
		enum volume_kind kind = volume_kind(&listing.pool, &volumes[i]);
		json_object *row;

		if (!passes_all(&listing, &volumes[i], kind))
			continue;
		row = show_volume(&volumes[i], name_of(volumes, n, volumes[i].parent));
		json_object_object_add(row, "kind", json_object_new_string(volume_kind_name(kind)));
		json_object_array_add(rows, row);
	}
	volume_uses_clear(&listing.uses);
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

static json_object *used_by_json(const struct pool *pool, uint64_t id)
{
	json_object *list = json_object_new_array();
	struct volume_uses uses;
	size_t first, count;

	if (volume_uses_load(pool, &uses, NULL))
		return list;
	count = volume_uses_of(&uses, id, &first);
	for (size_t i = first; i < first + count; i++)
		json_object_array_add(list, output_string(uses.list[i].container));
	volume_uses_clear(&uses);
	return list;
}

/* What makes it a data volume. */
static void add_data(json_object *object, const struct pool *pool, const struct lb_vol_info *info)
{
	struct data_volume about;
	json_object *options;

	json_object_object_add(object, "kind", json_object_new_string(volume_kind_name(volume_kind(pool, info))));
	json_object_object_add(object, "used_by", used_by_json(pool, info->id));
	if (data_volume_load(pool, info->id, &about, NULL))
		return;
	json_object_object_add(object, "driver", json_object_new_string(about.device ? "local" : "layerblk"));
	json_object_object_add(object, "filesystem", about.fs ? output_string(about.fs) : NULL);
	json_object_object_add(object, "anonymous", json_object_new_boolean(about.anonymous));
	if (about.device) {
		options = json_object_new_object();
		json_object_object_add(options, "type", about.type ? output_string(about.type) : NULL);
		json_object_object_add(options, "device", output_string(about.device));
		json_object_object_add(options, "o", about.options ? output_string(about.options) : NULL);
		json_object_object_add(object, "options", options);
	}
	data_volume_clear(&about);
}

int volume_describe(struct layerblk *lb, const char *text, json_object **out, struct layerblk_error *err)
{
	struct found_volume volume;
	struct lb_vol_info parent;
	json_object *object;
	char uuid[UUID_TEXT];
	bool named;
	int rc;

	rc = ref_find_volume(lb, text, "inspect the volume", &volume, err);
	if (!rc)
		rc = layerblk_vol_stat(lb, volume.uuid, volume.info.id, LB_STAT_MAPPED, &volume.info, err);
	if (rc)
		return rc;
	named = volume.info.parent &&
		!layerblk_vol_stat(lb, volume.uuid, volume.info.parent, 0, &parent, NULL) && parent.name[0];
	object = show_volume(&volume.info, named ? parent.name : NULL);
	json_object_object_add(object, "pool", json_object_new_string(uuid_text(volume.uuid, uuid)));
	json_object_object_add(object, "total", output_uint(volume.info.mapped_blocks * LB_BLOCK_SIZE));
	json_object_object_add(object, "ancestors", chain_json(lb, &volume));
	json_object_object_add(object, "mounts", mounts_json(&volume.info));
	add_data(object, &(struct pool){ .lb = lb, .uuid = volume.uuid }, &volume.info);
	rc = show_attributes(lb, volume.uuid, volume.info.id, object, err);
	if (rc)
		json_object_put(object);
	else
		*out = object;
	return rc;
}

/* As with Docker, those that are found are printed although another is not. */
static int inspect(struct command_call *call)
{
	cleanup_json json_object *rows = json_object_new_array();
	struct layerblk *lb = command_control(call);
	int status = 0, printed;

	if (!fields_option_is_right(call))
		return 1;
	if (!lb)
		return command_fail(call);
	for (int i = 0; i < call->argc; i++) {
		json_object *volume;

		if (volume_describe(lb, call->argv[i], &volume, &call->error))
			status = command_fail(call);
		else
			json_object_array_add(rows, volume);
	}
	printed = fields_output(call, rows);
	return status ? status : printed;
}

/* ------------------------------------------------------------------ rows */

static const struct command_option create_options[] = {
	{ .name = "size", .letter = 's', .value = "SIZE", .help = "The volume's size (default: 10G); its space is taken as it is written" },
	{ .name = "quota", .value = "SIZE", .help = "The most space that its own data may take" },
	{ .name = "fs", .value = "TYPE", .help = "Make this file system on it: ext4, xfs, btrfs, or what mkfs is installed for",
	  .complete = COMPLETE_WORDS, .words = "ext4 xfs btrfs f2fs vfat ntfs3" },
	{ .name = "driver", .letter = 'd', .value = "DRIVER", .help = "\"local\", with what --opt says to mount",
	  .complete = COMPLETE_WORDS, .words = "local" },
	{ .name = "opt", .letter = 'o', .value = "KEY=VALUE", .help = "Storage elsewhere by type, device and o; or size, quota, fs (may be repeated)" },
	OPTION_LABEL,
	{ 0 },
};

static const struct command_option ls_options[] = {
	{ .name = "all", .letter = 'a', .help = "Show deleted volumes that are still there, too" },
	{ .name = "filter", .value = "FILTER", .help = "Only those with name=TEXT, label=KEY[=VALUE], kind=KIND, dangling=true|false, frozen=true|false" },
	{ .name = "quiet", .letter = 'q', .help = "Print only names" },
	OPTION_FORMAT,
	{ 0 },
};

static const struct command_option inspect_options[] = {
	OPTION_FIELDS,
	{ 0 },
};

static const struct command_option rm_options[] = {
	{ .name = "force", .letter = 'f', .help = "No error for a volume that is not there" },
	{ .name = "no-children", .help = "Refuse when other volumes descend from it" },
	{ 0 },
};

static const struct command_option clone_options[] = {
	{ .name = "quota", .value = "SIZE", .help = "The most space that its own data may take" },
	OPTION_LABEL,
	{ 0 },
};

static const struct command_option prune_options[] = {
	{ .name = "all", .letter = 'a', .help = "Also those that have been given a name" },
	OPTION_FORCE_PRUNE,
	{ .name = "filter", .value = "FILTER", .help = "Only those with label=KEY[=VALUE] or label!=KEY[=VALUE]" },
	OPTION_POOL,
	{ 0 },
};

static const struct command_option resize_options[] = {
	{ .name = "resizefs", .letter = 'r', .help = "Grow its file system too (ext4, xfs, btrfs), mounted or not" },
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
	{ .path = "volume create", .args = "[NAME]", .max_args = 1, .summary = "Make a data volume",
	  .details = "The size is exact and a multiple of 4096 bytes. Prints the name; without one, one is made up, and \"volume prune\" takes the "
		     "volume when no container uses it. Without --fs, the volume is empty: make a file system on it with any tool, "
		     "or the first container that mounts it gets an ext4.\n\n"
		     "With --opt type=, device= and o=, the volume stands for storage elsewhere, which is mounted where a container has it:\n"
		     "  layerctl volume create --opt type=nfs --opt device=:/export --opt o=addr=192.0.2.1,rw shared",
	  .options = create_options, .run = volume_create_run },
	{ .path = "volume ls", .args = "[POOL]", .max_args = 1, .summary = "List volumes",
	  .details = "All volumes of the pool. KIND says what one is for: data volumes and their snapshots, layers of images, roots of containers, "
		     "and those that a command is working on. OWN is the space that would come back if the volume were removed and nothing "
		     "descended from it.",
	  .options = ls_options, .complete = COMPLETE_POOL, .run = ls },
	{ .path = "volume inspect", .args = "VOLUME...", .min_args = 1, .max_args = -1,
	  .summary = "Show everything about volumes, as JSON", .options = inspect_options, .complete = COMPLETE_VOLUME, .run = inspect },
	{ .path = "volume rm", .args = "VOLUME...", .min_args = 1, .max_args = -1, .summary = "Remove volumes",
	  .details = "The name is free at once and the space comes back in the background. What other volumes descend from "
		     "goes on serving them, without a name, until one of them alone is left and takes it over. Volumes that a "
		     "container has, running or not, are refused, and so are containers' roots and images' layers.",
	  .options = rm_options, .complete = COMPLETE_VOLUME, .run = volume_rm_run },
	{ .path = "volume prune", .args = "", .max_args = 0, .summary = "Remove data volumes that no container uses",
	  .details = "Only those whose names are made up, or with --all every data volume that layerctl has made. Never snapshots, and nothing that is "
		     "mounted or has a disk.", .options = prune_options, .run = volume_prune_run },
	{ .path = "volume clone", .args = "VOLUME NAME", .min_args = 2, .max_args = 2, .summary = "Make a writable copy of a volume",
	  .details = "At once, whatever the size, also while the volume is mounted and busy: the copy has its content of one instant and takes "
		     "only the space of what is changed in either of them.",
	  .options = clone_options, .complete = COMPLETE_VOLUME, .run = volume_clone_run },
	{ .path = "volume resize", .args = "VOLUME SIZE", .min_args = 2, .max_args = 2, .summary = "Change a volume's size",
	  .details = "SIZE is the new size, or with '+' what is added. Works while the volume is mounted; its file system "
		     "is grown with --resizefs, or with its own tool (resize2fs, xfs_growfs).",
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
