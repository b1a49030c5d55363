/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that need a volume without a disk: it goes away for them, and comes back when they fail. */
#ifndef LAYERCTL_RELEASE_H
#define LAYERCTL_RELEASE_H

#include "ref.h"

/* Takes the disk away from a volume that has one; an error when it is in use. */
int release_disk(struct layerblk *lb, const struct found_volume *volume, struct layerblk_error *err);
/* Gives it back if the volume had one when it was looked up. */
int restore_disk(struct layerblk *lb, const struct found_volume *volume, struct layerblk_error *err);

#endif
