/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * layerctl's commands: one row a subcommand. The row drives dispatch, option parsing, help, shell completion and the
 * list in the man page; nothing about a command is written anywhere else.
 *
 * A group of commands is an array that ends with an empty row:
 *
 *	static const struct command_option import_options[] = {
 *		{ .name = "tag", .letter = 't', .value = "NAME", .help = "Name the image NAME" },
 *		{ .name = "quiet", .letter = 'q', .help = "Print only the image's id" },
 *		{ 0 },
 *	};
 *	const struct command image_commands[] = {
 *		{ .path = "image import", .args = "PATH", .min_args = 1, .max_args = 1,
 *		  .summary = "Import an image", .details = "...", .options = import_options,
 *		  .complete = COMPLETE_FILE, .run = image_import },
 *		{ 0 },
 *	};
 *
 * and is named in commands.c. --help is understood by every command without being listed.
 */
#ifndef LAYERCTL_COMMAND_H
#define LAYERCTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <layerblk.h>

/* What the shell offers for an argument. */
enum command_complete {
	COMPLETE_NOTHING,
	COMPLETE_FILE,
	COMPLETE_DIRECTORY,
	COMPLETE_POOL,
	COMPLETE_VOLUME,
	COMPLETE_IMAGE,
	COMPLETE_COMMAND,
	COMPLETE_WORDS,			/* the words in option->words or command->words, separated by spaces */
};

struct command_option {
	const char *name;		/* long name without dashes */
	char letter;			/* 0: none */
	const char *value;		/* what its value is called, "SIZE"; NULL: a switch */
	const char *help;		/* begins with a capital, no full stop */
	enum command_complete complete;	/* of the value */
	const char *words;
};

/* The options --format and --quiet, --no-trunc as listing commands have them; see output.h. */
#define OPTION_FORMAT { .name = "format", .value = "FORMAT", .help = "Print as \"table\" or \"json\"", \
			.complete = COMPLETE_WORDS, .words = "table json" }

struct command_call;

struct command {
	const char *path;		/* "pool create", "run" */
	const char *args;		/* as in the usage line: "[OPTIONS] ..." without the options; "" for none */
	const char *summary;		/* one line, begins with a capital, no full stop */
	const char *details;		/* paragraphs separated by "\n\n"; may be NULL */
	const struct command_option *options; /* ends with an empty row; may be NULL */
	int min_args;
	int max_args;			/* -1: any number */
	enum command_complete complete;	/* of the arguments */
	const char *words;
	bool options_first;		/* options end at the first argument, as for run */
	bool hidden;			/* neither in help nor in completion nor in man pages */
	int failure_status;		/* exit status of a usage error or of command_fail(); 0: 1 */
	int (*run)(struct command_call *call);	/* gives the exit status */
};

/* One invocation: the command's row, options and arguments. Belongs to the dispatcher. */
struct command_call {
	const struct command *command;
	int argc;			/* the arguments that are left */
	char **argv;			/* argv[argc] is NULL */
	struct command_value *values;	/* use the functions below */
	size_t value_count;
	struct layerblk *control;	/* use command_control() */
	struct layerblk_error error;	/* room for a failure; command_fail(call) reports it */
};

/* Whether an option is there; its value (the last one given), or NULL; the nth value of a repeated one, or NULL. */
bool option_is_set(const struct command_call *call, const char *name);
const char *option_value(const struct command_call *call, const char *name);
const char *option_nth(const struct command_call *call, const char *name, size_t nth);

/* The control device, opened at the first call and closed by the dispatcher. NULL: call->error says why. */
struct layerblk *command_control(struct command_call *call);

/* Reports call->error; gives the exit status to return. */
int command_fail(struct command_call *call);

/* A wrong option value or argument, found by the command itself: says it with the usage line; gives the exit status. */
int command_usage_error(const struct command_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ------------------------------------------------------------------ the table (commands.c) and its users */

/* Calls `each` for every row of every group; ends at the first result that is not 0 and gives it. */
int command_each(int (*each)(const struct command *command, void *arg), void *arg);
/* The row whose path is the longest beginning of argv; *used: how many words it has. NULL: none. */
const struct command *command_find(int argc, char *const *argv, int *used);

/* Parses and runs; gives the exit status. argv[0] is the program. */
int command_dispatch(int argc, char **argv);

/* Groups. Each is defined in the file of that name. */
extern const struct command pool_commands[];
extern const struct command volume_commands[];
extern const struct command snapshot_commands[];
extern const struct command mount_commands[];
extern const struct command tree_commands[];
extern const struct command diff_commands[];
extern const struct command backup_commands[];	/* userspace/backup */
extern const struct command event_commands[];
extern const struct command scrub_commands[];
extern const struct command help_commands[];
extern const struct command image_commands[];	/* userspace/image */
extern const struct command run_commands[];	/* userspace/runtime */
extern const struct command system_commands[];	/* userspace/system */

#endif
