// SPDX-License-Identifier: GPL-2.0-or-later
/* See restore_target.h. The disk is written with O_DIRECT: a restore does not fill the page cache, and a full pool shows at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cleanup.h"
#include "replaced.h"
#include "restore_target.h"

static int no_memory(struct layerblk_error *err)
{
	return layerblk_error_set(err, ENOMEM, "restore the volume", "", "no memory");
}

static int open_disk(struct restore_target *target, struct layerblk_error *err)
{
	struct working *working = &target->working;
	int rc = disk_activate(target->pool->lb, target->pool->uuid, working->id, 0, working->device, err);

	if (rc)
		return rc;
	target->fd = open(working->device, O_WRONLY | O_DIRECT | O_CLOEXEC);
	return target->fd < 0 ? layerblk_error_set(err, errno, "open", working->device, "%s", strerror(errno)) : 0;
}

static int set_size(struct restore_target *target, uint64_t size, struct layerblk_error *err)
{
	struct layerblk_vol_change change = { .flags = LB_VOL_SET_SIZE, .volume_size = size };
	const struct pool *pool = target->pool;
	bool shrink = size < target->size;

	if (size == target->size)
		return 0;
	if (shrink)
		change.flags |= LB_VOL_SET_SHRINK;
	target->size = size;
	return pool ? layerblk_vol_set(pool->lb, pool->uuid, target->working.id, &change, NULL, err) : 0;
}

int restore_target_make(struct restore_target *target, const struct pool *pool, const char *purpose, const struct lb_vol_info *below,
			uint64_t size, struct layerblk_error *err)
{
	char random[13], name[64];
	int rc;

	*target = (struct restore_target){ .pool = pool, .size = below ? below->volume_size : size, .working.work.lock = -1,
					   .written = below != NULL, .fd = -1 };
	if (!pool)
		return 0;
	random_hex(random, 6);
	snprintf(name, sizeof(name), "%.16s-%s", purpose, random);
	rc = working_begin(pool, name, below ? below->id : 0, size, purpose, &target->working, err);
	if (!rc)
		rc = set_size(target, size, err);
	return rc ? rc : open_disk(target, err);
}

int restore_target_close(struct restore_target *target, struct layerblk_error *err)
{
	int fd = take_fd(&target->fd), rc = 0;

	if (fd < 0)
		return 0;
	if (fsync(fd) != 0)
		rc = layerblk_error_set(err, errno, "write the volume", target->working.work.name, "%s", strerror(errno));
	close(fd);
	return rc ? rc : working_deactivate(&target->working, err);
}

int restore_target_resize(struct restore_target *target, uint64_t size, struct layerblk_error *err)
{
	int rc;

	if (!target->pool || size == target->size)
		return set_size(target, size, err);
	rc = restore_target_close(target, err);
	if (!rc)
		rc = set_size(target, size, err);
	return rc ? rc : open_disk(target, err);
}

/* ------------------------------------------------------------------ blocks */

static int write_all(int fd, const uint8_t *data, size_t size, uint64_t offset, struct layerblk_error *err)
{
	while (size) {
		ssize_t done = pwrite(fd, data, size, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			int code = done ? errno : EIO, rc = layerblk_error_set(err, code, "write the volume", "", "%s", strerror(code));

			return code == ENOSPC ? layerblk_error_hint(err, "The pool is full") : rc;
		}
		data += done;
		size -= (size_t)done;
		offset += (uint64_t)done;
	}
	return 0;
}

int restore_ranges(int fd, bool written, const struct volstream_range *ranges, size_t count, const uint8_t *data,
		   struct layerblk_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		uint64_t offset = ranges[i].start * LB_BLOCK_SIZE, size = (uint64_t)ranges[i].count * LB_BLOCK_SIZE;

		if (ranges[i].flags & VOLSTREAM_DATA) {
			rc = write_all(fd, data, size, offset, err);
			data += size;
		} else if (written && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size) != 0) {
			rc = layerblk_error_set(err, errno, "clear a part of the volume", "", "%s", strerror(errno));
		}
	}
	return rc;
}

int restore_target_write(struct restore_target *target, const struct volstream_range *ranges, size_t count, const uint8_t *data,
			 struct layerblk_error *err)
{
	return target->pool ? restore_ranges(target->fd, target->written, ranges, count, data, err) : 0;
}

/* ------------------------------------------------------------------ the end */

void restore_target_attrs(const struct restore_target *target, const struct volstream_volume *volume, struct layerblk_attrs *attrs)
{
	for (size_t i = 0; i < volume->attr_count; i++) {
		const struct volstream_attr *attr = &volume->attrs[i];

		layerblk_attrs_set(attrs, target->working.id, attr->key, attr->value, attr->value_len, 0);
	}
	layerblk_attrs_delete(attrs, target->working.id, ATTR_IMPORT, 0);
	work_leave(attrs, target->working.work.name);
}

int restore_target_name(struct restore_target *target, const struct volstream_volume *volume, const char *name, bool replace,
			struct layerblk_error *err)
{
	struct layerblk_vol_change change = { .flags = LB_VOL_SET_NAME, .name = name, .quota_blocks = volume->quota_blocks };
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	const struct pool *pool = target->pool;
	struct replaced replaced = { 0 };
	int rc = 0;

	if (!pool)
		return 0;
	if (!attrs)
		return no_memory(err);
	restore_target_attrs(target, volume, attrs);
	if (volume->quota_blocks)
		change.flags |= LB_VOL_SET_QUOTA;
	if (replace)
		rc = replaced_begin(&replaced, pool, name, err);
	if (rc)
		return rc;
	replaced_enter(&replaced, attrs);
	if (volume->flags & VOLSTREAM_FROZEN)
		rc = layerblk_vol_freeze(pool->lb, pool->uuid, target->working.id, name, attrs, err);
	else
		rc = layerblk_vol_set(pool->lb, pool->uuid, target->working.id, &change, attrs, err);
	replaced_end(&replaced, pool, rc);
	if (rc)
		return rc;
	restore_target_done(target);
	return 0;
}

void restore_target_done(struct restore_target *target)
{
	working_done(&target->working);
	target->working.id = 0;
}

void restore_target_discard(struct restore_target *target)
{
	if (!target->pool || !target->working.id)
		return;
	if (target->fd >= 0)
		close(take_fd(&target->fd));
	working_discard(&target->working);
	target->working.id = 0;
}
