// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See run.h. The root and the data volumes are mounted in a mount namespace that only this process, the runtime and (as a
 * copy) the container have: when they end, however they end, the mounts are gone, and no other process can hold them. What a killed
 * command leaves is the snapshot and its entry in work/, which the next command clears away.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "disk.h"
#include "filesystem.h"
#include "json.h"
#include "oci.h"
#include "report.h"
#include "run.h"
#include "spec.h"

#define NAME_TRIES	20

struct run {
	const struct pool *pool;
	const struct run_request *request;
	struct image_record image;
	json_object *config;
	json_object *args;
	struct container container;
	struct work work;
	bool mounted;
	char rootfs[PATH_MAX];
	char hostname[65];
};

/* ------------------------------------------------------------------ making */

static json_object *mounts_json(const struct run_request *request)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < request->share_count; i++)
		json_object_array_add(array, share_json(&request->shares[i]));
	return array;
}

static void fill_record(struct run *run)
{
	const struct run_request *request = run->request;
	struct container *container = &run->container;

	container->record = json_object_new_object();
	container_set_number(container, "version", 1);
	container_set_text(container, "id", container->id);
	container_set_text(container, "image", request->image);
	container_set_text(container, "image_id", run->image.id);
	container_set_text(container, "fs", run->image.fs);
	container_set_time(container, "created");
	json_object_object_add(container->record, "command", json_object_get(run->args));
	json_object_object_add(container->record, "auto_remove", json_object_new_boolean(request->remove));
	json_object_object_add(container->record, "tty", json_object_new_boolean(request->tty));
	container_set_text(container, "network", request->host_network ? "host" : "none");
	container_set_text(container, "hostname", run->hostname);
	json_object_object_add(container->record, "mounts", mounts_json(request));
	container_set_text(container, "status", "running");
	container_set_time(container, "started");
}

/* The snapshot, with all that is known of the container, in one transaction. -EEXIST: the name is taken. */
static int make_snapshot(struct run *run, struct layerblk_error *err)
{
	const struct pool *pool = run->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	int rc = work_begin(pool, run->container.name, &run->work, err);

	if (rc)
		return rc == -EBUSY ? -EEXIST : rc;
	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "make the container", run->container.name, "no memory");
	run->container.volume = LB_ATTR_NEW_VOLUME;
	container_enter(attrs, &run->container);
	work_enter(attrs, run->container.name, CONTAINER_KIND);
	rc = layerblk_vol_snapshot(pool->lb, pool->uuid, record_top(&run->image), run->container.name, 0,
				   run->request->quota_blocks, attrs, &run->container.volume, err);
	if (rc)
		work_end(&run->work);
	return rc;
}

static int name_taken(const char *name, struct layerblk_error *err)
{
	layerblk_error_set(err, EEXIST, "make the container", name, "a container or volume of this name exists");
	return layerblk_error_hint(err, "Choose another --name, or remove that one");
}

/* Finds the image again under the pool's lock, so that it cannot be removed before its child is there. */
static int make_container(struct run *run, struct layerblk_error *err)
{
	const struct run_request *request = run->request;
	cleanup_fd int lock = -1;
	int rc = pool_lock(run->pool, &lock, err), tries = 0;

	if (!rc)
		rc = record_find(run->pool, request->image, &run->image, err);
	if (!rc)
		rc = record_config(run->pool, &run->image, &run->config, err);
	if (!rc)
		rc = spec_args(run->config, request->entrypoint, request->argc, request->argv, &run->args, err);
	if (rc)
		return rc;
	random_hex(run->container.id, (CONTAINER_ID - 1) / 2);
	snprintf(run->hostname, sizeof(run->hostname), "%.*s", request->hostname ? 64 : 12,
		 request->hostname ? request->hostname : run->container.id);
	fill_record(run);
	do {
		if (request->name)
			snprintf(run->container.name, sizeof(run->container.name), "%s", request->name);
		else
			container_name_invent(run->container.name, sizeof(run->container.name));
		rc = make_snapshot(run, err);
	} while (rc == -EEXIST && !request->name && ++tries < NAME_TRIES);
	return rc == -EEXIST ? name_taken(run->container.name, err) : rc;
}

/* ------------------------------------------------------------------ mounting */

static int mount_root(struct run *run, struct layerblk_error *err)
{
	char device[DISK_PATH], bundle[PATH_MAX - 16];
	int rc = oci_bundle_make(run->container.id, err);

	if (!rc)
		rc = disk_activate(run->pool->lb, run->pool->uuid, run->container.volume, 0, device, err);
	if (rc)
		return rc;
	oci_bundle_path(run->container.id, bundle, sizeof(bundle));
	snprintf(run->rootfs, sizeof(run->rootfs), "%s/rootfs", bundle);
	rc = disk_mount(device, run->rootfs, NULL, "nodev", false, err);
	run->mounted = !rc;
	return rc;
}

static int mount_all(struct run *run, struct layerblk_error *err)
{
	int rc = mounts_make_private(err);

	if (!rc)
		rc = mount_root(run, err);
	for (size_t i = 0; !rc && i < run->request->share_count; i++)
		rc = share_mount(run->pool, &run->request->shares[i], err);
	return rc;
}

/* Never gives up: what cannot be let go of now is noted, and the next command goes on with it. */
static void unmount_all(struct run *run)
{
	struct layerblk_error err = { 0 };
	char text[1600];

	if (run->mounted && disk_umount(run->rootfs, true, &err) != 0)
		report_note("%s", layerblk_error_format(&err, text, sizeof(text)));
	run->mounted = false;
	for (size_t i = run->request->share_count; i-- > 0;)
		share_release(run->pool, &run->request->shares[i]);
	oci_bundle_remove(run->container.id);
}

/* ------------------------------------------------------------------ running */

static int write_files(const struct run *run, struct layerblk_error *err)
{
	cleanup_free char *hosts = spec_hosts(run->hostname), *line = NULL, *resolv = NULL;
	const char *id = run->container.id;
	int rc;

	if (!hosts || asprintf(&line, "%s\n", run->hostname) < 0) {
		line = NULL;
		return layerblk_error_set(err, ENOMEM, "prepare the container", run->container.name, "no memory");
	}
	rc = oci_bundle_write(id, "hostname", line, err);
	if (!rc)
		rc = oci_bundle_write(id, "hosts", hosts, err);
	if (!rc && run->request->host_network) {
		FILE *file = fopen("/etc/resolv.conf", "re");
		size_t room = 0;

		if (file && getdelim(&resolv, &room, '\0', file) > 0)
			rc = oci_bundle_write(id, "resolv.conf", resolv, err);
		if (file)
			fclose(file);
	}
	return rc;
}

static int write_spec(const struct run *run, struct layerblk_error *err)
{
	const struct run_request *request = run->request;
	cleanup_fd int root = open(run->rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_json json_object *document = NULL;
	char bundle[PATH_MAX];
	struct spec spec = {
		.config = run->config, .id = run->container.id, .name = run->container.name, .hostname = run->hostname,
		.bundle = bundle, .root = root, .args = run->args, .user = request->user, .workdir = request->workdir,
		.env = request->env, .tty = request->tty, .read_only = request->read_only,
		.host_network = request->host_network, .shares = request->shares, .share_count = request->share_count,
	};
	int rc;

	if (root < 0)
		return layerblk_error_set(err, errno, "open", run->rootfs, "%s", strerror(errno));
	oci_bundle_path(run->container.id, bundle, sizeof(bundle));
	rc = spec_build(&spec, &document, err);
	if (rc)
		return rc;
	return oci_bundle_write(run->container.id, "config.json",
				json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN), err);
}

static int start(struct run *run, int *status, struct layerblk_error *err)
{
	int rc = mount_all(run, err);

	if (!rc)
		rc = write_files(run, err);
	if (!rc)
		rc = write_spec(run, err);
	if (!rc)	/* with a terminal, the runtime needs ours on its input */
		rc = oci_run(run->container.id, run->request->interactive || run->request->tty, status, err);
	oci_delete(run->container.id);
	return rc;
}

/* A container that was not started is not kept. */
static void finish(struct run *run, bool started, int status)
{
	struct layerblk_error err = { 0 };
	char text[1600];
	int rc;

	unmount_all(run);
	rc = started ? container_finish(run->pool, &run->container, status, &err) :
		       container_remove(run->pool, &run->container, &err);
	if (rc)
		report_note("%s is cleared away by the next command: %s", run->container.name,
			    layerblk_error_format(&err, text, sizeof(text)));
	work_end(&run->work);
}

int run_container(const struct pool *pool, const struct run_request *request, int *status, struct layerblk_error *err)
{
	struct run run = { .pool = pool, .request = request, .work.lock = -1 };
	int rc = request->name ? container_name_check(request->name, err) : 0;

	for (size_t i = 0; !rc && i < request->share_count; i++)
		rc = share_prepare(pool, &request->shares[i], err);
	if (!rc)
		rc = make_container(&run, err);
	if (!rc) {
		rc = start(&run, status, err);
		finish(&run, !rc, *status);
	}
	record_clear(&run.image);
	container_clear(&run.container);
	if (run.config)
		json_object_put(run.config);
	if (run.args)
		json_object_put(run.args);
	return rc;
}
