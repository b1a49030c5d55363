// SPDX-License-Identifier: GPL-2.0-or-later
/* See tarball.h. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <archive.h>
#include <archive_entry.h>

#include "tarball.h"

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[8], rest[247];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "a tar header");

static void seal(struct header *h)
{
	const uint8_t *bytes = (const uint8_t *)h;
	unsigned int sum = 0;
	size_t i;

	memset(h->sum, ' ', sizeof(h->sum));
	for (i = 0; i < sizeof(*h); i++)
		sum += bytes[i];
	snprintf(h->sum, sizeof(h->sum), "%06o", sum & 0777777);
}

static size_t octal(const char *text, size_t n)
{
	size_t value = 0;

	for (; n && *text == ' '; n--)
		text++;
	for (; n && *text >= '0' && *text <= '7'; n--)
		value = value * 8 + (size_t)(*text++ - '0');
	return value;
}

void tar_fix(uint8_t *tar, size_t size)
{
	struct header h;
	size_t at, data;

	for (at = 0; at + TAR_BLOCK <= size; at += TAR_BLOCK + data) {
		memcpy(&h, tar + at, sizeof(h));
		data = 0;
		if (!h.name[0] && !h.magic[0])
			continue;
		seal(&h);
		memcpy(tar + at, &h, sizeof(h));
		data = (octal(h.size, sizeof(h.size)) + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
		if (data > size || h.type == '1' || h.type == '2' || (h.type >= '3' && h.type <= '6'))
			data = 0;
	}
}

static uint8_t *room_for(struct tarball *t, size_t bytes)
{
	uint8_t *at;

	if (t->size + bytes > t->room) {
		t->room = 2 * (t->size + bytes);
		t->bytes = realloc(t->bytes, t->room);
		if (!t->bytes)
			abort();
	}
	at = t->bytes + t->size;
	memset(at, 0, bytes);
	t->size += bytes;
	return at;
}

void tarball_add(struct tarball *t, const char *name, const void *data, size_t size)
{
	struct header h = { .mode = "0000644", .uid = "0000000", .gid = "0000000", .mtime = "00000000000", .type = '0', .magic = "ustar" };

	memcpy(h.magic + 6, "00", 2);
	snprintf(h.name, sizeof(h.name), "%s", name);
	snprintf(h.size, sizeof(h.size), "%011zo", size);
	seal(&h);
	memcpy(room_for(t, TAR_BLOCK), &h, sizeof(h));
	if (size)
		memcpy(room_for(t, (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK), data, size);
}

void tarball_end(struct tarball *t)
{
	room_for(t, 2 * TAR_BLOCK);
}

uint8_t *tar_compress(const uint8_t *data, size_t size, unsigned int how, size_t *out)
{
	size_t room = 2 * size + 65536;
	uint8_t *bytes = malloc(room);
	struct archive_entry *entry;
	struct archive *a;

	if (!bytes)
		abort();
	if (!how) {
		if (size)
			memcpy(bytes, data, size);
		*out = size;
		return bytes;
	}
	a = archive_write_new();
	entry = archive_entry_new();
	archive_write_set_format_raw(a);
	if (how == 1)
		archive_write_add_filter_gzip(a);
	else if (how == 2)
		archive_write_add_filter_zstd(a);
	else
		archive_write_add_filter_xz(a);
	archive_write_set_bytes_in_last_block(a, 1);
	archive_write_open_memory(a, bytes, room, out);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_write_header(a, entry);
	archive_write_data(a, data, size);
	archive_write_close(a);
	archive_write_free(a);
	archive_entry_free(entry);
	return bytes;
}
