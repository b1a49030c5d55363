/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes a stream to a sink. After a failure nothing but volstream_writer_free() may follow. */
#ifndef BACKUP_VOLSTREAM_WRITE_H
#define BACKUP_VOLSTREAM_WRITE_H

#include "sink.h"
#include "volstream.h"

struct volstream_writer;

/* The sink must outlive the writer. Writes the STREAM record. */
int volstream_writer_new(const struct sink *sink, enum volstream_contents contents, enum volstream_encoding encoding, uint64_t time_s,
			 struct volstream_writer **out, struct layerblk_error *err);
void volstream_writer_free(struct volstream_writer *writer);	/* takes NULL */

/* Of a stream of images, before the first volume. */
int volstream_add_image(struct volstream_writer *writer, const struct volstream_image *image, struct layerblk_error *err);

int volstream_volume_begin(struct volstream_writer *writer, const struct volstream_volume *volume, struct layerblk_error *err);
/*
 * Ranges in ascending order. Data that is all zeros is told as cleared. volstream_data() takes any number of blocks;
 * they are copied.
 */
int volstream_data(struct volstream_writer *writer, uint64_t start, const void *data, size_t blocks, struct layerblk_error *err);
int volstream_clear(struct volstream_writer *writer, uint64_t start, uint64_t blocks, struct layerblk_error *err);
/* totals may be NULL. */
int volstream_volume_end(struct volstream_writer *writer, struct volstream_totals *totals, struct layerblk_error *err);

/* Writes the STREAM_END record. */
int volstream_finish(struct volstream_writer *writer, struct layerblk_error *err);

/* Bytes written so far. */
uint64_t volstream_written(const struct volstream_writer *writer);

#endif
