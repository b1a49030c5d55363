// SPDX-License-Identifier: GPL-2.0-or-later
/* See stop.h. Whoever clears up (conmon's exit command, or ourselves when it is gone) tells when all is done. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "end.h"
#include "exits.h"
#include "json.h"
#include "oci.h"
#include "signals.h"
#include "stop.h"

#define KILL_MS		30000		/* how long a killed container may take to be gone */

static bool runs(enum container_state state)
{
	return state == CONTAINER_RUNNING || state == CONTAINER_PAUSED;
}

static void mark_stopped(const struct container *container)
{
	oci_bundle_write(container->id, STOPPED_FILE, "", NULL);
}

static int stop_signal(const struct container *container)
{
	const char *text = container_text(container, "stop_signal");
	int number;

	return text && signal_parse(text, &number, NULL) == 0 ? number : SIGTERM;
}

/* A process that is just being ended makes the runtime refuse; what counts is whether it is gone then. */
static int send_signal(const struct container *container, int number, struct layerblk_error *err)
{
	int rc = oci_signal(container->id, number, err);

	return rc && !oci_is_alive(container->id) ? 0 : rc;
}

static int end_by(const struct pool *pool, const struct container *container, struct exit_watch *watch, int number, int64_t ms,
		  struct layerblk_error *err)
{
	bool paused = oci_is_paused(container->id);
	int status, rc = send_signal(container, number, err);

	if (!rc && paused)
		rc = oci_resume(container->id, err);
	return rc ? rc : exit_watch_wait(pool, watch, ms, NULL, &status, err);
}

static int still_there(const struct container *container, struct layerblk_error *err)
{
	return layerblk_error_set(err, ETIMEDOUT, "end the container", container->name, "it was killed, and is not gone");
}

int container_stop(const struct pool *pool, const struct container *container, int seconds, struct layerblk_error *err)
{
	struct exit_watch watch;
	long long own = json_number(container->record, "stop_timeout");
	int rc;

	if (seconds < 0)
		seconds = own >= 0 ? (int)own : STOP_SECONDS;
	rc = exit_watch_open(container->id, &watch, err);
	if (rc)
		return rc;
	if (runs(container_state(pool, container))) {
		mark_stopped(container);
		rc = end_by(pool, container, &watch, stop_signal(container), 1000LL * seconds, err);
		if (rc == 0)
			rc = end_by(pool, container, &watch, SIGKILL, KILL_MS, err);
		if (rc == 0)
			rc = still_there(container, err);
	}
	exit_watch_close(&watch);
	return rc < 0 ? rc : 0;
}

static int not_running(const struct container *container, const char *what, struct layerblk_error *err)
{
	return layerblk_error_set(err, ESRCH, what, container->name, "it is not running");
}

int container_kill(const struct pool *pool, const struct container *container, int number, struct layerblk_error *err)
{
	if (!runs(container_state(pool, container)))
		return not_running(container, "signal the container", err);
	if (number == SIGKILL)
		mark_stopped(container);
	return oci_signal(container->id, number, err);
}

int container_wait(const struct pool *pool, const struct container *container, int *status, struct layerblk_error *err)
{
	struct container now;
	struct exit_watch watch;
	int rc = exit_watch_open(container->id, &watch, err);

	if (rc)
		return rc;
	rc = container_load(pool, container->volume, &now, err);
	if (!rc) {
		if (runs(container_state(pool, &now)) || strcmp(container_text(&now, "status"), "running") == 0)
			rc = exit_watch_wait(pool, &watch, -1, NULL, status, err);
		else
			*status = (int)json_number(now.record, "exit_code");
		if (*status < 0)
			*status = 0;
		container_clear(&now);
	}
	exit_watch_close(&watch);
	return rc < 0 ? rc : 0;
}

static int end_now(const struct pool *pool, const struct container *container, struct layerblk_error *err)
{
	struct exit_watch watch;
	int rc = exit_watch_open(container->id, &watch, err);

	if (rc)
		return rc;
	if (runs(container_state(pool, container))) {
		mark_stopped(container);
		rc = end_by(pool, container, &watch, SIGKILL, KILL_MS, err);
		if (rc == 0)
			rc = still_there(container, err);
	}
	exit_watch_close(&watch);
	return rc < 0 ? rc : 0;
}

int container_destroy(const struct pool *pool, const struct container *container, bool force, bool volumes,
		      struct layerblk_error *err)
{
	struct layerblk_error why = { 0 };
	struct work work = { .lock = -1 };
	struct container now;
	int status, rc;

	if (runs(container_state(pool, container))) {
		if (!force) {
			layerblk_error_set(err, EBUSY, "remove the container", container->name, "it is running");
			return layerblk_error_hint(err, "Stop it first, or use --force");
		}
		rc = end_now(pool, container, err);
		if (rc)
			return rc;
	}
	rc = work_wait(pool, container->id, &work, err);
	if (rc)
		return rc;
	rc = container_load(pool, container->volume, &now, &why);	/* as it is now */
	if (!rc) {
		status = (int)json_number(now.record, "exit_code");
		rc = container_remove(pool, &now, volumes, err);
		if (!rc)
			exit_announce(now.id, status < 0 ? 0 : status);
		container_clear(&now);
	} else if (rc == -ENOENT) {
		rc = 0;			/* it was one with --rm */
	} else if (err) {
		*err = why;
	}
	work_end(&work);
	return rc;
}
