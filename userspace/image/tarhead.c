// SPDX-License-Identifier: GPL-2.0-or-later
/* See tarhead.h. Whatever is changed here changes the digests of layers: tests/userspace/image/test_layer_tar.c has some that must stay. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include "cleanup.h"
#include "tarhead.h"

#define OCTAL_7		07777777U	/* the most that 7 octal digits hold: owners, devices */
#define OCTAL_11	077777777777ULL	/* sizes, times */

struct header {				/* one block, as POSIX has it */
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char zeros[12];
};

_Static_assert(sizeof(struct header) == TAR_BLOCK, "a header is one block");

struct records {			/* of a PAX header, growing */
	char *bytes;
	size_t used;
	size_t room;
	bool failed;
};

/* ------------------------------------------------------------------ PAX records */

static void append(struct records *records, const void *data, size_t size)
{
	if (records->room - records->used < size && !records->failed) {
		size_t room = records->used + size + 1024;
		char *larger = realloc(records->bytes, room);

		records->failed = !larger;
		if (larger) {
			records->bytes = larger;
			records->room = room;
		}
	}
	if (records->failed || !records->bytes)
		return;
	memcpy(records->bytes + records->used, data, size);
	records->used += size;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void record_bytes(struct records *records, const char *key, const void *value, size_t size)
{
	size_t rest = strlen(key) + size + 3, length = rest + 1;
	char digits[24];

	while ((size_t)snprintf(digits, sizeof(digits), "%zu", length) + rest != length)
		length = rest + strlen(digits);
	append(records, digits, strlen(digits));
	append(records, " ", 1);
	append(records, key, strlen(key));
	append(records, "=", 1);
	append(records, value, size);
	append(records, "\n", 1);
}

static void record_format(struct records *records, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void record_format(struct records *records, const char *key, const char *format, ...)
{
	char value[64];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	record_bytes(records, key, value, strlen(value));
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* Well-formed UTF-8: no surrogates, nothing above U+10FFFF, the shortest form. */
static bool is_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		unsigned int more = *at < 0x80 ? 0 : *at < 0xc2 ? 9 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : *at < 0xf5 ? 3 : 9;
		unsigned int first = *at++;

		if (more == 9)
			return false;
		if ((first == 0xe0 && *at < 0xa0) || (first == 0xed && *at > 0x9f) || (first == 0xf0 && *at < 0x90) ||
		    (first == 0xf4 && *at > 0x8f))
			return false;
		for (; more > 0; more--, at++)
			if ((*at & 0xc0) != 0x80)
				return false;
	}
	return true;
}

static bool needs_record(const char *text)
{
	return strlen(text) > sizeof(((struct header *)NULL)->name) || !is_ascii(text);
}

/* Seconds and a fraction, as "-1.5" for half a second before 1969-12-31 23:59:59. */
static void record_time(struct records *records, const char *key, struct timespec time)
{
	bool negative = time.tv_sec < 0;
	uint64_t seconds = negative ? (uint64_t)-(time.tv_sec + (time.tv_nsec ? 1 : 0)) : (uint64_t)time.tv_sec;
	long fraction = negative && time.tv_nsec ? 1000000000 - time.tv_nsec : time.tv_nsec;
	char digits[32] = "";

	if (fraction) {
		snprintf(digits, sizeof(digits), ".%09ld", fraction);
		for (size_t last = strlen(digits) - 1; digits[last] == '0'; last--)
			digits[last] = '\0';
	}
	record_format(records, key, "%s%" PRIu64 "%s", negative ? "-" : "", seconds, digits);
}

static bool mtime_fits(const struct tar_entry *entry)
{
	return entry->mtime.tv_nsec == 0 && entry->mtime.tv_sec >= 0 && (uint64_t)entry->mtime.tv_sec <= OCTAL_11;
}

static int record_xattrs(struct records *records, const struct tar_entry *entry, struct layerblk_error *err)
{
	char key[300];

	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct tar_xattr *xattr = &entry->xattrs[i];

		if (strchr(xattr->name, '='))
			return layerblk_error_set(err, EINVAL, "write the layer's entry", entry->path,
						  "the name of its attribute \"%s\" has a \"=\", which a tar cannot hold", xattr->name);
		snprintf(key, sizeof(key), "SCHILY.xattr.%s", xattr->name);
		record_bytes(records, key, xattr->value, xattr->size);
	}
	return 0;
}

/* stored: bytes that follow the header. */
static int make_records(struct records *records, const struct tar_entry *entry, uint64_t stored, struct layerblk_error *err)
{
	if (!is_utf8(entry->path) || (entry->link && !is_utf8(entry->link)))
		record_format(records, "hdrcharset", "BINARY");
	if (entry->parts) {
		record_format(records, "GNU.sparse.major", "1");
		record_format(records, "GNU.sparse.minor", "0");
		record_bytes(records, "GNU.sparse.name", entry->path, strlen(entry->path));
		record_format(records, "GNU.sparse.realsize", "%" PRIu64, entry->size);
	} else if (needs_record(entry->path)) {
		record_bytes(records, "path", entry->path, strlen(entry->path));
	}
	if (entry->link && needs_record(entry->link))
		record_bytes(records, "linkpath", entry->link, strlen(entry->link));
	if (stored > OCTAL_11)
		record_format(records, "size", "%" PRIu64, stored);
	if (entry->uid > OCTAL_7)
		record_format(records, "uid", "%" PRIu32, entry->uid);
	if (entry->gid > OCTAL_7)
		record_format(records, "gid", "%" PRIu32, entry->gid);
	if (!mtime_fits(entry))
		record_time(records, "mtime", entry->mtime);
	return record_xattrs(records, entry, err);
}

/* ------------------------------------------------------------------ headers */

/* Octal digits that fill the field but for a zero byte; what does not fit is in a PAX record, and is 0 here. */
static void put_octal(char *field, size_t size, uint64_t number)
{
	char digits[24];

	if (number > (1ULL << (3 * (size - 1))) - 1)
		number = 0;
	snprintf(digits, sizeof(digits), "%0*" PRIo64, (int)size - 1, number);
	memcpy(field, digits, size);
}

/* What is too long is cut; the whole is in a PAX record. */
static void put_text(char *field, size_t size, const char *text)
{
	size_t length = strlen(text);

	memcpy(field, text, length < size ? length : size);
}

static void seal(struct header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	unsigned int sum = 0;
	char digits[16];

	memcpy(header->magic, "ustar", sizeof(header->magic));
	memcpy(header->version, "00", sizeof(header->version));
	memset(header->checksum, ' ', sizeof(header->checksum));
	for (size_t i = 0; i < sizeof(*header); i++)
		sum += bytes[i];
	snprintf(digits, sizeof(digits), "%06o", sum);
	memcpy(header->checksum, digits, 7);
}

static void put_mtime(struct header *header, const struct tar_entry *entry)
{
	put_octal(header->mtime, sizeof(header->mtime), entry->mtime.tv_sec > 0 ? (uint64_t)entry->mtime.tv_sec : 0);
}

static char type_of(const struct tar_entry *entry)
{
	if (entry->hard)
		return '1';
	switch (entry->mode & S_IFMT) {
	case S_IFLNK:
		return '2';
	case S_IFCHR:
		return '3';
	case S_IFBLK:
		return '4';
	case S_IFDIR:
		return '5';
	case S_IFIFO:
		return '6';
	default:
		return '0';
	}
}

static const char *base_of(const char *path)
{
	size_t at = strlen(path);

	while (at > 1 && path[at - 1] == '/')
		at--;
	while (at > 0 && path[at - 1] != '/')
		at--;
	return path + at;
}

static int write_records(const struct tar_entry *entry, const struct records *records, const struct sink *to,
			 struct layerblk_error *err)
{
	struct header header = { .type = 'x' };
	char name[sizeof(header.name) + 1];
	int rc;

	snprintf(name, sizeof(name), "PaxHeaders/%s", base_of(entry->path));
	put_text(header.name, sizeof(header.name), name);
	put_octal(header.mode, sizeof(header.mode), 0644);
	put_octal(header.uid, sizeof(header.uid), 0);
	put_octal(header.gid, sizeof(header.gid), 0);
	put_octal(header.size, sizeof(header.size), records->used);
	put_mtime(&header, entry);
	seal(&header);
	rc = sink_write(to, &header, sizeof(header), err);
	if (!rc)
		rc = sink_write(to, records->bytes, records->used, err);
	return rc ? rc : tar_pad(records->used, to, err);
}

static int write_header(const struct tar_entry *entry, uint64_t stored, const struct sink *to, struct layerblk_error *err)
{
	bool device = !entry->hard && (S_ISCHR(entry->mode) || S_ISBLK(entry->mode));
	struct header header = { .type = type_of(entry) };
	char name[sizeof(header.name) + 1];

	if (entry->parts)
		snprintf(name, sizeof(name), "GNUSparseFile.0/%s", base_of(entry->path));
	put_text(header.name, sizeof(header.name), entry->parts ? name : entry->path);
	if (entry->link)
		put_text(header.link, sizeof(header.link), entry->link);
	put_octal(header.mode, sizeof(header.mode), entry->mode & 07777);
	put_octal(header.uid, sizeof(header.uid), entry->uid);
	put_octal(header.gid, sizeof(header.gid), entry->gid);
	put_octal(header.size, sizeof(header.size), stored);
	put_mtime(&header, entry);
	put_octal(header.major, sizeof(header.major), device ? major(entry->device) : 0);
	put_octal(header.minor, sizeof(header.minor), device ? minor(entry->device) : 0);
	seal(&header);
	return sink_write(to, &header, sizeof(header), err);
}

/* The map in front of the contents of a file with holes: how many parts, then offset and length of each, one a line, padded. */
static int make_map(const struct tar_entry *entry, struct records *map)
{
	static const char zeros[TAR_BLOCK];
	char line[48];

	snprintf(line, sizeof(line), "%zu\n", entry->part_count);
	append(map, line, strlen(line));
	for (size_t i = 0; i < entry->part_count; i++) {
		snprintf(line, sizeof(line), "%" PRIu64 "\n%" PRIu64 "\n", entry->parts[i].offset, entry->parts[i].length);
		append(map, line, strlen(line));
	}
	append(map, zeros, (TAR_BLOCK - map->used % TAR_BLOCK) % TAR_BLOCK);
	return map->failed ? -ENOMEM : 0;
}

static uint64_t stored_of(const struct tar_entry *entry)
{
	uint64_t stored = 0;

	if (entry->hard || !S_ISREG(entry->mode))
		return 0;
	if (!entry->parts)
		return entry->size;
	for (size_t i = 0; i < entry->part_count; i++)
		stored += entry->parts[i].length;
	return stored;
}

int tar_head(const struct tar_entry *entry, const struct sink *to, uint64_t *stored, struct layerblk_error *err)
{
	struct records records = { 0 }, map = { 0 };
	uint64_t bytes = stored_of(entry);
	int rc = 0;

	if (entry->parts)
		rc = make_map(entry, &map);
	if (!rc)
		rc = make_records(&records, entry, bytes + map.used, err);
	if (rc == -ENOMEM || records.failed)
		rc = layerblk_error_set(err, ENOMEM, "write the layer's entry", entry->path, "no memory");
	if (!rc && records.used)
		rc = write_records(entry, &records, to, err);
	if (!rc)
		rc = write_header(entry, bytes + map.used, to, err);
	if (!rc)
		rc = sink_write(to, map.bytes, map.used, err);
	free(records.bytes);
	free(map.bytes);
	*stored = bytes;
	return rc;
}

int tar_pad(uint64_t stored, const struct sink *to, struct layerblk_error *err)
{
	static const char zeros[TAR_BLOCK];

	return sink_write(to, zeros, (size_t)((TAR_BLOCK - stored % TAR_BLOCK) % TAR_BLOCK), err);
}

int tar_end(const struct sink *to, struct layerblk_error *err)
{
	static const char zeros[2 * TAR_BLOCK];

	return sink_write(to, zeros, sizeof(zeros), err);
}
