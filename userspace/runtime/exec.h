/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A further command in a container that runs. */
#ifndef RUNTIME_EXEC_H
#define RUNTIME_EXEC_H

#include "attach.h"
#include "container.h"
#include "spec.h"

struct exec_request {
	struct spec_exec process;
	bool input;
	bool detach;
	struct keys keys;
};

/* *status: what to exit with. */
int container_exec(const struct pool *pool, const struct container *container, const struct exec_request *request, int *status,
		   struct layerblk_error *err);

/* Clears up after one: conmon's exit command. */
void exec_ended(const char *id, const char *session);

#endif
