// SPDX-License-Identifier: GPL-2.0-or-later
/* volume resize, set and rollback. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "labels.h"
#include "ref.h"
#include "release.h"
#include "size.h"
#include "volume.h"
#include "volume_commands.h"

int volume_quota(const char *text, uint64_t *blocks, struct layerblk_error *err)
{
	static const char what[] = "set the quota";
	uint64_t bytes;
	int ret;

	*blocks = 0;
	if (!text || !strcmp(text, "none"))
		return 0;
	ret = size_parse(text, &bytes, what, err);
	if (ret)
		return ret;
	if (bytes < LB_BLOCK_SIZE) {
		layerblk_error_set(err, EINVAL, what, text, "a quota has at least %d bytes", LB_BLOCK_SIZE);
		return layerblk_error_hint(err, "\"none\" takes it away");
	}
	*blocks = bytes / LB_BLOCK_SIZE;
	return 0;
}

/* The new size: what is written, or what there is and what is written behind '+'. */
static int new_size(const char *text, uint64_t now, uint64_t *size, struct layerblk_error *err)
{
	static const char what[] = "give the volume the size";
	int ret;

	ret = size_parse_volume(text + (text[0] == '+'), size, what, err);
	if (!ret && text[0] == '+' && *size > LB_VOLUME_SIZE_MAX - now)
		return layerblk_error_set(err, ERANGE, what, text, "it is too large");
	if (!ret && text[0] == '+')
		*size += now;
	return ret;
}

int volume_resize(struct command_call *call)
{
	struct layerblk *lb = command_control(call);
	struct layerblk_vol_change change = { .flags = LB_VOL_SET_SIZE };
	struct found_volume volume;
	char text[SIZE_TEXT];

	if (!lb || ref_find_volume(lb, call->argv[0], "resize the volume", &volume, &call->error) ||
	    new_size(call->argv[1], volume.info.volume_size, &change.volume_size, &call->error))
		return command_fail(call);
	if (change.volume_size < volume.info.volume_size) {
		if (!option_is_set(call, "shrink")) {
			layerblk_error_set(&call->error, EINVAL, "make the volume smaller", call->argv[0],
					   "it has %s and what lies beyond would be lost",
					   size_format(volume.info.volume_size, text));
			layerblk_error_hint(&call->error, "Shrink its file system first, and then use --shrink");
			return command_fail(call);
		}
		change.flags |= LB_VOL_SET_SHRINK;
	}
	if (change.volume_size < volume.info.volume_size && option_is_set(call, "resizefs"))
		return command_usage_error(call, "--resizefs only grows a file system");
	if (layerblk_vol_set(lb, volume.uuid, volume.info.id, &change, NULL, &call->error) ||
	    (option_is_set(call, "resizefs") && volume_grow(lb, &volume, &call->error)))
		return command_fail(call);
	return 0;
}

static int read_change(struct command_call *call, struct layerblk_vol_change *change)
{
	const char *name = option_value(call, "name"), *quota = option_value(call, "quota");
	int ret = 0;

	if (name) {
		change->flags |= LB_VOL_SET_NAME;
		change->name = name;
		ret = layerblk_name_check(name, &call->error);
	}
	if (!ret && quota) {
		change->flags |= LB_VOL_SET_QUOTA;
		ret = volume_quota(quota, &change->quota_blocks, &call->error);
	}
	return ret;
}

int volume_set(struct command_call *call)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct layerblk_vol_change change = { 0 };
	struct found_volume volume;
	struct layerblk *lb;

	if (!call->value_count)
		return command_usage_error(call, "nothing to set");
	lb = command_control(call);
	if (!lb || !attrs || ref_find_volume(lb, call->argv[0], "change the volume", &volume, &call->error) ||
	    read_change(call, &change) || labels_add(call, attrs, volume.info.id) ||
	    layerblk_vol_set(lb, volume.uuid, volume.info.id, &change, attrs, &call->error))
		return command_fail(call);
	return 0;
}

/* Whether `snapshot` is among the volume's ancestors; asked before anything is done. */
static int check_ancestor(struct layerblk *lb, const struct found_volume *volume, const struct found_volume *snapshot,
			  const char *subject, struct layerblk_error *err)
{
	struct lb_vol_info info = volume->info;
	int ret = 0;

	if (memcmp(volume->uuid, snapshot->uuid, LB_UUID_LEN) != 0)
		return layerblk_error_set(err, EXDEV, "roll back the volume", subject, "the snapshot is in another pool");
	while (!ret && info.parent && info.parent != snapshot->info.id)
		ret = layerblk_vol_stat(lb, volume->uuid, info.parent, 0, &info, err);
	if (ret || info.parent)
		return ret;
	layerblk_error_set(err, EINVAL, "roll back the volume", subject, "\"%s\" is no ancestor of it",
			   snapshot->info.name);
	return layerblk_error_hint(err, "`layerctl tree` shows what it descends from");
}

/* A disk that nobody uses is let go for the change, and given back. */
int volume_rollback(struct command_call *call)
{
	struct layerblk *lb = command_control(call);
	struct found_volume volume, snapshot;

	if (!lb || ref_find_volume(lb, call->argv[0], "roll back the volume", &volume, &call->error) ||
	    ref_find_volume(lb, call->argv[1], "roll back to the snapshot", &snapshot, &call->error) ||
	    check_ancestor(lb, &volume, &snapshot, call->argv[0], &call->error) ||
	    release_disk(lb, &volume, &call->error))
		return command_fail(call);
	if (layerblk_vol_rollback(lb, volume.uuid, volume.info.id, snapshot.info.id, &call->error)) {
		restore_disk(lb, &volume, NULL);
		return command_fail(call);
	}
	return restore_disk(lb, &volume, &call->error) ? command_fail(call) : 0;
}
