// SPDX-License-Identifier: GPL-2.0-or-later
/* Mounts of disks, through libmount. Declared in disk.h. */
#include <ctype.h>
#include <fcntl.h>
#include <libmount.h>
#include <string.h>
#include <sys/sysmacros.h>
#include "cleanup.h"
#include "disk.h"
#include "holders.h"
#include "wait.h"

#define UMOUNT_WAIT_MS	10000
#define HELD_WAIT_MS	2000		/* when processes are seen to hold it, they seldom let go */

CLEANUP_WITH(mount_context, struct libmnt_context *, mnt_free_context)
CLEANUP_WITH(mount_table, struct libmnt_table *, mnt_unref_table)
CLEANUP_WITH(mount_iter, struct libmnt_iter *, mnt_free_iter)

/* ------------------------------------------------------------------ listing */

static int collect(struct libmnt_table *table, struct libmnt_iter *iter, dev_t device, char ***paths, size_t *count)
{
	struct libmnt_fs *fs;
	char **larger;

	while (!mnt_table_next_fs(table, iter, &fs)) {
		if (mnt_fs_get_devno(fs) != device || !mnt_fs_get_target(fs))
			continue;
		larger = reallocarray(*paths, *count + 1, sizeof(**paths));
		if (!larger)
			return -ENOMEM;
		*paths = larger;
		larger[*count] = strdup(mnt_fs_get_target(fs));
		if (!larger[*count])
			return -ENOMEM;
		(*count)++;
	}
	return 0;
}

int disk_mounts(uint32_t major, uint32_t minor, char ***paths, size_t *count, struct layerblk_error *err)
{
	CLEANUP(mount_table) struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
	CLEANUP(mount_iter) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_BACKWARD);
	char **found = NULL;
	size_t n = 0;
	int ret;

	if (!table || !iter)
		return layerblk_error_set(err, EIO, "read", "/proc/self/mountinfo", "%s",
					  table ? "out of memory" : "is /proc mounted?");
	ret = collect(table, iter, makedev(major, minor), &found, &n);
	if (ret) {
		disk_mounts_free(found, n);
		return layerblk_error_set(err, -ret, "list mounts", NULL, "out of memory");
	}
	*paths = found;
	*count = n;
	return 0;
}

void disk_mounts_free(char **paths, size_t count)
{
	while (count)
		free(paths[--count]);
	free(paths);
}

void disk_sync_mounts(uint32_t major, uint32_t minor)
{
	char **paths;
	size_t count;

	if (disk_mounts(major, minor, &paths, &count, NULL))
		return;
	if (count) {			/* one will do: all show the same file system */
		cleanup_fd int fd = open(paths[0], O_RDONLY | O_CLOEXEC | O_DIRECTORY);

		if (fd >= 0)
			syncfs(fd);
	}
	disk_mounts_free(paths, count);
}

/* ------------------------------------------------------------------ mounting */

static int mount_failed(struct libmnt_context *context, int ret, const char *what, const char *subject,
			struct layerblk_error *err)
{
	char why[256] = "";
	int code;

	code = mnt_context_syscall_called(context) ? mnt_context_get_syscall_errno(context) : 0;
	if (!code)
		code = ret < 0 ? -ret : EIO;
	mnt_context_get_excode(context, ret, why, sizeof(why));
	if (why[0])
		return layerblk_error_set(err, code, what, subject, "%s", why);
	return layerblk_error_set(err, code, what, subject, "%s", strerror(code));
}

static int mount_once(const char *device, const char *directory, const char *type, const char *options,
		      struct layerblk_error *err)
{
	CLEANUP(mount_context) struct libmnt_context *context = mnt_new_context();
	char subject[384];
	int ret;

	snprintf(subject, sizeof(subject), "%.60s on %.300s", device, directory);
	if (!context || mnt_context_set_source(context, device) || mnt_context_set_target(context, directory) ||
	    (type && mnt_context_set_fstype(context, type)) || (options[0] && mnt_context_set_options(context, options)))
		return layerblk_error_set(err, ENOMEM, "mount", subject, "out of memory");
	ret = mnt_context_mount(context);
	if (!ret && mnt_context_get_status(context))
		return 0;
	return mount_failed(context, ret, "mount", subject, err);
}

/* What lets a dirty log be left alone, by type of file system. */
static const char *no_recovery_option(const char *type)
{
	if (!strcmp(type, "ext4") || !strcmp(type, "ext3"))
		return "noload";
	if (!strcmp(type, "xfs"))
		return "norecovery";
	if (!strcmp(type, "btrfs"))
		return "rescue=nologreplay";
	return NULL;
}

static char *join_options(const char *options, bool nouuid, bool read_only, const char *extra)
{
	char *text = NULL;

	if (asprintf(&text, "%s%s%s%s%s", options ? options : "", read_only ? ",ro" : "", nouuid ? ",nouuid" : "",
		     extra ? "," : "", extra ? extra : "") < 0)
		return NULL;
	if (text[0] == ',')
		memmove(text, text + 1, strlen(text));
	return text;
}

int disk_mount(const char *device, const char *directory, const char *type, const char *options, bool read_only,
	       struct layerblk_error *err)
{
	cleanup_free char *found = NULL;
	cleanup_free char *first = NULL;
	cleanup_free char *second = NULL;
	const char *extra;
	bool nouuid;
	int ret = 0;

	if (!type)
		ret = disk_filesystem(device, &found, err);
	if (ret)
		return ret;
	type = type ? type : strcmp(found, "ntfs") == 0 ? "ntfs3" : found;
	extra = no_recovery_option(type);
	nouuid = !strcmp(type, "xfs") && !(options && mnt_optstr_get_option(options, "nouuid", NULL, NULL) == 0);
	first = join_options(options, nouuid, read_only, NULL);
	second = join_options(options, nouuid, read_only, extra);
	if (!first || !second)
		return layerblk_error_set(err, ENOMEM, "mount", device, "out of memory");
	ret = mount_once(device, directory, type, first, err);
	if (ret && read_only && extra && (ret == -EROFS || ret == -EACCES || ret == -EIO) &&
	    !mount_once(device, directory, type, second, NULL))
		return 0;
	return ret;
}

int mount_other(const char *device, const char *directory, const char *type, const char *options, struct layerblk_error *err)
{
	return mount_once(device, directory, type, options ? options : "", err);
}

/* ------------------------------------------------------------------ unmounting */

static int umount_once(const char *directory, bool lazy, struct layerblk_error *err)
{
	CLEANUP(mount_context) struct libmnt_context *context = mnt_new_context();
	int ret;

	if (!context || mnt_context_set_target(context, directory) || mnt_context_enable_lazy(context, lazy))
		return layerblk_error_set(err, ENOMEM, "unmount", directory, "out of memory");
	ret = mnt_context_umount(context);
	if (!ret && mnt_context_get_status(context))
		return 0;
	return mount_failed(context, ret, "unmount", directory, err);
}

static int still_busy(const char *directory, const char *holders, struct layerblk_error *err)
{
	layerblk_error_set(err, EBUSY, "unmount", directory, "it is in use%s%s", holders ? " by " : "",
			   holders ? holders : "");
	return layerblk_error_hint(err, holders ? "End them, or detach it with --lazy" :
				   "Something is mounted below it, or another mount namespace uses it; --lazy detaches it");
}

int disk_umount(const char *directory, bool lazy, struct layerblk_error *err)
{
	struct wait wait = wait_begin(UMOUNT_WAIT_MS), held = wait_begin(HELD_WAIT_MS);
	cleanup_free char *holders = NULL;
	int ret;

	do {
		ret = umount_once(directory, false, err);
		if (ret != -EBUSY)
			return ret;
		free(holders);
		holders = holders_of_mount(directory);
	} while (wait_again(holders ? &held : &wait));
	if (lazy)
		return umount_once(directory, true, err);
	return still_busy(directory, holders, err);
}
