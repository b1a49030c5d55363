// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the options of run and create to what a container's record begins as. Members: tty, interactive, stdin_once, auto_remove, env, user,
 * workdir, hostname, labels, root, read_only, network, ports, publish_all, dns, dns_search, add_host, cap_add, cap_drop, privileged,
 * no_new_privileges, seccomp_unconfined, devices, memory, nano_cpus, cpuset, pids_limit, shm_size, sysctls, ulimits, stop_signal, stop_timeout, restart, runtime, init. What is
 * not given is not there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "caps.h"
#include "cleanup.h"
#include "conf.h"
#include "image_commands.h"
#include "json.h"
#include "resources.h"
#include "merge.h"
#include "network.h"
#include "program.h"
#include "root.h"
#include "run_options.h"
#include "signals.h"
#include "size.h"

bool option_truth(const struct command_call *call, const char *name, bool missing)
{
	const char *value = option_value(call, name);

	return value ? strcmp(value, "true") == 0 || strcmp(value, "1") == 0 : missing;
}

static int wrong(struct command_call *call, const char *what, const char *subject, const char *why)
{
	return layerblk_error_set(&call->error, EINVAL, what, subject, "%s", why);
}

static void set_flag(const struct command_call *call, json_object *to, const char *option, const char *key)
{
	if (option_is_set(call, option))
		json_object_object_add(to, key, json_object_new_boolean(true));
}

static void set_text(const struct command_call *call, json_object *to, const char *option, const char *key)
{
	const char *value = option_value(call, option);

	if (value)
		json_object_object_add(to, key, json_object_new_string(value));
}

static void set_list(const struct command_call *call, json_object *to, const char *option, const char *key)
{
	json_object *array = NULL;
	const char *value;

	for (size_t i = 0; (value = option_nth(call, option, i)) != NULL; i++) {
		if (!array)
			array = json_object_new_array();
		json_object_array_add(array, json_object_new_string(value));
	}
	if (array)
		json_object_object_add(to, key, array);
}

/* ------------------------------------------------------------------ environment and labels */

static int add_env(struct command_call *call, json_object *env, const char *item)
{
	const char *ours;

	if (*item == '=' || !*item)
		return wrong(call, "set the variable", item, "it has no name");
	if (strchr(item, '='))
		env_set(env, item);
	else if ((ours = getenv(item)) != NULL)
		env_pair(env, item, ours);
	return 0;
}

static int add_env_file(struct command_call *call, json_object *env, const char *path)
{
	cleanup_file FILE *file = fopen(path, "re");
	cleanup_free char *line = NULL;
	size_t room = 0;
	int rc = 0;

	if (!file)
		return layerblk_error_set(&call->error, errno, "read the variables in", path, "%s", strerror(errno));
	while (!rc && getline(&line, &room, file) > 0) {
		const char *text = line + strspn(line, " \t");

		line[strcspn(line, "\r\n")] = '\0';
		if (*text && *text != '#')
			rc = add_env(call, env, text);
	}
	return rc;
}

static int take_env(struct command_call *call, json_object *to)
{
	json_object *env = json_object_new_array();
	const char *text;
	int rc = 0;

	json_object_object_add(to, "env", env);
	for (size_t i = 0; !rc && (text = option_nth(call, "env-file", i)) != NULL; i++)
		rc = add_env_file(call, env, text);
	for (size_t i = 0; !rc && (text = option_nth(call, "env", i)) != NULL; i++)
		rc = add_env(call, env, text);
	return rc;
}

static int take_labels(struct command_call *call, json_object *to)
{
	json_object *labels = json_object_new_object();
	const char *text;

	json_object_object_add(to, "labels", labels);
	for (size_t i = 0; (text = option_nth(call, "label", i)) != NULL; i++) {
		cleanup_free char *key = strndup(text, strcspn(text, "="));
		const char *value = strchr(text, '=');

		if (!key || !*key)
			return wrong(call, "set the label", text, "it has no name");
		json_object_object_add(labels, key, json_object_new_string(value ? value + 1 : ""));
	}
	return 0;
}

/* ------------------------------------------------------------------ mounts */

static int take_some(struct command_call *call, const char *option, struct share_list *to,
		     int (*parse)(const char *text, struct share *out, struct layerblk_error *err))
{
	struct share share;
	const char *text;
	int rc = 0;

	for (size_t i = 0; !rc && (text = option_nth(call, option, i)) != NULL; i++) {
		rc = parse(text, &share, &call->error);
		if (!rc)
			rc = shares_add(to, &share, &call->error);
	}
	return rc;
}

static int take_mounts(struct command_call *call, struct create_request *out)
{
	int rc = take_some(call, "volume", &out->shares, share_parse);

	if (!rc)
		rc = take_some(call, "mount", &out->shares, share_parse_mount);
	return rc ? rc : take_some(call, "tmpfs", &out->shares, share_parse_tmpfs);
}

/* ------------------------------------------------------------------ the root */

static int take_root(struct command_call *call, json_object *to)
{
	const char *mode = option_value(call, "root");
	cleanup_free char *usual = NULL;
	int rc = mode ? 0 : conf_get(NULL, "root", &usual, &call->error);

	mode = mode ? mode : usual ? usual : "plain";
	if (!rc && strcmp(mode, "plain") != 0 && strcmp(mode, ROOT_SHARED) != 0)
		rc = wrong(call, "make the root", mode, "it is neither \"plain\" nor \"shared\"");
	if (!rc && strcmp(mode, ROOT_SHARED) == 0)
		json_object_object_add(to, "root", json_object_new_string(ROOT_SHARED));
	return rc;
}

/* ------------------------------------------------------------------ network */

static int check_addresses(struct command_call *call, const char *option, bool host)
{
	unsigned char address[16];
	const char *text, *ip;

	for (size_t i = 0; (text = option_nth(call, option, i)) != NULL; i++) {
		ip = text;
		if (host)
			ip = strchr(text, ':') && *text != ':' ? strchr(text, ':') + 1 : "";
		if (inet_pton(AF_INET, ip, address) != 1 && inet_pton(AF_INET6, ip, address) != 1)
			return wrong(call, host ? "add the host" : "use the name server", text,
				     host ? "it is not of the form HOST:ADDRESS" : "it is no address");
	}
	return 0;
}

static int take_network(struct command_call *call, json_object *to)
{
	const char *mode = option_value(call, "network"), *text;
	json_object *ports = json_object_new_array();
	int rc = check_addresses(call, "dns", false);

	json_object_object_add(to, "ports", ports);
	mode = mode ? mode : network_default();
	if (strcmp(mode, "bridge") != 0 && strcmp(mode, "host") != 0 && strcmp(mode, "none") != 0)
		return wrong(call, "use the network", mode, "it is not one of: bridge, host, none");
	json_object_object_add(to, "network", json_object_new_string(mode));
	if (!rc)
		rc = check_addresses(call, "add-host", true);
	for (size_t i = 0; !rc && (text = option_nth(call, "publish", i)) != NULL; i++)
		rc = network_parse_port(text, ports, &call->error);
	if (!rc && option_is_set(call, "publish") && strcmp(mode, "none") == 0)
		return wrong(call, "publish the port", option_value(call, "publish"), "the container has no network");
	set_flag(call, to, "publish-all", "publish_all");
	set_list(call, to, "dns", "dns");
	set_list(call, to, "dns-search", "dns_search");
	set_list(call, to, "add-host", "add_host");
	return rc;
}

/* ------------------------------------------------------------------ security */

static int take_capabilities(struct command_call *call, json_object *to, const char *option, const char *key)
{
	json_object *array = json_object_new_array();
	const char *text, *name;
	int rc = 0;

	json_object_object_add(to, key, array);
	for (size_t i = 0; !rc && (text = option_nth(call, option, i)) != NULL; i++) {
		rc = caps_check(text, &name, &call->error);
		if (!rc)
			json_object_array_add(array, json_object_new_string(name));
	}
	return rc;
}

static int take_security(struct command_call *call, json_object *to)
{
	const char *text;
	int rc = take_capabilities(call, to, "cap-add", "cap_add");

	if (!rc)
		rc = take_capabilities(call, to, "cap-drop", "cap_drop");
	for (size_t i = 0; !rc && (text = option_nth(call, "security-opt", i)) != NULL; i++) {
		if (strcmp(text, "no-new-privileges") == 0 || strcmp(text, "no-new-privileges=true") == 0 ||
		    strcmp(text, "no-new-privileges:true") == 0)
			json_object_object_add(to, "no_new_privileges", json_object_new_boolean(true));
		else if (strcmp(text, "seccomp=unconfined") == 0 || strcmp(text, "seccomp:unconfined") == 0)
			json_object_object_add(to, "seccomp_unconfined", json_object_new_boolean(true));
		else
			rc = wrong(call, "use the security option", text, "it is not one of: no-new-privileges, seccomp=unconfined");
	}
	set_flag(call, to, "privileged", "privileged");
	set_flag(call, to, "read-only", "read_only");
	return rc;
}

/* ------------------------------------------------------------------ limits */

static int take_objects(struct command_call *call, json_object *to, const char *option, const char *key,
			int (*parse)(const char *text, json_object **out, struct layerblk_error *err))
{
	json_object *array = json_object_new_array(), *one;
	const char *text;
	int rc = 0;

	json_object_object_add(to, key, array);
	for (size_t i = 0; !rc && (text = option_nth(call, option, i)) != NULL; i++) {
		rc = parse(text, &one, &call->error);
		if (!rc)
			json_object_array_add(array, one);
	}
	return rc;
}

static int take_shm_size(struct command_call *call, json_object *to)
{
	const char *text = option_value(call, "shm-size");
	uint64_t value;
	int rc = text ? size_parse(text, &value, "use the size of /dev/shm", &call->error) : 0;

	if (text && !rc)
		json_object_object_add(to, "shm_size", json_object_new_int64((int64_t)value));
	return rc;
}

/* Only what is a namespace's own; the runtime refuses what the container does not have to itself. */
static int take_sysctls(struct command_call *call, json_object *to)
{
	json_object *object = json_object_new_object();
	const char *text;

	json_object_object_add(to, "sysctls", object);
	for (size_t i = 0; (text = option_nth(call, "sysctl", i)) != NULL; i++) {
		cleanup_free char *key = strndup(text, strcspn(text, "="));

		if (!key || !*key || !strchr(text, '='))
			return wrong(call, "set the kernel parameter", text, "it is not of the form KEY=VALUE");
		if (strncmp(key, "net.", 4) != 0 && strncmp(key, "kernel.shm", 10) != 0 && strncmp(key, "kernel.msg", 10) != 0 &&
		    strcmp(key, "kernel.sem") != 0 && strncmp(key, "fs.mqueue.", 10) != 0)
			return wrong(call, "set the kernel parameter", text, "it is the whole machine's");
		json_object_object_add(object, key, json_object_new_string(strchr(text, '=') + 1));
	}
	return 0;
}

static int take_limits(struct command_call *call, json_object *to)
{
	const char *memory = option_value(call, "memory"), *cpus = option_value(call, "cpus");
	const char *pids = option_value(call, "pids-limit");
	uint64_t value;
	int64_t nano;
	int rc = take_objects(call, to, "ulimit", "ulimits", limits_parse_ulimit);

	if (!rc)
		rc = take_objects(call, to, "device", "devices", limits_parse_device);
	if (!rc && memory) {
		rc = size_parse(memory, &value, "limit the memory to", &call->error);
		if (!rc && value < LIMITS_MEMORY_MIN)
			return wrong(call, "limit the memory to", memory, "the least is 6 MiB");
		json_object_object_add(to, "memory", json_object_new_int64((int64_t)value));
	}
	if (!rc && cpus) {
		rc = limits_parse_cpus(cpus, &nano, &call->error);
		json_object_object_add(to, "nano_cpus", json_object_new_int64(rc ? 0 : nano));
	}
	if (!rc && pids) {
		if (strcmp(pids, "-1") == 0)
			value = 0;
		else
			rc = number_parse(pids, INT32_MAX, &value, "limit the processes to", &call->error);
		json_object_object_add(to, "pids_limit", json_object_new_int64(rc ? 0 : (int64_t)value));
	}
	set_text(call, to, "cpuset-cpus", "cpuset");
	if (!rc)
		rc = take_shm_size(call, to);
	return rc ? rc : take_sysctls(call, to);
}

/* ------------------------------------------------------------------ start and end */

static int take_restart(struct command_call *call, json_object *to)
{
	const char *policy = option_value(call, "restart");
	json_object *object;
	uint64_t most = 0;
	int rc = 0;

	if (!policy || strcmp(policy, "no") == 0)
		return 0;
	if (strncmp(policy, "on-failure", 10) != 0 || (policy[10] && policy[10] != ':')) {
		wrong(call, "use the restart policy", policy, "it is neither \"no\" nor \"on-failure\" nor \"on-failure:N\"");
		return layerblk_error_hint(&call->error, "There is no daemon that would start it with the machine: use a unit of systemd");
	}
	if (policy[10])
		rc = number_parse(policy + 11, INT32_MAX, &most, "use the restart policy", &call->error);
	if (option_is_set(call, "rm"))
		return wrong(call, "use the restart policy", policy, "it cannot be combined with --rm");
	object = json_object_new_object();
	json_object_object_add(object, "policy", json_object_new_string("on-failure"));
	json_object_object_add(object, "max", json_object_new_int64((int64_t)most));
	json_object_object_add(to, "restart", object);
	return rc;
}

static int take_init(struct command_call *call, json_object *to)
{
	static const char *const programs[] = { "tini-static", "catatonit", "/usr/libexec/podman/catatonit", "docker-init" };
	char *path = NULL;

	if (!option_is_set(call, "init"))
		return 0;
	for (size_t i = 0; !path && i < sizeof(programs) / sizeof(*programs); i++)
		path = program_path(programs[i], NULL);
	if (!path) {
		layerblk_error_set(&call->error, ENOENT, "run an init", "", "neither tini-static nor catatonit is installed");
		return layerblk_error_hint(&call->error, "Install the package tini or catatonit");
	}
	json_object_object_add(to, "init", json_object_new_string(path));
	free(path);
	return 0;
}

static int take_life(struct command_call *call, json_object *to)
{
	const char *signal = option_value(call, "stop-signal"), *timeout = option_value(call, "stop-timeout");
	uint64_t seconds;
	int number, rc = 0;

	if (signal)
		rc = signal_parse(signal, &number, &call->error);
	if (!rc && timeout) {
		rc = number_parse(timeout, 86400, &seconds, "stop the container within", &call->error);
		json_object_object_add(to, "stop_timeout", json_object_new_int64(rc ? 0 : (int64_t)seconds));
	}
	set_text(call, to, "stop-signal", "stop_signal");
	set_text(call, to, "runtime", "runtime");
	if (!rc)
		rc = take_init(call, to);
	return rc ? rc : take_restart(call, to);
}

/* ------------------------------------------------------------------ the whole */

static int take_plain(struct command_call *call, json_object *to)
{
	const char *hostname = option_value(call, "hostname"), *workdir = option_value(call, "workdir");

	if (hostname && (!*hostname || strlen(hostname) > 64))
		return wrong(call, "use the host name", hostname, "it must have 1 to 64 characters");
	if (workdir && *workdir != '/')
		return wrong(call, "use the working directory", workdir, "it is not an absolute path");
	set_flag(call, to, "interactive", "interactive");
	set_flag(call, to, "tty", "tty");
	set_flag(call, to, "rm", "auto_remove");
	set_text(call, to, "user", "user");
	set_text(call, to, "workdir", "workdir");
	set_text(call, to, "hostname", "hostname");
	return 0;
}

int run_options_take(struct command_call *call, struct create_request *out)
{
	const char *size = option_value(call, "storage-size");
	json_object *to = json_object_new_object();
	uint64_t bytes = 0;
	int rc;

	*out = (struct create_request){ .image = call->argv[0], .argc = call->argc - 1, .argv = call->argv + 1, .settings = to };
	out->name = option_value(call, "name");
	out->entrypoint = option_value(call, "entrypoint");
	rc = take_plain(call, to);
	if (!rc)
		rc = take_root(call, to);
	if (!rc)
		rc = take_env(call, to);
	if (!rc)
		rc = take_labels(call, to);
	if (!rc)
		rc = take_network(call, to);
	if (!rc)
		rc = take_security(call, to);
	if (!rc)
		rc = take_limits(call, to);
	if (!rc)
		rc = take_life(call, to);
	if (!rc)
		rc = take_mounts(call, out);
	if (!rc && size)
		rc = size_parse_volume(size, &bytes, "use the storage size", &call->error);
	out->quota_blocks = bytes / LB_BLOCK_SIZE;
	set_list(call, to, "volumes-from", "volumes_from");
	out->volumes_from = json_object_get(json_member(to, "volumes_from", json_type_array));
	return rc;
}
