// SPDX-License-Identifier: GPL-2.0-or-later
/* Help on one command, a group or all, and the man page's list. */
#include <ctype.h>
#include <string.h>
#include "cleanup.h"
#include "help.h"
#include "options.h"

#define WIDTH	80

/* Prints text as lines of at most WIDTH, each indented; "\n" in it ends a line. */
static void print_wrapped(FILE *out, const char *text, size_t indent)
{
	size_t column = 0;

	while (*text) {
		size_t len = strcspn(text, " \n");

		if (column && column + 1 + len > WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		if (!column)
			column = (size_t)fprintf(out, "%*s%.*s", (int)indent, "", (int)len, text);
		else
			column += (size_t)fprintf(out, " %.*s", (int)len, text);
		text += len;
		if (*text == '\n') {
			fputc('\n', out);
			if (text[1] == '\n') {
				fputc('\n', out);
				text++;
			}
			column = 0;
		}
		if (*text)
			text++;
	}
	fputc('\n', out);
}

void help_usage_line(FILE *out, const struct command *command)
{
	fprintf(out, "Usage: layerctl %s%s%s%s\n", command->path, options_count(command) ? " [OPTIONS]" : "",
		command->args[0] ? " " : "", command->args);
}

static int option_text(char *buffer, size_t size, const struct command_option *option)
{
	char letter[8] = "   ";

	if (option->letter)
		snprintf(letter, sizeof(letter), "-%c,", option->letter);
	return snprintf(buffer, size, "%s --%s%s%s", letter, option->name, option->value ? " " : "",
			option->value ? option->value : "");
}

static void print_options(FILE *out, const struct command *command)
{
	size_t i, n = options_count(command);
	int width = 0;
	char text[128];

	for (i = 0; i < n; i++) {
		int len = option_text(text, sizeof(text), &command->options[i]);

		width = len > width ? len : width;
	}
	if (n)
		fputs("\nOptions:\n", out);
	for (i = 0; i < n; i++) {
		option_text(text, sizeof(text), &command->options[i]);
		fprintf(out, "  %-*s   %s\n", width, text, command->options[i].help);
	}
}

void help_command(FILE *out, const struct command *command)
{
	help_usage_line(out, command);
	fprintf(out, "\n%s\n", command->summary);
	if (command->details) {
		fputc('\n', out);
		print_wrapped(out, command->details, 0);
	}
	print_options(out, command);
}

/* ------------------------------------------------------------------ lists */

struct listing {
	FILE *out;
	const char *group;		/* NULL: all */
	int width;			/* 0: only measure */
	int measured;
	const char *last_group;
};

static bool in_group(const struct command *command, const char *group)
{
	size_t len = strlen(group);

	return !strncmp(command->path, group, len) && command->path[len] == ' ';
}

static int list_row(const struct command *command, void *arg)
{
	struct listing *listing = arg;
	int len = (int)strlen(command->path);

	if (command->hidden || (listing->group && !in_group(command, listing->group)))
		return 0;
	if (len > listing->measured)
		listing->measured = len;
	if (listing->width)
		fprintf(listing->out, "  %-*s   %s\n", listing->width, command->path, command->summary);
	return 0;
}

static void list(FILE *out, const char *group)
{
	struct listing listing = { .out = out, .group = group };

	command_each(list_row, &listing);
	listing.width = listing.measured;
	command_each(list_row, &listing);
}

void help_group(FILE *out, const char *group)
{
	fprintf(out, "Usage: layerctl %s COMMAND\n\nCommands:\n", group);
	list(out, group);
	fprintf(out, "\n`layerctl %s COMMAND --help` says more about a command.\n", group);
}

void help_overview(FILE *out)
{
	fputs("Usage: layerctl COMMAND\n\n"
	      "Thin, snapshot-chained block devices for containers.\n\n"
	      "A volume is meant by NAME (in the only open pool), POOL/NAME or id:N; a pool by its\n"
	      "label, by 4 or more hex digits of its UUID, or by its device.\n\n"
	      "Commands:\n", out);
	list(out, NULL);
	fputs("\n`layerctl COMMAND --help` says more about a command; so does layerctl(8).\n", out);
}

static int is_in_group(const struct command *command, void *arg)
{
	return !command->hidden && in_group(command, arg);
}

bool help_is_group(const char *word)
{
	char copy[64];

	if (!word[0] || strlen(word) >= sizeof(copy))
		return false;
	strcpy(copy, word);
	return command_each(is_in_group, copy) != 0;
}

/* ------------------------------------------------------------------ a word that is no command */

/* How many letters must be put in, left out or replaced to make one of the other; up to 31 letters each. */
static int distance(const char *a, const char *b)
{
	int row[32], i, j, n = (int)strlen(b);

	if (strlen(a) > 31 || n > 31)
		return 99;
	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 1; *a; a++, i++) {
		int corner = row[0];

		row[0] = i;
		for (j = 1; j <= n; j++) {
			int best = corner + (*a != b[j - 1]);

			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

struct suggestion {
	const char *word;
	const char *path;
	int distance;
};

static int consider(const struct command *command, void *arg)
{
	struct suggestion *suggestion = arg;
	const char *last = strrchr(command->path, ' ');
	int d = distance(suggestion->word, command->path);

	if (command->hidden)
		return 0;
	if (last && !strcmp(suggestion->word, last + 1))
		d = 0;
	if (d < suggestion->distance) {
		suggestion->distance = d;
		suggestion->path = command->path;
	}
	return 0;
}

void help_suggest(FILE *out, const char *word)
{
	struct suggestion suggestion = { .word = word, .distance = 3 };

	command_each(consider, &suggestion);
	if (suggestion.path)
		fprintf(out, "Did you mean `layerctl %s`?\n", suggestion.path);
}

/* ------------------------------------------------------------------ the man page */

/* Text for roff: backslashes, leading dots and quotes, dashes as they are typed. */
static void print_roff(FILE *out, const char *text)
{
	bool begins = true;

	for (; *text; text++) {
		if (begins && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		begins = *text == '\n';
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\n' && text[1] == '\n') {
			fputs("\n.PP\n", out);
			text++;
		} else
			fputc(*text, out);
	}
}

static void man_options(FILE *out, const struct command *command)
{
	const struct command_option *option = command->options;

	for (; option && option->name; option++) {
		fputs(".TP\n\\fB", out);
		if (option->letter)
			fprintf(out, "\\-%c\\fR, \\fB", option->letter);
		fputs("\\-\\-", out);
		print_roff(out, option->name);
		fputs("\\fR", out);
		if (option->value)
			fprintf(out, " \\fI%s\\fR", option->value);
		fputc('\n', out);
		print_roff(out, option->help);
		fputs(".\n", out);
	}
}

static int man_row(const struct command *command, void *arg)
{
	FILE *out = arg;

	if (command->hidden)
		return 0;
	fputs(".SS layerctl ", out);
	print_roff(out, command->path);
	if (options_count(command))
		fputs(" [OPTIONS]", out);
	if (command->args[0]) {
		fputc(' ', out);
		print_roff(out, command->args);
	}
	fputc('\n', out);
	print_roff(out, command->summary);
	fputs(".\n", out);
	if (command->details) {
		fputs(".PP\n", out);
		print_roff(out, command->details);
		fputc('\n', out);
	}
	man_options(out, command);
	return 0;
}

void help_man_list(FILE *out)
{
	command_each(man_row, out);
}
