// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See root_template.h. It is made on a working volume (working.h), like a layer, and appears whole in the transaction that freezes it and
 * enters its key. Commands that need the same one wait for the first that makes it. A snapshot is made of it, and it is pruned, under the
 * pool's lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cleanup.h"
#include "filesystem.h"
#include "hold.h"
#include "namespace.h"
#include "root_template.h"
#include "volume_users.h"
#include "wait.h"
#include "working.h"

#define MAKE_WAIT_MS	120000		/* how long another command that makes it is waited for */

struct making {
	const struct pool *pool;
	const char *fs;
	uint64_t size;
	char key[KEY_TEXT];
	struct working working;
};

static void making_begin(struct making *making, const struct pool *pool, const char *fs, uint64_t size)
{
	*making = (struct making){ .pool = pool, .fs = fs, .size = size, .working.work.lock = -1 };
	snprintf(making->key, sizeof(making->key), KEY_TEMPLATE "%.15s/%" PRIu64, fs, size);
}

/* 1: there is one. A key that leads nowhere, because somebody has removed the volume, counts for nothing. */
static int find(const struct pool *pool, const char *key, struct lb_vol_info *info, struct layerblk_error *err)
{
	cleanup_free char *text = NULL, *mark = NULL;
	int rc = layerblk_attr_get(pool->lb, pool->uuid, 0, key, &text, NULL, err);

	if (!rc)
		rc = layerblk_vol_stat(pool->lb, pool->uuid, strtoull(text, NULL, 10), 0, info, err);
	if (!rc)
		rc = layerblk_attr_get(pool->lb, pool->uuid, info->id, ATTR_TEMPLATE, &mark, NULL, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	return info->flags & LB_VOL_FROZEN && !(info->flags & LB_VOL_HIDDEN);
}

/* ------------------------------------------------------------------ making */

/*
 * A container's first mount has less to write when they are there. mkfs.ext4's own directory goes, but they are made in it: of those in the
 * root directory, ext4 puts each into a group of its own, and each group costs memory where it is in use.
 */
static int make_directories(const char *path, struct layerblk_error *err)
{
	static const char *const names[] = { "new", "work" };
	cleanup_fd int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), inner = -1;
	bool good = top >= 0;

	if (good)
		inner = openat(top, "lost+found", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; good && i < 2; i++)
		good = mkdirat(inner < 0 ? top : inner, names[i], 0700) == 0 && (inner < 0 || renameat(inner, names[i], top, names[i]) == 0);
	if (good && inner >= 0)
		good = unlinkat(top, "lost+found", AT_REMOVEDIR) == 0;
	return good ? 0 : layerblk_error_set(err, errno, "make the directories in", path, "%s", strerror(errno));
}

static int fill(void *arg, struct layerblk_error *err)
{
	struct making *making = arg;
	struct working *working = &making->working;
	int rc = disk_activate(making->pool->lb, making->pool->uuid, working->id, 0, working->device, err);

	if (!rc)
		rc = filesystem_make_frugal(making->fs, working->device, filesystem_size(making->fs, making->size), err);
	if (!rc)
		rc = working_mount(working, making->fs, false, 0, filesystem_import_options(making->fs), err);
	if (!rc)
		rc = make_directories(working->directory, err);
	if (!rc)
		rc = working_unmount(working, err);
	if (!rc)
		rc = working_deactivate(working, err);
	rmdir(working->directory);
	return rc;
}

/* The transaction that makes the working volume the template. */
static int enter(const struct making *making, struct layerblk_error *err)
{
	const struct pool *pool = making->pool;
	const struct working *working = &making->working;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	char json[128], id[24], name[64];
	int rc;

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "make the template", making->key, "no memory");
	snprintf(id, sizeof(id), "%" PRIu64, working->id);
	snprintf(json, sizeof(json), "{\"version\":1,\"fs\":\"%.15s\",\"size\":%" PRIu64 "}", making->fs, making->size);
	snprintf(name, sizeof(name), "template-%.15s-%" PRIu64, making->fs, making->size);
	layerblk_attrs_set_string(attrs, 0, making->key, id, 0);
	layerblk_attrs_set_string(attrs, working->id, ATTR_TEMPLATE, json, 0);
	layerblk_attrs_delete(attrs, working->id, ATTR_IMPORT, 0);
	work_leave(attrs, working->work.name);
	rc = layerblk_vol_freeze(pool->lb, pool->uuid, working->id, name, attrs, err);
	if (rc == -EEXIST) {		/* the name is a volume's of another kind */
		snprintf(name, sizeof(name), "template-%.15s-%" PRIu64 "-%" PRIu64, making->fs, making->size, working->id);
		rc = layerblk_vol_freeze(pool->lb, pool->uuid, working->id, name, attrs, err);
	}
	return rc;
}

static int make(struct making *making, struct layerblk_error *err)
{
	char random[13], name[64];
	int rc;

	random_hex(random, 6);
	snprintf(name, sizeof(name), "template-%s", random);
	rc = working_begin(making->pool, name, 0, making->size, making->key, &making->working, err);
	if (rc)
		return rc;
	rc = namespace_run(fill, making, err);
	if (!rc)
		rc = enter(making, err);
	if (rc) {
		working_discard(&making->working);
		return rc;
	}
	working_done(&making->working);
	return 0;
}

int root_template_find(const struct pool *pool, const char *fs, uint64_t size, uint64_t *volume, struct layerblk_error *err)
{
	struct lb_vol_info info;
	struct making making;
	int rc;

	making_begin(&making, pool, fs, size);
	rc = find(pool, making.key, &info, err);
	if (rc < 0)
		return rc;
	if (!rc)
		return layerblk_error_set(err, EAGAIN, "find the template", making.key, "it has been removed");
	*volume = info.id;
	return 0;
}

int root_template_make(const struct pool *pool, const char *fs, uint64_t size, struct layerblk_error *err)
{
	struct wait wait = wait_begin(MAKE_WAIT_MS);
	struct work turn = { .lock = -1 };
	struct lb_vol_info info;
	struct making making;
	char name[64];
	int rc;

	making_begin(&making, pool, fs, size);
	snprintf(name, sizeof(name), "@template.%.15s.%" PRIu64, fs, size);
	do {
		rc = find(pool, making.key, &info, err);
		if (rc)
			return rc < 0 ? rc : 0;
		rc = work_wait(pool, name, &turn, err);
	} while (rc == -EBUSY && wait_again(&wait));
	if (rc)
		return rc;
	rc = find(pool, making.key, &info, err);
	if (!rc)
		rc = make(&making, err);
	work_end(&turn);
	return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------------------ pruning */

struct prune {
	const struct pool *pool;
	uint64_t *bytes;
	remove_said_fn *said;
	void *arg;
	char **keys;
	size_t count;
};

static int note_key(void *arg, const char *key, size_t value_len)
{
	struct prune *prune = arg;
	char **more = reallocarray(prune->keys, prune->count + 1, sizeof(*more));

	(void)value_len;
	if (!more)
		return -ENOMEM;
	prune->keys = more;
	more[prune->count] = strdup(key);
	return more[prune->count] ? (prune->count++, 0) : -ENOMEM;
}

/* A key that leads nowhere goes, too. */
static int prune_one(const struct prune *prune, const char *key, struct layerblk_error *err)
{
	const struct pool *pool = prune->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	cleanup_free char *user = NULL;
	struct lb_vol_info info;
	int rc = find(pool, key, &info, err), found = rc;

	if (rc > 0)
		rc = volume_descendant(pool, info.id, &user, err);
	if (rc < 0 || user)
		return rc;
	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "remove the template", key, "no memory");
	layerblk_attrs_delete(attrs, 0, key, 0);
	if (!found)
		return layerblk_attrs_commit(pool->lb, pool->uuid, attrs, err);
	rc = layerblk_vol_rm(pool->lb, pool->uuid, info.id, 0, attrs, err);
	if (rc)
		return rc == -ENOENT || rc == -EBUSY ? 0 : rc;	/* somebody was quicker, or looks into it */
	hold_forget(pool, info.id);
	*prune->bytes += info.owned_blocks * LB_BLOCK_SIZE;
	prune->said(prune->arg, "Deleted", info.name);
	return 0;
}

int root_templates_prune(const struct pool *pool, uint64_t *bytes, remove_said_fn *said, void *arg, struct layerblk_error *err)
{
	struct prune prune = { .pool = pool, .bytes = bytes, .said = said, .arg = arg };
	cleanup_fd int lock = -1;
	int rc = pool_lock(pool, &lock, err);

	if (!rc)
		rc = layerblk_attr_each(pool->lb, pool->uuid, 0, KEY_TEMPLATE, note_key, &prune, err);
	if (rc == -ENOMEM)
		layerblk_error_set(err, ENOMEM, "look for templates", "", "no memory");
	for (size_t i = 0; !rc && i < prune.count; i++)
		rc = prune_one(&prune, prune.keys[i], err);
	while (prune.count)
		free(prune.keys[--prune.count]);
	free(prune.keys);
	return rc;
}
