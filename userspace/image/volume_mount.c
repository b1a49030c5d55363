// SPDX-License-Identifier: GPL-2.0-or-later
/* See volume_mount.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "filesystem.h"
#include "hold.h"
#include "volume_mount.h"
#include "work.h"

#define MOUNT_DIR	RUN_DIR "/mount"

static int mount_it(struct volume_mount *mount, const char *fs, struct layerblk_error *err)
{
	char random[17];
	int rc;

	random_hex(random, 8);
	snprintf(mount->directory, sizeof(mount->directory), "%s/%s", MOUNT_DIR, random);
	rc = directory_make(mount->directory, err);
	if (!rc)
		rc = disk_mount(mount->device, mount->directory, fs, "nodev,nosuid,noexec", true, err);
	if (rc)
		return rc;
	mount->mounted = true;
	mount->root = open(mount->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mount->root < 0)
		return layerblk_error_set(err, errno, "open", mount->directory, "%s", strerror(errno));
	return 0;
}

int volume_mount(const struct pool *pool, uint64_t volume, const char *fs, struct volume_mount *out, struct layerblk_error *err)
{
	int rc;

	*out = (struct volume_mount){ .pool = pool, .volume = volume, .root = -1, .hold = -1 };
	rc = hold_take(pool, volume, &out->hold, err);
	if (!rc)
		rc = disk_activate(pool->lb, pool->uuid, volume, 0, out->device, err);
	if (!rc)
		rc = mount_it(out, fs, err);
	if (rc)
		volume_release(out);
	return rc;
}

void volume_release(struct volume_mount *mount)
{
	struct layerblk_error err;

	if (!mount->pool)
		return;
	if (mount->root >= 0)
		close(mount->root);
	if (mount->mounted)
		disk_umount(mount->directory, true, &err);
	if (*mount->directory)
		rmdir(mount->directory);
	hold_drop(mount->pool, mount->volume, &mount->hold);
	memset(mount, 0, sizeof(*mount));
}
