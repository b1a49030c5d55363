// SPDX-License-Identifier: GPL-2.0-or-later
/* Sizes, numbers and durations as people write and read them; whole-number arithmetic throughout. */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "size.h"

#define FRACTION_DIGITS	9

/* A decimal number at *text: its whole part, and its fraction in units of 10^-9. False: none there, or too large. */
struct decimal {
	uint64_t whole;
	uint64_t fraction;
	bool overflow;
};

static bool read_decimal(const char **text, struct decimal *out)
{
	const char *c = *text;
	uint64_t unit = 1;
	int i;

	*out = (struct decimal){ 0 };
	if (!isdigit((unsigned char)*c))
		return false;
	for (; isdigit((unsigned char)*c); c++) {
		if (__builtin_mul_overflow(out->whole, 10, &out->whole) ||
		    __builtin_add_overflow(out->whole, (uint64_t)(*c - '0'), &out->whole))
			out->overflow = true;
	}
	for (i = 0; i < FRACTION_DIGITS; i++)
		unit *= 10;
	if (*c == '.') {
		if (!isdigit((unsigned char)c[1]))
			return false;
		for (c++; isdigit((unsigned char)*c); c++) {
			unit /= 10;
			out->fraction += unit * (uint64_t)(*c - '0');
		}
	}
	*text = c;
	return true;
}

/* whole and fraction of a unit of `multiple`; rounds a fraction of 1 down. */
static bool scale(const struct decimal *number, uint64_t multiple, uint64_t *out)
{
	unsigned __int128 part = (unsigned __int128)number->fraction * multiple / 1000000000U;
	uint64_t whole;

	if (number->overflow || __builtin_mul_overflow(number->whole, multiple, &whole) ||
	    __builtin_add_overflow(whole, (uint64_t)part, out))
		return false;
	return *out <= INT64_MAX;
}

/* The power of 1024 that a unit stands for ("", "B", "k", "kB", "KiB"...); -1: it is none. */
static int unit_shift(const char *unit)
{
	static const char letters[] = "kmgtpe";
	const char *letter;

	if (!unit[0] || !strcasecmp(unit, "b"))
		return 0;
	letter = strchr(letters, tolower((unsigned char)unit[0]));
	if (!letter || (unit[1] && strcasecmp(unit + 1, "b") && strcasecmp(unit + 1, "ib")))
		return -1;
	return 10 * (int)(letter - letters + 1);
}

static char *quoted(const char *text, char *buffer, size_t size)
{
	snprintf(buffer, size, "\"%.48s%s\"", text, strlen(text) > 48 ? "..." : "");
	return buffer;
}

int size_parse(const char *text, uint64_t *bytes, const char *what, struct layerblk_error *err)
{
	const char *rest = text;
	struct decimal number;
	char subject[64];
	int shift;

	quoted(text, subject, sizeof(subject));
	if (!read_decimal(&rest, &number) || (shift = unit_shift(rest)) < 0) {
		layerblk_error_set(err, EINVAL, what, subject, "it is no size");
		return layerblk_error_hint(err, "Write a size as 512M, 10G, 1.5TiB or a number of bytes");
	}
	if (!scale(&number, 1ULL << shift, bytes))
		return layerblk_error_set(err, ERANGE, what, subject, "it is larger than any size can be (2^63 - 1 bytes)");
	return 0;
}

int size_parse_volume(const char *text, uint64_t *bytes, const char *what, struct layerblk_error *err)
{
	char subject[64], nearest[SIZE_TEXT];
	uint64_t size;
	int ret = size_parse(text, &size, what, err);

	if (ret)
		return ret;
	quoted(text, subject, sizeof(subject));
	if (!size)
		return layerblk_error_set(err, EINVAL, what, subject, "a volume has at least %d bytes", LB_BLOCK_SIZE);
	if (size > LB_VOLUME_SIZE_MAX)
		return layerblk_error_set(err, ERANGE, what, subject, "a volume has at most %s",
					  size_format(LB_VOLUME_SIZE_MAX, nearest));
	if (size % LB_BLOCK_SIZE) {
		layerblk_error_set(err, EINVAL, what, subject, "%llu bytes are no multiple of %d",
				   (unsigned long long)size, LB_BLOCK_SIZE);
		return layerblk_error_hint(err, "The next size that is one has %llu bytes",
					   (unsigned long long)(size / LB_BLOCK_SIZE + 1) * LB_BLOCK_SIZE);
	}
	*bytes = size;
	return 0;
}

char *size_format(uint64_t bytes, char buffer[SIZE_TEXT])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	size_t unit = 0;
	int decimals;

	/* 1023.95 and above would be shown as 1024 of the smaller unit. */
	while (value >= (unit ? 1023.95 : 1024) && unit < 6) {
		value /= 1024;
		unit++;
	}
	decimals = !unit || value >= 999.95 ? 0 : value >= 99.995 ? 1 : 2;
	snprintf(buffer, SIZE_TEXT, "%.*f", decimals, value);
	if (strchr(buffer, '.')) {
		char *end = buffer + strlen(buffer) - 1;

		while (*end == '0')
			*end-- = 0;
		if (*end == '.')
			*end = 0;
	}
	strcat(buffer, units[unit]);
	return buffer;
}

int number_parse(const char *text, uint64_t max, uint64_t *value, const char *what, struct layerblk_error *err)
{
	const char *rest = text;
	struct decimal number;
	char subject[64];

	quoted(text, subject, sizeof(subject));
	if (!read_decimal(&rest, &number) || *rest || strchr(text, '.'))
		return layerblk_error_set(err, EINVAL, what, subject, "it is no whole number");
	if (number.overflow || number.whole > max)
		return layerblk_error_set(err, ERANGE, what, subject, "it is larger than %llu", (unsigned long long)max);
	*value = number.whole;
	return 0;
}

static bool duration_unit(const char **text, uint64_t *ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
	size_t i, len = 0;

	while (isalpha((unsigned char)(*text)[len]))
		len++;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strlen(units[i].name) == len && !strncmp(units[i].name, *text, len)) {
			*text += len;
			*ms = units[i].ms;
			return true;
		}
	}
	return false;
}

int duration_parse(const char *text, uint64_t *ms, const char *what, struct layerblk_error *err)
{
	const char *rest = text;
	struct decimal number;
	uint64_t total = 0, unit, part;
	char subject[64];

	quoted(text, subject, sizeof(subject));
	do {
		if (!read_decimal(&rest, &number))
			goto no_duration;
		if (!*rest && !total)
			unit = 1000;
		else if (!duration_unit(&rest, &unit))
			goto no_duration;
		if (!scale(&number, unit, &part) || __builtin_add_overflow(total, part, &total) || total > INT64_MAX)
			return layerblk_error_set(err, ERANGE, what, subject, "it is too long");
	} while (*rest);
	*ms = total;
	return 0;
no_duration:
	layerblk_error_set(err, EINVAL, what, subject, "it is no duration");
	return layerblk_error_hint(err, "Write a duration as 500ms, 10s, 5m or 1h30m");
}
