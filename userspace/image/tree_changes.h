/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a layer changes: the difference of two file trees, as a list in the order in which a layer's tar has it.
 *
 * Directories come before what is in them, names in bytewise order, and in each directory what is removed comes first. Files are
 * compared by type, mode, owner, size, time, attributes, target or device, and contents, unless the relation of the trees tells that
 * nobody touched them.
 *
 * Hard links: when one name of a file is listed, all of them are, so that the layer holds the file itself. Sockets are passed over.
 */
#ifndef IMAGE_CHANGES_H
#define IMAGE_CHANGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <layerblk.h>

enum tree_relation {
	TREES_UNRELATED,
	TREES_RELATED,			/* a volume and its parent: the same inode and change time are one file that nobody touched */
	TREES_OVERLAID,			/* an overlay over the other: the same, by the bits of OVERLAY_INO; other files' numbers say nothing */
};

/*
 * The bits of an inode number that overlayfs leaves as they are in the layer below; above them it says which layer that is (xino). Not
 * the change time alone: of two files that were made in the same tick, one can have got the other's name with its directory.
 */
#define OVERLAY_INO	((ino_t)UINT32_MAX)

enum change_kind {
	CHANGE_NONE,			/* a file that is as it was; listed only while the list is made */
	CHANGE_PARENT,			/* a directory that is as it was, but for what is in it */
	CHANGE_LINKED,			/* as it was, but another name of it is listed */
	CHANGE_MODIFIED,
	CHANGE_ADDED,
	CHANGE_REMOVED,
	CHANGE_OPAQUE,			/* everything that the directory had before is gone; path is the directory's */
};

struct change {
	enum change_kind kind;
	char *path;			/* without a leading slash; "" is the root */
	struct stat st;			/* not for removed ones */
	size_t parent;			/* index of the directory; the root's own is 0 */
	size_t first;			/* index of the first listed name of the same file; its own, if that is it */
};

struct changes {
	struct change *items;
	size_t count;
};

/* before -1: there was nothing, all is added. Both are directories open for reading. */
int changes_find(int before, int after, enum tree_relation relation, struct changes *out, struct layerblk_error *err);
void changes_clear(struct changes *changes);

/* ------------------------------------------------------------------ attributes */

struct tar_xattr;

/*
 * The extended attributes that belong to an image, by name; of a file in a directory. Those of other storage drivers and of
 * SELinux do not. xattrs_free() them.
 */
int xattrs_read(int directory, const char *name, const char *path, struct tar_xattr **out, size_t *count,
		struct layerblk_error *err);
void xattrs_free(struct tar_xattr *xattrs, size_t count);
/* Whether an attribute is another storage driver's book-keeping, or an order to overlayfs. */
bool xattr_is_foreign(const char *name);

#endif
