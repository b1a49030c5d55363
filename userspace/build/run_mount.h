/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What RUN --mount has mounted while a command runs: files of the context, a stage or an image, read-only; and tmpfs. */
#ifndef BUILD_RUN_MOUNT_H
#define BUILD_RUN_MOUNT_H

#include "build.h"
#include "share.h"

struct run_mounts {			/* zero-filled: none */
	struct share_list list;
	struct build_source *sources;	/* which the binds need as long as they are mounted */
	size_t source_count;
	char key[DIGEST_TEXT];		/* of all of it, for the cache; "" for none */
};

/* All that the instruction's flags name. run_mounts_clear() it, also on failure. */
int run_mounts_take(struct build_step *step, struct run_mounts *out, struct layerblk_error *err);
void run_mounts_clear(struct run_mounts *mounts);

#endif
