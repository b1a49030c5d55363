// SPDX-License-Identifier: GPL-2.0-or-later
/* See layer_tar.h. Holes of SPARSE_WORTH bytes and more are left out of the tar. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "tree_changes.h"
#include "cleanup.h"
#include "layer_tar.h"
#include "spool.h"
#include "tarhead.h"

#define WHAT		"write the layer's entry"
#define WHITEOUT	".wh."
#define WHITEOUT_OPAQUE	".wh..wh..opq"
#define SPARSE_WORTH	(64U << 10)

struct writer {
	int root;
	const struct changes *changes;
	const struct sink *to;
};

static int failed(const char *path, int error, struct layerblk_error *err)
{
	return layerblk_error_set(err, error, WHAT, path, "%s", strerror(error));
}

/* The directory that a path's last part is in; "" and "a" are in the root. */
static int open_parent(const struct writer *writer, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX] = ".";

	if (slash && (size_t)(slash - path) >= sizeof(parent)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (slash)
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	return (int)syscall(SYS_openat2, writer->root, parent, &how, sizeof(how));
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !*path ? "." : slash ? slash + 1 : path;
}

/* ------------------------------------------------------------------ contents */

struct parts {
	struct tar_part *items;
	size_t count;
};

static int parts_add(struct parts *parts, uint64_t offset, uint64_t length)
{
	struct tar_part *more = reallocarray(parts->items, parts->count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	parts->items = more;
	more[parts->count++] = (struct tar_part){ .offset = offset, .length = length };
	return 0;
}

/* Where the file has data. None (items NULL) when its holes are not worth it. */
static int find_parts(int fd, const struct stat *st, struct parts *parts)
{
	uint64_t size = (uint64_t)st->st_size, data = 0;
	off_t begin, end = 0;

	if ((uint64_t)st->st_blocks * 512 + SPARSE_WORTH > size)
		return 0;
	for (;; data += (uint64_t)(end - begin)) {
		begin = lseek(fd, end, SEEK_DATA);
		if (begin < 0 && errno == ENXIO)
			break;
		end = begin < 0 ? -1 : lseek(fd, begin, SEEK_HOLE);
		if (begin < 0 || end < 0)
			return -errno;
		if (parts_add(parts, (uint64_t)begin, (uint64_t)(end - begin)) != 0)
			return -ENOMEM;
	}
	if (data + SPARSE_WORTH > size) {
		free(parts->items);
		*parts = (struct parts){ 0 };
		return 0;
	}
	if (!parts->items || (uint64_t)end != size)	/* a hole at the end is told by a part of no length */
		return parts_add(parts, size, 0);
	return 0;
}

static int write_file(const struct writer *writer, struct tar_entry *entry, int directory, const struct change *change,
		      struct layerblk_error *err)
{
	cleanup_fd int fd = openat(directory, base_of(change->path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct parts parts = { 0 };
	uint64_t stored;
	int rc;

	if (fd < 0)
		return failed(change->path, errno, err);
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	rc = find_parts(fd, &change->st, &parts);
	if (rc)
		rc = failed(change->path, -rc, err);
	entry->parts = parts.items;
	entry->part_count = parts.count;
	if (!rc)
		rc = tar_head(entry, writer->to, &stored, err);
	if (!rc && !parts.items)
		rc = spool_copy(fd, 0, entry->size, writer->to, change->path, err);
	for (size_t i = 0; !rc && parts.items && i < parts.count; i++)
		rc = spool_copy(fd, (off_t)parts.items[i].offset, parts.items[i].length, writer->to, change->path, err);
	free(parts.items);
	return rc ? rc : tar_pad(stored, writer->to, err);
}

/* ------------------------------------------------------------------ entries */

static int write_head_only(const struct writer *writer, const struct tar_entry *entry, struct layerblk_error *err)
{
	uint64_t stored;

	return tar_head(entry, writer->to, &stored, err);
}

/* Metadata and, for a file, contents; hard links are not for here. */
static int write_whole(const struct writer *writer, struct tar_entry *entry, const struct change *change,
		       struct layerblk_error *err)
{
	cleanup_fd int directory = open_parent(writer, change->path);
	struct tar_xattr *xattrs = NULL;
	char target[PATH_MAX];
	ssize_t length;
	int rc;

	if (directory < 0)
		return failed(change->path, errno, err);
	rc = xattrs_read(directory, base_of(change->path), change->path, &xattrs, &entry->xattr_count, err);
	if (rc)
		return rc;
	entry->xattrs = xattrs;
	if (S_ISLNK(entry->mode)) {
		length = readlinkat(directory, base_of(change->path), target, sizeof(target) - 1);
		if (length < 0) {
			rc = failed(change->path, errno, err);
		} else {
			target[length] = '\0';
			entry->link = target;
		}
	}
	if (!rc)
		rc = S_ISREG(entry->mode) ? write_file(writer, entry, directory, change, err) :
		     write_head_only(writer, entry, err);
	xattrs_free(xattrs, entry->xattr_count);
	return rc;
}

static int write_entry(const struct writer *writer, size_t at, struct layerblk_error *err)
{
	const struct change *change = &writer->changes->items[at];
	cleanup_free char *path = NULL;
	struct tar_entry entry = {
		.mode = change->st.st_mode, .uid = change->st.st_uid, .gid = change->st.st_gid,
		.mtime = change->st.st_mtim, .device = change->st.st_rdev, .size = (uint64_t)change->st.st_size,
	};

	if (strncmp(base_of(change->path), WHITEOUT, strlen(WHITEOUT)) == 0)
		return layerblk_error_set(err, EINVAL, WHAT, change->path,
					  "in a layer, a name that begins with \"" WHITEOUT "\" means that a file is removed");
	if (asprintf(&path, "%s%s", *change->path ? change->path : ".", S_ISDIR(entry.mode) ? "/" : "") < 0) {
		path = NULL;
		return failed(change->path, ENOMEM, err);
	}
	entry.path = path;
	if (change->first == at)
		return write_whole(writer, &entry, change, err);
	entry.hard = true;
	entry.link = writer->changes->items[change->first].path;
	return write_head_only(writer, &entry, err);
}

static int write_whiteout(const struct writer *writer, const struct change *change, struct layerblk_error *err)
{
	struct tar_entry entry = { .mode = S_IFREG };
	const char *base = base_of(change->path);
	cleanup_free char *path = NULL;
	int length;

	if (change->kind == CHANGE_OPAQUE)
		length = asprintf(&path, "%s/" WHITEOUT_OPAQUE, change->path);
	else
		length = asprintf(&path, "%.*s" WHITEOUT "%s", (int)(base - change->path), change->path, base);
	if (length < 0) {
		path = NULL;
		return failed(change->path, ENOMEM, err);
	}
	entry.path = path;
	return write_head_only(writer, &entry, err);
}

int layer_tar_write(int before, int after, enum tree_relation relation, const struct sink *to, struct layerblk_error *err)
{
	struct changes changes;
	struct writer writer = { .root = after, .changes = &changes, .to = to };
	int rc = changes_find(before, after, relation, &changes, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < changes.count; i++) {
		enum change_kind kind = changes.items[i].kind;

		rc = kind == CHANGE_REMOVED || kind == CHANGE_OPAQUE ? write_whiteout(&writer, &changes.items[i], err) :
		     write_entry(&writer, i, err);
	}
	changes_clear(&changes);
	return rc ? rc : tar_end(to, err);
}
