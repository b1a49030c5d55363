// SPDX-License-Identifier: GPL-2.0-or-later
/* See filesystem.h. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "filesystem.h"
#include "process.h"
#include "spool.h"

#define EXT4_JOURNAL_FROM	(512ULL << 20)	/* from this size on, the journal's size is ours to choose */
#define RESERVE_LEAST		(1ULL << 20)
#define RESERVE_MOST		(256ULL << 20)
#define XFS_LEAST		(300ULL << 20)	/* mkfs.xfs makes none that is smaller */

int filesystem_check(const char *type, struct layerblk_error *err)
{
	if (strcmp(type, "ext4") == 0 || strcmp(type, "xfs") == 0)
		return 0;
	return layerblk_error_set(err, EINVAL, "use the file system", type, "it is not one of: %s", FILESYSTEM_WORDS);
}

/*
 * A journal of 16 MiB: each container rewrites it in its own blocks, so that a large one costs space for each. No
 * reserve for root. The inode tables and the journal are known to read as zeros.
 *
 * frugal: the kernel reads the bitmaps of as many groups at once as have them side by side; there it is one.
 */
static int make_ext4(const char *device, uint64_t size, bool frugal, struct layerblk_error *err)
{
	const char *argv[20] = {
		"mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-E", "lazy_itable_init=1,nodiscard,assume_storage_prezeroed=1",
	};
	size_t count = 9;
	char blocks[24];

	if (size >= EXT4_JOURNAL_FROM) {
		argv[count++] = "-J";
		argv[count++] = "size=16";
	}
	if (frugal) {
		argv[count++] = "-G";
		argv[count++] = "1";
	}
	snprintf(blocks, sizeof(blocks), "%" PRIu64, size / LB_BLOCK_SIZE);
	argv[count++] = device;
	argv[count++] = blocks;
	return process_run(argv, "make the ext4 file system on", device, err);
}

static int make_xfs(const char *device, uint64_t size, struct layerblk_error *err)
{
	char bytes[32];
	const char *argv[] = { "mkfs.xfs", "-q", "-f", "-K", "-d", bytes, device, NULL };

	snprintf(bytes, sizeof(bytes), "size=%" PRIu64, size);
	return process_run(argv, "make the xfs file system on", device, err);
}

static int make(const char *type, const char *device, uint64_t size, bool frugal, struct layerblk_error *err)
{
	int rc = filesystem_check(type, err);

	if (rc)
		return rc;
	return strcmp(type, "xfs") == 0 ? make_xfs(device, size, err) : make_ext4(device, size, frugal, err);
}

int filesystem_make(const char *type, const char *device, uint64_t size, struct layerblk_error *err)
{
	return make(type, device, size, false, err);
}

int filesystem_make_frugal(const char *type, const char *device, uint64_t size, struct layerblk_error *err)
{
	return make(type, device, size, true, err);
}

uint64_t filesystem_size(const char *type, uint64_t volume_size)
{
	uint64_t least = strcmp(type, "xfs") == 0 ? XFS_LEAST : 0, reserve = volume_size / 64;

	if (reserve < RESERVE_LEAST)
		reserve = RESERVE_LEAST;
	if (reserve > RESERVE_MOST)
		reserve = RESERVE_MOST;
	reserve = reserve / LB_BLOCK_SIZE * LB_BLOCK_SIZE;
	return volume_size < least + reserve ? volume_size : volume_size - reserve;
}

int filesystem_end(const char *device, uint64_t *bytes, struct layerblk_error *err)
{
	static const char what[] = "find the end of the file system on";
	cleanup_fd int fd = open(device, O_RDONLY | O_CLOEXEC);
	unsigned char block[4096] = { 0 };
	const unsigned char *ext4 = block + 1024;
	ssize_t got = fd < 0 ? -errno : read_all_at(fd, block, sizeof(block), 0);
	uint64_t blocks;

	if (got < 0)
		return layerblk_error_set(err, (int)-got, what, device, "%s", strerror((int)-got));
	if ((size_t)got < sizeof(block))
		return layerblk_error_set(err, EIO, what, device, "it is too small");
	if (memcmp(block, "XFSB", 4) == 0) {		/* sb_blocksize, sb_dblocks: big endian */
		uint32_t size;

		memcpy(&size, block + 4, sizeof(size));
		memcpy(&blocks, block + 8, sizeof(blocks));
		*bytes = be32toh(size) * be64toh(blocks);
		return 0;
	}
	if (ext4[0x38] == 0x53 && ext4[0x39] == 0xef) {	/* s_blocks_count_lo, s_log_block_size, s_blocks_count_hi */
		uint32_t low, high, shift;

		memcpy(&low, ext4 + 0x4, sizeof(low));
		memcpy(&shift, ext4 + 0x18, sizeof(shift));
		memcpy(&high, ext4 + 0x150, sizeof(high));
		blocks = le32toh(low) | (uint64_t)le32toh(high) << 32;
		*bytes = blocks << (10 + (le32toh(shift) & 15));
		return 0;
	}
	return layerblk_error_set(err, ENODATA, what, device, "it is neither ext4 nor xfs");
}

const char *filesystem_import_options(const char *type)
{
	return strcmp(type, "ext4") == 0 ? "nodev,nosuid,noexec,noatime,noload,noinit_itable" : "nodev,nosuid,noexec,noatime";
}

int mounts_make_private(struct layerblk_error *err)
{
	if (unshare(CLONE_NEWNS) != 0)
		return layerblk_error_set(err, errno, "make a mount namespace", "", "%s", strerror(errno));
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return layerblk_error_set(err, errno, "make the mounts private", "", "%s", strerror(errno));
	return 0;
}

int directory_make(const char *path, struct layerblk_error *err)
{
	cleanup_free char *part = strdup(path);

	if (!part)
		return layerblk_error_set(err, ENOMEM, "make the directory", path, "no memory");
	for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST)
			return layerblk_error_set(err, errno, "make the directory", path, "%s", strerror(errno));
		if (!slash)
			return 0;
		*slash = '/';
	}
}
