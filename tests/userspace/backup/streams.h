/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams in memory, for the tests that write, read and forge them. */
#ifndef TESTS_BACKUP_STREAMS_H
#define TESTS_BACKUP_STREAMS_H

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "test.h"
#include "volstream_read.h"
#include "volstream_write.h"

struct bytes {
	uint8_t *data;
	size_t size;
	size_t at;			/* of reading */
	size_t step;			/* at most so many bytes are read at once; 0: all */
	size_t limit;			/* writing fails behind this; 0: never */
};

static struct layerblk_error error;

static inline int keep(void *arg, const void *data, size_t size, struct layerblk_error *err)
{
	struct bytes *bytes = arg;

	if (bytes->limit && bytes->size + size > bytes->limit)
		return layerblk_error_set(err, ENOSPC, "write", "", "full");
	bytes->data = realloc(bytes->data, bytes->size + size);
	assert_non_null(bytes->data);
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
	return 0;
}

static inline ssize_t give(void *arg, void *buffer, size_t size, struct layerblk_error *err)
{
	struct bytes *bytes = arg;
	size_t left = bytes->size - bytes->at;

	(void)err;
	if (size > left)
		size = left;
	if (bytes->step && size > bytes->step)
		size = bytes->step;
	memcpy(buffer, bytes->data + bytes->at, size);
	bytes->at += size;
	return (ssize_t)size;
}

/* A record with right sums, whatever is in it. */
struct forge {
	struct bytes bytes;
	uint64_t sequence;
};

static inline void record(struct forge *forge, uint16_t type, uint16_t encoding, uint32_t count, const void *payload, uint32_t size)
{
	struct volstream_head head = {
		.type = type, .encoding = encoding, .length = size, .count = count, .sequence = forge->sequence++,
		.payload_crc = volstream_crc(0, payload, size),
	};
	uint8_t wire[VOLSTREAM_HEAD];

	volstream_head_pack(&head, wire);
	keep(&forge->bytes, wire, sizeof(wire), &error);
	keep(&forge->bytes, payload, size, &error);
}

/* A file with these bytes; path is what it can be opened as. Close it. */
static inline int bytes_file(const struct bytes *bytes, char path[32])
{
	int fd = memfd_create("stream", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes->data, bytes->size), bytes->size);
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

#endif
