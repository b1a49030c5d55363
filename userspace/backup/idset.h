/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of identities of layers. */
#ifndef BACKUP_IDSET_H
#define BACKUP_IDSET_H

#include "volstream.h"

struct idset {
	uint8_t (*ids)[VOLSTREAM_ID];
	size_t count;
	size_t room;
};

bool idset_has(const struct idset *set, const uint8_t id[VOLSTREAM_ID]);
/* That it is there already is no error. */
int idset_add(struct idset *set, const uint8_t id[VOLSTREAM_ID], struct layerblk_error *err);
void idset_clear(struct idset *set);

/* Adds those in a file, one a line as `layerctl receive --have` prints them; "-": standard input, which must be no terminal. */
int idset_read(struct idset *set, const char *path, struct layerblk_error *err);

#endif
