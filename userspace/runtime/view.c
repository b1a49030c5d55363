// SPDX-License-Identifier: GPL-2.0-or-later
/* See view.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cleanup.h"
#include "filesystem.h"
#include "json.h"
#include "oci.h"
#include "open_in_root.h"
#include "view.h"
#include "wait.h"

#define VIEW_DIR	RUN_DIR "/view"

static int open_root(const char *path, struct view *view, struct layerblk_error *err)
{
	view->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (view->root >= 0)
		return 0;
	return layerblk_error_set(err, errno, "open the container's root", path, "%s", strerror(errno));
}

/* In a tmpfs of this namespace's, so that a command that is killed leaves none. */
static int make_directory(struct view *view, struct layerblk_error *err)
{
	struct stat top, here;
	char random[17];
	int rc;

	if (*view->path)
		return 0;
	rc = directory_make(VIEW_DIR, err);
	if (rc)
		return rc;
	if (stat(RUN_DIR, &top) != 0 || stat(VIEW_DIR, &here) != 0 ||
	    (top.st_dev == here.st_dev && mount("tmpfs", VIEW_DIR, "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC, "size=64k,mode=700") != 0))
		return layerblk_error_set(err, errno, "mount a tmpfs on", VIEW_DIR, "%s", strerror(errno));
	random_hex(random, 8);
	snprintf(view->path, sizeof(view->path), "%s/%s", VIEW_DIR, random);
	return directory_make(view->path, err);
}

/* At the container's path, which must not lead out of its root. */
static int bind_share(struct view *view, const struct share *share, struct layerblk_error *err)
{
	cleanup_fd int target = open_in_root(view->root, share->target, O_PATH);
	const char *source = share->kind == SHARE_BIND ? share->source : share->path;
	char path[64];

	if (target < 0)
		return errno == ENOENT ? 0 : layerblk_error_set(err, errno, "mount at", share->target, "%s", strerror(errno));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", target);
	if (mount(source, path, NULL, MS_BIND | MS_REC, NULL) != 0)
		return layerblk_error_set(err, errno, "mount at", share->target, "%s", strerror(errno));
	if (share->read_only && mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0 && errno != EINVAL)
		return layerblk_error_set(err, errno, "mount at", share->target, "%s", strerror(errno));
	return 0;
}

static int mount_shares(struct view *view, const struct container *container, struct layerblk_error *err)
{
	int rc = shares_from_json(json_member(container->record, "mounts", json_type_array), &view->shares, err);

	if (!rc)
		shares_find_again(view->pool, &view->shares);
	for (size_t i = 0; !rc && i < view->shares.count; i++) {
		struct share *share = &view->shares.shares[i];

		if (share->kind == SHARE_TMPFS)
			continue;
		rc = share_mount(view->pool, share, err);
		if (!rc)
			rc = bind_share(view, share, err);
	}
	return rc;
}

/* A shared root is mounted by one at a time: that of a container that runs has to be its own. */
static int open_once(struct view *view, const struct container *container, bool with_mounts, struct layerblk_error *err)
{
	pid_t pid = with_mounts || root_is_shared(container) ? oci_pid(container->id) : 0;
	char path[64];
	int rc;

	if (pid && with_mounts) {
		snprintf(path, sizeof(path), "/proc/%d/root/", (int)pid);
		return open_root(path, view, err);
	}
	if (pid) {
		rc = root_open_running(pid, &view->root, err);
		return rc == -ESRCH ? -EBUSY : rc;
	}
	rc = make_directory(view, err);
	if (!rc)
		rc = root_mount(view->pool, container, view->path, &view->mounted, err);
	if (!rc)
		rc = open_root(view->path, view, err);
	return !rc && with_mounts ? mount_shares(view, container, err) : rc;
}

int view_open(const struct pool *pool, const struct container *container, bool with_mounts, struct view *out,
	      struct layerblk_error *err)
{
	struct wait wait = wait_begin(ROOT_WAIT_MS);
	int rc;

	*out = (struct view){ .pool = pool, .root = -1 };
	do
		rc = open_once(out, container, with_mounts, err);
	while (rc == -EBUSY && !out->mounted.pool && wait_again(&wait));
	if (rc)
		view_close(out);
	return rc;
}

int view_open_layer(const struct pool *pool, uint64_t volume, struct view *out, struct layerblk_error *err)
{
	int rc;

	*out = (struct view){ .pool = pool, .root = -1 };
	rc = make_directory(out, err);
	if (!rc)
		rc = root_mount_frozen(pool, volume, out->path, &out->mounted, err);
	if (!rc)
		rc = open_root(out->path, out, err);
	if (rc)
		view_close(out);
	return rc;
}

int view_open_over(const struct pool *pool, uint64_t volume, uint64_t layer, const char *fs, struct view *out, struct layerblk_error *err)
{
	int rc;

	*out = (struct view){ .pool = pool, .root = -1 };
	rc = make_directory(out, err);
	if (!rc)
		rc = root_mount_over(pool, volume, layer, fs, out->path, &out->mounted, err);
	if (!rc)
		rc = open_root(out->path, out, err);
	if (rc)
		view_close(out);
	return rc;
}

void view_close(struct view *view)
{
	if (view->root >= 0)
		close(view->root);
	view->root = -1;
	root_unmount(&view->mounted);	/* with what is bound in it */
	for (size_t i = 0; i < view->shares.count; i++) {
		if (view->shares.shares[i].kind != SHARE_VOLUME)
			continue;
		umount2(view->shares.shares[i].path, MNT_DETACH);
		share_release(view->pool, &view->shares.shares[i]);
	}
	if (*view->path)
		rmdir(view->path);
	shares_clear(&view->shares);
	*view->path = '\0';
}
