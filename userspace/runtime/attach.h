/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our standard streams connected to those of a container, or of a command in one, through conmon's socket. */
#ifndef RUNTIME_ATTACH_H
#define RUNTIME_ATTACH_H

#include <signal.h>
#include <stdbool.h>
#include "keys.h"

typedef void attach_signal_fn(void *arg, int number);

struct attach {
	int socket;			/* -1: none */
	const char *bundle;		/* where conmon's files are */
	bool tty;			/* it has a terminal */
	bool input;			/* ours is passed on */
	struct keys keys;
	attach_signal_fn *signal;	/* gets what we are sent; NULL: it ends us */
	void *arg;
};

enum attach_end {
	ATTACH_OVER,			/* conmon has closed it */
	ATTACH_DETACHED,		/* by the keys, or because our output is closed */
	ATTACH_SIGNALED,		/* by a signal that is not passed on */
};

/* Connects; before the process starts, so that nothing is lost. */
int attach_open(struct attach *attach, struct layerblk_error *err);
/* Passes on until the end, and closes. The signals of attach_signals() must be blocked; *number is the one of ATTACH_SIGNALED. */
enum attach_end attach_run(struct attach *attach, int *number);
void attach_close(struct attach *attach);

/* Those that are passed on, and SIGWINCH. Blocks them, and ignores SIGPIPE. */
void attach_signals(sigset_t *signals);

#endif
