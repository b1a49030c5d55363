// SPDX-License-Identifier: GPL-2.0-or-later
/* See foreground.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cleanup.h"
#include "exits.h"
#include "foreground.h"
#include "oci.h"
#include "start.h"

struct session {
	const struct pool *pool;
	struct container *container;
	const struct foreground *how;
	struct attach attach;
	struct exit_watch watch;
	char bundle[PATH_MAX - 64];
};

static void pass_on(void *arg, int number)
{
	struct session *session = arg;

	oci_signal(session->container->id, number, NULL);	/* it may just have ended */
}

static int connect_to(void *arg, const struct container *container, struct layerblk_error *err)
{
	struct session *session = arg;

	(void)container;
	return session->how->output ? attach_open(&session->attach, err) : 0;
}

static int begin(struct session *session, const struct pool *pool, struct container *container, const struct foreground *how,
		 struct layerblk_error *err)
{
	bool tty = container_flag(container, "tty");

	*session = (struct session){ .pool = pool, .container = container, .how = how };
	oci_bundle_path(container->id, session->bundle, sizeof(session->bundle));
	session->attach = (struct attach){ .socket = -1, .bundle = session->bundle, .tty = tty, .keys = how->keys, .arg = session,
					   .input = how->input && container_flag(container, "interactive") };
	if (how->sig_proxy && !tty)
		session->attach.signal = pass_on;
	return exit_watch_open(container->id, &session->watch, err);
}

/* After the output's end: its clearing up, too, is waited for. Signals still go to it. */
static int wait_for_end(struct session *session, const sigset_t *signals, int *status, struct layerblk_error *err)
{
	int rc, number;

	for (;;) {
		rc = exit_watch_wait(session->pool, &session->watch, -1, signals, status, err);
		if (rc != -EINTR)
			return rc < 0 ? rc : 0;
		number = sigwaitinfo(signals, NULL);
		if (number > 0 && session->attach.signal)
			pass_on(session, number);
		else if (number > 0 && number != SIGWINCH) {
			*status = 128 + number;
			return 0;
		}
	}
}

static int stay(struct session *session, int *status, struct layerblk_error *err)
{
	sigset_t signals;
	int number = 0;

	attach_signals(&signals);
	switch (attach_run(&session->attach, &number)) {
	case ATTACH_DETACHED:
		if (session->attach.tty && isatty(STDERR_FILENO))
			fprintf(stderr, "read escape sequence\n");
		*status = 0;
		return 0;
	case ATTACH_SIGNALED:
		*status = 128 + number;
		return 0;
	default:
		return wait_for_end(session, &signals, status, err);
	}
}

int foreground_start(const struct pool *pool, struct container *container, const struct foreground *how, int *status,
		     struct layerblk_error *err)
{
	struct session session;
	int rc = begin(&session, pool, container, how, err);

	*status = STATUS_FAILED;
	if (rc)
		return rc;
	rc = container_start(pool, container, connect_to, &session, status, err);
	if (!rc)
		*status = 0;
	if (!rc && how->output)
		rc = stay(&session, status, err);
	attach_close(&session.attach);
	exit_watch_close(&session.watch);
	return rc;
}

int foreground_attach(const struct pool *pool, struct container *container, const struct foreground *how, int *status,
		      struct layerblk_error *err)
{
	struct session session;
	int rc = begin(&session, pool, container, how, err);

	*status = 1;
	if (rc)
		return rc;
	switch (container_state(pool, container)) {
	case CONTAINER_RUNNING:
		rc = attach_open(&session.attach, err);
		break;
	case CONTAINER_PAUSED:
		layerblk_error_set(err, EBUSY, "attach to the container", container->name, "it is paused");
		rc = layerblk_error_hint(err, "\"layerctl unpause\" lets it go on");
		break;
	default:
		layerblk_error_set(err, ESRCH, "attach to the container", container->name, "it is not running");
		rc = layerblk_error_hint(err, "\"layerctl start\" starts it");
	}
	if (!rc)
		rc = stay(&session, status, err);
	attach_close(&session.attach);
	exit_watch_close(&session.watch);
	return rc;
}
