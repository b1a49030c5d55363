/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stage under way: the layers so far, the config that they will have, and the key of all that has led there. Every instruction that changes
 * files makes one layer: a snapshot of the one below, changed, and frozen in O(1). One that was made before from the same things is taken
 * instead.
 */
#ifndef BUILD_STAGE_H
#define BUILD_STAGE_H

#include <json-c/json.h>
#include "cache.h"
#include "context.h"
#include "expand.h"
#include "record.h"

struct build_options {
	const struct pool *pool;
	const char *fs;
	uint64_t size;			/* of a base layer's volume (FROM scratch) */
	bool no_cache;
};

struct build_state {
	const struct build_options *options;
	struct built *layers;		/* the base first */
	size_t count;
	json_object *config;		/* the image's, without diff_ids and the newest history */
	struct variables args;		/* ARGs of the stage */
	bool own_cmd;			/* it has a CMD itself, which an ENTRYPOINT does not take away */
	char key[DIGEST_TEXT];
	char fs[FS_TEXT];
	char created[40];		/* when the newest layer was made, RFC 3339; "": there is none */
};

int state_begin_scratch(struct build_state *state, const struct build_options *options, struct layerblk_error *err);
int state_begin_image(struct build_state *state, const struct build_options *options, const struct image_record *image,
		      struct layerblk_error *err);
/* As another stage has become. */
int state_begin_stage(struct build_state *state, const struct build_state *other, struct layerblk_error *err);
void state_clear(struct build_state *state);

/* A member of the config's "config" that is a text; "" when there is none. */
const char *state_text(const struct build_state *state, const char *name);

/*
 * The time of an instruction that changes no files, and of the image: that of the newest layer, so that the same build gives the same
 * image again, as BuildKit has it. NULL: there is no layer yet.
 */
const char *state_created(const struct build_state *state);

/* What variables mean here: ENV before ARG. variables_clear() it. */
int state_variables(const struct build_state *state, struct variables *out);

/* What an instruction does to the files; the root is mounted at `directory` and open as `root`. */
typedef int state_change_fn(void *arg, int root, const char *directory, struct layerblk_error *err);

/*
 * The next layer: the one that the cache has, or a new one that `change` makes. created_by is for the history. The state's key is of all
 * that the change depends on. *cached: it was there.
 */
int state_change(struct build_state *state, const char *created_by, state_change_fn *change, void *arg, bool *cached,
		 struct layerblk_error *err);

/* Makes the image: *out is its record. */
int state_finish(struct build_state *state, char *const *tags, size_t tag_count, struct image_record *out, struct layerblk_error *err);

#endif
