/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The images that a stream says it has, checked: what each is made of, and what its layers must come to. */
#ifndef BACKUP_INCOMING_H
#define BACKUP_INCOMING_H

#include "bundle.h"
#include "record.h"
#include "volstream.h"

struct incoming_image {
	char fs[FS_TEXT];
	uint8_t (*ids)[VOLSTREAM_ID];	/* of its layers, the base first; as many as its bundle_image has */
	bool there;			/* the pool has this image already, of whatever layers */
	bool entered;
};

struct incoming {
	struct bundle bundle;		/* ids, configs, manifests, names, diff_ids and ChainIDs */
	struct incoming_image *images;	/* as many */
	size_t bytes;			/* of configs and manifests */
};

/* Takes what *image has. -EPROTO or -EBADMSG with what is wrong. */
int incoming_add(struct incoming *incoming, struct volstream_image *image, struct layerblk_error *err);
void incoming_clear(struct incoming *incoming);

/* Where the layer stands in an image: 1 and *place, or 0. */
int incoming_place(const struct incoming *incoming, size_t image, const uint8_t id[VOLSTREAM_ID], size_t *place);

#endif
