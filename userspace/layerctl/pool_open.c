// SPDX-License-Identifier: GPL-2.0-or-later
/* pool open and pool close. */
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "cleanup.h"
#include "device.h"
#include "disk.h"
#include "find.h"
#include "known.h"
#include "pool.h"
#include "ref.h"
#include "report.h"
#include "wait.h"

#define BUSY_WAIT_MS	10000

static uint32_t open_flags(const struct command_call *call)
{
	return (option_is_set(call, "read-only") ? LB_OPEN_READ_ONLY : 0) |
	       (option_is_set(call, "force-fallback") ? LB_OPEN_FORCE_FALLBACK : 0);
}

static int open_path(struct command_call *call, const char *path)
{
	struct layerblk *lb = command_control(call);
	struct pool_device device;
	uint8_t uuid[LB_UUID_LEN];
	char text[UUID_TEXT];
	int ret;

	if (!lb)
		return -ENODEV;
	ret = device_for_open(path, option_is_set(call, "read-only"), &device, &call->error);
	if (ret)
		return ret;
	ret = layerblk_pool_open(lb, device.number, open_flags(call), uuid, &call->error);
	if (ret) {
		device_undo(&device);
		snprintf(call->error.subject, sizeof(call->error.subject), "on %.300s", path);
		return ret;
	}
	device_release(&device);
	known_remember(uuid, path);
	puts(uuid_text(uuid, text));
	return 0;
}

static int open_one(struct command_call *call, const char *text)
{
	cleanup_free char *path = NULL;
	struct stat st;

	if (strchr(text, '/') || !stat(text, &st))
		return open_path(call, text);
	if (find_pool_path(text, &path, &call->error))
		return -ENODEV;
	return open_path(call, path);
}

struct opening {
	struct command_call *call;
	const struct lb_ioc_pool_status *open;
	size_t open_count;
	int failures;
};

static int open_found(void *arg, const struct found_pool *found)
{
	struct opening *opening = arg;
	size_t i;

	for (i = 0; i < opening->open_count; i++) {
		if (!memcmp(opening->open[i].uuid, found->uuid, LB_UUID_LEN))
			return 0;
	}
	if (open_path(opening->call, found->path)) {
		command_fail(opening->call);
		opening->failures++;
	}
	return 0;
}

static int open_all(struct command_call *call)
{
	cleanup_free struct lb_ioc_pool_status *open = NULL;
	struct layerblk *lb = command_control(call);
	struct opening opening = { .call = call };

	if (!lb || layerblk_pool_list(lb, &open, &opening.open_count, &call->error))
		return command_fail(call);
	opening.open = open;
	find_pools(open_found, &opening);
	return opening.failures ? 1 : 0;
}

int pool_open(struct command_call *call)
{
	bool all = option_is_set(call, "all");
	int i, status = 0;

	if (all == (call->argc > 0))
		return command_usage_error(call, all ? "--all takes no names" : "needs a device, file, UUID or label, or --all");
	if (all)
		return open_all(call);
	for (i = 0; i < call->argc; i++) {
		if (open_one(call, call->argv[i]))
			status = command_fail(call);
	}
	return status;
}

/* ------------------------------------------------------------------ close */

/* The first volume whose disk is open, and where it is mounted: what keeps a pool open. True when that is a mount. */
static bool explain_busy(struct layerblk *lb, const uint8_t *uuid, struct layerblk_error *err)
{
	cleanup_free struct lb_vol_info *volumes = NULL;
	size_t i, n, mounts_count;
	bool mounted = false;
	char **mounts;

	if (layerblk_vol_list(lb, uuid, 0, &volumes, &n, NULL))
		return false;
	for (i = 0; i < n && !mounted; i++) {
		if (!(volumes[i].flags & LB_VOL_OPEN))
			continue;
		layerblk_error_set(err, EBUSY, "close the pool", NULL, "its volume \"%s\" is in use", volumes[i].name);
		layerblk_error_hint(err, "`lsof /dev/layerblk%u` shows by whom", volumes[i].disk_index);
		if (disk_mounts(volumes[i].disk_major, volumes[i].disk_minor, &mounts, &mounts_count, NULL))
			continue;
		mounted = mounts_count > 0;
		if (mounted)
			layerblk_error_hint(err, "It is mounted on %s; `layerctl umount` it first", mounts[0]);
		disk_mounts_free(mounts, mounts_count);
	}
	return mounted;
}

/* Unmounts what is mounted of one volume; what is in use goes when its last user does. */
static int unmount_volume(const struct lb_vol_info *volume, struct layerblk_error *err)
{
	char **mounts;
	size_t i, n;
	int ret = disk_mounts(volume->disk_major, volume->disk_minor, &mounts, &n, err);

	if (ret)
		return ret;
	for (i = 0; !ret && i < n; i++)
		ret = disk_umount(mounts[i], true, err);
	disk_mounts_free(mounts, n);
	return ret;
}

static int unmount_all(struct layerblk *lb, const struct lb_ioc_pool_status *pool, struct layerblk_error *err)
{
	cleanup_free struct lb_vol_info *volumes = NULL;
	size_t i, n;
	int ret = layerblk_vol_list(lb, pool->uuid, LB_STAT_HIDDEN, &volumes, &n, err);

	for (i = 0; !ret && i < n; i++) {
		if (volumes[i].flags & LB_VOL_OPEN)
			ret = unmount_volume(&volumes[i], err);
	}
	return ret;
}

int pool_close_one(struct layerblk *lb, const struct lb_ioc_pool_status *pool, struct layerblk_error *err)
{
	struct wait wait = wait_begin(BUSY_WAIT_MS);
	int ret;

	do {
		ret = layerblk_pool_close(lb, pool->uuid, err);
	} while (ret == -EBUSY && !explain_busy(lb, pool->uuid, err) && wait_again(&wait));
	if (!ret)
		loop_wait_gone(makedev(pool->dev_major, pool->dev_minor));
	return ret;
}

static int close_one(struct command_call *call, struct layerblk *lb, const struct lb_ioc_pool_status *pool)
{
	int ret = option_is_set(call, "force") ? unmount_all(lb, pool, &call->error) : 0;

	return ret ? ret : pool_close_one(lb, pool, &call->error);
}

static int close_all(struct command_call *call, struct layerblk *lb)
{
	cleanup_free struct lb_ioc_pool_status *pools = NULL;
	size_t i, n;
	int status = 0;

	if (layerblk_pool_list(lb, &pools, &n, &call->error))
		return command_fail(call);
	for (i = 0; i < n; i++) {
		if (close_one(call, lb, &pools[i]))
			status = command_fail(call);
	}
	return status;
}

int pool_close(struct command_call *call)
{
	struct layerblk *lb = command_control(call);
	struct lb_ioc_pool_status pool;
	int i = 0, status = 0;

	if (option_is_set(call, "all") && call->argc)
		return command_usage_error(call, "--all takes no names");
	if (!lb)
		return command_fail(call);
	if (option_is_set(call, "all"))
		return close_all(call, lb);
	do {
		if (ref_find_pool(lb, call->argv[i], &pool, &call->error) || close_one(call, lb, &pool))
			status = command_fail(call);
	} while (++i < call->argc);
	return status;
}
