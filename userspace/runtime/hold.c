// SPDX-License-Identifier: GPL-2.0-or-later
/* See hold.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include "cleanup.h"
#include "filesystem.h"
#include "hold.h"
#include "ref.h"
#include "wait.h"
#include "work.h"

#define RELEASE_MS	3000		/* how long somebody else's use of a disk is waited for */

#define PATH_SIZE	(sizeof(RUN_DIR) + UUID_TEXT + 48)

static void lock_path(const struct pool *pool, uint64_t volume, char path[PATH_SIZE])
{
	char text[UUID_TEXT];

	snprintf(path, PATH_SIZE, "%s/work/%s@use.%" PRIu64, RUN_DIR, uuid_text(pool->uuid, text), volume);
}

/* The file stays when nobody holds it: who removed it would have to look for those who have just opened it. */
static int open_lock(const struct pool *pool, uint64_t volume)
{
	char path[PATH_SIZE];

	if (directory_make(RUN_DIR "/work", NULL))
		return -1;
	lock_path(pool, volume, path);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

int hold_take(const struct pool *pool, uint64_t volume, int *fd, struct layerblk_error *err)
{
	int rc;

	*fd = open_lock(pool, volume);
	if (*fd >= 0 && flock(*fd, LOCK_SH) == 0)
		return 0;
	rc = layerblk_error_set(err, errno, "lock", "the volume", "%s", strerror(errno));
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return rc;
}

void hold_drop(const struct pool *pool, uint64_t volume, int *fd)
{
	struct wait wait = wait_begin(RELEASE_MS);

	if (*fd < 0)
		return;
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		while (layerblk_vol_deactivate(pool->lb, pool->uuid, volume, NULL) == -EBUSY && wait_again(&wait))
			;
	close(*fd);
	*fd = -1;
}

void hold_let_go(const struct pool *pool, uint64_t volume)
{
	int fd = open_lock(pool, volume);

	hold_drop(pool, volume, &fd);
}

void hold_forget(const struct pool *pool, uint64_t volume)
{
	char path[PATH_SIZE];

	lock_path(pool, volume, path);
	unlink(path);
}
