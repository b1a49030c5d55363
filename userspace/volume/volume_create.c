// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl volume create and clone. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "data_fs.h"
#include "data_volume.h"
#include "disk.h"
#include "labels.h"
#include "size.h"
#include "volume.h"
#include "volume_commands.h"
#include "working.h"

/* ------------------------------------------------------------------ create */

static int set_option(struct volume_request *request, const char *key, const char *value, struct layerblk_error *err)
{
	cleanup_free char *text = NULL;

	if (!value)
		return 0;
	if (asprintf(&text, "%s=%s", key, value) < 0) {
		text = NULL;
		return layerblk_error_set(err, ENOMEM, "make the volume", "", "no memory");
	}
	return volume_request_option(request, text, err);
}

static int take_request(struct command_call *call, struct volume_request *request)
{
	const char *driver = option_value(call, "driver"), *text;
	int rc = 0;

	if (driver && strcmp(driver, "local") != 0) {
		layerblk_error_set(&call->error, EINVAL, "use the volume driver", driver, "the only one is \"local\"");
		return layerblk_error_hint(&call->error, "It mounts whatever mount(8) can: --opt type=nfs --opt device=... --opt o=...");
	}
	for (size_t i = 0; !rc && (text = option_nth(call, "opt", i)) != NULL; i++)
		rc = volume_request_option(request, text, &call->error);
	if (!rc)
		rc = set_option(request, "size", option_value(call, "size"), &call->error);
	if (!rc)
		rc = set_option(request, "fs", option_value(call, "fs"), &call->error);
	if (!rc && option_value(call, "quota"))
		rc = volume_quota(option_value(call, "quota"), &request->quota_blocks, &call->error);
	return rc;
}

/* The pool and the name that are meant; without a name, one is made up. */
static int take_name(struct command_call *call, struct layerblk *lb, struct volume_request *request, uint8_t uuid[LB_UUID_LEN], char **name)
{
	struct lb_ioc_pool_status pool;
	char random[65];
	int rc;

	if (call->argc)
		return ref_new_volume(lb, call->argv[0], "create the volume", NULL, uuid, name, &call->error);
	rc = ref_find_pool(lb, NULL, &pool, &call->error);
	if (rc)
		return rc;
	memcpy(uuid, pool.uuid, LB_UUID_LEN);
	random_hex(random, 32);
	request->about.anonymous = true;
	*name = strdup(random);
	return *name ? 0 : layerblk_error_set(&call->error, ENOMEM, "create the volume", "", "no memory");
}

int volume_create_run(struct command_call *call)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct volume_request request = { 0 };
	struct layerblk *lb = command_control(call);
	cleanup_free char *name = NULL;
	uint8_t uuid[LB_UUID_LEN];
	struct pool pool = { .lb = lb, .uuid = uuid };
	uint64_t id;
	int rc;

	if (!lb || !attrs)
		return command_fail(call);
	rc = take_request(call, &request);
	if (!rc)
		rc = take_name(call, lb, &request, uuid, &name);
	if (!rc)
		rc = labels_add(call, attrs, LB_ATTR_NEW_VOLUME);
	if (!rc) {
		work_sweep(&pool, WORKING_KIND, working_clean);
		rc = data_volume_make(&pool, name, &request, attrs, &id, &call->error);
	}
	volume_request_clear(&request);
	if (rc)
		return command_fail(call);
	puts(call->argc ? call->argv[0] : name);
	return fflush(stdout) ? 1 : 0;
}

/* ------------------------------------------------------------------ clone */

struct clone {
	struct pool pool;
	const struct found_volume *source;
	const char *name;
	uint64_t quota_blocks;
	struct layerblk_attrs *attrs;	/* of the new volume */
	uint64_t id;
};

/* Of a volume in use: its frozen snapshot of this instant, which is there only until its child is. */
static int clone_writable(struct clone *clone, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new(), *gone = layerblk_attrs_new();
	const struct lb_vol_info *info = &clone->source->info;
	const struct pool *pool = &clone->pool;
	struct work work = { .lock = -1 };
	char random[13], working[64];
	uint64_t snapshot;
	int rc;

	random_hex(random, 6);
	snprintf(working, sizeof(working), "clone-%s", random);
	if (!attrs || !gone)
		return layerblk_error_set(err, ENOMEM, "clone the volume", info->name, "no memory");
	rc = work_begin(pool, working, &work, err);
	if (rc)
		return rc;
	work_enter(attrs, working, WORKING_KIND);
	layerblk_attrs_set_string(attrs, LB_ATTR_NEW_VOLUME, ATTR_IMPORT, clone->name, 0);
	if (info->flags & LB_VOL_OPEN)
		disk_sync_mounts(info->disk_major, info->disk_minor);
	rc = layerblk_vol_snapshot(pool->lb, pool->uuid, info->id, working, LB_SNAP_FROZEN, 0, attrs, &snapshot, err);
	if (!rc) {
		rc = layerblk_vol_snapshot(pool->lb, pool->uuid, snapshot, clone->name, 0, clone->quota_blocks, clone->attrs, &clone->id, err);
		work_leave(gone, working);
		layerblk_vol_rm(pool->lb, pool->uuid, snapshot, 0, gone, NULL);	/* else the next command removes it */
	}
	work_end(&work);
	return rc;
}

/* A btrfs cannot be mounted beside another one of the same id. What cannot be told is left as it is. */
static int separate(const struct clone *clone, struct layerblk_error *err)
{
	const struct pool *pool = &clone->pool;
	cleanup_free char *type = NULL;
	char device[DISK_PATH];
	int rc = disk_activate(pool->lb, pool->uuid, clone->id, 0, device, err), other;

	if (rc)
		return rc;
	if (disk_filesystem(device, &type, NULL) == 0)
		rc = data_fs_new_id(type, device, err);
	other = disk_deactivate(pool->lb, pool->uuid, clone->id, rc ? NULL : err);
	return rc ? rc : other;
}

static int clone_volume(struct clone *clone, struct layerblk_error *err)
{
	struct data_volume about;
	int rc = data_volume_load(&clone->pool, clone->source->info.id, &about, err);

	if (rc && rc != -ENODATA)
		return rc;
	if (about.device) {
		rc = layerblk_error_set(err, EOPNOTSUPP, "clone the volume", clone->source->info.name, "it stands for storage elsewhere, \"%s\"", about.device);
		data_volume_clear(&about);
		return rc;
	}
	about.anonymous = false;
	rc = data_volume_enter(clone->attrs, LB_ATTR_NEW_VOLUME, &about, err);
	data_volume_clear(&about);
	if (rc)
		return rc;
	if (clone->source->info.flags & LB_VOL_FROZEN)
		rc = layerblk_vol_snapshot(clone->pool.lb, clone->pool.uuid, clone->source->info.id, clone->name, 0, clone->quota_blocks, clone->attrs,
					   &clone->id, err);
	else
		rc = clone_writable(clone, err);
	if (rc)
		return rc;
	rc = separate(clone, err);
	if (rc)
		layerblk_vol_rm(clone->pool.lb, clone->pool.uuid, clone->id, 0, NULL, NULL);
	return rc;
}

int volume_clone_run(struct command_call *call)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct layerblk *lb = command_control(call);
	struct found_volume source;
	cleanup_free char *name = NULL;
	uint8_t uuid[LB_UUID_LEN];
	struct clone clone = { .pool = { .lb = lb, .uuid = uuid }, .source = &source, .attrs = attrs };
	int rc;

	if (!lb || !attrs)
		return command_fail(call);
	rc = ref_find_volume(lb, call->argv[0], "clone the volume", &source, &call->error);
	if (!rc)
		rc = ref_new_volume(lb, call->argv[1], "clone the volume", source.uuid, uuid, &name, &call->error);
	if (!rc)
		rc = volume_quota(option_value(call, "quota"), &clone.quota_blocks, &call->error);
	if (!rc)
		rc = labels_add(call, attrs, LB_ATTR_NEW_VOLUME);
	if (!rc) {
		clone.name = name;
		work_sweep(&clone.pool, WORKING_KIND, working_clean);
		rc = clone_volume(&clone, &call->error);
	}
	if (rc)
		return command_fail(call);
	puts(call->argv[1]);
	return fflush(stdout) ? 1 : 0;
}
