// SPDX-License-Identifier: GPL-2.0-or-later
/* See volstream.h: records and descriptions between memory and the stream. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "port.h"
#include "volstream_wire.h"

/* ------------------------------------------------------------------ records */

uint32_t volstream_crc(uint32_t crc, const void *data, size_t size)
{
	return ~port_crc32c(~crc, data, size);
}

void volstream_head_pack(const struct volstream_head *head, uint8_t wire[VOLSTREAM_HEAD])
{
	uint8_t *at = put32(wire, VOLSTREAM_MAGIC);

	at = put16(at, head->type);
	at = put16(at, head->encoding);
	at = put32(at, head->length);
	at = put32(at, head->count);
	at = put64(at, head->sequence);
	at = put32(at, head->payload_crc);
	put32(at, volstream_crc(0, wire, VOLSTREAM_HEAD - 4));
}

/* Limits of each type of record; what they mean together is the reader's to check. */
static bool lengths_are_right(const struct volstream_head *head)
{
	if (head->type != VOLSTREAM_BLOCKS && (head->count || head->encoding))
		return false;
	switch (head->type) {
	case VOLSTREAM_STREAM:
		return head->length == VOLSTREAM_START_BYTES;
	case VOLSTREAM_VOLUME:
		return head->length && head->length <= VOLSTREAM_TEXT_MAX;
	case VOLSTREAM_BLOCKS:
		return head->count && head->count <= VOLSTREAM_RANGES_MAX && head->encoding <= VOLSTREAM_ZSTD &&
		       head->length >= head->count * VOLSTREAM_RANGE &&
		       head->length - head->count * VOLSTREAM_RANGE <= VOLSTREAM_DATA_MAX;
	case VOLSTREAM_VOLUME_END:
		return head->length == VOLSTREAM_VOLUME_END_BYTES;
	case VOLSTREAM_STREAM_END:
		return head->length == VOLSTREAM_STREAM_END_BYTES;
	case VOLSTREAM_IMAGE:
		return head->length > VOLSTREAM_DIGEST && head->length <= VOLSTREAM_IMAGE_MAX;
	default:
		return false;
	}
}

int volstream_head_unpack(const uint8_t wire[VOLSTREAM_HEAD], struct volstream_head *head, const char **why)
{
	*why = "it is damaged: a record does not begin where one must";
	if (get32(wire) != VOLSTREAM_MAGIC)
		return -EBADMSG;
	*why = "it is damaged: a record's head has the wrong checksum";
	if (get32(wire + VOLSTREAM_HEAD - 4) != volstream_crc(0, wire, VOLSTREAM_HEAD - 4))
		return -EBADMSG;
	*head = (struct volstream_head){
		.type = get16(wire + 4), .encoding = get16(wire + 6), .length = get32(wire + 8), .count = get32(wire + 12),
		.sequence = get64(wire + 16), .payload_crc = get32(wire + 24),
	};
	*why = "a record has a type or length that there is not in version 1 of the format";
	return lengths_are_right(head) ? 0 : -EPROTO;
}

void volstream_range_pack(const struct volstream_range *range, uint8_t wire[VOLSTREAM_RANGE])
{
	put32(put32(put64(wire, range->start), range->count), range->flags);
}

void volstream_range_unpack(const uint8_t wire[VOLSTREAM_RANGE], struct volstream_range *range)
{
	range->start = get64(wire);
	range->count = get32(wire + 8);
	range->flags = get32(wire + 12);
}

/* ------------------------------------------------------------------ a volume's description */

/*
 * size, quota, id, time (8 bytes each), pool, backup, base, fs (16 each), flags (4), length of the name (2), attributes (2); the name; for
 * each attribute the lengths of key (2) and value (4), key and value.
 */
#define FIXED	(4 * 8 + 4 * 16 + 8)

void volstream_volume_clear(struct volstream_volume *volume)
{
	for (size_t i = 0; i < volume->attr_count; i++) {
		free(volume->attrs[i].key);
		free(volume->attrs[i].value);
	}
	free(volume->attrs);
	memset(volume, 0, sizeof(*volume));
}

bool volstream_is_full(const struct volstream_volume *volume)
{
	static const uint8_t none[VOLSTREAM_ID];

	return memcmp(volume->base, none, sizeof(none)) == 0;
}

static char *copy_of(const void *data, size_t size)
{
	char *copy = malloc(size + 1);

	if (copy) {
		memcpy(copy, data, size);
		copy[size] = '\0';
	}
	return copy;
}

static int add_attr(struct volstream_volume *volume, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct volstream_attr *more = reallocarray(volume->attrs, volume->attr_count + 1, sizeof(*more)), *attr;

	if (!more)
		return -ENOMEM;
	volume->attrs = more;
	attr = &more[volume->attr_count];
	*attr = (struct volstream_attr){ .key = copy_of(key, key_len), .value = copy_of(value, value_len),
					   .value_len = (uint32_t)value_len };
	volume->attr_count++;
	return attr->key && attr->value ? 0 : -ENOMEM;
}

int volstream_attr_add(struct volstream_volume *volume, const char *key, const char *value, size_t value_len,
			struct layerblk_error *err)
{
	if (volume->attr_count == VOLSTREAM_ATTRS_MAX)
		return layerblk_error_set(err, E2BIG, "describe the volume", volume->name, "it has more than %d attributes",
					  VOLSTREAM_ATTRS_MAX);
	if (add_attr(volume, key, strlen(key), value, value_len) != 0)
		return layerblk_error_set(err, ENOMEM, "describe the volume", volume->name, "no memory");
	return 0;
}

static size_t packed_size(const struct volstream_volume *volume)
{
	size_t size = FIXED + strlen(volume->name);

	for (size_t i = 0; i < volume->attr_count; i++)
		size += 6 + strlen(volume->attrs[i].key) + volume->attrs[i].value_len;
	return size;
}

int volstream_volume_pack(const struct volstream_volume *volume, uint8_t **wire, size_t *size, struct layerblk_error *err)
{
	size_t name_len = strlen(volume->name);
	char fs[VOLSTREAM_FS] = "";
	uint8_t *at;

	*size = packed_size(volume);
	if (*size > VOLSTREAM_TEXT_MAX)
		return layerblk_error_set(err, E2BIG, "describe the volume", volume->name, "its attributes are longer than %u bytes together",
					  VOLSTREAM_TEXT_MAX);
	*wire = malloc(*size);
	if (!*wire)
		return layerblk_error_set(err, ENOMEM, "describe the volume", volume->name, "no memory");
	memcpy(fs, volume->fs, strnlen(volume->fs, sizeof(fs)));
	at = put64(put64(put64(put64(*wire, volume->size), volume->quota_blocks), volume->id), volume->time_s);
	at = put_bytes(at, volume->pool, sizeof(volume->pool));
	at = put_bytes(at, volume->backup, sizeof(volume->backup));
	at = put_bytes(at, volume->base, sizeof(volume->base));
	at = put_bytes(at, fs, sizeof(fs));
	at = put16(put16(put32(at, volume->flags), (uint16_t)name_len), (uint16_t)volume->attr_count);
	at = put_bytes(at, volume->name, name_len);
	for (size_t i = 0; i < volume->attr_count; i++) {
		const struct volstream_attr *attr = &volume->attrs[i];
		size_t key_len = strlen(attr->key);

		at = put32(put16(at, (uint16_t)key_len), attr->value_len);
		at = put_bytes(put_bytes(at, attr->key, key_len), attr->value, attr->value_len);
	}
	return 0;
}

static int unpack_attrs(const uint8_t *at, const uint8_t *end, size_t count, struct volstream_volume *volume)
{
	for (size_t i = 0; i < count; i++) {
		size_t key_len, value_len;

		if (end - at < 6)
			return -EPROTO;
		key_len = get16(at);
		value_len = get32(at + 2);
		at += 6;
		if (!key_len || key_len > LB_KEY_MAX || value_len > LB_VALUE_MAX || (size_t)(end - at) < key_len + value_len ||
		    memchr(at, 0, key_len))
			return -EPROTO;
		if (add_attr(volume, at, key_len, at + key_len, value_len) != 0)
			return -ENOMEM;
		at += key_len + value_len;
	}
	return at == end ? 0 : -EPROTO;
}

static const char *wrong_with(const struct volstream_volume *volume)
{
	static const uint8_t none[VOLSTREAM_ID];

	if (!volume->size || volume->size % LB_BLOCK_SIZE || volume->size > LB_VOLUME_SIZE_MAX)
		return "the volume's size in it cannot be";
	if (volume->flags & ~VOLSTREAM_FROZEN)
		return "it has flags that this version does not know";
	if (memcmp(volume->backup, none, sizeof(none)) == 0 || memcmp(volume->backup, volume->base, sizeof(volume->base)) == 0)
		return "the identity of a volume in it cannot be";
	if (layerblk_name_check(volume->name, NULL) != 0)
		return "the volume's name in it cannot be";
	return NULL;
}

int volstream_volume_unpack(const uint8_t *wire, size_t size, struct volstream_volume *volume, const char **why)
{
	size_t name_len, attrs;
	int rc;

	memset(volume, 0, sizeof(*volume));
	*why = "the description of a volume in it makes no sense";
	if (size < FIXED)
		return -EPROTO;
	volume->size = get64(wire);
	volume->quota_blocks = get64(wire + 8);
	volume->id = get64(wire + 16);
	volume->time_s = get64(wire + 24);
	memcpy(volume->pool, wire + 32, sizeof(volume->pool));
	memcpy(volume->backup, wire + 48, sizeof(volume->backup));
	memcpy(volume->base, wire + 64, sizeof(volume->base));
	memcpy(volume->fs, wire + 80, VOLSTREAM_FS);
	volume->flags = get32(wire + 96);
	name_len = get16(wire + 100);
	attrs = get16(wire + 102);
	if (name_len > LB_NAME_MAX || name_len > size - FIXED || attrs > VOLSTREAM_ATTRS_MAX || memchr(wire + FIXED, 0, name_len))
		return -EPROTO;
	memcpy(volume->name, wire + FIXED, name_len);
	rc = unpack_attrs(wire + FIXED + name_len, wire + size, attrs, volume);
	if (!rc && wrong_with(volume)) {
		*why = wrong_with(volume);
		rc = -EPROTO;
	}
	if (rc == -ENOMEM)
		*why = "no memory";
	if (rc)
		volstream_volume_clear(volume);
	return rc;
}

/* ------------------------------------------------------------------ identities */

char *volstream_id_text(const uint8_t id[VOLSTREAM_ID], char text[VOLSTREAM_ID_TEXT])
{
	for (size_t i = 0; i < VOLSTREAM_ID; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
	return text;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int volstream_id_parse(const char *text, uint8_t id[VOLSTREAM_ID])
{
	for (size_t i = 0; i < VOLSTREAM_ID; i++) {
		int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);

		if (low < 0)
			return -EINVAL;
		id[i] = (uint8_t)(high << 4 | low);
	}
	return text[2 * VOLSTREAM_ID] ? -EINVAL : 0;
}
