// SPDX-License-Identifier: GPL-2.0-or-later
/* getopt_long() driven by a command's row, and the values it leaves. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "options.h"

#define LONG_BASE	0x1000		/* getopt's results for long options begin here, above every letter */
#define HELP		0x800

size_t options_count(const struct command *command)
{
	size_t n = 0;

	while (command->options && command->options[n].name)
		n++;
	return n;
}

struct parser {
	const struct command_option *options;
	size_t count;
	struct option *longs;
	char *shorts;
};

static bool has_letter(const struct parser *parser, char letter)
{
	size_t i;

	for (i = 0; i < parser->count; i++) {
		if (parser->options[i].letter == letter)
			return true;
	}
	return false;
}

static bool build(struct parser *parser, bool options_first)
{
	char *c;
	size_t i;

	parser->longs = calloc(parser->count + 2, sizeof(*parser->longs));
	parser->shorts = malloc(2 * parser->count + 8);
	if (!parser->longs || !parser->shorts)
		return false;
	c = parser->shorts;
	if (options_first)
		*c++ = '+';
	*c++ = ':';
	for (i = 0; i < parser->count; i++) {
		const struct command_option *option = &parser->options[i];

		parser->longs[i] = (struct option){ .name = option->name, .val = LONG_BASE + (int)i,
			.has_arg = option->value ? required_argument : no_argument };
		if (!option->letter)
			continue;
		*c++ = option->letter;
		if (option->value)
			*c++ = ':';
	}
	parser->longs[i] = (struct option){ .name = "help", .has_arg = no_argument, .val = HELP };
	if (!has_letter(parser, 'h'))
		*c++ = 'h';
	*c = 0;
	return true;
}

static const struct command_option *by_result(const struct parser *parser, int result)
{
	size_t i;

	if (result >= LONG_BASE)
		return &parser->options[result - LONG_BASE];
	for (i = 0; i < parser->count; i++) {
		if (parser->options[i].letter == result)
			return &parser->options[i];
	}
	return NULL;
}

static bool remember(struct command_call *call, const struct command_option *option, const char *value)
{
	struct command_value *larger = reallocarray(call->values, call->value_count + 1, sizeof(*larger));

	if (!larger)
		return false;
	call->values = larger;
	larger[call->value_count++] = (struct command_value){ .option = option, .value = value };
	return true;
}

static enum options_result wrong(const struct command_call *call, const struct parser *parser, int result, char **argv)
{
	const struct command_option *option = optopt ? by_result(parser, optopt) : NULL;
	const char *word = argv[optind - 1];

	if (result == ':' && option)
		command_usage_error(call, "option --%s needs a value: %s", option->name, option->value);
	else if (option && !option->value)
		command_usage_error(call, "option --%s takes no value", option->name);
	else if (optopt && optopt < HELP)
		command_usage_error(call, "unknown option -%c", optopt);
	else
		command_usage_error(call, "unknown option %s", word);
	return OPTIONS_WRONG;
}

static enum options_result parse(struct command_call *call, const struct parser *parser, int argc, char **argv)
{
	const struct command_option *option;
	int result;

	opterr = 0;
	optind = 0;			/* begin anew, also in a second call */
	for (;;) {
		optopt = 0;
		result = getopt_long(argc, argv, parser->shorts, parser->longs, NULL);
		if (result == -1)
			break;
		if (result == HELP || (result == 'h' && !has_letter(parser, 'h')))
			return OPTIONS_HELP;
		if (result == '?' || result == ':')
			return wrong(call, parser, result, argv);
		option = by_result(parser, result);
		if (!remember(call, option, option->value ? optarg : NULL)) {
			command_usage_error(call, "out of memory");
			return OPTIONS_WRONG;
		}
	}
	call->argc = argc - optind;
	call->argv = argv + optind;
	return OPTIONS_OK;
}

enum options_result options_parse(struct command_call *call, int argc, char **argv)
{
	struct parser parser = { .options = call->command->options, .count = options_count(call->command) };
	enum options_result result = OPTIONS_WRONG;

	if (build(&parser, call->command->options_first))
		result = parse(call, &parser, argc, argv);
	else
		command_usage_error(call, "out of memory");
	free(parser.longs);
	free(parser.shorts);
	return result;
}

void options_free(struct command_call *call)
{
	free(call->values);
	call->values = NULL;
	call->value_count = 0;
}

static const struct command_value *nth(const struct command_call *call, const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < call->value_count; i++) {
		if (!strcmp(call->values[i].option->name, name) && !n--)
			return &call->values[i];
	}
	return NULL;
}

bool option_is_set(const struct command_call *call, const char *name)
{
	return nth(call, name, 0) != NULL;
}

const char *option_value(const struct command_call *call, const char *name)
{
	const char *last = NULL;
	size_t i;

	for (i = 0; i < call->value_count; i++) {
		if (!strcmp(call->values[i].option->name, name))
			last = call->values[i].value;
	}
	return last;
}

const char *option_nth(const struct command_call *call, const char *name, size_t n)
{
	const struct command_value *value = nth(call, name, n);

	return value ? value->value : NULL;
}
