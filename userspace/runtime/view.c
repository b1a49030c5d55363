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
#include "disk.h"
#include "filesystem.h"
#include "hold.h"
#include "json.h"
#include "oci.h"
#include "open_in_root.h"
#include "view.h"

#define VIEW_DIR	RUN_DIR "/view"

static int open_root(const char *path, struct view *view, struct layerblk_error *err)
{
	view->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (view->root >= 0)
		return 0;
	return layerblk_error_set(err, errno, "open the container's root", path, "%s", strerror(errno));
}

/* A directory of its own: removing it would take a mount away that another process has there. */
static int mount_volume(struct view *view, uint64_t volume, bool frozen, struct layerblk_error *err)
{
	const struct pool *pool = view->pool;
	char device[DISK_PATH], random[17];
	int rc = hold_take(pool, volume, &view->hold, err);

	if (rc)
		return rc;
	view->volume = volume;
	random_hex(random, 8);
	snprintf(view->path, sizeof(view->path), "%s/%s", VIEW_DIR, random);
	rc = directory_make(view->path, err);
	if (!rc)
		rc = disk_activate(pool->lb, pool->uuid, volume, 0, device, err);
	if (!rc)
		rc = disk_mount(device, view->path, NULL, "nodev", frozen, err);
	return rc ? rc : open_root(view->path, view, err);
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

int view_open(const struct pool *pool, const struct container *container, bool with_mounts, struct view *out,
	      struct layerblk_error *err)
{
	pid_t pid = with_mounts ? oci_pid(container->id) : 0;
	char path[64];
	int rc;

	*out = (struct view){ .pool = pool, .hold = -1, .root = -1 };
	if (pid) {
		snprintf(path, sizeof(path), "/proc/%d/root/", (int)pid);
		return open_root(path, out, err);
	}
	rc = mount_volume(out, container->volume, false, err);
	if (!rc && with_mounts)
		rc = mount_shares(out, container, err);
	if (rc)
		view_close(out);
	return rc;
}

int view_open_layer(const struct pool *pool, uint64_t volume, struct view *out, struct layerblk_error *err)
{
	int rc;

	*out = (struct view){ .pool = pool, .hold = -1, .root = -1 };
	rc = mount_volume(out, volume, true, err);
	if (rc)
		view_close(out);
	return rc;
}

void view_close(struct view *view)
{
	if (view->root >= 0)
		close(view->root);
	view->root = -1;
	if (view->volume) {
		umount2(view->path, MNT_DETACH);	/* with what is bound in it */
		for (size_t i = 0; i < view->shares.count; i++) {
			if (view->shares.shares[i].kind != SHARE_VOLUME)
				continue;
			umount2(view->shares.shares[i].path, MNT_DETACH);
			share_release(view->pool, &view->shares.shares[i]);
		}
		hold_drop(view->pool, view->volume, &view->hold);
		rmdir(view->path);
	}
	shares_clear(&view->shares);
	view->volume = 0;
}
