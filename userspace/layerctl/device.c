// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Devices under pools. Checks come first and change nothing; the one that counts is the exclusive open, which the kernel
 * refuses for whatever is mounted, swapped to, or part of RAID, device mapper or another pool.
 */
#include <blkid/blkid.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "cleanup.h"
#include "device.h"
#include "disk.h"
#include "offline.h"
#include "report.h"
#include "size.h"
#include "wait.h"

#define BUSY_WAIT_MS	2000		/* udev looks at a device that has just been written */
#define PROBED_BYTES	(1U << 20)	/* of a file whose content nothing recognises */

static const char creating[] = "make a pool on";

CLEANUP_WITH(blkid_probe, blkid_probe, blkid_free_probe)

/* ------------------------------------------------------------------ checks */

static void explain_holder(const char *path, dev_t number, struct layerblk_error *err)
{
	cleanup_dir DIR *dir = NULL;
	char holders[80];
	struct dirent *entry;
	char **mounts;
	size_t count;

	if (!disk_mounts(major(number), minor(number), &mounts, &count, NULL)) {
		if (count)
			layerblk_error_set(err, EBUSY, "use", path, "it is mounted on %s", mounts[0]);
		disk_mounts_free(mounts, count);
		if (count)
			return;
	}
	snprintf(holders, sizeof(holders), "/sys/dev/block/%u:%u/holders", major(number), minor(number));
	dir = opendir(holders);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		layerblk_error_set(err, EBUSY, "use", path, "%s is made of it", entry->d_name);
		return;
	}
	layerblk_error_hint(err, "It may be an open pool, swap, or have mounted partitions; lsblk shows it");
}

int device_check_free(const char *path, struct layerblk_error *err)
{
	struct wait wait = wait_begin(BUSY_WAIT_MS);
	struct stat st;
	int fd, code;

	do {
		fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
		code = errno;
	} while (code == EBUSY && wait_again(&wait));
	layerblk_error_set(err, code, "use", path, "%s", code == EBUSY ? "it is in use" : strerror(code));
	if (code == EBUSY && err && !stat(path, &st))
		explain_holder(path, st.st_rdev, err);
	return -code;
}

static int formatted(const char *path, const char *kind, const char *type, struct layerblk_error *err)
{
	layerblk_error_set(err, EEXIST, creating, path, "it holds %s%s%s", kind, type ? " " : "", type ? type : "");
	return layerblk_error_hint(err, "--force overwrites it; everything on it is lost then");
}

static int check_signatures(const char *path, struct layerblk_error *err)
{
	CLEANUP(blkid_probe) blkid_probe probe = blkid_new_probe_from_filename(path);
	const char *type = NULL;
	int ret;

	if (!probe)
		return layerblk_error_set(err, errno ? errno : EIO, "look at", path, "it cannot be read");
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(probe, 1);
	ret = blkid_do_fullprobe(probe);
	if (ret < 0)
		return layerblk_error_set(err, EIO, "look at", path, "it cannot be read");
	if (ret > 0)
		return 0;
	if (!blkid_probe_lookup_value(probe, "TYPE", &type, NULL))
		return formatted(path, "a signature of", type, err);
	if (!blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL))
		return formatted(path, "a partition table of type", type, err);
	return formatted(path, "data", NULL, err);
}

static int check_no_pool(const char *path, struct layerblk_error *err)
{
	struct offline_pool found;
	int ret = offline_probe(path, &found, err);

	if (ret == -EMEDIUMTYPE || ret == -EINVAL)
		return 0;
	if (ret == -EIO || ret == -ENOMEM)
		return ret;
	return formatted(path, "a layerblk pool", NULL, err);
}

/* A file of which nothing is known but that its beginning is not zeros might be anything; it is not ours to overwrite. */
static int check_empty_file(const char *path, struct layerblk_error *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free unsigned char *data = malloc(PROBED_BYTES);
	ssize_t got, i;

	if (fd < 0 || !data)
		return layerblk_error_set(err, errno, "read", path, "%s", strerror(errno));
	got = pread(fd, data, PROBED_BYTES, 0);
	if (got < 0)
		return layerblk_error_set(err, errno, "read", path, "%s", strerror(errno));
	for (i = 0; i < got; i++) {
		if (data[i])
			return formatted(path, "data", NULL, err);
	}
	return 0;
}

static int check_content(const char *path, bool is_file, struct layerblk_error *err)
{
	int ret = check_signatures(path, err);

	if (!ret)
		ret = check_no_pool(path, err);
	if (!ret && is_file)
		ret = check_empty_file(path, err);
	return ret;
}

int device_wipe_signatures(const char *path, struct layerblk_error *err)
{
	static const char what[] = "wipe the old signatures of";
	cleanup_fd int fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	CLEANUP(blkid_probe) blkid_probe probe = blkid_new_probe();
	int ret = 0;

	if (fd < 0 || !probe || blkid_probe_set_device(probe, fd, 0, 0))
		return layerblk_error_set(err, errno ? errno : EIO, what, path, "%s", strerror(errno ? errno : EIO));
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(probe, 1);
	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC);
	while (!ret && blkid_do_probe(probe) == 0)
		ret = blkid_do_wipe(probe, 0);
	if (ret || fsync(fd))
		return layerblk_error_set(err, EIO, what, path, "it cannot be written");
	return 0;
}

/* ------------------------------------------------------------------ files */

static int make_file(const char *path, uint64_t size, struct layerblk_error *err)
{
	cleanup_fd int fd = -1;

	if (!size) {
		layerblk_error_set(err, ENOENT, creating, path, "no such file or device");
		return layerblk_error_hint(err, "With --size, as in --size 10G, the file is made");
	}
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return layerblk_error_set(err, errno, "make the file", path, "%s", strerror(errno));
	if (!ftruncate(fd, (off_t)size))
		return 0;
	layerblk_error_set(err, errno, "make the file", path, "%s", strerror(errno));
	unlink(path);
	return -err->code;
}

static int check_file_size(const char *path, uint64_t now, uint64_t size, struct layerblk_error *err)
{
	char text[SIZE_TEXT];

	if (size >= now)
		return 0;
	layerblk_error_set(err, EINVAL, creating, path, "it is larger than --size says (%s)", size_format(now, text));
	return layerblk_error_hint(err, "Leave --size away to use all of it");
}

static int enlarge_file(const char *path, uint64_t size, struct layerblk_error *err)
{
	if (!truncate(path, (off_t)size))
		return 0;
	return layerblk_error_set(err, errno, "enlarge", path, "%s", strerror(errno));
}

/* A file that is there fits and holds nothing; one that is not is made. */
static int prepare_file(const char *path, uint64_t size, bool force, struct pool_device *out, struct layerblk_error *err)
{
	struct stat st;
	int ret;

	if (stat(path, &st)) {
		ret = make_file(path, size, err);
		if (!ret) {
			out->made = true;
			out->file = path;
		}
		return ret;
	}
	ret = size ? check_file_size(path, (uint64_t)st.st_size, size, err) : 0;
	if (!ret && st.st_size && !force)
		ret = check_content(path, true, err);
	return ret;
}

/* ------------------------------------------------------------------ choosing */

static void begin(struct pool_device *device)
{
	memset(device, 0, sizeof(*device));
	device->loop.fd = -1;
}

static int use_device(const char *path, dev_t number, struct pool_device *out, struct layerblk_error *err)
{
	if (snprintf(out->path, sizeof(out->path), "%s", path) >= (int)sizeof(out->path))
		return layerblk_error_set(err, ENAMETOOLONG, "use", path, "its path is too long");
	out->number = number;
	return 0;
}

static int use_file(const char *path, bool read_only, struct pool_device *out, struct layerblk_error *err)
{
	struct stat st;
	int ret = loop_attach(path, read_only, &out->loop, err);

	if (ret)
		return ret;
	if (fstat(out->loop.fd, &st))
		return layerblk_error_set(err, errno, "use", out->loop.path, "%s", strerror(errno));
	out->file = path;
	if (!out->loop.direct)
		report_note("note: the file system of %s has no direct I/O; its data is cached twice", path);
	return use_device(out->loop.path, st.st_rdev, out, err);
}

static int wrong_kind(const char *path, struct layerblk_error *err)
{
	return layerblk_error_set(err, ENOTBLK, "use", path, "it is neither a block device nor a regular file");
}

static int create_on_device(const char *path, dev_t number, uint64_t size, bool force, struct pool_device *out,
			    struct layerblk_error *err)
{
	int ret;

	if (size) {
		layerblk_error_set(err, EINVAL, creating, path, "--size is for files, and this is a device");
		return layerblk_error_hint(err, "A pool takes all of its device");
	}
	ret = device_check_free(path, err);
	if (!ret && !force)
		ret = check_content(path, false, err);
	return ret ? ret : use_device(path, number, out, err);
}

int device_for_create(const char *path, uint64_t size, bool force, struct pool_device *out, struct layerblk_error *err)
{
	struct stat st;
	int ret;

	begin(out);
	if (!stat(path, &st) && S_ISBLK(st.st_mode))
		return create_on_device(path, st.st_rdev, size, force, out, err);
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return wrong_kind(path, err);
	ret = prepare_file(path, size, force, out, err);
	if (!ret)
		ret = use_file(path, false, out, err);
	if (!ret)
		ret = device_check_free(out->path, err);
	if (!ret && size && !out->made)
		ret = enlarge_file(path, size, err);
	if (!ret && size)
		ret = loop_update_size(out->path, err);
	if (ret)
		device_undo(out);
	return ret;
}

int device_for_open(const char *path, bool read_only, struct pool_device *out, struct layerblk_error *err)
{
	struct stat st;
	int ret;

	begin(out);
	if (stat(path, &st))
		return layerblk_error_set(err, errno, "open the pool on", path, "%s", strerror(errno));
	if (S_ISBLK(st.st_mode))
		return use_device(path, st.st_rdev, out, err);
	if (!S_ISREG(st.st_mode))
		return wrong_kind(path, err);
	ret = use_file(path, read_only, out, err);
	if (ret)
		device_undo(out);
	return ret;
}

void device_release(struct pool_device *device)
{
	if (device->loop.fd >= 0)
		close(device->loop.fd);
	device->loop.fd = -1;
}

void device_undo(struct pool_device *device)
{
	bool loop = device->loop.fd >= 0;

	device_release(device);
	if (loop)
		loop_wait_gone(device->number);
	if (device->made)
		unlink(device->file);
	device->made = false;
}

/* ------------------------------------------------------------------ scanning */

static bool read_number(const char *name, const char *attribute, uint64_t *value)
{
	cleanup_file FILE *file = NULL;
	char path[400];

	snprintf(path, sizeof(path), "/sys/class/block/%s/%s", name, attribute);
	file = fopen(path, "re");
	return file && fscanf(file, "%" SCNu64, value) == 1;
}

static bool could_hold_pool(const char *name)
{
	static const char *const never[] = { ".", LB_DISK_PREFIX, "ram", "zram", "sr", "fd", "mtdblock" };
	uint64_t sectors;
	size_t i;

	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		if (!strncmp(name, never[i], strlen(never[i])))
			return false;
	}
	return read_number(name, "size", &sectors) && sectors;
}

int device_scan(int (*each)(void *arg, const char *path, dev_t number), void *arg)
{
	cleanup_dir DIR *dir = opendir("/sys/class/block");
	struct dirent *entry;
	char path[300];
	struct stat st;
	int ret;

	while (dir && (entry = readdir(dir))) {
		if (!could_hold_pool(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		if (stat(path, &st) || !S_ISBLK(st.st_mode))
			continue;
		ret = each(arg, path, st.st_rdev);
		if (ret)
			return ret;
	}
	return 0;
}
