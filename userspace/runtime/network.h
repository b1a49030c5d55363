/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container's network: "none" (loopback only), "host" (the machine's), or "bridge": an address of a private net behind a bridge of ours,
 * with ports of the machine that lead to it. The bridge, the addresses and the ports are made by the plugins of the Container Network
 * Interface (bridge, host-local, portmap), which are asked once the container's namespace is there and before anything runs in it.
 *
 * What the plugins keep is in RUN_DIR/network; what they said for a container, in its bundle.
 */
#ifndef RUNTIME_NETWORK_H
#define RUNTIME_NETWORK_H

#include "container.h"

#define NETWORK_BRIDGE	"layerblk-br0"
#define NETWORK_FILE	"network.json"	/* in the bundle: the plugins' last answer */

/* What a container gets that names none: LAYERBLK_NETWORK, or "bridge", or "none" when the plugins are not installed. */
const char *network_default(void);

/* "[IP:][PORT:]PORT[/PROTO]", ranges too ("8000-8003:80-83"), added to an array of {host_ip,host_port,port,protocol}; host_port 0: any. */
int network_parse_port(const char *text, json_object *to, struct layerblk_error *err);
/* Gives a free port of the machine to each that has none. */
int network_choose_ports(json_object *ports, struct layerblk_error *err);

/* Before the container's first process runs. */
int network_up(const struct container *container, pid_t pid, struct layerblk_error *err);
/* After it has ended; also when it was never up. */
void network_down(const struct container *container);

/* The address of a container that is up, or "". */
void network_address(const struct container *container, char *text, size_t size);

/* The file for /etc/resolv.conf, malloc()ed; NULL: none. */
char *network_resolv(const struct container *container);

#endif
