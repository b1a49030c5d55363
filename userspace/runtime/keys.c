// SPDX-License-Identifier: GPL-2.0-or-later
/* See keys.h. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "cleanup.h"
#include "keys.h"

static bool parse_one(const char *text, unsigned char *out)
{
	unsigned char c;

	if (strlen(text) == 1) {
		*out = (unsigned char)*text;
		return true;
	}
	if (strncasecmp(text, "ctrl-", 5) != 0 || strlen(text) != 6)
		return false;
	c = (unsigned char)text[5];
	if (!isalpha(c) && !strchr("@[\\]^_", c))
		return false;
	*out = (unsigned char)(toupper(c) & 0x1f);
	return true;
}

int keys_parse(const char *text, struct keys *out, struct layerblk_error *err)
{
	cleanup_free char *copy = strdup(text);
	char *rest = copy, *word;

	memset(out, 0, sizeof(*out));
	if (!copy)
		return layerblk_error_set(err, ENOMEM, "use the detach keys", text, "no memory");
	while ((word = strsep(&rest, ",")) != NULL) {
		if (out->length == KEYS_MAX || !parse_one(word, &out->sequence[out->length]))
			return layerblk_error_set(err, EINVAL, "use the detach keys", text,
						  "each is a character, or ctrl- and a letter or one of @[\\]^_");
		out->length++;
	}
	return 0;
}

/* After a mismatch: how much of what is held back, and the new byte, still begins the sequence. */
static size_t longest_rest(const struct keys *keys, const unsigned char *held, size_t count)
{
	for (size_t skip = 1; skip <= count; skip++)
		if (memcmp(held + skip, keys->sequence, count - skip) == 0)
			return count - skip;
	return 0;
}

bool keys_filter(struct keys *keys, const unsigned char *in, size_t size, unsigned char *out, size_t *out_size)
{
	unsigned char held[KEYS_MAX + 1];

	*out_size = 0;
	for (size_t i = 0; i < size; i++) {
		size_t count = keys->matched, rest;

		if (keys->length && in[i] == keys->sequence[count]) {
			if (++keys->matched == keys->length) {
				keys->matched = 0;
				return true;
			}
			continue;
		}
		memcpy(held, keys->sequence, count);
		held[count++] = in[i];
		rest = longest_rest(keys, held, count);
		memcpy(out + *out_size, held, count - rest);
		*out_size += count - rest;
		keys->matched = rest;
	}
	return false;
}
