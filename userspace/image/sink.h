/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a stream of bytes goes: into a file, a hash, a compressor, or several of them one behind the other. */
#ifndef IMAGE_SINK_H
#define IMAGE_SINK_H

#include <stddef.h>
#include <layerblk.h>

/* Takes all of it, or gives a negative errno with err set; after a failure nothing more may be written. */
typedef int sink_fn(void *arg, const void *data, size_t size, struct layerblk_error *err);

struct sink {
	sink_fn *write;
	void *arg;
};

static inline int sink_write(const struct sink *sink, const void *data, size_t size, struct layerblk_error *err)
{
	return size ? sink->write(sink->arg, data, size, err) : 0;
}

#endif
