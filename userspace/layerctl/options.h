/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command's options, parsed as its row says. */
#ifndef LAYERCTL_OPTIONS_H
#define LAYERCTL_OPTIONS_H

#include "command.h"

enum options_result { OPTIONS_OK, OPTIONS_HELP, OPTIONS_WRONG };

struct command_value {
	const struct command_option *option;
	const char *value;		/* NULL for a switch; lives in argv */
};

/* argv[0] is skipped. Fills call->argc, argv and values; OPTIONS_WRONG: a usage error was printed. Needs options_free(). */
enum options_result options_parse(struct command_call *call, int argc, char **argv);
void options_free(struct command_call *call);

/* How many options the row has. */
size_t options_count(const struct command *command);

#endif
