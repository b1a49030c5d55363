// SPDX-License-Identifier: GPL-2.0-or-later
/* See program.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cleanup.h"
#include "program.h"

#define USUAL	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

char *program_path(const char *name, struct layerblk_error *err)
{
	cleanup_free char *all = NULL;
	const char *path = getenv("PATH");
	char *rest, *directory, *full = NULL;

	if (*name == '/' && access(name, X_OK) == 0)
		return strdup(name);
	if (asprintf(&all, "%s:" USUAL, path ? path : "") < 0)
		all = NULL;
	for (rest = all; *name != '/' && (directory = strsep(&rest, ":")) != NULL;) {
		if (*directory != '/' || asprintf(&full, "%s/%s", directory, name) < 0)
			continue;
		if (access(full, X_OK) == 0)
			return full;
		free(full);
	}
	layerblk_error_set(err, ENOENT, "run", name, "it is not installed");
	layerblk_error_hint(err, "Install the package that has it");
	return NULL;
}
