/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Variables in a Dockerfile: $NAME, ${NAME}, ${NAME:-word}, ${NAME-word}, ${NAME:+word}, ${NAME+word}, ${NAME:?word}, ${NAME?word}. Words may
 * have variables themselves. Single quotes and the escape character keep a "$" from meaning one.
 */
#ifndef BUILD_EXPAND_H
#define BUILD_EXPAND_H

#include <stdbool.h>
#include <stddef.h>
#include <layerblk.h>

struct variables {			/* what is set: ENV, and ARG where no ENV has the name */
	struct variable *items;
	size_t count;
};

/* Sets or replaces; -ENOMEM. */
int variables_set(struct variables *variables, const char *name, const char *value);
const char *variables_get(const struct variables *variables, const char *name);	/* NULL: not set */
/* "NAME=value" of each, ends with NULL: malloc()ed, as are they. NULL: no memory. */
char **variables_list(const struct variables *variables);
/* Adds all of one to another. */
int variables_copy(const struct variables *from, struct variables *to);
void variables_clear(struct variables *variables);

enum expand_way {
	EXPAND_QUOTED,			/* quotes and escapes stay, values are escaped: for config_words() later */
	EXPAND_PLAIN,			/* there are no quotes: heredocs, elements of JSON lists */
};

/* *out is malloc()ed. -EINVAL for "${" without its end, an operator that is not known, and what ${NAME:?word} refuses. */
int expand(const char *text, const struct variables *variables, char escape, enum expand_way way, char **out,
	   struct layerblk_error *err);

#endif
