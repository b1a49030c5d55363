// SPDX-License-Identifier: GPL-2.0-or-later
/* See path.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "path.h"

char *path_clean(const char *path, size_t *depth)
{
	cleanup_free char *copy = strdup(path);
	char *clean = copy ? calloc(1, strlen(path) + 2) : NULL, *end = clean, *rest = NULL;
	size_t names = 0;

	for (char *part = clean ? strtok_r(copy, "/", &rest) : NULL; part; part = strtok_r(NULL, "/", &rest)) {
		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0) {
			while (end > clean && *--end != '/')
				;
			*end = '\0';
			names -= names > 0;
			continue;
		}
		end += sprintf(end, "%s%s", end == clean ? "" : "/", part);
		names++;
	}
	if (depth)
		*depth = names;
	return clean;
}
