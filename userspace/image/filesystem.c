// SPDX-License-Identifier: GPL-2.0-or-later
/* See filesystem.h. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "filesystem.h"
#include "process.h"

#define EXT4_JOURNAL_FROM	(512ULL << 20)	/* from this size on, the journal's size is ours to choose */

int filesystem_check(const char *type, struct layerblk_error *err)
{
	if (strcmp(type, "ext4") == 0 || strcmp(type, "xfs") == 0)
		return 0;
	return layerblk_error_set(err, EINVAL, "use the file system", type, "it is not one of: %s", FILESYSTEM_WORDS);
}

/*
 * A journal of 16 MiB: each container rewrites it in its own blocks, so that a large one costs space for each. No
 * reserve for root. The inode tables and the journal are known to read as zeros.
 */
static int make_ext4(const char *device, uint64_t size, struct layerblk_error *err)
{
	const char *with_journal[] = {
		"mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-J", "size=16",
		"-E", "lazy_itable_init=1,nodiscard,assume_storage_prezeroed=1", device, NULL
	};
	const char *small[] = {
		"mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0",
		"-E", "lazy_itable_init=1,nodiscard,assume_storage_prezeroed=1", device, NULL
	};

	return process_run(size >= EXT4_JOURNAL_FROM ? with_journal : small, "make the ext4 file system on", device, err);
}

static int make_xfs(const char *device, struct layerblk_error *err)
{
	const char *argv[] = { "mkfs.xfs", "-q", "-f", "-K", device, NULL };

	return process_run(argv, "make the xfs file system on", device, err);
}

int filesystem_make(const char *type, const char *device, uint64_t size, struct layerblk_error *err)
{
	int rc = filesystem_check(type, err);

	if (rc)
		return rc;
	return strcmp(type, "xfs") == 0 ? make_xfs(device, err) : make_ext4(device, size, err);
}

const char *filesystem_import_options(const char *type)
{
	return strcmp(type, "ext4") == 0 ? "nodev,nosuid,noexec,noatime,noload,noinit_itable" : "nodev,nosuid,noexec,noatime";
}

int mounts_make_private(struct layerblk_error *err)
{
	if (unshare(CLONE_NEWNS) != 0)
		return layerblk_error_set(err, errno, "make a mount namespace", "", "%s", strerror(errno));
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return layerblk_error_set(err, errno, "make the mounts private", "", "%s", strerror(errno));
	return 0;
}

int directory_make(const char *path, struct layerblk_error *err)
{
	cleanup_free char *part = strdup(path);

	if (!part)
		return layerblk_error_set(err, ENOMEM, "make the directory", path, "no memory");
	for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST)
			return layerblk_error_set(err, errno, "make the directory", path, "%s", strerror(errno));
		if (!slash)
			return 0;
		*slash = '/';
	}
}
