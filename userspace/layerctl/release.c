// SPDX-License-Identifier: GPL-2.0-or-later
/* A volume's disk, away for a request. */
#include "disk.h"
#include "release.h"

int release_disk(struct layerblk *lb, const struct found_volume *volume, struct layerblk_error *err)
{
	if (!(volume->info.flags & LB_VOL_ACTIVE))
		return 0;
	return disk_deactivate(lb, volume->uuid, volume->info.id, err);
}

int restore_disk(struct layerblk *lb, const struct found_volume *volume, struct layerblk_error *err)
{
	char path[DISK_PATH];

	if (!(volume->info.flags & LB_VOL_ACTIVE))
		return 0;
	return disk_activate(lb, volume->uuid, volume->info.id, 0, path, err);
}
