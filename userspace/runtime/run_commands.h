/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the container commands share. */
#ifndef RUNTIME_RUN_COMMANDS_H
#define RUNTIME_RUN_COMMANDS_H

#include "image_commands.h"

/* As image_pool_open(), and what killed commands left of containers is cleared away too. */
int container_pool_open(struct command_call *call, struct image_pool *out);

int run_command_run(struct command_call *call);
int run_ps_run(struct command_call *call);
int run_rm_run(struct command_call *call);

#endif
