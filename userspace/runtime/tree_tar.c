// SPDX-License-Identifier: GPL-2.0-or-later
/* See tree_tar.h. libarchive reads and writes the trees; where the tree begins is told by us. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cleanup.h"
#include "tree_tar.h"

CLEANUP_WITH(archive, struct archive *, archive_free)
CLEANUP_WITH(entry, struct archive_entry *, archive_entry_free)
CLEANUP_WITH(resolver, struct archive_entry_linkresolver *, archive_entry_linkresolver_free)

#define COPY_SIZE	(64U << 10)

static int archive_error(struct archive *archive, const char *what, const char *subject, struct layerblk_error *err)
{
	int code = archive_errno(archive);
	const char *text = archive_error_string(archive);

	return layerblk_error_set(err, code > 0 ? code : EIO, what, subject, "%s", text ? text : "unknown");
}

/* ------------------------------------------------------------------ paths */

struct place {
	char *parent;			/* absolute */
	char *name;			/* "." for the directory itself */
	bool must_be_directory;		/* it ends with a slash */
};

static void place_clear(struct place *place)
{
	free(place->parent);
	free(place->name);
}

/* Takes "/a/b", "/a/b/", "/a/b/." and "/" apart. */
static bool place_of(const char *path, struct place *out)
{
	size_t length = strlen(path);
	const char *slash;

	*out = (struct place){ .must_be_directory = length > 0 && path[length - 1] == '/' };
	while (length > 1 && path[length - 1] == '/')
		length--;
	if (length >= 2 && path[length - 1] == '.' && path[length - 2] == '/') {
		out->parent = strndup(path, length > 2 ? length - 2 : 1);
		out->name = strdup(".");
	} else if (length <= 1) {
		out->parent = strdup("/");
		out->name = strdup(".");
	} else {
		for (slash = path + length; slash > path && slash[-1] != '/'; slash--)
			;
		out->name = strndup(slash, (size_t)(path + length - slash));
		out->parent = slash - path > 1 ? strndup(path, (size_t)(slash - path - 1)) : strdup("/");
	}
	return out->parent && out->name;
}

/* ------------------------------------------------------------------ packing */

struct packer {
	const struct tree_pack *how;
	struct archive *disk;
	struct archive *tar;
	struct archive_entry_linkresolver *links;
};

static int put_data(struct packer *packer, struct layerblk_error *err)
{
	static const char zeros[4096];
	const void *block;
	size_t size;
	la_int64_t offset, at = 0;
	int rc;

	while ((rc = archive_read_data_block(packer->disk, &block, &size, &offset)) == ARCHIVE_OK) {
		while (at < offset) {	/* a hole */
			size_t part = offset - at < (la_int64_t)sizeof(zeros) ? (size_t)(offset - at) : sizeof(zeros);

			if (archive_write_data(packer->tar, zeros, part) < 0)
				return archive_error(packer->tar, "write", "the tar", err);
			at += (la_int64_t)part;
		}
		if (size && archive_write_data(packer->tar, block, size) < 0)
			return archive_error(packer->tar, "write", "the tar", err);
		at += (la_int64_t)size;
	}
	return rc == ARCHIVE_EOF ? 0 : archive_error(packer->disk, "read", packer->how->path, err);
}

static int put_entry(struct packer *packer, struct archive_entry *entry, struct layerblk_error *err)
{
	struct archive_entry *sparse = NULL;
	int rc;

	archive_entry_sparse_clear(entry);
	archive_entry_linkify(packer->links, &entry, &sparse);
	rc = archive_write_header(packer->tar, entry);
	if (rc < ARCHIVE_WARN)
		return archive_error(packer->tar, "write", archive_entry_pathname(entry), err);
	return archive_entry_size(entry) > 0 && archive_entry_filetype(entry) == AE_IFREG ? put_data(packer, err) : 0;
}

/* Whether an entry is to be passed over; its name is made what it is to be in the tar. */
static bool skipped(const struct packer *packer, struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);
	cleanup_free char *bare = NULL;

	if (archive_entry_filetype(entry) == AE_IFSOCK)
		return true;		/* a tar cannot hold it */
	if (!packer->how->whole)
		return false;
	if (strcmp(name, ".") == 0)
		return true;
	bare = strdup(strncmp(name, "./", 2) == 0 ? name + 2 : name);
	if (!bare || strcmp(bare, "lost+found") == 0 || strncmp(bare, "lost+found/", 11) == 0)
		return true;
	archive_entry_set_pathname(entry, bare);
	return false;
}

static int pack_all(struct packer *packer, const char *name, struct layerblk_error *err)
{
	CLEANUP(entry) struct archive_entry *entry = archive_entry_new2(packer->disk);
	int rc;

	if (!entry || archive_read_disk_open(packer->disk, name) != ARCHIVE_OK)
		return archive_error(packer->disk, "read", packer->how->path, err);
	while ((rc = archive_read_next_header2(packer->disk, entry)) != ARCHIVE_EOF) {
		if (rc < ARCHIVE_WARN)
			return archive_error(packer->disk, "read", packer->how->path, err);
		archive_read_disk_descend(packer->disk);
		rc = skipped(packer, entry) ? 0 : put_entry(packer, entry, err);
		if (rc)
			return rc;
		archive_entry_clear(entry);
	}
	if (archive_write_close(packer->tar) != ARCHIVE_OK)
		return archive_error(packer->tar, "write", "the tar", err);
	return 0;
}

int tree_pack(const struct tree_pack *pack, struct layerblk_error *err)
{
	CLEANUP(archive) struct archive *disk = archive_read_disk_new();
	CLEANUP(archive) struct archive *tar = archive_write_new();
	CLEANUP(resolver) struct archive_entry_linkresolver *links = archive_entry_linkresolver_new();
	struct packer packer = { .how = pack, .disk = disk, .tar = tar, .links = links };
	cleanup_free char *real = NULL;
	const char *path = pack->path;
	struct place place;
	int rc;

	if (pack->follow) {
		real = realpath(path, NULL);
		path = real ? real : path;
	}
	if (!place_of(path, &place) || !disk || !tar || !links)
		return layerblk_error_set(err, ENOMEM, "read", pack->path, "no memory");
	archive_read_disk_set_symlink_physical(disk);
	archive_read_disk_set_behavior(disk, pack->one_file_system ? ARCHIVE_READDISK_NO_TRAVERSE_MOUNTS : 0);
	archive_write_set_format_pax_restricted(tar);
	archive_entry_linkresolver_set_strategy(links, archive_format(tar));
	if (chdir(place.parent) != 0 || faccessat(AT_FDCWD, place.name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		rc = layerblk_error_set(err, errno, "read", pack->path, "%s", strerror(errno));
	else if (archive_write_open_fd(tar, pack->fd) != ARCHIVE_OK)
		rc = archive_error(tar, "write", "the tar", err);
	else
		rc = pack_all(&packer, place.name, err);
	place_clear(&place);
	return rc;
}

/* ------------------------------------------------------------------ unpacking */

struct unpacker {
	const struct tree_unpack *how;
	struct archive *tar;
	struct archive *disk;
	struct place place;
	bool there;			/* the path is there, and is a directory */
	bool rename;			/* the first part of each name becomes place.name */
};

static int not_so(const struct unpacker *unpacker, int code, const char *why, struct layerblk_error *err)
{
	return layerblk_error_set(err, code, "copy to", unpacker->how->path, "%s", why);
}

/* Where the tree goes, told from its first entry and from what is there. The working directory is where names begin then. */
static int settle(struct unpacker *unpacker, struct archive_entry *first, struct layerblk_error *err)
{
	const char *name = archive_entry_pathname(first);
	bool content = strcmp(name, ".") == 0 || strcmp(name, "./") == 0;
	bool directory = archive_entry_filetype(first) == AE_IFDIR;
	struct stat st;

	if (chdir(unpacker->place.parent) != 0)
		return not_so(unpacker, errno, "its directory is not there", err);
	unpacker->there = fstatat(AT_FDCWD, unpacker->place.name, &st, 0) == 0;
	if (unpacker->there && S_ISDIR(st.st_mode))
		return chdir(unpacker->place.name) == 0 ? 0 : not_so(unpacker, errno, strerror(errno), err);
	if (unpacker->how->as_it_is)
		return not_so(unpacker, ENOTDIR, "it is no directory", err);
	if (unpacker->there && directory)
		return not_so(unpacker, ENOTDIR, "it is a file, and what is copied a directory", err);
	if (unpacker->place.must_be_directory && (unpacker->there || !directory))
		return not_so(unpacker, ENOTDIR, unpacker->there ? "it is no directory" : "the directory is not there", err);
	if (content && !unpacker->there) {	/* a new directory, with the content of the other */
		if (mkdir(unpacker->place.name, 0755) != 0 || chdir(unpacker->place.name) != 0)
			return not_so(unpacker, errno, strerror(errno), err);
		return 0;
	}
	unpacker->rename = true;
	return 0;
}

/* "first/rest" as "NAME/rest". */
static char *renamed(const struct unpacker *unpacker, const char *name)
{
	const char *rest = name + strcspn(name, "/");
	char *text = NULL;

	return asprintf(&text, "%s%s", unpacker->place.name, rest) < 0 ? NULL : text;
}

static int adapt(const struct unpacker *unpacker, struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry), *link = archive_entry_hardlink(entry);

	if (!unpacker->how->keep_owner) {
		archive_entry_set_uid(entry, geteuid());
		archive_entry_set_gid(entry, getegid());
		archive_entry_set_uname(entry, NULL);
		archive_entry_set_gname(entry, NULL);
	}
	if (!unpacker->rename)
		return 0;
	if (link) {
		cleanup_free char *other = renamed(unpacker, link);

		if (!other)
			return -ENOMEM;
		archive_entry_set_hardlink(entry, other);
	}
	if (name) {
		cleanup_free char *other = renamed(unpacker, name);

		if (!other)
			return -ENOMEM;
		archive_entry_set_pathname(entry, other);
	}
	return 0;
}

static int copy_data(struct unpacker *unpacker, struct layerblk_error *err)
{
	const void *block;
	size_t size;
	la_int64_t offset;
	int rc;

	while ((rc = archive_read_data_block(unpacker->tar, &block, &size, &offset)) == ARCHIVE_OK)
		if (archive_write_data_block(unpacker->disk, block, size, offset) < ARCHIVE_OK)
			return archive_error(unpacker->disk, "write", unpacker->how->path, err);
	return rc == ARCHIVE_EOF ? 0 : archive_error(unpacker->tar, "read", "the tar", err);
}

static int unpack_all(struct unpacker *unpacker, struct layerblk_error *err)
{
	struct archive_entry *entry;
	bool first = true;
	int rc;

	while ((rc = archive_read_next_header(unpacker->tar, &entry)) != ARCHIVE_EOF) {
		if (rc < ARCHIVE_WARN)
			return archive_error(unpacker->tar, "read", "the tar", err);
		rc = first ? settle(unpacker, entry, err) : 0;
		if (!rc && adapt(unpacker, entry))
			rc = layerblk_error_set(err, ENOMEM, "copy to", unpacker->how->path, "no memory");
		if (rc)
			return rc;
		first = false;
		if (archive_write_header(unpacker->disk, entry) < ARCHIVE_WARN)
			return archive_error(unpacker->disk, "write", archive_entry_pathname(entry), err);
		rc = archive_entry_size(entry) > 0 ? copy_data(unpacker, err) : 0;
		if (rc)
			return rc;
		if (archive_write_finish_entry(unpacker->disk) < ARCHIVE_WARN)
			return archive_error(unpacker->disk, "write", archive_entry_pathname(entry), err);
	}
	if (archive_write_close(unpacker->disk) < ARCHIVE_WARN)
		return archive_error(unpacker->disk, "write", unpacker->how->path, err);
	return 0;
}

/* So that the other end is not ended by a closed pipe, and can say what went wrong there. */
static void drain(int fd)
{
	cleanup_free char *buffer = malloc(COPY_SIZE);

	while (buffer && read(fd, buffer, COPY_SIZE) > 0)
		;
}

int tree_unpack(const struct tree_unpack *unpack, struct layerblk_error *err)
{
	CLEANUP(archive) struct archive *tar = archive_read_new();
	CLEANUP(archive) struct archive *disk = archive_write_disk_new();
	struct unpacker unpacker = { .how = unpack, .tar = tar, .disk = disk };
	int flags = ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_UNLINK | ARCHIVE_EXTRACT_OWNER |
		    ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;
	int rc = 0;

	if (!tar || !disk || !place_of(unpack->path, &unpacker.place))
		rc = layerblk_error_set(err, ENOMEM, "copy to", unpack->path, "no memory");
	if (!rc && unpacker.place.parent && unpacker.place.name) {
		umask(0);
		archive_write_disk_set_options(disk, flags);
		archive_read_support_format_tar(tar);
		if (unpack->as_it_is)
			archive_read_support_filter_all(tar);
		if (archive_read_open_fd(tar, unpack->fd, COPY_SIZE) != ARCHIVE_OK)
			rc = archive_error(tar, "read", "the tar", err);
	}
	if (!rc && unpacker.place.parent && unpacker.place.name)
		rc = unpack_all(&unpacker, err);
	place_clear(&unpacker.place);
	drain(unpack->fd);
	return rc;
}
