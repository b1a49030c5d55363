// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See end.h. As a rule conmon's exit command does this, in conmon's mount namespace. When it was killed, or the machine was started anew,
 * the next command does, by work_sweep(): there is nothing to unmount then, for the mounts have gone with the namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "conmon.h"
#include "end.h"
#include "exits.h"
#include "json.h"
#include "namespace.h"
#include "network.h"
#include "oci.h"
#include "root.h"
#include "share.h"
#include "start.h"
#include "wait.h"

#define EXIT_FILE_MS	5000
#define RESTART_MS_MAX	60000

/* conmon lets go of the lock a moment before it writes the status. 137 when nobody wrote it. */
static int exit_status(const struct container *container, const char *bundle)
{
	struct wait wait = wait_begin(EXIT_FILE_MS);
	long long status;

	do
		status = conmon_number(bundle, CONMON_EXIT);
	while (status < 0 && conmon_lives(container->id) && wait_again(&wait));
	return status >= 0 && status < 256 ? (int)status : 137;
}

static bool file_exists(const char *bundle, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", bundle, name);
	return access(path, F_OK) == 0;
}

static int write_record(const struct pool *pool, struct container *container, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "record the end of", container->name, "no memory");
	container_update(attrs, container);
	work_leave(attrs, container->id);
	return layerblk_vol_set(pool->lb, pool->uuid, container->volume, NULL, attrs, err);
}

int container_settle(const struct pool *pool, struct container *container, struct layerblk_error *err)
{
	char bundle[PATH_MAX - 64];
	int status, rc;

	oci_bundle_path(container->id, bundle, sizeof(bundle));
	status = exit_status(container, bundle);
	oci_delete(container->id);
	network_down(container);
	container_set_text(container, "status", "exited");
	container_set_number(container, "exit_code", status);
	container_set_time(container, "finished");
	if (file_exists(bundle, CONMON_OOM))
		json_object_object_add(container->record, "oom", json_object_new_boolean(true));
	if (file_exists(bundle, STOPPED_FILE))
		json_object_object_add(container->record, "stopped", json_object_new_boolean(true));
	else
		json_object_object_del(container->record, "stopped");
	share_release_all(pool, container->record);
	if (container_flag(container, "auto_remove")) {
		rc = container_remove(pool, container, true, err);
	} else {
		root_let_go(pool, container);
		rc = write_record(pool, container, err);
	}
	if (rc)
		return rc;
	oci_bundle_remove(container->id);
	exit_announce(container->id, status);
	return 0;
}

/* Of one that has no record: it was removed by hand, or never had any (run_once.h). */
static int clean_unknown(const struct pool *pool, const char *id, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct container gone = { .record = json_object_new_object() };

	if (!attrs || !gone.record)
		return layerblk_error_set(err, ENOMEM, "forget the container", id, "no memory");
	snprintf(gone.id, sizeof(gone.id), "%s", id);
	container_set_text(&gone, "network", "bridge");
	network_down(&gone);
	container_clear(&gone);
	oci_delete(id);
	oci_bundle_remove(id);
	work_leave(attrs, id);
	return layerblk_attrs_commit(pool->lb, pool->uuid, attrs, err);
}

int container_clean(const struct pool *pool, const char *id, struct layerblk_error *err)
{
	struct layerblk_error why = { 0 };
	struct container container;
	int rc;

	if (oci_is_alive(id))
		return 0;		/* its conmon was killed, it goes on */
	if (conmon_lives(id))
		return 0;		/* and is about to run the exit command, which knows what to do */
	rc = container_find(pool, id, &container, &why);
	if (rc == -ENOENT)
		return clean_unknown(pool, id, err);
	if (!rc) {
		rc = container_settle(pool, &container, &why);
		container_clear(&container);
	}
	if (rc && err)
		*err = why;
	return rc;
}

/* ------------------------------------------------------------------ the exit command */

static bool wants_restart(const struct container *container)
{
	json_object *policy = json_member(container->record, "restart", json_type_object);
	const char *name = json_text(policy, "policy");
	long long most = json_number(policy, "max");

	if (!name || container_flag(container, "stopped") || json_number(container->record, "exit_code") == 0)
		return false;
	return strcmp(name, "on-failure") == 0 && (most <= 0 || json_number(container->record, "restarts") < most);
}

/* 100 ms, then twice as long each time, as Docker does. */
static int restart(const struct pool *pool, struct container *container, struct layerblk_error *err)
{
	long long count = json_number(container->record, "restarts");
	int64_t pause = 100LL << (count > 0 ? (count < 10 ? count : 10) : 0);
	struct timespec time = { .tv_nsec = 0 };
	struct work work = { .lock = -1 };
	int status, rc;

	pause = pause < RESTART_MS_MAX ? pause : RESTART_MS_MAX;
	time.tv_sec = pause / 1000;
	time.tv_nsec = pause % 1000 * 1000000;
	nanosleep(&time, NULL);
	rc = work_wait(pool, container->id, &work, err);
	if (rc)
		return rc;
	container_set_number(container, "restarts", (count > 0 ? count : 0) + 1);
	rc = container_save(pool, container, err);
	work_end(&work);
	return rc ? rc : container_start(pool, container, NULL, NULL, &status, err);
}

int container_ended(const struct pool *pool, const char *id, struct layerblk_error *err)
{
	struct work work = { .lock = -1 };
	struct container container;
	bool again = false;
	int rc;

	namespace_unmount_all();
	rc = work_wait(pool, id, &work, err);
	if (rc)
		return rc == -EBUSY ? 0 : rc;	/* somebody else is at it */
	rc = container_find(pool, id, &container, err);
	if (rc) {
		work_end(&work);
		return rc == -ENOENT ? 0 : rc;
	}
	if (strcmp(container_text(&container, "status"), "running") == 0 && !oci_is_alive(id)) {
		rc = container_settle(pool, &container, err);
		again = !rc && wants_restart(&container);
	}
	work_end(&work);
	if (again)
		rc = restart(pool, &container, err);
	container_clear(&container);
	return rc;
}
