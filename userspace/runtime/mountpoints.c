// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See mountpoints.h. A directory's time is put back only if it is still the one that it had from our making an entry in it: whoever else changes the
 * directory changes its time too.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cleanup.h"
#include "json.h"
#include "mountpoints.h"
#include "open_in_root.h"
#include "path.h"

#define LINKS_MAX	16		/* dangling ones, one behind the other */

struct mountpoint {
	char *above;			/* the directory that it is in */
	char *name;
	ino_t inode;
	bool directory;
	struct timespec before;		/* the time of `above` */
	struct timespec after;
};

static int failed(const char *path, int error, struct layerblk_error *err)
{
	return layerblk_error_set(err, error, "make a place to mount on", path, "%s", strerror(error));
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* ------------------------------------------------------------------ making */

static int make_entry(int above, const char *name, bool directory)
{
	cleanup_fd int fd = -1;

	if (directory)
		return mkdirat(above, name, 0755);
	fd = openat(above, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? -1 : 0;
}

/* One that is missing, in a directory that is there. */
static int make_one(int root, const char *above, const char *name, bool directory, struct mountpoints *out, struct layerblk_error *err)
{
	cleanup_fd int fd = open_in_root(root, above, O_RDONLY | O_DIRECTORY);
	struct mountpoint *more = reallocarray(out->items, out->count + 1, sizeof(*more));
	struct stat st;

	if (!more)
		return failed(name, ENOMEM, err);
	out->items = more;
	more += out->count;
	*more = (struct mountpoint){ .above = strdup(above), .name = strdup(name), .directory = directory };
	if (!more->above || !more->name) {
		free(more->above);
		free(more->name);
		return failed(name, ENOMEM, err);
	}
	out->count++;
	if (fd < 0 || fstat(fd, &st) != 0)
		return failed(above, errno, err);
	more->before = st.st_mtim;
	if (make_entry(fd, name, directory) != 0 || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return failed(name, errno, err);
	more->inode = st.st_ino;
	if (fstat(fd, &st) != 0)
		return failed(above, errno, err);
	more->after = st.st_mtim;
	return 0;
}

/* Where a symbolic link leads that is at `path`, as a path beneath the root; NULL when there is none. */
static char *link_target(int root, const char *path)
{
	cleanup_fd int fd = open_in_root(root, path, O_PATH | O_NOFOLLOW);
	cleanup_free char *joined = NULL;
	const char *slash = strrchr(path, '/');
	char target[PATH_MAX];
	ssize_t length = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target) - 1);

	if (length <= 0)
		return NULL;
	target[length] = '\0';
	if (asprintf(&joined, "%.*s/%s", *target == '/' || !slash ? 0 : (int)(slash - path), path, target) < 0) {
		joined = NULL;
		return NULL;
	}
	return path_clean(joined, NULL);
}

/* path: clean, without a leading slash. */
static int make_path(int root, const char *path, bool directory, int links, struct mountpoints *out, struct layerblk_error *err)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *above = strndup(path, slash ? (size_t)(slash - path) : 0), *target = NULL;
	cleanup_fd int there = open_in_root(root, path, O_PATH);
	int rc;

	if (there >= 0)
		return 0;
	if (errno != ENOENT || links > LINKS_MAX)
		return failed(path, errno, err);
	target = link_target(root, path);
	if (target)
		return make_path(root, target, directory, links + 1, out, err);
	if (!above)
		return failed(path, ENOMEM, err);
	rc = *above ? make_path(root, above, true, links, out, err) : 0;
	return rc ? rc : make_one(root, above, slash ? slash + 1 : path, directory, out, err);
}

/* Whether one that comes before it hides the place. */
static bool is_hidden(json_object *mounts, size_t before, const char *target)
{
	for (size_t i = 0; i < before; i++) {
		const char *other = json_text(json_object_array_get_idx(mounts, i), "destination");
		size_t length = strlen(other);

		if (strncmp(other, target, length) == 0 && target[length] == '/')
			return true;
	}
	return false;
}

static bool mounts_file(json_object *mount)
{
	const char *type = json_text(mount, "type"), *source = json_text(mount, "source");
	struct stat st;

	return strcmp(type, "bind") == 0 && stat(source, &st) == 0 && !S_ISDIR(st.st_mode);
}

int mountpoints_make(int root, json_object *mounts, struct mountpoints *out, struct layerblk_error *err)
{
	int rc = 0;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; !rc && i < json_object_array_length(mounts); i++) {
		json_object *mount = json_object_array_get_idx(mounts, i);
		const char *target = json_text(mount, "destination");
		cleanup_free char *path = is_hidden(mounts, i, target) ? NULL : path_clean(target, NULL);

		if (path)
			rc = make_path(root, path, !mounts_file(mount), 0, out, err);
	}
	if (rc)
		mountpoints_remove(root, out);
	return rc;
}

/* ------------------------------------------------------------------ taking away */

static void remove_one(int root, const struct mountpoint *point)
{
	cleanup_fd int above = open_in_root(root, point->above, O_RDONLY | O_DIRECTORY);
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, point->before };
	struct stat st, entry;

	if (above < 0 || fstat(above, &st) != 0 || fstatat(above, point->name, &entry, AT_SYMLINK_NOFOLLOW) != 0 ||
	    entry.st_ino != point->inode || (!point->directory && entry.st_size != 0))
		return;
	if (unlinkat(above, point->name, point->directory ? AT_REMOVEDIR : 0) == 0 && same_time(&st.st_mtim, &point->after))
		futimens(above, times);
}

void mountpoints_remove(int root, struct mountpoints *points)
{
	for (size_t i = points->count; i-- > 0;) {
		remove_one(root, &points->items[i]);
		free(points->items[i].above);
		free(points->items[i].name);
	}
	free(points->items);
	memset(points, 0, sizeof(*points));
}
