/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands between the braces of a template: expressions and their values. Internal to fields*.c. */
#ifndef LAYERCTL_FIELDS_VALUE_H
#define LAYERCTL_FIELDS_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <json-c/json.h>
#include <layerblk.h>

#define FIELDS_VARIABLES	16
#define FIELDS_NAME		32

struct fields_variable {
	char name[FIELDS_NAME];		/* without the '$' */
	json_object *value;		/* borrowed: of the object or of a range's list */
};

/* What an expression is about. */
struct fields_scope {
	json_object *top;		/* "$" */
	json_object *dot;
	struct fields_variable variables[FIELDS_VARIABLES];
	size_t count;
	const char *format;		/* the whole template, for errors */
	struct layerblk_error *err;
};

/* One action's text, which is read from its beginning. */
struct fields_action {
	const char *at, *end;
};

/* Takes a word of letters if it is the next one. */
bool fields_take_word(struct fields_action *action, const char *word);
/* Takes "$name" or gives false; out has room for FIELDS_NAME. */
bool fields_take_variable(struct fields_action *action, char *out);
/* Takes a punctuation mark ("," or ":="). */
bool fields_take_mark(struct fields_action *action, const char *mark);
/* Whether all of it has been read. */
bool fields_at_end(struct fields_action *action);

/* Sets the error "the template is not understood at TEXT"; gives -EINVAL. */
int fields_not_understood(const struct fields_scope *scope, const struct fields_action *action);

/*
 * Reads an expression and works it out. *out is a reference of the caller's, NULL for what is not there. `live` false: it is
 * only read.
 */
int fields_value(struct fields_scope *scope, struct fields_action *action, bool live, json_object **out);

/* As Go has it: not false, 0, "", empty or nothing. */
bool fields_is_true(json_object *value);
/* As it is printed: texts as they are, all else as JSON. */
const char *fields_text(json_object *value);

#endif
