// SPDX-License-Identifier: GPL-2.0-or-later
/* See expand.h. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "expand.h"

#define DEPTH_MAX	32		/* words in words */

struct variable {
	char *name;
	char *value;
};

struct expansion {
	const struct variables *variables;
	char escape;
	enum expand_way way;
	FILE *out;
	int depth;
	struct layerblk_error *err;
};

/* ------------------------------------------------------------------ variables */

static struct variable *find(const struct variables *variables, const char *name)
{
	for (size_t i = 0; i < variables->count; i++)
		if (strcmp(variables->items[i].name, name) == 0)
			return &variables->items[i];
	return NULL;
}

const char *variables_get(const struct variables *variables, const char *name)
{
	const struct variable *variable = find(variables, name);

	return variable ? variable->value : NULL;
}

int variables_set(struct variables *variables, const char *name, const char *value)
{
	struct variable *variable = find(variables, name), *more;
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	if (variable) {
		free(variable->value);
		variable->value = copy;
		return 0;
	}
	more = reallocarray(variables->items, variables->count + 1, sizeof(*more));
	if (more) {
		variables->items = more;
		more[variables->count] = (struct variable){ .name = strdup(name), .value = copy };
	}
	if (!more || !more[variables->count].name) {
		free(copy);
		return -ENOMEM;
	}
	variables->count++;
	return 0;
}

char **variables_list(const struct variables *variables)
{
	char **list = calloc(variables->count + 1, sizeof(*list));

	for (size_t i = 0; list && i < variables->count; i++)
		if (asprintf(&list[i], "%s=%s", variables->items[i].name, variables->items[i].value) < 0)
			list[i] = NULL;
	return list;
}

int variables_copy(const struct variables *from, struct variables *to)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < from->count; i++)
		rc = variables_set(to, from->items[i].name, from->items[i].value);
	return rc;
}

void variables_clear(struct variables *variables)
{
	for (size_t i = 0; i < variables->count; i++) {
		free(variables->items[i].name);
		free(variables->items[i].value);
	}
	free(variables->items);
	variables->items = NULL;
	variables->count = 0;
}

/* ------------------------------------------------------------------ expansion */

static int wrong(const struct expansion *expansion, const char *text, const char *why)
{
	return layerblk_error_set(expansion->err, EINVAL, "expand", text, "%s", why);
}

/* A value where quotes count: whatever would mean something is escaped. */
static void put_value(const struct expansion *expansion, const char *value, char quote)
{
	for (; *value; value++) {
		bool special = *value == expansion->escape || *value == '"' || *value == '$' ||
			       (!quote && (*value == '\'' || isspace((unsigned char)*value)));

		if (special && expansion->way == EXPAND_QUOTED)
			fputc(expansion->escape, expansion->out);
		fputc(*value, expansion->out);
	}
}

static int expand_text(struct expansion *expansion, const char *text, size_t length, char quote);

/* Where the "}" is that ends what begins at `at`; NULL: nowhere. */
static const char *closing(const char *at, const char *end, char escape)
{
	int open = 1;

	for (; at < end; at++) {
		if (*at == escape && at + 1 < end)
			at++;
		else if (*at == '$' && at + 1 < end && at[1] == '{')
			open++;
		else if (*at == '}' && --open == 0)
			return at;
	}
	return NULL;
}

/* What follows the name in ${...}: an operator and its word. */
static int expand_operator(struct expansion *expansion, const char *name, const char *value, const char *at, const char *end,
			   char quote)
{
	bool colon = *at == ':', set = value && (!colon || *value);
	char operator = at[colon];
	const char *word = at + colon + 1;

	switch (operator) {
	case '-':
		if (set)
			put_value(expansion, value, quote);
		return set ? 0 : expand_text(expansion, word, (size_t)(end - word), quote);
	case '+':
		return set ? expand_text(expansion, word, (size_t)(end - word), quote) : 0;
	case '?':
		if (!set)
			return layerblk_error_set(expansion->err, EINVAL, "expand", name, "%.*s",
						  end > word ? (int)(end - word) : 10, end > word ? word : "it is not set");
		put_value(expansion, value, quote);
		return 0;
	default:
		return wrong(expansion, name, "the operator behind it is not one of :- - :+ + :? ?");
	}
}

/* At the "$". *used: how much of the text it took. */
static int expand_variable(struct expansion *expansion, const char *at, const char *end, char quote, size_t *used)
{
	bool braces = at + 1 < end && at[1] == '{';
	const char *name_at = at + 1 + braces, *name_end = name_at, *stop;
	cleanup_free char *name = NULL;
	const char *value;

	while (name_end < end && (isalnum((unsigned char)*name_end) || *name_end == '_') &&
	       (name_end > name_at || !isdigit((unsigned char)*name_end)))
		name_end++;
	if (!braces && name_end == name_at) {		/* a "$" that means itself */
		fputc('$', expansion->out);
		*used = 1;
		return 0;
	}
	stop = braces ? closing(name_at, end, expansion->escape) : name_end;
	if (!stop)
		return wrong(expansion, at, "a \"${\" has no \"}\"");
	if (name_end == name_at)
		return wrong(expansion, at, "a \"${\" is not followed by a name");
	*used = (size_t)(stop - at) + braces;
	name = strndup(name_at, (size_t)(name_end - name_at));
	if (!name)
		return layerblk_error_set(expansion->err, ENOMEM, "expand", at, "no memory");
	value = variables_get(expansion->variables, name);
	if (name_end < stop)
		return expand_operator(expansion, name, value, name_end, stop, quote);
	put_value(expansion, value ? value : "", quote);
	return 0;
}

static int expand_text(struct expansion *expansion, const char *text, size_t length, char quote)
{
	const char *end = text + length;
	bool plain = expansion->way == EXPAND_PLAIN;
	int rc = 0;

	if (++expansion->depth > DEPTH_MAX)
		return wrong(expansion, "a word", "it is nested too deep");
	for (const char *at = text; !rc && at < end;) {
		size_t used = 1;

		if (*at == expansion->escape && at + 1 < end && quote != '\'') {
			if (plain && at[1] != '$' && at[1] != expansion->escape)
				fputc(*at, expansion->out);	/* in a heredoc only these are escaped */
			if (!plain)
				fputc(*at, expansion->out);
			fputc(at[1], expansion->out);
			used = 2;
		} else if (!plain && (quote ? *at == quote : (*at == '"' || *at == '\''))) {
			quote = quote ? 0 : *at;
			fputc(*at, expansion->out);
		} else if (*at == '$' && quote != '\'') {
			rc = expand_variable(expansion, at, end, quote, &used);
		} else {
			fputc(*at, expansion->out);
		}
		at += used;
	}
	expansion->depth--;
	return rc;
}

int expand(const char *text, const struct variables *variables, char escape, enum expand_way way, char **out,
	   struct layerblk_error *err)
{
	struct expansion expansion = { .variables = variables, .escape = escape, .way = way, .err = err };
	char *result = NULL;
	size_t size;
	int rc;

	expansion.out = open_memstream(&result, &size);
	if (!expansion.out)
		return layerblk_error_set(err, ENOMEM, "expand", text, "no memory");
	rc = expand_text(&expansion, text, strlen(text), 0);
	if (fclose(expansion.out) != 0 && !rc)
		rc = layerblk_error_set(err, ENOMEM, "expand", text, "no memory");
	if (rc)
		free(result);
	else
		*out = result;
	return rc;
}
