/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an image comes from: a directory or a tar archive, as one set of named files that can be read in any order.
 *
 * A tar is indexed once and then read at each member's place; one that is compressed as a whole, or comes through a
 * pipe, is first unpacked into an unlinked temporary file. Names are those beneath the top, without a leading "./". Nothing
 * outside of the directory or archive can be reached, by whatever name or symbolic link.
 */
#ifndef IMAGE_SOURCE_H
#define IMAGE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <archive.h>
#include <layerblk.h>

struct source;
struct blob;				/* one file being read from its beginning to its end */

/* path: a directory, an archive, or "-" for standard input. */
int source_open(const char *path, struct source **out, struct layerblk_error *err);
/* A file that is one thing as a whole, whatever is in it: a source that has just that, under `name`. */
int source_open_single(const char *path, const char *name, struct source **out, struct layerblk_error *err);
/* The same for what comes through a pipe, which can be read once and is kept nowhere. Takes over fd, also on failure. */
int source_open_pipe(int fd, const char *name, struct source **out, struct layerblk_error *err);
void source_close(struct source *source);	/* takes NULL */

bool source_has(struct source *source, const char *name);

/* The whole of a small file, malloc()ed, with a zero byte after it. -ENOENT: not there; -EFBIG: more than max bytes. */
int source_load(struct source *source, const char *name, size_t max, char **data, size_t *size,
		struct layerblk_error *err);

/* -ENOENT when it is not there. The source must outlive the blob. */
int blob_open(struct source *source, const char *name, struct blob **out, struct layerblk_error *err);
uint64_t blob_size(const struct blob *blob);
/* The next bytes, borrowed until the next call; 0 at the end; a negative errno with err set. */
ssize_t blob_read(struct blob *blob, const void **data, struct layerblk_error *err);
void blob_close(struct blob *blob);	/* takes NULL */

/*
 * libarchive readers that know the compressions that layers and archives have (gzip, zstd, xz, bzip2, none), found by content. The
 * second knows tar only, the first any bytes, as one member named "data". NULL: no memory.
 */
struct archive *archive_new_raw(void);
struct archive *archive_new_tar(void);

#endif
