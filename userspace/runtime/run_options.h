/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options that run and create have in common. */
#ifndef RUNTIME_RUN_OPTIONS_H
#define RUNTIME_RUN_OPTIONS_H

#include "command.h"
#include "create.h"

#define OPTION_DETACH_KEYS	{ .name = "detach-keys", .value = "KEYS", .help = "Keys that detach (default: ctrl-p,ctrl-q)" }
#define OPTION_SIG_PROXY	{ .name = "sig-proxy", .value = "BOOL", .help = "Pass signals on, unless it has a terminal (default: true)", \
				  .complete = COMPLETE_WORDS, .words = "true false" }

#define CREATE_OPTIONS \
	{ .name = "interactive", .letter = 'i', .help = "Give it our standard input" }, \
	{ .name = "tty", .letter = 't', .help = "Give it a terminal" }, \
	{ .name = "rm", .help = "Remove the container when it ends, with its anonymous volumes" }, \
	{ .name = "name", .value = "NAME", .help = "Name the container (default: two words)" }, \
	{ .name = "cidfile", .value = "FILE", .help = "Write the container's id to FILE", .complete = COMPLETE_FILE }, \
	{ .name = "env", .letter = 'e', .value = "KEY[=VALUE]", .help = "Set a variable, or pass ours on (may be repeated)" }, \
	{ .name = "env-file", .value = "FILE", .help = "Set the variables that FILE lists (may be repeated)", .complete = COMPLETE_FILE }, \
	{ .name = "workdir", .letter = 'w', .value = "DIR", .help = "Working directory", .complete = COMPLETE_DIRECTORY }, \
	{ .name = "user", .letter = 'u', .value = "USER[:GROUP]", .help = "Run as this user, by name or number" }, \
	{ .name = "entrypoint", .value = "PROGRAM", .help = "Run this instead of the image's entrypoint" }, \
	{ .name = "hostname", .letter = 'h', .value = "NAME", .help = "Host name in the container (default: its id)" }, \
	{ .name = "label", .letter = 'l', .value = "KEY[=VALUE]", .help = "Label it (may be repeated)" }, \
	{ .name = "volume", .letter = 'v', .value = "[NAME:]/PATH[:ro]", \
	  .help = "Mount the volume NAME (made if missing) or the directory /NAME at PATH (may be repeated)" }, \
	{ .name = "mount", .value = "type=TYPE,...", .help = "Mount a volume, bind or tmpfs (source=, target=, readonly)" }, \
	{ .name = "tmpfs", .value = "/PATH[:OPTIONS]", .help = "Mount a tmpfs at PATH (may be repeated)" }, \
	{ .name = "volumes-from", .value = "CONTAINER[:ro]", .help = "Mount what that container mounts (may be repeated)" }, \
	{ .name = "read-only", .help = "Mount its root read-only" }, \
	{ .name = "root", .value = "MODE", .help = "\"plain\" (default): a snapshot; or \"shared\": one page cache for all containers of an image", \
	  .complete = COMPLETE_WORDS, .words = "plain shared" }, \
	{ .name = "storage-size", .value = "SIZE", .help = "Let it write at most so much of its own" }, \
	{ .name = "network", .value = "MODE", .help = "\"bridge\" (default: a private net), \"none\" (only loopback) or \"host\"", \
	  .complete = COMPLETE_WORDS, .words = "bridge none host" }, \
	{ .name = "publish", .letter = 'p', .value = "[[IP:]PORT:]PORT", .help = "Publish its port on the machine's (may be repeated)" }, \
	{ .name = "publish-all", .letter = 'P', .help = "Publish all ports that the image exposes" }, \
	{ .name = "dns", .value = "ADDRESS", .help = "Use this name server (may be repeated)" }, \
	{ .name = "dns-search", .value = "DOMAIN", .help = "Search this domain (may be repeated)" }, \
	{ .name = "add-host", .value = "HOST:ADDRESS", .help = "Add a line to /etc/hosts (may be repeated)" }, \
	{ .name = "cap-add", .value = "CAPABILITY", .help = "Give it a capability, or ALL (may be repeated)" }, \
	{ .name = "cap-drop", .value = "CAPABILITY", .help = "Take a capability away, or ALL (may be repeated)" }, \
	{ .name = "privileged", .help = "All capabilities and devices, no filter, nothing masked" }, \
	{ .name = "security-opt", .value = "OPTION", .help = "Forbid more (\"no-new-privileges\") or less (\"seccomp=unconfined\") (may be repeated)" }, \
	{ .name = "device", .value = "/DEV[:/DEV][:rwm]", .help = "Give it a device of the machine (may be repeated)" }, \
	{ .name = "memory", .letter = 'm', .value = "SIZE", .help = "Limit its memory" }, \
	{ .name = "cpus", .value = "NUMBER", .help = "Limit it to so many processors, as 1.5" }, \
	{ .name = "cpuset-cpus", .value = "LIST", .help = "Only on these processors, as 0-2,5" }, \
	{ .name = "shm-size", .value = "SIZE", .help = "Size of its /dev/shm (default: 64M)" }, \
	{ .name = "sysctl", .value = "KEY=VALUE", .help = "Set a kernel parameter of its own namespaces (may be repeated)" }, \
	{ .name = "pids-limit", .value = "NUMBER", .help = "Limit its processes (default: 2048; -1: none)" }, \
	{ .name = "ulimit", .value = "NAME=SOFT[:HARD]", .help = "Limit of its processes, as nofile=1024 (may be repeated)" }, \
	{ .name = "stop-signal", .value = "SIGNAL", .help = "Signal that stops it (default: the image's, or SIGTERM)" }, \
	{ .name = "stop-timeout", .value = "SECONDS", .help = "How long stop waits before it kills (default: 10)" }, \
	{ .name = "restart", .value = "POLICY", .help = "\"no\" (default) or \"on-failure[:N]\": start it again, at most N times" }, \
	{ .name = "runtime", .value = "PROGRAM", .help = "The OCI runtime, by name or path (default: crun)" }, \
	{ .name = "init", .help = "Run an init in it that reaps processes (needs tini or catatonit)" }, \
	OPTION_POOL

/* Options and arguments of a call. create_request_clear() it, also on failure. */
int run_options_take(struct command_call *call, struct create_request *out);

/* "true" or "false"; without the option `missing`. */
bool option_truth(const struct command_call *call, const char *name, bool missing);

#endif
