// SPDX-License-Identifier: GPL-2.0-or-later
/* See data_fs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "data_fs.h"
#include "filesystem.h"
#include "process.h"
#include "program.h"

#define NAME_MAX_CHARS	31
#define WORDS_MAX	8

struct kind {
	const char *type;
	const char *package;		/* Debian's, with its mkfs */
	const char *words[WORDS_MAX];	/* quietly, over whatever there is, without discarding what reads as zeros anyway */
};

static const struct kind kinds[] = {
	{ "ext4", "e2fsprogs", { 0 } },		/* filesystem_make() does these two */
	{ "xfs", "xfsprogs", { 0 } },
	{ "ext2", "e2fsprogs", { "-q", "-F", "-E", "nodiscard" } },
	{ "ext3", "e2fsprogs", { "-q", "-F", "-E", "nodiscard" } },
	{ "btrfs", "btrfs-progs", { "-q", "-f", "-K" } },
	{ "f2fs", "f2fs-tools", { "-q", "-f", "-t", "0" } },
	{ "ntfs", "ntfs-3g", { "-q", "-F", "-Q" } },
	{ "vfat", "dosfstools", { 0 } },
	{ "exfat", "exfatprogs", { 0 } },
	{ "jfs", "jfsutils", { "-q" } },
	{ "nilfs2", "nilfs-tools", { "-q", "-f" } },
	{ "reiserfs", "reiserfsprogs", { "-q", "-f" } },
};

static const struct kind *kind_of(const char *type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].type, type) == 0)
			return &kinds[i];
	return NULL;
}

/* ntfs3 is what the kernel calls it. */
static const char *tool_type(const char *type)
{
	return strcmp(type, "ntfs3") == 0 ? "ntfs" : type;
}

static bool installed(const char *name)
{
	cleanup_free char *path = program_path(name, NULL);

	return path != NULL;
}

/* Whether this kernel can mount it, perhaps with a module that it has not loaded yet. */
static bool kernel_has(const char *type)
{
	cleanup_file FILE *list = fopen("/proc/filesystems", "re");
	char line[128], alias[NAME_MAX_CHARS + 4];
	const char *const argv[] = { "modprobe", "-n", "-q", alias, NULL };
	struct layerblk_error ignored;
	int rc;

	while (list && fgets(line, sizeof(line), list)) {
		const char *name = strchr(line, '\t');

		if (name && strncmp(name + 1, type, strlen(type)) == 0 && name[1 + strlen(type)] == '\n')
			return true;
	}
	snprintf(alias, sizeof(alias), "fs-%s", type);
	rc = process_run(argv, "look for a driver of", type, &ignored);
	return rc == 0 || rc == -ENOENT;
}

static const char *kernel_type(const char *type)
{
	return strcmp(type, "ntfs") == 0 ? "ntfs3" : type;
}

int data_fs_check(const char *type, struct layerblk_error *err)
{
	const struct kind *kind = kind_of(tool_type(type));
	char program[NAME_MAX_CHARS + 8];

	if (!*type || strlen(type) > NAME_MAX_CHARS || strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(type))
		return layerblk_error_set(err, EINVAL, "use the file system", type, "this cannot be a file system's name");
	snprintf(program, sizeof(program), "mkfs.%s", tool_type(type));
	if (installed(program) && kernel_has(kernel_type(type)))
		return 0;
	if (installed(program))
		return layerblk_error_set(err, ENODEV, "use the file system", type, "this kernel has no driver for it");
	layerblk_error_set(err, ENOENT, "use the file system", type, "%s is not installed", program);
	return kind ? layerblk_error_hint(err, "Debian has it in the package %s", kind->package) :
	       layerblk_error_hint(err, "Common ones are ext4, xfs, btrfs, f2fs, vfat and ntfs3");
}

int data_fs_make(const char *type, const char *device, uint64_t size, struct layerblk_error *err)
{
	const char *argv[WORDS_MAX + 3];
	const struct kind *kind = kind_of(tool_type(type));
	char program[NAME_MAX_CHARS + 8], what[NAME_MAX_CHARS + 32];
	size_t count = 0;
	int rc = data_fs_check(type, err);

	if (rc)
		return rc;
	if (strcmp(type, "ext4") == 0 || strcmp(type, "xfs") == 0)
		return filesystem_make(type, device, size, err);
	snprintf(program, sizeof(program), "mkfs.%s", tool_type(type));
	snprintf(what, sizeof(what), "make the %s file system on", type);
	argv[count++] = program;
	for (size_t i = 0; kind && i < WORDS_MAX && kind->words[i]; i++)
		argv[count++] = kind->words[i];
	argv[count++] = device;
	argv[count] = NULL;
	return process_run(argv, what, device, err);
}

int data_fs_new_id(const char *type, const char *device, struct layerblk_error *err)
{
	const char *const argv[] = { "btrfstune", "-f", "-m", device, NULL };

	return strcmp(type, "btrfs") == 0 ? process_run(argv, "give an id of its own to the btrfs file system on", device, err) : 0;
}

int data_fs_grow(const char *type, const char *device, const char *directory, struct layerblk_error *err)
{
	const char *const ext4[] = { "resize2fs", device, NULL };
	const char *const xfs[] = { "xfs_growfs", "-d", directory, NULL };
	const char *const btrfs[] = { "btrfs", "filesystem", "resize", "max", directory, NULL };
	const char *const *argv = strncmp(type, "ext", 3) == 0 ? ext4 : strcmp(type, "xfs") == 0 ? xfs : strcmp(type, "btrfs") == 0 ? btrfs : NULL;

	if (argv)
		return process_run(argv, "grow the file system on", device, err);
	layerblk_error_set(err, EOPNOTSUPP, "grow the file system on", device, "%s cannot be grown by layerctl while it is mounted", type);
	return layerblk_error_hint(err, "Unmount it, and use the file system's own tool");
}
