// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See fields.h. The template is worked through from its beginning to its end while it is read; what is not taken, of an if or of a
 * range over nothing, is read all the same, so that a mistake in it is found. A range goes back to its beginning for each item.
 */
#include <errno.h>
#include <string.h>
#include "cleanup.h"
#include "fields.h"
#include "fields_value.h"
#include "output.h"

#define DEPTH_MAX	32		/* of blocks */

enum ending { ENDS_TEXT, ENDS_BLOCK, ENDS_WITH_ELSE };

struct run {
	struct fields_scope scope;
	const char *at;
	FILE *out;
	unsigned int depth;
	bool trim;			/* what follows loses its blanks in front */
	struct fields_action rest;	/* of {{else ...}}: what is behind the word */
};

static int run_block(struct run *run, bool live, enum ending *ending);

/* ------------------------------------------------------------------ texts */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The text up to the next braces or to the end. */
static void write_text(struct run *run, bool live)
{
	const char *braces = strstr(run->at, "{{"), *end = braces ? braces : run->at + strlen(run->at), *at = run->at;

	run->at = end;
	while (run->trim && at < end && is_blank(*at))
		at++;
	run->trim = run->trim && at == end;
	if (braces && braces[2] == '-' && is_blank(braces[3]))
		while (end > at && is_blank(end[-1]))
			end--;
	for (; live && at < end; at++) {
		if (*at == '\\' && at + 1 < end && (at[1] == 't' || at[1] == 'n'))
			fputc(*++at == 't' ? '\t' : '\n', run->out);
		else
			fputc(*at, run->out);
	}
}

/* The end of an action: the first "}}" that is in no text. */
static const char *closing(const char *at)
{
	char quote = '\0';

	for (; *at; at++) {
		if (quote && *at == '\\' && at[1])
			at++;
		else if (quote)
			quote = *at == quote ? '\0' : quote;
		else if (*at == '"' || *at == '`')
			quote = *at;
		else if (at[0] == '}' && at[1] == '}')
			return at;
	}
	return NULL;
}

static int take_action(struct run *run, struct fields_action *action)
{
	const char *end = closing(run->at + 2);

	if (!end)
		return layerblk_error_set(run->scope.err, EINVAL, "use the format", run->scope.format, "a \"{{\" is not closed");
	action->at = run->at + 2;
	action->end = end;
	run->at = end + 2;
	if (action->at[0] == '-' && is_blank(action->at[1]))
		action->at++;
	run->trim = end - action->at >= 2 && end[-1] == '-' && is_blank(end[-2]);
	action->end -= run->trim;
	return 0;
}

/* ------------------------------------------------------------------ blocks */

static int run_if(struct run *run, struct fields_action *action, bool live, bool with);

/* What comes behind an if, with or range: {{else}}, {{else if ...}}, or nothing more. */
static int run_else(struct run *run, enum ending ending, bool live)
{
	struct fields_action action = run->rest;
	int rc;

	if (ending != ENDS_WITH_ELSE)
		return 0;
	if (fields_take_word(&action, "if"))
		return run_if(run, &action, live, false);
	if (fields_take_word(&action, "with"))
		return run_if(run, &action, live, true);
	if (!fields_at_end(&action))
		return fields_not_understood(&run->scope, &action);
	rc = run_block(run, live, &ending);
	if (!rc && ending != ENDS_BLOCK)
		rc = layerblk_error_set(run->scope.err, EINVAL, "use the format", run->scope.format, "an {{end}} is missing");
	return rc;
}

static int must_end(const struct run *run, enum ending ending)
{
	if (ending != ENDS_TEXT)
		return 0;
	return layerblk_error_set(run->scope.err, EINVAL, "use the format", run->scope.format, "an {{end}} is missing");
}

/* An if, or a with, in which the value is the object. */
static int run_if(struct run *run, struct fields_action *action, bool live, bool with)
{
	cleanup_json json_object *value = NULL;
	json_object *dot = run->scope.dot;
	enum ending ending;
	bool taken;
	int rc = fields_value(&run->scope, action, live, &value);

	if (!rc && !fields_at_end(action))
		rc = fields_not_understood(&run->scope, action);
	if (rc)
		return rc;
	taken = live && fields_is_true(value);
	if (with)
		run->scope.dot = value;
	rc = run_block(run, taken, &ending);
	run->scope.dot = dot;
	if (!rc)
		rc = must_end(run, ending);
	return rc ? rc : run_else(run, ending, live && !taken);
}

struct range {
	const char *body;		/* where it begins */
	bool trim;			/* there */
	char names[2][FIELDS_NAME];
	size_t named;			/* variables: none, the value, or key and value */
};

static int run_item(struct run *run, const struct range *range, json_object *key, json_object *value, enum ending *ending)
{
	size_t count = run->scope.count;
	json_object *dot = run->scope.dot;
	int rc;

	for (size_t i = 0; i < range->named; i++) {
		struct fields_variable *variable = &run->scope.variables[run->scope.count++];

		strcpy(variable->name, range->names[i]);
		variable->value = range->named == 2 && i == 0 ? key : value;
	}
	run->scope.dot = value;
	run->at = range->body;
	run->trim = range->trim;
	rc = run_block(run, true, ending);
	run->scope.dot = dot;
	run->scope.count = count;
	return rc ? rc : must_end(run, *ending);
}

static int run_items(struct run *run, const struct range *range, json_object *list, enum ending *ending)
{
	int rc = 0;

	if (json_object_is_type(list, json_type_array)) {
		for (size_t i = 0; !rc && i < json_object_array_length(list); i++) {
			cleanup_json json_object *number = json_object_new_int64((int64_t)i);

			rc = run_item(run, range, number, json_object_array_get_idx(list, i), ending);
		}
		return rc;
	}
	json_object_object_foreach(list, key, value) {
		cleanup_json json_object *name = json_object_new_string(key);

		rc = rc ? rc : run_item(run, range, name, value, ending);
	}
	return rc;
}

/* "$k, $v := EXPRESSION", "$v := EXPRESSION" or "EXPRESSION". */
static void take_names(struct fields_action *action, struct range *range)
{
	struct fields_action before = *action;

	if (fields_take_variable(action, range->names[0]))
		range->named = fields_take_mark(action, ",") && fields_take_variable(action, range->names[1]) ? 2 : 1;
	if (range->named && fields_take_mark(action, ":="))
		return;
	*action = before;
	range->named = 0;
}

static int run_range(struct run *run, struct fields_action *action, bool live)
{
	struct range range = { .named = 0 };
	cleanup_json json_object *list = NULL;
	enum ending ending = ENDS_TEXT;
	bool taken;
	int rc;

	take_names(action, &range);
	rc = fields_value(&run->scope, action, live, &list);
	if (!rc && (!fields_at_end(action) || run->scope.count + range.named > FIELDS_VARIABLES))
		rc = fields_not_understood(&run->scope, action);
	if (rc)
		return rc;
	range.body = run->at;
	range.trim = run->trim;
	taken = live && fields_is_true(list) && (json_object_is_type(list, json_type_array) || json_object_is_type(list, json_type_object));
	if (taken) {
		rc = run_items(run, &range, list, &ending);
	} else {
		for (size_t i = 0; i < range.named; i++)
			strcpy(run->scope.variables[run->scope.count + i].name, range.names[i]);
		run->scope.count += range.named;
		rc = run_block(run, false, &ending);
		run->scope.count -= range.named;
		if (!rc)
			rc = must_end(run, ending);
	}
	return rc ? rc : run_else(run, ending, live && !taken);
}

static int run_value(struct run *run, struct fields_action *action, bool live)
{
	cleanup_json json_object *value = NULL;
	int rc = fields_value(&run->scope, action, live, &value);

	if (!rc && !fields_at_end(action))
		rc = fields_not_understood(&run->scope, action);
	if (!rc && live)
		fputs(fields_text(value), run->out);
	return rc;
}

/* Up to the {{end}} or {{else}} that is not of a block inside, or to the end of the template. */
static int run_block(struct run *run, bool live, enum ending *ending)
{
	struct fields_action action;
	int rc = 0;

	*ending = ENDS_TEXT;
	if (++run->depth > DEPTH_MAX)
		return layerblk_error_set(run->scope.err, EINVAL, "use the format", run->scope.format, "its blocks are too deep");
	while (!rc) {
		write_text(run, live);
		if (!*run->at)
			break;
		rc = take_action(run, &action);
		if (rc)
			break;
		if (fields_take_word(&action, "end") || fields_take_word(&action, "else")) {
			*ending = action.at[-1] == 'd' ? ENDS_BLOCK : ENDS_WITH_ELSE;
			run->rest = action;
			break;
		}
		if (fields_take_word(&action, "if"))
			rc = run_if(run, &action, live, false);
		else if (fields_take_word(&action, "with"))
			rc = run_if(run, &action, live, true);
		else if (fields_take_word(&action, "range"))
			rc = run_range(run, &action, live);
		else
			rc = run_value(run, &action, live);
	}
	run->depth--;
	return rc;
}

/* ------------------------------------------------------------------ */

bool fields_is_template(const char *format)
{
	return strstr(format, "{{") != NULL;
}

int fields_write(FILE *out, const char *format, json_object *object, struct layerblk_error *err)
{
	struct run run = { .scope = { .top = object, .dot = object, .format = format, .err = err }, .at = format, .out = out };
	enum ending ending;
	int rc = run_block(&run, true, &ending);

	if (!rc && ending != ENDS_TEXT)
		rc = layerblk_error_set(err, EINVAL, "use the format", format, "an {{end}} or {{else}} has nothing in front");
	if (!rc)
		fputc('\n', out);
	return rc;
}

bool fields_option_is_right(struct command_call *call)
{
	const char *format = option_value(call, "format");

	if (!format || fields_is_template(format) || strcmp(format, "json") == 0)
		return true;
	command_usage_error(call, "\"%s\" is neither \"json\" nor a template", format);
	return false;
}

int fields_output(struct command_call *call, json_object *array)
{
	const char *format = option_value(call, "format");

	if (!format || !fields_is_template(format))
		return output_json(array);
	for (size_t i = 0; i < json_object_array_length(array); i++)
		if (fields_write(stdout, format, json_object_array_get_idx(array, i), &call->error))
			return command_fail(call);
	return fflush(stdout) ? 1 : 0;
}
