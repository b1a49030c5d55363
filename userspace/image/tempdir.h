/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory of our own in TMPDIR or /var/tmp, for what another program writes or reads; it goes with all that is in it. */
#ifndef IMAGE_TEMPDIR_H
#define IMAGE_TEMPDIR_H

#include <limits.h>
#include <layerblk.h>

struct tempdir {
	char path[PATH_MAX / 2];	/* "": none */
};

int tempdir_make(struct tempdir *out, struct layerblk_error *err);
void tempdir_remove(struct tempdir *directory);

#endif
