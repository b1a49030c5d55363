/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * COPY and ADD: files of a context into a mounted root. Symbolic links in the root are followed inside of it; nothing outside can be
 * reached. What is made belongs to root, or to --chown; directories that are missing are made with mode 0755.
 */
#ifndef BUILD_COPY_H
#define BUILD_COPY_H

#include "context.h"

struct copy {
	const struct context *from;
	int root;			/* where to, open for reading */
	const char *destination;	/* absolute; one that ends with a slash, or is a directory, gets the files in it */
	uint32_t uid;
	uint32_t gid;
	int mode;			/* of all that is copied; -1: what it is */
	bool unpack;			/* tars are unpacked (ADD) */
};

/*
 * Copies what was found. A directory's contents are copied, not itself. A file takes the place of a file; a directory that is there
 * stays, with what is in it. -ENOTDIR for several sources and a destination without a slash.
 */
int copy_files(const struct copy *copy, const struct found *found, struct layerblk_error *err);

/* A file of this content (a heredoc). name is what it is called in a directory. */
int copy_text(const struct copy *copy, const char *name, const char *content, size_t size, struct layerblk_error *err);

/* Whether an open file is a tar, compressed or not. */
bool copy_is_tar(int fd);
/* Unpacks one into a directory. */
int copy_unpack(int to, int fd, struct layerblk_error *err);

/* A directory and what is missing above it, for WORKDIR. path is absolute. */
int copy_make_directory(int root, const char *path, uint32_t uid, uint32_t gid, struct layerblk_error *err);

#endif
