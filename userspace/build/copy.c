// SPDX-License-Identifier: GPL-2.0-or-later
/* See copy.h. Files keep their time and attributes; each is made anew with an exclusive create. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "apply.h"
#include "open_in_root.h"
#include "tree_changes.h"
#include "cleanup.h"
#include "copy.h"
#include "interrupt.h"
#include "spool.h"

#define WHAT	"copy the file"

static int failed(const char *path, int error, struct layerblk_error *err)
{
	return layerblk_error_set(err, error, WHAT, *path ? path : ".", "%s", strerror(error));
}

/* ------------------------------------------------------------------ directories of the destination */

/* One directory, whose parent is there. */
static int make_one(int root, const char *path, uint32_t uid, uint32_t gid, struct layerblk_error *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	cleanup_free char *above = strndup(path, slash ? (size_t)(slash - path) : 0);
	cleanup_fd int parent = above ? open_in_root(root, above, O_RDONLY | O_DIRECTORY) : -1;

	if (parent < 0)
		return failed(path, above ? errno : ENOMEM, err);
	if (mkdirat(parent, name, 0755) != 0)
		return errno == EEXIST ? layerblk_error_set(err, ENOTDIR, WHAT, path, "it is there, and no directory") :
		       failed(path, errno, err);
	if (fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0 || fchmodat(parent, name, 0755, 0) != 0)
		return failed(path, errno, err);
	return 0;
}

int copy_make_directory(int root, const char *path, uint32_t uid, uint32_t gid, struct layerblk_error *err)
{
	cleanup_free char *part = strdup(path);
	int rc = 0;

	if (!part)
		return failed(path, ENOMEM, err);
	for (char *end = part + strspn(part, "/"); !rc && *end;) {
		cleanup_fd int there = -1;
		char kept;

		end += strcspn(end, "/");
		kept = *end;
		*end = '\0';
		there = open_in_root(root, part, O_PATH | O_DIRECTORY);
		if (there < 0)
			rc = errno == ENOENT || errno == ENOTDIR ? make_one(root, part, uid, gid, err) : failed(path, errno, err);
		*end = kept;
		end += strspn(end, "/");
	}
	return rc;
}

static bool is_directory(int root, const char *path)
{
	cleanup_fd int fd = open_in_root(root, path, O_PATH | O_DIRECTORY);

	return fd >= 0;
}

/* The directory above a path, made if it is missing, and the path's last name. */
static int open_above(const struct copy *copy, const char *path, const char **name, struct layerblk_error *err)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *above = strndup(path, slash ? (size_t)(slash - path) : 0);
	int rc, fd;

	*name = slash ? slash + 1 : path;
	if (!above)
		return failed(path, ENOMEM, err);
	rc = copy_make_directory(copy->root, above, copy->uid, copy->gid, err);
	if (rc)
		return rc;
	fd = open_in_root(copy->root, above, O_RDONLY | O_DIRECTORY);
	return fd < 0 ? failed(path, errno, err) : fd;
}

/* ------------------------------------------------------------------ one entry */

/* From one open file to another: capabilities and the like. */
static int copy_xattrs(int in, int out, const char *path, struct layerblk_error *err)
{
	cleanup_free char *names = NULL, *value = NULL;
	ssize_t size = flistxattr(in, NULL, 0), length;

	if (size <= 0)
		return 0;
	names = malloc((size_t)size);
	value = malloc(XATTR_SIZE_MAX);
	if (!names || !value)
		return failed(path, ENOMEM, err);
	size = flistxattr(in, names, (size_t)size);
	for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
		if (xattr_is_foreign(name) || strcmp(name, "security.selinux") == 0)
			continue;
		length = fgetxattr(in, name, value, XATTR_SIZE_MAX);
		if (length < 0 || (fsetxattr(out, name, value, (size_t)length, 0) != 0 && errno != EOPNOTSUPP))
			return failed(path, errno, err);
	}
	return 0;
}

/* Owner, mode and time; in and out, when they are not -1, are the open files, whose attributes are copied. */
static int set_metadata(const struct copy *copy, int in, int out, const struct stat *st, int to, const char *to_name,
			const char *path, struct layerblk_error *err)
{
	struct timespec times[2] = { st->st_mtim, st->st_mtim };
	mode_t mode = copy->mode >= 0 ? (mode_t)copy->mode : st->st_mode & 07777;
	int rc;

	if (fchownat(to, to_name, copy->uid, copy->gid, AT_SYMLINK_NOFOLLOW) != 0)
		return failed(path, errno, err);
	rc = in >= 0 ? copy_xattrs(in, out, path, err) : 0;
	if (!rc && !S_ISLNK(st->st_mode) && fchmodat(to, to_name, mode, 0) != 0)
		rc = failed(path, errno, err);
	if (!rc && utimensat(to, to_name, times, AT_SYMLINK_NOFOLLOW) != 0)
		rc = failed(path, errno, err);
	return rc;
}

/* What is not a directory makes room for what comes. */
static int make_room(int to, const char *name, const char *path, struct layerblk_error *err)
{
	if (unlinkat(to, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno == EISDIR || errno == EPERM)
		return layerblk_error_set(err, EISDIR, WHAT, path, "there is a directory in its place");
	return failed(path, errno, err);
}

static int copy_contents(int in, int out, const char *path, uint64_t size, struct layerblk_error *err)
{
	struct sink sink = { spool_sink, &out };
	off_t done = 0;

	while ((uint64_t)done < size && copy_file_range(in, &done, out, NULL, size - (uint64_t)done, 0) > 0)
		;
	return (uint64_t)done < size ? spool_copy(in, done, size - (uint64_t)done, &sink, path, err) : 0;
}

/* An open file, anew under this name. */
static int make_file(const struct copy *copy, int in, const struct stat *st, int to, const char *to_name, const char *path,
		     struct layerblk_error *err)
{
	cleanup_fd int out = openat(to, to_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc = out < 0 ? failed(path, errno, err) : copy_contents(in, out, path, (uint64_t)st->st_size, err);

	return rc ? rc : set_metadata(copy, in, out, st, to, to_name, path, err);
}

static int copy_file(const struct copy *copy, int from, const char *name, const struct stat *st, int to, const char *to_name,
		     const char *path, struct layerblk_error *err)
{
	cleanup_fd int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return in < 0 ? failed(path, errno, err) : make_file(copy, in, st, to, to_name, path, err);
}

static int make_link(int from, const char *name, int to, const char *to_name, const char *path, struct layerblk_error *err)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(from, name, target, sizeof(target) - 1);

	if (length < 0)
		return failed(path, errno, err);
	target[length] = '\0';
	return symlinkat(target, to, to_name) == 0 ? 0 : failed(path, errno, err);
}

static int copy_directory(const struct copy *copy, int from, const char *path, int to, struct layerblk_error *err);

static int copy_entry(const struct copy *copy, int from, const char *name, const char *path, int to, const char *to_name,
		      struct layerblk_error *err);

/* A directory in a directory; one that is there stays, and gets the metadata of the one that is copied. */
static int copy_subdirectory(const struct copy *copy, int from, const char *name, const char *path, int to, const char *to_name,
			     const struct stat *st, struct layerblk_error *err)
{
	cleanup_fd int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int out = -1;
	int rc;

	if (in < 0)
		return failed(path, errno, err);
	if (mkdirat(to, to_name, 0700) != 0 && errno != EEXIST)
		return failed(path, errno, err);
	out = openat(to, to_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return layerblk_error_set(err, errno, WHAT, path, "there is something else than a directory in its place");
	rc = copy_directory(copy, in, path, out, err);
	return rc ? rc : set_metadata(copy, in, out, st, to, to_name, path, err);
}

static int copy_entry(const struct copy *copy, int from, const char *name, const char *path, int to, const char *to_name,
		      struct layerblk_error *err)
{
	struct stat st;
	int rc = build_go_on(err);

	if (rc)
		return rc;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return failed(path, errno, err);
	if (S_ISDIR(st.st_mode))
		return copy_subdirectory(copy, from, name, path, to, to_name, &st, err);
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return S_ISSOCK(st.st_mode) ? 0 : layerblk_error_set(err, EINVAL, WHAT, path, "it is a device or a pipe");
	rc = make_room(to, to_name, path, err);
	if (!rc && S_ISREG(st.st_mode))
		return copy_file(copy, from, name, &st, to, to_name, path, err);
	if (!rc)
		rc = make_link(from, name, to, to_name, path, err);
	return rc ? rc : set_metadata(copy, -1, -1, &st, to, to_name, path, err);
}

/* What is in a directory. One that .dockerignore leaves out but for exceptions in it is made. */
static int copy_directory(const struct copy *copy, int from, const char *path, int to, struct layerblk_error *err)
{
	char **names = context_names(copy->from, from, path, err);
	int rc = 0;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; !rc && names[i]; i++) {
		cleanup_free char *full = NULL;

		if (asprintf(&full, "%s%s%s", path, *path ? "/" : "", names[i]) < 0) {
			full = NULL;
			rc = failed(path, ENOMEM, err);
		} else {
			rc = copy_entry(copy, from, names[i], full, to, names[i], err);
		}
	}
	names_free(names);
	return rc;
}

/* ------------------------------------------------------------------ tars */

bool copy_is_tar(int fd)
{
	struct archive *tar = archive_new_tar();
	struct archive_entry *entry;
	char self[32];
	bool is = false;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	archive_read_support_filter_gzip(tar);
	archive_read_support_filter_zstd(tar);
	archive_read_support_filter_xz(tar);
	archive_read_support_filter_bzip2(tar);
	if (archive_read_open_filename(tar, self, 65536) == ARCHIVE_OK)
		is = archive_read_next_header(tar, &entry) == ARCHIVE_OK && archive_format(tar) != ARCHIVE_FORMAT_EMPTY;
	archive_read_free(tar);
	return is;
}

int copy_unpack(int to, int fd, struct layerblk_error *err)
{
	struct bundle_layer layer = { .blob = (char *)(uintptr_t)"tar", .size = -1 };
	struct source *source = NULL;
	struct stream *stream = NULL;
	char self[32];
	int rc;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	rc = source_open_single(self, "tar", &source, err);
	if (!rc)
		rc = stream_open(source, &layer, NULL, NULL, &stream, err);
	if (!rc)
		rc = apply_tree(to, stream, err);
	stream_close(stream);
	source_close(source);
	return rc;
}

static int unpack_tar(const struct copy *copy, int fd, const char *path, struct layerblk_error *err)
{
	int rc = copy_make_directory(copy->root, copy->destination, copy->uid, copy->gid, err);
	cleanup_fd int to = rc ? -1 : open_in_root(copy->root, copy->destination, O_RDONLY | O_DIRECTORY);

	if (rc)
		return rc;
	return to < 0 ? failed(path, errno, err) : copy_unpack(to, fd, err);
}

/* ------------------------------------------------------------------ what was found */

/* A symbolic link named as a source means what it leads to. */
static int copy_one(const struct copy *copy, const char *path, bool into, struct layerblk_error *err)
{
	cleanup_fd int fd = context_open(copy->from, path, O_RDONLY | O_NONBLOCK), to = -1;
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *name;
	cleanup_free char *target = NULL;
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) != 0)
		return failed(path, errno, err);
	if (S_ISDIR(st.st_mode)) {
		rc = copy_make_directory(copy->root, copy->destination, copy->uid, copy->gid, err);
		if (rc)
			return rc;
		to = open_in_root(copy->root, copy->destination, O_RDONLY | O_DIRECTORY);
		return to < 0 ? failed(path, errno, err) : copy_directory(copy, fd, path, to, err);
	}
	if (!S_ISREG(st.st_mode))
		return layerblk_error_set(err, EINVAL, WHAT, path, "it is a device or a pipe");
	if (copy->unpack && copy_is_tar(fd))
		return unpack_tar(copy, fd, path, err);
	if (asprintf(&target, "%s%s%s", copy->destination, into ? "/" : "", into ? base : "") < 0) {
		target = NULL;
		return failed(path, ENOMEM, err);
	}
	to = open_above(copy, target, &name, err);
	if (to < 0)
		return to;
	rc = make_room(to, name, target, err);
	return rc ? rc : make_file(copy, fd, &st, to, name, target, err);
}

int copy_files(const struct copy *copy, const struct found *found, struct layerblk_error *err)
{
	size_t length = strlen(copy->destination);
	bool slash = length && copy->destination[length - 1] == '/';
	bool into = slash || is_directory(copy->root, copy->destination);
	int rc = 0;

	if (found->count > 1 && !slash)
		return layerblk_error_set(err, ENOTDIR, WHAT, copy->destination,
					  "several files are copied: their destination must be a directory and end with \"/\"");
	for (size_t i = 0; !rc && i < found->count; i++)
		rc = copy_one(copy, found->paths[i], into, err);
	return rc;
}

int copy_text(const struct copy *copy, const char *name, const char *content, size_t size, struct layerblk_error *err)
{
	size_t length = strlen(copy->destination);
	bool into = (length && copy->destination[length - 1] == '/') || is_directory(copy->root, copy->destination);
	struct stat st = { .st_mode = S_IFREG | 0644 };
	cleanup_free char *target = NULL;
	cleanup_fd int to = -1, out = -1;
	const char *base;
	int rc;

	clock_gettime(CLOCK_REALTIME, &st.st_mtim);
	if (asprintf(&target, "%s%s%s", copy->destination, into ? "/" : "", into ? name : "") < 0) {
		target = NULL;
		return failed(name, ENOMEM, err);
	}
	to = open_above(copy, target, &base, err);
	if (to < 0)
		return to;
	rc = make_room(to, base, target, err);
	if (rc)
		return rc;
	out = openat(to, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	rc = out < 0 ? -errno : write_all(out, content, size);
	return rc ? failed(target, -rc, err) : set_metadata(copy, -1, -1, &st, to, base, target, err);
}
