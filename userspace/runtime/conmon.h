/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conmon, the process that stays with a container, or with a command that is executed in one: it holds the terminal or the pipes, writes
 * the log, lets clients attach, waits for the end, writes the exit file and runs our clearing up.
 *
 * What it leaves in the bundle's directory: "attach" (a SOCK_SEQPACKET socket), "ctl" (a FIFO for the terminal's size), "pidfile",
 * "conmon.pid", "exit" (the exit status), "oom" (the kernel's killer was there).
 *
 * It inherits the locks that tell that the container is alive, and lets go of them before it writes the exit file.
 */
#ifndef RUNTIME_CONMON_H
#define RUNTIME_CONMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <layerblk.h>

#define CONMON		"conmon"
#define CONMON_ATTACH	"attach"
#define CONMON_CONTROL	"ctl"
#define CONMON_PID	"pidfile"
#define CONMON_OWN_PID	"conmon.pid"
#define CONMON_EXIT	"exit"
#define CONMON_OOM	"oom"

struct conmon {
	const char *id;			/* of the container */
	const char *name;
	const char *bundle;		/* its directory, or the one of an exec session */
	const char *log;		/* a file; NULL: none */
	const char *exec_spec;		/* a process's JSON: executes it in the container; NULL: makes the container */
	bool tty;
	bool input;			/* a pipe for input, without a terminal */
	bool keep_input;		/* it stays open when a client goes */
	bool attach;			/* exec only: does not begin before conmon_begin() */
	const int *locks;		/* descriptors that it inherits */
	size_t lock_count;
	const char *const *exit_args;	/* our own arguments when all is over; ends with NULL */
};

struct conmon_session {
	int sync;			/* what it tells us; -1: closed */
	int start;			/* exec with attach: what it waits for */
};

/*
 * Starts it and waits until its attach socket is there and, but for an exec with attach, until the process is: *pid, not yet running for a
 * container. -ECHILD: the runtime failed; what it said is in `why`. conmon_close() the session.
 */
int conmon_start(const struct conmon *conmon, struct conmon_session *session, pid_t *pid, char *why, size_t why_size,
		 struct layerblk_error *err);
/* Exec with attach: lets it begin, and waits for the process as conmon_start() does. */
int conmon_begin(struct conmon_session *session, pid_t *pid, char *why, size_t why_size, struct layerblk_error *err);
/* Exec: waits for the end; the exit status, or -1 when it cannot be told. */
int conmon_status(struct conmon_session *session);
void conmon_close(struct conmon_session *session);

/* The number in a file of a bundle's directory; -1: none. */
long long conmon_number(const char *bundle, const char *file);

/* Whether the process that conmon.pid names is this container's conmon, or the exit command that it has become. */
bool conmon_lives(const char *id);

#endif
