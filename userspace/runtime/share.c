// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See share.h. A missing volume is made under a working name, like a layer that is imported, and gets its own name and
 * mark in one transaction when its file system is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "container.h"
#include "disk.h"
#include "filesystem.h"
#include "import.h"
#include "json.h"
#include "ref.h"
#include "report.h"
#include "share.h"
#include "wait.h"

#define MARK_FORMATTED	"{\"version\":1,\"fs\":\"" FILESYSTEM_DEFAULT "\"}"
#define MARK_FORMATTING	"{\"version\":1,\"formatting\":true}"
#define RELEASE_MS	3000		/* how long somebody else's use of a disk is waited for */

/* ------------------------------------------------------------------ parsing */

static int wrong(const char *text, const char *why, struct layerblk_error *err)
{
	layerblk_error_set(err, EINVAL, "use the volume", text, "%s", why);
	return layerblk_error_hint(err, "The form is NAME:/path or /directory:/path, with \":ro\" at the end for read-only");
}

int share_parse(const char *text, struct share *out, struct layerblk_error *err)
{
	cleanup_free char *copy = strdup(text);
	char *target, *mode;

	memset(out, 0, sizeof(*out));
	out->lock = -1;
	if (!copy)
		return layerblk_error_set(err, ENOMEM, "use the volume", text, "no memory");
	target = strchr(copy, ':');
	if (!target)
		return wrong(text, "no path in the container is given", err);
	*target++ = '\0';
	mode = strchr(target, ':');
	if (mode) {
		*mode++ = '\0';
		out->read_only = strcmp(mode, "ro") == 0;
		if (!out->read_only && strcmp(mode, "rw") != 0)
			return wrong(text, "what follows the path is neither \"ro\" nor \"rw\"", err);
	}
	if (*target != '/' || strspn(target, "/") == strlen(target) || strstr(target, "/../"))
		return wrong(text, "the path in the container must be absolute and not \"/\"", err);
	out->bound = *copy == '/';
	if (!out->bound && layerblk_name_check(copy, NULL) != 0)
		return wrong(text, "this cannot be a volume's name", err);
	out->source = strdup(copy);
	out->target = strdup(target);
	if (out->source && out->target)
		return 0;
	share_clear(out);
	return layerblk_error_set(err, ENOMEM, "use the volume", text, "no memory");
}

void share_clear(struct share *share)
{
	free(share->source);
	free(share->target);
	if (share->lock >= 0)
		close(share->lock);
	memset(share, 0, sizeof(*share));
	share->lock = -1;
}

json_object *share_json(const struct share *share)
{
	json_object *json = json_object_new_object();

	json_object_object_add(json, "type", json_object_new_string(share->bound ? "bind" : "volume"));
	json_object_object_add(json, "source", json_object_new_string(share->source));
	json_object_object_add(json, "target", json_object_new_string(share->target));
	json_object_object_add(json, "read_only", json_object_new_boolean(share->read_only));
	if (!share->bound)
		json_object_object_add(json, "volume_id", json_object_new_int64((int64_t)share->volume));
	return json;
}

/* ------------------------------------------------------------------ making */

/* The file whose lock users of the volume share. */
static int open_lock(const struct pool *pool, uint64_t volume)
{
	char text[UUID_TEXT], path[sizeof(RUN_DIR) + UUID_TEXT + 48];

	if (directory_make(RUN_DIR "/work", NULL))
		return -1;
	snprintf(path, sizeof(path), "%s/work/%s@use.%" PRIu64, RUN_DIR, uuid_text(pool->uuid, text), volume);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

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

/* A volume that was created without a file system gets one when it is used first. The mark makes a crash harmless. */
static int format_blank(const struct pool *pool, uint64_t id, struct layerblk_error *err)
{
	cleanup_fd int lock = -1;
	struct lb_vol_info info;
	int rc = is_blank(pool, id, &info, err);

	if (rc <= 0)
		return rc;
	lock = open_lock(pool, id);
	if (lock < 0 || flock(lock, LOCK_EX) != 0)
		return layerblk_error_set(err, errno, "lock the volume", info.name, "%s", strerror(errno));
	rc = is_blank(pool, id, &info, err);	/* another command may have been quicker */
	if (rc <= 0)
		return rc;
	rc = set_mark(pool, id, MARK_FORMATTING, err);
	if (!rc)
		rc = format(pool, id, info.volume_size, err);
	return rc ? rc : set_mark(pool, id, MARK_FORMATTED, err);
}

/* The working volume gets its name. -EEXIST: somebody else was quicker. */
static int give_name(const struct pool *pool, const char *working, uint64_t id, const char *name,
		     struct layerblk_error *err)
{
	struct layerblk_vol_change change = { .flags = LB_VOL_SET_NAME, .name = name };
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "make the volume", name, "no memory");
	layerblk_attrs_set_string(attrs, id, ATTR_VOLUME, MARK_FORMATTED, 0);
	layerblk_attrs_delete(attrs, id, ATTR_IMPORT, 0);
	work_leave(attrs, working);
	return layerblk_vol_set(pool->lb, pool->uuid, id, &change, attrs, err);
}

static int make_volume(const struct pool *pool, const char *name, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct layerblk_error ignored;
	struct work work = { .lock = -1 };
	char random[13], working[64];
	uint64_t id;
	int rc;

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "make the volume", name, "no memory");
	random_hex(random, 6);
	snprintf(working, sizeof(working), "volume-%s", random);
	rc = work_begin(pool, working, &work, err);
	if (rc)
		return rc;
	work_enter(attrs, working, IMPORT_KIND);
	layerblk_attrs_set_string(attrs, LB_ATTR_NEW_VOLUME, ATTR_IMPORT, name, 0);
	rc = layerblk_vol_create(pool->lb, pool->uuid, working, SHARE_SIZE, 0, attrs, &id, err);
	if (!rc)
		rc = format(pool, id, SHARE_SIZE, err);
	if (!rc)
		rc = give_name(pool, working, id, name, err);
	if (rc)
		import_clean(pool, working, &ignored);
	work_end(&work);
	return rc == -EEXIST ? 0 : rc;
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

static int prepare_bound(struct share *share, struct layerblk_error *err)
{
	struct stat st;

	if (stat(share->source, &st) == 0)
		return 0;
	if (errno != ENOENT)
		return layerblk_error_set(err, errno, "use the directory", share->source, "%s", strerror(errno));
	if (directory_make(share->source, err))
		return -err->code;
	chmod(share->source, 0755);
	return 0;
}

int share_prepare(const struct pool *pool, struct share *share, struct layerblk_error *err)
{
	struct layerblk_error why = { 0 };
	int rc;

	if (share->bound)
		return prepare_bound(share, err);
	rc = look_up(pool, share, &why);
	if (rc == -ENOENT) {
		rc = make_volume(pool, share->source, err);
		return rc ? rc : look_up(pool, share, err);
	}
	if (rc && err)
		*err = why;
	return rc ? rc : format_blank(pool, share->volume, err);
}

/* ------------------------------------------------------------------ use */

int share_mount(const struct pool *pool, struct share *share, struct layerblk_error *err)
{
	struct lb_vol_info info;
	char device[DISK_PATH];
	bool frozen;
	int rc;

	if (share->bound)
		return 0;
	rc = layerblk_vol_stat(pool->lb, pool->uuid, share->volume, 0, &info, err);
	if (rc)
		return rc;
	frozen = info.flags & LB_VOL_FROZEN;
	share->lock = open_lock(pool, share->volume);
	if (share->lock < 0 || flock(share->lock, LOCK_SH) != 0)
		return layerblk_error_set(err, errno, "lock the volume", share->source, "%s", strerror(errno));
	snprintf(share->path, sizeof(share->path), "%s/%" PRIu64, SHARE_DIR, share->volume);
	rc = directory_make(share->path, err);
	if (!rc)
		rc = disk_activate(pool->lb, pool->uuid, share->volume, 0, device, err);
	if (!rc)
		rc = disk_mount(device, share->path, NULL, "nodev", frozen, err);
	share->mounted = !rc;
	return rc;
}

/* Lets go of the disk unless another container has its lock. Whoever else has it open (a mount on the host) keeps it. */
static void release_disk(const struct pool *pool, uint64_t volume, int lock)
{
	struct wait wait = wait_begin(RELEASE_MS);

	if (flock(lock, LOCK_EX | LOCK_NB) != 0)
		return;
	while (layerblk_vol_deactivate(pool->lb, pool->uuid, volume, NULL) == -EBUSY && wait_again(&wait))
		;
}

void share_release(const struct pool *pool, struct share *share)
{
	struct layerblk_error err = { 0 };
	char text[1600];

	if (share->lock < 0)
		return;
	if (share->mounted && disk_umount(share->path, true, &err) != 0)
		report_note("%s", layerblk_error_format(&err, text, sizeof(text)));
	share->mounted = false;
	release_disk(pool, share->volume, share->lock);
	close(share->lock);
	share->lock = -1;
}

void share_release_all(const struct pool *pool, json_object *record)
{
	json_object *mounts = json_member(record, "mounts", json_type_array);

	for (size_t i = 0; mounts && i < json_object_array_length(mounts); i++) {
		long long volume = json_number(json_object_array_get_idx(mounts, i), "volume_id");
		cleanup_fd int lock = volume > 0 ? open_lock(pool, (uint64_t)volume) : -1;

		if (lock >= 0)
			release_disk(pool, (uint64_t)volume, lock);
	}
}
