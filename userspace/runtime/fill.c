// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See fill.h. What is in the image is read by a process that has the container's root as its own, and written by one that has the volume's, so
 * that no link leads out of either.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "cleanup.h"
#include "fill.h"
#include "namespace.h"
#include "open_in_root.h"
#include "tree_tar.h"
#include "view.h"

struct fill {
	const struct pool *pool;
	const struct container *container;
	struct share_list *shares;
};

struct ends {
	char *path;			/* in the container's root; ends with "/." */
	int pipes[2];
};

static int read_image(void *arg, struct layerblk_error *err)
{
	const struct ends *ends = arg;
	struct tree_pack pack = { .path = ends->path, .one_file_system = true, .fd = ends->pipes[1] };

	close(ends->pipes[0]);
	return tree_pack(&pack, err);
}

static int write_volume(void *arg, struct layerblk_error *err)
{
	const struct ends *ends = arg;
	struct tree_unpack unpack = { .path = "/", .keep_owner = true, .fd = ends->pipes[0] };

	close(ends->pipes[1]);
	return tree_unpack(&unpack, err);
}

/* Both ends at once, with a tar between them. */
static int copy(int from, int to, struct ends *ends, struct layerblk_error *err)
{
	struct child reader, writer;
	int rc, other;

	if (pipe2(ends->pipes, O_CLOEXEC) != 0)
		return layerblk_error_set(err, errno, "fill the volume", ends->path, "no pipe: %s", strerror(errno));
	rc = child_start_in(from, read_image, ends, &reader, err);
	if (rc) {
		close(ends->pipes[0]);
		close(ends->pipes[1]);
		return rc;
	}
	rc = child_start_in(to, write_volume, ends, &writer, err);
	close(ends->pipes[0]);
	close(ends->pipes[1]);
	other = child_wait(&reader, rc ? NULL : err);
	if (!rc)
		rc = child_wait(&writer, other ? NULL : err);
	return other ? other : rc;
}

static int fill_from(int root, int volume, const struct share *share, struct layerblk_error *err)
{
	cleanup_fd int covered = open_in_root(root, share->target, O_RDONLY | O_DIRECTORY);
	cleanup_free char *path = NULL;
	struct ends ends = { 0 };
	struct stat st;
	int rc;

	if (covered < 0)
		return 0;		/* the image has nothing there */
	if (asprintf(&path, "%s/.", share->target) < 0) {
		path = NULL;
		return layerblk_error_set(err, ENOMEM, "fill the volume", share->source, "no memory");
	}
	ends.path = path;
	rc = copy(root, volume, &ends, err);
	if (!rc && (fstat(covered, &st) != 0 || fchown(volume, st.st_uid, st.st_gid) != 0 || fchmod(volume, st.st_mode & 07777) != 0))
		rc = layerblk_error_set(err, errno, "fill the volume", share->source, "%s", strerror(errno));
	return rc;
}

static bool is_empty(int volume)
{
	int fd = openat(volume, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return false;
	return true;
}

/*
 * Programs that want an empty directory for their data shall find one: the file system's checker makes lost+found when it needs it. Storage
 * elsewhere may have been filled by others.
 */
static int fill_mounted(int root, const struct share *share, bool elsewhere, struct layerblk_error *err)
{
	cleanup_fd int volume = open(share->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statvfs st;

	if (volume < 0 || fstatvfs(volume, &st) != 0)
		return layerblk_error_set(err, errno, "fill the volume", share->source, "%s", strerror(errno));
	if (!elsewhere)
		unlinkat(volume, "lost+found", AT_REMOVEDIR);
	return share->no_copy || (st.f_flag & ST_RDONLY) || !is_empty(volume) ? 0 : fill_from(root, volume, share, err);
}

/* One command fills it, also when several make containers with it at once. */
static int fill_one(const struct fill *fill, int root, struct share *share, struct layerblk_error *err)
{
	struct data_volume about = { 0 };
	struct work work = { .lock = -1 };
	char name[48];
	int rc;

	snprintf(name, sizeof(name), "@fill.%" PRIu64, share->volume);
	rc = work_wait(fill->pool, name, &work, err);
	if (!rc)
		rc = data_volume_load(fill->pool, share->volume, &about, err);
	if (!rc && about.is_new) {
		rc = share_mount(fill->pool, share, err);
		if (!rc)
			rc = fill_mounted(root, share, about.device != NULL, err);
		umount2(share->path, MNT_DETACH);
		share_release(fill->pool, share);
		about.is_new = false;
		if (!rc)
			rc = data_volume_store(fill->pool, share->volume, &about, err);
	}
	data_volume_clear(&about);
	work_end(&work);
	return rc;
}

static int in_namespace(void *arg, struct layerblk_error *err)
{
	const struct fill *fill = arg;
	struct view view;
	int rc = view_open(fill->pool, fill->container, false, &view, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < fill->shares->count; i++)
		if (fill->shares->shares[i].is_new)
			rc = fill_one(fill, view.root, &fill->shares->shares[i], err);
	view_close(&view);
	return rc;
}

int volumes_fill(const struct pool *pool, const struct container *container, struct share_list *shares, struct layerblk_error *err)
{
	struct fill fill = { .pool = pool, .container = container, .shares = shares };
	bool any = false;

	for (size_t i = 0; !any && i < shares->count; i++)
		any = shares->shares[i].is_new;
	return any ? namespace_run(in_namespace, &fill, err) : 0;
}
