/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A volume becomes the top layer of a new image, whatever is in it and however large it is: nothing of it is read. The layer and
 * with it the image have provisional ids, see finalize.h.
 */
#ifndef IMAGE_COMMIT_H
#define IMAGE_COMMIT_H

#include <json-c/json.h>
#include "record.h"

struct image_commit {
	const struct image_record *below; /* the image that the volume descends from, its layers below the new one; NULL: none */
	const char *fs;			/* the file system on the volume */
	uint64_t volume;		/* writable */
	bool keep;			/* it stays, and a snapshot of it becomes the layer (commit); else itself is frozen (build) */
	const char *work;		/* without keep: the work/ entry that goes in the same transaction; NULL: none */
	json_object *config;		/* the new image's: that of `below` with its changes; diff_ids and history are added here */
	const char *created_by;		/* of the new item in the history; the others may be NULL */
	const char *comment;
	const char *author;
	char *const *tags;		/* normal references */
	size_t tag_count;
};

/*
 * Makes the image; *out is its record. A mounted volume's file system is as of one instant. In one transaction with keep false;
 * with keep, a crash in between leaves a frozen volume that the next command removes (working.h).
 */
int image_commit(const struct pool *pool, const struct image_commit *commit, struct image_record *out, struct layerblk_error *err);

/* Adds an instruction to a config's history. created: RFC 3339. Any text may be NULL. empty_layer: it changed no file. */
void history_add(json_object *config, const char *created, const char *created_by, const char *comment, const char *author, bool empty_layer);

#endif
