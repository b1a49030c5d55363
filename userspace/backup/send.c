// SPDX-License-Identifier: GPL-2.0-or-later
/* See send.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backup_output.h"
#include "cleanup.h"
#include "digest.h"
#include "disk.h"
#include "finalize.h"
#include "hold.h"
#include "identity.h"
#include "json.h"
#include "layer_description.h"
#include "backup_record.h"
#include "send.h"
#include "volume_blocks.h"

/* ------------------------------------------------------------------ before anything is written */

static int prepare_image(const struct send *send, struct image_record *record, struct layerblk_error *err)
{
	char identity[IDENTITY_TEXT];
	struct layer layer;
	int rc = image_finalize_noted(send->pool, record, send->quiet, err);

	for (size_t i = 0; !rc && i < record->layer_count; i++) {
		if (backup_interrupted())
			return layerblk_error_set(err, EINTR, "send the image", record->id, "interrupted");
		rc = layer_load(send->pool, record, i, &layer, err);
		if (!rc)
			rc = identity_give(send->pool, record->layers[i], identity, err);
	}
	return rc;
}

int send_prepare(struct send *send, struct chosen *chosen, struct layerblk_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < chosen->count; i++)
		rc = prepare_image(send, &chosen->images[i].record, err);
	return rc;
}

/* ------------------------------------------------------------------ what is said of an image */

static int layer_identity(const struct pool *pool, const struct image_record *record, size_t at, uint8_t id[VOLSTREAM_ID],
			  struct layerblk_error *err)
{
	char text[IDENTITY_TEXT];
	int rc = identity_load(pool, record->layers[at], text, err);

	if (!rc && volstream_id_parse(text, id) != 0)
		rc = layerblk_error_set(err, ENOENT, "send the image", record->id, "its layer %zu has been removed", at + 1);
	return rc;
}

static bool id_of(const char *hex, uint8_t id[VOLSTREAM_DIGEST])
{
	char halves[2][VOLSTREAM_ID_TEXT];

	if (strlen(hex) != 2 * VOLSTREAM_DIGEST)
		return false;
	snprintf(halves[0], sizeof(halves[0]), "%.32s", hex);
	snprintf(halves[1], sizeof(halves[1]), "%.32s", hex + 32);
	return volstream_id_parse(halves[0], id) == 0 && volstream_id_parse(halves[1], id + VOLSTREAM_ID) == 0;
}

static int describe_image(const struct pool *pool, const struct image_record *record, struct volstream_image *out, struct layerblk_error *err)
{
	int rc = record_document(pool, record, "config", &out->config, &out->config_size, err);

	snprintf(out->fs, sizeof(out->fs), "%s", record->fs);
	if (rc)
		return rc;
	if (*record->manifest_digest) {
		rc = record_document(pool, record, "manifest", &out->manifest, &out->manifest_size, err);
		out->manifest_digest = strdup(record->manifest_digest);
	}
	out->layers = calloc(record->layer_count, VOLSTREAM_ID);
	if (!rc && (!out->layers || !id_of(digest_hex(record->id), out->id) || (*record->manifest_digest && !out->manifest_digest)))
		rc = layerblk_error_set(err, ENOMEM, "send the image", record->id, "no memory");
	for (size_t i = 0; !rc && i < record->layer_count; i++) {
		rc = layer_identity(pool, record, i, out->layers[i], err);
		out->layer_count++;
	}
	return rc;
}

static int announce(const struct send *send, const struct chosen_image *image, struct volstream_writer *writer, struct layerblk_error *err)
{
	struct volstream_image described = { 0 };
	int rc = describe_image(send->pool, &image->record, &described, err);

	for (size_t i = 0; !rc && i < image->name_count; i++) {
		char **more = reallocarray(described.names, i + 1, sizeof(*more));

		if (more) {
			described.names = more;
			more[i] = strdup(image->names[i]);
		}
		if (!more || !more[i])
			rc = layerblk_error_set(err, ENOMEM, "send the image", image->record.id, "no memory");
		else
			described.name_count++;
	}
	if (!rc)
		rc = volstream_add_image(writer, &described, err);
	volstream_image_clear(&described);
	return rc;
}

/* ------------------------------------------------------------------ a layer */

static int describe_layer(const struct pool *pool, const struct lb_vol_info *info, const char *fs, struct volstream_volume *out,
			  struct layerblk_error *err)
{
	out->id = info->id;
	out->time_s = info->created_s;
	out->size = info->volume_size;
	out->flags = VOLSTREAM_FROZEN;
	snprintf(out->name, sizeof(out->name), "%s", info->name);
	snprintf(out->fs, sizeof(out->fs), "%s", fs);
	memcpy(out->pool, pool->uuid, sizeof(out->pool));
	return backup_attrs_describe(pool, info->id, layer_attr_travels, out, err);
}

static int write_layer(struct send *send, const struct image_record *record, size_t at, const struct lb_vol_info *info,
		       const struct volstream_volume *volume, struct volstream_writer *writer, struct layerblk_error *err)
{
	const struct pool *pool = send->pool;
	char device[DISK_PATH];
	struct volume_blocks blocks = { .pool = pool, .base = at ? record->layers[at - 1] : 0, .volume = info->id, .size = info->volume_size,
					.device = device, .doing = "send the layer", .what = info->name, .quiet = send->quiet };
	int hold = -1, rc = hold_take(pool, info->id, &hold, err);

	if (!rc)
		rc = disk_activate(pool->lb, pool->uuid, info->id, 0, device, err);
	snprintf(blocks.label, sizeof(blocks.label), "Sending layer %zu/%zu of %.12s", at + 1, record->layer_count, digest_hex(record->id));
	if (!rc)
		rc = volstream_volume_begin(writer, volume, err);
	if (!rc)
		rc = volume_blocks_write(&blocks, writer, err);
	if (!rc)
		rc = volstream_volume_end(writer, NULL, err);
	hold_drop(pool, info->id, &hold);
	return rc;
}

static int send_layer(struct send *send, const struct image_record *record, size_t at, struct volstream_writer *writer,
		      struct layerblk_error *err)
{
	const struct pool *pool = send->pool;
	struct volstream_volume volume = { 0 };
	struct lb_vol_info info;
	int rc = layer_identity(pool, record, at, volume.backup, err);

	if (!rc && at)
		rc = layer_identity(pool, record, at - 1, volume.base, err);
	if (rc || idset_has(&send->sent, volume.backup))
		return rc;
	rc = idset_add(&send->sent, volume.backup, err);
	if (!rc && idset_has(send->have, volume.backup)) {
		send->left_out++;
		return 0;
	}
	if (!rc)
		rc = layerblk_vol_stat(pool->lb, pool->uuid, record->layers[at], 0, &info, err);
	if (!rc)
		rc = describe_layer(pool, &info, record->fs, &volume, err);
	if (!rc)
		rc = write_layer(send, record, at, &info, &volume, writer, err);
	volstream_volume_clear(&volume);
	send->layers += !rc;
	return rc;
}

int send_images(struct send *send, const struct chosen *chosen, struct volstream_writer *writer, struct layerblk_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < chosen->count; i++)
		rc = announce(send, &chosen->images[i], writer, err);
	for (size_t i = 0; !rc && i < chosen->count; i++) {
		const struct image_record *record = &chosen->images[i].record;

		for (size_t k = 0; !rc && k < record->layer_count; k++)
			rc = send_layer(send, record, k, writer, err);
	}
	return rc;
}
