/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files of a tree are not as in the tree that it was a snapshot of. */
#ifndef RUNTIME_CHANGES_H
#define RUNTIME_CHANGES_H

#include <stdbool.h>
#include <layerblk.h>

/*
 * Calls `said` for each file that was added ('A'), changed ('C') or deleted ('D'), with its absolute path, in the order of names; a directory
 * is changed when something in it is. Of what is added or deleted as a whole, each file. Both are the roots of file systems of which one
 * is a snapshot of the other: a file is the same when inode and ctime are, a directory when mode and owner are. Other file systems in them
 * are passed over, and the paths in `ignored` (absolute, ends with NULL; may be NULL).
 *
 * overlaid: `after` is `before` with an overlay over it, and of the inode numbers OVERLAY_INO counts (tree_changes.h).
 */
typedef int changes_fn(void *arg, char what, const char *path);
int changes_each(int before, int after, bool overlaid, const char *const *ignored, changes_fn *said, void *arg, struct layerblk_error *err);

#endif
