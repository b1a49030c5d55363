// SPDX-License-Identifier: GPL-2.0-or-later
/* See layer_export.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "json.h"
#include "layer_export.h"
#include "layer_tar.h"
#include "recipe.h"
#include "volume_mount.h"

struct hashed {				/* a sink in front of another one */
	const struct sink *to;
	struct hasher *hash;
	uint64_t bytes;
};

static int hashed_write(void *arg, const void *data, size_t size, struct layerblk_error *err)
{
	struct hashed *hashed = arg;

	hasher_add(hashed->hash, data, size);
	hashed->bytes += size;
	return sink_write(hashed->to, data, size, err);
}

static void take_digests(struct layer *layer, json_object *from)
{
	const char *diff_id = json_text(from, "diff_id"), *chain = json_text(from, "chain");
	long long size = json_number(from, "tar_size");

	if (!diff_id || !chain || size < 0 || !digest_is_sha256(diff_id) || !digest_is_sha256(chain))
		return;
	strcpy(layer->diff_id, diff_id);
	strcpy(layer->chain, chain);
	layer->tar_size = (uint64_t)size;
}

int layer_load(const struct pool *pool, const struct image_record *record, size_t at, struct layer *out,
	       struct layerblk_error *err)
{
	uint64_t volume = record->layers[at];
	cleanup_json json_object *json = NULL;
	struct lb_vol_info info;
	char text[32];

	*out = (struct layer){ .volume = volume, .below = at ? record->layers[at - 1] : 0 };
	snprintf(text, sizeof(text), "%zu", at + 1);
	if (!volume || (at && !out->below) || layerblk_vol_stat(pool->lb, pool->uuid, volume, 0, &info, NULL) != 0 ||
	    !(info.flags & LB_VOL_FROZEN))
		return layerblk_error_set(err, ENOENT, "read the image's layer", text, "its volume has been removed");
	json = layer_attribute(pool, volume);
	snprintf(out->fs, sizeof(out->fs), "%.15s", json_text(json, "fs") ? json_text(json, "fs") : record->fs);
	out->recipe = layer_recipe_place(json);
	if (out->recipe.size)
		take_digests(out, json);
	else
		take_digests(out, json_member(json, "final", json_type_object));
	return 0;
}

static int write_by_recipe(struct layer *layer, const struct volume_mount *mount, const struct sink *to,
			   struct layerblk_error *err)
{
	cleanup_fd int disk = open(mount->device, O_RDONLY | O_CLOEXEC);

	if (disk < 0)
		return layerblk_error_set(err, errno, "open", mount->device, "%s", strerror(errno));
	return recipe_replay(disk, (off_t)layer->recipe.offset, layer->recipe.size, mount->root, to, err);
}

static int write_by_difference(const struct pool *pool, struct layer *layer, const struct volume_mount *mount,
			       const struct sink *to, struct layerblk_error *err)
{
	struct volume_mount below = { .root = -1 };
	int rc = 0;

	if (layer->below)
		rc = volume_mount(pool, layer->below, layer->fs, &below, err);
	if (!rc)
		rc = layer_tar_write(below.root, mount->root, TREES_RELATED, to, err);
	volume_release(&below);
	return rc;
}

static int check(struct layer *layer, struct hashed *hashed, struct layerblk_error *err)
{
	char digest[DIGEST_TEXT], text[32];

	hasher_text(hashed->hash, digest);
	if (!*layer->diff_id) {
		strcpy(layer->diff_id, digest);
		layer->tar_size = hashed->bytes;
		return 0;
	}
	if (strcmp(digest, layer->diff_id) == 0)
		return 0;
	snprintf(text, sizeof(text), "id:%llu", (unsigned long long)layer->volume);
	layerblk_error_set(err, EBADMSG, "write the layer", text, "its tar has the digest %.19s..., and should have %.19s...", digest,
			   layer->diff_id);
	return layerblk_error_hint(err, "Its volume is not what it was: it has been changed, or its disk is damaged");
}

int layer_export(const struct pool *pool, struct layer *layer, const struct sink *to, struct layerblk_error *err)
{
	struct hashed hashed = { .to = to, .hash = hasher_new(NULL) };
	struct sink sink = { hashed_write, &hashed };
	struct volume_mount mount;
	int rc;

	if (!hashed.hash)
		return layerblk_error_set(err, ENOMEM, "write the layer", "", "no memory");
	rc = volume_mount(pool, layer->volume, layer->fs, &mount, err);
	if (!rc) {
		rc = layer->recipe.size ? write_by_recipe(layer, &mount, &sink, err) :
		     write_by_difference(pool, layer, &mount, &sink, err);
		volume_release(&mount);
	}
	if (!rc)
		rc = check(layer, &hashed, err);
	hasher_free(hashed.hash);
	return rc;
}
