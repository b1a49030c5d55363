/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File trees as tar streams, between the host and containers. Names of users are never looked up, and no path is followed but beneath the
 * process's root, so that both work in a child whose root is a container's (child_start_in()).
 */
#ifndef RUNTIME_TREE_TAR_H
#define RUNTIME_TREE_TAR_H

#include <stdbool.h>
#include <layerblk.h>

struct tree_pack {
	const char *path;		/* absolute; with "/." at its end, its content only */
	bool follow;			/* a symbolic link at its end is what it points to */
	bool one_file_system;
	bool whole;			/* it is a root: without its lost+found, and entries have no directory before them */
	int fd;				/* where the tar goes */
};

/* Entries are called by the last part of the path, or "." for the content of a directory. */
int tree_pack(const struct tree_pack *pack, struct layerblk_error *err);

struct tree_unpack {
	const char *path;		/* absolute */
	bool as_it_is;			/* a tar from outside: the path must be a directory */
	bool keep_owner;		/* uid and gid as in the tar; else the process's */
	int fd;
};

/* As cp does: into a directory that is there, else under the path's last part in its parent. Reads fd to its end, also on failure. */
int tree_unpack(const struct tree_unpack *unpack, struct layerblk_error *err);

#endif
