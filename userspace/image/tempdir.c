// SPDX-License-Identifier: GPL-2.0-or-later
/* See tempdir.h. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tempdir.h"

#define WALK_FILES	16		/* descriptors that nftw() may hold */

int tempdir_make(struct tempdir *out, struct layerblk_error *err)
{
	const char *directory = getenv("TMPDIR");

	if (!directory || *directory != '/')
		directory = "/var/tmp";
	if (snprintf(out->path, sizeof(out->path), "%s/layerctl-XXXXXX", directory) < (int)sizeof(out->path) && mkdtemp(out->path))
		return 0;
	*out->path = '\0';
	return layerblk_error_set(err, errno, "make a temporary directory in", directory, "%s", strerror(errno));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	remove(path);
	return 0;
}

void tempdir_remove(struct tempdir *directory)
{
	if (*directory->path)
		nftw(directory->path, remove_one, WALK_FILES, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	*directory->path = '\0';
}
