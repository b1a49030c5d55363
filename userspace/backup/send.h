/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images into a stream: first what is said of each, then their layers, each against the one below it, and each once.
 *
 * The images are finalized (finalize.h), and their layers get identities (identity.h), before anything is written. Nothing else of the pool
 * is changed.
 */
#ifndef BACKUP_SEND_H
#define BACKUP_SEND_H

#include "chosen.h"
#include "idset.h"
#include "volstream_write.h"

struct send {
	const struct pool *pool;
	const struct idset *have;	/* layers that are there already: their blocks are left out */
	bool quiet;
	struct idset sent;		/* what follows is filled in */
	size_t layers;			/* written */
	size_t left_out;		/* because of `have` */
};

/* Makes the images ready. Needs a private mount namespace. */
int send_prepare(struct send *send, struct chosen *chosen, struct layerblk_error *err);
/* Writes what stands between the stream's beginning and its end. */
int send_images(struct send *send, const struct chosen *chosen, struct volstream_writer *writer, struct layerblk_error *err);

#endif
