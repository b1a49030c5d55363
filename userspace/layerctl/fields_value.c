// SPDX-License-Identifier: GPL-2.0-or-later
/* See fields_value.h. A descent by hand over a language of four rules: pipeline, command, operand, path. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "cleanup.h"
#include "fields_value.h"

#define DEPTH_MAX	32		/* of parentheses */
#define ARGUMENTS_MAX	8

/* ------------------------------------------------------------------ reading */

static void skip_blanks(struct fields_action *action)
{
	while (action->at < action->end && isspace((unsigned char)*action->at))
		action->at++;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

bool fields_at_end(struct fields_action *action)
{
	skip_blanks(action);
	return action->at == action->end;
}

bool fields_take_mark(struct fields_action *action, const char *mark)
{
	size_t length = strlen(mark);

	skip_blanks(action);
	if ((size_t)(action->end - action->at) < length || strncmp(action->at, mark, length) != 0)
		return false;
	action->at += length;
	return true;
}

bool fields_take_word(struct fields_action *action, const char *word)
{
	struct fields_action before = *action;

	if (fields_take_mark(action, word) && (action->at == action->end || !is_name(*action->at)))
		return true;
	*action = before;
	return false;
}

/* The letters from here on; 0: there are none, or too many. */
static size_t take_name(struct fields_action *action, char *out)
{
	size_t length = 0;

	while (action->at + length < action->end && is_name(action->at[length]))
		length++;
	if (length >= FIELDS_NAME)
		return 0;
	memcpy(out, action->at, length);
	out[length] = '\0';
	action->at += length;
	return length;
}

bool fields_take_variable(struct fields_action *action, char *out)
{
	struct fields_action before = *action;

	if (fields_take_mark(action, "$") && take_name(action, out))
		return true;
	*action = before;
	return false;
}

int fields_not_understood(const struct fields_scope *scope, const struct fields_action *action)
{
	if (action->at >= action->end)
		return layerblk_error_set(scope->err, EINVAL, "use the format", scope->format, "something is missing in one of its braces");
	return layerblk_error_set(scope->err, EINVAL, "use the format", scope->format, "\"%.*s\" is not understood",
				  (int)(action->end - action->at), action->at);
}

/* ------------------------------------------------------------------ values */

bool fields_is_true(json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_array:
		return json_object_array_length(value) > 0;
	case json_type_object:
		return json_object_object_length(value) > 0;
	case json_type_string:
		return json_object_get_string_len(value) > 0;
	default:
		return json_object_get_boolean(value);
	}
}

static const char *as_json(json_object *value)
{
	return json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

const char *fields_text(json_object *value)
{
	return !value ? "<no value>" : json_object_is_type(value, json_type_string) ? json_object_get_string(value) : as_json(value);
}

/* Names are those of Docker's structures, whatever their case. Borrowed. */
static json_object *member(json_object *object, const char *name)
{
	if (!json_object_is_type(object, json_type_object))
		return NULL;
	json_object_object_foreach(object, key, value)
		if (strcasecmp(key, name) == 0)
			return value;
	return NULL;
}

/* ------------------------------------------------------------------ functions */

typedef json_object *function_fn(json_object **values, size_t count);

static json_object *do_json(json_object **values, size_t count)
{
	(void)count;
	return json_object_new_string(as_json(values[0]));
}

static json_object *do_index(json_object **values, size_t count)
{
	json_object *at = values[0];

	for (size_t i = 1; i < count; i++) {
		if (json_object_is_type(at, json_type_array) && json_object_is_type(values[i], json_type_int))
			at = json_object_array_get_idx(at, (size_t)json_object_get_int64(values[i]));
		else if (!json_object_is_type(at, json_type_object) || !json_object_object_get_ex(at, fields_text(values[i]), &at))
			at = NULL;
	}
	return json_object_get(at);
}

static json_object *do_len(json_object **values, size_t count)
{
	size_t length = json_object_is_type(values[0], json_type_array) ? json_object_array_length(values[0]) :
			json_object_is_type(values[0], json_type_object) ? (size_t)json_object_object_length(values[0]) :
			json_object_is_type(values[0], json_type_string) ? (size_t)json_object_get_string_len(values[0]) : 0;

	(void)count;
	return json_object_new_int64((int64_t)length);
}

/* All texts in a row, with something between them. */
static json_object *put_together(json_object **values, size_t count, const char *between, const char *last)
{
	cleanup_free char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s", i ? between : "", fields_text(values[i]));
	fputs(last, out);
	return fclose(out) ? NULL : json_object_new_string(text);
}

static json_object *do_join(json_object **values, size_t count)
{
	size_t length = json_object_is_type(values[0], json_type_array) ? json_object_array_length(values[0]) : 0;
	json_object **items = calloc(length + 1, sizeof(*items)), *joined;

	(void)count;
	for (size_t i = 0; items && i < length; i++)
		items[i] = json_object_array_get_idx(values[0], i);
	joined = items ? put_together(items, length, fields_text(values[1]), "") : NULL;
	free(items);
	return joined;
}

static json_object *do_split(json_object **values, size_t count)
{
	json_object *array = json_object_new_array();
	const char *text = fields_text(values[0]), *between = fields_text(values[1]), *next;

	(void)count;
	for (; *between && (next = strstr(text, between)) != NULL; text = next + strlen(between))
		json_object_array_add(array, json_object_new_string_len(text, (int)(next - text)));
	json_object_array_add(array, json_object_new_string(text));
	return array;
}

static json_object *change_case(json_object *value, int (*change)(int), bool first_only)
{
	cleanup_free char *copy = strdup(fields_text(value));

	for (char *at = copy; at && *at && (at == copy || !first_only); at++)
		*at = (char)change((unsigned char)*at);
	return copy ? json_object_new_string(copy) : NULL;
}

static json_object *do_upper(json_object **values, size_t count)
{
	(void)count;
	return change_case(values[0], toupper, false);
}

static json_object *do_lower(json_object **values, size_t count)
{
	(void)count;
	return change_case(values[0], tolower, false);
}

static json_object *do_title(json_object **values, size_t count)
{
	(void)count;
	return change_case(values[0], toupper, true);
}

static bool is_number(json_object *value)
{
	return json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
}

static int compare(json_object *a, json_object *b)
{
	double left = json_object_get_double(a), right = json_object_get_double(b);

	if (is_number(a) && is_number(b))
		return left < right ? -1 : left > right;
	return strcmp(fields_text(a), fields_text(b));
}

static json_object *do_eq(json_object **values, size_t count)
{
	bool equal = false;

	for (size_t i = 1; i < count; i++)
		equal |= compare(values[0], values[i]) == 0;
	return json_object_new_boolean(equal);
}

static json_object *do_ne(json_object **values, size_t count)
{
	(void)count;
	return json_object_new_boolean(compare(values[0], values[1]) != 0);
}

static json_object *do_lt(json_object **values, size_t count)
{
	(void)count;
	return json_object_new_boolean(compare(values[0], values[1]) < 0);
}

static json_object *do_gt(json_object **values, size_t count)
{
	(void)count;
	return json_object_new_boolean(compare(values[0], values[1]) > 0);
}

static json_object *do_and(json_object **values, size_t count)
{
	size_t i = 0;

	while (i + 1 < count && fields_is_true(values[i]))
		i++;
	return json_object_get(values[i]);
}

static json_object *do_or(json_object **values, size_t count)
{
	size_t i = 0;

	while (i + 1 < count && !fields_is_true(values[i]))
		i++;
	return json_object_get(values[i]);
}

static json_object *do_not(json_object **values, size_t count)
{
	(void)count;
	return json_object_new_boolean(!fields_is_true(values[0]));
}

static json_object *do_print(json_object **values, size_t count)
{
	return put_together(values, count, "", "");
}

static json_object *do_println(json_object **values, size_t count)
{
	return put_together(values, count, " ", "\n");
}

static const struct function {
	const char *name;
	size_t least, most;
	function_fn *run;
} functions[] = {
	{ "json", 1, 1, do_json }, { "index", 1, ARGUMENTS_MAX, do_index }, { "len", 1, 1, do_len }, { "join", 2, 2, do_join },
	{ "split", 2, 2, do_split }, { "upper", 1, 1, do_upper }, { "lower", 1, 1, do_lower }, { "title", 1, 1, do_title },
	{ "eq", 2, ARGUMENTS_MAX, do_eq }, { "ne", 2, 2, do_ne }, { "lt", 2, 2, do_lt }, { "gt", 2, 2, do_gt },
	{ "and", 1, ARGUMENTS_MAX, do_and }, { "or", 1, ARGUMENTS_MAX, do_or }, { "not", 1, 1, do_not },
	{ "println", 0, ARGUMENTS_MAX, do_println }, { "print", 0, ARGUMENTS_MAX, do_print },
};

static const struct function *take_function(struct fields_action *action)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		if (fields_take_word(action, functions[i].name))
			return &functions[i];
	return NULL;
}

/* ------------------------------------------------------------------ expressions */

struct reading {
	struct fields_scope *scope;
	struct fields_action *action;
	bool live;
	unsigned int depth;
};

static int read_pipeline(struct reading *reading, json_object **out);

/* ".A.B" behind a value, which it takes over. */
static int read_path(struct reading *reading, json_object *from, json_object **out)
{
	struct fields_action *action = reading->action;
	char name[FIELDS_NAME];

	while (action->at < action->end && *action->at == '.') {
		json_object *next;

		action->at++;
		if (!take_name(action, name)) {
			json_object_put(from);
			return fields_not_understood(reading->scope, action);
		}
		next = json_object_get(member(from, name));
		json_object_put(from);
		from = next;
	}
	*out = from;
	return 0;
}

static json_object *variable(const struct fields_scope *scope, const char *name)
{
	for (size_t i = scope->count; i > 0; i--)
		if (strcmp(scope->variables[i - 1].name, name) == 0)
			return scope->variables[i - 1].value;
	return NULL;
}

static bool is_variable(const struct fields_scope *scope, const char *name)
{
	for (size_t i = 0; i < scope->count; i++)
		if (strcmp(scope->variables[i].name, name) == 0)
			return true;
	return false;
}

/* A text between two quotation marks; those in single ones of the shell often come as `...`. */
static int read_text(struct reading *reading, json_object **out)
{
	struct fields_action *action = reading->action;
	char quote = *action->at;
	cleanup_free char *text = malloc((size_t)(action->end - action->at) + 1);
	char *to = text;

	if (!text)
		return layerblk_error_set(reading->scope->err, ENOMEM, "use the format", reading->scope->format, "no memory");
	for (action->at++; action->at < action->end && *action->at != quote; action->at++) {
		bool escaped = quote == '"' && *action->at == '\\' && action->at + 1 < action->end;

		action->at += escaped;
		*to++ = !escaped ? *action->at : *action->at == 'n' ? '\n' : *action->at == 't' ? '\t' : *action->at;
	}
	*to = '\0';
	if (action->at == action->end)
		return fields_not_understood(reading->scope, action);
	action->at++;
	*out = json_object_new_string(text);
	return 0;
}

static int read_number(struct reading *reading, json_object **out)
{
	cleanup_free char *text = strndup(reading->action->at, (size_t)(reading->action->end - reading->action->at));
	char *end = text;
	long long number = text ? strtoll(text, &end, 10) : 0;

	if (end == text)
		return fields_not_understood(reading->scope, reading->action);
	reading->action->at += end - text;
	*out = json_object_new_int64(number);
	return 0;
}

static int read_parenthesis(struct reading *reading, json_object **out)
{
	json_object *value = NULL;
	int rc;

	if (++reading->depth > DEPTH_MAX)
		return fields_not_understood(reading->scope, reading->action);
	reading->action->at++;
	rc = read_pipeline(reading, &value);
	reading->depth--;
	if (!rc && !fields_take_mark(reading->action, ")")) {
		json_object_put(value);
		rc = fields_not_understood(reading->scope, reading->action);
	}
	return rc ? rc : read_path(reading, value, out);
}

static bool operand_follows(struct fields_action *action)
{
	skip_blanks(action);
	return action->at < action->end && (strchr(".$\"`(-", *action->at) || isalnum((unsigned char)*action->at));
}

static int read_operand(struct reading *reading, json_object **out)
{
	struct fields_action *action = reading->action;
	const struct fields_scope *scope = reading->scope;
	char name[FIELDS_NAME];

	*out = NULL;
	if (!operand_follows(action))
		return fields_not_understood(scope, action);
	if (*action->at == '.') {
		/* "." alone is the object; ".A" begins with the same dot. */
		if (action->at + 1 == action->end || !is_name(action->at[1])) {
			action->at++;
			*out = json_object_get(scope->dot);
			return action->at < action->end && *action->at == '.' ? fields_not_understood(scope, action) : 0;
		}
		return read_path(reading, json_object_get(scope->dot), out);
	}
	if (*action->at == '"' || *action->at == '`')
		return read_text(reading, out);
	if (*action->at == '(')
		return read_parenthesis(reading, out);
	if (fields_take_variable(action, name)) {
		if (!is_variable(scope, name))
			return layerblk_error_set(scope->err, EINVAL, "use the format", scope->format, "there is no $%s", name);
		return read_path(reading, json_object_get(variable(scope, name)), out);
	}
	if (fields_take_mark(action, "$"))
		return read_path(reading, json_object_get(scope->top), out);
	if (fields_take_word(action, "true") || fields_take_word(action, "false")) {
		*out = json_object_new_boolean(action->at[-2] == 'u');
		return 0;
	}
	return fields_take_word(action, "nil") ? 0 : read_number(reading, out);
}

/* What a function is told: what follows it, and what comes through the pipe. */
struct arguments {
	json_object *values[ARGUMENTS_MAX];
	size_t count;
};

static void arguments_clear(struct arguments *arguments)
{
	while (arguments->count)
		json_object_put(arguments->values[--arguments->count]);
}

static int read_arguments(struct reading *reading, struct arguments *arguments)
{
	int rc = 0;

	while (!rc && operand_follows(reading->action)) {
		if (arguments->count == ARGUMENTS_MAX - 1)
			return fields_not_understood(reading->scope, reading->action);
		rc = read_operand(reading, &arguments->values[arguments->count]);
		arguments->count += !rc;
	}
	return rc;
}

/* One part of a pipeline. *out comes in as what the part before it gave, when there was one. */
static int read_command(struct reading *reading, bool piped, json_object **out)
{
	struct arguments arguments = { .count = 0 };
	const struct function *function;
	int rc;

	skip_blanks(reading->action);
	function = take_function(reading->action);
	if (!function)
		return piped ? fields_not_understood(reading->scope, reading->action) : read_operand(reading, out);
	rc = read_arguments(reading, &arguments);
	if (!rc && piped)
		arguments.values[arguments.count++] = json_object_get(*out);
	if (!rc && (arguments.count < function->least || arguments.count > function->most))
		rc = layerblk_error_set(reading->scope->err, EINVAL, "use the format", reading->scope->format,
					"%s is told too %s", function->name, arguments.count < function->least ? "little" : "much");
	if (!rc) {
		json_object_put(piped ? *out : NULL);
		*out = reading->live ? function->run(arguments.values, arguments.count) : NULL;
	}
	arguments_clear(&arguments);
	return rc;
}

static int read_pipeline(struct reading *reading, json_object **out)
{
	int rc;

	*out = NULL;
	rc = read_command(reading, false, out);
	while (!rc && fields_take_mark(reading->action, "|"))
		rc = read_command(reading, true, out);
	if (rc) {
		json_object_put(*out);
		*out = NULL;
	}
	return rc;
}

int fields_value(struct fields_scope *scope, struct fields_action *action, bool live, json_object **out)
{
	struct reading reading = { .scope = scope, .action = action, .live = live };

	return read_pipeline(&reading, out);
}
