// SPDX-License-Identifier: GPL-2.0-or-later
/* See spool.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cleanup.h"
#include "spool.h"

#define CHUNK	(128U << 10)

int spool_open(void)
{
	const char *directory = getenv("TMPDIR");
	cleanup_free char *template = NULL;
	int fd;

	if (!directory || *directory != '/')
		directory = "/var/tmp";
	fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	if (asprintf(&template, "%s/layerctl-XXXXXX", directory) < 0) {
		template = NULL;
		errno = ENOMEM;
		return -1;
	}
	fd = mkostemp(template, O_CLOEXEC);
	if (fd >= 0)
		unlink(template);
	return fd;
}

int write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t wrote = write(fd, at, size);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -errno;
		at += wrote;
		size -= (size_t)wrote;
	}
	return 0;
}

int write_all_at(int fd, const void *data, size_t size, off_t offset)
{
	const char *at = data;

	while (size > 0) {
		ssize_t wrote = pwrite(fd, at, size, offset);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -errno;
		at += wrote;
		size -= (size_t)wrote;
		offset += wrote;
	}
	return 0;
}

ssize_t read_all_at(int fd, void *data, size_t size, off_t offset)
{
	size_t used = 0;

	while (used < size) {
		ssize_t got = pread(fd, (char *)data + used, size - used, offset + (off_t)used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

int spool_sink(void *arg, const void *data, size_t size, struct layerblk_error *err)
{
	int rc = write_all(*(const int *)arg, data, size);

	if (!rc)
		return 0;
	layerblk_error_set(err, -rc, "write a temporary file", "", "%s", strerror(-rc));
	if (rc == -ENOSPC)
		layerblk_error_hint(err, "Set TMPDIR to a directory with more room");
	return rc;
}

int spool_copy(int fd, off_t offset, uint64_t size, const struct sink *sink, const char *subject,
	       struct layerblk_error *err)
{
	cleanup_free char *buffer = malloc(CHUNK);
	int rc = 0;

	if (!buffer)
		return layerblk_error_set(err, ENOMEM, "read", subject, "no memory");
	while (!rc && size > 0) {
		size_t part = size < CHUNK ? (size_t)size : CHUNK;
		ssize_t got = read_all_at(fd, buffer, part, offset);

		if (got < 0)
			return layerblk_error_set(err, (int)-got, "read", subject, "%s", strerror((int)-got));
		if ((size_t)got < part)
			return layerblk_error_set(err, EBADMSG, "read", subject, "it is shorter than it should be");
		rc = sink_write(sink, buffer, part, err);
		offset += (off_t)part;
		size -= part;
	}
	return rc;
}
