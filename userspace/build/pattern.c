// SPDX-License-Identifier: GPL-2.0-or-later
/* See pattern.h. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "path.h"
#include "pattern.h"

struct ignore_rule {
	char *pattern;			/* clean, without a leading slash */
	size_t depth;			/* names in it */
	bool exception;
};

/* ------------------------------------------------------------------ matching */

/* A class at "[": whether c is in it. *end: behind its "]"; NULL: it has none, and the "[" means itself. */
static bool class_has(const char *at, char c, const char **end)
{
	bool negated = at[1] == '^' || at[1] == '!', found = false;
	const char *p = at + 1 + negated;

	*end = NULL;
	for (bool first = true; *p && (first || *p != ']'); first = false) {
		char low = *p, high;

		if (low == '\\' && p[1])
			low = *++p;
		high = low;
		p++;
		if (*p == '-' && p[1] && p[1] != ']') {
			high = *++p;
			if (high == '\\' && p[1])
				high = *++p;
			p++;
		}
		found = found || (low <= c && c <= high);
	}
	if (*p == ']')
		*end = p + 1;
	return found != negated;
}

static bool matches(const char *pattern, const char *path);

/* "**": any number of directories with their slashes, or at the end anything. */
static bool matches_deep(const char *pattern, const char *path)
{
	pattern += 2;
	while (*pattern == '*')
		pattern++;
	if (!*pattern)
		return true;
	if (*pattern == '/') {
		pattern++;
		for (;;) {
			if (matches(pattern, path))
				return true;
			path = strchr(path, '/');
			if (!path)
				return false;
			path++;
		}
	}
	for (;; path++) {
		if (matches(pattern, path))
			return true;
		if (!*path)
			return false;
	}
}

static bool matches(const char *pattern, const char *path)
{
	const char *end;

	for (; *pattern; pattern++, path++) {
		if (pattern[0] == '*' && pattern[1] == '*')
			return matches_deep(pattern, path);
		if (*pattern == '*') {
			for (;; path++) {
				if (matches(pattern + 1, path))
					return true;
				if (!*path || *path == '/')
					return false;
			}
		}
		if (!*path)
			return false;
		if (*pattern == '?') {
			if (*path == '/')
				return false;
		} else if (*pattern == '[') {
			bool has = class_has(pattern, *path, &end);

			if (end && (!has || *path == '/'))
				return false;
			if (!end && *path != '[')
				return false;
			if (end)
				pattern = end - 1;
		} else {
			if (*pattern == '\\' && pattern[1])
				pattern++;
			if (*pattern != *path)
				return false;
		}
	}
	return !*path;
}

bool pattern_matches(const char *pattern, const char *path)
{
	return matches(pattern, path);
}

bool pattern_is_one(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' && text[1])
			text++;
		else if (strchr("*?[", *text))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ rules */

static int add_rule(struct ignore *ignore, const char *line, size_t length)
{
	cleanup_free char *text = NULL;
	struct ignore_rule *more;
	bool exception;

	while (length && isspace((unsigned char)line[length - 1]))
		length--;
	if (length && *line == '#')
		return 0;
	while (length && isspace((unsigned char)*line))
		line++, length--;
	exception = length && *line == '!';
	if (exception)
		line++, length--;
	while (length && isspace((unsigned char)*line))
		line++, length--;
	if (!length)
		return 0;
	more = reallocarray(ignore->rules, ignore->count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	ignore->rules = more;
	more += ignore->count;
	text = strndup(line, length);
	more->pattern = text ? path_clean(text, &more->depth) : NULL;
	more->exception = exception;
	if (!more->pattern)
		return -ENOMEM;
	ignore->exceptions = ignore->exceptions || exception;
	ignore->count++;
	return 0;
}

int ignore_parse(const char *text, size_t size, struct ignore *out, struct layerblk_error *err)
{
	const char *end = text + size, *next;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (; !rc && text < end; text = next + 1) {
		next = memchr(text, '\n', (size_t)(end - text));
		if (!next)
			next = end;
		rc = add_rule(out, text, (size_t)(next - text));
	}
	if (rc) {
		ignore_clear(out);
		return layerblk_error_set(err, ENOMEM, "read", ".dockerignore", "no memory");
	}
	return 0;
}

void ignore_clear(struct ignore *ignore)
{
	for (size_t i = 0; i < ignore->count; i++)
		free(ignore->rules[i].pattern);
	free(ignore->rules);
	memset(ignore, 0, sizeof(*ignore));
}

/* A rule is for what it matches and for all beneath that. */
static bool rule_matches(const struct ignore_rule *rule, const char *path)
{
	char above[PATH_MAX];

	if (matches(rule->pattern, path))
		return true;
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(above, sizeof(above), "%.*s", (int)(slash - path), path);
		if (matches(rule->pattern, above))
			return true;
	}
	return false;
}

bool ignore_has(const struct ignore *ignore, const char *path)
{
	for (size_t i = ignore ? ignore->count : 0; i-- > 0;)
		if (rule_matches(&ignore->rules[i], path))
			return !ignore->rules[i].exception;
	return false;
}

bool ignore_prunes(const struct ignore *ignore, const char *path)
{
	return ignore && !ignore->exceptions && ignore_has(ignore, path);
}
