/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Help, made from the table. */
#ifndef LAYERCTL_HELP_H
#define LAYERCTL_HELP_H

#include <stdio.h>
#include "command.h"

/* How many of argv's first words are the whole path; 0: they are not. */
int command_path_match(const char *path, int argc, char *const *argv);

void help_usage_line(FILE *out, const struct command *command);
void help_command(FILE *out, const struct command *command);
void help_group(FILE *out, const char *group);
void help_overview(FILE *out);
/* The commands as roff, for the man page. */
void help_man_list(FILE *out);

/* Whether `word` is the first of several commands' paths, as "pool". */
bool help_is_group(const char *word);
/* "Did you mean ...?", when a command is close. */
void help_suggest(FILE *out, const char *word);

#endif
