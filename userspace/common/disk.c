// SPDX-License-Identifier: GPL-2.0-or-later
/* A volume's disk: activation and letting go, with patience for those who open it for a moment. Mounts are in mounts.c. */
#include <blkid/blkid.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "cleanup.h"
#include "disk.h"
#include "wait.h"

#define NODE_WAIT_MS	2000
#define BUSY_WAIT_MS	10000

/* /dev/NAME of a device number, by sysfs; false while sysfs does not know it. */
static bool node_name(uint32_t major, uint32_t minor, char path[DISK_PATH])
{
	char link[64], target[PATH_MAX];
	const char *name;
	ssize_t len;
	char *c;

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major, minor);
	len = readlink(link, target, sizeof(target) - 1);
	if (len <= 0)
		return false;
	target[len] = 0;
	name = strrchr(target, '/');
	if (snprintf(path, DISK_PATH, "/dev/%s", name ? name + 1 : target) >= DISK_PATH)
		return false;
	for (c = path + strlen("/dev/"); *c; c++) {
		if (*c == '!')
			*c = '/';
	}
	return true;
}

int disk_path(uint32_t major, uint32_t minor, char path[DISK_PATH], struct layerblk_error *err)
{
	struct wait wait = wait_begin(NODE_WAIT_MS);
	char subject[40];
	struct stat st;

	do {
		if (node_name(major, minor, path) && !stat(path, &st) && S_ISBLK(st.st_mode) &&
		    st.st_rdev == makedev(major, minor))
			return 0;
	} while (wait_again(&wait));
	snprintf(subject, sizeof(subject), "%u:%u", major, minor);
	layerblk_error_set(err, ENOENT, "find the node of the disk", subject, "it did not appear in /dev");
	return layerblk_error_hint(err, "Is devtmpfs mounted on /dev?");
}

int disk_activate(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id, uint32_t flags,
		  char path[DISK_PATH], struct layerblk_error *err)
{
	struct layerblk_disk disk;
	struct lb_vol_info before;
	int ret = layerblk_vol_stat(lb, uuid, id, 0, &before, err);

	if (ret)
		return ret;
	ret = layerblk_vol_activate(lb, uuid, id, flags, &disk, err);
	if (ret)
		return ret;
	ret = disk_path(disk.major, disk.minor, path, err);
	if (ret && !(before.flags & LB_VOL_ACTIVE))
		disk_deactivate(lb, uuid, id, NULL);
	return ret;
}

/* Who has it mounted, for the error of a disk that stays open. */
static void explain_busy(const struct lb_vol_info *info, struct layerblk_error *err)
{
	char **paths;
	size_t count;

	if (!err || disk_mounts(info->disk_major, info->disk_minor, &paths, &count, NULL))
		return;
	if (count)
		layerblk_error_hint(err, "It is mounted on %s%s; unmount it with `layerctl umount`", paths[0],
				    count > 1 ? " and elsewhere" : "");
	else
		layerblk_error_hint(err, "It is not mounted here; `lsof /dev/layerblk%u` shows who has it open",
				    info->disk_index);
	disk_mounts_free(paths, count);
}

static bool is_mounted(const struct lb_vol_info *info)
{
	char **paths;
	size_t count;

	if (disk_mounts(info->disk_major, info->disk_minor, &paths, &count, NULL))
		return false;
	disk_mounts_free(paths, count);
	return count > 0;
}

int disk_deactivate(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id, struct layerblk_error *err)
{
	struct wait wait = wait_begin(BUSY_WAIT_MS);
	struct lb_vol_info info;
	int ret = layerblk_vol_stat(lb, uuid, id, 0, &info, err);

	if (ret || !(info.flags & LB_VOL_ACTIVE))
		return ret;
	do {
		ret = layerblk_vol_deactivate(lb, uuid, id, err);
	} while (ret == -EBUSY && !is_mounted(&info) && wait_again(&wait));
	if (ret == -EBUSY)
		explain_busy(&info, err);
	else if (ret && !layerblk_vol_stat(lb, uuid, id, 0, &info, NULL) && !(info.flags & LB_VOL_ACTIVE))
		ret = 0;
	return ret;
}

int disk_filesystem(const char *device, char **type, struct layerblk_error *err)
{
	static const char what[] = "tell the file system on";
	blkid_probe probe = blkid_new_probe_from_filename(device);
	const char *value;
	int ret;

	if (!probe)
		return layerblk_error_set(err, errno ? errno : EIO, what, device, "%s", strerror(errno ? errno : EIO));
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE);
	blkid_probe_filter_superblocks_usage(probe, BLKID_FLTR_ONLYIN, BLKID_USAGE_FILESYSTEM);
	ret = blkid_do_safeprobe(probe);
	if (ret == 0 && !blkid_probe_lookup_value(probe, "TYPE", &value, NULL)) {
		*type = strdup(value);
		ret = *type ? 0 : layerblk_error_set(err, ENOMEM, what, device, "out of memory");
	} else if (ret == -2) {
		ret = layerblk_error_set(err, ENOTUNIQ, what, device, "signatures of several file systems are on it");
	} else if (ret < 0) {
		ret = layerblk_error_set(err, EIO, what, device, "it cannot be read");
	} else {
		layerblk_error_set(err, ENODATA, what, device, "it has none that is known");
		ret = layerblk_error_hint(err, "Make one, for example with `mkfs.ext4 %s`", device);
	}
	blkid_free_probe(probe);
	return ret;
}
