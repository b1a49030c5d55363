// SPDX-License-Identifier: GPL-2.0-or-later
/* See changes.h. Both trees are walked at once, directory by directory, by sorted names. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "changes.h"
#include "cleanup.h"
#include "tree_changes.h"

struct names {
	char **list;
	size_t count;
};

struct walk {
	changes_fn *said;
	void *arg;
	struct layerblk_error *err;
	dev_t devices[2];		/* of before and after */
	bool overlaid;
	const char *const *ignored;
};

static int failed(const struct walk *walk, const char *path)
{
	int code = errno;

	return layerblk_error_set(walk->err, code, "compare", *path ? path : "/", "%s", strerror(code));
}

static void names_clear(struct names *names)
{
	while (names->count)
		free(names->list[--names->count]);
	free(names->list);
	*names = (struct names){ 0 };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* fd -1: no names. */
static int names_load(int fd, struct names *out)
{
	int copy = fd >= 0 ? openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	cleanup_dir DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *entry;
	char **more;

	*out = (struct names){ 0 };
	if (fd < 0)
		return 0;
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		more = reallocarray(out->list, out->count + 1, sizeof(*more));
		if (more)
			out->list = more;
		if (!more || !(more[out->count] = strdup(entry->d_name)))
			return -ENOMEM;
		out->count++;
	}
	if (out->count)
		qsort(out->list, out->count, sizeof(*out->list), by_name);
	return 0;
}

static int open_directory(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool same(const struct walk *walk, const struct stat *a, const struct stat *b)
{
	ino_t bits = walk->overlaid ? OVERLAY_INO : ~(ino_t)0;

	return !((a->st_ino ^ b->st_ino) & bits) && a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec &&
	       a->st_mode == b->st_mode && a->st_size == b->st_size;
}

static bool same_directory(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid;
}

/* Overlayfs may give a file another device than its directory has. */
static bool is_of(const struct walk *walk, const struct stat *st, bool after)
{
	return st->st_dev == walk->devices[after] || (after && walk->overlaid && !S_ISDIR(st->st_mode));
}

static bool is_ignored(const struct walk *walk, const char *path)
{
	for (const char *const *one = walk->ignored; one && *one; one++)
		if (strcmp(*one, path) == 0)
			return true;
	return false;
}

static int compare(const struct walk *walk, int before, int after, const char *path, bool changed, bool *any);

/* One name, which one of the trees may lack. *any: it is not as it was. */
static int compare_one(const struct walk *walk, int before, int after, const char *name, const char *path, bool *any)
{
	cleanup_fd int old_dir = -1, new_dir = -1;
	struct stat old, new;
	bool is_old = before >= 0 && fstatat(before, name, &old, AT_SYMLINK_NOFOLLOW) == 0;
	bool is_new = after >= 0 && fstatat(after, name, &new, AT_SYMLINK_NOFOLLOW) == 0;
	bool both, directories;
	int rc = 0;

	if (is_ignored(walk, path) || (is_old && !is_of(walk, &old, false)) || (is_new && !is_of(walk, &new, true)) || (!is_old && !is_new))
		return 0;		/* mounted there, or just gone */
	both = is_old && is_new && (old.st_mode & S_IFMT) == (new.st_mode & S_IFMT);
	directories = both && S_ISDIR(old.st_mode);
	if (directories) {
		old_dir = open_directory(before, name);
		new_dir = open_directory(after, name);
		if (old_dir < 0 || new_dir < 0)
			return failed(walk, path);
		return compare(walk, old_dir, new_dir, path, !same_directory(&old, &new), any);
	}
	if (both && same(walk, &old, &new))
		return 0;
	*any = true;
	rc = walk->said(walk->arg, is_old && is_new ? 'C' : is_new ? 'A' : 'D', path);
	if (rc || (is_old && is_new))
		return rc;
	if (is_old && S_ISDIR(old.st_mode))
		return 0;		/* what was in it is gone with it */
	if (is_new && S_ISDIR(new.st_mode)) {
		new_dir = open_directory(after, name);
		rc = new_dir < 0 ? failed(walk, path) : compare(walk, -1, new_dir, path, false, any);
	}
	return rc;
}

struct held {				/* a directory is told of before what is in it, and only if there is something to tell */
	changes_fn *said;
	void *arg;
	const char *path;
	bool told;
};

static int tell_directory_first(void *arg, char what, const char *path)
{
	struct held *held = arg;
	int rc = 0;

	if (!held->told)
		rc = held->said(held->arg, 'C', held->path);
	held->told = true;
	return rc ? rc : held->said(held->arg, what, path);
}

/* The names of both, in order. `changed`: the directory itself is. */
static int compare(const struct walk *walk, int before, int after, const char *path, bool changed, bool *any)
{
	struct held held = { .said = walk->said, .arg = walk->arg, .path = path, .told = before < 0 || !*path };
	struct walk inner = *walk;
	struct names old = { 0 }, new = { 0 };
	size_t i = 0, k = 0;
	int rc = names_load(before, &old);

	inner.said = tell_directory_first;
	inner.arg = &held;
	if (!rc)
		rc = names_load(after, &new);
	if (rc) {
		errno = -rc;
		failed(walk, path);
	}
	while (!rc && (i < old.count || k < new.count)) {
		int order = i == old.count ? 1 : k == new.count ? -1 : strcmp(old.list[i], new.list[k]);
		const char *name = order <= 0 ? old.list[i] : new.list[k];
		cleanup_free char *full = NULL;

		if (asprintf(&full, "%s/%s", path, name) < 0) {
			full = NULL;
			rc = layerblk_error_set(walk->err, ENOMEM, "compare", path, "no memory");
		} else if (*path || strcmp(name, "lost+found") != 0) {
			rc = compare_one(&inner, order <= 0 ? before : -1, order >= 0 ? after : -1, name, full, any);
		}
		i += order <= 0;
		k += order >= 0;
	}
	if (!rc && changed && !held.told)
		rc = walk->said(walk->arg, 'C', path);
	*any |= held.told;
	names_clear(&old);
	names_clear(&new);
	return rc;
}

int changes_each(int before, int after, bool overlaid, const char *const *ignored, changes_fn *said, void *arg, struct layerblk_error *err)
{
	struct walk walk = { .said = said, .arg = arg, .err = err, .overlaid = overlaid, .ignored = ignored };
	struct stat old, new;
	bool any = false;

	if (fstat(before, &old) != 0 || fstat(after, &new) != 0)
		return failed(&walk, "");
	walk.devices[0] = old.st_dev;
	walk.devices[1] = new.st_dev;
	return compare(&walk, before, after, "", false, &any);
}
