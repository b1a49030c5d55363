// SPDX-License-Identifier: GPL-2.0-or-later
/* See backup_output.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "backup_output.h"
#include "cleanup.h"
#include "work.h"

static volatile sig_atomic_t interrupted;

void backup_interrupt(void)
{
	interrupted = 1;
}

bool backup_interrupted(void)
{
	return interrupted;
}

static int failed_with(const struct backup_output *output, int code, const char *why, struct layerblk_error *err)
{
	char doing[64];

	snprintf(doing, sizeof(doing), "write %s to", output->what);
	return layerblk_error_set(err, code, doing, output->path ? output->path : "standard output", "%s", why);
}

static int failed(const struct backup_output *output, struct layerblk_error *err)
{
	return failed_with(output, errno, strerror(errno), err);
}

static int open_stdout(struct backup_output *output, struct layerblk_error *err)
{
	if (isatty(STDOUT_FILENO)) {
		failed_with(output, EINVAL, "it is a terminal, and this is not for reading", err);
		return layerblk_error_hint(err, "Use -o FILE, or redirect it");
	}
	output->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return output->fd < 0 ? failed(output, err) : 0;
}

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
}

/* Without a name, where the file system knows such files: then nothing is left of it however the command ends. */
static int open_file(struct backup_output *output, struct layerblk_error *err)
{
	cleanup_free char *directory = directory_of(output->path);
	char random[13];

	random_hex(random, 6);
	if (!directory || asprintf(&output->temporary, "%s.%s", output->path, random) < 0) {
		output->temporary = NULL;
		errno = ENOMEM;
		return failed(output, err);
	}
	output->fd = open(directory, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	if (output->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		output->fd = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		output->named = output->fd >= 0;
	}
	return output->fd < 0 ? failed(output, err) : 0;
}

int backup_output_open(struct backup_output *output, const char *what, const char *path, struct layerblk_error *err)
{
	struct stat st;

	*output = (struct backup_output){ .what = what, .path = path && strcmp(path, "-") != 0 ? path : NULL, .fd = -1 };
	if (!output->path)
		return open_stdout(output, err);
	if (stat(output->path, &st) == 0 && !S_ISREG(st.st_mode)) {
		output->fd = open(output->path, O_WRONLY | O_CLOEXEC);
		return output->fd < 0 ? failed(output, err) : 0;
	}
	return open_file(output, err);
}

/* A nameless file gets its temporary name, of which there is but an instant to be killed in, and that becomes the right one. */
static int give_name(struct backup_output *output)
{
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", output->fd);
	if (!output->named && linkat(AT_FDCWD, self, AT_FDCWD, output->temporary, AT_SYMLINK_FOLLOW) != 0)
		return -1;
	output->named = true;
	return rename(output->temporary, output->path);
}

/* The name itself must outlive a power cut, too: the pool will say that the backup is there. */
static int sync_directory(const char *path)
{
	cleanup_free char *directory = directory_of(path);
	cleanup_fd int fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	return fd >= 0 ? fsync(fd) : -1;
}

int backup_output_close(struct backup_output *output, int rc, struct layerblk_error *err)
{
	if (!rc && output->temporary &&
	    (fsync(output->fd) != 0 || give_name(output) != 0 || sync_directory(output->path) != 0))
		rc = failed(output, err);
	if (rc && output->named)
		unlink(output->temporary);
	if (output->fd >= 0 && close(output->fd) != 0 && !rc)
		rc = failed(output, err);
	free(output->temporary);
	*output = (struct backup_output){ .fd = -1 };
	return rc;
}

int backup_output_write(void *arg, const void *data, size_t size, struct layerblk_error *err)
{
	struct backup_output *output = arg;
	const char *from = data;

	while (size) {
		ssize_t done = interrupted ? -1 : write(output->fd, from, size);

		if (interrupted)
			return failed_with(output, EINTR, "interrupted", err);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return failed(output, err);
		from += done;
		size -= (size_t)done;
	}
	return 0;
}
