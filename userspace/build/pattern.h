/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names with wildcards, as Dockerfiles and .dockerignore have them, and what a .dockerignore leaves out. */
#ifndef BUILD_PATTERN_H
#define BUILD_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <layerblk.h>

/*
 * "*" and "?" do not match "/", "[a-z]" and "[^a-z]" are classes, "\" takes a character as it is, and "**" matches any number of
 * directories, also none. path has no leading slash.
 */
bool pattern_matches(const char *pattern, const char *path);
/* Whether it has a wildcard. */
bool pattern_is_one(const char *text);

struct ignore {
	struct ignore_rule *rules;
	size_t count;
	bool exceptions;		/* some begin with "!" */
};

/* The text of a .dockerignore. */
int ignore_parse(const char *text, size_t size, struct ignore *out, struct layerblk_error *err);
void ignore_clear(struct ignore *ignore);

/* Whether the file or directory is left out: the last rule that matches it or a directory above it decides. ignore may be NULL. */
bool ignore_has(const struct ignore *ignore, const char *path);
/* Whether nothing beneath a directory that is left out can come back, so that it need not be looked into. */
bool ignore_prunes(const struct ignore *ignore, const char *path);

#endif
