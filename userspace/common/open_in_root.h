/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths that somebody else has written, in a tree that somebody else has written. */
#ifndef COMMON_OPEN_IN_ROOT_H
#define COMMON_OPEN_IN_ROOT_H

/*
 * Opens what is at the path for a process that has `root` as its root directory: "/" and symbolic links, whatever they say, lead nowhere else.
 * "" is the root itself. flags as of open(2); close-on-exec. -1 with errno.
 */
int open_in_root(int root, const char *path, int flags);

#endif
