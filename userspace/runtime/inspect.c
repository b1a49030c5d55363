// SPDX-License-Identifier: GPL-2.0-or-later
/* A container as Docker's inspect describes it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "describe.h"
#include "json.h"
#include "network.h"
#include "oci.h"
#include "output.h"

#define NEVER	"0001-01-01T00:00:00Z"

static void add_text(json_object *to, const char *key, const char *value)
{
	json_object_object_add(to, key, output_string(value ? value : ""));
}

static void add_flag(json_object *to, const char *key, bool value)
{
	json_object_object_add(to, key, json_object_new_boolean(value));
}

static void add_number(json_object *to, const char *key, int64_t value)
{
	json_object_object_add(to, key, json_object_new_int64(value));
}

/* A member of the record as it is; an empty one of the type when it has none. */
static void add_member(json_object *to, const char *key, const struct container *container, const char *from, enum json_type type)
{
	json_object *value = json_member(container->record, from, type);

	if (value)
		json_object_object_add(to, key, json_object_get(value));
	else
		json_object_object_add(to, key, type == json_type_array ? json_object_new_array() : json_object_new_object());
}

static int64_t number_or(const struct container *container, const char *key, int64_t missing)
{
	long long value = json_number(container->record, key);

	return value < 0 ? missing : value;
}

static json_object *state_object(const struct container *container, enum container_state state)
{
	json_object *object = json_object_new_object();
	bool up = state == CONTAINER_RUNNING || state == CONTAINER_PAUSED;
	const char *started = container_text(container, "started"), *finished = container_text(container, "finished");

	add_text(object, "Status", container_state_name(state));
	add_flag(object, "Running", up);
	add_flag(object, "Paused", state == CONTAINER_PAUSED);
	add_flag(object, "Restarting", false);
	add_flag(object, "OOMKilled", container_flag(container, "oom"));
	add_flag(object, "Dead", false);
	add_number(object, "Pid", up ? oci_pid(container->id) : 0);
	add_number(object, "ExitCode", up ? 0 : number_or(container, "exit_code", 0));
	add_text(object, "Error", container_text(container, "error"));
	add_text(object, "StartedAt", started ? started : NEVER);
	add_text(object, "FinishedAt", finished ? finished : NEVER);
	return object;
}

static json_object *config_object(const struct container *container)
{
	json_object *object = json_object_new_object();
	const char *signal = container_text(container, "stop_signal");

	add_text(object, "Hostname", container_text(container, "hostname"));
	add_text(object, "User", container_text(container, "user"));
	add_flag(object, "Tty", container_flag(container, "tty"));
	add_flag(object, "OpenStdin", container_flag(container, "interactive"));
	add_flag(object, "StdinOnce", container_flag(container, "stdin_once"));
	add_member(object, "Env", container, "env", json_type_array);
	add_member(object, "Entrypoint", container, "entrypoint", json_type_array);
	add_member(object, "Cmd", container, "cmd", json_type_array);
	add_text(object, "Image", container_text(container, "image"));
	add_text(object, "WorkingDir", container_text(container, "workdir"));
	add_member(object, "Labels", container, "labels", json_type_object);
	add_text(object, "StopSignal", signal ? signal : "SIGTERM");
	return object;
}

static json_object *restart_object(const struct container *container)
{
	json_object *policy = json_member(container->record, "restart", json_type_object), *object = json_object_new_object();
	const char *name = json_text(policy, "policy");
	long long most = json_number(policy, "max");

	add_text(object, "Name", name ? name : "no");
	add_number(object, "MaximumRetryCount", most < 0 ? 0 : most);
	return object;
}

static json_object *host_object(const struct container *container)
{
	json_object *object = json_object_new_object();

	add_text(object, "NetworkMode", container_text(container, "network"));
	json_object_object_add(object, "RestartPolicy", restart_object(container));
	add_text(object, "Runtime", container_text(container, "runtime") ? container_text(container, "runtime") : OCI_RUNTIME);
	add_flag(object, "AutoRemove", container_flag(container, "auto_remove"));
	add_flag(object, "Privileged", container_flag(container, "privileged"));
	add_flag(object, "ReadonlyRootfs", container_flag(container, "read_only"));
	add_member(object, "CapAdd", container, "cap_add", json_type_array);
	add_member(object, "CapDrop", container, "cap_drop", json_type_array);
	add_member(object, "Dns", container, "dns", json_type_array);
	add_member(object, "ExtraHosts", container, "add_host", json_type_array);
	add_member(object, "Ulimits", container, "ulimits", json_type_array);
	add_member(object, "Devices", container, "devices", json_type_array);
	add_number(object, "Memory", number_or(container, "memory", 0));
	add_number(object, "NanoCpus", number_or(container, "nano_cpus", 0));
	add_number(object, "PidsLimit", number_or(container, "pids_limit", 0));
	return object;
}

static json_object *mounts_array(const struct container *container)
{
	json_object *mounts = json_member(container->record, "mounts", json_type_array), *array = json_object_new_array();

	for (size_t i = 0; mounts && i < json_object_array_length(mounts); i++) {
		json_object *mount = json_object_array_get_idx(mounts, i), *object = json_object_new_object();
		const char *type = json_text(mount, "type"), *source = json_text(mount, "source");

		add_text(object, "Type", type);
		if (type && strcmp(type, "volume") == 0)
			add_text(object, "Name", source);
		add_text(object, "Source", source);
		add_text(object, "Destination", json_text(mount, "target"));
		add_flag(object, "RW", !json_object_get_boolean(json_member(mount, "read_only", json_type_boolean)));
		json_object_array_add(array, object);
	}
	return array;
}

static json_object *network_object(const struct container *container)
{
	json_object *object = json_object_new_object(), *bindings = json_object_new_object();
	json_object *networks = json_object_new_object(), *network = json_object_new_object();
	json_object *ports = json_member(container->record, "ports", json_type_array);
	const char *mode = container_text(container, "network");
	char address[64];

	for (size_t i = 0; ports && i < json_object_array_length(ports); i++) {
		json_object *port = json_object_array_get_idx(ports, i), *binding = json_object_new_object(), *array;
		char key[32], number[16];

		snprintf(key, sizeof(key), "%lld/%s", json_number(port, "port"), json_text(port, "protocol"));
		snprintf(number, sizeof(number), "%lld", json_number(port, "host_port"));
		add_text(binding, "HostIp", json_text(port, "host_ip"));
		add_text(binding, "HostPort", number);
		if (!json_object_object_get_ex(bindings, key, &array)) {
			array = json_object_new_array();
			json_object_object_add(bindings, key, array);
		}
		json_object_array_add(array, binding);
	}
	network_address(container, address, sizeof(address));
	add_text(object, "IPAddress", address);
	json_object_object_add(object, "Ports", bindings);
	add_text(network, "IPAddress", address);
	json_object_object_add(networks, mode ? mode : "none", network);
	json_object_object_add(object, "Networks", networks);
	return object;
}

json_object *describe_container(const struct pool *pool, const struct container *container)
{
	enum container_state state = container_state(pool, container);
	json_object *object = json_object_new_object(), *words = json_member(container->record, "command", json_type_array);
	json_object *args = json_object_new_array();
	cleanup_free char *name = NULL;

	for (size_t i = 1; words && i < json_object_array_length(words); i++)
		json_object_array_add(args, json_object_get(json_object_array_get_idx(words, i)));
	if (asprintf(&name, "/%s", container->name) < 0)
		name = NULL;
	add_text(object, "Id", container->id);
	add_text(object, "Created", container_text(container, "created"));
	add_text(object, "Path", words ? json_object_get_string(json_object_array_get_idx(words, 0)) : NULL);
	json_object_object_add(object, "Args", args);
	json_object_object_add(object, "State", state_object(container, state));
	add_text(object, "Image", container_text(container, "image_id"));
	add_text(object, "LogPath", container_text(container, "log"));
	add_text(object, "Name", name);
	add_number(object, "RestartCount", number_or(container, "restarts", 0));
	add_text(object, "Driver", "layerblk");
	add_text(object, "Root", container_text(container, "root") ? container_text(container, "root") : "plain");
	json_object_object_add(object, "Mounts", mounts_array(container));
	json_object_object_add(object, "Config", config_object(container));
	json_object_object_add(object, "HostConfig", host_object(container));
	json_object_object_add(object, "NetworkSettings", network_object(container));
	return object;
}
