/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists and records on standard output. A row is a JSON object; a table shows some of its keys, so that both forms come
 * from the same data. JSON sizes are bytes and times are RFC 3339; tables show them for people.
 *
 *	static const struct output_column columns[] = {
 *		{ "NAME", "name", OUTPUT_TEXT }, { "SIZE", "size", OUTPUT_SIZE }, { "CREATED", "created", OUTPUT_AGE },
 *		{ 0 },
 *	};
 *	cleanup_json json_object *rows = json_object_new_array();
 *	json_object_array_add(rows, row);
 *	return output_rows(call, columns, rows);
 */
#ifndef LAYERCTL_OUTPUT_H
#define LAYERCTL_OUTPUT_H

#include <stdint.h>
#include <stdio.h>
#include <json-c/json.h>
#include "command.h"

enum output_kind {
	OUTPUT_TEXT,			/* strings, numbers as they are; true is "yes", false "no", null or missing "-" */
	OUTPUT_SIZE,			/* a number of bytes: "1.5GiB", aligned right */
	OUTPUT_NUMBER,			/* aligned right */
	OUTPUT_AGE,			/* an RFC 3339 time: "3 hours ago" */
	OUTPUT_LIST,			/* an array of strings: "a,b" */
	OUTPUT_SHORT_ID,		/* the first 12 characters unless --no-trunc is given */
};

struct output_column {
	const char *title;
	const char *key;
	enum output_kind kind;
};

enum output_format { OUTPUT_TABLE, OUTPUT_JSON };

/* What --format says (none: table); reports a usage error and gives -EINVAL for any other word. */
int output_format(const struct command_call *call, enum output_format *format);

/*
 * Prints an array of objects as --format says: a table with a title line, or a JSON array. With --quiet, if the command has
 * it, only the first column's values, one a line. Gives the exit status (1 when standard output fails).
 */
int output_rows(const struct command_call *call, const struct output_column *columns, json_object *rows);
/* One value as a table shows it: malloc()ed. */
char *output_cell(const struct output_column *column, json_object *value, int64_t now, bool no_trunc);
/* The table itself; `now` is for ages. */
void output_table(FILE *stream, const struct output_column *columns, json_object *rows, int64_t now, bool no_trunc);

/* A JSON value and a newline, indented. Gives the exit status. */
int output_json(json_object *value);
/* One compact JSON value a line, flushed, as for events. Gives the exit status. */
int output_json_line(json_object *value);

/* Names and other foreign bytes as a JSON string: bytes that are no UTF-8 become U+FFFD. */
json_object *output_string(const char *text);
/* Seconds since 1970 as RFC 3339 in UTC; null for 0. */
json_object *output_time(uint64_t seconds);
json_object *output_uint(uint64_t value);

#endif
