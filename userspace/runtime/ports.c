// SPDX-License-Identifier: GPL-2.0-or-later
/* How published ports are written, and free ones found. Declared in network.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "cleanup.h"
#include "json.h"
#include "network.h"
#include "size.h"

struct range {
	uint64_t first;
	uint64_t last;
};

static int wrong(const char *text, const char *why, struct layerblk_error *err)
{
	layerblk_error_set(err, EINVAL, "publish the port", text, "%s", why);
	return layerblk_error_hint(err, "The form is [[IP:]PORT:]PORT[/tcp|/udp]");
}

static bool parse_range(char *text, struct range *out)
{
	char *dash = strchr(text, '-');

	if (dash)
		*dash++ = '\0';
	return number_parse(text, 65535, &out->first, "use the port", NULL) == 0 && out->first > 0 &&
	       number_parse(dash ? dash : text, 65535, &out->last, "use the port", NULL) == 0 && out->last >= out->first;
}

static void add(json_object *to, const char *ip, uint64_t host, uint64_t port, const char *protocol)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "host_ip", json_object_new_string(ip));
	json_object_object_add(object, "host_port", json_object_new_int64((int64_t)host));
	json_object_object_add(object, "port", json_object_new_int64((int64_t)port));
	json_object_object_add(object, "protocol", json_object_new_string(protocol));
	json_object_array_add(to, object);
}

int network_parse_port(const char *text, json_object *to, struct layerblk_error *err)
{
	cleanup_free char *copy = strdup(text);
	struct range inside, outside = { 0 };
	const char *protocol = "tcp", *ip = "";
	struct in_addr address;
	char *slash, *colon, *host = NULL;

	if (!copy)
		return layerblk_error_set(err, ENOMEM, "publish the port", text, "no memory");
	slash = strchr(copy, '/');
	if (slash) {
		*slash++ = '\0';
		protocol = slash;
		if (strcmp(slash, "tcp") != 0 && strcmp(slash, "udp") != 0 && strcmp(slash, "sctp") != 0)
			return wrong(text, "its protocol is neither tcp nor udp nor sctp", err);
	}
	colon = strrchr(copy, ':');
	if (colon) {
		*colon++ = '\0';
		host = strrchr(copy, ':');
		if (host) {
			*host++ = '\0';
			ip = copy;
			if (inet_pton(AF_INET, ip, &address) != 1)
				return wrong(text, "its address is not one of IPv4", err);
		} else {
			host = copy;
		}
	}
	if (!parse_range(colon ? colon : copy, &inside))
		return wrong(text, "a port is a number from 1 to 65535", err);
	if (host && *host && !parse_range(host, &outside))
		return wrong(text, "a port is a number from 1 to 65535", err);
	if (host && *host && outside.last - outside.first != inside.last - inside.first)
		return wrong(text, "the two ranges are of different lengths", err);
	for (uint64_t i = 0; i <= inside.last - inside.first; i++)
		add(to, ip, host && *host ? outside.first + i : 0, inside.first + i, protocol);
	return 0;
}

/* A port that nobody has bound at this moment; 0: none. */
static int free_port(bool datagrams)
{
	cleanup_fd int fd = socket(AF_INET, (datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) != 0)
		return 0;
	return ntohs(address.sin_port);
}

int network_choose_ports(json_object *ports, struct layerblk_error *err)
{
	for (size_t i = 0; ports && i < json_object_array_length(ports); i++) {
		json_object *port = json_object_array_get_idx(ports, i);
		const char *protocol = json_text(port, "protocol");
		int chosen;

		if (json_number(port, "host_port") > 0)
			continue;
		chosen = free_port(protocol && strcmp(protocol, "udp") == 0);
		if (!chosen)
			return layerblk_error_set(err, EADDRNOTAVAIL, "publish the port", "", "no port is free");
		json_object_object_add(port, "host_port", json_object_new_int64(chosen));
	}
	return 0;
}
