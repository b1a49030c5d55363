// SPDX-License-Identifier: GPL-2.0-or-later
/* See receive.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backup_input.h"
#include "idset.h"
#include "receive.h"
#include "receive_image.h"
#include "receive_layer.h"
#include "volstream_read.h"

struct receive {
	const struct pool *pool;
	const struct receive_options *options;
	const struct backup_input *input;
	struct incoming incoming;	/* of the stream at hand */
	struct idset seen;		/* layers that have begun in it */
	struct idset whole;		/* layers that have ended, of all streams */
	struct receive_layer layer;
	bool making;			/* that one; otherwise the layer at hand is passed over */
	char diff_id[DIGEST_TEXT];	/* of the layer at hand */
	size_t left_out;
};

int receive_new(const struct pool *pool, const struct receive_options *options, struct receive **out, struct layerblk_error *err)
{
	struct receive *receive = calloc(1, sizeof(*receive));

	if (!receive)
		return layerblk_error_set(err, ENOMEM, "receive the images", "", "no memory");
	receive->pool = pool;
	receive->options = options;
	receive->layer.target.fd = -1;
	*out = receive;
	return 0;
}

void receive_free(struct receive *receive)
{
	if (!receive)
		return;
	receive_layer_discard(&receive->layer);
	incoming_clear(&receive->incoming);
	idset_clear(&receive->seen);
	idset_clear(&receive->whole);
	free(receive);
}

size_t receive_left_out(const struct receive *receive)
{
	return receive->left_out;
}

/* ------------------------------------------------------------------ images */

static void say_image(const struct receive *receive, size_t at)
{
	progress_clear(&receive->input->progress);
	receive->options->said_image(&receive->incoming.bundle.images[at], receive->options->quiet);
}

static int enter_image(struct receive *receive, size_t at, struct layerblk_error *err)
{
	int rc = receive_image_enter(receive->pool, &receive->incoming, at, err);

	if (rc == 1) {
		receive->incoming.images[at].entered = true;
		say_image(receive, at);
	}
	return rc < 0 ? rc : 0;
}

/* An image that needs nothing is entered at once. */
static int take_image(struct receive *receive, struct volstream_image *image, struct layerblk_error *err)
{
	int rc = incoming_add(&receive->incoming, image, err);
	size_t at = receive->incoming.bundle.count - 1;

	if (rc || !receive->pool)
		return rc;
	rc = receive_image_is_there(receive->pool, &receive->incoming, at, err);
	if (rc < 0)
		return rc;
	receive->incoming.images[at].there = rc == 1;
	return enter_image(receive, at, err);
}

/* All images that this layer was missing to. */
static int enter_images(struct receive *receive, const uint8_t id[VOLSTREAM_ID], struct layerblk_error *err)
{
	size_t place;
	int rc = 0;

	for (size_t i = 0; !rc && i < receive->incoming.bundle.count; i++)
		if (!receive->incoming.images[i].entered && incoming_place(&receive->incoming, i, id, &place))
			rc = enter_image(receive, i, err);
	return rc;
}

/* ------------------------------------------------------------------ layers */

static int wrong(const struct layer_description *layer, const char *why, struct layerblk_error *err)
{
	return layerblk_error_set(err, EPROTO, "receive the layer", layer_description_diff_id(layer), "%s", why);
}

/* The layer has to be what each image that has it says; *needed: one of them is not there. */
static int check_layer(const struct receive *receive, const struct layer_description *layer, bool *needed, struct layerblk_error *err)
{
	static const uint8_t none[VOLSTREAM_ID];
	const struct incoming *incoming = &receive->incoming;
	bool listed = false, follows = false;
	size_t place;

	*needed = false;
	for (size_t i = 0; i < incoming->bundle.count; i++) {
		const struct incoming_image *image = &incoming->images[i];
		const struct bundle_layer *want;

		if (!incoming_place(incoming, i, layer->volume.backup, &place))
			continue;
		want = &incoming->bundle.images[i].layers[place];
		if (strcmp(layer->fs, image->fs) != 0 || strcmp(layer_description_diff_id(layer), want->diff_id) != 0 ||
		    strcmp(layer_description_chain(layer), want->chain) != 0)
			return wrong(layer, "it is not the one that the image's config names", err);
		listed = true;
		follows |= memcmp(layer->volume.base, place ? image->ids[place - 1] : none, VOLSTREAM_ID) == 0;
		*needed |= !image->there;
	}
	if (!listed)
		return wrong(layer, "no image of the stream has it", err);
	return follows ? 0 : wrong(layer, "it follows on another layer than the image's", err);
}

static void say_layer(const struct receive *receive, bool there)
{
	if (receive->options->quiet || !receive->pool)
		return;
	progress_clear(&receive->input->progress);
	receive->options->said_layer(receive->diff_id, there);
}

static int begin_layer(struct receive *receive, const struct volstream_volume *volume, struct layerblk_error *err)
{
	struct layer_description description;
	bool needed;
	int rc = layer_description_take(volume, &description, err);

	if (rc)
		return rc;
	rc = check_layer(receive, &description, &needed, err);
	if (!rc && idset_has(&receive->seen, volume->backup))
		rc = wrong(&description, "it is in the stream twice", err);
	if (!rc)
		rc = idset_add(&receive->seen, volume->backup, err);
	strcpy(receive->diff_id, layer_description_diff_id(&description));
	receive->making = !rc && receive->pool && needed;
	if (receive->making) {
		rc = receive_layer_begin(&receive->layer, receive->pool, &description, err);
		receive->making = !rc;
		if (rc == 1)
			say_layer(receive, true);
		if (rc)
			receive_layer_discard(&receive->layer);
	}
	layer_description_clear(&description);
	return rc == 1 ? 0 : rc;
}

static int end_layer(struct receive *receive, const struct volstream_volume *volume, struct layerblk_error *err)
{
	int rc = idset_add(&receive->whole, volume->backup, err);

	if (!rc && receive->making)
		rc = receive_layer_end(&receive->layer, err);
	if (receive->making)
		receive_layer_discard(&receive->layer);
	if (!rc && receive->making)
		say_layer(receive, false);
	receive->making = false;
	return rc || !receive->pool ? rc : enter_images(receive, volume->backup, err);
}

/* ------------------------------------------------------------------ the end of a stream */

static int missing(const struct receive *receive, size_t at, struct layerblk_error *err)
{
	const struct bundle_image *image = &receive->incoming.bundle.images[at];

	layerblk_error_set(err, ENOENT, "receive the image", image->name_count ? image->names[0] : image->id,
			   "some of its layers are neither in the stream nor in this pool");
	return layerblk_error_hint(err, "Send it without --have, or with what `layerctl receive --have` prints now");
}

static void check_whole(struct receive *receive, size_t at)
{
	for (size_t i = 0; i < receive->incoming.bundle.images[at].layer_count; i++)
		receive->left_out += !idset_has(&receive->whole, receive->incoming.images[at].ids[i]);
	say_image(receive, at);
}

static int end_stream(struct receive *receive, struct layerblk_error *err)
{
	for (size_t i = 0; i < receive->incoming.bundle.count; i++) {
		if (!receive->pool)
			check_whole(receive, i);
		else if (!receive->incoming.images[i].entered)
			return missing(receive, i, err);
	}
	incoming_clear(&receive->incoming);
	idset_clear(&receive->seen);
	return 0;
}

/* ------------------------------------------------------------------ reading */

static int take(struct receive *receive, const struct volstream_item *item, struct layerblk_error *err)
{
	switch (item->type) {
	case VOLSTREAM_IMAGE:
		return take_image(receive, item->image, err);
	case VOLSTREAM_VOLUME:
		return begin_layer(receive, item->volume, err);
	case VOLSTREAM_BLOCKS:
		return receive->making ? receive_layer_write(&receive->layer, item->ranges, item->range_count, item->data, err) : 0;
	case VOLSTREAM_VOLUME_END:
		return end_layer(receive, item->volume, err);
	default:
		return end_stream(receive, err);
	}
}

int receive_read(struct receive *receive, const char *name, struct layerblk_error *err)
{
	struct volstream_reader *reader = NULL;
	struct backup_input input;
	struct volstream_item item;
	int rc = backup_input_open(&input, "receive from", name, receive->pool ? "Receiving" : "Checking", receive->options->quiet, err);

	if (rc)
		return rc;
	receive->input = &input;
	rc = volstream_reader_new(backup_input_read, &input, VOLSTREAM_OF_IMAGES, input.name, &reader, err);
	while (!rc && (rc = volstream_next(reader, &item, err)) == 1)
		rc = take(receive, &item, err);
	volstream_reader_free(reader);
	backup_input_close(&input);
	receive->input = NULL;
	return rc;
}
