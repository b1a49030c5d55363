// SPDX-License-Identifier: GPL-2.0-or-later
/* activate, deactivate, mount and umount. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "cleanup.h"
#include "command.h"
#include "disk.h"
#include "ref.h"
#include "size.h"

static uint32_t activate_flags(const struct command_call *call)
{
	return option_is_set(call, "read-only") ? LB_ACTIVATE_READ_ONLY : 0;
}

static int activate(struct command_call *call)
{
	struct layerblk *lb = command_control(call);
	struct found_volume volume;
	char path[DISK_PATH];
	int i, status = 0;

	if (!lb)
		return command_fail(call);
	for (i = 0; i < call->argc; i++) {
		if (ref_find_volume(lb, call->argv[i], "activate the volume", &volume, &call->error) ||
		    disk_activate(lb, volume.uuid, volume.info.id, activate_flags(call), path, &call->error))
			status = command_fail(call);
		else
			puts(path);
	}
	return fflush(stdout) ? 1 : status;
}

static int deactivate(struct command_call *call)
{
	struct layerblk *lb = command_control(call);
	struct found_volume volume;
	int i, status = 0;

	if (!lb)
		return command_fail(call);
	for (i = 0; i < call->argc; i++) {
		if (ref_find_volume(lb, call->argv[i], "deactivate the volume", &volume, &call->error) ||
		    disk_deactivate(lb, volume.uuid, volume.info.id, &call->error))
			status = command_fail(call);
	}
	return status;
}

/* ------------------------------------------------------------------ mount */

static int mount_volume(struct command_call *call, struct layerblk *lb, const struct found_volume *volume)
{
	bool read_only = option_is_set(call, "read-only") || (volume->info.flags & LB_VOL_FROZEN);
	char path[DISK_PATH];
	int ret = disk_activate(lb, volume->uuid, volume->info.id, activate_flags(call), path, &call->error);

	if (ret)
		return ret;
	ret = disk_mount(path, call->argv[1], option_value(call, "types"), option_value(call, "options"), read_only,
			 &call->error);
	if (ret && !(volume->info.flags & LB_VOL_ACTIVE))
		disk_deactivate(lb, volume->uuid, volume->info.id, NULL);
	return ret;
}

static int mount(struct command_call *call)
{
	struct layerblk *lb = command_control(call);
	struct found_volume volume;
	struct stat st;

	if (!lb || ref_find_volume(lb, call->argv[0], "mount the volume", &volume, &call->error))
		return command_fail(call);
	if (stat(call->argv[1], &st) || !S_ISDIR(st.st_mode)) {
		layerblk_error_set(&call->error, ENOTDIR, "mount on", call->argv[1], "it is no directory");
		return command_fail(call);
	}
	return mount_volume(call, lb, &volume) ? command_fail(call) : 0;
}

/* ------------------------------------------------------------------ umount */

static bool read_attribute(dev_t device, const char *name, char *text, size_t size)
{
	cleanup_file FILE *file = NULL;
	char path[128];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/layerblk/%s", major(device), minor(device), name);
	file = fopen(path, "re");
	if (!file || !fgets(text, (int)size, file))
		return false;
	text[strcspn(text, "\n")] = 0;
	return true;
}

/* The volume of a disk number, in whichever pool; its disk says which. */
static int find_by_disk(struct layerblk *lb, dev_t device, struct found_volume *out, struct layerblk_error *err)
{
	char uuid[64], id[32];
	uint64_t number;

	if (!read_attribute(device, "pool_uuid", uuid, sizeof(uuid)) || uuid_from_text(uuid, out->uuid) ||
	    !read_attribute(device, "volume_id", id, sizeof(id)) || number_parse(id, UINT64_MAX, &number, "", NULL))
		return -ENOENT;
	return layerblk_vol_stat(lb, out->uuid, number, 0, &out->info, err);
}

static int umount_directory(struct command_call *call, const char *directory)
{
	return disk_umount(directory, option_is_set(call, "lazy"), &call->error);
}

static int let_go(struct command_call *call, struct layerblk *lb, const struct found_volume *volume)
{
	char **paths;
	size_t count;

	if (option_is_set(call, "keep-active"))
		return 0;
	/* Mounted elsewhere as well: that mount still needs its disk. */
	if (!disk_mounts(volume->info.disk_major, volume->info.disk_minor, &paths, &count, NULL)) {
		disk_mounts_free(paths, count);
		if (count)
			return 0;
	}
	return disk_deactivate(lb, volume->uuid, volume->info.id, &call->error);
}

static int umount_by_directory(struct command_call *call, struct layerblk *lb, const char *directory, dev_t device)
{
	struct found_volume volume;
	int ret = find_by_disk(lb, device, &volume, &call->error);

	if (ret == -ENOENT)
		return layerblk_error_set(&call->error, EINVAL, "unmount", directory,
					  "no volume of an open pool is mounted there");
	if (!ret)
		ret = umount_directory(call, directory);
	return ret ? ret : let_go(call, lb, &volume);
}

/* All of a volume's mounts, the newest first. */
static int umount_by_name(struct command_call *call, struct layerblk *lb, const char *text)
{
	struct found_volume volume;
	size_t i, count = 0;
	char **paths;
	int ret = ref_find_volume(lb, text, "unmount the volume", &volume, &call->error);

	if (ret)
		return ret;
	if (volume.info.flags & LB_VOL_ACTIVE)
		ret = disk_mounts(volume.info.disk_major, volume.info.disk_minor, &paths, &count, &call->error);
	if (ret)
		return ret;
	if (!count)
		return layerblk_error_set(&call->error, EINVAL, "unmount the volume", text, "it is not mounted");
	for (i = 0; !ret && i < count; i++)
		ret = umount_directory(call, paths[i]);
	disk_mounts_free(paths, count);
	return ret ? ret : let_go(call, lb, &volume);
}

/* Whether a word means a directory: with a slash in front or after a dot, or when it is a mount point here. */
static bool is_directory(const char *text, struct stat *st)
{
	char parent[PATH_MAX];
	struct stat above;

	if (stat(text, st) || !S_ISDIR(st->st_mode))
		return false;
	if (text[0] == '/' || text[0] == '.')
		return true;
	snprintf(parent, sizeof(parent), "%s/..", text);
	return !stat(parent, &above) && above.st_dev != st->st_dev;
}

static int umount(struct command_call *call)
{
	struct layerblk *lb = command_control(call);
	struct stat st;
	int i, ret, status = 0;

	if (!lb)
		return command_fail(call);
	for (i = 0; i < call->argc; i++) {
		if (is_directory(call->argv[i], &st))
			ret = umount_by_directory(call, lb, call->argv[i], st.st_dev);
		else
			ret = umount_by_name(call, lb, call->argv[i]);
		if (ret)
			status = command_fail(call);
	}
	return status;
}

/* ------------------------------------------------------------------ rows */

static const struct command_option activate_options[] = {
	{ .name = "read-only", .letter = 'r', .help = "Refuse writes to the disk" },
	{ 0 },
};

static const struct command_option mount_options[] = {
	{ .name = "options", .letter = 'o', .value = "OPTIONS", .help = "Mount options, as noatime,discard" },
	{ .name = "types", .letter = 't', .value = "TYPE", .help = "The file system's type, when it is not to be found out" },
	{ .name = "read-only", .letter = 'r', .help = "Mount read-only; frozen volumes always are" },
	{ 0 },
};

static const struct command_option umount_options[] = {
	{ .name = "lazy", .letter = 'l', .help = "Detach it now though it is in use" },
	{ .name = "keep-active", .help = "Keep the volume's disk" },
	{ 0 },
};

const struct command mount_commands[] = {
	{ .path = "activate", .args = "VOLUME...", .min_args = 1, .max_args = -1, .summary = "Give volumes a disk",
	  .details = "Prints the disk, as /dev/layerblk0. With udev there is also a link /dev/layerblk/POOL/NAME.",
	  .options = activate_options, .complete = COMPLETE_VOLUME, .run = activate },
	{ .path = "deactivate", .args = "VOLUME...", .min_args = 1, .max_args = -1,
	  .summary = "Take the disk away from volumes",
	  .details = "Waits for short-lived users of the disk, as udev is one.",
	  .complete = COMPLETE_VOLUME, .run = deactivate },
	{ .path = "mount", .args = "VOLUME DIRECTORY", .min_args = 2, .max_args = 2,
	  .summary = "Activate a volume and mount its file system", .options = mount_options, .complete = COMPLETE_VOLUME,
	  .run = mount },
	{ .path = "umount", .args = "DIRECTORY|VOLUME...", .min_args = 1, .max_args = -1,
	  .summary = "Unmount a volume and deactivate it",
	  .details = "By name, all of its mounts are unmounted. A volume that is mounted elsewhere as well keeps its disk. What is "
		     "in use for more than a moment is an error which tells by whom, unless --lazy.",
	  .options = umount_options, .complete = COMPLETE_VOLUME, .run = umount },
	{ 0 },
};
