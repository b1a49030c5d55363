// SPDX-License-Identifier: GPL-2.0-or-later
/* See starting.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "cleanup.h"
#include "container.h"
#include "oci.h"
#include "starting.h"

#define STARTING_FILE	"starting"

static void file_path(const char *id, char *path, size_t size)
{
	char bundle[PATH_MAX - 64];

	oci_bundle_path(id, bundle, sizeof(bundle));
	snprintf(path, size, "%s/" STARTING_FILE, bundle);
}

int starting_begin(const char *id, int *fd, struct layerblk_error *err)
{
	char path[PATH_MAX];

	file_path(id, path, sizeof(path));
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return layerblk_error_set(err, errno, "start the container", id, "%s: %s", path, strerror(errno));
}

void starting_end(const char *id, int *fd)
{
	char path[PATH_MAX];

	if (*fd < 0)
		return;
	file_path(id, path, sizeof(path));
	unlink(path);
	close(*fd);
	*fd = -1;
}

/* Between crun's (and runc's) create and start, this is what its first process waits for. */
static bool waits(const char *id)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), OCI_ROOT "/%s/exec.fifo", id);
	return access(path, F_OK) == 0;
}

static void sweep_one(const char *id)
{
	char path[PATH_MAX];
	int fd;

	file_path(id, path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;			/* nearly all */
	/* While the runtime is still making it there is nothing to end yet, and the next command looks again. */
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && oci_pid(id)) {
		if (waits(id))
			oci_delete(id);
		unlink(path);
	}
	close(fd);
}

void starting_sweep(void)
{
	cleanup_dir DIR *dir = opendir(CONTAINER_DIR);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL)
		if (strlen(entry->d_name) == CONTAINER_ID - 1)
			sweep_one(entry->d_name);
}
