// SPDX-License-Identifier: GPL-2.0-or-later
/* The rows of the container commands. */
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "confirm.h"
#include "oci.h"
#include "run_commands.h"
#include "run_options.h"
#include "starting.h"

#define OPTION_TIME	{ .name = "time", .letter = 't', .value = "SECONDS", .help = "How long to wait before KILL (default: 10)" }

static const struct command_option run_options[] = {
	{ .name = "detach", .letter = 'd', .help = "Leave it in the background and print its id" },
	CREATE_OPTIONS,
	OPTION_DETACH_KEYS,
	OPTION_SIG_PROXY,
	{ 0 },
};

static const struct command_option create_options[] = {
	CREATE_OPTIONS,
	{ 0 },
};

static const struct command_option start_options[] = {
	{ .name = "attach", .letter = 'a', .help = "Show its output, and pass signals on" },
	{ .name = "interactive", .letter = 'i', .help = "Give it our standard input" },
	OPTION_DETACH_KEYS,
	OPTION_SIG_PROXY,
	OPTION_POOL,
	{ 0 },
};

static const struct command_option attach_options[] = {
	OPTION_DETACH_KEYS,
	{ .name = "no-stdin", .help = "Do not give it our standard input" },
	OPTION_SIG_PROXY,
	OPTION_POOL,
	{ 0 },
};

static const struct command_option exec_options[] = {
	{ .name = "detach", .letter = 'd', .help = "Leave it in the background" },
	{ .name = "interactive", .letter = 'i', .help = "Give it our standard input" },
	{ .name = "tty", .letter = 't', .help = "Give it a terminal" },
	{ .name = "env", .letter = 'e', .value = "KEY[=VALUE]", .help = "Set a variable, or pass ours on (may be repeated)" },
	{ .name = "workdir", .letter = 'w', .value = "DIR", .help = "Working directory", .complete = COMPLETE_DIRECTORY },
	{ .name = "user", .letter = 'u', .value = "USER[:GROUP]", .help = "Run as this user, by name or number" },
	{ .name = "privileged", .help = "With all capabilities" },
	OPTION_DETACH_KEYS,
	OPTION_POOL,
	{ 0 },
};

static const struct command_option logs_options[] = {
	{ .name = "follow", .letter = 'f', .help = "Go on with what it says, until it ends" },
	{ .name = "tail", .letter = 'n', .value = "LINES", .help = "Only so many last lines (default: all)" },
	{ .name = "since", .value = "TIME", .help = "Only from this time on: 2024-05-01T10:00:00Z, or 10m (ago)" },
	{ .name = "until", .value = "TIME", .help = "Only up to this time" },
	{ .name = "timestamps", .letter = 't', .help = "Say when each line came" },
	OPTION_POOL,
	{ 0 },
};

static const struct command_option stop_options[] = {
	OPTION_TIME,
	OPTION_POOL,
	{ 0 },
};

static const struct command_option kill_options[] = {
	{ .name = "signal", .letter = 's', .value = "SIGNAL", .help = "By name or number (default: KILL)" },
	OPTION_POOL,
	{ 0 },
};

static const struct command_option pool_options[] = {
	OPTION_POOL,
	{ 0 },
};

static const struct command_option rm_options[] = {
	{ .name = "force", .letter = 'f', .help = "Kill those that run" },
	{ .name = "volumes", .letter = 'v', .help = "Remove their anonymous volumes too" },
	OPTION_POOL,
	{ 0 },
};

static const struct command_option ps_options[] = {
	{ .name = "all", .letter = 'a', .help = "Also those that do not run" },
	{ .name = "filter", .letter = 'f', .value = "KEY=VALUE",
	  .help = "Only those of this name, id, status, exited, label, ancestor, volume or network (may be repeated)" },
	{ .name = "last", .letter = 'n', .value = "NUMBER", .help = "So many that were made last, whatever their state" },
	{ .name = "latest", .letter = 'l', .help = "The one that was made last" },
	OPTION_POOL,
	{ .name = "format", .value = "FORMAT", .help = "Print as \"table\", \"json\", or by a template like \"{{.ID}} {{.Names}}\"",
	  .complete = COMPLETE_WORDS, .words = "table json" },
	OPTION_NO_TRUNC,
	{ .name = "quiet", .letter = 'q', .help = "Print only ids" },
	{ .name = "size", .letter = 's', .help = "Also what each has written, and that with its image" },
	{ 0 },
};

static const struct command_option cp_options[] = {
	{ .name = "archive", .letter = 'a', .help = "Keep the owners of files" },
	{ .name = "follow-link", .letter = 'L', .help = "Copy what a symbolic link points to" },
	OPTION_POOL,
	{ 0 },
};

static const struct command_option export_options[] = {
	{ .name = "output", .letter = 'o', .value = "FILE", .help = "Write there instead of standard output", .complete = COMPLETE_FILE },
	OPTION_POOL,
	{ 0 },
};

static const struct command_option diff_options[] = {
	OPTION_POOL,
	OPTION_FORMAT,
	{ 0 },
};

static const struct command_option commit_options[] = {
	{ .name = "author", .letter = 'a', .value = "TEXT", .help = "Who has made the image" },
	{ .name = "message", .letter = 'm', .value = "TEXT", .help = "What it is" },
	{ .name = "change", .letter = 'c', .value = "INSTRUCTION", .help = "Change its config as in a Dockerfile, \"ENV A=b\" (may be repeated)" },
	{ .name = "pause", .letter = 'p', .value = "BOOL", .help = "Hold a container that runs meanwhile (default: true)",
	  .complete = COMPLETE_WORDS, .words = "true false" },
	OPTION_POOL,
	{ 0 },
};

static const struct command_option stats_options[] = {
	{ .name = "no-stream", .help = "Look once, for a second" },
	OPTION_POOL,
	OPTION_FORMAT,
	OPTION_NO_TRUNC,
	{ 0 },
};

static const struct command_option prune_options[] = {
	OPTION_FORCE_PRUNE,
	OPTION_POOL,
	{ 0 },
};

static const struct command_option ended_options[] = {
	{ .name = "exec", .value = "SESSION", .help = "Of a command that was executed in it" },
	OPTION_POOL,
	{ 0 },
};

#define IMAGE_COMMAND	.args = "IMAGE [COMMAND [ARG...]]", .min_args = 1, .max_args = -1, .complete = COMPLETE_IMAGE, \
			.options_first = true, .failure_status = STATUS_FAILED
#define CONTAINERS	.args = "CONTAINER...", .min_args = 1, .max_args = -1, .complete = COMPLETE_VOLUME

const struct command run_commands[] = {
	{ .path = "run", IMAGE_COMMAND, .summary = "Run a command in a new container",
	  .details = "The container's root is a writable snapshot of the image's top layer: making it takes no time and no space. "
		     "Without --rm it stays after it has ended, with what it has written, until \"layerctl rm\".\n\n"
		     "With --root shared, all containers of an image read its files from one file system, so that these are in memory "
		     "once, and each has its changes on a volume of its own, laid over it. /etc/layerblk/layerblk.conf sets the default.\n\n"
		     "The exit status is that of the command; 125 when layerctl failed, 126 when the command cannot be "
		     "executed, 127 when it is not there. With -it, Ctrl-P Ctrl-Q detaches: the container goes on.\n\n"
		     "Examples:\n"
		     "  layerctl run --rm -it debian:12 bash\n"
		     "  layerctl run -d --name web -p 8080:80 -v site:/usr/share/nginx/html nginx",
	  .options = run_options, .run = run_command_run },
	{ .path = "create", IMAGE_COMMAND, .summary = "Make a container without starting it",
	  .details = "Prints its id. \"layerctl start\" starts it.", .options = create_options, .run = run_create_run },
	{ .path = "start", CONTAINERS, .summary = "Start containers",
	  .details = "They go on with what they have written before.", .options = start_options, .run = run_start_run },
	{ .path = "stop", CONTAINERS, .summary = "Stop containers",
	  .details = "Sends the stop signal (TERM unless the image or --stop-signal says otherwise), and KILL when the time is over.",
	  .options = stop_options, .run = run_stop_run },
	{ .path = "restart", CONTAINERS, .summary = "Stop and start containers", .options = stop_options, .run = run_restart_run },
	{ .path = "kill", CONTAINERS, .summary = "Send a signal to containers", .options = kill_options, .run = run_kill_run },
	{ .path = "pause", CONTAINERS, .summary = "Hold all processes of containers", .options = pool_options, .run = run_pause_run },
	{ .path = "unpause", CONTAINERS, .summary = "Let paused containers go on", .options = pool_options, .run = run_unpause_run },
	{ .path = "wait", CONTAINERS, .summary = "Wait until containers end, and print their exit statuses", .options = pool_options,
	  .run = run_wait_run },
	{ .path = "rm", CONTAINERS, .summary = "Remove containers",
	  .details = "What a container has written goes with it; data volumes stay.", .options = rm_options, .run = run_rm_run },
	{ .path = "rename", .args = "CONTAINER NAME", .min_args = 2, .max_args = 2, .complete = COMPLETE_VOLUME,
	  .summary = "Give a container another name", .options = pool_options, .run = run_rename_run },
	{ .path = "ps", .args = "", .max_args = 0, .summary = "List containers", .options = ps_options, .run = run_ps_run },
	{ .path = "exec", .args = "CONTAINER COMMAND [ARG...]", .min_args = 2, .max_args = -1, .complete = COMPLETE_VOLUME,
	  .summary = "Run a command in a container that runs",
	  .details = "The exit status is that of the command; 126 when it cannot be executed, 127 when it is not there.",
	  .options = exec_options, .options_first = true, .run = run_exec_run },
	{ .path = "attach", .args = "CONTAINER", .min_args = 1, .max_args = 1, .complete = COMPLETE_VOLUME,
	  .summary = "Connect to the streams of a container that runs",
	  .details = "The exit status is the container's. When it has a terminal, Ctrl-P Ctrl-Q detaches.",
	  .options = attach_options, .run = run_attach_run },
	{ .path = "logs", .args = "CONTAINER", .min_args = 1, .max_args = 1, .complete = COMPLETE_VOLUME,
	  .summary = "Show what a container has said", .options = logs_options, .run = run_logs_run },
	{ .path = "port", .args = "CONTAINER [PORT[/PROTOCOL]]", .min_args = 1, .max_args = 2, .complete = COMPLETE_VOLUME,
	  .summary = "Show where a container's ports are published", .options = pool_options, .run = run_port_run },
	{ .path = "top", .args = "CONTAINER [PS-OPTION...]", .min_args = 1, .max_args = -1, .complete = COMPLETE_VOLUME,
	  .summary = "List the processes of a container that runs", .details = "The options are those of ps (default: -ef).",
	  .options = pool_options, .options_first = true, .run = run_top_run },
	{ .path = "stats", .args = "[CONTAINER...]", .max_args = -1, .complete = COMPLETE_VOLUME,
	  .summary = "Show what containers use: processor, memory, network, disk", .options = stats_options, .run = run_stats_run },
	{ .path = "cp", .args = "CONTAINER:PATH PATH | PATH CONTAINER:PATH", .min_args = 2, .max_args = 2, .complete = COMPLETE_FILE,
	  .summary = "Copy files between a container and the host",
	  .details = "The container may run or not. What is copied into a directory keeps its name; \"PATH/.\" is only what is in a "
		     "directory. With \"-\" for the host's path, a tar is read from standard input or written to standard output.",
	  .options = cp_options, .run = run_cp_run },
	{ .path = "diff", .args = "CONTAINER", .min_args = 1, .max_args = 1, .complete = COMPLETE_VOLUME,
	  .summary = "List the files of a container that are not as in its image",
	  .details = "Each line is 'A' (added), 'C' (changed) or 'D' (deleted), and the path. \"layerctl volume diff\" compares volumes.",
	  .options = diff_options, .run = run_diff_run },
	{ .path = "commit", .args = "CONTAINER [IMAGE]", .min_args = 1, .max_args = 2, .complete = COMPLETE_VOLUME,
	  .summary = "Make an image of a container",
	  .details = "In no time, whatever is in it: what the container has written becomes a layer, and the container goes on above it.",
	  .options = commit_options, .run = run_commit_run },
	{ .path = "export", .args = "CONTAINER", .min_args = 1, .max_args = 1, .complete = COMPLETE_VOLUME,
	  .summary = "Write a container's files as a tar", .details = "Without what is mounted in it.",
	  .options = export_options, .run = run_export_run },
	{ .path = "container prune", .args = "", .max_args = 0, .summary = "Remove all containers that do not run",
	  .details = "Their anonymous volumes stay, as with Docker.", .options = prune_options, .run = run_prune_run },
	{ .path = "container-ended", .args = "ID", .min_args = 1, .max_args = 1, .hidden = true,
	  .summary = "Clear up after a container; conmon calls it", .options = ended_options, .run = run_ended_run },
	{ 0 },
};

int container_pool_open(struct command_call *call, struct image_pool *out)
{
	int rc = image_pool_open(call, out);

	if (rc)
		return rc;
	starting_sweep();
	work_sweep(&out->pool, CONTAINER_KIND, container_clean);
	return 0;
}

int container_arguments(struct command_call *call, container_each_fn *each, bool quiet)
{
	struct container container;
	struct image_pool at;
	int status = 0;

	if (container_pool_open(call, &at))
		return command_fail(call);
	for (int i = 0; i < call->argc; i++) {
		int rc = container_find(&at.pool, call->argv[i], &container, &call->error);

		if (!rc) {
			rc = each(call, &at.pool, &container);
			container_clear(&container);
		}
		if (rc)
			status = command_fail(call);
		else if (!quiet)
			printf("%s\n", call->argv[i]);
		fflush(stdout);
	}
	return ferror(stdout) ? 1 : status;
}

int container_argument(struct command_call *call, struct image_pool *at, struct container *out)
{
	int rc = container_pool_open(call, at);

	return rc ? rc : container_find(&at->pool, call->argv[0], out, &call->error);
}

int option_keys(struct command_call *call, struct keys *keys)
{
	const char *text = option_value(call, "detach-keys");

	return keys_parse(text && *text ? text : KEYS_DEFAULT, keys, &call->error);
}
