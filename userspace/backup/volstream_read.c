// SPDX-License-Identifier: GPL-2.0-or-later
/* See volstream_read.h. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include "volstream_read.h"

struct volstream_reader {
	volstream_read_fn *read;
	void *arg;
	enum volstream_contents contents;
	const char *name;
	EVP_MD_CTX *digest;		/* of the stream's bytes before the record at hand */
	ZSTD_DCtx *zstd;
	bool in_stream;
	bool in_volume;
	uint64_t sequence;		/* of the next record */
	uint64_t offset;		/* bytes read, for errors */
	uint64_t volumes;		/* whole ones of this stream */
	uint64_t next_block;		/* where the next range may begin */
	struct volstream_volume volume;
	struct volstream_image image;
	struct volstream_totals totals;
	struct volstream_range ranges[VOLSTREAM_RANGES_MAX];
	uint8_t *text;			/* payloads without data, and ranges */
	uint8_t *stored;		/* data as it is in the stream; both aligned, VOLSTREAM_DATA_MAX bytes */
	uint8_t *data;
};

static const char *doing(enum volstream_contents contents)
{
	return contents == VOLSTREAM_OF_IMAGES ? "receive from" : "restore from";
}

static int wrong(const struct volstream_reader *reader, int code, const char *why, struct layerblk_error *err)
{
	return layerblk_error_set(err, code, doing(reader->contents), reader->name, "%s (after %" PRIu64 " bytes)", why, reader->offset);
}

int volstream_reader_new(volstream_read_fn *read, void *arg, enum volstream_contents contents, const char *name,
			 struct volstream_reader **out, struct layerblk_error *err)
{
	struct volstream_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return layerblk_error_set(err, ENOMEM, doing(contents), name, "no memory");
	reader->read = read;
	reader->arg = arg;
	reader->contents = contents;
	reader->name = name;
	reader->digest = EVP_MD_CTX_new();
	reader->zstd = ZSTD_createDCtx();
	reader->text = malloc(VOLSTREAM_IMAGE_MAX);	/* none is longer */
	reader->stored = aligned_alloc(LB_BLOCK_SIZE, VOLSTREAM_DATA_MAX);
	reader->data = aligned_alloc(LB_BLOCK_SIZE, VOLSTREAM_DATA_MAX);
	if (!reader->digest || !reader->zstd || !reader->text || !reader->stored || !reader->data) {
		volstream_reader_free(reader);
		return layerblk_error_set(err, ENOMEM, doing(contents), name, "no memory");
	}
	*out = reader;
	return 0;
}

void volstream_reader_free(struct volstream_reader *reader)
{
	if (!reader)
		return;
	volstream_volume_clear(&reader->volume);
	volstream_image_clear(&reader->image);
	EVP_MD_CTX_free(reader->digest);
	ZSTD_freeDCtx(reader->zstd);
	free(reader->text);
	free(reader->stored);
	free(reader->data);
	free(reader);
}

/* ------------------------------------------------------------------ bytes */

/* All of it, or a negative errno; 1: the end was at the first byte. */
static int take(struct volstream_reader *reader, void *buffer, size_t size, struct layerblk_error *err)
{
	size_t got = 0;

	while (got < size) {
		ssize_t more = reader->read(reader->arg, (uint8_t *)buffer + got, size - got, err);

		if (more < 0)
			return (int)more;
		if (more == 0)
			return got ? wrong(reader, EBADMSG, "it ends in the middle of a record", err) : 1;
		got += (size_t)more;
		reader->offset += (uint64_t)more;
	}
	return 0;
}

static int take_payload(struct volstream_reader *reader, void *buffer, size_t size, struct layerblk_error *err)
{
	int rc = size ? take(reader, buffer, size, err) : 0;

	return rc == 1 ? wrong(reader, EBADMSG, "it ends in the middle of a record", err) : rc;
}

static int digest_add(struct volstream_reader *reader, const void *data, size_t size, struct layerblk_error *err)
{
	return EVP_DigestUpdate(reader->digest, data, size) == 1 ? 0 : wrong(reader, ENOMEM, "no memory", err);
}

/* Of all bytes before this record, and `size` of its own. */
static int digest_check(struct volstream_reader *reader, const void *more, size_t size, const uint8_t expected[VOLSTREAM_DIGEST],
			struct layerblk_error *err)
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	uint8_t digest[VOLSTREAM_DIGEST];
	bool done = copy && EVP_MD_CTX_copy_ex(copy, reader->digest) == 1 && EVP_DigestUpdate(copy, more, size) == 1 &&
		    EVP_DigestFinal_ex(copy, digest, NULL) == 1;

	EVP_MD_CTX_free(copy);
	if (!done)
		return wrong(reader, ENOMEM, "no memory", err);
	if (memcmp(digest, expected, sizeof(digest)) != 0)
		return wrong(reader, EBADMSG, "it is damaged: its SHA-256 is not the one that it says", err);
	return 0;
}

static uint64_t number(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

/* ------------------------------------------------------------------ records, their payload in reader->text */

static int other_contents(const struct volstream_reader *reader, struct layerblk_error *err)
{
	bool images = reader->contents == VOLSTREAM_OF_IMAGES;

	wrong(reader, EPROTO, images ? "it is a backup of volumes, and holds no images" : "it is no backup: it holds images", err);
	return layerblk_error_hint(err, images ? "`layerctl volume restore` reads it" : "`layerctl receive` reads it");
}

static int take_start(struct volstream_reader *reader, struct layerblk_error *err)
{
	uint32_t version, flags;
	char why[96];

	memcpy(&version, reader->text, sizeof(version));
	memcpy(&flags, reader->text + 4, sizeof(flags));
	if (le32toh(version) != VOLSTREAM_VERSION) {
		snprintf(why, sizeof(why), "it has version %" PRIu32 " of the format, and this layerctl reads version %d", le32toh(version),
			 VOLSTREAM_VERSION);
		wrong(reader, EOPNOTSUPP, why, err);
		return layerblk_error_hint(err, "Use the layerctl of another release");
	}
	flags = le32toh(flags);
	if (flags & ~VOLSTREAM_IMAGES)
		return wrong(reader, EOPNOTSUPP, "it uses features that this layerctl does not know", err);
	if (!(flags & VOLSTREAM_IMAGES) != (reader->contents == VOLSTREAM_OF_VOLUMES))
		return other_contents(reader, err);
	reader->in_stream = true;
	return 0;
}

static int take_image(struct volstream_reader *reader, size_t size, struct volstream_item *item, struct layerblk_error *err)
{
	const char *why;
	int rc = digest_check(reader, reader->text, size - VOLSTREAM_DIGEST, reader->text + size - VOLSTREAM_DIGEST, err);

	if (rc)
		return rc;
	volstream_image_clear(&reader->image);
	rc = volstream_image_unpack(reader->text, size, &reader->image, &why);
	item->image = &reader->image;
	return rc ? wrong(reader, -rc, why, err) : 0;
}

static int take_volume(struct volstream_reader *reader, size_t size, struct layerblk_error *err)
{
	const char *why;
	int rc;

	volstream_volume_clear(&reader->volume);
	rc = volstream_volume_unpack(reader->text, size, &reader->volume, &why);
	if (rc)
		return wrong(reader, -rc, why, err);
	reader->in_volume = true;
	reader->next_block = 0;
	memset(&reader->totals, 0, sizeof(reader->totals));
	return 0;
}

static int take_volume_end(struct volstream_reader *reader, struct layerblk_error *err)
{
	const struct volstream_totals *totals = &reader->totals;
	const uint8_t *text = reader->text;

	if (number(text) != totals->data_blocks || number(text + 8) != totals->cleared_blocks || number(text + 16) != totals->ranges)
		return wrong(reader, EBADMSG, "it is damaged: the blocks of a volume are not as many as its end says", err);
	reader->in_volume = false;
	reader->volumes++;
	return digest_check(reader, NULL, 0, text + 24, err);
}

static int take_stream_end(struct volstream_reader *reader, struct layerblk_error *err)
{
	if (number(reader->text) != reader->volumes)
		return wrong(reader, EBADMSG, "it is damaged: the volumes in it are not as many as its end says", err);
	reader->in_stream = false;
	return digest_check(reader, NULL, 0, reader->text + 8, err);
}

/* ------------------------------------------------------------------ blocks */

/* Gives how many blocks of data the ranges have, or a negative errno. */
static int check_ranges(struct volstream_reader *reader, size_t count, struct layerblk_error *err)
{
	uint64_t blocks = reader->volume.size / LB_BLOCK_SIZE, data = 0;

	for (size_t i = 0; i < count; i++) {
		struct volstream_range *range = &reader->ranges[i];

		volstream_range_unpack(reader->text + i * VOLSTREAM_RANGE, range);
		if (range->flags & ~VOLSTREAM_DATA)
			return wrong(reader, EPROTO, "a range has flags that this version does not know", err);
		if (!range->count || range->start < reader->next_block || range->start >= blocks || range->count > blocks - range->start)
			return wrong(reader, EPROTO, "a range is outside the volume or out of order", err);
		reader->next_block = range->start + range->count;
		if (range->flags & VOLSTREAM_DATA) {
			data += range->count;
			reader->totals.data_blocks += range->count;
		} else {
			reader->totals.cleared_blocks += range->count;
		}
		if (data > VOLSTREAM_BLOCKS_MAX)
			return wrong(reader, EPROTO, "a record has more blocks than it may have", err);
	}
	reader->totals.ranges += count;
	return (int)data;
}

/* What is compressed must come to exactly the blocks that were announced: there is no room for more. */
static int unpack_data(struct volstream_reader *reader, const struct volstream_head *head, size_t stored, size_t size,
		       struct volstream_item *item, struct layerblk_error *err)
{
	size_t got;

	if (head->encoding == VOLSTREAM_RAW) {
		item->data = reader->stored;
		return stored == size ? 0 : wrong(reader, EPROTO, "the data of a record is not as long as its ranges", err);
	}
	if (!size || stored >= size)
		return wrong(reader, EPROTO, "the data of a record is not as long as its ranges", err);
	got = ZSTD_decompressDCtx(reader->zstd, reader->data, size, reader->stored, stored);
	if (ZSTD_isError(got) || got != size)
		return wrong(reader, EPROTO, "the compressed data of a record is wrong", err);
	item->data = reader->data;
	return 0;
}

/* The payload is read; its checksum was right. */
static int take_blocks(struct volstream_reader *reader, const struct volstream_head *head, struct volstream_item *item,
		       struct layerblk_error *err)
{
	int blocks = check_ranges(reader, head->count, err);

	if (blocks < 0)
		return blocks;
	item->ranges = reader->ranges;
	item->range_count = head->count;
	return unpack_data(reader, head, head->length - (size_t)head->count * VOLSTREAM_RANGE, (size_t)blocks * LB_BLOCK_SIZE, item, err);
}

/* ------------------------------------------------------------------ one record */

/* Whether a record of this type may come here. */
static bool may_come(const struct volstream_reader *reader, unsigned int type)
{
	switch (type) {
	case VOLSTREAM_STREAM:
		return !reader->in_stream;
	case VOLSTREAM_VOLUME:
	case VOLSTREAM_STREAM_END:
		return reader->in_stream && !reader->in_volume;
	case VOLSTREAM_IMAGE:
		return reader->in_stream && !reader->in_volume && !reader->volumes && reader->contents == VOLSTREAM_OF_IMAGES;
	default:
		return reader->in_volume;
	}
}

/* 1: a head; 0: the end of the input, in its right place. */
static int next_head(struct volstream_reader *reader, uint8_t wire[VOLSTREAM_HEAD], struct volstream_head *head, struct layerblk_error *err)
{
	bool first = reader->offset == 0;
	const char *why;
	int rc = take(reader, wire, VOLSTREAM_HEAD, err);

	if (rc < 0)
		return rc;
	if (rc == 1 && (reader->in_stream || first))
		return wrong(reader, EBADMSG, first ? "it is empty" : "it is cut short", err);
	if (rc == 1)
		return 0;
	rc = volstream_head_unpack(wire, head, &why);
	if (rc == -EBADMSG && first)
		why = reader->contents == VOLSTREAM_OF_IMAGES ? "it is no stream of images" : "it is no backup";
	if (rc)
		return wrong(reader, -rc, why, err);
	if (!may_come(reader, head->type))
		return wrong(reader, EPROTO, "its records are out of order", err);
	if (head->type == VOLSTREAM_STREAM) {
		reader->sequence = 0;
		reader->volumes = 0;
		if (EVP_DigestInit_ex(reader->digest, EVP_sha256(), NULL) != 1)
			return wrong(reader, ENOMEM, "no memory", err);
	}
	if (head->sequence != reader->sequence++)
		return wrong(reader, EBADMSG, "it is damaged: records are missing or twice there", err);
	return 1;
}

/* Into text, and what follows the ranges of a BLOCKS record into stored. The bounds are volstream_head_unpack()'s. */
static int take_payloads(struct volstream_reader *reader, const struct volstream_head *head, size_t *text, size_t *stored,
			 struct layerblk_error *err)
{
	uint32_t crc;
	int rc;

	*text = head->type == VOLSTREAM_BLOCKS ? (size_t)head->count * VOLSTREAM_RANGE : head->length;
	*stored = head->length - *text;
	rc = take_payload(reader, reader->text, *text, err);
	if (!rc)
		rc = take_payload(reader, reader->stored, *stored, err);
	if (rc)
		return rc;
	crc = volstream_crc(volstream_crc(0, reader->text, *text), reader->stored, *stored);
	return crc == head->payload_crc ? 0 : wrong(reader, EBADMSG, "it is damaged: a record has the wrong checksum", err);
}

static int take_record(struct volstream_reader *reader, const struct volstream_head *head, struct volstream_item *item,
		       struct layerblk_error *err)
{
	switch (head->type) {
	case VOLSTREAM_STREAM:
		return take_start(reader, err);
	case VOLSTREAM_VOLUME:
		return take_volume(reader, head->length, err);
	case VOLSTREAM_BLOCKS:
		return take_blocks(reader, head, item, err);
	case VOLSTREAM_IMAGE:
		return take_image(reader, head->length, item, err);
	case VOLSTREAM_VOLUME_END:
		return take_volume_end(reader, err);
	default:
		return take_stream_end(reader, err);
	}
}

int volstream_next(struct volstream_reader *reader, struct volstream_item *item, struct layerblk_error *err)
{
	uint8_t wire[VOLSTREAM_HEAD];
	struct volstream_head head = { 0 };
	size_t text = 0, stored = 0;
	int rc;

	do {
		memset(item, 0, sizeof(*item));
		rc = next_head(reader, wire, &head, err);
		if (rc <= 0)
			return rc;
		rc = take_payloads(reader, &head, &text, &stored, err);
		if (!rc)
			rc = take_record(reader, &head, item, err);
		/* An end is checked against what was before it, and is part of what follows. */
		if (!rc)
			rc = digest_add(reader, wire, sizeof(wire), err);
		if (!rc)
			rc = digest_add(reader, reader->text, text, err);
		if (!rc)
			rc = digest_add(reader, reader->stored, stored, err);
		if (rc)
			return rc;
	} while (head.type == VOLSTREAM_STREAM || (head.type == VOLSTREAM_STREAM_END && reader->contents == VOLSTREAM_OF_VOLUMES));
	item->type = (enum volstream_type)head.type;
	item->volume = &reader->volume;
	item->totals = reader->totals;
	return 1;
}
