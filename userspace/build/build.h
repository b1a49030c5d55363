/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Dockerfile carried out: the stages that the target needs, instruction by instruction. */
#ifndef BUILD_BUILD_H
#define BUILD_BUILD_H

#include "dockerfile.h"
#include "stage.h"

struct build {
	struct build_options options;
	const char *name;		/* the Dockerfile's, for errors */
	const struct dockerfile *file;
	struct context context;
	const struct variables *args;	/* --build-arg */
	const char *target;		/* a stage; NULL: the last one */
	char *const *tags;
	size_t tag_count;
	bool quiet;			/* no progress on standard error */
	struct build_state *states;	/* one a stage; config NULL: not built */
	int step;			/* for the progress */
};

/* Makes the image; *out is its record. Needs a private mount namespace. */
int build_image(struct build *build, struct image_record *out, struct layerblk_error *err);

/* ------------------------------------------------------------------ for build.c: instructions that change files (build_files.c) */

struct build_step {
	struct build *build;
	struct build_state *state;
	const struct instruction *instruction;
	char *text;			/* the arguments, variables expanded where they are */
	bool cached;
};

int build_copy(struct build_step *step, struct layerblk_error *err);
int build_workdir(struct build_step *step, struct layerblk_error *err);
int build_run_command(struct build_step *step, struct layerblk_error *err);

/* The state of a stage (by name or number) or of an image, for --from; built if it is not yet. */
int build_find_stage(struct build *build, const char *text, size_t before, struct build_state **out, struct layerblk_error *err);

#endif
