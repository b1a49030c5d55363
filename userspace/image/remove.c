// SPDX-License-Identifier: GPL-2.0-or-later
/* See remove.h. All of it happens under the pool's lock. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "disk.h"
#include "hold.h"
#include "identity.h"
#include "json.h"
#include "remove.h"
#include "report.h"
#include "work.h"

struct removal {
	const struct pool *pool;
	struct catalogue all;
	struct lb_vol_info *volumes;	/* all visible ones */
	size_t volume_count;
	uint64_t *shared;		/* layers that containers with shared roots are laid over, without being their children */
	size_t shared_count;
	struct image_record record;
	char target[KEY_TEXT];
	const char *text;
	const char *only_tag;		/* the name that text is, or NULL: it is an id */
	size_t tag_count;		/* names of the image */
	uint64_t bytes;			/* what the layers that have gone owned */
	remove_said_fn *said;
	void *arg;
};

static void removal_clear(struct removal *removal)
{
	catalogue_clear(&removal->all);
	record_clear(&removal->record);
	free(removal->volumes);
	free(removal->shared);
}

/* -ENOENT: the volume is no container. *json may be NULL even so. */
static int container_record(const struct pool *pool, const struct lb_vol_info *info, json_object **json)
{
	cleanup_free char *text = NULL;
	size_t size;

	*json = NULL;
	if ((info->flags & LB_VOL_FROZEN) || layerblk_attr_get(pool->lb, pool->uuid, info->id, ATTR_CONTAINER, &text, &size, NULL) != 0)
		return -ENOENT;
	json_parse(text, size, json_type_object, "", json, NULL);
	return 0;
}

/* The layer that a container with a shared root is laid over; 0 for others. */
static uint64_t shared_layer(json_object *json)
{
	const char *root = json_text(json, "root");
	long long base = json_number(json, "base");

	return root && strcmp(root, "shared") == 0 && base > 0 ? (uint64_t)base : 0;
}

static int load_volumes(struct removal *removal, struct layerblk_error *err)
{
	const struct pool *pool = removal->pool;
	int rc = layerblk_vol_list(pool->lb, pool->uuid, 0, &removal->volumes, &removal->volume_count, err);

	if (rc)
		return rc;
	removal->shared = calloc(removal->volume_count + 1, sizeof(*removal->shared));
	if (!removal->shared)
		return layerblk_error_set(err, ENOMEM, "look for containers", "", "no memory");
	for (size_t i = 0; i < removal->volume_count; i++) {
		cleanup_json json_object *json = NULL;

		if (container_record(pool, &removal->volumes[i], &json) == 0 && shared_layer(json))
			removal->shared[removal->shared_count++] = shared_layer(json);
	}
	return 0;
}

/* target: that of the image, or NULL for the one that removal->text names. */
static int removal_load(struct removal *removal, const char *target, struct layerblk_error *err)
{
	const struct pool *pool = removal->pool;
	char normal[REFERENCE_MAX];
	int rc = target ? record_load(pool, target, &removal->record, err) :
		 record_find(pool, removal->text, &removal->record, err);

	if (!rc)
		rc = catalogue_load(pool, &removal->all, err);
	if (!rc)
		rc = load_volumes(removal, err);
	if (rc)
		return rc;
	record_target(&removal->record, removal->target);
	if (reference_normalize(removal->text, normal, NULL) != 0)
		*normal = '\0';
	for (size_t i = 0; i < removal->all.tag_count; i++) {
		const struct tag *tag = &removal->all.tags[i];

		if (strcmp(tag->target, removal->target) != 0)
			continue;
		removal->tag_count++;
		if (strcmp(tag->name, normal) == 0)
			removal->only_tag = tag->name;
	}
	return 0;
}

/* Whether a volume is `top`, or a descendant of it. */
static bool descends_from(const struct removal *removal, uint64_t id, uint64_t top)
{
	for (size_t depth = 0; id && id != top && depth <= removal->volume_count; depth++) {
		uint64_t parent = 0;

		for (size_t i = 0; i < removal->volume_count; i++)
			if (removal->volumes[i].id == id)
				parent = removal->volumes[i].parent;
		id = parent;
	}
	return id && id == top;
}

/* A container that was made from the image: its name, malloc()ed, or NULL. */
static char *user_of(const struct removal *removal)
{
	const struct pool *pool = removal->pool;
	uint64_t top = record_top(&removal->record);

	for (size_t i = 0; i < removal->volume_count; i++) {
		cleanup_json json_object *json = NULL;
		const char *image;

		if (container_record(pool, &removal->volumes[i], &json) != 0 ||
		    (shared_layer(json) != top && !descends_from(removal, removal->volumes[i].parent, top)))
			continue;
		/* Two images can have the same layers; and a commit puts a layer between a container and its image. */
		image = json ? json_text(json, "image_id") : NULL;
		if (image ? !record_has_id(pool, &removal->record, image) : removal->volumes[i].parent != top)
			continue;
		return strdup(removal->volumes[i].name);
	}
	return NULL;
}

/* Whether a volume descends from it, or a container is laid over it. */
static bool is_below(const struct removal *removal, uint64_t id)
{
	for (size_t i = 0; i < removal->volume_count; i++)
		if (removal->volumes[i].parent == id)
			return true;
	for (size_t i = 0; i < removal->shared_count; i++)
		if (removal->shared[i] == id)
			return true;
	return false;
}

static bool in_other_image(const struct removal *removal, uint64_t id)
{
	char target[KEY_TEXT];

	for (size_t i = 0; i < removal->all.record_count; i++) {
		const struct image_record *other = &removal->all.records[i];

		record_target(other, target);
		if (strcmp(target, removal->target) == 0)
			continue;
		for (size_t j = 0; j < other->layer_count; j++)
			if (other->layers[j] == id)
				return true;
	}
	return false;
}

static void forget_volume(struct removal *removal, uint64_t id)
{
	for (size_t i = 0; i < removal->volume_count; i++)
		if (removal->volumes[i].id == id)
			removal->volumes[i] = removal->volumes[--removal->volume_count];
}

static uint64_t owned_bytes(const struct removal *removal, uint64_t id)
{
	for (size_t i = 0; i < removal->volume_count; i++)
		if (removal->volumes[i].id == id)
			return removal->volumes[i].owned_blocks * LB_BLOCK_SIZE;
	return 0;
}

static bool removable(const struct removal *removal, uint64_t id)
{
	return id && !in_other_image(removal, id) && !is_below(removal, id);
}

/*
 * One layer, with whatever else is in the transaction. Its keys go, as far as they are this volume's. said: what it was, for
 * the one who is told.
 */
static int remove_layer(struct removal *removal, uint64_t id, struct layerblk_attrs *attrs, char said[DIGEST_TEXT],
			struct layerblk_error *err)
{
	const struct pool *pool = removal->pool;
	uint64_t owned = owned_bytes(removal, id);
	cleanup_json json_object *json = layer_attribute(pool, id);
	const char *chains[2], *fs = json_text(json, "fs");
	char key[KEY_TEXT];
	int rc;

	layer_chains(json, &chains[0], &chains[1]);
	for (int i = 0; fs && i < 2; i++) {
		if (*chains[i]) {
			layer_key(fs, chains[i], key);
			key_drop_of(pool, attrs, key, id);
		}
	}
	if (fs && json_text(json, "build")) {
		build_key(fs, json_text(json, "build"), key);
		key_drop_of(pool, attrs, key, id);
	}
	identity_drop(pool, attrs, id);
	rc = disk_deactivate(pool->lb, pool->uuid, id, err);
	if (!rc)
		rc = layerblk_vol_rm(pool->lb, pool->uuid, id, 0, attrs, err);
	if (rc)
		return rc;
	hold_forget(pool, id);
	removal->bytes += owned;
	forget_volume(removal, id);
	snprintf(said, DIGEST_TEXT, "%s", *chains[1] ? chains[1] : *chains[0] ? chains[0] : "a layer");
	return 0;
}

/* The lower layers. A failure ends it: what is left is whole and is found again. */
static void remove_lower(struct removal *removal)
{
	struct layerblk_error err = { 0 };
	char text[1600], gone[DIGEST_TEXT];

	for (size_t i = removal->record.layer_count - 1; i-- > 0;) {
		cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
		uint64_t id = removal->record.layers[i];

		if (!id)
			continue;
		if (!attrs || !removable(removal, id))
			return;
		if (remove_layer(removal, id, attrs, gone, &err) != 0) {
			report_note("a layer stays: %s", layerblk_error_format(&err, text, sizeof(text)));
			return;
		}
		removal->said(removal->arg, "Deleted", gone);
	}
}

static int remove_record(struct removal *removal, struct layerblk_error *err)
{
	const struct pool *pool = removal->pool;
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	uint64_t top = record_top(&removal->record);
	bool with_top = removable(removal, top);
	char gone[DIGEST_TEXT];
	int rc;

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "remove the image", removal->text, "no memory");
	record_drop(attrs, &removal->record);
	rc = record_drop_aliases(pool, attrs, &removal->record, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < removal->all.tag_count; i++)
		if (strcmp(removal->all.tags[i].target, removal->target) == 0)
			record_drop_tag(attrs, removal->all.tags[i].name);
	rc = with_top ? remove_layer(removal, top, attrs, gone, err) :
	     layerblk_attrs_commit(pool->lb, pool->uuid, attrs, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < removal->all.tag_count; i++)
		if (strcmp(removal->all.tags[i].target, removal->target) == 0)
			removal->said(removal->arg, "Untagged", removal->all.tags[i].name);
	removal->said(removal->arg, "Deleted", removal->record.id);
	if (with_top) {
		removal->said(removal->arg, "Deleted", gone);
		remove_lower(removal);
	}
	return 0;
}

static int untag(struct removal *removal, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	int rc;

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "remove the image", removal->text, "no memory");
	record_drop_tag(attrs, removal->only_tag);
	rc = layerblk_attrs_commit(removal->pool->lb, removal->pool->uuid, attrs, err);
	if (!rc)
		removal->said(removal->arg, "Untagged", removal->only_tag);
	return rc;
}

static int check(const struct removal *removal, bool force, struct layerblk_error *err)
{
	cleanup_free char *user = force ? NULL : user_of(removal);

	if (user) {
		layerblk_error_set(err, EBUSY, "remove the image", removal->text, "the container %s was made from it", user);
		return layerblk_error_hint(err, "Remove the container first, or use --force: its layers then stay until it goes");
	}
	if (!force && !removal->only_tag && removal->tag_count > 1) {
		layerblk_error_set(err, EBUSY, "remove the image", removal->text, "it has %zu names", removal->tag_count);
		return layerblk_error_hint(err, "Remove the names, or use --force");
	}
	return 0;
}

/* target: exactly this image, or NULL for the one that text names. */
static int remove_image(const struct pool *pool, const char *target, const char *text, bool force, remove_said_fn *said,
			void *arg, struct layerblk_error *err)
{
	struct removal removal = { .pool = pool, .text = text, .said = said, .arg = arg };
	cleanup_fd int lock = -1;
	int rc = pool_lock(pool, &lock, err);

	if (rc)
		return rc;
	rc = removal_load(&removal, target, err);
	if (!rc && removal.only_tag && removal.tag_count > 1) {
		rc = untag(&removal, err);
	} else if (!rc) {
		rc = check(&removal, force, err);
		if (!rc)
			rc = remove_record(&removal, err);
	}
	removal_clear(&removal);
	return rc;
}

int image_remove(const struct pool *pool, const char *text, bool force, remove_said_fn *said, void *arg,
		 struct layerblk_error *err)
{
	return remove_image(pool, NULL, text, force, said, arg, err);
}

/* ------------------------------------------------------------------ prune */

static bool has_name(const struct catalogue *all, const char *target)
{
	for (size_t i = 0; i < all->tag_count; i++)
		if (strcmp(all->tags[i].target, target) == 0)
			return true;
	return false;
}

/* One image with all its names, unless a container was made from it. */
static int prune_image(const struct pool *pool, const char *target, const char *id, uint64_t *bytes, remove_said_fn *said, void *arg,
		       struct layerblk_error *err)
{
	struct removal removal = { .pool = pool, .text = id, .said = said, .arg = arg };
	cleanup_free char *user = NULL;
	cleanup_fd int lock = -1;
	int rc = pool_lock(pool, &lock, err);

	if (rc)
		return rc;
	rc = removal_load(&removal, target, err);
	if (!rc) {
		user = user_of(&removal);
		rc = user ? 0 : remove_record(&removal, err);
		*bytes += removal.bytes;
	}
	removal_clear(&removal);
	return rc == -ENOENT ? 0 : rc;
}

/* Images first: their layers may then be used by nothing. */
static int prune_images(const struct pool *pool, bool named, uint64_t *bytes, remove_said_fn *said, void *arg, struct layerblk_error *err)
{
	struct catalogue all;
	char target[KEY_TEXT];
	int rc = catalogue_load(pool, &all, err);

	for (size_t i = 0; !rc && i < all.record_count; i++) {
		record_target(&all.records[i], target);
		if (named || !has_name(&all, target))
			rc = prune_image(pool, target, all.records[i].id, bytes, said, arg, err);
	}
	catalogue_clear(&all);
	return rc;
}

/* One round over all volumes; *removed: how many went, after which others may have become childless. */
static int prune_layers(struct removal *removal, size_t *removed, struct layerblk_error *err)
{
	char gone[DIGEST_TEXT];
	int rc;

	*removed = 0;
	for (size_t i = removal->volume_count; i-- > 0;) {
		cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
		struct lb_vol_info info = removal->volumes[i];
		json_object *json;

		if (!(info.flags & LB_VOL_FROZEN) || !removable(removal, info.id))
			continue;
		json = layer_attribute(removal->pool, info.id);
		json_object_put(json);
		if (!json)
			continue;	/* a snapshot that somebody made */
		if (!attrs)
			return layerblk_error_set(err, ENOMEM, "remove the layer", info.name, "no memory");
		rc = remove_layer(removal, info.id, attrs, gone, err);
		if (rc)
			return rc;
		removal->said(removal->arg, "Deleted", gone);
		++*removed;
	}
	return 0;
}

int image_prune(const struct pool *pool, bool all, uint64_t *bytes, remove_said_fn *said, void *arg, struct layerblk_error *err)
{
	struct removal removal = { .pool = pool, .said = said, .arg = arg };
	cleanup_fd int lock = -1;
	size_t removed = 1;
	int rc;

	*bytes = 0;
	rc = prune_images(pool, all, bytes, said, arg, err);
	if (!rc)
		rc = pool_lock(pool, &lock, err);
	if (!rc)
		rc = catalogue_load(pool, &removal.all, err);
	if (!rc)
		rc = load_volumes(&removal, err);
	while (!rc && removed > 0)
		rc = prune_layers(&removal, &removed, err);
	*bytes += removal.bytes;
	removal_clear(&removal);
	return rc;
}
