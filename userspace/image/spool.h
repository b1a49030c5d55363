/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole writes and reads on descriptors, and unlinked temporary files for what is too large for memory. */
#ifndef IMAGE_SPOOL_H
#define IMAGE_SPOOL_H

#include <sys/types.h>
#include "sink.h"

/* A file that nobody else can see and that goes with its descriptor, in TMPDIR or /var/tmp; -1 with errno. */
int spool_open(void);

/* All bytes, whatever the system takes at a time: 0 or a negative errno. */
int write_all(int fd, const void *data, size_t size);
int write_all_at(int fd, const void *data, size_t size, off_t offset);
/* Gives how many bytes there were, less than size only at the end of the file; a negative errno. */
ssize_t read_all_at(int fd, void *data, size_t size, off_t offset);

/* A sink_fn whose arg points to a descriptor. */
int spool_sink(void *arg, const void *data, size_t size, struct layerblk_error *err);

/* Gives the sink `size` bytes of the file from `offset` on. -EBADMSG when the file is shorter. subject names it. */
int spool_copy(int fd, off_t offset, uint64_t size, const struct sink *sink, const char *subject,
	       struct layerblk_error *err);

#endif
