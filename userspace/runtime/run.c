// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl run, create, start, attach, exec. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cleanup.h"
#include "create.h"
#include "exec.h"
#include "foreground.h"
#include "json.h"
#include "merge.h"
#include "network.h"
#include "oci.h"
#include "run_commands.h"
#include "run_options.h"
#include "start.h"

static int no_terminal(struct command_call *call)
{
	return layerblk_error_set(&call->error, ENOTTY, "give the container a terminal", "", "the input device is not a TTY");
}

/* ------------------------------------------------------------------ run and create */

/* Exclusively: an id that is there already may be of a container that somebody looks after. */
static int open_cidfile(struct command_call *call, int *fd)
{
	const char *path = option_value(call, "cidfile");

	*fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1;
	if (path && *fd < 0)
		return layerblk_error_set(&call->error, errno, "write the container's id to", path, "%s", strerror(errno));
	return 0;
}

static int make(struct command_call *call, struct create_request *request, struct image_pool *at, struct container *out)
{
	cleanup_fd int cidfile = -1;
	const char *path = option_value(call, "cidfile");
	json_object *ports = json_member(request->settings, "ports", json_type_array);
	int rc = open_cidfile(call, &cidfile);

	if (rc)
		return rc;
	rc = network_choose_ports(ports, &call->error);
	if (!rc)
		rc = container_pool_open(call, at);
	if (!rc)
		rc = container_create(&at->pool, request, out, &call->error);
	if (rc && path)
		unlink(path);
	if (!rc && cidfile >= 0 && write(cidfile, out->id, CONTAINER_ID - 1) != CONTAINER_ID - 1)
		rc = layerblk_error_set(&call->error, errno, "write the container's id to", path, "%s", strerror(errno));
	return rc;
}

int run_create_run(struct command_call *call)
{
	struct create_request request;
	struct container container;
	struct image_pool at;
	int rc = run_options_take(call, &request);

	if (!rc)
		rc = make(call, &request, &at, &container);
	create_request_clear(&request);
	if (rc)
		return command_fail(call);
	puts(container.id);
	container_clear(&container);
	return fflush(stdout) ? 1 : 0;
}

static int begin(struct command_call *call, struct create_request *request, bool detach, struct foreground *how)
{
	bool input = option_is_set(call, "interactive"), tty = option_is_set(call, "tty");

	*how = (struct foreground){ .input = input, .output = !detach, .sig_proxy = option_truth(call, "sig-proxy", true) };
	if (input && !detach)
		json_object_object_add(request->settings, "stdin_once", json_object_new_boolean(true));
	if (input && tty && !detach && !isatty(STDIN_FILENO))
		return no_terminal(call);
	return option_keys(call, &how->keys);
}

int run_command_run(struct command_call *call)
{
	bool detach = option_is_set(call, "detach");
	struct create_request request;
	struct container container;
	struct foreground how;
	struct image_pool at;
	int status = STATUS_FAILED;
	int rc = run_options_take(call, &request);

	if (!rc)
		rc = begin(call, &request, detach, &how);
	if (!rc)
		rc = make(call, &request, &at, &container);
	create_request_clear(&request);
	if (rc)
		return command_fail(call);
	rc = foreground_start(&at.pool, &container, &how, &status, &call->error);
	if (rc && container_flag(&container, "auto_remove"))
		container_discard(&at.pool, &container);
	if (!rc && detach)
		puts(container.id);
	container_clear(&container);
	if (rc)
		command_fail(call);
	return fflush(stdout) && !status ? 1 : status;
}

/* ------------------------------------------------------------------ start and attach */

static int start_one(struct command_call *call, const struct pool *pool, struct container *container)
{
	int status, rc = container_start(pool, container, NULL, NULL, &status, &call->error);

	return rc == -EALREADY ? 0 : rc;
}

static int start_attached(struct command_call *call)
{
	struct foreground how = { .output = true, .input = option_is_set(call, "interactive"),
				  .sig_proxy = option_truth(call, "sig-proxy", true) };
	struct container container;
	struct image_pool at;
	int status = 1, rc;

	if (call->argc != 1)
		return command_usage_error(call, "can attach to one container only, not to %d", call->argc);
	rc = option_keys(call, &how.keys);
	if (!rc)
		rc = container_argument(call, &at, &container);
	if (rc)
		return command_fail(call);
	if (how.input && container_flag(&container, "tty") && !isatty(STDIN_FILENO))
		rc = no_terminal(call);
	if (!rc)
		rc = foreground_start(&at.pool, &container, &how, &status, &call->error);
	if (rc == -EALREADY)
		rc = foreground_attach(&at.pool, &container, &how, &status, &call->error);
	container_clear(&container);
	if (rc)
		command_fail(call);
	return status;
}

int run_start_run(struct command_call *call)
{
	if (option_is_set(call, "attach") || option_is_set(call, "interactive"))
		return start_attached(call);
	return container_arguments(call, start_one, false);
}

int run_attach_run(struct command_call *call)
{
	struct foreground how = { .output = true, .input = !option_is_set(call, "no-stdin"),
				  .sig_proxy = option_truth(call, "sig-proxy", true) };
	struct container container;
	struct image_pool at;
	int status = 1, rc = option_keys(call, &how.keys);

	if (!rc)
		rc = container_argument(call, &at, &container);
	if (rc)
		return command_fail(call);
	if (how.input && container_flag(&container, "interactive") && container_flag(&container, "tty") && !isatty(STDIN_FILENO) &&
	    container_state(&at.pool, &container) == CONTAINER_RUNNING)
		rc = no_terminal(call);
	if (!rc)
		rc = foreground_attach(&at.pool, &container, &how, &status, &call->error);
	container_clear(&container);
	if (rc)
		command_fail(call);
	return status;
}

/* ------------------------------------------------------------------ exec */

static int exec_env(struct command_call *call, json_object *env)
{
	const char *item, *ours;

	for (size_t i = 0; (item = option_nth(call, "env", i)) != NULL; i++) {
		if (*item == '=' || !*item)
			return layerblk_error_set(&call->error, EINVAL, "set the variable", item, "it has no name");
		if (strchr(item, '='))
			env_set(env, item);
		else if ((ours = getenv(item)) != NULL)
			env_pair(env, item, ours);
	}
	return 0;
}

int run_exec_run(struct command_call *call)
{
	cleanup_json json_object *args = json_object_new_array(), *env = json_object_new_array();
	struct exec_request request = {
		.process = { .args = args, .env = env, .user = option_value(call, "user"), .workdir = option_value(call, "workdir"),
			     .tty = option_is_set(call, "tty"), .privileged = option_is_set(call, "privileged") },
		.input = option_is_set(call, "interactive"), .detach = option_is_set(call, "detach"),
	};
	struct container container;
	struct image_pool at;
	int status = 1, rc;

	for (int i = 1; i < call->argc; i++)
		json_object_array_add(args, json_object_new_string(call->argv[i]));
	rc = request.process.tty && request.input && !request.detach && !isatty(STDIN_FILENO) ? no_terminal(call) : 0;
	if (!rc)
		rc = exec_env(call, env);
	if (!rc)
		rc = option_keys(call, &request.keys);
	if (!rc)
		rc = container_argument(call, &at, &container);
	if (rc)
		return command_fail(call);
	rc = container_exec(&at.pool, &container, &request, &status, &call->error);
	container_clear(&container);
	if (rc)
		command_fail(call);
	return status;
}
