// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See volstream_write.h. Blocks gather in one buffer of a record's size, so that scattered ones share a record, its head and its
 * compression; a range that does not fit is split.
 */
#include <endian.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include "volstream_write.h"

#define LEVEL	3			/* zstd's own default */

struct volstream_writer {
	const struct sink *sink;
	enum volstream_encoding encoding;
	EVP_MD_CTX *digest;		/* of all bytes so far */
	ZSTD_CCtx *zstd;
	uint64_t sequence;
	uint64_t written;
	uint64_t volumes;
	struct volstream_totals totals;
	uint32_t range_count;		/* gathered */
	uint32_t block_count;
	struct volstream_range ranges[VOLSTREAM_RANGES_MAX];
	uint8_t *data;			/* VOLSTREAM_DATA_MAX bytes */
	uint8_t *packed;		/* as many */
};

static int no_memory(struct layerblk_error *err)
{
	return layerblk_error_set(err, ENOMEM, "write the stream", "", "no memory");
}

static int put(struct volstream_writer *writer, const void *data, size_t size, struct layerblk_error *err)
{
	if (!size)
		return 0;
	if (EVP_DigestUpdate(writer->digest, data, size) != 1)
		return no_memory(err);
	writer->written += size;
	return sink_write(writer->sink, data, size, err);
}

/* A record whose payload is in two parts. */
static int put_record(struct volstream_writer *writer, struct volstream_head *head, const void *first, size_t first_size,
		      const void *second, size_t second_size, struct layerblk_error *err)
{
	uint8_t wire[VOLSTREAM_HEAD];
	int rc;

	head->length = (uint32_t)(first_size + second_size);
	head->sequence = writer->sequence++;
	head->payload_crc = volstream_crc(volstream_crc(0, first, first_size), second, second_size);
	volstream_head_pack(head, wire);
	rc = put(writer, wire, sizeof(wire), err);
	if (!rc)
		rc = put(writer, first, first_size, err);
	return rc ? rc : put(writer, second, second_size, err);
}

/* The SHA-256 of what was written so far, and of `size` bytes more; the digest goes on. */
static int digest_now(const struct volstream_writer *writer, const void *more, size_t size, uint8_t out[VOLSTREAM_DIGEST],
		      struct layerblk_error *err)
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	bool done = copy && EVP_MD_CTX_copy_ex(copy, writer->digest) == 1 && EVP_DigestUpdate(copy, more, size) == 1 &&
		    EVP_DigestFinal_ex(copy, out, NULL) == 1;

	EVP_MD_CTX_free(copy);
	return done ? 0 : no_memory(err);
}

static int start(struct volstream_writer *writer, enum volstream_contents contents, uint64_t time_s, struct layerblk_error *err)
{
	static const char program[] = "layerctl " LAYERBLK_RELEASE;
	struct volstream_head head = { .type = VOLSTREAM_STREAM };
	uint8_t payload[VOLSTREAM_START_BYTES] = { 0 };
	uint32_t version = htole32(VOLSTREAM_VERSION), flags = htole32(contents == VOLSTREAM_OF_IMAGES ? VOLSTREAM_IMAGES : 0);

	time_s = htole64(time_s);
	memcpy(payload, &version, sizeof(version));
	memcpy(payload + 4, &flags, sizeof(flags));
	memcpy(payload + 8, &time_s, sizeof(time_s));
	memcpy(payload + 32, program, sizeof(program) < 32 ? sizeof(program) : 31);
	return put_record(writer, &head, payload, sizeof(payload), NULL, 0, err);
}

int volstream_writer_new(const struct sink *sink, enum volstream_contents contents, enum volstream_encoding encoding, uint64_t time_s,
			 struct volstream_writer **out, struct layerblk_error *err)
{
	struct volstream_writer *writer = calloc(1, sizeof(*writer));
	int rc;

	if (!writer)
		return no_memory(err);
	writer->sink = sink;
	writer->encoding = encoding;
	writer->data = malloc(VOLSTREAM_DATA_MAX);
	writer->packed = malloc(VOLSTREAM_DATA_MAX);
	writer->digest = EVP_MD_CTX_new();
	writer->zstd = encoding == VOLSTREAM_ZSTD ? ZSTD_createCCtx() : NULL;
	if (!writer->data || !writer->packed || !writer->digest || (encoding == VOLSTREAM_ZSTD && !writer->zstd) ||
	    EVP_DigestInit_ex(writer->digest, EVP_sha256(), NULL) != 1 ||
	    (writer->zstd && (ZSTD_isError(ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
			      ZSTD_isError(ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_checksumFlag, 1)))))
		rc = no_memory(err);
	else
		rc = start(writer, contents, time_s, err);
	if (rc)
		volstream_writer_free(writer);
	else
		*out = writer;
	return rc;
}

void volstream_writer_free(struct volstream_writer *writer)
{
	if (!writer)
		return;
	EVP_MD_CTX_free(writer->digest);
	ZSTD_freeCCtx(writer->zstd);
	free(writer->data);
	free(writer->packed);
	free(writer);
}

uint64_t volstream_written(const struct volstream_writer *writer)
{
	return writer->written;
}

/* ------------------------------------------------------------------ blocks */

/* What has gathered goes out. */
static int flush(struct volstream_writer *writer, struct layerblk_error *err)
{
	struct volstream_head head = { .type = VOLSTREAM_BLOCKS, .count = writer->range_count };
	uint8_t ranges[VOLSTREAM_RANGES_MAX * VOLSTREAM_RANGE];
	size_t size = (size_t)writer->block_count * LB_BLOCK_SIZE, packed = 0;

	if (!writer->range_count)
		return 0;
	for (uint32_t i = 0; i < writer->range_count; i++)
		volstream_range_pack(&writer->ranges[i], ranges + (size_t)i * VOLSTREAM_RANGE);
	/* With room for less than the blocks themselves: what does not become smaller fails, and goes out as it is. */
	if (writer->zstd && size)
		packed = ZSTD_compress2(writer->zstd, writer->packed, size - 1, writer->data, size);
	if (packed && !ZSTD_isError(packed))
		head.encoding = VOLSTREAM_ZSTD;
	else
		packed = size;
	writer->totals.ranges += writer->range_count;
	writer->range_count = 0;
	writer->block_count = 0;
	return put_record(writer, &head, ranges, (size_t)head.count * VOLSTREAM_RANGE,
			  head.encoding == VOLSTREAM_ZSTD ? writer->packed : writer->data, packed, err);
}

/* Adds to the last range when it goes on there. The caller has made sure that there is room. */
static void add_range(struct volstream_writer *writer, uint64_t start, uint32_t count, uint32_t flags)
{
	struct volstream_range *last = writer->range_count ? &writer->ranges[writer->range_count - 1] : NULL;

	if (last && last->flags == flags && last->start + last->count == start && count <= UINT32_MAX - last->count)
		last->count += count;
	else
		writer->ranges[writer->range_count++] = (struct volstream_range){ start, count, flags };
}

static bool is_zero(const uint8_t *data, size_t size)
{
	return data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

int volstream_data(struct volstream_writer *writer, uint64_t start, const void *data, size_t blocks, struct layerblk_error *err)
{
	const uint8_t *from = data;
	int rc;

	for (size_t i = 0; i < blocks; i++, from += LB_BLOCK_SIZE) {
		if (is_zero(from, LB_BLOCK_SIZE)) {
			rc = volstream_clear(writer, start + i, 1, err);
			if (rc)
				return rc;
			continue;
		}
		if (writer->block_count == VOLSTREAM_BLOCKS_MAX || writer->range_count == VOLSTREAM_RANGES_MAX) {
			rc = flush(writer, err);
			if (rc)
				return rc;
		}
		memcpy(writer->data + (size_t)writer->block_count * LB_BLOCK_SIZE, from, LB_BLOCK_SIZE);
		writer->block_count++;
		writer->totals.data_blocks++;
		add_range(writer, start + i, 1, VOLSTREAM_DATA);
	}
	return 0;
}

int volstream_clear(struct volstream_writer *writer, uint64_t start, uint64_t blocks, struct layerblk_error *err)
{
	writer->totals.cleared_blocks += blocks;
	while (blocks) {
		uint32_t count = blocks > UINT32_MAX ? UINT32_MAX : (uint32_t)blocks;
		int rc = writer->range_count == VOLSTREAM_RANGES_MAX ? flush(writer, err) : 0;

		if (rc)
			return rc;
		add_range(writer, start, count, 0);
		start += count;
		blocks -= count;
	}
	return 0;
}

/* ------------------------------------------------------------------ images, volumes and the end */

int volstream_add_image(struct volstream_writer *writer, const struct volstream_image *image, struct layerblk_error *err)
{
	struct volstream_head head = { .type = VOLSTREAM_IMAGE };
	uint8_t *payload;
	size_t size;
	int rc = volstream_image_pack(image, &payload, &size, err);

	if (rc)
		return rc;
	rc = digest_now(writer, payload, size - VOLSTREAM_DIGEST, payload + size - VOLSTREAM_DIGEST, err);
	if (!rc)
		rc = put_record(writer, &head, payload, size, NULL, 0, err);
	free(payload);
	return rc;
}

int volstream_volume_begin(struct volstream_writer *writer, const struct volstream_volume *volume, struct layerblk_error *err)
{
	struct volstream_head head = { .type = VOLSTREAM_VOLUME };
	uint8_t *payload;
	size_t size;
	int rc = volstream_volume_pack(volume, &payload, &size, err);

	if (rc)
		return rc;
	memset(&writer->totals, 0, sizeof(writer->totals));
	rc = put_record(writer, &head, payload, size, NULL, 0, err);
	free(payload);
	return rc;
}

int volstream_volume_end(struct volstream_writer *writer, struct volstream_totals *totals, struct layerblk_error *err)
{
	struct volstream_head head = { .type = VOLSTREAM_VOLUME_END };
	uint8_t payload[VOLSTREAM_VOLUME_END_BYTES];
	uint64_t numbers[3];
	int rc = flush(writer, err);

	if (!rc)
		rc = digest_now(writer, NULL, 0, payload + sizeof(numbers), err);
	if (rc)
		return rc;
	numbers[0] = htole64(writer->totals.data_blocks);
	numbers[1] = htole64(writer->totals.cleared_blocks);
	numbers[2] = htole64(writer->totals.ranges);
	memcpy(payload, numbers, sizeof(numbers));
	writer->volumes++;
	if (totals)
		*totals = writer->totals;
	return put_record(writer, &head, payload, sizeof(payload), NULL, 0, err);
}

int volstream_finish(struct volstream_writer *writer, struct layerblk_error *err)
{
	struct volstream_head head = { .type = VOLSTREAM_STREAM_END };
	uint8_t payload[VOLSTREAM_STREAM_END_BYTES];
	uint64_t volumes = htole64(writer->volumes);
	int rc = digest_now(writer, NULL, 0, payload + sizeof(volumes), err);

	if (rc)
		return rc;
	memcpy(payload, &volumes, sizeof(volumes));
	return put_record(writer, &head, payload, sizeof(payload), NULL, 0, err);
}
