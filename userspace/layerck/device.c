// SPDX-License-Identifier: GPL-2.0
/*
 * Opening a pool's device for a check. An open pool holds its block device exclusively, so O_EXCL tells; a pool in
 * a file is open through a loop device, which is found in sysfs by the file behind it.
 */
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"

static bool read_line(const char *path, char *buf, int size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(buf, size, f);

	if (f)
		fclose(f);
	if (ok)
		buf[strcspn(buf, "\n")] = 0;
	return ok;
}

/* The loop device whose backing file this is: 1 and its node, 0 none. */
static int find_loop(const struct stat *file, char *node, size_t size)
{
	char path[64], backing[4096];
	struct stat st;
	glob_t g;
	size_t i;
	int found = 0;

	if (glob("/sys/block/loop*/loop/backing_file", 0, NULL, &g))
		return 0;
	for (i = 0; i < g.gl_pathc && !found; i++) {
		unsigned int n;

		if (sscanf(g.gl_pathv[i], "/sys/block/loop%u/", &n) != 1 ||
		    !read_line(g.gl_pathv[i], backing, sizeof(backing)))
			continue;
		if (stat(backing, &st) || st.st_dev != file->st_dev || st.st_ino != file->st_ino)
			continue;
		snprintf(path, sizeof(path), "/sys/block/loop%u/loop/offset", n);
		snprintf(node, size, "/dev/loop%u", n);
		/* A part of the file is another device: whoever uses it, the file is in use. */
		found = read_line(path, backing, sizeof(backing)) && strcmp(backing, "0") ? -EBUSY : 1;
	}
	globfree(&g);
	return found;
}

static int hold(struct held_device *d, bool block, bool write)
{
	d->hold_fd = open(d->path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | (block ? O_EXCL : 0));
	if (d->hold_fd < 0)
		return -errno;
	if (!block && flock(d->hold_fd, (write ? LOCK_EX : LOCK_SH) | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

int device_open(struct held_device *d, const char *path, bool write, bool exclusive)
{
	struct stat st;
	int err = 0, loop;

	*d = (struct held_device){ .hold_fd = -1 };
	snprintf(d->path, sizeof(d->path), "%s", path);
	if (stat(path, &st))
		return -errno;
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (S_ISREG(st.st_mode)) {
		loop = find_loop(&st, d->path, sizeof(d->path));
		if (loop < 0 && exclusive)
			return loop;
		if (loop <= 0)
			snprintf(d->path, sizeof(d->path), "%s", path);
		else if (stat(d->path, &st))
			return -errno;
	}
	if (exclusive)
		err = hold(d, S_ISBLK(st.st_mode), write);
	if (!err)
		d->dev = port_file_open(d->path, !write, &err);
	if (err)
		device_close(d);
	return err;
}

void device_close(struct held_device *d)
{
	port_file_close(d->dev);
	if (d->hold_fd >= 0)
		close(d->hold_fd);
	d->dev = NULL;
	d->hold_fd = -1;
}
