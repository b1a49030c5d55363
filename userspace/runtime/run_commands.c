// SPDX-License-Identifier: GPL-2.0-or-later
/* The rows of "layerctl run", "ps" and "rm", and run's options. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cleanup.h"
#include "image_commands.h"
#include "oci.h"
#include "run.h"
#include "run_commands.h"
#include "size.h"

static const struct command_option run_options[] = {
	{ .name = "rm", .help = "Remove the container when it ends" },
	{ .name = "interactive", .letter = 'i', .help = "Give it our standard input" },
	{ .name = "tty", .letter = 't', .help = "Give it a terminal" },
	{ .name = "volume", .letter = 'v', .value = "NAME:/PATH[:ro]",
	  .help = "Mount the volume NAME (made if missing) or the directory /NAME at PATH (may be repeated)" },
	{ .name = "name", .value = "NAME", .help = "Name the container (default: two words)" },
	{ .name = "env", .letter = 'e', .value = "KEY[=VALUE]", .help = "Set a variable, or pass ours on (may be repeated)" },
	{ .name = "workdir", .letter = 'w', .value = "DIR", .help = "Working directory", .complete = COMPLETE_DIRECTORY },
	{ .name = "user", .letter = 'u', .value = "USER[:GROUP]", .help = "Run as this user, by name or number" },
	{ .name = "entrypoint", .value = "PROGRAM", .help = "Run this instead of the image's entrypoint" },
	{ .name = "hostname", .letter = 'h', .value = "NAME", .help = "Host name in the container (default: its id)" },
	{ .name = "network", .value = "MODE", .help = "\"none\" (default: only loopback) or \"host\"",
	  .complete = COMPLETE_WORDS, .words = "none host" },
	{ .name = "read-only", .help = "Mount its root read-only" },
	{ .name = "storage-size", .value = "SIZE", .help = "Let it write at most so much of its own" },
	OPTION_POOL,
	{ 0 },
};

static const struct command_option ps_options[] = {
	{ .name = "all", .letter = 'a', .help = "Also those that do not run" },
	OPTION_POOL,
	OPTION_FORMAT,
	OPTION_NO_TRUNC,
	{ .name = "quiet", .letter = 'q', .help = "Print only ids" },
	{ 0 },
};

static const struct command_option rm_options[] = {
	{ .name = "force", .letter = 'f', .help = "End those that run" },
	OPTION_POOL,
	{ 0 },
};

const struct command run_commands[] = {
	{ .path = "run", .args = "IMAGE [COMMAND [ARG...]]", .min_args = 1, .max_args = -1,
	  .summary = "Run a command in a new container",
	  .details = "The container's root is a writable snapshot of the image's top layer: making it takes no time and no space. "
		     "Without --rm it stays as a volume of the container's name after the container has ended.\n\n"
		     "The exit status is that of the command; 125 when layerctl failed, 126 when the command cannot be "
		     "executed, 127 when it is not there.\n\n"
		     "Examples:\n"
		     "  layerctl run --rm -it debian:12 bash\n"
		     "  layerctl run --rm -v data:/var/lib/data debian:12 sh -c 'date >> /var/lib/data/log'",
	  .options = run_options, .complete = COMPLETE_IMAGE, .options_first = true, .failure_status = STATUS_FAILED,
	  .run = run_command_run },
	{ .path = "ps", .args = "", .max_args = 0, .summary = "List containers", .options = ps_options, .run = run_ps_run },
	{ .path = "rm", .args = "CONTAINER...", .min_args = 1, .max_args = -1, .summary = "Remove containers",
	  .details = "The container's volume goes; data volumes stay.", .options = rm_options, .complete = COMPLETE_VOLUME,
	  .run = run_rm_run },
	{ 0 },
};

int container_pool_open(struct command_call *call, struct image_pool *out)
{
	int rc = image_pool_open(call, out);

	if (!rc)
		work_sweep(&out->pool, CONTAINER_KIND, container_clean);
	return rc;
}

/* ------------------------------------------------------------------ run */

static int by_target(const void *a, const void *b)
{
	return strcmp(((const struct share *)a)->target, ((const struct share *)b)->target);
}

/* In the order of their targets, so that what lies within another is mounted after it. */
static int take_shares(struct command_call *call, struct run_request *request)
{
	struct share *more;
	const char *text;
	int rc;

	for (size_t i = 0; (text = option_nth(call, "volume", i)) != NULL; i++) {
		more = reallocarray(request->shares, i + 1, sizeof(*more));
		if (!more)
			return layerblk_error_set(&call->error, ENOMEM, "use the volume", text, "no memory");
		request->shares = more;
		rc = share_parse(text, &more[i], &call->error);
		if (rc)
			return rc;
		request->share_count++;
	}
	if (request->share_count)
		qsort(request->shares, request->share_count, sizeof(*request->shares), by_target);
	for (size_t i = 1; i < request->share_count; i++)
		if (by_target(&request->shares[i - 1], &request->shares[i]) == 0)
			return layerblk_error_set(&call->error, EINVAL, "mount the volume at", request->shares[i].target,
						  "two volumes have this path");
	return 0;
}

static int take_env(struct command_call *call, struct run_request *request)
{
	size_t count = 0;

	while (option_nth(call, "env", count))
		count++;
	request->env = calloc(count + 1, sizeof(*request->env));
	if (!request->env)
		return layerblk_error_set(&call->error, ENOMEM, "run the image", "", "no memory");
	for (size_t i = 0; i < count; i++) {
		request->env[i] = option_nth(call, "env", i);
		if (*request->env[i] == '=' || !*request->env[i])
			return layerblk_error_set(&call->error, EINVAL, "set the variable", request->env[i], "it has no name");
	}
	return 0;
}

static int take_network(struct command_call *call, struct run_request *request)
{
	const char *mode = option_value(call, "network");

	request->host_network = mode && strcmp(mode, "host") == 0;
	if (!mode || request->host_network || strcmp(mode, "none") == 0)
		return 0;
	return layerblk_error_set(&call->error, EINVAL, "use the network", mode, "it is neither \"none\" nor \"host\"");
}

static int take_quota(struct command_call *call, struct run_request *request)
{
	const char *text = option_value(call, "storage-size");
	uint64_t bytes;
	int rc;

	if (!text)
		return 0;
	rc = size_parse_volume(text, &bytes, "use the storage size", &call->error);
	request->quota_blocks = rc ? 0 : bytes / LB_BLOCK_SIZE;
	return rc;
}

static int take_options(struct command_call *call, struct run_request *request)
{
	int rc;

	request->image = call->argv[0];
	request->argc = call->argc - 1;
	request->argv = call->argv + 1;
	request->name = option_value(call, "name");
	request->hostname = option_value(call, "hostname");
	request->user = option_value(call, "user");
	request->workdir = option_value(call, "workdir");
	request->entrypoint = option_value(call, "entrypoint");
	request->remove = option_is_set(call, "rm");
	request->interactive = option_is_set(call, "interactive");
	request->tty = option_is_set(call, "tty");
	request->read_only = option_is_set(call, "read-only");
	if (request->tty && !isatty(STDIN_FILENO))
		return layerblk_error_set(&call->error, ENOTTY, "give the container a terminal", "", "the input device is not a TTY");
	if (request->hostname && (!*request->hostname || strlen(request->hostname) > 64))
		return layerblk_error_set(&call->error, EINVAL, "use the host name", request->hostname,
					  "it must have 1 to 64 characters");
	rc = take_network(call, request);
	if (!rc)
		rc = take_quota(call, request);
	if (!rc)
		rc = take_env(call, request);
	return rc ? rc : take_shares(call, request);
}

int run_command_run(struct command_call *call)
{
	struct run_request request = { 0 };
	struct image_pool at;
	int status = STATUS_FAILED;
	int rc = take_options(call, &request);

	if (!rc)
		rc = container_pool_open(call, &at);
	if (!rc)
		rc = run_container(&at.pool, &request, &status, &call->error);
	for (size_t i = 0; i < request.share_count; i++)
		share_clear(&request.shares[i]);
	free(request.shares);
	free(request.env);
	return rc ? command_fail(call) : status;
}
