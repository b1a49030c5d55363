// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl port: where a container's ports are on the machine. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "json.h"
#include "run_commands.h"

/* "80" is of TCP. */
static bool is_asked_for(json_object *port, const char *text)
{
	char name[32];

	snprintf(name, sizeof(name), "%lld/%s", json_number(port, "port"), json_text(port, "protocol"));
	return strcmp(name, text) == 0 || (!strchr(text, '/') && strncmp(name, text, strlen(text)) == 0 && strcmp(name + strlen(text), "/tcp") == 0);
}

static int print_ports(const struct command_call *call, json_object *ports)
{
	const char *asked = call->argv[1];
	int count = 0;

	for (size_t i = 0; ports && i < json_object_array_length(ports); i++) {
		json_object *port = json_object_array_get_idx(ports, i);
		const char *ip = json_text(port, "host_ip");

		if (asked && !is_asked_for(port, asked))
			continue;
		if (!asked)
			printf("%lld/%s -> ", json_number(port, "port"), json_text(port, "protocol"));
		printf("%s:%lld\n", ip && *ip ? ip : "0.0.0.0", json_number(port, "host_port"));
		count++;
	}
	return count;
}

int run_port_run(struct command_call *call)
{
	struct container container;
	struct image_pool at;
	enum container_state state;
	int count = 0;

	if (container_argument(call, &at, &container))
		return command_fail(call);
	state = container_state(&at.pool, &container);
	if (state == CONTAINER_RUNNING || state == CONTAINER_PAUSED)
		count = print_ports(call, json_member(container.record, "ports", json_type_array));
	if (call->argv[1] && !count)
		layerblk_error_set(&call->error, ENOENT, "find the published port", call->argv[1], "%s publishes no such port%s", container.name,
				   state == CONTAINER_RUNNING || state == CONTAINER_PAUSED ? "" : ": it does not run");
	container_clear(&container);
	if (call->argv[1] && !count)
		return command_fail(call);
	return fflush(stdout) ? 1 : 0;
}
