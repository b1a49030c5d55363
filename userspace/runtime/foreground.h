/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A container in the foreground: our streams are its streams, until it ends or is detached from. */
#ifndef RUNTIME_FOREGROUND_H
#define RUNTIME_FOREGROUND_H

#include "attach.h"
#include "container.h"

struct foreground {
	bool input;			/* ours is passed on */
	bool output;			/* false: only started, not attached to */
	bool sig_proxy;
	struct keys keys;
};

/*
 * Starts it and stays with it. *status: what to exit with, the container's exit status, 0 when it was detached from, or one of STATUS_* with
 * a negative errno.
 */
int foreground_start(const struct pool *pool, struct container *container, const struct foreground *how, int *status,
		     struct layerblk_error *err);
/* The same with one that runs. */
int foreground_attach(const struct pool *pool, struct container *container, const struct foreground *how, int *status,
		      struct layerblk_error *err);

#endif
