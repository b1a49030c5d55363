// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pool create and pool destroy. Creation asks everything that can refuse before the first write; only then is the device
 * formatted, which nothing can interrupt halfway into something that looks like a pool.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "cleanup.h"
#include "device.h"
#include "disk.h"
#include "find.h"
#include "offline.h"
#include "known.h"
#include "pool.h"
#include "ref.h"
#include "report.h"
#include "size.h"

/* No two pools that are open have one label: it is to name one. */
static int check_label_is_free(struct layerblk *lb, const char *label, struct layerblk_error *err)
{
	struct lb_ioc_pool_status pool;
	int ret = ref_find_pool(lb, label, &pool, NULL);

	if (ret == -ENODEV)
		return 0;
	if (ret && ret != -ENOTUNIQ)
		return ret;
	return layerblk_error_set(err, EEXIST, "use the label", label, "another open pool has it");
}

static int read_options(struct command_call *call, uint64_t *size)
{
	const char *text = option_value(call, "size"), *label = option_value(call, "label");
	int ret = 0;

	*size = 0;
	if (text)
		ret = size_parse(text, size, "use the size", &call->error);
	if (!ret && text && !*size)
		ret = layerblk_error_set(&call->error, EINVAL, "use the size", text, "a pool needs at least 32MiB");
	if (!ret && label)
		ret = pool_label_check(label, &call->error);
	if (!ret && label && call->control)
		ret = check_label_is_free(call->control, label, &call->error);
	return ret;
}

static int format_and_open(struct command_call *call, struct layerblk *lb, const struct pool_device *device,
			   uint8_t *uuid)
{
	int ret = option_is_set(call, "force") ? device_wipe_signatures(device->path, &call->error) : 0;

	if (!ret)
		ret = offline_format(device->path, option_value(call, "label"), uuid, &call->error);
	if (!ret && lb)
		ret = layerblk_pool_open(lb, device->number, 0, uuid, &call->error);
	return ret;
}

int pool_create(struct command_call *call)
{
	bool open = !option_is_set(call, "no-open");
	struct layerblk *lb = open ? command_control(call) : NULL;
	uint8_t uuid[LB_UUID_LEN];
	struct pool_device device;
	char text[UUID_TEXT];
	uint64_t size;

	if ((open && !lb) || read_options(call, &size))
		return command_fail(call);
	if (device_for_create(call->argv[0], size, option_is_set(call, "force"), &device, &call->error))
		return command_fail(call);
	if (format_and_open(call, lb, &device, uuid)) {
		device_undo(&device);
		return command_fail(call);
	}
	device_release(&device);
	known_remember(uuid, call->argv[0]);
	puts(uuid_text(uuid, text));
	return fflush(stdout) ? 1 : 0;
}

/* ------------------------------------------------------------------ destroy: an open pool only by force, a mounted volume never */

static int deactivate_all(struct layerblk *lb, const struct lb_ioc_pool_status *pool, struct layerblk_error *err)
{
	cleanup_free struct lb_vol_info *volumes = NULL;
	size_t i, n;
	int ret = layerblk_vol_list(lb, pool->uuid, 0, &volumes, &n, err);

	for (i = 0; !ret && i < n; i++) {
		if (volumes[i].flags & LB_VOL_ACTIVE)
			ret = disk_deactivate(lb, pool->uuid, volumes[i].id, err);
	}
	return ret;
}

/* The path to wipe: that of the open pool's device, or its file while the loop device is going away. */
static int close_for_destroy(struct layerblk *lb, const struct lb_ioc_pool_status *pool, bool force, char **path,
			     struct layerblk_error *err)
{
	char device[DISK_PATH];
	int ret;

	if (!force) {
		layerblk_error_set(err, EBUSY, "destroy the pool", NULL, "it is open");
		return layerblk_error_hint(err, "Close it first, or use --force");
	}
	*path = loop_backing_file(makedev(pool->dev_major, pool->dev_minor));
	ret = disk_path(pool->dev_major, pool->dev_minor, device, err);
	if (ret)
		return ret;
	if (!*path)
		*path = strdup(device);
	if (!*path)
		return layerblk_error_set(err, ENOMEM, "destroy the pool", NULL, "out of memory");
	ret = deactivate_all(lb, pool, err);
	return ret ? ret : pool_close_one(lb, pool, err);
}

/* A file gives its space back. */
static int empty_file(const char *path, struct layerblk_error *err)
{
	cleanup_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return layerblk_error_set(err, errno, "empty the file", path, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return 0;
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, st.st_size) &&
	    (errno != EOPNOTSUPP || ftruncate(fd, 0) || ftruncate(fd, st.st_size)))
		return layerblk_error_set(err, errno, "empty the file", path, "%s", strerror(errno));
	return 0;
}

static int wipe(const char *path, struct layerblk_error *err)
{
	struct offline_pool found;
	bool whole;
	int ret = device_check_free(path, err);

	if (!ret)
		ret = offline_probe(path, &found, err);
	whole = !ret;
	if (ret && ret != -EUCLEAN && ret != -ESTALE && ret != -EOPNOTSUPP)
		return ret;
	ret = offline_wipe(path, err);
	if (!ret && whole)
		known_forget(found.uuid);
	return ret ? ret : empty_file(path, err);
}

static int find_closed(const char *text, char **path, struct layerblk_error *err)
{
	struct stat st;

	if (stat(text, &st))
		return find_pool_path(text, path, err);
	*path = strdup(text);
	return *path ? 0 : layerblk_error_set(err, ENOMEM, "destroy the pool", text, "out of memory");
}

int pool_destroy(struct command_call *call)
{
	cleanup_free char *path = NULL;
	cleanup_free char *as_path = realpath(call->argv[0], NULL);
	struct layerblk *lb = command_control(call);
	struct lb_ioc_pool_status pool;
	int ret = -ENODEV;

	/* Without the module no pool is open. */
	if (lb)
		ret = ref_find_pool(lb, as_path ? as_path : call->argv[0], &pool, &call->error);
	else if (call->error.code != ENOENT && call->error.code != ENODEV && call->error.code != ENXIO)
		return command_fail(call);
	if (!ret)
		ret = close_for_destroy(lb, &pool, option_is_set(call, "force"), &path, &call->error);
	else if (ret == -ENODEV)
		ret = find_closed(call->argv[0], &path, &call->error);
	if (!ret)
		ret = wipe(path, &call->error);
	return ret ? command_fail(call) : 0;
}
