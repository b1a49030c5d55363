/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images out of streams.
 *
 * A stream says first which images it has, then come layers. Those that the pool has, by their identities, are passed over, and so are those
 * of images that are there already, imported perhaps. Each other one is made by itself (receive_layer.h) and stays, so that a stream that is
 * cut short is gone on with where it ended; an image gets its record and its names when its last layer is there. A layer is never
 * changed, and nothing but new layers, records of images that are not there, and names is ever written, whatever the stream says.
 */
#ifndef BACKUP_RECEIVE_H
#define BACKUP_RECEIVE_H

#include "incoming.h"

struct receive_options {
	bool quiet;
	/* Told of a layer that was made, or that was there; and of an image that is entered, or with pool NULL is whole. */
	void (*said_layer)(const char *diff_id, bool there);
	void (*said_image)(const struct bundle_image *image, bool quiet);
};

struct receive;

/* pool NULL: the streams are only checked, as far as they can be by themselves. The options must outlive it. */
int receive_new(const struct pool *pool, const struct receive_options *options, struct receive **out, struct layerblk_error *err);
/* An unfinished layer goes. Takes NULL. */
void receive_free(struct receive *receive);

/* Reads all streams of one file; name is what it is called, "-" is standard input. */
int receive_read(struct receive *receive, const char *name, struct layerblk_error *err);

/* How many layers the streams have left out, when they are only checked. */
size_t receive_left_out(const struct receive *receive);

#endif
