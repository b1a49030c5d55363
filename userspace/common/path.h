/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths as texts; nothing is looked at on a disk. */
#ifndef COMMON_PATH_H
#define COMMON_PATH_H

#include <stddef.h>

/*
 * The path without "." and doubled slashes, and without slashes at either end: "./a//b/../c/" is "a/c". ".." leads no further up than the top.
 * malloc()ed; "" is the top, NULL no memory. *depth: how many names it has; may be NULL.
 */
char *path_clean(const char *path, size_t *depth);

#endif
