// SPDX-License-Identifier: GPL-2.0-or-later
/* The lines of a Dockerfile: directives, comments, continuations; see dockerfile.h. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "dockerfile.h"

bool lines_next(struct lines *lines, const char **line, size_t *length)
{
	const char *end;

	if (lines->at >= lines->end)
		return false;
	end = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
	if (!end)
		end = lines->end;
	*line = lines->at;
	*length = (size_t)(end - lines->at);
	if (*length && (*line)[*length - 1] == '\r')
		--*length;
	lines->at = end + 1;
	lines->number++;
	return true;
}

static bool is_blank(const char *line, size_t length)
{
	while (length && isspace((unsigned char)line[length - 1]))
		length--;
	return length == 0;
}

static bool is_comment(const char *line, size_t length)
{
	while (length && (*line == ' ' || *line == '\t'))
		line++, length--;
	return length && *line == '#';
}

/* Whether the line goes on in the next one; *length then is without the escape character and what follows it. */
static bool continues(const struct lines *lines, const char *line, size_t *length)
{
	size_t n = *length;

	while (n && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	if (!n || line[n - 1] != lines->escape)
		return false;
	*length = n - 1;
	return true;
}

char *lines_next_joined(struct lines *lines, int *first, bool *failed)
{
	char *joined = NULL, *larger;
	size_t used = 0, length;
	const char *line;
	bool more = false;

	*failed = false;
	while (lines_next(lines, &line, &length)) {
		/* Within an instruction too, comments and empty lines do not count. */
		if (is_comment(line, length) || is_blank(line, length))
			continue;
		if (!joined) {
			*first = lines->number;
			while (length && isspace((unsigned char)*line))
				line++, length--;
		}
		more = continues(lines, line, &length);
		larger = realloc(joined, used + length + 1);
		if (!larger) {
			free(joined);
			*failed = true;
			return NULL;
		}
		joined = larger;
		memcpy(joined + used, line, length);
		used += length;
		joined[used] = '\0';
		if (!more)
			break;
	}
	while (used && isspace((unsigned char)joined[used - 1]))
		joined[--used] = '\0';
	return joined;
}

/* "# name=value": 1 if the line is of that form. */
static int directive(const char *line, size_t length, char name[32], char value[64])
{
	char text[256];

	if (length >= sizeof(text))
		return 0;
	memcpy(text, line, length);
	text[length] = '\0';
	return sscanf(text, " # %31[a-zA-Z] = %63[^\n]", name, value) == 2;
}

int lines_directives(struct lines *lines, const char *name, struct layerblk_error *err)
{
	char key[32], value[64];
	struct lines before;
	bool escape_seen = false;
	const char *line;
	size_t length, used;

	lines->escape = '\\';
	for (;;) {
		before = *lines;
		if (!lines_next(lines, &line, &length) || !directive(line, length, key, value))
			break;
		for (used = strlen(value); used && isspace((unsigned char)value[used - 1]); used--)
			value[used - 1] = '\0';
		if (strcasecmp(key, "escape") != 0) {
			if (strcasecmp(key, "syntax") != 0 && strcasecmp(key, "check") != 0)
				break;		/* a comment that looks like one */
			continue;
		}
		if (escape_seen)
			return dockerfile_error(err, name, lines->number, "there is more than one escape directive");
		if (strcmp(value, "\\") != 0 && strcmp(value, "`") != 0)
			return dockerfile_error(err, name, lines->number, "the escape character is \\ or `, not \"%.40s\"", value);
		escape_seen = true;
		lines->escape = *value;
	}
	before.escape = lines->escape;
	*lines = before;
	return 0;
}
