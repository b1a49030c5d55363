// SPDX-License-Identifier: GPL-2.0-or-later
/* snapshot and freeze. */
#include <string.h>
#include "cleanup.h"
#include "command.h"
#include "disk.h"
#include "labels.h"
#include "ref.h"
#include "release.h"
#include "volume.h"

/*
 * The module holds a mounted source for the instant of the snapshot and lets it go by itself; what is dirty is written back
 * before, so that the instant is short.
 */
static int take(struct command_call *call, struct layerblk *lb, const struct layerblk_attrs *attrs)
{
	uint32_t flags = option_is_set(call, "frozen") ? LB_SNAP_FROZEN : 0;
	cleanup_free char *name = NULL;
	struct found_volume source;
	uint8_t uuid[LB_UUID_LEN];
	uint64_t quota, id;
	int ret;

	ret = ref_find_volume(lb, call->argv[0], "take a snapshot of", &source, &call->error);
	if (!ret)
		ret = volume_quota(option_value(call, "quota"), &quota, &call->error);
	if (!ret)
		ret = ref_new_volume(lb, call->argv[1], "take the snapshot", source.uuid, uuid, &name, &call->error);
	if (!ret && quota && !(source.info.flags & LB_VOL_FROZEN))
		ret = layerblk_error_set(&call->error, EINVAL, "set a quota on the snapshot", call->argv[1],
					 "a snapshot of a writable volume is frozen and grows no more");
	if (ret)
		return ret;
	if (source.info.flags & LB_VOL_OPEN)
		disk_sync_mounts(source.info.disk_major, source.info.disk_minor);
	return layerblk_vol_snapshot(lb, uuid, source.info.id, name, flags, quota, attrs, &id, &call->error);
}

static int snapshot(struct command_call *call)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct layerblk *lb = command_control(call);

	if (!lb || !attrs || labels_add(call, attrs, LB_ATTR_NEW_VOLUME) || take(call, lb, attrs))
		return command_fail(call);
	puts(call->argv[1]);
	return fflush(stdout) ? 1 : 0;
}

static int freeze(struct command_call *call)
{
	const char *name = option_value(call, "name");
	struct layerblk *lb = command_control(call);
	struct found_volume volume;
	int ret;

	if (!lb || ref_find_volume(lb, call->argv[0], "freeze the volume", &volume, &call->error))
		return command_fail(call);
	ret = name ? layerblk_name_check(name, &call->error) : 0;
	if (!ret && (volume.info.flags & LB_VOL_FROZEN))
		ret = layerblk_error_set(&call->error, EROFS, "freeze the volume", call->argv[0], "it is frozen already");
	if (!ret)
		ret = release_disk(lb, &volume, &call->error);
	if (ret)
		return command_fail(call);
	if (!layerblk_vol_freeze(lb, volume.uuid, volume.info.id, name, NULL, &call->error))
		return 0;
	restore_disk(lb, &volume, NULL);
	return command_fail(call);
}

static const struct command_option snapshot_options[] = {
	{ .name = "frozen", .help = "Make a frozen snapshot of a frozen source, too" },
	{ .name = "quota", .value = "SIZE", .help = "The most space that the new volume's own data may take" },
	OPTION_LABEL,
	{ 0 },
};

static const struct command_option freeze_options[] = {
	{ .name = "name", .letter = 'n', .value = "NAME", .help = "Rename it in the same step" },
	{ 0 },
};

const struct command snapshot_commands[] = {
	{ .path = "snapshot", .args = "SOURCE NAME", .min_args = 2, .max_args = 2, .summary = "Take a snapshot",
	  .details = "Of a frozen SOURCE: a new writable volume on top of it. Of a writable SOURCE: a frozen volume with its "
		     "content of one instant, also while it is mounted and busy. Takes no space and the same short time, "
		     "whatever the size. Prints the name.",
	  .options = snapshot_options, .complete = COMPLETE_VOLUME, .run = snapshot },
	{ .path = "volume snapshot", .args = "VOLUME NAME", .min_args = 2, .max_args = 2, .summary = "Take a snapshot",
	  .details = "The same as \"snapshot\".", .options = snapshot_options, .complete = COMPLETE_VOLUME, .run = snapshot },
	{ .path = "freeze", .args = "VOLUME", .min_args = 1, .max_args = 1, .summary = "Make a volume immutable",
	  .details = "It can be a parent then, like a layer of an image. It must not be mounted. There is no way back; a "
		     "snapshot of it is writable again.",
	  .options = freeze_options, .complete = COMPLETE_VOLUME, .run = freeze },
	{ 0 },
};
