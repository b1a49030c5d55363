// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See share.h. A missing volume is made under a working name, like a layer that is imported, and gets its own name and
 * mark in one transaction when its file system is there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "container.h"
#include "disk.h"
#include "filesystem.h"
#include "hold.h"
#include "import.h"
#include "json.h"
#include "share.h"

#define MARK_FORMATTED	"{\"version\":1,\"fs\":\"" FILESYSTEM_DEFAULT "\"}"
#define MARK_ANONYMOUS	"{\"version\":1,\"fs\":\"" FILESYSTEM_DEFAULT "\",\"anonymous\":true}"
#define MARK_FORMATTING	"{\"version\":1,\"formatting\":true}"

/* ------------------------------------------------------------------ making */

static int format(const struct pool *pool, uint64_t id, uint64_t size, struct layerblk_error *err)
{
	char device[DISK_PATH];
	int rc = disk_activate(pool->lb, pool->uuid, id, 0, device, err);

	if (!rc)
		rc = filesystem_make(FILESYSTEM_DEFAULT, device, size, err);
	if (!rc)
		rc = disk_deactivate(pool->lb, pool->uuid, id, err);
	return rc;
}

static int set_mark(const struct pool *pool, uint64_t id, const char *mark, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "make the volume", "", "no memory");
	layerblk_attrs_set_string(attrs, id, ATTR_VOLUME, mark, 0);
	return layerblk_vol_set(pool->lb, pool->uuid, id, NULL, attrs, err);
}

/* Whether nothing was ever written to the volume, or a formatting of ours was cut short. */
static int is_blank(const struct pool *pool, uint64_t id, struct lb_vol_info *info, struct layerblk_error *err)
{
	cleanup_free char *mark = NULL;
	int rc = layerblk_vol_stat(pool->lb, pool->uuid, id, LB_STAT_MAPPED, info, err);

	if (rc)
		return rc;
	if (info->flags & LB_VOL_FROZEN)
		return 0;
	if (layerblk_attr_get(pool->lb, pool->uuid, id, ATTR_VOLUME, &mark, NULL, NULL) == 0 && strcmp(mark, MARK_FORMATTING) == 0)
		return 1;
	return info->mapped_blocks == 0 && !info->parent;
}

/*
 * A volume that was created without a file system gets one when it is used first; 1 when it was so. The mark makes a crash harmless, and
 * the pool's lock lets only one command look and mark; who finds the mark waits for its holder to be done.
 */
static int format_blank(const struct pool *pool, uint64_t id, struct layerblk_error *err)
{
	struct work work = { .lock = -1 };
	struct lb_vol_info info;
	char name[48];
	int rc = is_blank(pool, id, &info, err);

	if (rc <= 0)
		return rc;
	snprintf(name, sizeof(name), "@format.%" PRIu64, id);
	rc = work_wait(pool, name, &work, err);
	if (rc)
		return rc;
	rc = is_blank(pool, id, &info, err);	/* another command may have been quicker */
	if (rc > 0) {
		rc = set_mark(pool, id, MARK_FORMATTING, err);
		if (!rc)
			rc = format(pool, id, info.volume_size, err);
		if (!rc)
			rc = set_mark(pool, id, MARK_FORMATTED, err);
		rc = rc ? rc : 1;
	}
	work_end(&work);
	return rc;
}

/* The working volume gets its name. -EEXIST: somebody else was quicker. */
static int give_name(const struct pool *pool, const char *working, uint64_t id, const struct share *share,
		     struct layerblk_error *err)
{
	struct layerblk_vol_change change = { .flags = LB_VOL_SET_NAME, .name = share->source };
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "make the volume", share->source, "no memory");
	layerblk_attrs_set_string(attrs, id, ATTR_VOLUME, share->anonymous ? MARK_ANONYMOUS : MARK_FORMATTED, 0);
	layerblk_attrs_delete(attrs, id, ATTR_IMPORT, 0);
	work_leave(attrs, working);
	return layerblk_vol_set(pool->lb, pool->uuid, id, &change, attrs, err);
}

/* 1: made; 0: somebody else was quicker. */
static int make_volume(const struct pool *pool, const struct share *share, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct layerblk_error ignored;
	struct work work = { .lock = -1 };
	char random[13], working[64];
	uint64_t id;
	int rc;

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "make the volume", share->source, "no memory");
	random_hex(random, 6);
	snprintf(working, sizeof(working), "volume-%s", random);
	rc = work_begin(pool, working, &work, err);
	if (rc)
		return rc;
	work_enter(attrs, working, IMPORT_KIND);
	layerblk_attrs_set_string(attrs, LB_ATTR_NEW_VOLUME, ATTR_IMPORT, share->source, 0);
	rc = layerblk_vol_create(pool->lb, pool->uuid, working, SHARE_SIZE, 0, attrs, &id, err);
	if (!rc)
		rc = format(pool, id, SHARE_SIZE, err);
	if (!rc)
		rc = give_name(pool, working, id, share, err);
	if (rc)
		import_clean(pool, working, &ignored);
	work_end(&work);
	return rc == -EEXIST ? 0 : rc ? rc : 1;
}

/* A volume by this name that can be mounted so. */
static int look_up(const struct pool *pool, struct share *share, struct layerblk_error *err)
{
	cleanup_free char *other = NULL;
	struct lb_vol_info info;
	int rc = layerblk_vol_find(pool->lb, pool->uuid, share->source, 0, &info, err);

	if (rc)
		return rc;
	if (layerblk_attr_get(pool->lb, pool->uuid, info.id, ATTR_CONTAINER, &other, NULL, NULL) == 0)
		return layerblk_error_set(err, EBUSY, "use the volume", share->source, "it is a container's root");
	if ((info.flags & LB_VOL_FROZEN) && !share->read_only) {
		layerblk_error_set(err, EROFS, "use the volume", share->source, "it is frozen");
		return layerblk_error_hint(err, "Add \":ro\", or make a writable snapshot of it");
	}
	share->volume = info.id;
	return 0;
}

static int prepare_bound(const struct share *share, struct layerblk_error *err)
{
	struct stat st;

	if (stat(share->source, &st) == 0)
		return 0;
	if (errno != ENOENT || share->must_exist)
		return layerblk_error_set(err, errno, "use the directory", share->source, "%s", strerror(errno));
	if (directory_make(share->source, err))
		return -err->code;
	chmod(share->source, 0755);
	return 0;
}

int share_prepare(const struct pool *pool, struct share *share, bool *fresh, struct layerblk_error *err)
{
	struct layerblk_error why = { 0 };
	char random[33];
	int rc, made = 0;

	*fresh = false;
	if (share->kind != SHARE_VOLUME)
		return share->kind == SHARE_BIND ? prepare_bound(share, err) : 0;
	if (!share->source) {
		random_hex(random, 16);
		share->source = strdup(random);
		if (!share->source)
			return layerblk_error_set(err, ENOMEM, "make the volume", "", "no memory");
	}
	rc = look_up(pool, share, &why);
	if (rc == -ENOENT) {
		made = make_volume(pool, share, err);
		rc = made < 0 ? made : look_up(pool, share, err);
	} else if (rc && err) {
		*err = why;
	}
	if (!rc && !made)
		rc = format_blank(pool, share->volume, err);
	*fresh = made > 0 || rc > 0;
	return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------------------ use */

int share_mount(const struct pool *pool, struct share *share, struct layerblk_error *err)
{
	struct lb_vol_info info;
	char device[DISK_PATH];
	bool frozen;
	int rc;

	if (share->kind != SHARE_VOLUME)
		return 0;
	rc = layerblk_vol_stat(pool->lb, pool->uuid, share->volume, 0, &info, err);
	if (!rc)
		rc = hold_take(pool, share->volume, &share->lock, err);
	if (rc)
		return rc;
	frozen = info.flags & LB_VOL_FROZEN;
	snprintf(share->path, sizeof(share->path), "%s/%" PRIu64, SHARE_DIR, share->volume);
	rc = directory_make(share->path, err);
	if (!rc)
		rc = disk_activate(pool->lb, pool->uuid, share->volume, 0, device, err);
	return rc ? rc : disk_mount(device, share->path, NULL, "nodev", frozen, err);
}

void share_release(const struct pool *pool, struct share *share)
{
	hold_drop(pool, share->volume, &share->lock);
}

void share_release_all(const struct pool *pool, json_object *record)
{
	json_object *mounts = json_member(record, "mounts", json_type_array);

	for (size_t i = 0; mounts && i < json_object_array_length(mounts); i++) {
		long long volume = json_number(json_object_array_get_idx(mounts, i), "volume_id");

		if (volume > 0)
			hold_let_go(pool, (uint64_t)volume);
	}
}

void share_remove_anonymous(const struct pool *pool, json_object *record)
{
	json_object *mounts = json_member(record, "mounts", json_type_array);

	for (size_t i = 0; mounts && i < json_object_array_length(mounts); i++) {
		json_object *mount = json_object_array_get_idx(mounts, i);
		long long volume = json_number(mount, "volume_id");

		if (volume <= 0 || !json_object_get_boolean(json_member(mount, "anonymous", json_type_boolean)))
			continue;
		hold_let_go(pool, (uint64_t)volume);
		if (layerblk_vol_rm(pool->lb, pool->uuid, (uint64_t)volume, 0, NULL, NULL) == 0)
			hold_forget(pool, (uint64_t)volume);
	}
}
