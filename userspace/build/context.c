// SPDX-License-Identifier: GPL-2.0-or-later
/* See context.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "open_in_root.h"
#include "tree_changes.h"
#include "cleanup.h"
#include "context.h"
#include "interrupt.h"
#include "path.h"
#include "sink.h"
#include "spool.h"
#include "tarhead.h"

#define WHAT		"read the file"
#define IGNORE_MAX	(1U << 20)	/* bytes of a .dockerignore */

static int failed(const char *path, int error, struct layerblk_error *err)
{
	return layerblk_error_set(err, error, WHAT, *path ? path : ".", "%s", strerror(error));
}

int context_open(const struct context *context, const char *path, int flags)
{
	return open_in_root(context->root, path, flags);
}

/* ------------------------------------------------------------------ .dockerignore */

static int read_ignore(int fd, const char *name, struct ignore *out, struct layerblk_error *err)
{
	cleanup_free char *text = malloc(IGNORE_MAX + 1);
	ssize_t got;

	if (!text)
		return failed(name, ENOMEM, err);
	got = read_all_at(fd, text, IGNORE_MAX + 1, 0);
	if (got < 0)
		return failed(name, (int)-got, err);
	if (got > (ssize_t)IGNORE_MAX)
		return layerblk_error_set(err, EFBIG, WHAT, name, "it has more than %u bytes", IGNORE_MAX);
	return ignore_parse(text, (size_t)got, out, err);
}

int context_ignore(int root, const char *dockerfile, struct ignore *out, struct layerblk_error *err)
{
	struct context context = { .root = root };
	char own[PATH_MAX];
	const char *names[] = { own, ".dockerignore" };

	memset(out, 0, sizeof(*out));
	snprintf(own, sizeof(own), "%s.dockerignore", dockerfile);
	for (size_t i = 0; i < 2; i++) {
		cleanup_fd int fd = context_open(&context, names[i], O_RDONLY);

		if (fd >= 0)
			return read_ignore(fd, names[i], out, err);
		if (errno != ENOENT && errno != ENOTDIR)
			return failed(names[i], errno, err);
	}
	return 0;
}

/* ------------------------------------------------------------------ names */

void names_free(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join(const char *directory, const char *name)
{
	char *path;

	return asprintf(&path, "%s%s%s", directory, *directory ? "/" : "", name) < 0 ? NULL : path;
}

/* A left-out directory is still of use when something in it is not. */
static bool is_left_out(const struct context *context, const char *path, int directory, const char *name)
{
	struct stat st;

	if (!ignore_has(context->ignore, path))
		return false;
	return ignore_prunes(context->ignore, path) || fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode);
}

char **context_names(const struct context *context, int directory, const char *path, struct layerblk_error *err)
{
	int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *stream = own < 0 ? NULL : fdopendir(own);
	char **names = calloc(1, sizeof(*names)), **more;
	size_t count = 0;
	struct dirent *item;

	if (!stream || !names) {
		failed(path, names ? errno : ENOMEM, err);
		free(names);
		return NULL;
	}
	while ((item = readdir(stream))) {
		cleanup_free char *full = NULL;

		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
			continue;
		full = join(path, item->d_name);
		if (full && is_left_out(context, full, directory, item->d_name))
			continue;
		more = full ? reallocarray(names, count + 2, sizeof(*names)) : NULL;
		if (more) {
			names = more;
			names[count + 1] = NULL;
			names[count] = strdup(item->d_name);
		}
		if (!more || !names[count]) {
			failed(path, ENOMEM, err);
			names_free(names);
			return NULL;
		}
		count++;
	}
	qsort(names, count, sizeof(*names), by_text);
	return names;
}

/* ------------------------------------------------------------------ finding */

void found_clear(struct found *found)
{
	names_free(found->paths);
	found->paths = NULL;
	found->count = 0;
}

static int found_add(struct found *found, const char *path, struct layerblk_error *err)
{
	char **more = reallocarray(found->paths, found->count + 2, sizeof(*more));

	if (!more)
		return failed(path, ENOMEM, err);
	found->paths = more;
	more[found->count + 1] = NULL;
	more[found->count] = strdup(path);
	return more[found->count] ? (found->count++, 0) : failed(path, ENOMEM, err);
}

int found_take(struct found *found, char *const *path)
{
	char **more = reallocarray(found->paths, found->count + 2, sizeof(*more));

	if (!more)
		return -ENOMEM;
	found->paths = more;
	more[found->count++] = strdup(*path);
	more[found->count] = NULL;
	return more[found->count - 1] ? 0 : -ENOMEM;
}

static bool exists(const struct context *context, const char *path)
{
	cleanup_fd int fd = context_open(context, path, O_PATH | O_NOFOLLOW);

	return fd >= 0;
}

/* The same as is_left_out() of a whole path. */
static bool is_ignored(const struct context *context, const char *path)
{
	cleanup_fd int fd = context_open(context, path, O_PATH | O_NOFOLLOW | O_DIRECTORY);

	return ignore_has(context->ignore, path) && (fd < 0 || ignore_prunes(context->ignore, path));
}

/* The names that match the pattern's parts from `rest` on, beneath `base`. */
static int find_below(const struct context *context, const char *base, const char *rest, struct found *out, struct layerblk_error *err)
{
	size_t length = strcspn(rest, "/");
	cleanup_free char *part = strndup(rest, length), *path = NULL;
	cleanup_fd int directory = -1;
	char **names;
	int rc = 0;

	if (!part)
		return failed(rest, ENOMEM, err);
	if (!pattern_is_one(part)) {
		path = join(base, part);
		if (!path || !exists(context, path) || (!rest[length] && is_ignored(context, path)))
			return path ? 0 : failed(rest, ENOMEM, err);
		return rest[length] ? find_below(context, path, rest + length + 1, out, err) : found_add(out, path, err);
	}
	directory = context_open(context, base, O_RDONLY | O_DIRECTORY);
	if (directory < 0)
		return errno == ENOTDIR ? 0 : failed(base, errno, err);
	names = context_names(context, directory, base, err);
	if (!names)
		return -ENOMEM;
	for (size_t i = 0; !rc && names[i]; i++) {
		cleanup_free char *full = NULL;

		if (!pattern_matches(part, names[i]))
			continue;
		full = join(base, names[i]);
		if (!full)
			rc = failed(base, ENOMEM, err);
		else
			rc = rest[length] ? find_below(context, full, rest + length + 1, out, err) : found_add(out, full, err);
	}
	names_free(names);
	return rc;
}

int context_find(const struct context *context, const char *source, struct found *out, struct layerblk_error *err)
{
	cleanup_free char *clean = path_clean(source, NULL);
	int rc;

	memset(out, 0, sizeof(*out));
	if (!clean)
		return failed(source, ENOMEM, err);
	rc = *clean ? find_below(context, "", clean, out, err) : found_add(out, "", err);
	if (!rc && out->count == 0)
		rc = layerblk_error_set(err, ENOENT, "copy", source, "%s",
					exists(context, clean) ? "it is left out by .dockerignore" : "there is no such file");
	if (rc)
		found_clear(out);
	return rc;
}

/* ------------------------------------------------------------------ hashing */

/* Lengths in front keep neighbouring texts apart. */
static void hash_bytes(struct hasher *hash, const void *data, size_t size)
{
	uint64_t length = size;

	hasher_add(hash, &length, sizeof(length));
	hasher_add(hash, data, size);
}

static int hash_sink(void *arg, const void *data, size_t size, struct layerblk_error *err)
{
	hasher_add(arg, data, size);
	return build_go_on(err);
}

static int hash_entry(const struct context *context, int parent, const char *name, const char *path, const char *relative,
		      struct hasher *hash, struct layerblk_error *err);

static int hash_directory(const struct context *context, int parent, const char *name, const char *path, const char *relative,
			  struct hasher *hash, struct layerblk_error *err)
{
	cleanup_fd int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char **names;
	int rc = 0;

	if (directory < 0)
		return failed(path, errno, err);
	names = context_names(context, directory, path, err);
	if (!names)
		return -ENOMEM;
	for (size_t i = 0; !rc && names[i]; i++) {
		cleanup_free char *full = join(path, names[i]), *below = join(relative, names[i]);

		rc = full && below ? hash_entry(context, directory, names[i], full, below, hash, err) : failed(path, ENOMEM, err);
	}
	names_free(names);
	return rc;
}

static int hash_file(int parent, const char *name, const char *path, uint64_t size, struct hasher *hash, struct layerblk_error *err)
{
	cleanup_fd int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct sink sink = { hash_sink, hash };

	hasher_add(hash, &size, sizeof(size));
	return fd < 0 ? failed(path, errno, err) : spool_copy(fd, 0, size, &sink, path, err);
}

static int hash_xattrs(int parent, const char *name, const char *path, struct hasher *hash, struct layerblk_error *err)
{
	struct tar_xattr *xattrs;
	size_t count;
	int rc = xattrs_read(parent, name, path, &xattrs, &count, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++) {
		hash_bytes(hash, xattrs[i].name, strlen(xattrs[i].name));
		hash_bytes(hash, xattrs[i].value, xattrs[i].size);
	}
	xattrs_free(xattrs, count);
	return 0;
}

/* relative: the name under which it counts. */
static int hash_entry(const struct context *context, int parent, const char *name, const char *path, const char *relative,
		      struct hasher *hash, struct layerblk_error *err)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t length;
	uint32_t mode;
	int rc;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return failed(path, errno, err);
	if (S_ISSOCK(st.st_mode))
		return 0;
	mode = st.st_mode;
	hash_bytes(hash, relative, strlen(relative));
	hasher_add(hash, &mode, sizeof(mode));
	rc = hash_xattrs(parent, name, path, hash, err);
	if (rc)
		return rc;
	if (S_ISLNK(st.st_mode)) {
		length = readlinkat(parent, name, target, sizeof(target));
		if (length < 0)
			return failed(path, errno, err);
		hash_bytes(hash, target, (size_t)length);
	} else if (S_ISREG(st.st_mode)) {
		rc = hash_file(parent, name, path, (uint64_t)st.st_size, hash, err);
	} else if (S_ISDIR(st.st_mode)) {
		rc = hash_directory(context, parent, name, path, relative, hash, err);
	}
	return rc;
}

int context_hash(const struct context *context, const char *path, struct hasher *hash, struct layerblk_error *err)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *above = strndup(path, slash ? (size_t)(slash - path) : 0);
	cleanup_fd int parent = above ? context_open(context, above, O_RDONLY | O_DIRECTORY) : -1;

	if (parent < 0)
		return failed(path, above ? errno : ENOMEM, err);
	return hash_entry(context, parent, !*path ? "." : slash ? slash + 1 : path, path, "", hash, err);
}
