// SPDX-License-Identifier: GPL-2.0-or-later
/* Running a command: from argv to the row, its options, its function and its failure. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "command.h"
#include "help.h"
#include "options.h"
#include "report.h"

static int failure_status(const struct command *command)
{
	return command->failure_status ? command->failure_status : 1;
}

struct layerblk *command_control(struct command_call *call)
{
	if (!call->control && layerblk_open(&call->control, &call->error))
		return NULL;
	return call->control;
}

int command_fail(struct command_call *call)
{
	report_error(&call->error);
	return failure_status(call->command);
}

int command_usage_error(const struct command_call *call, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "layerctl: %s: ", call->command->path);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	help_usage_line(stderr, call->command);
	fprintf(stderr, "`layerctl %s --help` says more.\n", call->command->path);
	return failure_status(call->command);
}

static int check_count(const struct command_call *call)
{
	const struct command *command = call->command;

	if (call->argc < command->min_args)
		return command_usage_error(call, command->min_args == command->max_args ?
					   "needs %d argument%s, not %d" : "needs at least %d argument%s, not %d",
					   command->min_args, command->min_args == 1 ? "" : "s", call->argc);
	if (command->max_args >= 0 && call->argc > command->max_args) {
		if (!command->max_args)
			return command_usage_error(call, "takes no arguments, so what is \"%s\"?", call->argv[0]);
		return command_usage_error(call, "takes at most %d argument%s, not %d", command->max_args,
					   command->max_args == 1 ? "" : "s", call->argc);
	}
	return 0;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct command_call call = { .command = command };
	int status;

	switch (options_parse(&call, argc, argv)) {
	case OPTIONS_HELP:
		help_command(stdout, command);
		status = fflush(stdout) ? 1 : 0;
		break;
	case OPTIONS_WRONG:
		status = failure_status(command);
		break;
	default:
		status = check_count(&call);
		if (!status)
			status = command->run(&call);
	}
	options_free(&call);
	layerblk_close(call.control);
	return status;
}

/* The first words name no command: a group's or the whole help, or an error. */
static int no_command(int argc, char **argv)
{
	if (argc < 2) {
		help_overview(stderr);
		return 1;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		help_overview(stdout);
		return fflush(stdout) ? 1 : 0;
	}
	if (argv[1][0] == '-') {
		fprintf(stderr, "layerctl: unknown option \"%s\"\n`layerctl --help` lists the commands.\n", argv[1]);
		return 1;
	}
	if (!help_is_group(argv[1])) {
		fprintf(stderr, "layerctl: \"%s\" is no command\n", argv[1]);
		help_suggest(stderr, argv[1]);
		fputs("`layerctl --help` lists the commands.\n", stderr);
		return 1;
	}
	if (argc == 2) {
		help_group(stderr, argv[1]);
		return 1;
	}
	if (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h")) {
		help_group(stdout, argv[1]);
		return fflush(stdout) ? 1 : 0;
	}
	fprintf(stderr, "layerctl: \"%s %s\" is no command\n`layerctl %s --help` lists those of this group.\n",
		argv[1], argv[2], argv[1]);
	return 1;
}

int command_dispatch(int argc, char **argv)
{
	static char version[] = "version";
	const struct command *command;
	int used;

	if (argc == 2 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-v")))
		argv[1] = version;
	command = command_find(argc - 1, argv + 1, &used);
	if (!command)
		return no_command(argc, argv);
	return run(command, argc - used, argv + used);
}
