/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bytes that depend on a seed alone: the same for the one who writes and the one who checks.
 */
#ifndef PATTERN_H
#define PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t pattern_seed(const char *text)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3ULL;
	return h ? h : 1;
}

/* xorshift64*: the n-th word depends on the seed (not 0) and n only. */
static inline uint64_t pattern_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static inline void pattern_fill(unsigned char *to, size_t bytes, uint64_t *state)
{
	for (size_t i = 0; i < bytes; i += 8) {
		uint64_t word = pattern_next(state);

		memcpy(to + i, &word, bytes - i < 8 ? bytes - i : 8);
	}
}

#endif
