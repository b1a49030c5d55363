// SPDX-License-Identifier: GPL-2.0-or-later
/* See volume_blocks.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "backup_output.h"
#include "cleanup.h"
#include "report.h"
#include "volume_blocks.h"

struct copying {
	const struct volume_blocks *blocks;
	struct volstream_writer *writer;
	int fd;
	void *buffer;			/* VOLSTREAM_DATA_MAX bytes, aligned */
	struct progress progress;
	uint64_t done;			/* bytes */
	struct layerblk_error *err;
};

static int measure_range(void *arg, const struct lb_range *range)
{
	struct copying *copying = arg;

	if (range->flags & LB_RANGE_MAPPED)
		copying->progress.total += (uint64_t)range->count * LB_BLOCK_SIZE;
	return 0;
}

static int read_blocks(struct copying *copying, uint64_t start, size_t blocks)
{
	size_t size = blocks * LB_BLOCK_SIZE, got = 0;

	while (got < size) {
		ssize_t more = pread(copying->fd, (char *)copying->buffer + got, size - got, (off_t)(start * LB_BLOCK_SIZE + got));

		if (more < 0 && errno == EINTR)
			continue;
		if (more <= 0)
			return layerblk_error_set(copying->err, more ? errno : EIO, "read", copying->blocks->device,
						  "%s at byte %" PRIu64, more ? strerror(errno) : "it ends", start * LB_BLOCK_SIZE + got);
		got += (size_t)more;
	}
	return 0;
}

static int copy_range(void *arg, const struct lb_range *range)
{
	struct copying *copying = arg;
	uint64_t start = range->start, left = range->count, end = copying->blocks->size / LB_BLOCK_SIZE;
	int rc = 0;

	if (start >= end)		/* what the base had behind the end of a volume that has shrunk */
		return 0;
	if (left > end - start)
		left = end - start;
	if (backup_interrupted())
		return layerblk_error_set(copying->err, EINTR, copying->blocks->doing, copying->blocks->what, "interrupted");
	if (!(range->flags & LB_RANGE_MAPPED))
		return volstream_clear(copying->writer, start, left, copying->err);
	while (!rc && left) {
		size_t blocks = left < VOLSTREAM_BLOCKS_MAX ? (size_t)left : VOLSTREAM_BLOCKS_MAX;

		rc = read_blocks(copying, start, blocks);
		if (!rc)
			rc = volstream_data(copying->writer, start, copying->buffer, blocks, copying->err);
		start += blocks;
		left -= blocks;
		copying->done += blocks * LB_BLOCK_SIZE;
		progress_update(&copying->progress, copying->done);
	}
	return rc;
}

int volume_blocks_write(const struct volume_blocks *blocks, struct volstream_writer *writer, struct layerblk_error *err)
{
	const struct pool *pool = blocks->pool;
	cleanup_fd int fd = open(blocks->device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	cleanup_free void *buffer = aligned_alloc(LB_BLOCK_SIZE, VOLSTREAM_DATA_MAX);
	struct copying copying = { .blocks = blocks, .writer = writer, .fd = fd, .buffer = buffer, .err = err };
	int rc = 0;

	if (fd < 0)
		return layerblk_error_set(err, errno, "open", blocks->device, "%s", strerror(errno));
	if (!buffer)
		return layerblk_error_set(err, ENOMEM, blocks->doing, blocks->what, "no memory");
	progress_begin(&copying.progress, 0, blocks->quiet, "%s", blocks->label);
	if (copying.progress.enabled)		/* the trees are walked twice to know how much it will be */
		rc = layerblk_diff(pool->lb, pool->uuid, blocks->base, blocks->volume, measure_range, &copying, err);
	if (!rc)
		rc = layerblk_diff(pool->lb, pool->uuid, blocks->base, blocks->volume, copy_range, &copying, err);
	progress_end(&copying.progress);
	return rc;
}
