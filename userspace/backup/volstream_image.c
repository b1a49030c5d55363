// SPDX-License-Identifier: GPL-2.0-or-later
/* See volstream.h: an image's description between memory and the stream. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "volstream_wire.h"

/*
 * id (32), fs (16), flags (4), layers (2), names (2), lengths of the config (4), the manifest (4), its digest (2), reserved (2); then the layers'
 * identities (16 each), the names (each with its length (2) in front), the manifest's digest, the config, the manifest, the SHA-256 (32).
 */
#define FIXED		(VOLSTREAM_DIGEST + VOLSTREAM_FS + 20)
#define DIGEST_MAX	200		/* bytes of a digest as text */

static const uint8_t none[VOLSTREAM_ID];

void volstream_image_clear(struct volstream_image *image)
{
	for (size_t i = 0; i < image->name_count; i++)
		free(image->names[i]);
	free(image->names);
	free(image->layers);
	free(image->config);
	free(image->manifest);
	free(image->manifest_digest);
	memset(image, 0, sizeof(*image));
}

static size_t packed_size(const struct volstream_image *image)
{
	size_t size = FIXED + image->layer_count * VOLSTREAM_ID + image->config_size + image->manifest_size + VOLSTREAM_DIGEST;

	for (size_t i = 0; i < image->name_count; i++)
		size += 2 + strlen(image->names[i]);
	return size + (image->manifest_digest ? strlen(image->manifest_digest) : 0);
}

int volstream_image_pack(const struct volstream_image *image, uint8_t **wire, size_t *size, struct layerblk_error *err)
{
	const char *name = image->name_count ? image->names[0] : "", *digest = image->manifest_digest ? image->manifest_digest : "";
	char fs[VOLSTREAM_FS] = "";
	uint8_t *at;

	*size = packed_size(image);
	if (*size > VOLSTREAM_IMAGE_MAX || image->layer_count > VOLSTREAM_LAYERS_MAX || image->name_count > VOLSTREAM_NAMES_MAX)
		return layerblk_error_set(err, E2BIG, "describe the image", name,
					  "it has more than %d layers, %d names, or %u bytes of config and manifest", VOLSTREAM_LAYERS_MAX,
					  VOLSTREAM_NAMES_MAX, VOLSTREAM_IMAGE_MAX);
	*wire = calloc(1, *size);
	if (!*wire)
		return layerblk_error_set(err, ENOMEM, "describe the image", name, "no memory");
	memcpy(fs, image->fs, strnlen(image->fs, sizeof(fs)));
	at = put_bytes(put_bytes(*wire, image->id, sizeof(image->id)), fs, sizeof(fs));
	at = put16(put16(put32(at, 0), (uint16_t)image->layer_count), (uint16_t)image->name_count);
	at = put32(put32(at, (uint32_t)image->config_size), (uint32_t)image->manifest_size);
	at = put16(put16(at, (uint16_t)strlen(digest)), 0);
	at = put_bytes(at, image->layers, image->layer_count * VOLSTREAM_ID);
	for (size_t i = 0; i < image->name_count; i++) {
		size_t len = strlen(image->names[i]);

		at = put_bytes(put16(at, (uint16_t)len), image->names[i], len);
	}
	at = put_bytes(put_bytes(at, digest, strlen(digest)), image->config, image->config_size);
	if (image->manifest_size)
		put_bytes(at, image->manifest, image->manifest_size);
	return 0;
}

/* ------------------------------------------------------------------ reading */

struct cursor {
	const uint8_t *at;
	size_t left;
	bool short_of_memory;
};

static const uint8_t *pass(struct cursor *cursor, size_t size)
{
	const uint8_t *at = cursor->at;

	if (size > cursor->left)
		return NULL;
	cursor->at += size;
	cursor->left -= size;
	return at;
}

/* A copy of the next bytes, with a zero behind them. */
static char *take(struct cursor *cursor, size_t size)
{
	const uint8_t *at = pass(cursor, size);
	char *copy = at ? malloc(size + 1) : NULL;

	if (at && !copy)
		cursor->short_of_memory = true;
	if (!copy)
		return NULL;
	memcpy(copy, at, size);
	copy[size] = '\0';
	return copy;
}

/* The same for a text: no zero is in it. */
static char *take_text(struct cursor *cursor, size_t size)
{
	return size <= cursor->left && !memchr(cursor->at, 0, size) ? take(cursor, size) : NULL;
}

static bool take_layers(struct cursor *cursor, struct volstream_image *image, size_t count)
{
	const uint8_t *at = pass(cursor, count * VOLSTREAM_ID);

	if (!count || count > VOLSTREAM_LAYERS_MAX || !at)
		return false;
	image->layers = malloc(count * VOLSTREAM_ID);
	if (!image->layers) {
		cursor->short_of_memory = true;
		return false;
	}
	memcpy(image->layers, at, count * VOLSTREAM_ID);
	image->layer_count = count;
	for (size_t i = 0; i < count; i++) {
		if (memcmp(image->layers[i], none, VOLSTREAM_ID) == 0)
			return false;
		for (size_t j = 0; j < i; j++)
			if (memcmp(image->layers[i], image->layers[j], VOLSTREAM_ID) == 0)
				return false;
	}
	return true;
}

static bool take_names(struct cursor *cursor, struct volstream_image *image, size_t count)
{
	if (count > VOLSTREAM_NAMES_MAX)
		return false;
	image->names = calloc(count ? count : 1, sizeof(*image->names));
	if (!image->names) {
		cursor->short_of_memory = true;
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		const uint8_t *size = pass(cursor, 2);

		image->names[i] = size ? take_text(cursor, get16(size)) : NULL;
		if (!image->names[i])
			return false;
		image->name_count++;
	}
	return true;
}

static bool take_all(struct cursor *cursor, struct volstream_image *image)
{
	const uint8_t *fixed = pass(cursor, FIXED), *rest = fixed ? fixed + VOLSTREAM_DIGEST + VOLSTREAM_FS : NULL;
	size_t config, manifest, digest;

	if (!fixed)
		return false;
	memcpy(image->id, fixed, VOLSTREAM_DIGEST);
	memcpy(image->fs, fixed + VOLSTREAM_DIGEST, VOLSTREAM_FS);
	config = get32(rest + 8);
	manifest = get32(rest + 12);
	digest = get16(rest + 16);
	if (get32(rest) || get16(rest + 18) || !config || config > LB_VALUE_MAX || manifest > LB_VALUE_MAX || digest > DIGEST_MAX ||
	    !manifest != !digest)
		return false;
	if (!take_layers(cursor, image, get16(rest + 4)) || !take_names(cursor, image, get16(rest + 6)))
		return false;
	image->manifest_digest = digest ? take_text(cursor, digest) : NULL;
	if (digest && !image->manifest_digest)
		return false;
	image->config = take(cursor, config);
	image->config_size = config;
	image->manifest = manifest ? take(cursor, manifest) : NULL;
	image->manifest_size = manifest;
	return image->config && (!manifest || image->manifest) && cursor->left == VOLSTREAM_DIGEST;
}

int volstream_image_unpack(const uint8_t *wire, size_t size, struct volstream_image *image, const char **why)
{
	struct cursor cursor = { wire, size, false };

	memset(image, 0, sizeof(*image));
	if (take_all(&cursor, image))
		return 0;
	volstream_image_clear(image);
	*why = cursor.short_of_memory ? "no memory" : "the description of an image in it makes no sense";
	return cursor.short_of_memory ? -ENOMEM : -EPROTO;
}
