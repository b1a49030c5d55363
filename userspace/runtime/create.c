// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See create.h. The snapshot appears in one transaction with its record; until then only volumes have been made, and anonymous ones are
 * removed again when it fails.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "create.h"
#include "fill.h"
#include "json.h"
#include "merge.h"
#include "root.h"
#include "root_template.h"

#define NAME_TRIES	20
#define TEMPLATE_TRIES	5

struct create {
	const struct pool *pool;
	struct create_request *request;
	struct image_record image;
	json_object *config;
	json_object *args;
	uint64_t template;		/* what a shared root is a snapshot of; 0: the root is plain */
	struct container container;
};

void create_request_clear(struct create_request *request)
{
	shares_clear(&request->shares);
	json_object_put(request->settings);
	json_object_put(request->volumes_from);
	memset(request, 0, sizeof(*request));
}

/* ------------------------------------------------------------------ volumes */

/* The mounts of another container that this one does not have: --volumes-from. */
static int take_from(struct create *create, const char *text, struct layerblk_error *err)
{
	cleanup_free char *name = strdup(text);
	char *mode = name ? strchr(name, ':') : NULL;
	struct container other;
	struct share_list mounts;
	int rc;

	if (!name)
		return layerblk_error_set(err, ENOMEM, "use the volumes of", text, "no memory");
	if (mode) {
		*mode++ = '\0';
		if (strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0)
			return layerblk_error_set(err, EINVAL, "use the volumes of", text, "what follows the name is neither \"ro\" nor \"rw\"");
	}
	rc = container_find(create->pool, name, &other, err);
	if (rc)
		return rc;
	rc = shares_from_json(json_member(other.record, "mounts", json_type_array), &mounts, err);
	for (size_t i = 0; !rc && i < mounts.count; i++) {
		struct share *share = &mounts.shares[i];

		if (share->kind == SHARE_TMPFS || shares_have(&create->request->shares, share->target))
			continue;
		share->read_only |= mode && strcmp(mode, "ro") == 0;
		share->anonymous = false;	/* it goes with its own container */
		rc = shares_add(&create->request->shares, share, err);
	}
	shares_clear(&mounts);
	container_clear(&other);
	return rc;
}

static int take_volumes(struct create *create, struct layerblk_error *err)
{
	json_object *from = create->request->volumes_from;
	struct share_list *list = &create->request->shares;
	int rc = 0;

	for (size_t i = 0; !rc && from && i < json_object_array_length(from); i++)
		rc = take_from(create, json_object_get_string(json_object_array_get_idx(from, i)), err);
	if (!rc)
		rc = merge_volumes(list, create->config, err);
	for (size_t i = 0; !rc && i < list->count; i++)
		rc = share_prepare(create->pool, &list->shares[i], err);
	return rc;
}

/* ------------------------------------------------------------------ the record */

static void fill_record(struct create *create)
{
	struct container *container = &create->container;
	char hostname[13], log[sizeof(CONTAINER_LOGS) + CONTAINER_ID + 8];

	container->record = json_object_get(create->request->settings);
	container_set_number(container, "version", 2);
	container_set_text(container, "id", container->id);
	container_set_text(container, "image", create->request->image);
	container_set_text(container, "image_id", create->image.id);
	container_set_text(container, "fs", create->image.fs);
	container_set_number(container, "base", (int64_t)record_top(&create->image));
	container_set_time(container, "created");
	json_object_object_add(container->record, "command", json_object_get(create->args));
	merge_words(container->record, create->config, create->request->entrypoint, create->request->argc, create->request->argv);
	merge_config(container->record, create->config);
	if (!container_text(container, "hostname")) {
		snprintf(hostname, sizeof(hostname), "%.12s", container->id);
		container_set_text(container, "hostname", hostname);
	}
	snprintf(log, sizeof(log), "%s/%s.log", CONTAINER_LOGS, container->id);
	container_set_text(container, "log", log);
	json_object_object_add(container->record, "mounts", shares_json(&create->request->shares));
	container_set_text(container, "status", "created");
}

/* -EEXIST: the name is taken. */
static int make_snapshot(struct create *create, struct layerblk_error *err)
{
	const struct pool *pool = create->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "make the container", create->container.name, "no memory");
	create->container.volume = LB_ATTR_NEW_VOLUME;
	container_enter(attrs, &create->container);
	return layerblk_vol_snapshot(pool->lb, pool->uuid, create->template ? create->template : record_top(&create->image),
				     create->container.name, 0, create->request->quota_blocks, attrs, &create->container.volume, err);
}

/*
 * Of the image's file system and size, so that a container has as much room as with a plain root. make: not under the pool's lock; else
 * -EAGAIN when there is none.
 */
static int find_template(struct create *create, bool make, struct layerblk_error *err)
{
	const struct pool *pool = create->pool;
	const char *root = json_text(create->request->settings, "root"), *fs = create->image.fs;
	struct lb_vol_info info;
	int rc;

	if (!root || strcmp(root, ROOT_SHARED) != 0)
		return 0;
	rc = layerblk_vol_stat(pool->lb, pool->uuid, record_top(&create->image), 0, &info, err);
	if (rc)
		return rc;
	return make ? root_template_make(pool, fs, info.volume_size, err) :
	       root_template_find(pool, fs, info.volume_size, &create->template, err);
}

static int find_image(struct create *create, struct layerblk_error *err)
{
	const struct create_request *request = create->request;
	int rc = record_find(create->pool, request->image, &create->image, err);

	if (!rc)
		rc = record_config(create->pool, &create->image, &create->config, err);
	if (!rc)
		rc = merge_args(create->config, request->entrypoint, request->argc, request->argv, &create->args, err);
	return rc;
}

/*
 * Looks for the image again under the pool's lock, so that it cannot be removed before its child is there. -EAGAIN: the template has gone, or
 * the name is another image's now.
 */
static int make_container(struct create *create, struct layerblk_error *err)
{
	const struct create_request *request = create->request;
	struct image_record again = { 0 };
	cleanup_fd int lock = -1;
	int rc = pool_lock(create->pool, &lock, err), tries = 0;

	if (!rc)
		rc = record_find(create->pool, request->image, &again, err);
	if (rc)
		return rc;
	record_clear(&create->image);
	create->image = again;
	rc = find_template(create, false, err);
	if (rc)
		return rc;
	random_hex(create->container.id, (CONTAINER_ID - 1) / 2);
	fill_record(create);
	do {
		if (request->name)
			snprintf(create->container.name, sizeof(create->container.name), "%s", request->name);
		else
			container_name_invent(create->container.name, sizeof(create->container.name));
		rc = make_snapshot(create, err);
	} while (rc == -EEXIST && !request->name && ++tries < NAME_TRIES);
	return rc == -EEXIST ? container_name_taken(create->container.name, "make the container", err) : rc;
}

static void undo(struct create *create, bool made)
{
	cleanup_json json_object *mounts = shares_json(&create->request->shares), *record = json_object_new_object();

	if (made && container_remove(create->pool, &create->container, false, NULL) != 0)
		return;			/* what it mounts goes with it */
	for (size_t i = 0; i < create->request->shares.count; i++)
		if (!create->request->shares.shares[i].made)	/* not ours, by whatever name */
			json_object_object_del(json_object_array_get_idx(mounts, i), "anonymous");
	json_object_object_add(record, "mounts", take_ptr(mounts));
	share_remove_anonymous(create->pool, record);
}

int container_create(const struct pool *pool, struct create_request *request, struct container *out, struct layerblk_error *err)
{
	struct create create = { .pool = pool, .request = request };
	int tries = 0, rc = request->name ? container_name_check(request->name, err) : 0;
	bool made = false;

	if (!rc)
		rc = find_image(&create, err);
	if (!rc)
		rc = find_template(&create, true, err);
	if (!rc)
		rc = take_volumes(&create, err);
	if (!rc) {
		while ((rc = make_container(&create, err)) == -EAGAIN && tries++ < TEMPLATE_TRIES && !find_template(&create, true, err))
			;
		made = !rc;
	}
	if (made)
		rc = volumes_fill(pool, &create.container, &request->shares, err);
	if (rc) {
		undo(&create, made);
		container_clear(&create.container);
	} else {
		*out = create.container;
	}
	record_clear(&create.image);
	json_object_put(create.config);
	json_object_put(create.args);
	return rc;
}
