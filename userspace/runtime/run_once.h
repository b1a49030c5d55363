/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command in a root that somebody else has mounted, run to its end with what containers have by default: the runtime, the capabilities, the filter,
 * the cgroup, the network. It has no record; work/ID is in the pool while it runs, and what a killed command leaves of it, container_clean() clears
 * away. It has a PID namespace of ours around it, which ends with us.
 */
#ifndef RUNTIME_RUN_ONCE_H
#define RUNTIME_RUN_ONCE_H

#include <signal.h>
#include "record.h"
#include "share.h"

/* Told of what it writes on its standard output and error, as it comes. */
typedef void run_once_said_fn(void *arg, const char *text, size_t size);

struct run_once {
	const struct pool *pool;
	const char *directory;		/* where the root is mounted, in our private mount namespace */
	char *const *argv;		/* ends with NULL; argv[0] is looked up in the root by env's PATH */
	char *const *env;		/* "NAME=value", ends with NULL */
	const char *workdir;		/* absolute; exists */
	const char *user;		/* as in an image's config; "" is root */
	const char *hostname;
	const char *network;		/* "none", "host", "bridge" */
	const char *script;		/* a text that it finds as RUN_ONCE_SCRIPT; NULL: none */
	const struct share_list *shares; /* what is mounted in it: SHARE_BIND and SHARE_TMPFS only */
	run_once_said_fn *said;
	void *arg;
	const volatile sig_atomic_t *interrupted; /* set by a handler of SIGINT, SIGTERM or SIGHUP */
};

#define RUN_ONCE_SCRIPT	"/dev/script"

/*
 * 0 when it has run, whatever *status it ended with (128 + N after signal N); -EINTR when it was interrupted; another negative errno with err set
 * when it could not be run. Nothing of it is left: no process, no mount, and no mount point in the root.
 */
int run_once(const struct run_once *run, int *status, struct layerblk_error *err);

#endif
