/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads streams, one behind the other, and believes nothing: what it hands out has passed its record's checksums, is inside the
 * volume, ascends, and fits the limits. Only VOLSTREAM_VOLUME_END says that a volume is whole, and only the end (0) that all is:
 * what was made of a stream of volumes until then must not be seen.
 */
#ifndef BACKUP_VOLSTREAM_READ_H
#define BACKUP_VOLSTREAM_READ_H

#include "volstream.h"

/* Fills in up to size bytes: how many, 0 at the end, or a negative errno with err set. */
typedef ssize_t volstream_read_fn(void *arg, void *buffer, size_t size, struct layerblk_error *err);

struct volstream_reader;

struct volstream_item {
	enum volstream_type type;	/* VOLSTREAM_VOLUME, _BLOCKS or _VOLUME_END; of streams of images also _IMAGE and _STREAM_END */
	const struct volstream_volume *volume;	/* the one that the first three are of */
	struct volstream_image *image;	/* of VOLSTREAM_IMAGE; what is taken from it must be replaced by NULL and 0 */
	const struct volstream_range *ranges;	/* of VOLSTREAM_BLOCKS */
	size_t range_count;
	const uint8_t *data;		/* of the ranges with VOLSTREAM_DATA, one behind the other; aligned to LB_BLOCK_SIZE */
	struct volstream_totals totals;	/* of VOLSTREAM_VOLUME_END */
};

/* name is what the stream is called in errors. One of other contents is refused. */
int volstream_reader_new(volstream_read_fn *read, void *arg, enum volstream_contents contents, const char *name,
			 struct volstream_reader **out, struct layerblk_error *err);
void volstream_reader_free(struct volstream_reader *reader);	/* takes NULL */

/*
 * 1 and the next thing, valid until the next call; 0 behind the last stream; -EBADMSG damaged or cut short, -EPROTO against the
 * rules, -EOPNOTSUPP a later version, or what the read function gave.
 */
int volstream_next(struct volstream_reader *reader, struct volstream_item *item, struct layerblk_error *err);

#endif
