// SPDX-License-Identifier: GPL-2.0-or-later
/* See work.h. Locks are flock(): the kernel lets go of them when their process ends, however it ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "filesystem.h"
#include "ref.h"
#include "report.h"
#include "wait.h"
#include "work.h"

#define WORK_DIR	RUN_DIR "/work"
#define WAIT_MS		15000

void random_hex(char *text, size_t bytes)
{
	unsigned char raw[32];
	size_t got = 0;

	while (got < bytes) {
		ssize_t more = getrandom(raw + got, bytes - got, 0);

		if (more > 0)
			got += (size_t)more;
	}
	for (size_t i = 0; i < bytes; i++)
		sprintf(text + 2 * i, "%02x", raw[i]);
}

int pool_lock(const struct pool *pool, int *fd, struct layerblk_error *err)
{
	char text[UUID_TEXT], path[sizeof(WORK_DIR) + UUID_TEXT + 16];
	int rc = directory_make(WORK_DIR, err);

	if (rc)
		return rc;
	snprintf(path, sizeof(path), "%s/%s@pool", WORK_DIR, uuid_text(pool->uuid, text));
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0)
		return layerblk_error_set(err, errno, "lock", path, "%s", strerror(errno));
	while (flock(*fd, LOCK_EX) != 0) {
		if (errno == EINTR)
			continue;
		rc = layerblk_error_set(err, errno, "lock", path, "%s", strerror(errno));
		close(*fd);
		*fd = -1;
		return rc;
	}
	return 0;
}

static void lock_path(const struct pool *pool, const char *name, struct work *work)
{
	char text[UUID_TEXT];

	snprintf(work->name, sizeof(work->name), "%s", name);
	snprintf(work->path, sizeof(work->path), "%s/%s.%s", WORK_DIR, uuid_text(pool->uuid, text), work->name);
}

/* The lock was taken on a file that is still the one of this name. */
static bool still_there(const struct work *work)
{
	struct stat held, named;

	return fstat(work->lock, &held) == 0 && stat(work->path, &named) == 0 && held.st_ino == named.st_ino &&
	       held.st_dev == named.st_dev;
}

int work_begin(const struct pool *pool, const char *name, struct work *work, struct layerblk_error *err)
{
	int rc;

	work->lock = -1;
	if (strlen(name) > WORK_NAME_MAX)
		return layerblk_error_set(err, ENAMETOOLONG, "use the name", name, "it is longer than %d bytes", WORK_NAME_MAX);
	rc = directory_make(WORK_DIR, err);
	if (rc)
		return rc;
	lock_path(pool, name, work);
	for (;;) {
		work->lock = open(work->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (work->lock < 0)
			return layerblk_error_set(err, errno, "lock", work->path, "%s", strerror(errno));
		if (flock(work->lock, LOCK_EX | LOCK_NB) != 0) {
			close(work->lock);
			work->lock = -1;
			return layerblk_error_set(err, EBUSY, "use the name", name, "another command is working on it");
		}
		if (still_there(work))
			return 0;
		close(work->lock);	/* its last holder removed it in between */
	}
}

int work_wait(const struct pool *pool, const char *name, struct work *work, struct layerblk_error *err)
{
	struct wait wait = wait_begin(WAIT_MS);
	int rc;

	do
		rc = work_begin(pool, name, work, err);
	while (rc == -EBUSY && wait_again(&wait));
	return rc;
}

void work_enter(struct layerblk_attrs *attrs, const char *name, const char *kind)
{
	char key[KEY_TEXT];

	snprintf(key, sizeof(key), KEY_WORK "%s", name);
	layerblk_attrs_set_string(attrs, 0, key, kind, 0);
}

void work_leave(struct layerblk_attrs *attrs, const char *name)
{
	char key[KEY_TEXT];

	snprintf(key, sizeof(key), KEY_WORK "%s", name);
	layerblk_attrs_delete(attrs, 0, key, 0);
}

void work_end(struct work *work)
{
	if (work->lock < 0 || !*work->path)
		return;
	unlink(work->path);
	close(work->lock);
	work->lock = -1;
}

bool work_is_alive(const struct pool *pool, const char *name)
{
	struct work work = { .lock = -1 };
	cleanup_fd int fd = -1;

	if (strlen(name) > WORK_NAME_MAX)
		return false;
	lock_path(pool, name, &work);
	fd = open(work.path, O_RDWR | O_CLOEXEC);
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

/* ------------------------------------------------------------------ sweeping */

struct names {
	const struct pool *pool;
	const char *kind;
	char **names;
	size_t count;
};

static int collect(void *arg, const char *key, size_t value_len)
{
	cleanup_free char *kind = NULL;
	struct names *all = arg;
	char **more;

	if (value_len != strlen(all->kind) || layerblk_attr_get(all->pool->lb, all->pool->uuid, 0, key, &kind, NULL, NULL) ||
	    strcmp(kind, all->kind) != 0)
		return 0;
	more = reallocarray(all->names, all->count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	all->names = more;
	more[all->count] = strdup(key + strlen(KEY_WORK));
	return more[all->count] ? (all->count++, 0) : -ENOMEM;
}

static void sweep_one(const struct pool *pool, const char *name, work_clean_fn *clean)
{
	struct layerblk_error err = { 0 };
	struct work work = { .lock = -1 };
	char text[1600];

	if (work_begin(pool, name, &work, &err) != 0)
		return;			/* alive */
	if (clean(pool, name, &err) != 0)
		report_note("what an interrupted command left stays for now: %s",
			    layerblk_error_format(&err, text, sizeof(text)));
	work_end(&work);
}

void work_sweep(const struct pool *pool, const char *kind, work_clean_fn *clean)
{
	struct names all = { .pool = pool, .kind = kind };

	layerblk_attr_each(pool->lb, pool->uuid, 0, KEY_WORK, collect, &all, NULL);
	for (size_t i = 0; i < all.count; i++) {
		sweep_one(pool, all.names[i], clean);
		free(all.names[i]);
	}
	free(all.names);
}
