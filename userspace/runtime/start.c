// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See start.h. A child with a mount namespace of its own mounts the root and the volumes and starts conmon, which inherits the namespace and
 * the locks: the mounts live as long as conmon and the container, no other process can keep them busy, and when both are gone, however
 * they end, so are the mounts.
 *
 * Before that, the record says "running" and work/ID is in the pool: whatever is killed from then on is cleared up after by the next command.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "conmon.h"
#include "end.h"
#include "exits.h"
#include "filesystem.h"
#include "json.h"
#include "namespace.h"
#include "network.h"
#include "oci.h"
#include "program.h"
#include "ref.h"
#include "root.h"
#include "spec.h"
#include "start.h"
#include "starting.h"
#include "wait.h"

struct start {
	const struct pool *pool;
	struct container *container;
	struct work work;
	struct share_list shares;
	struct root root;
	int starting;			/* of starting.h */
	char bundle[PATH_MAX - 64];
};

/* ------------------------------------------------------------------ in the child */

/* Who looks into a shared root, or a container that has just ended, may have it for a moment. */
static int mount_root(struct start *start, struct layerblk_error *err)
{
	struct wait wait = wait_begin(ROOT_WAIT_MS);
	char rootfs[PATH_MAX];
	int rc;

	snprintf(rootfs, sizeof(rootfs), "%s/rootfs", start->bundle);
	do
		rc = root_mount(start->pool, start->container, rootfs, &start->root, err);
	while (rc == -EBUSY && wait_again(&wait));
	return rc;
}

/* So that whoever has to do with it later asks the same one. */
static int write_runtime(const struct container *container, struct layerblk_error *err)
{
	const char *name = container_text(container, "runtime");
	cleanup_free char *path = name ? program_path(name, err) : NULL, *line = NULL;

	if (!name)
		return 0;
	if (!path)
		return -ENOENT;
	if (asprintf(&line, "%s\n", path) < 0) {
		line = NULL;
		return layerblk_error_set(err, ENOMEM, "use the runtime", name, "no memory");
	}
	return oci_bundle_write(container->id, OCI_RUNTIME_FILE, line, err);
}

static int write_files(const struct start *start, struct layerblk_error *err)
{
	const struct container *container = start->container;
	cleanup_free char *hosts = spec_hosts(container, NULL), *line = NULL, *resolv = network_resolv(container);
	const char *hostname = container_text(container, "hostname");
	int rc;

	if (!hosts || asprintf(&line, "%s\n", hostname ? hostname : container->name) < 0) {
		line = NULL;
		return layerblk_error_set(err, ENOMEM, "prepare the container", container->name, "no memory");
	}
	rc = write_runtime(container, err);
	if (!rc)
		rc = oci_bundle_write(container->id, "hostname", line, err);
	if (!rc)
		rc = oci_bundle_write(container->id, "hosts", hosts, err);
	if (!rc && resolv)
		rc = oci_bundle_write(container->id, "resolv.conf", resolv, err);
	return rc;
}

static int write_spec(const struct start *start, struct layerblk_error *err)
{
	cleanup_json json_object *document = NULL;
	char rootfs[PATH_MAX];
	cleanup_fd int root = -1;
	struct spec spec = { .container = start->container, .bundle = start->bundle, .shares = &start->shares };
	int rc;

	snprintf(rootfs, sizeof(rootfs), "%s/rootfs", start->bundle);
	root = open(rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return layerblk_error_set(err, errno, "open", rootfs, "%s", strerror(errno));
	spec.root = root;
	rc = spec_build(&spec, &document, err);
	if (rc)
		return rc;
	return oci_bundle_write(start->container->id, "config.json",
				json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN), err);
}

static int start_conmon(const struct start *start, struct layerblk_error *err)
{
	const struct container *container = start->container;
	bool tty = container_flag(container, "tty"), interactive = container_flag(container, "interactive");
	cleanup_free int *locks = calloc(start->shares.count + 1 + ROOT_LOCKS, sizeof(*locks));
	char pool[UUID_TEXT], why[1024];
	const char *exit_args[] = { "container-ended", "--pool", uuid_text(start->pool->uuid, pool), container->id, NULL };
	struct conmon conmon = {
		.id = container->id, .name = container->name, .bundle = start->bundle, .log = container_text(container, "log"),
		.tty = tty, .input = interactive && !tty, .keep_input = !container_flag(container, "stdin_once"),
		.locks = locks, .exit_args = exit_args,
	};
	struct conmon_session session;
	pid_t pid;
	int rc;

	if (!locks)
		return layerblk_error_set(err, ENOMEM, "start the container", container->name, "no memory");
	locks[conmon.lock_count++] = start->work.lock;
	root_locks(&start->root, locks + conmon.lock_count);
	conmon.lock_count += ROOT_LOCKS;
	for (size_t i = 0; i < start->shares.count; i++)
		locks[conmon.lock_count++] = start->shares.shares[i].lock;
	rc = conmon_start(&conmon, &session, &pid, why, sizeof(why), err);
	conmon_close(&session);
	return rc;
}

static int in_namespace(void *arg, struct layerblk_error *err)
{
	struct start *start = arg;
	int rc = mount_root(start, err);

	for (size_t i = 0; !rc && i < start->shares.count; i++)
		rc = share_mount(start->pool, &start->shares.shares[i], err);
	if (!rc)
		rc = write_files(start, err);
	if (!rc)
		rc = write_spec(start, err);
	return rc ? rc : start_conmon(start, err);
}

/* ------------------------------------------------------------------ the record */

static int enter(struct start *start, struct layerblk_error *err)
{
	const struct pool *pool = start->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct container *container = start->container;

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "start the container", container->name, "no memory");
	container_set_text(container, "status", "running");
	container_set_time(container, "started");
	container_set_text(container, "error", NULL);
	json_object_object_del(container->record, "oom");
	container_update(attrs, container);
	work_enter(attrs, container->id, CONTAINER_KIND);
	return layerblk_vol_set(pool->lb, pool->uuid, container->volume, NULL, attrs, err);
}

/* As it was, with why it did not start. */
static void leave(struct start *start, const char *before, int status, const struct layerblk_error *why)
{
	const struct pool *pool = start->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct container *container = start->container;
	char text[1600];

	oci_delete(container->id);
	network_down(container);
	container_set_text(container, "status", before);
	container_set_text(container, "error", layerblk_error_format(why, text, sizeof(text)));
	container_set_number(container, "exit_code", status);
	if (!attrs)
		return;			/* the next command does it */
	oci_bundle_remove(container->id);
	root_let_go(pool, container);
	share_release_all(pool, container->record);
	container_update(attrs, container);
	work_leave(attrs, container->id);
	layerblk_vol_set(pool->lb, pool->uuid, container->volume, NULL, attrs, NULL);
}

/* ------------------------------------------------------------------ all of it */

static int make_and_start(struct start *start, start_ready_fn *ready, void *arg, int *status, struct layerblk_error *err)
{
	struct container *container = start->container;
	json_object *words = json_member(container->record, "command", json_type_array);
	int rc = directory_make(CONTAINER_LOGS, err);

	*status = STATUS_FAILED;
	if (!rc)
		rc = oci_bundle_make(container->id, err);
	if (!rc)
		rc = starting_begin(container->id, &start->starting, err);
	if (!rc)
		rc = namespace_run(in_namespace, start, err);
	if (rc == -ECHILD) {
		char said[sizeof(err->why)];

		snprintf(said, sizeof(said), "%s", err->why);
		*status = oci_failure(start->bundle, said, json_object_get_string(json_object_array_get_idx(words, 0)), err);
	}
	if (!rc)
		rc = network_up(container, oci_pid(container->id), err);
	if (!rc && ready)
		rc = ready(arg, container, err);
	if (!rc)
		rc = oci_start(container->id, err);
	if (!rc)
		starting_end(container->id, &start->starting);
	return rc;
}

static int load_again(const struct pool *pool, struct container *container, struct layerblk_error *err)
{
	struct container now;
	int rc = container_load(pool, container->volume, &now, err);

	if (rc)
		return rc;
	container_clear(container);
	*container = now;
	return 0;
}

int container_start(const struct pool *pool, struct container *container, start_ready_fn *ready, void *arg, int *status,
		    struct layerblk_error *err)
{
	struct start start = { .pool = pool, .container = container, .starting = -1, .work.lock = -1 };
	struct layerblk_error why = { 0 };
	char before[16];
	int rc = work_wait(pool, container->id, &start.work, err);

	*status = STATUS_FAILED;
	if (rc == -EBUSY)
		return container_state(pool, container) == CONTAINER_RUNNING ? -EALREADY : rc;
	if (!rc)
		rc = load_again(pool, container, err);
	if (!rc && oci_is_alive(container->id))
		rc = -EALREADY;		/* its conmon is gone */
	if (!rc && strcmp(container_text(container, "status"), "running") == 0)
		rc = container_settle(pool, container, err);
	if (rc)
		goto out;
	snprintf(before, sizeof(before), "%s", container_text(container, "status"));
	oci_bundle_path(container->id, start.bundle, sizeof(start.bundle));
	rc = shares_from_json(json_member(container->record, "mounts", json_type_array), &start.shares, err);
	if (!rc) {
		shares_find_again(pool, &start.shares);
		json_object_object_add(container->record, "mounts", shares_json(&start.shares));
	}
	if (!rc)
		rc = enter(&start, err);
	if (rc)
		goto out;
	rc = make_and_start(&start, ready, arg, status, &why);
	if (rc) {
		leave(&start, before, *status, &why);
		if (err)
			*err = why;
		work_end(&start.work);
	}
out:
	starting_end(container->id, &start.starting);
	shares_clear(&start.shares);
	if (start.work.lock >= 0)	/* conmon has it as well */
		close(start.work.lock);
	return rc;
}

void container_discard(const struct pool *pool, const struct container *container)
{
	struct work work = { .lock = -1 };

	if (work_wait(pool, container->id, &work, NULL) != 0)
		return;
	if (container_remove(pool, container, true, NULL) == 0)
		exit_announce(container->id, STATUS_FAILED);
	work_end(&work);
}
