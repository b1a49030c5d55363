/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recipe of a layer's tar: all of the tar's bytes but the contents of its files, for which it says where they are in the layer's
 * file system. From both the very same tar comes again, whoever made it: its headers, order and padding are kept, not made anew.
 *
 * A file is named by its handle (inode and generation, see name_to_handle_at(2)): the file system of a frozen layer never
 * changes, so that nothing depends on paths or links.
 *
 * The form, compressed with zstd as a whole: "LBTARREC", a byte 1, then any number of
 *	'L' length bytes		bytes of the tar as they are
 *	'F' type length bytes		the file that the following parts are of: its handle
 *	'D' offset length		that part of the file
 * and 'E' at the end. Numbers are of variable length, 7 bits a byte, the lowest first, the top bit set in all bytes but the last.
 */
#ifndef IMAGE_RECIPE_H
#define IMAGE_RECIPE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "sink.h"

struct recipe;				/* one being written, into a temporary file */

int recipe_new(struct recipe **out, struct layerblk_error *err);
void recipe_free(struct recipe *recipe);	/* takes NULL */

/*
 * The tar passes through recipe_pass(), in order. Of a part of it that was written to a file, the one who unpacks says so when it has been
 * passed: recipe_file() that the contents of `fd` begin at `position` in the tar, then recipe_data() for each part of
 * them, in order, `offset` being that in the file. What is said wrongly or too late does no harm: those bytes are kept as they are.
 * Failures are remembered for recipe_finish().
 */
void recipe_pass(struct recipe *recipe, const void *data, size_t size);
void recipe_file(struct recipe *recipe, int fd, uint64_t position);
void recipe_data(struct recipe *recipe, const void *data, size_t size, uint64_t offset);

/* Nothing more passes. *fd is the recipe's (closed with it), which holds *size bytes. */
int recipe_finish(struct recipe *recipe, int *fd, uint64_t *size, struct layerblk_error *err);

/*
 * Writes the tar to `to`. The recipe is the `size` bytes of `fd` from `offset` on; `mount` is any descriptor of the mounted
 * layer. -EBADMSG when the recipe is damaged or a file is not there as it was. Whether it is the right tar is told by its digest.
 */
int recipe_replay(int fd, off_t offset, uint64_t size, int mount, const struct sink *to, struct layerblk_error *err);

#endif
