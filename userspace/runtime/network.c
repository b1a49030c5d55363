// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See network.h. The namespace is the container's, not ours: it ends with its last process, and takes the interface along. What remains,
 * the address and the forwarded ports, the plugins let go of without it. The rules that let packets out are the same for all containers,
 * and stay.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <fcntl.h>
#include "cleanup.h"
#include "filesystem.h"
#include "json.h"
#include "network.h"
#include "oci.h"
#include "plugin.h"
#include "process.h"
#include "spec.h"

#define SUBNET		"10.91.0.0/16"
#define NETWORK_DIR	RUN_DIR "/network"

const char *network_default(void)
{
	const char *wish = getenv("LAYERBLK_NETWORK");

	if (wish && *wish)
		return wish;
	return plugin_is_installed("bridge") && plugin_is_installed("host-local") ? "bridge" : "none";
}

static bool is_bridged(const struct container *container)
{
	const char *mode = container_text(container, "network");

	return mode && strcmp(mode, "bridge") == 0;
}

/* ------------------------------------------------------------------ what the plugins are told */

static json_object *bridge_config(void)
{
	static const char text[] =
		"{\"cniVersion\":\"0.4.0\",\"name\":\"layerblk\",\"type\":\"bridge\",\"bridge\":\"" NETWORK_BRIDGE "\",\"isGateway\":true,"
		"\"hairpinMode\":true,\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"" NETWORK_DIR "\",\"routes\":[{\"dst\":\"0.0.0.0/0\"}],"
		"\"ranges\":[[{\"subnet\":\"" SUBNET "\"}]]}}";

	return json_tokener_parse(text);
}

static json_object *portmap_config(json_object *ports, json_object *previous)
{
	json_object *config = json_tokener_parse("{\"cniVersion\":\"0.4.0\",\"name\":\"layerblk\",\"type\":\"portmap\","
						 "\"capabilities\":{\"portMappings\":true},\"snat\":true}");
	json_object *runtime = json_object_new_object(), *mappings = json_object_new_array();

	for (size_t i = 0; ports && i < json_object_array_length(ports); i++) {
		json_object *port = json_object_array_get_idx(ports, i), *mapping = json_object_new_object();
		const char *ip = json_text(port, "host_ip"), *protocol = json_text(port, "protocol");

		json_object_object_add(mapping, "hostPort", json_object_new_int64(json_number(port, "host_port")));
		json_object_object_add(mapping, "containerPort", json_object_new_int64(json_number(port, "port")));
		json_object_object_add(mapping, "protocol", json_object_new_string(protocol ? protocol : "tcp"));
		if (ip && *ip && strcmp(ip, "0.0.0.0") != 0)
			json_object_object_add(mapping, "hostIP", json_object_new_string(ip));
		json_object_array_add(mappings, mapping);
	}
	json_object_object_add(runtime, "portMappings", mappings);
	json_object_object_add(config, "runtimeConfig", runtime);
	if (previous)
		json_object_object_add(config, "prevResult", json_object_get(previous));
	return config;
}

static bool has_ports(const struct container *container)
{
	json_object *ports = json_member(container->record, "ports", json_type_array);

	return ports && json_object_array_length(ports) > 0;
}

/* ------------------------------------------------------------------ rules for all containers */

static int rule(const char *table, const char *const words[8], struct layerblk_error *err)
{
	const char *argv[16] = { "iptables", "--wait", "--table", table, "--check", NULL };

	for (size_t i = 0; i < 8 && words[i]; i++)
		argv[5 + i] = words[i];
	if (process_run(argv, "look for the rule", table, NULL) == 0)
		return 0;
	argv[4] = strcmp(table, "nat") == 0 ? "--append" : "--insert";
	return process_run(argv, "let containers reach the network", table, err);
}

/* Out of the net under the machine's address; in and out of the bridge whatever else is forbidden. */
static int make_rules(struct layerblk_error *err)
{
	static const char *const rules[][8] = {
		{ "POSTROUTING", "-s", SUBNET, "!", "-o", NETWORK_BRIDGE, "-j", "MASQUERADE" },
		{ "FORWARD", "-i", NETWORK_BRIDGE, "-j", "ACCEPT", NULL },
		{ "FORWARD", "-o", NETWORK_BRIDGE, "-j", "ACCEPT", NULL },
	};
	cleanup_fd int lock = open(NETWORK_DIR "/rules.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int rc;

	if (lock >= 0)
		flock(lock, LOCK_EX);	/* two that look at once would both add */
	rc = rule("nat", rules[0], err);
	if (!rc)
		rc = rule("filter", rules[1], err);
	return rc ? rc : rule("filter", rules[2], err);
}

/* ------------------------------------------------------------------ up and down */

static void address_of(json_object *answer, char *text, size_t size)
{
	json_object *ips = json_member(answer, "ips", json_type_array);
	const char *address = ips && json_object_array_length(ips) ? json_text(json_object_array_get_idx(ips, 0), "address") : NULL;

	snprintf(text, size, "%s", address ? address : "");
	text[strcspn(text, "/")] = '\0';
}

void network_address(const struct container *container, char *text, size_t size)
{
	cleanup_json json_object *answer = NULL;
	char path[PATH_MAX];

	oci_bundle_path(container->id, path, sizeof(path) - sizeof(NETWORK_FILE) - 1);
	strcat(path, "/" NETWORK_FILE);
	answer = is_bridged(container) ? json_object_from_file(path) : NULL;
	address_of(answer, text, size);
}

static int finish(const struct container *container, json_object *answer, struct layerblk_error *err)
{
	cleanup_free char *hosts = NULL;
	char address[64];
	int rc;

	address_of(answer, address, sizeof(address));
	hosts = spec_hosts(container, *address ? address : NULL);
	rc = oci_bundle_write(container->id, NETWORK_FILE, json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN), err);
	if (!rc && hosts)
		rc = oci_bundle_write(container->id, "hosts", hosts, err);
	return rc;
}

int network_up(const struct container *container, pid_t pid, struct layerblk_error *err)
{
	cleanup_json json_object *bridge = bridge_config(), *answer = NULL, *portmap = NULL;
	char netns[64];
	int rc;

	if (!is_bridged(container))
		return 0;
	snprintf(netns, sizeof(netns), "/proc/%d/ns/net", (int)pid);
	rc = directory_make(NETWORK_DIR, err);
	if (!rc)
		rc = make_rules(err);
	if (!rc)
		rc = plugin_run(bridge, "ADD", container->id, netns, &answer, err);
	if (!rc && !answer)
		rc = layerblk_error_set(err, EIO, "set up the network", "bridge", "the plugin gave no answer");
	if (!rc && has_ports(container)) {
		portmap = portmap_config(json_member(container->record, "ports", json_type_array), answer);
		rc = plugin_run(portmap, "ADD", container->id, netns, NULL, err);
	}
	return rc ? rc : finish(container, answer, err);
}

void network_down(const struct container *container)
{
	cleanup_json json_object *bridge = bridge_config(), *portmap = NULL;

	if (!is_bridged(container) || access(NETWORK_DIR, F_OK) != 0)
		return;
	if (has_ports(container)) {
		portmap = portmap_config(json_member(container->record, "ports", json_type_array), NULL);
		plugin_run(portmap, "DEL", container->id, "", NULL, NULL);
	}
	plugin_run(bridge, "DEL", container->id, "", NULL, NULL);
}

/* ------------------------------------------------------------------ names */

/* The machine's, but for name servers that only the machine itself reaches. */
static void copy_resolv(FILE *out, bool own_servers, bool all)
{
	cleanup_file FILE *in = fopen("/etc/resolv.conf", "re");
	char line[1024];

	while (in && fgets(line, sizeof(line), in)) {
		bool server = strncmp(line, "nameserver", 10) == 0;

		if (server && (own_servers || (!all && (strstr(line, " 127.") || strstr(line, "\t127.") || strstr(line, "::1")))))
			continue;
		fputs(line, out);
	}
}

char *network_resolv(const struct container *container)
{
	json_object *servers = json_member(container->record, "dns", json_type_array);
	json_object *search = json_member(container->record, "dns_search", json_type_array);
	bool own = servers && json_object_array_length(servers) > 0, host = false;
	const char *mode = container_text(container, "network");
	char *text = NULL;
	size_t size;
	FILE *out;

	if ((!mode || strcmp(mode, "none") == 0) && !own)
		return NULL;
	host = mode && strcmp(mode, "host") == 0;
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	copy_resolv(out, own, host);
	for (size_t i = 0; own && i < json_object_array_length(servers); i++)
		fprintf(out, "nameserver %s\n", json_object_get_string(json_object_array_get_idx(servers, i)));
	for (size_t i = 0; search && i < json_object_array_length(search); i++)
		fprintf(out, "%s%s", i ? " " : "search ", json_object_get_string(json_object_array_get_idx(search, i)));
	if (search && json_object_array_length(search))
		fputc('\n', out);
	return fclose(out) == 0 ? text : NULL;
}
