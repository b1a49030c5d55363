/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The headers of tar entries as layers have them: POSIX ustar, with a PAX header in front when ustar has no room or no word for
 * something. The same entry always comes to the same bytes: they are the diff_id's, and may never change.
 *
 * Extended attributes are SCHILY.xattr.NAME; files with holes are GNU's sparse format 1.0; times have nanoseconds; owners, sizes and
 * names may be of any size. Names that are not UTF-8 have "hdrcharset=BINARY".
 */
#ifndef IMAGE_TARHEAD_H
#define IMAGE_TARHEAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>
#include "sink.h"

#define TAR_BLOCK	512U

struct tar_xattr {
	char *name;
	char *value;
	size_t size;
};

struct tar_part {			/* of a file with holes: where there is data */
	uint64_t offset;
	uint64_t length;
};

struct tar_entry {
	const char *path;		/* without a leading slash; a directory's ends with one */
	const char *link;		/* target of a symbolic or, with hard, of a hard link; else NULL */
	bool hard;
	mode_t mode;			/* with the type */
	uint32_t uid;
	uint32_t gid;
	struct timespec mtime;
	dev_t device;			/* of device nodes */
	uint64_t size;			/* of a regular file, holes included */
	const struct tar_xattr *xattrs;
	size_t xattr_count;
	const struct tar_part *parts;	/* NULL: no holes, or they are written as zeros */
	size_t part_count;
};

/*
 * Writes everything that comes before the contents. *stored: how many bytes of contents follow: those of the parts, or all; then
 * tar_pad() with the same number.
 */
int tar_head(const struct tar_entry *entry, const struct sink *to, uint64_t *stored, struct layerblk_error *err);
int tar_pad(uint64_t stored, const struct sink *to, struct layerblk_error *err);
/* The two blocks of zeros at the end. */
int tar_end(const struct sink *to, struct layerblk_error *err);

#endif
