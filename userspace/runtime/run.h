/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a new container in the foreground, from the snapshot to its end. */
#ifndef RUNTIME_RUN_H
#define RUNTIME_RUN_H

#include "container.h"
#include "share.h"

struct run_request {
	const char *image;		/* as it was named */
	const char *name;		/* NULL: invent one */
	const char *hostname;		/* NULL: the id's first 12 digits */
	const char *user;
	const char *workdir;
	const char *entrypoint;		/* NULL: the image's; "": none */
	const char **env;		/* ends with NULL */
	struct share *shares;
	size_t share_count;
	uint64_t quota_blocks;		/* of the container's volume; 0: none */
	bool remove;
	bool interactive;
	bool tty;
	bool read_only;
	bool host_network;
	int argc;			/* the command */
	char *const *argv;
};

/*
 * *status is the exit status to pass on. A negative errno: the container was not started, and nothing of it is left. Moves the
 * process into a mount namespace of its own.
 */
int run_container(const struct pool *pool, const struct run_request *request, int *status, struct layerblk_error *err);

#endif
