// SPDX-License-Identifier: GPL-2.0-or-later
/* Loop devices: find, set up with direct I/O, ask. */
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include "cleanup.h"
#include "loop.h"
#include "wait.h"

#define TRIES	64			/* another process may take a free device before us */

static const char attaching[] = "put a loop device in front of the file";

static bool describes(const struct loop_info64 *info, const struct stat *file)
{
	return info->lo_device == file->st_dev && info->lo_inode == file->st_ino && !info->lo_offset &&
	       !info->lo_sizelimit;
}

/* Opens /dev/<name> when it is a bound loop device of this file. -1: it is not. */
static int open_if_backed(const char *name, const struct stat *file, int flags, struct loop_info64 *info)
{
	cleanup_fd int fd = -1;
	char path[LOOP_PATH];

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, info) || !describes(info, file))
		return -1;
	return take_fd(&fd);
}

bool loop_backs(dev_t device, const struct stat *file)
{
	cleanup_free char *backing = loop_backing_file(device);
	char link[64], target[PATH_MAX];
	struct loop_info64 info;
	ssize_t len;
	int fd;

	if (!backing)
		return false;
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(device), minor(device));
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = 0;
	fd = open_if_backed(strrchr(target, '/') + 1, file, O_RDONLY, &info);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

char *loop_backing_file(dev_t device)
{
	cleanup_file FILE *file = NULL;
	char path[80], line[PATH_MAX + 2];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/loop/backing_file", major(device), minor(device));
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return NULL;
	line[strcspn(line, "\n")] = 0;
	return strdup(line);
}

/* The loop device that already serves the file. */
static bool find_existing(const struct stat *file, bool read_only, struct loop *out)
{
	cleanup_dir DIR *dir = opendir("/sys/block");
	struct loop_info64 info;
	struct dirent *entry;
	char backing[300];

	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "loop", 4))
			continue;
		snprintf(backing, sizeof(backing), "/sys/block/%s/loop/backing_file", entry->d_name);
		if (access(backing, F_OK))
			continue;
		out->fd = open_if_backed(entry->d_name, file, read_only ? O_RDONLY : O_RDWR, &info);
		if (out->fd < 0)
			continue;
		snprintf(out->path, sizeof(out->path), "/dev/%.40s", entry->d_name);
		out->direct = info.lo_flags & LO_FLAGS_DIRECT_IO;
		return true;
	}
	return false;
}

/* The alignment that direct I/O on the file needs; 512 when the kernel does not tell. */
static uint32_t direct_alignment(int file)
{
#ifdef STATX_DIOALIGN
	struct statx st;

	if (!statx(file, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) && (st.stx_mask & STATX_DIOALIGN) &&
	    st.stx_dio_offset_align > 512 && st.stx_dio_offset_align <= LB_BLOCK_SIZE)
		return st.stx_dio_offset_align;
#else
	(void)file;
#endif
	return 512;
}

/*
 * The kernel leaves direct I/O off without a word where the file's alignment does not allow it with the block size; 4096
 * fits everywhere. False: the file system has none at all.
 */
static bool make_direct(int loop)
{
	struct loop_info64 info;

	if (!ioctl(loop, LOOP_GET_STATUS64, &info) && (info.lo_flags & LO_FLAGS_DIRECT_IO))
		return true;
	if (ioctl(loop, LOOP_SET_BLOCK_SIZE, (unsigned long)LB_BLOCK_SIZE))
		return false;
	if (!ioctl(loop, LOOP_SET_DIRECT_IO, 1UL))
		return true;
	ioctl(loop, LOOP_SET_BLOCK_SIZE, 512UL);
	return false;
}

static int no_loop(int code, const char *file, struct layerblk_error *err)
{
	layerblk_error_set(err, code, attaching, file, "%s", strerror(code));
	if (code == ENOENT || code == ENODEV)
		layerblk_error_hint(err, "Is the loop module there? `modprobe loop` loads it");
	return -code;
}

/* One try with the next free device. -EBUSY: somebody was faster. */
static int configure_free(int control, int file, bool read_only, struct loop *out)
{
	struct loop_config config = {
		.fd = (uint32_t)file,
		.block_size = direct_alignment(file),
		.info = { .lo_flags = LO_FLAGS_DIRECT_IO | LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0) },
	};
	int number = ioctl(control, LOOP_CTL_GET_FREE);
	cleanup_fd int fd = -1;

	if (number < 0)
		return -errno;
	snprintf(out->path, sizeof(out->path), "/dev/loop%d", number);
	fd = open(out->path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, LOOP_CONFIGURE, &config))
		return -errno;
	out->direct = make_direct(fd);
	out->fd = take_fd(&fd);
	return 0;
}

int loop_attach(const char *file, bool read_only, struct loop *out, struct layerblk_error *err)
{
	cleanup_fd int control = -1;
	cleanup_fd int fd = open(file, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	struct stat st;
	int tries, ret = 0;

	if (fd < 0 || fstat(fd, &st))
		return layerblk_error_set(err, errno, "open", file, "%s", strerror(errno));
	if (find_existing(&st, read_only, out))
		return 0;
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return no_loop(errno, file, err);
	for (tries = 0; tries < TRIES; tries++) {
		ret = configure_free(control, fd, read_only, out);
		if (!ret)
			return 0;
		if (ret != -EBUSY && ret != -ENXIO)
			break;
		usleep(1000);
	}
	return no_loop(-ret, file, err);
}

int loop_update_size(const char *device, struct layerblk_error *err)
{
	cleanup_fd int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, LOOP_SET_CAPACITY, 0))
		return layerblk_error_set(err, errno, "enlarge the loop device", device, "%s", strerror(errno));
	return 0;
}

void loop_wait_gone(dev_t device)
{
	struct wait wait = wait_begin(2000);
	char path[80];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/loop/backing_file", major(device), minor(device));
	while (!access(path, F_OK) && wait_again(&wait))
		;
}
