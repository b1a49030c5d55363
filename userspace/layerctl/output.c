// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows as a table or as JSON. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>
#include "cleanup.h"
#include "options.h"
#include "output.h"
#include "report.h"
#include "size.h"

#define GAP		3		/* spaces between columns */
#define SHORT_ID	12
#define JSON_FLAGS	(JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE)

/* ------------------------------------------------------------------ values */

/* The length of the UTF-8 sequence at c, 0 when it is none (overlong, surrogate and out-of-range ones included). */
static size_t utf8_length(const unsigned char *c)
{
	static const unsigned char least_second[] = { [0xe0 & 0x1f] = 0xa0, [0xf0 & 0x1f] = 0x90 };
	size_t len, i;

	if (c[0] < 0x80)
		return 1;
	len = c[0] >= 0xc2 && c[0] <= 0xdf ? 2 : (c[0] & 0xf0) == 0xe0 ? 3 : c[0] >= 0xf0 && c[0] <= 0xf4 ? 4 : 0;
	for (i = 1; i < len; i++) {
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	}
	if (c[0] == 0xe0 && c[1] < least_second[0xe0 & 0x1f])
		return 0;
	if (c[0] == 0xf0 && c[1] < least_second[0xf0 & 0x1f])
		return 0;
	if ((c[0] == 0xed && c[1] > 0x9f) || (c[0] == 0xf4 && c[1] > 0x8f))
		return 0;
	return len;
}

json_object *output_string(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	cleanup_free char *clean = malloc(3 * strlen(text) + 1);
	char *to = clean;

	if (!clean)
		return NULL;
	while (*text) {
		size_t len = utf8_length((const unsigned char *)text);

		if (len) {
			memcpy(to, text, len);
			to += len;
			text += len;
		} else {
			memcpy(to, replacement, 3);
			to += 3;
			text++;
		}
	}
	return json_object_new_string_len(clean, (int)(to - clean));
}

json_object *output_time(uint64_t seconds)
{
	time_t time = (time_t)seconds;
	char text[40];
	struct tm tm;

	if (!seconds || !gmtime_r(&time, &tm))
		return NULL;
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_object_new_string(text);
}

json_object *output_uint(uint64_t value)
{
	return json_object_new_uint64(value);
}

/* ------------------------------------------------------------------ cells */

static char *age_text(const char *time, int64_t now)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = {
		{ "year", 365 * 86400 }, { "month", 30 * 86400 }, { "week", 7 * 86400 }, { "day", 86400 },
		{ "hour", 3600 }, { "minute", 60 }, { "second", 1 },
	};
	struct tm tm = { 0 };
	char *text = NULL;
	int64_t age;
	size_t i;

	if (!strptime(time, "%Y-%m-%dT%H:%M:%S", &tm))
		return strdup(time);
	age = now - timegm(&tm);
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int64_t n = age / units[i].seconds;

		if (n <= 0)
			continue;
		if (asprintf(&text, "%lld %s%s ago", (long long)n, units[i].name, n == 1 ? "" : "s") < 0)
			return NULL;
		return text;
	}
	return strdup("just now");
}

static char *list_text(json_object *value)
{
	size_t i, n = json_object_array_length(value), size;
	char *text = NULL;
	FILE *out;

	if (!n)
		return strdup("-");
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	for (i = 0; i < n; i++)
		fprintf(out, "%s%s", i ? "," : "", json_object_get_string(json_object_array_get_idx(value, i)));
	fclose(out);
	return text;
}

static char *short_id(const char *text, bool no_trunc)
{
	const char *colon = strchr(text, ':');

	if (no_trunc)
		return strdup(text);
	return strndup(colon ? colon + 1 : text, SHORT_ID);
}

char *output_cell(const struct output_column *column, json_object *value, int64_t now, bool no_trunc)
{
	char size[SIZE_TEXT];

	if (!value)
		return strdup("-");
	if (json_object_is_type(value, json_type_array))
		return list_text(value);
	if (json_object_is_type(value, json_type_boolean))
		return strdup(json_object_get_boolean(value) ? "yes" : "no");
	switch (column->kind) {
	case OUTPUT_SIZE:
		return strdup(size_format(json_object_get_uint64(value), size));
	case OUTPUT_AGE:
		return age_text(json_object_get_string(value), now);
	case OUTPUT_SHORT_ID:
		return short_id(json_object_get_string(value), no_trunc);
	default:
		return strdup(json_object_get_string(value));
	}
}

/*
 * Replaces what a terminal would obey or cannot show, in place; gives the columns that the text takes. A '?' is never longer
 * than what it stands for.
 */
static int make_printable(char *text)
{
	mbstate_t state = { 0 };
	char *from = text, *to = text;
	int width = 0;

	while (*from) {
		wchar_t wide;
		size_t len = mbrtowc(&wide, from, MB_CUR_MAX, &state);
		int columns = 1;

		if (len == (size_t)-1 || len == (size_t)-2 || len == 0) {
			memset(&state, 0, sizeof(state));
			len = 1;
			*to++ = '?';
		} else if (!iswprint((wint_t)wide) || (columns = wcwidth(wide)) < 0) {
			columns = 1;
			*to++ = '?';
		} else {
			memmove(to, from, len);
			to += len;
		}
		from += len;
		width += columns;
	}
	*to = 0;
	return width;
}

/* ------------------------------------------------------------------ tables */

struct cell {
	char *text;
	int width;
};

struct table {
	const struct output_column *columns;
	size_t columns_n;
	size_t rows_n;
	struct cell *cells;		/* row by row; the first row is the titles */
	int *widths;
};

static bool table_fill(struct table *table, json_object *rows, int64_t now, bool no_trunc)
{
	size_t row, i;

	for (row = 0; row <= table->rows_n; row++) {
		json_object *object = row ? json_object_array_get_idx(rows, row - 1) : NULL;

		for (i = 0; i < table->columns_n; i++) {
			struct cell *cell = &table->cells[row * table->columns_n + i];
			json_object *value = NULL;

			if (row)
				json_object_object_get_ex(object, table->columns[i].key, &value);
			cell->text = row ? output_cell(&table->columns[i], value, now, no_trunc) :
				     strdup(table->columns[i].title);
			if (!cell->text)
				return false;
			cell->width = make_printable(cell->text);
			if (cell->width > table->widths[i])
				table->widths[i] = cell->width;
		}
	}
	return true;
}

static void table_print(FILE *stream, const struct table *table)
{
	size_t row, i;

	for (row = 0; row <= table->rows_n; row++) {
		for (i = 0; i < table->columns_n; i++) {
			const struct cell *cell = &table->cells[row * table->columns_n + i];
			enum output_kind kind = table->columns[i].kind;
			int pad = table->widths[i] - cell->width;
			bool right = kind == OUTPUT_SIZE || kind == OUTPUT_NUMBER;
			bool last = i + 1 == table->columns_n;

			fprintf(stream, "%*s%s%*s", right ? pad : 0, "", cell->text,
				last ? 0 : (right ? 0 : pad) + GAP, "");
		}
		fputc('\n', stream);
	}
}

void output_table(FILE *stream, const struct output_column *columns, json_object *rows, int64_t now, bool no_trunc)
{
	struct table table = { .columns = columns, .rows_n = json_object_array_length(rows) };
	size_t i, cells;

	while (columns[table.columns_n].title)
		table.columns_n++;
	cells = (table.rows_n + 1) * table.columns_n;
	table.cells = calloc(cells + 1, sizeof(*table.cells));
	table.widths = calloc(table.columns_n + 1, sizeof(*table.widths));
	if (table.cells && table.widths && table_fill(&table, rows, now, no_trunc))
		table_print(stream, &table);
	else
		report_note("out of memory");
	for (i = 0; table.cells && i < cells; i++)
		free(table.cells[i].text);
	free(table.cells);
	free(table.widths);
}

/* ------------------------------------------------------------------ what commands call */

int output_format(const struct command_call *call, enum output_format *format)
{
	const char *word = option_value(call, "format");

	if (!word || !strcmp(word, "table"))
		*format = OUTPUT_TABLE;
	else if (!strcmp(word, "json"))
		*format = OUTPUT_JSON;
	else {
		command_usage_error(call, "--format is \"table\" or \"json\", not \"%s\"", word);
		return -EINVAL;
	}
	return 0;
}

static int finish(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	if (errno != EPIPE)
		report_note("cannot write the output: %s", strerror(errno));
	return 1;
}

static void print_first_column(const struct output_column *column, json_object *rows, bool no_trunc)
{
	size_t i, n = json_object_array_length(rows);

	for (i = 0; i < n; i++) {
		cleanup_free char *text = NULL;
		json_object *value = NULL;

		json_object_object_get_ex(json_object_array_get_idx(rows, i), column->key, &value);
		text = output_cell(column, value, 0, no_trunc);
		puts(text ? text : "");
	}
}

int output_rows(const struct command_call *call, const struct output_column *columns, json_object *rows)
{
	bool no_trunc = option_is_set(call, "no-trunc");
	enum output_format format;

	if (output_format(call, &format))
		return 1;
	if (option_is_set(call, "quiet"))
		print_first_column(columns, rows, no_trunc);
	else if (format == OUTPUT_JSON)
		return output_json(rows);
	else
		output_table(stdout, columns, rows, time(NULL), no_trunc);
	return finish();
}

int output_json(json_object *value)
{
	puts(json_object_to_json_string_ext(value, JSON_FLAGS));
	return finish();
}

int output_json_line(json_object *value)
{
	puts(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	return finish();
}
