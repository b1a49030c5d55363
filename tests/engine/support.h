/* SPDX-License-Identifier: GPL-2.0 */
/* What most tests of the engine start with: cmocka, the port's handles, a simulated disk, a superblock, chance that repeats. */
#ifndef LB_TEST_SUPPORT_H
#define LB_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "format.h"
#include "port.h"
#include "port_sim.h"
#include "port_user.h"

#define assert_ok(expr) assert_int_equal((expr), 0)

/* Chance that repeats (splitmix64). */
struct dice {
	u64 state;
};

static inline u64 dice_next(struct dice *d)
{
	u64 z = (d->state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static inline u64 dice_below(struct dice *d, u64 n) { return dice_next(d) % n; }

/* Rounds of a random test: LB_TEST_ROUNDS in the environment multiplies them. */
static inline u64 test_rounds(u64 n)
{
	const char *s = getenv("LB_TEST_ROUNDS");

	return s ? n * strtoull(s, NULL, 0) : n;
}

/* The seed of a random test: LB_TEST_SEED or the given one. */
static inline u64 test_seed(u64 seed)
{
	const char *s = getenv("LB_TEST_SEED");

	return s ? strtoull(s, NULL, 0) : seed;
}

/* A superblock of an empty pool (not sealed). Free with free(); it is fit for device I/O. */
static inline struct lb_super *test_super(u64 total_blocks)
{
	struct lb_super *sb = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);
	bool large = total_blocks >= 2 * LB_MIRROR_BLOCK_LARGE;

	assert_non_null(sb);
	memset(sb, 0, sizeof(*sb));
	sb->total_blocks = cpu_to_le64(total_blocks);
	sb->mirror_block = cpu_to_le64(large ? LB_MIRROR_BLOCK_LARGE : LB_MIRROR_BLOCK_SMALL);
	sb->journal_block = cpu_to_le64(LB_JOURNAL_BLOCK);
	sb->journal_blocks = cpu_to_le64(LB_JOURNAL_MIN_BLOCKS);
	sb->next_volume = cpu_to_le64(1);
	memset(sb->uuid, 0x5a, sizeof(sb->uuid));
	return sb;
}

/* A block of a pattern that the number decides. */
static inline void test_fill(void *block, u64 pattern)
{
	u64 *w = block;
	unsigned int i;

	for (i = 0; i < LB_BLOCK_BYTES / sizeof(u64); i++)
		w[i] = pattern * 0x9e3779b97f4a7c15ull + i;
}

#endif /* LB_TEST_SUPPORT_H */
