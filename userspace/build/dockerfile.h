/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Dockerfile taken apart: instructions with their lines joined, flags and heredocs, in stages. Variables are not expanded here, and
 * arguments are checked only as far as their form goes.
 */
#ifndef BUILD_DOCKERFILE_H
#define BUILD_DOCKERFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <layerblk.h>

struct heredoc {
	char *name;
	char *content;			/* with its newlines */
	bool expand;			/* the name had no quotes */
};

struct instruction {
	int line;			/* where it begins, from 1 */
	char *keyword;			/* upper case */
	char *text;			/* all that follows it, lines joined */
	char **flags;			/* "--from=x", in order; ends with NULL */
	char *arguments;		/* what follows the flags */
	struct heredoc *heredocs;
	size_t heredoc_count;
};

struct stage {
	size_t first;			/* its FROM, an index of instructions */
	size_t count;			/* of instructions, FROM included */
	char *base;			/* the image or stage, variables not expanded */
	char *name;			/* lower case; NULL: none */
	char *platform;			/* of --platform; NULL: none */
};

struct dockerfile {
	char escape;			/* '\\' or '`' */
	struct instruction *instructions;
	size_t count;
	size_t globals;			/* that many ARGs are before the first FROM */
	struct stage *stages;
	size_t stage_count;
};

/*
 * name is the file's, for errors, which begin with the line: "Dockerfile:7". -EINVAL for what is no Dockerfile.
 */
int dockerfile_parse(const char *name, const char *text, size_t size, struct dockerfile *out, struct layerblk_error *err);
void dockerfile_clear(struct dockerfile *file);

/* An error about an instruction: "cannot build from Dockerfile:7: ...". */
int dockerfile_error(struct layerblk_error *err, const char *name, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The value of "--NAME=value" among its flags; "" for a bare "--NAME"; NULL: not there. */
const char *instruction_flag(const struct instruction *instruction, const char *name);

/* By its name or number (counted from 0), among those before `before`; -1: none. */
int dockerfile_stage_find(const struct dockerfile *file, const char *text, size_t before);

/* For dockerfile.c: takes lines from a text one by one; see dockerfile_lines.c. */
struct lines {
	const char *at;
	const char *end;
	int number;			/* of the last line that was given */
	char escape;
};

/* The next line as it is, without its end; false at the end of the text. */
bool lines_next(struct lines *lines, const char **line, size_t *length);
/*
 * The next instruction's line: empty ones and comments passed over, those that end with the escape character joined. malloc()ed, NULL at
 * the end (or without memory: *failed). *first: the number of its first line.
 */
char *lines_next_joined(struct lines *lines, int *first, bool *failed);
/* The directives at the top ("# escape=`"). -EINVAL. */
int lines_directives(struct lines *lines, const char *name, struct layerblk_error *err);

#endif
