// SPDX-License-Identifier: GPL-2.0-or-later
/* See hold.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cleanup.h"
#include "filesystem.h"
#include "hold.h"
#include "ref.h"
#include "wait.h"
#include "work.h"

#define RELEASE_MS	3000		/* how long somebody else's use of a disk is waited for */

#define PATH_SIZE	(sizeof(RUN_DIR) + UUID_TEXT + 48)

#define MARK	"u"		/* in the file, from when somebody holds it until the disk has been let go of */

#define USE	"use"
#define ALONE	"alone"

static void lock_path(const struct pool *pool, const char *what, uint64_t volume, char path[PATH_SIZE])
{
	char text[UUID_TEXT];

	snprintf(path, PATH_SIZE, "%s/work/%s@%s.%" PRIu64, RUN_DIR, uuid_text(pool->uuid, text), what, volume);
}

/* The file stays when nobody holds it: who removed it would have to look for those who have just opened it. */
static int open_lock(const struct pool *pool, const char *what, uint64_t volume)
{
	char path[PATH_SIZE];

	if (directory_make(RUN_DIR "/work", NULL))
		return -1;
	lock_path(pool, what, volume, path);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

int hold_take(const struct pool *pool, uint64_t volume, int *fd, struct layerblk_error *err)
{
	int rc;

	*fd = open_lock(pool, USE, volume);
	if (*fd >= 0 && flock(*fd, LOCK_SH) == 0 && pwrite(*fd, MARK, 1, 0) == 1)
		return 0;
	rc = layerblk_error_set(err, errno, "lock", "the volume", "%s", strerror(errno));
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return rc;
}

/* Nobody holds it. -EBUSY: somebody else has the disk open, and the mark stays. */
static int let_go(const struct pool *pool, uint64_t volume, int fd)
{
	int rc = layerblk_vol_deactivate(pool->lb, pool->uuid, volume, NULL);

	if (rc != -EBUSY && ftruncate(fd, 0) != 0)
		return -errno;
	return rc;
}

void hold_drop(const struct pool *pool, uint64_t volume, int *fd)
{
	struct wait wait = wait_begin(RELEASE_MS);

	if (*fd < 0)
		return;
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		while (let_go(pool, volume, *fd) == -EBUSY && wait_again(&wait))
			;
	close(*fd);
	*fd = -1;
}

void hold_let_go(const struct pool *pool, uint64_t volume)
{
	int fd = open_lock(pool, USE, volume);

	hold_drop(pool, volume, &fd);
}

static void sweep_one(const struct pool *pool, int directory, const char *name, uint64_t volume)
{
	cleanup_fd int fd = openat(directory, name, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		let_go(pool, volume, fd);
}

void hold_sweep(const struct pool *pool)
{
	DIR *files = opendir(RUN_DIR "/work");
	char path[PATH_SIZE], *prefix, *end;
	struct dirent *file;
	size_t length;

	if (!files)
		return;
	lock_path(pool, USE, 0, path);
	prefix = strrchr(path, '/') + 1;
	length = strlen(prefix) - 1;		/* without the number */
	while ((file = readdir(files)) != NULL) {
		uint64_t volume;

		if (strncmp(file->d_name, prefix, length) != 0)
			continue;
		volume = strtoull(file->d_name + length, &end, 10);
		if (volume && !*end)
			sweep_one(pool, dirfd(files), file->d_name, volume);
	}
	closedir(files);
}

void hold_forget(const struct pool *pool, uint64_t volume)
{
	char path[PATH_SIZE];

	lock_path(pool, USE, volume, path);
	unlink(path);
	lock_path(pool, ALONE, volume, path);
	unlink(path);
}

int hold_alone(const struct pool *pool, uint64_t volume, int *fd, struct layerblk_error *err)
{
	int rc;

	*fd = open_lock(pool, ALONE, volume);
	if (*fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (*fd >= 0 && errno == EWOULDBLOCK)
		rc = layerblk_error_set(err, EBUSY, "use", "the volume", "another command is using it");
	else
		rc = layerblk_error_set(err, errno, "lock", "the volume", "%s", strerror(errno));
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return rc;
}
