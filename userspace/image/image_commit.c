// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl image commit: an image from a volume. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include "bundle.h"
#include "cleanup.h"
#include "layer_commit.h"
#include "config_change.h"
#include "disk.h"
#include "image_commands.h"

/* The image whose top layer this is. 1 when there is one. */
static int find_image(const struct pool *pool, uint64_t top, struct image_record *out, struct layerblk_error *err)
{
	struct catalogue all;
	char target[KEY_TEXT] = "";
	int rc = catalogue_load(pool, &all, err);

	if (rc)
		return rc;
	for (size_t i = 0; top && i < all.record_count; i++)
		if (record_top(&all.records[i]) == top)
			record_target(&all.records[i], target);
	catalogue_clear(&all);
	if (!*target)
		return 0;
	rc = record_load(pool, target, out, err);
	return rc ? rc : 1;
}

static json_object *empty_config(void)
{
	json_object *config = json_object_new_object();
	struct platform platform;

	platform_host(&platform);
	json_object_object_add(config, "architecture", json_object_new_string(platform.architecture));
	json_object_object_add(config, "os", json_object_new_string(platform.os));
	json_object_object_add(config, "config", json_object_new_object());
	return config;
}

static int filesystem_of(const struct pool *pool, const struct lb_vol_info *info, char fs[FS_TEXT], struct layerblk_error *err)
{
	cleanup_free char *type = NULL;
	char device[DISK_PATH];
	int rc = disk_activate(pool->lb, pool->uuid, info->id, 0, device, err);

	if (!rc)
		rc = disk_filesystem(device, &type, err);
	if (!(info->flags & LB_VOL_ACTIVE))
		layerblk_vol_deactivate(pool->lb, pool->uuid, info->id, NULL);
	if (!rc)
		snprintf(fs, FS_TEXT, "%.15s", type);
	return rc;
}

static int commit_volume(struct command_call *call, const struct pool *pool, const struct lb_vol_info *info)
{
	struct image_record below = { 0 }, record = { 0 };
	struct image_commit commit = {
		.volume = info->id, .keep = true, .comment = option_value(call, "message"), .author = option_value(call, "author"),
	};
	cleanup_json json_object *config = NULL;
	char normal[REFERENCE_MAX], fs[FS_TEXT], *tags[1] = { normal };
	int rc = 0, found = find_image(pool, info->parent, &below, &call->error);

	if (found < 0)
		return found;
	if (found == 1) {
		commit.below = &below;
		commit.fs = below.fs;
		rc = record_config(pool, &below, &config, &call->error);
	} else if (info->parent) {
		rc = layerblk_error_set(&call->error, EINVAL, "commit the volume", info->name, "what it is a snapshot of is no image");
	} else {
		rc = filesystem_of(pool, info, fs, &call->error);
		commit.fs = fs;
		config = empty_config();
	}
	for (size_t i = 0; !rc && option_nth(call, "change", i); i++)
		rc = config_change_line(config, option_nth(call, "change", i), &call->error);
	if (!rc && call->argc > 1) {
		rc = reference_normalize(call->argv[1], normal, &call->error);
		commit.tags = tags;
		commit.tag_count = 1;
	}
	commit.config = config;
	if (!rc)
		rc = image_commit(pool, &commit, &record, &call->error);
	if (!rc)
		printf("%s\n", record.id);
	record_clear(&below);
	record_clear(&record);
	return rc;
}

int image_commit_run(struct command_call *call)
{
	struct lb_vol_info info;
	struct image_pool at;
	int rc = image_pool_open(call, &at);

	if (!rc)
		rc = layerblk_vol_find(at.pool.lb, at.uuid, call->argv[0], 0, &info, &call->error);
	if (!rc && (info.flags & LB_VOL_FROZEN))
		rc = layerblk_error_set(&call->error, EROFS, "commit the volume", call->argv[0], "it is frozen");
	if (!rc)
		rc = commit_volume(call, &at.pool, &info);
	if (rc)
		return command_fail(call);
	return fflush(stdout) == 0 ? 0 : 1;
}
