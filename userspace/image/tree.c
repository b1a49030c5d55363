// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See tree.h. The tree is mounted in a mount namespace of ours alone: nobody else changes it while it is worked on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "cleanup.h"
#include "tree.h"

#define DEPTH_FILES	8192		/* descriptors that a deep tree may need */

void tree_clear(struct tree *tree)
{
	entryset_clear(&tree->made);
}

static int open_how(int directory, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve | RESOLVE_NO_XDEV };

	return (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));
}

int tree_path_clean(const struct tree *tree, const char *raw, const char *as, char clean[PATH_MAX],
		    struct layerblk_error *err)
{
	size_t used = 0, length;
	const char *at = raw;

	for (;;) {
		at += strspn(at, "/");
		length = strcspn(at, "/");
		if (length == 0)
			break;
		if (length == 2 && memcmp(at, "..", 2) == 0)
			return layerblk_error_set(err, EBADMSG, tree->what, raw,
						  "the %s contains \"..\" and could lead out of the layer", as);
		if (length > NAME_MAX)
			return layerblk_error_set(err, EBADMSG, tree->what, raw,
						  "the %s has a name of more than %d bytes", as, NAME_MAX);
		if (length != 1 || *at != '.') {
			if (used + length + 2 > PATH_MAX)
				return layerblk_error_set(err, EBADMSG, tree->what, raw,
							  "the %s is longer than %d bytes", as, PATH_MAX - 1);
			if (used)
				clean[used++] = '/';
			memcpy(clean + used, at, length);
			used += length;
		}
		at += length;
	}
	clean[used] = '\0';
	return 0;
}

/* ------------------------------------------------------------------ finding */

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static int make_directory(struct tree *tree, int parent, const char *name, const char *path, struct layerblk_error *err)
{
	if (mkdirat(parent, name, 0755) != 0 || fchownat(parent, name, 0, 0, AT_SYMLINK_NOFOLLOW) != 0 ||
	    fchmodat(parent, name, 0755, 0) != 0)	/* whatever the umask is */
		return layerblk_error_set(err, errno, tree->what, path, "the directory \"%s\" above it cannot be made: %s",
					  name, strerror(errno));
	if (entryset_add(&tree->made, inode_of(parent), name) != 0)
		return layerblk_error_set(err, ENOMEM, tree->what, path, "no memory");
	return 0;
}

/* What stands in the way at parent/name, where a directory was expected: a link of a layer below is followed. */
static int step_over(struct tree *tree, int parent, const char *name, const char *path, size_t prefix,
		     enum tree_way way, struct layerblk_error *err)
{
	char before[PATH_MAX];
	struct stat st;
	bool made;
	int fd;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return layerblk_error_set(err, errno, tree->what, path, "%s", strerror(errno));
	made = entryset_has(&tree->made, inode_of(parent), name);
	if (way == TREE_IF_THERE && (made || !S_ISLNK(st.st_mode)))
		return -ENOENT;
	if (!S_ISLNK(st.st_mode))
		return layerblk_error_set(err, EBADMSG, tree->what, path, "\"%.*s\" above it is no directory", (int)prefix,
					  path);
	if (made)
		return layerblk_error_set(err, EBADMSG, tree->what, path,
					  "it goes through the symbolic link \"%.*s\" of the same layer, which could lead out of it",
					  (int)prefix, path);
	snprintf(before, sizeof(before), "%.*s", (int)prefix, path);
	fd = open_how(tree->root, before, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
	if (fd < 0 && errno == EXDEV)
		return layerblk_error_set(err, EBADMSG, tree->what, path,
					  "it goes through the symbolic link \"%s\", which leads out of the layer", before);
	if (fd < 0)
		return layerblk_error_set(err, EBADMSG, tree->what, path, "the symbolic link \"%s\" above it leads nowhere",
					  before);
	return fd;
}

/* One directory further down: its descriptor, or a negative errno. */
static int step(struct tree *tree, int parent, const char *name, const char *path, size_t prefix,
		enum tree_way way, struct layerblk_error *err)
{
	uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
	int fd = open_how(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, resolve);

	if (fd < 0 && errno == ENOENT && way == TREE_MAKE) {
		int rc = make_directory(tree, parent, name, path, err);

		if (rc)
			return rc;
		fd = open_how(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, resolve);
	}
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return step_over(tree, parent, name, path, prefix, way, err);
	if (fd < 0)
		return layerblk_error_set(err, errno, tree->what, path, "\"%.*s\": %s", (int)prefix, path,
					  strerror(errno));
	return fd;
}

/* The directory above `slash`, one step at a time, which finds out what a failed walk in one go does not say. */
static int walk(struct tree *tree, const char *path, size_t parent_length, enum tree_way way,
		struct layerblk_error *err)
{
	int fd = fcntl(tree->root, F_DUPFD_CLOEXEC, 3), next;
	char name[NAME_MAX + 1];
	size_t at = 0, length;

	if (fd < 0)
		return layerblk_error_set(err, errno, tree->what, path, "%s", strerror(errno));
	while (at < parent_length) {
		length = strcspn(path + at, "/");
		memcpy(name, path + at, length);
		name[length] = '\0';
		next = step(tree, fd, name, path, at + length, way, err);
		close(fd);
		if (next < 0)
			return next;
		fd = next;
		at += length + 1;
	}
	return fd;
}

int tree_find(struct tree *tree, const char *path, enum tree_way way, struct tree_place *out, struct layerblk_error *err)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;
	char parent[PATH_MAX];
	struct stat st;

	out->directory = -1;
	snprintf(out->name, sizeof(out->name), "%s", slash ? slash + 1 : path);
	if (slash) {
		memcpy(parent, path, length);
		parent[length] = '\0';
		out->directory = open_how(tree->root, parent, O_PATH | O_DIRECTORY,
					  RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	}
	if (out->directory < 0)
		out->directory = walk(tree, path, length, way, err);
	if (out->directory < 0)
		return out->directory;
	if (fstat(out->directory, &st) != 0)
		return layerblk_error_set(err, errno, tree->what, path, "%s", strerror(errno));
	out->inode = st.st_ino;
	return 0;
}

void tree_place_clear(struct tree_place *place)
{
	if (place->directory >= 0)
		close(place->directory);
	place->directory = -1;
}

int tree_made(struct tree *tree, const struct tree_place *place, struct layerblk_error *err)
{
	if (entryset_add(&tree->made, place->inode, place->name) != 0)
		return layerblk_error_set(err, ENOMEM, tree->what, place->name, "no memory");
	return 0;
}

/* ------------------------------------------------------------------ removing */

static int remove_entry(struct tree *tree, int parent, uint64_t parent_inode, const char *name, bool keep_made,
			bool *kept, struct layerblk_error *err);

/* Removes what is in a directory; *kept: something of this layer stays. Consumes the descriptor. */
static int remove_children(struct tree *tree, int fd, bool keep_made, bool *kept, struct layerblk_error *err)
{
	cleanup_dir DIR *stream = fdopendir(fd);
	uint64_t inode = inode_of(fd);
	struct dirent *item;
	int rc = 0;

	if (!stream) {
		close(fd);
		return layerblk_error_set(err, errno, tree->what, "", "a directory cannot be read: %s", strerror(errno));
	}
	while (!rc && (errno = 0, item = readdir(stream))) {
		if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
			rc = remove_entry(tree, fd, inode, item->d_name, keep_made, kept, err);
	}
	if (!rc && !item && errno)
		rc = layerblk_error_set(err, errno, tree->what, "", "a directory cannot be read: %s", strerror(errno));
	return rc;
}

static int remove_entry(struct tree *tree, int parent, uint64_t parent_inode, const char *name, bool keep_made,
			bool *kept, struct layerblk_error *err)
{
	bool made = entryset_has(&tree->made, parent_inode, name), below = false;
	int fd, rc;

	if (made && keep_made) {
		struct stat st;

		*kept = true;
		/* A directory of this layer may hide things of lower ones, but only its own whiteout tells. */
		if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
			return 0;
	}
	fd = open_how(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd >= 0) {
		rc = remove_children(tree, fd, keep_made, &below, err);
		if (rc)
			return rc;
		if (below || (made && keep_made)) {
			*kept = true;
			return 0;
		}
		rc = unlinkat(parent, name, AT_REMOVEDIR);
	} else {
		rc = unlinkat(parent, name, 0);
		tree->lost = tree->lost || made;
	}
	if (rc != 0)
		return layerblk_error_set(err, errno, tree->what, name, "it cannot be removed: %s", strerror(errno));
	if (made)
		entryset_remove(&tree->made, parent_inode, name);
	return 0;
}

int tree_remove(struct tree *tree, const struct tree_place *place, bool keep_made, struct layerblk_error *err)
{
	bool kept = false;

	return remove_entry(tree, place->directory, place->inode, place->name, keep_made, &kept, err);
}

int tree_make_opaque(struct tree *tree, int directory, struct layerblk_error *err)
{
	bool kept = false;
	int fd = open_how(directory, ".", O_RDONLY | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

	if (fd < 0)
		return layerblk_error_set(err, errno, tree->what, "", "a directory cannot be opened: %s", strerror(errno));
	return remove_children(tree, fd, true, &kept, err);
}

void tree_allow_depth(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DEPTH_FILES)
		return;
	limit.rlim_cur = limit.rlim_max < DEPTH_FILES ? limit.rlim_max : DEPTH_FILES;
	setrlimit(RLIMIT_NOFILE, &limit);
}
