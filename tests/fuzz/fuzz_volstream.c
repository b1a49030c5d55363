// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A backup's stream: any bytes. What the reader hands out is inside its volume and ascends; a failure says what is wrong; a stream that is right
 * is still right, and the same bytes, when it is written anew; and a restore that only checks says the same of it as the reader.
 *
 *   byte 0: bit 0 records get their magic, numbers and checksums, bit 1 the ends get their digests, bit 2 the input comes in small pieces
 *
 * The rest is the stream. With bit 0, its records are found by the lengths in their heads.
 */
#include <endian.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "restore.h"
#include "restore_target.h"
#include "volstream_read.h"
#include "volstream_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IMAGE_MAX	(1U << 20)	/* larger volumes are read, but not made */

struct bytes {
	uint8_t *data;
	size_t size;
	size_t at;
	size_t step;
};

struct image {				/* what the last volume of a stream comes to */
	int fd;				/* -1: too large, or none */
	uint64_t size;
};

static void must_explain(const struct layerblk_error *err, int rc)
{
	char text[2048];

	layerblk_error_format(err, text, sizeof(text));
	if (getenv("FUZZ_VERBOSE"))
		fprintf(stderr, "%d: %s\n", rc, text);
	if (rc >= 0 || err->code != -rc || !*text)
		abort();
}

/* ------------------------------------------------------------------ sums */

static void fix_digest(EVP_MD_CTX *digest, uint8_t *payload, uint32_t length)
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();

	if (length >= VOLSTREAM_DIGEST &&
	    (EVP_MD_CTX_copy_ex(copy, digest) != 1 || EVP_DigestFinal_ex(copy, payload + length - VOLSTREAM_DIGEST, NULL) != 1))
		abort();
	EVP_MD_CTX_free(copy);
}

static void fix(uint8_t *stream, size_t size, bool digests)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	uint64_t number = 0;

	EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
	for (size_t at = 0; size - at >= VOLSTREAM_HEAD;) {
		uint8_t *wire = stream + at, *payload = wire + VOLSTREAM_HEAD;
		struct volstream_head head;
		uint16_t type, encoding;
		uint32_t length, count;

		memcpy(&type, wire + 4, sizeof(type));
		memcpy(&encoding, wire + 6, sizeof(encoding));
		memcpy(&length, wire + 8, sizeof(length));
		memcpy(&count, wire + 12, sizeof(count));
		if (le16toh(type) == VOLSTREAM_STREAM) {
			number = 0;
			EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
		}
		head = (struct volstream_head){ .type = le16toh(type), .encoding = le16toh(encoding), .length = le32toh(length),
						.count = le32toh(count), .sequence = number++ };
		at += VOLSTREAM_HEAD;
		if (head.length > size - at)
			break;
		if (digests && (head.type == VOLSTREAM_VOLUME_END || head.type == VOLSTREAM_STREAM_END))
			fix_digest(digest, payload, head.length);
		head.payload_crc = volstream_crc(0, payload, head.length);
		volstream_head_pack(&head, wire);
		EVP_DigestUpdate(digest, wire, VOLSTREAM_HEAD + head.length);
		at += head.length;
	}
	EVP_MD_CTX_free(digest);
}

/* ------------------------------------------------------------------ reading */

static ssize_t give(void *arg, void *buffer, size_t size, struct layerblk_error *err)
{
	struct bytes *bytes = arg;
	size_t left = bytes->size - bytes->at;

	(void)err;
	size = size < left ? size : left;
	if (bytes->step && size > bytes->step)
		size = bytes->step;
	memcpy(buffer, bytes->data + bytes->at, size);
	bytes->at += size;
	return (ssize_t)size;
}

static int keep(void *arg, const void *data, size_t size, struct layerblk_error *err)
{
	struct bytes *bytes = arg;

	(void)err;
	bytes->data = realloc(bytes->data, bytes->size + size);
	if (!bytes->data)
		abort();
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
	return 0;
}

/* The promises of volstream_read.h. */
static void check_item(const struct volstream_item *item, uint64_t *next)
{
	uint64_t blocks = item->volume->size / LB_BLOCK_SIZE, data = 0;

	if (item->type == VOLSTREAM_VOLUME) {
		*next = 0;
		if (!blocks || layerblk_name_check(item->volume->name, NULL) != 0)
			abort();
		return;
	}
	if (item->type != VOLSTREAM_BLOCKS)
		return;
	for (size_t i = 0; i < item->range_count; i++) {
		const struct volstream_range *range = &item->ranges[i];

		if (!range->count || range->start < *next || range->start >= blocks || range->count > blocks - range->start)
			abort();
		*next = range->start + range->count;
		data += range->flags & VOLSTREAM_DATA ? range->count : 0;
	}
	if (data > VOLSTREAM_BLOCKS_MAX || (uintptr_t)item->data % LB_BLOCK_SIZE)
		abort();
}

static void image_begin(struct image *image, uint64_t size)
{
	if (image->fd >= 0)
		close(image->fd);
	image->size = size;
	image->fd = size <= IMAGE_MAX ? memfd_create("image", MFD_CLOEXEC) : -1;
	if (image->fd >= 0 && ftruncate(image->fd, (off_t)size) != 0)
		abort();
}

static void image_take(struct image *image, const struct volstream_item *item)
{
	struct layerblk_error err = { 0 };

	if (item->type == VOLSTREAM_VOLUME)
		image_begin(image, item->volume->size);
	else if (item->type == VOLSTREAM_BLOCKS && image->fd >= 0 &&
		 restore_ranges(image->fd, true, item->ranges, item->range_count, item->data, &err) != 0)
		abort();
}

/* The same thing through the writer. */
static void write_item(struct volstream_writer *writer, const struct volstream_item *item)
{
	struct layerblk_error err = { 0 };
	const uint8_t *data = item->data;
	int rc = 0;

	if (item->type == VOLSTREAM_VOLUME)
		rc = volstream_volume_begin(writer, item->volume, &err);
	else if (item->type == VOLSTREAM_VOLUME_END)
		rc = volstream_volume_end(writer, NULL, &err);
	for (size_t i = 0; !rc && i < item->range_count; i++) {
		const struct volstream_range *range = &item->ranges[i];

		if (!(range->flags & VOLSTREAM_DATA)) {
			rc = volstream_clear(writer, range->start, range->count, &err);
			continue;
		}
		rc = volstream_data(writer, range->start, data, range->count, &err);
		data += (size_t)range->count * LB_BLOCK_SIZE;
	}
	if (rc)
		abort();
}

/* writer NULL: it is not written anew. */
static int read_all(struct bytes *in, struct image *image, struct volstream_writer *writer)
{
	struct volstream_reader *reader;
	struct layerblk_error err = { 0 };
	struct volstream_item item;
	uint64_t next = 0;
	int rc;

	in->at = 0;
	if (volstream_reader_new(give, in, "the input", &reader, &err) != 0)
		abort();
	while ((rc = volstream_next(reader, &item, &err)) == 1) {
		check_item(&item, &next);
		image_take(image, &item);
		if (writer)
			write_item(writer, &item);
	}
	volstream_reader_free(reader);
	if (rc)
		must_explain(&err, rc);
	return rc;
}

/* ------------------------------------------------------------------ what holds of all of it */

static void must_be_same(const struct image *a, const struct image *b)
{
	uint8_t left[LB_BLOCK_SIZE], right[LB_BLOCK_SIZE];

	if (a->size != b->size)
		abort();
	for (uint64_t at = 0; a->fd >= 0 && at < a->size; at += LB_BLOCK_SIZE)
		if (pread(a->fd, left, sizeof(left), (off_t)at) != LB_BLOCK_SIZE || pread(b->fd, right, sizeof(right), (off_t)at) != LB_BLOCK_SIZE ||
		    memcmp(left, right, LB_BLOCK_SIZE) != 0)
			abort();
}

static void nobody(void *arg, const struct volstream_volume *volume, const char *name)
{
	(void)arg;
	(void)volume;
	if (!*name)
		abort();
}

/* A restore may refuse what the reader lets pass (a missing base, a name twice), never the other way round. */
static void check_restore(const struct bytes *in, bool right)
{
	struct restore_options options = { .quiet = true };
	int fd = memfd_create("stream", MFD_CLOEXEC), rc;
	struct layerblk_error err = { 0 };
	struct restore *restore;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || write(fd, in->data, in->size) != (ssize_t)in->size || restore_new(NULL, &options, &restore, &err) != 0)
		abort();
	rc = restore_read(restore, path, &err);
	if (!rc)
		rc = restore_finish(restore, nobody, NULL, &err);
	if (rc)
		must_explain(&err, rc);
	else if (!right)
		abort();
	restore_free(restore);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image image = { .fd = -1 }, again = { .fd = -1 };
	struct bytes in = { 0 }, out = { 0 };
	struct sink sink = { keep, &out };
	struct volstream_writer *writer;
	struct layerblk_error err = { 0 };
	int rc;

	if (!size)
		return -1;
	keep(&in, data + 1, size - 1, NULL);
	in.step = data[0] & 4 ? 7 : 0;
	if (data[0] & 1)
		fix(in.data, in.size, data[0] & 2);
	if (volstream_writer_new(&sink, VOLSTREAM_ZSTD, 0, &writer, &err) != 0)
		abort();
	rc = read_all(&in, &image, writer);
	if (!rc && (volstream_finish(writer, &err) != 0 || read_all(&out, &again, NULL) != 0))
		abort();
	if (!rc)
		must_be_same(&image, &again);
	check_restore(&in, rc == 0);
	volstream_writer_free(writer);
	for (int i = 0; i < 2; i++)
		if ((i ? &again : &image)->fd >= 0)
			close((i ? &again : &image)->fd);
	free(in.data);
	free(out.data);
	return 0;
}
