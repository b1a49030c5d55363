// SPDX-License-Identifier: GPL-2.0-or-later
/* See working.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cleanup.h"
#include "filesystem.h"
#include "hold.h"
#include "report.h"
#include "working.h"

/* Whatever is left of it; harmless when it is gone already. */
static int remove_volume(const struct pool *pool, const char *name, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	cleanup_free char *mark = NULL;
	struct lb_vol_info info;
	int rc;

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "remove the volume", name, "no memory");
	work_leave(attrs, name);
	rc = layerblk_vol_find(pool->lb, pool->uuid, name, 0, &info, err);
	if (rc == -ENOENT)
		return layerblk_attrs_commit(pool->lb, pool->uuid, attrs, err);
	if (rc)
		return rc;
	rc = layerblk_attr_get(pool->lb, pool->uuid, info.id, ATTR_IMPORT, &mark, NULL, err);
	if (rc == -ENOENT)		/* somebody else's by now */
		return layerblk_attrs_commit(pool->lb, pool->uuid, attrs, err);
	if (!rc)
		rc = disk_deactivate(pool->lb, pool->uuid, info.id, err);
	if (!rc)
		rc = layerblk_vol_rm(pool->lb, pool->uuid, info.id, 0, attrs, err);
	if (!rc)
		hold_forget(pool, info.id);
	return rc;
}

int working_clean(const struct pool *pool, const char *name, struct layerblk_error *err)
{
	char directory[sizeof(WORKING_DIR) + 1 + WORK_NAME_MAX];

	snprintf(directory, sizeof(directory), "%s/%.*s", WORKING_DIR, WORK_NAME_MAX, name);
	rmdir(directory);
	return remove_volume(pool, name, err);
}

/* below 0: an empty volume of `size` bytes. */
static int begin(const struct pool *pool, const char *name, uint64_t below, uint32_t flags, uint64_t size, const char *purpose,
		 struct working *out, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	int rc;

	*out = (struct working){ .pool = pool, .work.lock = -1 };
	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "make the layer", name, "no memory");
	rc = work_begin(pool, name, &out->work, err);
	if (rc)
		return rc;
	work_enter(attrs, out->work.name, WORKING_KIND);
	layerblk_attrs_set_string(attrs, LB_ATTR_NEW_VOLUME, ATTR_IMPORT, purpose, 0);
	rc = below ? layerblk_vol_snapshot(pool->lb, pool->uuid, below, out->work.name, flags, 0, attrs, &out->id, err) :
	     layerblk_vol_create(pool->lb, pool->uuid, out->work.name, size, 0, attrs, &out->id, err);
	if (rc)
		work_end(&out->work);
	return rc == -ENOENT && below ? -ESTALE : rc;
}

int working_begin(const struct pool *pool, const char *name, uint64_t below, uint64_t size, const char *purpose, struct working *out,
		  struct layerblk_error *err)
{
	return begin(pool, name, below, 0, size, purpose, out, err);
}

int working_cut(const struct pool *pool, const char *name, uint64_t volume, const char *purpose, struct working *out,
		struct layerblk_error *err)
{
	return begin(pool, name, volume, LB_SNAP_FROZEN, 0, purpose, out, err);
}

int working_mount(struct working *working, const char *fs, bool make, uint64_t size, const char *options, struct layerblk_error *err)
{
	const struct pool *pool = working->pool;
	int rc = disk_activate(pool->lb, pool->uuid, working->id, 0, working->device, err);

	if (!rc && make)
		rc = filesystem_make(fs, working->device, filesystem_size(fs, size), err);
	if (rc)
		return rc;
	snprintf(working->directory, sizeof(working->directory), "%s/%s", WORKING_DIR, working->work.name);
	rc = directory_make(working->directory, err);
	if (!rc)
		rc = disk_mount(working->device, working->directory, fs, options, false, err);
	working->mounted = !rc;
	return rc;
}

static int unmount(struct working *working, bool lazy, struct layerblk_error *err)
{
	int rc;

	if (!working->mounted)
		return 0;
	rc = disk_umount(working->directory, lazy, err);
	if (rc)
		return rc;
	working->mounted = false;
	rmdir(working->directory);	/* before the freezing, after which nobody looks for it */
	return 0;
}

int working_unmount(struct working *working, struct layerblk_error *err)
{
	cleanup_fd int root = open(working->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0 || syncfs(root) != 0)
		return layerblk_error_set(err, errno, "write the layer to", working->device, "%s", strerror(errno));
	close(take_fd(&root));
	return unmount(working, false, err);
}

int working_deactivate(struct working *working, struct layerblk_error *err)
{
	return disk_deactivate(working->pool->lb, working->pool->uuid, working->id, err);
}

void working_done(struct working *working)
{
	work_end(&working->work);
}

void working_discard(struct working *working)
{
	struct layerblk_error err = { 0 };
	char text[1600];
	int rc;

	rc = unmount(working, true, &err);
	if (*working->directory)
		rmdir(working->directory);
	if (!rc)
		rc = remove_volume(working->pool, working->work.name, &err);
	if (rc)
		report_note("the unfinished volume stays until the next command: %s",
			    layerblk_error_format(&err, text, sizeof(text)));
	work_end(&working->work);
}
