/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Dockerfile carried out: the stages that the target needs, instruction by instruction. */
#ifndef BUILD_BUILD_H
#define BUILD_BUILD_H

#include "dockerfile.h"
#include "progress.h"
#include "stage.h"
#include "volume_mount.h"

struct build {
	struct build_options options;
	const char *name;		/* the Dockerfile's, for errors */
	const struct dockerfile *file;
	struct context context;
	const struct variables *args;	/* --build-arg */
	const char *target;		/* a stage; NULL: the last one */
	const char *network;		/* of RUN: "none", "host", "bridge" */
	char *const *labels;		/* "KEY=VALUE", ends with NULL; may be NULL */
	char *const *tags;
	size_t tag_count;
	bool quiet;			/* no progress on standard error */
	struct build_state *states;	/* one a stage; config NULL: not built */
	int step;			/* for the progress */
};

/* Makes the image; *out is its record. Needs a private mount namespace. */
int build_image(struct build *build, struct image_record *out, struct layerblk_error *err);

/* ------------------------------------------------------------------ for build.c: instructions that change files (build_files.c, run_step.c) */

struct build_step {
	struct build *build;
	struct build_state *state;
	const struct instruction *instruction;
	char *text;			/* the arguments, variables expanded where they are */
	bool cached;
	struct step_progress progress;
};

int build_copy(struct build_step *step, struct layerblk_error *err);
int build_workdir(struct build_step *step, struct layerblk_error *err);
int build_run(struct build_step *step, struct layerblk_error *err);

/* What the history says of it: "COPY a b", malloc()ed. */
char *build_line(const struct build_step *step);

/* Where --from of COPY and of RUN --mount takes files from. */
struct build_source {
	struct context context;
	struct volume_mount mount;	/* of a stage or an image */
};

/* name: a stage, which is built if it is not yet, or an image; NULL: the build's context. build_source_close() it, also on failure. */
int build_source_open(struct build_step *step, const char *name, struct build_source *out, struct layerblk_error *err);
void build_source_close(struct build_source *source);

/* The state of a stage (by name or number) before `before`, built if it is not yet. -ENOENT: there is no such stage. */
int build_find_stage(struct build *build, const char *text, size_t before, struct build_state **out, struct layerblk_error *err);

#endif
