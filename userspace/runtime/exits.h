/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting for the end of a container. A waiter makes a file of the container's id; whoever has recorded the end writes the exit status into
 * it and takes its name away, so that the status is there for every waiter even when the container itself is gone, and no file stays.
 */
#ifndef RUNTIME_EXITS_H
#define RUNTIME_EXITS_H

#include "container.h"

struct exit_watch {
	int file;			/* -1: none */
	int notify;
	char id[CONTAINER_ID];
};

/* From before the container's state is looked at. exit_watch_close() it. */
int exit_watch_open(const char *id, struct exit_watch *watch, struct layerblk_error *err);
/*
 * 1 and *status when it has ended, 0 when timeout_ms (-1: none) is over. Clears up after the container when whoever should have done so is
 * gone. `signals`, when not NULL, ends the wait with -EINTR when one of them (which are blocked) has come; it is not taken.
 */
int exit_watch_wait(const struct pool *pool, struct exit_watch *watch, int64_t timeout_ms, const sigset_t *signals, int *status,
		    struct layerblk_error *err);
void exit_watch_close(struct exit_watch *watch);

/* To all who wait. */
void exit_announce(const char *id, int status);

#endif
