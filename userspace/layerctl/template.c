// SPDX-License-Identifier: GPL-2.0-or-later
/* See template.h. A template is taken apart once into texts and fields. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cleanup.h"
#include "template.h"

struct part {
	char *text;			/* to be printed as it is; NULL: a value */
	const struct template_field *field; /* NULL: the whole row as JSON */
	bool json;			/* the value as JSON */
};

struct template {
	struct part *parts;
	size_t count;
	bool table;
};

bool template_is_one(const char *format)
{
	return format && strcmp(format, "table") != 0 && strcmp(format, "json") != 0;
}

static void template_clear(struct template *template)
{
	for (size_t i = 0; i < template->count; i++)
		free(template->parts[i].text);
	free(template->parts);
}

static struct part *add_part(struct template *template)
{
	struct part *more = reallocarray(template->parts, template->count + 1, sizeof(*more));

	if (!more)
		return NULL;
	template->parts = more;
	more += template->count++;
	*more = (struct part){ .text = NULL };
	return more;
}

/* \t and \n as the shell hands them on. */
static bool add_text(struct template *template, const char *text, size_t length)
{
	struct part *part = length ? add_part(template) : NULL;
	char *to;

	if (!part)
		return length == 0;
	part->text = to = malloc(length + 1);
	if (!to)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\\' && i + 1 < length && strchr("tn\\", text[i + 1]))
			*to++ = text[++i] == 't' ? '\t' : text[i] == 'n' ? '\n' : '\\';
		else
			*to++ = text[i];
	}
	*to = '\0';
	return true;
}

static const struct template_field *field_find(const struct template_field *fields, const char *name, size_t length)
{
	for (; fields->name; fields++)
		if (strlen(fields->name) == length && strncmp(fields->name, name, length) == 0)
			return fields;
	return NULL;
}

/* What is between {{ and }}: ".Field", "json .Field" or "json .". */
static int add_value(const struct command_call *call, struct template *template, const struct template_field *fields,
		     const char *at, size_t length)
{
	bool json = false;
	struct part *part;

	while (length && isspace((unsigned char)at[length - 1]))
		length--;
	while (length && isspace((unsigned char)*at))
		at++, length--;
	if (length > 5 && strncmp(at, "json ", 5) == 0) {
		json = true;
		for (at += 5, length -= 5; length && isspace((unsigned char)*at); at++)
			length--;
	}
	part = length && *at == '.' ? add_part(template) : NULL;
	if (part && json && length == 1) {
		part->json = true;
		return 0;
	}
	if (part && length > 1)
		part->field = field_find(fields, at + 1, length - 1);
	if (!part || !part->field)
		return command_usage_error(call, "--format: \"{{%.*s}}\" is not known; a value is {{.Name}}, or {{json .}} for all",
					   (int)length, at);
	part->json = json;
	return 0;
}

static int take_apart(const struct command_call *call, const char *format, const struct template_field *fields,
		      struct template *out)
{
	const char *end;
	int status = 0;

	out->table = strncmp(format, "table ", 6) == 0;
	if (out->table)
		format += 6;
	while (!status && *format) {
		const char *open = strstr(format, "{{");

		if (!add_text(out, format, open ? (size_t)(open - format) : strlen(format)))
			return command_usage_error(call, "out of memory");
		if (!open)
			break;
		end = strstr(open, "}}");
		if (!end)
			return command_usage_error(call, "--format: a \"{{\" has no \"}}\"");
		status = add_value(call, out, fields, open + 2, (size_t)(end - open - 2));
		format = end + 2;
	}
	return status;
}

static char *part_text(const struct part *part, json_object *row, bool no_trunc)
{
	json_object *value = row;

	if (part->text)
		return strdup(part->text);
	if (part->field && !json_object_object_get_ex(row, part->field->column.key, &value))
		value = NULL;
	if (part->json)
		return strdup(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	return value ? output_cell(&part->field->column, value, time(NULL), no_trunc) : strdup("");
}

static char *row_text(const struct template *template, json_object *row, bool no_trunc)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; out && i < template->count; i++) {
		const struct part *part = &template->parts[i];
		cleanup_free char *piece = row || part->text ? part_text(part, row, no_trunc) :
					   strdup(part->field ? part->field->column.title : "JSON");

		fputs(piece ? piece : "", out);
	}
	if (out)
		fclose(out);
	return text;
}

/* Tabs separate the columns of a table: each row becomes an object whose members are them. */
static int print_table(const struct template *template, json_object *rows, bool no_trunc)
{
	static const char *const keys[] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15" };
	struct output_column columns[sizeof(keys) / sizeof(*keys) + 1] = { 0 };
	cleanup_free char *titles = row_text(template, NULL, no_trunc);
	cleanup_json json_object *cells = json_object_new_array();
	char *rest = titles, *title;
	size_t count = 0;

	while (titles && count < sizeof(keys) / sizeof(*keys) && (title = strsep(&rest, "\t")) != NULL) {
		columns[count] = (struct output_column){ title, keys[count], OUTPUT_TEXT };
		count++;
	}
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		cleanup_free char *text = row_text(template, json_object_array_get_idx(rows, i), no_trunc);
		json_object *row = json_object_new_object();
		char *at = text;

		for (size_t j = 0; at && j < count; j++)
			json_object_object_add(row, keys[j], output_string(strsep(&at, "\t")));
		json_object_array_add(cells, row);
	}
	output_table(stdout, columns, cells, 0, true);
	return fflush(stdout) == 0 ? 0 : 1;
}

int template_rows(const struct command_call *call, const char *format, const struct template_field *fields, json_object *rows)
{
	bool no_trunc = option_is_set(call, "no-trunc");
	struct template template = { .count = 0 };
	int status = take_apart(call, format, fields, &template);

	if (!status && template.table) {
		status = print_table(&template, rows, no_trunc);
	} else if (!status) {
		for (size_t i = 0; i < json_object_array_length(rows); i++) {
			cleanup_free char *text = row_text(&template, json_object_array_get_idx(rows, i), no_trunc);

			puts(text ? text : "");
		}
		status = fflush(stdout) == 0 ? 0 : 1;
	}
	template_clear(&template);
	return status;
}
