// SPDX-License-Identifier: GPL-2.0-or-later
/* See incoming.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "incoming.h"

#define BYTES_MAX	(64U << 20)	/* of all configs and manifests of a stream, which are in memory until its end */

void incoming_clear(struct incoming *incoming)
{
	for (size_t i = 0; incoming->images && i < incoming->bundle.count; i++)
		free(incoming->images[i].ids);
	free(incoming->images);
	bundle_clear(&incoming->bundle);
	*incoming = (struct incoming){ 0 };
}

int incoming_place(const struct incoming *incoming, size_t image, const uint8_t id[VOLSTREAM_ID], size_t *place)
{
	for (size_t i = 0; i < incoming->bundle.images[image].layer_count; i++) {
		if (memcmp(incoming->images[image].ids[i], id, VOLSTREAM_ID) == 0) {
			*place = i;
			return 1;
		}
	}
	return 0;
}

static int wrong(const struct bundle_image *image, const char *why, struct layerblk_error *err)
{
	return layerblk_error_set(err, EPROTO, "receive the image", image->name_count ? image->names[0] : image->id, "%s", why);
}

/* They are going to be tags: nothing but what a command line can give, too. */
static int check_names(const struct bundle_image *image, struct layerblk_error *err)
{
	char normal[REFERENCE_MAX];

	for (size_t i = 0; i < image->name_count; i++)
		if (reference_normalize(image->names[i], normal, NULL) != 0 || strcmp(image->names[i], normal) != 0)
			return layerblk_error_set(err, EPROTO, "receive the image", image->id, "one of its names cannot be one");
	return 0;
}

static int check_documents(struct bundle_image *image, size_t layers, struct layerblk_error *err)
{
	int rc = digest_check(image->config, image->config_size, image->id, -1, "the image's config", err);

	if (!rc && image->manifest && !digest_valid(image->manifest_digest))
		rc = wrong(image, "the digest of its manifest makes no sense", err);
	if (!rc && image->manifest)
		rc = digest_check(image->manifest, image->manifest_size, image->manifest_digest, -1, "the image's manifest", err);
	return rc ? rc : bundle_take_config(image, layers, "the image's config", err);
}

/* The bytes change hands; the texts of fixed size are copied. */
static void take(struct bundle_image *to, struct volstream_image *from)
{
	to->config = from->config;
	to->config_size = from->config_size;
	to->manifest = from->manifest;
	to->manifest_size = from->manifest_size;
	to->names = from->names;
	to->name_count = from->name_count;
	from->config = from->manifest = NULL;
	from->names = NULL;
	from->name_count = 0;
	snprintf(to->manifest_digest, sizeof(to->manifest_digest), "%s", from->manifest_digest ? from->manifest_digest : "");
	strcpy(to->id, "sha256:");
	for (size_t i = 0; i < VOLSTREAM_DIGEST; i++)
		snprintf(to->id + 7 + 2 * i, 3, "%02x", from->id[i]);
}

static bool fs_is_right(const char *fs)
{
	return *fs && strlen(fs) < FS_TEXT && strspn(fs, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(fs);
}

int incoming_add(struct incoming *incoming, struct volstream_image *image, struct layerblk_error *err)
{
	struct incoming_image *more = reallocarray(incoming->images, incoming->bundle.count + 1, sizeof(*more));
	struct bundle_image *added;
	int rc;

	if (!more)
		return layerblk_error_set(err, ENOMEM, "receive the image", "", "no memory");
	incoming->images = more;
	added = bundle_add(&incoming->bundle, err);
	if (!added)
		return -err->code;
	more += incoming->bundle.count - 1;
	*more = (struct incoming_image){ .ids = image->layers };
	image->layers = NULL;
	take(added, image);
	if (!fs_is_right(image->fs))
		return wrong(added, "the file system of its layers makes no sense", err);
	strcpy(more->fs, image->fs);
	incoming->bytes += added->config_size + added->manifest_size;
	if (incoming->bytes > BYTES_MAX)
		return layerblk_error_set(err, E2BIG, "receive the images", "", "the stream has more than %u bytes of configs and manifests",
					  BYTES_MAX);
	rc = check_names(added, err);
	return rc ? rc : check_documents(added, image->layer_count, err);
}
