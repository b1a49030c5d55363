// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See apply.h. Every entry is made anew with an exclusive create: nothing that a layer below left (a device node, a
 * FIFO, a link) is ever opened. Times of directories are set at the end, when nothing changes them any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <archive_entry.h>
#include "cleanup.h"
#include "apply.h"
#include "spool.h"
#include "tree.h"

#define WHAT		"apply the layer's entry"
#define WHITEOUT	".wh."
#define WHITEOUT_META	".wh..wh."
#define WHITEOUT_OPAQUE	".wh..wh..opq"

struct directory_time {
	char *path;
	struct timespec times[2];
};

struct apply {
	struct tree tree;
	struct stream *stream;
	bool plain;			/* no layer: there are no whiteouts */
	struct directory_time *times;
	size_t time_count;
	struct apply_result result;
};

static int fail(const char *path, int error, const char *how, struct layerblk_error *err)
{
	layerblk_error_set(err, error, WHAT, path, "%s: %s", how, strerror(error));
	if (error == ENOSPC || error == EDQUOT)
		layerblk_error_hint(err, "Import it with a larger --size, or make room in the pool");
	else if (error == EPERM)
		layerblk_error_hint(err, "Root's rights are needed, outside of a user namespace");
	return -error;
}

/* ------------------------------------------------------------------ metadata */

static void entry_times(struct archive_entry *entry, struct timespec times[2])
{
	times[1].tv_sec = archive_entry_mtime(entry);
	times[1].tv_nsec = archive_entry_mtime_nsec(entry);
	times[0] = times[1];
	if (archive_entry_atime_is_set(entry)) {
		times[0].tv_sec = archive_entry_atime(entry);
		times[0].tv_nsec = archive_entry_atime_nsec(entry);
	}
}

static void xattr_path(const struct tree_place *place, char path[NAME_MAX + 64])
{
	snprintf(path, NAME_MAX + 64, "/proc/self/fd/%d/%s", place->directory, place->name);
}

/* A directory that a layer below made already has that layer's attributes; this layer's take their place. */
static int drop_xattrs(const struct tree_place *place, const char *path, struct layerblk_error *err)
{
	char file[NAME_MAX + 64];
	cleanup_free char *names = NULL;
	ssize_t size;

	xattr_path(place, file);
	size = llistxattr(file, NULL, 0);
	if (size <= 0)
		return 0;
	names = malloc((size_t)size);
	size = names ? llistxattr(file, names, (size_t)size) : -1;
	for (char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
		if (strcmp(name, "security.selinux") != 0 && lremovexattr(file, name) != 0 && errno != ENODATA)
			return fail(path, errno, "an attribute of the layer below cannot be removed", err);
	}
	return 0;
}

static int set_xattrs(const struct tree_place *place, struct archive_entry *entry, const char *path,
		      struct layerblk_error *err)
{
	char file[NAME_MAX + 64];
	const char *name;
	const void *value;
	size_t size;

	if (archive_entry_xattr_reset(entry) == 0)
		return 0;
	xattr_path(place, file);
	while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
		if (strncmp(name, "trusted.overlay.", 16) == 0 || strncmp(name, "user.overlay.", 13) == 0)
			continue;	/* the book-keeping of another storage driver, and orders to overlayfs */
		if (lsetxattr(file, name, value, size, 0) != 0) {
			layerblk_error_set(err, errno, WHAT, path, "the attribute \"%.100s\" of %zu bytes cannot be set: %s",
					   name, size, strerror(errno));
			if (errno == ENOSPC)
				layerblk_error_hint(err, "ext4 has room for about 4000 bytes of them a file; try --fs xfs");
			return err ? -err->code : -EIO;
		}
	}
	return 0;
}

/* A directory with a default ACL, of this layer or of one below, gives it to whatever is made in it. */
static int drop_inherited(const struct tree_place *place, const char *path, struct layerblk_error *err)
{
	static const char *const names[] = { "system.posix_acl_access", "system.posix_acl_default" };
	char file[NAME_MAX + 64];

	xattr_path(place, file);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (lremovexattr(file, names[i]) != 0 && errno != ENODATA && errno != EOPNOTSUPP && errno != EACCES)
			return fail(path, errno, "an inherited ACL cannot be removed", err);
	return 0;
}

/* The order counts: chown clears set-id bits and capabilities, an ACL changes the mode. */
static int set_metadata(const struct tree_place *place, struct archive_entry *entry, const char *path,
			struct layerblk_error *err)
{
	bool link = archive_entry_filetype(entry) == AE_IFLNK;
	int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);
	struct timespec times[2];
	int rc;

	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return layerblk_error_set(err, EBADMSG, WHAT, path, "its owner %lld:%lld is out of range", (long long)uid,
					  (long long)gid);
	if (fchownat(place->directory, place->name, (uid_t)uid, (gid_t)gid, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(path, errno, "its owner cannot be set", err);
	rc = set_xattrs(place, entry, path, err);
	if (rc)
		return rc;
	if (!link && fchmodat(place->directory, place->name, archive_entry_perm(entry) & 07777, 0) != 0)
		return fail(path, errno, "its mode cannot be set", err);
	entry_times(entry, times);
	if (utimensat(place->directory, place->name, times, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(path, errno, "its times cannot be set", err);
	return 0;
}

static int remember_times(struct apply *apply, const char *path, struct archive_entry *entry,
			  struct layerblk_error *err)
{
	struct directory_time *more;

	if ((apply->time_count & (apply->time_count - 1)) == 0) {
		more = reallocarray(apply->times, apply->time_count ? 2 * apply->time_count : 1, sizeof(*more));
		if (!more)
			return fail(path, ENOMEM, "remembering its times", err);
		apply->times = more;
	}
	more = &apply->times[apply->time_count];
	more->path = strdup(path);
	if (!more->path)
		return fail(path, ENOMEM, "remembering its times", err);
	entry_times(entry, more->times);
	apply->time_count++;
	return 0;
}

/* A directory may have been replaced since; then there is nothing to set. */
static int set_directory_times(struct apply *apply, struct layerblk_error *err)
{
	for (size_t i = 0; i < apply->time_count; i++) {
		struct directory_time *item = &apply->times[i];
		struct tree_place place = { .directory = -1 };
		struct stat st;
		int rc;

		if (!*item->path) {
			if (futimens(apply->tree.root, item->times) != 0)
				return fail("/", errno, "its times cannot be set", err);
			continue;
		}
		if (tree_find(&apply->tree, item->path, TREE_IF_THERE, &place, NULL) != 0)
			continue;
		rc = fstatat(place.directory, place.name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) ?
		     utimensat(place.directory, place.name, item->times, AT_SYMLINK_NOFOLLOW) : 0;
		tree_place_clear(&place);
		if (rc != 0)
			return fail(item->path, errno, "its times cannot be set", err);
	}
	return 0;
}

/* ------------------------------------------------------------------ the kinds of entries */

/* What the tar leaves out of a sparse file stays a hole. */
static int copy_data(struct apply *apply, int fd, struct archive_entry *entry, const char *path,
		     struct layerblk_error *err)
{
	struct archive *tar = stream_tar(apply->stream);
	struct recipe *recipe = stream_recipe(apply->stream);
	const void *data;
	int64_t offset;
	size_t size;
	int got, rc;

	if (recipe && archive_entry_size(entry) > 0)
		recipe_file(recipe, fd, stream_position(apply->stream));
	while ((got = archive_read_data_block(tar, &data, &size, &offset)) == ARCHIVE_OK) {
		rc = write_all_at(fd, data, size, offset);
		if (rc)
			return fail(path, -rc, "writing it", err);
		if (recipe)
			recipe_data(recipe, data, size, (uint64_t)offset);
	}
	if (got != ARCHIVE_EOF)
		return stream_error(apply->stream, WHAT, path, err);
	if (ftruncate(fd, archive_entry_size(entry)) != 0)
		return fail(path, errno, "setting its size", err);
	return 0;
}

static int make_file(struct apply *apply, const struct tree_place *place, struct archive_entry *entry, const char *path,
		     struct layerblk_error *err)
{
	cleanup_fd int fd = openat(place->directory, place->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(path, errno, "it cannot be made", err);
	return copy_data(apply, fd, entry, path, err);
}

static int make_hard_link(struct apply *apply, const struct tree_place *place, const char *target_raw, const char *path,
			  struct layerblk_error *err)
{
	struct tree_place target = { .directory = -1 };
	char clean[PATH_MAX];
	struct stat st;
	int rc;

	rc = tree_path_clean(&apply->tree, target_raw, "hard link's target", clean, err);
	if (rc)
		return rc;
	if (!*clean)
		return layerblk_error_set(err, EBADMSG, WHAT, path, "it is a hard link to a directory");
	rc = tree_find(&apply->tree, clean, TREE_MUST_BE, &target, err);
	if (rc)
		return rc;
	if (fstatat(target.directory, target.name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		rc = layerblk_error_set(err, EBADMSG, WHAT, path, "it is a hard link to \"%.300s\", which is not there", clean);
	else if (S_ISDIR(st.st_mode))
		rc = layerblk_error_set(err, EBADMSG, WHAT, path, "it is a hard link to the directory \"%.300s\"", clean);
	else if (linkat(target.directory, target.name, place->directory, place->name, 0) != 0)
		rc = fail(path, errno, "it cannot be linked", err);
	tree_place_clear(&target);
	return rc;
}

static int make_symlink(const struct tree_place *place, struct archive_entry *entry, const char *path,
			struct layerblk_error *err)
{
	const char *target = archive_entry_symlink(entry);

	if (!target || !*target)
		return layerblk_error_set(err, EBADMSG, WHAT, path, "it is a symbolic link without a target");
	if (symlinkat(target, place->directory, place->name) != 0)
		return fail(path, errno, "it cannot be made", err);
	return 0;
}

static int make_node(const struct tree_place *place, struct archive_entry *entry, const char *path,
		     struct layerblk_error *err)
{
	unsigned int type = archive_entry_filetype(entry);
	dev_t device = type == AE_IFIFO ? 0 : makedev((unsigned int)archive_entry_rdevmajor(entry),
						      (unsigned int)archive_entry_rdevminor(entry));

	if (mknodat(place->directory, place->name, (type == AE_IFIFO ? S_IFIFO : type == AE_IFCHR ? S_IFCHR : S_IFBLK) | 0600,
		    device) != 0)
		return fail(path, errno, "it cannot be made", err);
	return 0;
}

/* What is there already goes, unless both are directories. *exists: a directory stays. */
static int make_room(struct apply *apply, const struct tree_place *place, bool directory, const char *path, bool *exists,
		     struct layerblk_error *err)
{
	struct stat st;

	*exists = false;
	if (fstatat(place->directory, place->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : fail(path, errno, "it cannot be looked at", err);
	if (directory && S_ISDIR(st.st_mode)) {
		*exists = true;
		return drop_xattrs(place, path, err);
	}
	return tree_remove(&apply->tree, place, false, err);
}

static int make_entry(struct apply *apply, const struct tree_place *place, struct archive_entry *entry, const char *path,
		      struct layerblk_error *err)
{
	const char *hard = archive_entry_hardlink(entry);
	unsigned int type = hard ? AE_IFREG : archive_entry_filetype(entry);
	bool exists;
	int rc;

	rc = make_room(apply, place, type == AE_IFDIR, path, &exists, err);
	if (rc)
		return rc;
	if (hard)
		rc = make_hard_link(apply, place, hard, path, err);
	else if (type == AE_IFREG)
		rc = make_file(apply, place, entry, path, err);
	else if (type == AE_IFLNK)
		rc = make_symlink(place, entry, path, err);
	else if (type == AE_IFDIR)
		rc = exists || mkdirat(place->directory, place->name, 0700) == 0 ? 0 :
		     fail(path, errno, "it cannot be made", err);
	else if (type == AE_IFCHR || type == AE_IFBLK || type == AE_IFIFO)
		rc = make_node(place, entry, path, err);
	else
		rc = layerblk_error_set(err, EBADMSG, WHAT, path, "it is of a kind (0%o) that a layer cannot have", type);
	if (!rc && !hard && !exists && type != AE_IFLNK)
		rc = drop_inherited(place, path, err);
	if (!rc && !hard)
		rc = set_metadata(place, entry, path, err);
	if (!rc && type == AE_IFDIR)
		rc = remember_times(apply, path, entry, err);
	return rc ? rc : tree_made(&apply->tree, place, err);
}

/* ------------------------------------------------------------------ whiteouts */

static int apply_whiteout(struct apply *apply, struct tree_place *place, struct layerblk_error *err)
{
	const char *hidden = place->name + strlen(WHITEOUT);

	apply->result.whiteouts++;
	if (strcmp(place->name, WHITEOUT_OPAQUE) == 0)
		return tree_make_opaque(&apply->tree, place->directory, err);
	memmove(place->name, hidden, strlen(hidden) + 1);
	return tree_remove(&apply->tree, place, true, err);
}

/* Whether a name anywhere in the path begins so; *last: only the last one does. */
static bool path_has_prefix(const char *path, const char *prefix, bool *last)
{
	const char *at = path, *slash;
	bool any = false;

	*last = false;
	for (;; at = slash + 1) {
		bool here = strncmp(at, prefix, strlen(prefix)) == 0;

		slash = strchr(at, '/');
		any = any || here;
		if (!slash) {
			*last = here;
			return any;
		}
		if (here)
			return true;
	}
}

/* ------------------------------------------------------------------ the layer */

static int apply_root(struct apply *apply, struct archive_entry *entry, struct layerblk_error *err)
{
	struct tree_place place = { .directory = apply->tree.root, .name = "." };
	int rc;

	if (archive_entry_hardlink(entry) || archive_entry_filetype(entry) != AE_IFDIR)
		return layerblk_error_set(err, EBADMSG, WHAT, "/", "the layer's root is not a directory");
	rc = drop_xattrs(&place, "/", err);
	if (!rc)
		rc = set_metadata(&place, entry, "/", err);
	return rc ? rc : remember_times(apply, "", entry, err);
}

static int apply_entry(struct apply *apply, struct archive_entry *entry, struct layerblk_error *err)
{
	const char *raw = archive_entry_pathname(entry);
	struct tree_place place = { .directory = -1 };
	struct layerblk_error why = { 0 };
	char path[PATH_MAX];
	bool whiteout, last;
	const char *base;
	int rc;

	if (!raw)
		return layerblk_error_set(err, EBADMSG, WHAT, "", "it has no name that can be read");
	rc = tree_path_clean(&apply->tree, raw, "path", path, err);
	if (rc)
		return rc;
	if (!*path)
		return apply_root(apply, entry, err);
	base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	if (!apply->plain && path_has_prefix(path, WHITEOUT_META, &last) && (!last || strcmp(base, WHITEOUT_OPAQUE) != 0))
		return 0;		/* what aufs kept for itself */
	whiteout = !apply->plain && path_has_prefix(path, WHITEOUT, &last);
	if (whiteout && !last)
		return layerblk_error_set(err, EBADMSG, WHAT, path, "it lies beneath a whiteout");
	if (whiteout && (strcmp(base, WHITEOUT) == 0 || strcmp(base, WHITEOUT ".") == 0 || strcmp(base, WHITEOUT "..") == 0))
		return layerblk_error_set(err, EBADMSG, WHAT, path, "the whiteout names no file");
	rc = tree_find(&apply->tree, path, whiteout ? TREE_IF_THERE : TREE_MAKE, &place, &why);
	if (whiteout && rc == -ENOENT)
		return 0;		/* hides what is not there */
	if (rc && err)
		*err = why;
	if (!rc)
		rc = whiteout ? apply_whiteout(apply, &place, err) : make_entry(apply, &place, entry, path, err);
	tree_place_clear(&place);
	return rc;
}

static int apply_entries(struct apply *apply, struct layerblk_error *err)
{
	struct archive *tar = stream_tar(apply->stream);
	struct archive_entry *entry;
	int got, rc = 0;

	while (!rc) {
		got = archive_read_next_header(tar, &entry);
		if (got == ARCHIVE_EOF)
			return set_directory_times(apply, err);
		if (got < ARCHIVE_WARN)
			return stream_error(apply->stream, WHAT, "", err);
		apply->result.entries++;
		rc = apply_entry(apply, entry, err);
	}
	return rc;
}

static int apply_to(int root, struct stream *stream, bool plain, struct apply_result *result, struct layerblk_error *err)
{
	struct apply apply = { .tree = { .root = root, .what = WHAT }, .stream = stream, .plain = plain };
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before = (locale_t)0;
	int rc;

	tree_allow_depth();
	if (utf8)
		before = uselocale(utf8);
	rc = apply_entries(&apply, err);
	if (utf8) {
		uselocale(before);
		freelocale(utf8);
	}
	for (size_t i = 0; i < apply.time_count; i++)
		free(apply.times[i].path);
	free(apply.times);
	apply.result.lost = apply.tree.lost;
	tree_clear(&apply.tree);
	if (!rc && result)
		*result = apply.result;
	return rc;
}

int apply_layer(int root, struct stream *stream, struct apply_result *result, struct layerblk_error *err)
{
	return apply_to(root, stream, false, result, err);
}

int apply_tree(int root, struct stream *stream, struct layerblk_error *err)
{
	return apply_to(root, stream, true, NULL, err);
}
