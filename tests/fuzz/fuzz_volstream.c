// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stream of volumes or of images: any bytes. What the reader hands out is inside its volume and ascends; a failure says what is wrong; a stream
 * that is right is still right, and the same bytes, when it is written anew; and a restore, or receive, that only checks says the same of it as the
 * reader. Which of the two it is taken for is what its first record says.
 *
 *   byte 0: bit 0 records get their magic, numbers and checksums, bit 1 the ends and images get their digests, images also their ids, bit 2 the input
 *   comes in small pieces
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

#include "receive.h"
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

/* own: bytes of the record itself that are part of what is summed up. */
static void fix_digest(EVP_MD_CTX *digest, uint8_t *payload, uint32_t own, uint32_t length)
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();

	if (EVP_MD_CTX_copy_ex(copy, digest) != 1 || EVP_DigestUpdate(copy, payload, own) != 1 ||
	    EVP_DigestFinal_ex(copy, payload + length - VOLSTREAM_DIGEST, NULL) != 1)
		abort();
	EVP_MD_CTX_free(copy);
}

/* An image is known by the SHA-256 of its config, so that no change of one would ever be looked at. */
static void fix_image_id(uint8_t *payload, uint32_t length)
{
	struct volstream_image image;
	const char *why;

	if (volstream_image_unpack(payload, length, &image, &why) != 0)
		return;
	if (EVP_Digest(image.config, image.config_size, payload, NULL, EVP_sha256(), NULL) != 1)
		abort();
	volstream_image_clear(&image);
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
		if (digests && head.type == VOLSTREAM_IMAGE)
			fix_image_id(payload, head.length);
		if (digests && head.length >= VOLSTREAM_DIGEST &&
		    (head.type == VOLSTREAM_VOLUME_END || head.type == VOLSTREAM_STREAM_END || head.type == VOLSTREAM_IMAGE))
			fix_digest(digest, payload, head.type == VOLSTREAM_IMAGE ? head.length - VOLSTREAM_DIGEST : 0, head.length);
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

	if (item->type == VOLSTREAM_IMAGE) {
		if (!item->image->layer_count || strlen(item->image->config) > item->image->config_size)
			abort();
		for (size_t i = 0; i < item->image->name_count; i++)
			if (strlen(item->image->names[i]) > UINT16_MAX)
				abort();
		return;
	}
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

	if (item->type == VOLSTREAM_IMAGE)
		rc = volstream_add_image(writer, item->image, &err);
	else if (item->type == VOLSTREAM_VOLUME)
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

/* The end of a stream of images, which is told; that of one of volumes is not, and several become one. */
static void write_end(struct volstream_writer **writer, const struct sink *sink)
{
	struct layerblk_error err = { 0 };

	if (volstream_finish(*writer, &err) != 0)
		abort();
	volstream_writer_free(*writer);
	if (volstream_writer_new(sink, VOLSTREAM_OF_IMAGES, VOLSTREAM_ZSTD, 0, writer, &err) != 0)
		abort();
}

/* writer NULL: it is not written anew. */
static int read_all(struct bytes *in, enum volstream_contents contents, struct image *image, struct volstream_writer **writer,
		    const struct sink *sink)
{
	struct volstream_reader *reader;
	struct layerblk_error err = { 0 };
	struct volstream_item item;
	uint64_t next = 0;
	int rc;

	in->at = 0;
	if (volstream_reader_new(give, in, contents, "the input", &reader, &err) != 0)
		abort();
	while ((rc = volstream_next(reader, &item, &err)) == 1) {
		check_item(&item, &next);
		image_take(image, &item);
		if (writer && item.type == VOLSTREAM_STREAM_END)
			write_end(writer, sink);
		else if (writer)
			write_item(*writer, &item);
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

static void no_image(const struct bundle_image *image, bool quiet)
{
	(void)quiet;
	if (!*image->id || !image->layer_count)
		abort();
}

static void nobody(void *arg, const struct volstream_volume *volume, const char *name)
{
	(void)arg;
	(void)volume;
	if (!*name)
		abort();
}

static int restore_it(const char *path, struct layerblk_error *err)
{
	struct restore_options options = { .quiet = true };
	struct restore *restore;
	int rc;

	if (restore_new(NULL, &options, &restore, err) != 0)
		abort();
	rc = restore_read(restore, path, err);
	if (!rc)
		rc = restore_finish(restore, nobody, NULL, err);
	restore_free(restore);
	return rc;
}

static int receive_it(const char *path, struct layerblk_error *err)
{
	struct receive_options options = { .quiet = true, .said_image = no_image };
	struct receive *receive;
	int rc;

	if (receive_new(NULL, &options, &receive, err) != 0)
		abort();
	rc = receive_read(receive, path, err);
	receive_free(receive);
	return rc;
}

/* They may refuse what the reader lets pass (a missing base, a name twice), never the other way round. */
static void check_it(const struct bytes *in, enum volstream_contents contents, bool right)
{
	int fd = memfd_create("stream", MFD_CLOEXEC), rc;
	struct layerblk_error err = { 0 };
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || write(fd, in->data, in->size) != (ssize_t)in->size)
		abort();
	rc = contents == VOLSTREAM_OF_IMAGES ? receive_it(path, &err) : restore_it(path, &err);
	if (rc)
		must_explain(&err, rc);
	else if (!right)
		abort();
	close(fd);
}

#define FLAGS_AT	(VOLSTREAM_HEAD + 4)	/* of the first record of a stream */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image image = { .fd = -1 }, again = { .fd = -1 };
	struct bytes in = { 0 }, out = { 0 };
	struct sink sink = { keep, &out };
	struct volstream_writer *writer;
	struct layerblk_error err = { 0 };
	enum volstream_contents contents;
	int rc;

	if (!size)
		return -1;
	keep(&in, data + 1, size - 1, NULL);
	in.step = data[0] & 4 ? 7 : 0;
	if (data[0] & 1)
		fix(in.data, in.size, data[0] & 2);
	contents = in.size > FLAGS_AT && in.data[FLAGS_AT] & VOLSTREAM_IMAGES ? VOLSTREAM_OF_IMAGES : VOLSTREAM_OF_VOLUMES;
	if (volstream_writer_new(&sink, contents, VOLSTREAM_ZSTD, 0, &writer, &err) != 0)
		abort();
	rc = read_all(&in, contents, &image, &writer, &sink);
	if (!rc && (volstream_finish(writer, &err) != 0 || read_all(&out, contents, &again, NULL, NULL) != 0))
		abort();
	if (!rc)
		must_be_same(&image, &again);
	check_it(&in, contents, rc == 0);
	volstream_writer_free(writer);
	for (int i = 0; i < 2; i++)
		if ((i ? &again : &image)->fd >= 0)
			close((i ? &again : &image)->fd);
	free(in.data);
	free(out.data);
	return 0;
}
