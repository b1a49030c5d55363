// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See tree_changes.h. One walk over both trees side by side. A file with several names is listed even when it has not changed, until it
 * is known (settle_links()) whether one of the others has.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tree_changes.h"
#include "cleanup.h"
#include "spool.h"
#include "tarhead.h"
#include "tree.h"

#define WHAT		"compare the layer's file"
#define EXT4_LOST_FOUND	11		/* its inode, always */
#define COMPARE_CHUNK	(64U << 10)

struct walk {
	struct changes *list;
	enum tree_relation relation;
	struct layerblk_error *err;
};

struct names {				/* of a directory, in order */
	char **items;
	size_t count;
};

static int failed(const struct walk *walk, const char *path, int error)
{
	return layerblk_error_set(walk->err, error, WHAT, path, "%s", strerror(error));
}

/* ------------------------------------------------------------------ directories */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_clear(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
}

static int names_add(struct names *names, const char *name)
{
	char **more;

	if ((names->count & (names->count - 1)) == 0) {
		more = reallocarray(names->items, names->count ? 2 * names->count : 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		names->items = more;
	}
	names->items[names->count] = strdup(name);
	return names->items[names->count] ? (names->count++, 0) : -ENOMEM;
}

/* fd -1: no names. */
static int names_read(int fd, struct names *names)
{
	cleanup_dir DIR *stream = NULL;
	struct dirent *item;
	int own;

	if (fd < 0)
		return 0;
	own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stream = own < 0 ? NULL : fdopendir(own);
	if (!stream) {
		int error = errno;

		if (own >= 0)
			close(own);
		return -error;
	}
	while ((errno = 0, item = readdir(stream)))
		if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0 && names_add(names, item->d_name) != 0)
			return -ENOMEM;
	if (errno)
		return -errno;
	if (names->count > 1)
		qsort(names->items, names->count, sizeof(*names->items), by_text);
	return 0;
}

static bool names_has(const struct names *names, const char *name)
{
	return names->count > 0 && bsearch(&name, names->items, names->count, sizeof(*names->items), by_text);
}

/* ------------------------------------------------------------------ comparing */

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static int compare_contents(const struct walk *walk, int before, int after, const char *name, const char *path)
{
	cleanup_fd int old = openat(before, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int new = openat(after, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_free char *buffer = malloc(2 * COMPARE_CHUNK);
	off_t at = 0;

	if (old < 0 || new < 0)
		return failed(walk, path, errno);
	if (!buffer)
		return failed(walk, path, ENOMEM);
	for (;; at += COMPARE_CHUNK) {
		ssize_t a = read_all_at(old, buffer, COMPARE_CHUNK, at);
		ssize_t b = read_all_at(new, buffer + COMPARE_CHUNK, COMPARE_CHUNK, at);

		if (a < 0 || b < 0)
			return failed(walk, path, (int)-(a < 0 ? a : b));
		if (a != b || memcmp(buffer, buffer + COMPARE_CHUNK, (size_t)a) != 0)
			return 0;
		if ((size_t)a < COMPARE_CHUNK)
			return 1;
	}
}

static int compare_xattrs(const struct walk *walk, int before, int after, const char *name, const char *path)
{
	struct tar_xattr *old = NULL, *new = NULL;
	size_t old_count = 0, new_count = 0;
	int same = 1, rc;

	rc = xattrs_read(before, name, path, &old, &old_count, walk->err);
	if (!rc)
		rc = xattrs_read(after, name, path, &new, &new_count, walk->err);
	if (!rc && old_count != new_count)
		same = 0;
	for (size_t i = 0; !rc && same && i < old_count; i++)
		same = strcmp(old[i].name, new[i].name) == 0 && old[i].size == new[i].size &&
		       memcmp(old[i].value, new[i].value, old[i].size) == 0;
	xattrs_free(old, old_count);
	xattrs_free(new, new_count);
	return rc ? rc : same;
}

static int compare_targets(const struct walk *walk, int before, int after, const char *name, const char *path)
{
	char old[PATH_MAX], new[PATH_MAX];
	ssize_t a = readlinkat(before, name, old, sizeof(old)), b = readlinkat(after, name, new, sizeof(new));

	if (a < 0 || b < 0)
		return failed(walk, path, errno);
	return a == b && memcmp(old, new, (size_t)a) == 0;
}

/* By what the file system says, without a look at it. */
static bool is_untouched(const struct walk *walk, const struct stat *old, const struct stat *new)
{
	ino_t bits = walk->relation == TREES_OVERLAID ? OVERLAY_INO : ~(ino_t)0;

	return walk->relation != TREES_UNRELATED && !((old->st_ino ^ new->st_ino) & bits) && same_time(&old->st_ctim, &new->st_ctim) &&
	       old->st_mode == new->st_mode;
}

/* A name that is another file's now may have been a link, or be one. */
static bool is_another(const struct walk *walk, const struct stat *old, const struct stat *new)
{
	if (walk->relation == TREES_RELATED)
		return old->st_ino != new->st_ino;
	return old->st_nlink != new->st_nlink || (walk->relation == TREES_OVERLAID && new->st_nlink > 1);
}

/* 1: nothing of it has changed; for directories, what is in them does not count. */
static int compare(const struct walk *walk, int before, int after, const char *name, const char *path, const struct stat *old,
		   const struct stat *new)
{
	int rc;

	if (is_untouched(walk, old, new))
		return 1;
	if (!S_ISDIR(new->st_mode) && is_another(walk, old, new))
		return 0;
	if (old->st_mode != new->st_mode || old->st_uid != new->st_uid || old->st_gid != new->st_gid ||
	    !same_time(&old->st_mtim, &new->st_mtim))
		return 0;
	if ((S_ISREG(new->st_mode) && old->st_size != new->st_size) ||
	    ((S_ISCHR(new->st_mode) || S_ISBLK(new->st_mode)) && old->st_rdev != new->st_rdev))
		return 0;
	rc = compare_xattrs(walk, before, after, name, path);
	if (rc == 1 && S_ISLNK(new->st_mode))
		rc = compare_targets(walk, before, after, name, path);
	else if (rc == 1 && S_ISREG(new->st_mode))
		rc = compare_contents(walk, before, after, name, path);
	return rc;
}

/* ------------------------------------------------------------------ the list */

static int list_add(struct walk *walk, enum change_kind kind, const char *path, const struct stat *st, size_t parent)
{
	struct changes *list = walk->list;
	struct change *more;

	if ((list->count & (list->count - 1)) == 0) {
		more = reallocarray(list->items, list->count ? 2 * list->count : 1, sizeof(*more));
		if (!more)
			return failed(walk, path, ENOMEM);
		list->items = more;
	}
	more = &list->items[list->count];
	*more = (struct change){ .kind = kind, .path = strdup(path), .parent = parent, .first = list->count };
	if (!more->path)
		return failed(walk, path, ENOMEM);
	if (st)
		more->st = *st;
	list->count++;
	return 0;
}

static char *path_join(const char *directory, const char *name)
{
	char *path;

	return asprintf(&path, "%s%s%s", directory, *directory ? "/" : "", name) < 0 ? NULL : path;
}

static int walk_directory(struct walk *walk, int before, int after, size_t self);

/* A directory that is in the list: what is in it. before -1 or old NULL: all of it is new. */
static int descend(struct walk *walk, int before, int after, const char *name, const struct stat *old, size_t self)
{
	cleanup_fd int new_fd = openat(after, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_fd int old_fd = -1;
	const struct change *change = &walk->list->items[self];

	if (new_fd < 0)
		return failed(walk, change->path, errno);
	if (old && walk->relation == TREES_RELATED && old->st_ino != change->st.st_ino) {
		int rc = list_add(walk, CHANGE_OPAQUE, change->path, NULL, self);

		if (rc)
			return rc;
	} else if (old) {
		old_fd = openat(before, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (old_fd < 0)
			return failed(walk, change->path, errno);
	}
	return walk_directory(walk, old_fd, new_fd, self);
}

/* One name of `after`. was: `before` has it too. */
static int walk_name(struct walk *walk, int before, int after, const char *name, bool was, size_t parent)
{
	cleanup_free char *path = path_join(walk->list->items[parent].path, name);
	enum change_kind kind = CHANGE_ADDED;
	struct stat old, new;
	size_t self = walk->list->count;
	int rc = 0;

	if (!path)
		return failed(walk, name, ENOMEM);
	if (fstatat(after, name, &new, AT_SYMLINK_NOFOLLOW) != 0 ||
	    (was && fstatat(before, name, &old, AT_SYMLINK_NOFOLLOW) != 0))
		return failed(walk, path, errno);
	if (parent == 0 && !was && strcmp(name, "lost+found") == 0 && S_ISDIR(new.st_mode) && new.st_ino == EXT4_LOST_FOUND &&
	    new.st_nlink == 2)
		return 0;		/* mkfs's own; no image has it */
	if (S_ISSOCK(new.st_mode))
		return was && !S_ISSOCK(old.st_mode) ? list_add(walk, CHANGE_REMOVED, path, NULL, parent) : 0;
	was = was && !S_ISSOCK(old.st_mode);
	if (was) {
		rc = compare(walk, before, after, name, path, &old, &new);
		kind = rc == 1 ? CHANGE_NONE : CHANGE_MODIFIED;
	}
	if (rc < 0 || (kind == CHANGE_NONE && !S_ISDIR(new.st_mode) && new.st_nlink == 1))
		return rc < 0 ? rc : 0;
	rc = list_add(walk, kind, path, &new, parent);
	if (!rc && S_ISDIR(new.st_mode))
		rc = descend(walk, before, after, name, was && S_ISDIR(old.st_mode) ? &old : NULL, self);
	if (!rc && kind == CHANGE_NONE && S_ISDIR(new.st_mode) && walk->list->count == self + 1)
		free(walk->list->items[--walk->list->count].path);	/* nothing in it either */
	return rc;
}

static int walk_removed(struct walk *walk, int before, const struct names *old, const struct names *new, size_t parent)
{
	struct stat st;
	int rc = 0;

	for (size_t i = 0; !rc && i < old->count; i++) {
		cleanup_free char *path = NULL;

		if (names_has(new, old->items[i]))
			continue;
		path = path_join(walk->list->items[parent].path, old->items[i]);
		if (!path)
			return failed(walk, old->items[i], ENOMEM);
		if (fstatat(before, old->items[i], &st, AT_SYMLINK_NOFOLLOW) != 0)
			return failed(walk, path, errno);
		if (!S_ISSOCK(st.st_mode))
			rc = list_add(walk, CHANGE_REMOVED, path, NULL, parent);
	}
	return rc;
}

static int walk_directory(struct walk *walk, int before, int after, size_t self)
{
	struct names old = { 0 }, new = { 0 };
	int rc = names_read(before, &old);

	if (!rc)
		rc = names_read(after, &new);
	if (rc)
		failed(walk, walk->list->items[self].path, -rc);
	if (!rc)
		rc = walk_removed(walk, before, &old, &new, self);
	for (size_t i = 0; !rc && i < new.count; i++)
		rc = walk_name(walk, before, after, new.items[i], names_has(&old, new.items[i]), self);
	names_clear(&old);
	names_clear(&new);
	return rc;
}

/* ------------------------------------------------------------------ what belongs together */

struct link {				/* a listed name of a file that has several */
	uint64_t inode;
	size_t index;
};

static int by_inode(const void *a, const void *b)
{
	const struct link *left = a, *right = b;

	if (left->inode != right->inode)
		return left->inode < right->inode ? -1 : 1;
	return left->index < right->index ? -1 : left->index > right->index;
}

/* The names of one file: all of them are listed if one is. */
static void settle_group(struct changes *list, const struct link *links, size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++)
		any = any || list->items[links[i].index].kind != CHANGE_NONE;
	for (size_t i = 0; any && i < count; i++) {
		struct change *change = &list->items[links[i].index];

		if (change->kind == CHANGE_NONE)
			change->kind = CHANGE_LINKED;
		change->first = links[0].index;
	}
}

static int settle_links(struct changes *list)
{
	cleanup_free struct link *links = NULL;
	size_t count = 0, group;

	for (size_t i = 0; i < list->count; i++)
		count += list->items[i].st.st_nlink > 1 && !S_ISDIR(list->items[i].st.st_mode);
	if (count == 0)
		return 0;
	links = calloc(count, sizeof(*links));
	if (!links)
		return -ENOMEM;
	count = 0;
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].st.st_nlink > 1 && !S_ISDIR(list->items[i].st.st_mode))
			links[count++] = (struct link){ .inode = list->items[i].st.st_ino, .index = i };
	qsort(links, count, sizeof(*links), by_inode);
	for (size_t i = 0; i < count; i += group) {
		for (group = 1; i + group < count && links[i + group].inode == links[i].inode; group++)
			;
		settle_group(list, links + i, group);
	}
	return 0;
}

/* Directories above what is listed are listed too, so that a layer has their owners and modes; the rest goes. */
static void settle_parents(struct changes *list)
{
	for (size_t i = list->count; i-- > 1;) {
		struct change *above = &list->items[list->items[i].parent];

		if (list->items[i].kind != CHANGE_NONE && above->kind == CHANGE_NONE)
			above->kind = CHANGE_PARENT;
	}
}

static int drop_unchanged(struct changes *list)
{
	cleanup_free size_t *moved = calloc(list->count + 1, sizeof(*moved));
	size_t kept = 0;

	if (!moved)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		moved[i] = kept;
		if (list->items[i].kind == CHANGE_NONE) {
			free(list->items[i].path);
			continue;
		}
		list->items[kept] = list->items[i];
		list->items[kept].parent = moved[list->items[i].parent];
		list->items[kept].first = moved[list->items[i].first];
		kept++;
	}
	list->count = kept;
	return 0;
}

int changes_find(int before, int after, enum tree_relation relation, struct changes *out, struct layerblk_error *err)
{
	struct walk walk = { .list = out, .relation = relation, .err = err };
	enum change_kind kind = CHANGE_ADDED;
	struct stat old, new;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	tree_allow_depth();
	if (fstat(after, &new) != 0 || (before >= 0 && fstat(before, &old) != 0))
		return failed(&walk, "/", errno);
	if (before >= 0) {
		rc = compare(&walk, before, after, ".", "/", &old, &new);
		kind = rc == 1 ? CHANGE_NONE : CHANGE_MODIFIED;
	}
	if (rc >= 0)
		rc = list_add(&walk, kind, "", &new, 0);
	if (!rc)
		rc = walk_directory(&walk, before, after, 0);
	if (!rc && settle_links(out) != 0)
		rc = failed(&walk, "/", ENOMEM);
	settle_parents(out);
	if (!rc && drop_unchanged(out) != 0)
		rc = failed(&walk, "/", ENOMEM);
	if (rc)
		changes_clear(out);
	return rc;
}

void changes_clear(struct changes *changes)
{
	for (size_t i = 0; i < changes->count; i++)
		free(changes->items[i].path);
	free(changes->items);
	memset(changes, 0, sizeof(*changes));
}
