/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file tree that a layer is being applied to: finding, replacing and removing entries without ever leaving it.
 *
 * Paths are resolved beneath the root with openat2(). A path from a layer may go through a relative symbolic link that a
 * layer below made ("lib" to "usr/lib") as long as that stays within the tree; an absolute one, or one that climbs out, is refused. One
 * that this layer itself made is never followed: no tar of a file tree has an entry beneath a symbolic link of the same
 * tar, so that is an attempt to get out.
 */
#ifndef IMAGE_TREE_H
#define IMAGE_TREE_H

#include <limits.h>
#include <stdbool.h>
#include <layerblk.h>
#include "entryset.h"

struct tree {
	int root;			/* the directory; borrowed */
	struct entryset made;		/* entries of this layer */
	bool lost;			/* a file that this layer made was removed again */
	const char *what;		/* "apply the layer", for errors */
};

/* Releases what the tree holds, not the directory. */
void tree_clear(struct tree *tree);

/*
 * The path of a tar entry as "usr/bin/env": without leading and doubled slashes and "."; "" is the root itself. -EBADMSG
 * for "..", for names longer than NAME_MAX and paths longer than PATH_MAX. `as` says what it is ("entry", "hard link's target").
 */
int tree_path_clean(const struct tree *tree, const char *raw, const char *as, char clean[PATH_MAX],
		    struct layerblk_error *err);

/* A place in the tree: the directory (O_PATH) and the last part of the path, which need not exist. */
struct tree_place {
	int directory;			/* -1: none */
	uint64_t inode;			/* of the directory */
	char name[NAME_MAX + 1];
};

enum tree_way {				/* what is done when a directory above is not there */
	TREE_MAKE,			/* it is made, root's, 0755 */
	TREE_MUST_BE,			/* that is an error */
	TREE_IF_THERE,			/* -ENOENT; also when a file or link of this layer has taken its place */
};

/* Finds the place of a clean path that is not "". */
int tree_find(struct tree *tree, const char *path, enum tree_way way, struct tree_place *out, struct layerblk_error *err);
void tree_place_clear(struct tree_place *place);

/*
 * Removes an entry and all beneath it; no error when it is not there. With keep_made, what this layer has made stays,
 * and so do the directories above it.
 */
int tree_remove(struct tree *tree, const struct tree_place *place, bool keep_made, struct layerblk_error *err);

/* Removes what is in the directory at `place` (name "." for the directory itself), keeping what this layer has made. */
int tree_make_opaque(struct tree *tree, int directory, struct layerblk_error *err);

/* Walking a deep tree holds a descriptor or two for each level of it: allows as many as we may have. */
void tree_allow_depth(void);

/* Remembers that this layer made the entry. */
int tree_made(struct tree *tree, const struct tree_place *place, struct layerblk_error *err);

#endif
