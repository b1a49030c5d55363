/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the container commands share. */
#ifndef RUNTIME_RUN_COMMANDS_H
#define RUNTIME_RUN_COMMANDS_H

#include "container.h"
#include "image_commands.h"
#include "keys.h"

/* As image_pool_open(), and what killed commands left of containers is cleared away too. */
int container_pool_open(struct command_call *call, struct image_pool *out);

/*
 * Calls `each` for every container that the arguments name, and prints the name for each that worked (unless quiet). Gives the exit status:
 * that of a failure when one failed.
 */
typedef int container_each_fn(struct command_call *call, const struct pool *pool, struct container *container);
int container_arguments(struct command_call *call, container_each_fn *each, bool quiet);

/* Opens the pool and finds the container of the first argument; container_clear() it. */
int container_argument(struct command_call *call, struct image_pool *at, struct container *out);

/* --detach-keys, or its default. */
int option_keys(struct command_call *call, struct keys *keys);

/* Removes all containers that do not run, and says which; adds what they owned to *bytes. Ends only when all have been tried. */
int containers_prune(const struct pool *pool, uint64_t *bytes, size_t *count, struct layerblk_error *err);

int run_command_run(struct command_call *call);
int run_create_run(struct command_call *call);
int run_start_run(struct command_call *call);
int run_attach_run(struct command_call *call);
int run_exec_run(struct command_call *call);
int run_logs_run(struct command_call *call);
int run_stop_run(struct command_call *call);
int run_restart_run(struct command_call *call);
int run_kill_run(struct command_call *call);
int run_pause_run(struct command_call *call);
int run_unpause_run(struct command_call *call);
int run_wait_run(struct command_call *call);
int run_rm_run(struct command_call *call);
int run_prune_run(struct command_call *call);
int run_rename_run(struct command_call *call);
int run_ended_run(struct command_call *call);
int run_cp_run(struct command_call *call);
int run_export_run(struct command_call *call);
int run_diff_run(struct command_call *call);
int run_commit_run(struct command_call *call);
int run_port_run(struct command_call *call);
int run_top_run(struct command_call *call);
int run_stats_run(struct command_call *call);
int run_ps_run(struct command_call *call);

#endif
