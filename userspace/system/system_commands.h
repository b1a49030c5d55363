/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the table of the system commands names. */
#ifndef SYSTEM_COMMANDS_H
#define SYSTEM_COMMANDS_H

#include "command.h"

int system_tree(struct command_call *call);
int system_inspect(struct command_call *call);
int system_inspect_containers(struct command_call *call);

#endif
