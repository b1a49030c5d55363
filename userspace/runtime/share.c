// SPDX-License-Identifier: GPL-2.0-or-later
/* See share.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "container.h"
#include "filesystem.h"
#include "hold.h"
#include "json.h"
#include "share.h"

/* ------------------------------------------------------------------ making */

/* -EEXIST: somebody else was quicker. */
static int make_volume(const struct pool *pool, const struct share *share, struct layerblk_error *err)
{
	struct volume_request request = share->wanted;
	char fs[] = FILESYSTEM_DEFAULT;
	uint64_t id;

	request.about.anonymous = share->anonymous;
	if (!request.about.fs && !request.about.device)
		request.about.fs = fs;
	return data_volume_make(pool, share->source, &request, NULL, &id, err);
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

static int invent_name(struct share *share, struct layerblk_error *err)
{
	char random[33];

	random_hex(random, 16);
	share->source = strdup(random);
	return share->source ? 0 : layerblk_error_set(err, ENOMEM, "make the volume", "", "no memory");
}

int share_prepare(const struct pool *pool, struct share *share, struct layerblk_error *err)
{
	struct layerblk_error why = { 0 };
	struct data_volume about;
	int rc = 0;

	if (share->kind != SHARE_VOLUME)
		return share->kind == SHARE_BIND ? prepare_bound(share, err) : 0;
	if (!share->source)
		rc = invent_name(share, err);
	if (rc)
		return rc;
	rc = look_up(pool, share, &why);
	if (rc == -ENOENT) {
		rc = make_volume(pool, share, err);
		share->made = rc == 0;
		if (!rc || rc == -EEXIST)
			rc = look_up(pool, share, err);
	} else if (rc && err) {
		*err = why;
	}
	if (rc)
		return rc;
	rc = data_volume_ready(pool, share->volume, &about, err);
	share->is_new = !rc && about.is_new;
	data_volume_clear(&about);
	return rc;
}

void shares_find_again(const struct pool *pool, struct share_list *list)
{
	struct lb_vol_info info;

	for (size_t i = 0; i < list->count; i++) {
		struct share *share = &list->shares[i];
		int rc;

		if (share->kind != SHARE_VOLUME)
			continue;
		rc = layerblk_vol_stat(pool->lb, pool->uuid, share->volume, 0, &info, NULL);
		if (rc == -ENOENT || (!rc && info.flags & LB_VOL_HIDDEN))
			look_up(pool, share, NULL);
	}
}

/* ------------------------------------------------------------------ use */

int share_mount(const struct pool *pool, struct share *share, struct layerblk_error *err)
{
	struct lb_vol_info info;
	int rc;

	if (share->kind != SHARE_VOLUME)
		return 0;
	rc = layerblk_vol_stat(pool->lb, pool->uuid, share->volume, 0, &info, err);
	if (!rc)
		rc = hold_take(pool, share->volume, &share->lock, err);
	if (rc)
		return rc;
	snprintf(share->path, sizeof(share->path), "%s/%" PRIu64, SHARE_DIR, share->volume);
	rc = directory_make(share->path, err);
	return rc ? rc : data_volume_mount(pool, share->volume, share->path, info.flags & LB_VOL_FROZEN, err);
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
