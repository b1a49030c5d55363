// SPDX-License-Identifier: GPL-2.0-or-later
/* A file system that follows its volume: it is grown while it is mounted, for the moment in a namespace of ours. */
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "cleanup.h"
#include "data_fs.h"
#include "disk.h"
#include "filesystem.h"
#include "hold.h"
#include "namespace.h"
#include "volume_commands.h"
#include "work.h"

struct grow {
	struct pool pool;
	uint64_t id;
	bool had_disk;			/* it stays */
};

static int grow_mounted(const struct grow *grow, const char *directory, struct layerblk_error *err)
{
	cleanup_free char *type = NULL;
	char device[DISK_PATH];
	int rc = disk_activate(grow->pool.lb, grow->pool.uuid, grow->id, 0, device, err);

	if (!rc)
		rc = disk_filesystem(device, &type, err);
	if (!rc)
		rc = disk_mount(device, directory, type, "nodev", false, err);
	if (rc)
		return rc;
	rc = data_fs_grow(type, device, directory, err);
	umount2(directory, MNT_DETACH);
	return rc;
}

static int in_namespace(void *arg, struct layerblk_error *err)
{
	const struct grow *grow = arg;
	char random[17], directory[64];
	int hold, rc = hold_take(&grow->pool, grow->id, &hold, err);

	if (rc)
		return rc;
	random_hex(random, 8);
	snprintf(directory, sizeof(directory), RUN_DIR "/view/%s", random);
	rc = directory_make(directory, err);
	if (!rc)
		rc = grow_mounted(grow, directory, err);
	rmdir(directory);
	if (grow->had_disk)
		close(hold);
	else
		hold_drop(&grow->pool, grow->id, &hold);
	return rc;
}

int volume_grow(struct layerblk *lb, const struct found_volume *volume, struct layerblk_error *err)
{
	struct grow grow = { .pool = { .lb = lb, .uuid = volume->uuid }, .id = volume->info.id,
			     .had_disk = volume->info.flags & LB_VOL_ACTIVE };

	return namespace_run(in_namespace, &grow, err);
}
