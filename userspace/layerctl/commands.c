// SPDX-License-Identifier: GPL-2.0-or-later
/* The table: every group of commands, in the order in which help shows them. */
#include <string.h>
#include "command.h"
#include "help.h"

static const struct command *const groups[] = {
	pool_commands,
	volume_commands,
	snapshot_commands,
	mount_commands,
	tree_commands,
	diff_commands,
	backup_commands,
	scrub_commands,
	image_commands,
	run_commands,
	system_commands,
	event_commands,
	help_commands,
};

int command_each(int (*each)(const struct command *command, void *arg), void *arg)
{
	const struct command *command;
	size_t i;
	int ret;

	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		for (command = groups[i]; command && command->path; command++) {
			ret = each(command, arg);
			if (ret)
				return ret;
		}
	}
	return 0;
}

int command_path_match(const char *path, int argc, char *const *argv)
{
	int words = 0;

	for (;;) {
		size_t len = strcspn(path, " ");

		if (words == argc || strlen(argv[words]) != len || strncmp(path, argv[words], len) != 0)
			return 0;
		words++;
		if (!path[len])
			return words;
		path += len + 1;
	}
}

struct search {
	int argc;
	char *const *argv;
	const struct command *found;
	int used;
};

static int try_row(const struct command *command, void *arg)
{
	struct search *search = arg;
	int words = command_path_match(command->path, search->argc, search->argv);

	if (words > search->used) {
		search->found = command;
		search->used = words;
	}
	return 0;
}

/* Docker's other words for the same. */
static const char *const aliases[][2] = {
	{ "container ls", "ps" }, { "container list", "ps" }, { "container ps", "ps" }, { "image list", "image ls" },
	{ "image build", "build" }, { "volume list", "volume ls" }, { "system info", "info" }, { "system events", "events" },
};

static const struct command *find_alias(int argc, char *const *argv, int *used)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++) {
		int words = command_path_match(aliases[i][0], argc, argv);

		*used = words;
		for (size_t k = 0; words && k < sizeof(groups) / sizeof(groups[0]); k++)
			for (const struct command *command = groups[k]; command->path; command++)
				if (strcmp(command->path, aliases[i][1]) == 0)
					return command;
	}
	return NULL;
}

/* "container run" is "run", as Docker has it. */
static const struct command *find_container_command(int argc, char *const *argv, int *used)
{
	struct search search = { .argc = argc - 1, .argv = argv + 1 };
	const struct command *command;

	command_each(try_row, &search);
	for (command = run_commands; command->path && command != search.found; command++)
		;
	*used = search.used + 1;
	return command->path ? command : NULL;
}

const struct command *command_find(int argc, char *const *argv, int *used)
{
	struct search search = { .argc = argc, .argv = argv };
	const struct command *alias = find_alias(argc, argv, used);

	if (alias)
		return alias;
	command_each(try_row, &search);
	*used = search.used;
	if (!search.found && argc > 1 && strcmp(argv[0], "container") == 0)
		return find_container_command(argc, argv, used);
	return search.found;
}
