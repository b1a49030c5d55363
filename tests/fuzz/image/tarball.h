/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tars: checksums of headers made right in a damaged one, members written into a new one, and either compressed. */
#ifndef FUZZ_TARBALL_H
#define FUZZ_TARBALL_H

#include <stddef.h>
#include <stdint.h>

#define TAR_BLOCK	512u

/* Every header that the walk from the start meets gets its checksum. */
void tar_fix(uint8_t *tar, size_t size);

struct tarball {
	uint8_t *bytes;
	size_t size, room;
};

void tarball_add(struct tarball *t, const char *name, const void *data, size_t size);
void tarball_end(struct tarball *t);

/* The data, compressed with gzip (1), zstd (2), xz (3) or not at all; malloc()ed. */
uint8_t *tar_compress(const uint8_t *data, size_t size, unsigned int how, size_t *out);

#endif
