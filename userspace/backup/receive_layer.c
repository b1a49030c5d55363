// SPDX-License-Identifier: GPL-2.0-or-later
/* See receive_layer.h. The pool is locked from looking the layer below up to making its child, and while the layer is entered. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "disk.h"
#include "json.h"
#include "receive_layer.h"

static const char *name_of(const struct receive_layer *layer)
{
	return layer_description_diff_id(&layer->description);
}

/* ------------------------------------------------------------------ beginning */

static int no_base(const struct receive_layer *layer, const char *base, struct layerblk_error *err)
{
	layerblk_error_set(err, ENOENT, "receive the layer", name_of(layer), "the stream follows on the layer %.12s, which this pool does not have",
			   base);
	return layerblk_error_hint(err, "Send the image without --have, or with what `layerctl receive --have` prints now");
}

/* A provisional ChainID is of no use but to find the layer again upon the one below: it has to be that one's. */
static int check_chain(struct receive_layer *layer, struct layerblk_error *err)
{
	cleanup_json json_object *attribute = layer->below ? layer_attribute(layer->pool, layer->below) : NULL;
	const char *chain, *final;
	char want[DIGEST_TEXT];

	layer_chains(attribute, &chain, &final);
	snprintf(layer->below_chains[0], DIGEST_TEXT, "%s", chain);
	snprintf(layer->below_chains[1], DIGEST_TEXT, "%s", *final ? final : chain);
	if (!*layer->description.final_chain)
		return 0;		/* it is no provisional one, and has been compared with the image's config */
	if (chain_id(chain, layer->description.diff_id, want) != 0 || strcmp(want, layer->description.chain) != 0)
		return layerblk_error_set(err, EPROTO, "receive the layer", name_of(layer), "it was made upon another layer than it says");
	return 0;
}

static int begin_locked(struct receive_layer *layer, struct layerblk_error *err)
{
	const struct volstream_volume *volume = &layer->description.volume;
	const struct pool *pool = layer->pool;
	char base[IDENTITY_TEXT];
	struct lb_vol_info below;
	uint64_t found;
	int rc = identity_find(pool, layer->identity, &found, err);

	if (rc)
		return rc;
	if (!volstream_is_full(volume)) {
		volstream_id_text(volume->base, base);
		rc = identity_find(pool, base, &layer->below, err);
		if (rc <= 0)
			return rc ? rc : no_base(layer, base, err);
		rc = layerblk_vol_stat(pool->lb, pool->uuid, layer->below, 0, &below, err);
	}
	if (!rc)
		rc = check_chain(layer, err);
	if (!rc)
		rc = restore_target_make(&layer->target, pool, "receive", layer->below ? &below : NULL, volume->size, err);
	return rc == -ESTALE ? no_base(layer, base, err) : rc;
}

int receive_layer_begin(struct receive_layer *layer, const struct pool *pool, struct layer_description *description,
			struct layerblk_error *err)
{
	cleanup_fd int lock = -1;
	int rc;

	*layer = (struct receive_layer){ .pool = pool, .description = *description, .target.fd = -1 };
	*description = (struct layer_description){ 0 };
	volstream_id_text(layer->description.volume.backup, layer->identity);
	rc = pool_lock(pool, &lock, err);
	return rc ? rc : begin_locked(layer, err);
}

int receive_layer_write(struct receive_layer *layer, const struct volstream_range *ranges, size_t count, const uint8_t *data,
			struct layerblk_error *err)
{
	return restore_target_write(&layer->target, ranges, count, data, err);
}

void receive_layer_discard(struct receive_layer *layer)
{
	restore_target_discard(&layer->target);
	layer_description_clear(&layer->description);
	*layer = (struct receive_layer){ .target.fd = -1 };
}

/* ------------------------------------------------------------------ the end */

/* A container would mount it as what it is said to be. */
static int check_fs(const struct receive_layer *layer, struct layerblk_error *err)
{
	cleanup_free char *fs = NULL;
	int rc = disk_filesystem(layer->target.working.device, &fs, err);

	if (rc && rc != -ENODATA)
		return rc;
	if (rc || strcmp(fs, layer->description.fs) != 0)
		return layerblk_error_set(err, EPROTO, "receive the layer", name_of(layer), "what is on it is not the %s that it is said to be",
					  layer->description.fs);
	return 0;
}

static int add_keys(const struct receive_layer *layer, struct layerblk_attrs *attrs, struct layerblk_error *err)
{
	const struct layer_description *description = &layer->description;
	uint64_t volume = layer->target.working.id;
	const struct pool *pool = layer->pool;
	cleanup_free char *taken = NULL;
	char key[KEY_TEXT];
	int rc;

	identity_enter(attrs, volume, layer->identity);
	rc = layer_enter(pool, attrs, description->fs, description->chain, volume, layer->below, layer->below_chains[0], err);
	if (!rc && *description->final_chain)
		rc = layer_enter(pool, attrs, description->fs, description->final_chain, volume, layer->below, layer->below_chains[1], err);
	if (rc || !*description->build)
		return rc;
	build_key(description->fs, description->build, key);
	rc = layerblk_attr_get(pool->lb, pool->uuid, 0, key, &taken, NULL, err);
	if (rc == -ENOENT)
		key_enter(attrs, key, volume);
	return rc == -ENOENT ? 0 : rc;
}

/* The transaction that makes the working volume the layer. The pool is locked. */
static int freeze(struct receive_layer *layer, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	uint64_t volume = layer->target.working.id;
	const struct pool *pool = layer->pool;
	char name[LB_NAME_MAX + 1], other[LB_NAME_MAX + IDENTITY_TEXT + 2];
	int rc;

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "receive the layer", name_of(layer), "no memory");
	restore_target_attrs(&layer->target, &layer->description.volume, attrs);
	rc = add_keys(layer, attrs, err);
	if (rc)
		return rc;
	layer_name(layer->description.fs, layer->description.chain, name);
	rc = layerblk_vol_freeze(pool->lb, pool->uuid, volume, name, attrs, err);
	if (rc == -EEXIST) {		/* the same layer was imported here, or so */
		snprintf(other, sizeof(other), "%s.%s", name, layer->identity);
		rc = layerblk_vol_freeze(pool->lb, pool->uuid, volume, other, attrs, err);
	}
	if (!rc)
		restore_target_done(&layer->target);
	return rc;
}

int receive_layer_end(struct receive_layer *layer, struct layerblk_error *err)
{
	int rc = check_fs(layer, err);
	cleanup_fd int lock = -1;
	uint64_t found;

	if (!rc)
		rc = restore_target_close(&layer->target, err);
	if (!rc)
		rc = pool_lock(layer->pool, &lock, err);
	if (!rc)
		rc = identity_find(layer->pool, layer->identity, &found, err);
	if (!rc)			/* otherwise somebody else has finished the same layer meanwhile */
		rc = freeze(layer, err);
	return rc == 1 ? 0 : rc;
}
