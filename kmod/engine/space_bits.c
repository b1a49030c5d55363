// SPDX-License-Identifier: GPL-2.0
/*
 * One loaded region: the image as it is (to be) on disk, the live view in memory, and two summaries of live that make finding room cheap: `avail`, one bit
 * a word that is not full, and `clusters`, one bit a wholly free cluster of 16 blocks. Pure data; the callers hold the lock.
 */
#include "space_priv.h"

struct lb_bits *lb_bits_alloc(unsigned int how)
{
	struct lb_bits *b = port_alloc(sizeof(*b), how);

	if (!b)
		return NULL;
	lb_list_init(&b->ring);
	lb_list_init(&b->dirty_link);
	lb_list_init(&b->fresh_link);
	b->image = port_alloc_block(how);
	b->live = port_alloc_block(how);
	if (!b->image || !b->live) {
		lb_bits_free(b);
		return NULL;
	}
	return b;
}

void lb_bits_free(struct lb_bits *b)
{
	if (!b)
		return;
	port_free_block(b->image);
	port_free_block(b->saved);
	port_free_block(b->live);
	port_free_block(b->fresh);
	port_free(b);
}

/* ------------------------------------------------------------------ image */

/* The payload is 48 bytes into an aligned block, so that it is an array of words. */
static __le64 *image_words(struct lb_bitmap_block *image)
{
	return (void *)image->bits;
}

static const __le64 *image_words_const(const struct lb_bitmap_block *image)
{
	return (const void *)image->bits;
}

bool lb_image_all(const struct lb_bitmap_block *image, unsigned int start, unsigned int len, bool set)
{
	const __le64 *words = image_words_const(image);
	unsigned int end = start + len, w;

	for (w = start / 64; w * 64 < end; w++) {
		u64 mask = lb_word_mask(w, start, end), v = le64_to_cpu(words[w]);

		if (((set ? ~v : v) & mask) != 0)
			return false;
	}
	return true;
}

void lb_image_fill(struct lb_bitmap_block *image, unsigned int start, unsigned int len, bool set)
{
	__le64 *words = image_words(image);
	unsigned int end = start + len, w;

	for (w = start / 64; w * 64 < end; w++) {
		__le64 mask = cpu_to_le64(lb_word_mask(w, start, end));

		if (set)
			words[w] |= mask;
		else
			words[w] &= ~mask;
	}
}

unsigned int lb_image_free(const struct lb_bitmap_block *image)
{
	const __le64 *words = image_words_const(image);
	unsigned int w, n = 0;

	for (w = 0; w < LB_BITS_WORDS; w++)
		n += port_popcount64(~le64_to_cpu(words[w]));
	return n;
}

/* Set the bits of what lies at [block, + count) in this region. */
static void image_fill_abs(struct lb_bits *b, u64 block, u64 count)
{
	u64 first = lb_region_first(b->region);
	u64 lo = max_t(u64, block, first), hi = min_t(u64, block + count, first + LB_REGION_BLOCKS);

	if (lo < hi)
		lb_image_fill(b->image, (unsigned int)(lo - first), (unsigned int)(hi - lo), true);
}

void lb_bits_virgin(struct lb_bits *b, const struct lb_fixed *f, unsigned int size)
{
	memset(b->image, 0, sizeof(*b->image));
	image_fill_abs(b, LB_BITMAP_BLOCK(b->region, 0), 2);
	image_fill_abs(b, LB_SUPER_BLOCK, LB_SUPER_SLOTS);
	image_fill_abs(b, f->mirror, LB_SUPER_SLOTS);
	image_fill_abs(b, f->journal, f->journal_blocks);
	lb_image_fill(b->image, size, LB_REGION_BLOCKS - size, true);
}

/* ------------------------------------------------------------------ live */

static bool cluster_free(const struct lb_bits *b, unsigned int c)
{
	return !((b->live[c / 4] >> (c % 4 * LB_CLUSTER_BLOCKS)) & 0xffff);
}

static void bits_summarise_word(struct lb_bits *b, unsigned int w)
{
	if (b->live[w] != ~0ULL)
		b->avail[w / 64] |= 1ULL << (w % 64);
	else
		b->avail[w / 64] &= ~(1ULL << (w % 64));
}

/* Bring the summaries up to date for what lies in [start, end). */
static void bits_summarise(struct lb_bits *b, unsigned int start, unsigned int end)
{
	unsigned int w, c;

	for (w = start / 64; w * 64 < end; w++)
		bits_summarise_word(b, w);
	for (c = start / LB_CLUSTER_BLOCKS; c * LB_CLUSTER_BLOCKS < end; c++) {
		u64 bit = 1ULL << (c % 64);
		bool was = b->clusters[c / 64] & bit, is = cluster_free(b, c);

		if (was == is)
			continue;
		b->clusters[c / 64] ^= bit;
		b->nclusters += is ? 1 : -1;
	}
}

void lb_bits_settle(struct lb_bits *b)
{
	const __le64 *words = image_words_const(b->image);
	unsigned int w;

	for (w = 0; w < LB_BITS_WORDS; w++)
		b->live[w] = le64_to_cpu(words[w]);
	memset(b->avail, 0, sizeof(b->avail));
	memset(b->clusters, 0, sizeof(b->clusters));
	b->nclusters = 0;
	b->diff = 0;
	b->image_free = lb_image_free(b->image);
	bits_summarise(b, 0, LB_REGION_BLOCKS);
}

void lb_bits_recount(struct lb_bits *b)
{
	const __le64 *words = image_words_const(b->image);
	unsigned int w;

	b->diff = 0;
	for (w = 0; w < LB_BITS_WORDS; w++)
		b->diff += port_popcount64(b->live[w] & ~le64_to_cpu(words[w]));
	b->image_free = lb_image_free(b->image);
}

bool lb_bits_all_live(const struct lb_bits *b, unsigned int start, unsigned int len, bool set)
{
	unsigned int end = start + len, w;

	for (w = start / 64; w * 64 < end; w++) {
		u64 mask = lb_word_mask(w, start, end);

		if (((set ? ~b->live[w] : b->live[w]) & mask) != 0)
			return false;
	}
	return true;
}

unsigned int lb_bits_take(struct lb_bits *b, unsigned int start, unsigned int len)
{
	unsigned int end = start + len, w, n = 0;

	for (w = start / 64; w * 64 < end; w++) {
		u64 mask = lb_word_mask(w, start, end);

		n += port_popcount64(mask & ~b->live[w]);
		b->live[w] |= mask;
	}
	bits_summarise(b, start, end);
	return n;
}

unsigned int lb_bits_give(struct lb_bits *b, unsigned int start, unsigned int len)
{
	unsigned int end = start + len, w, n = 0;

	for (w = start / 64; w * 64 < end; w++) {
		u64 mask = lb_word_mask(w, start, end);

		n += port_popcount64(mask & b->live[w]);
		b->live[w] &= ~mask;
	}
	bits_summarise(b, start, end);
	return n;
}

void lb_fresh_clear(struct lb_bits *b, unsigned int start, unsigned int len)
{
	unsigned int end = start + len, w;

	for (w = start / 64; w * 64 < end; w++)
		b->fresh[w] &= ~lb_word_mask(w, start, end);
}

/* ------------------------------------------------------------------ finding room */

/* First set bit at or behind `from` in a bitmap of n bits; n: none. */
static unsigned int bitmap_next(const u64 *words, unsigned int n, unsigned int from)
{
	unsigned int w;

	for (w = from / 64; w * 64 < n; w++) {
		u64 v = words[w];

		if (w == from / 64)
			v &= ~0ULL << (from % 64);
		if (v)
			return w * 64 + port_ctz64(v);
	}
	return n;
}

/* Last set bit before `below`; n: none. */
static unsigned int bitmap_last(const u64 *words, unsigned int n, unsigned int below)
{
	unsigned int w = (below + 63) / 64;

	while (w--) {
		u64 v = words[w] & lb_word_mask(w, 0, below);

		if (v)
			return w * 64 + port_fls64(v) - 1;
	}
	return n;
}

unsigned int lb_bits_next_free(const struct lb_bits *b, unsigned int from)
{
	unsigned int w = from / 64;
	u64 v;

	if (from >= LB_REGION_BLOCKS)
		return LB_BITS_NONE;
	v = ~b->live[w] & (~0ULL << (from % 64));
	if (!v) {
		w = bitmap_next(b->avail, LB_BITS_WORDS, w + 1);
		if (w == LB_BITS_WORDS)
			return LB_BITS_NONE;
		v = ~b->live[w];
	}
	return w * 64 + port_ctz64(v);
}

unsigned int lb_bits_last_free(const struct lb_bits *b, unsigned int below)
{
	unsigned int w = below / 64;
	u64 v = below % 64 ? ~b->live[w] & lb_word_mask(w, 0, below) : 0;

	if (!v) {
		w = bitmap_last(b->avail, LB_BITS_WORDS, w);
		if (w == LB_BITS_WORDS)
			return LB_BITS_NONE;
		v = ~b->live[w];
	}
	return w * 64 + port_fls64(v) - 1;
}

unsigned int lb_bits_next_cluster(const struct lb_bits *b, unsigned int from)
{
	unsigned int c = (from + LB_CLUSTER_BLOCKS - 1) / LB_CLUSTER_BLOCKS;

	c = bitmap_next(b->clusters, LB_BITS_CLUSTERS, c);
	return c == LB_BITS_CLUSTERS ? LB_BITS_NONE : c * LB_CLUSTER_BLOCKS;
}

unsigned int lb_bits_last_cluster(const struct lb_bits *b, unsigned int below)
{
	unsigned int c = bitmap_last(b->clusters, LB_BITS_CLUSTERS, below / LB_CLUSTER_BLOCKS);

	return c == LB_BITS_CLUSTERS ? LB_BITS_NONE : c * LB_CLUSTER_BLOCKS;
}

unsigned int lb_bits_run(const struct lb_bits *b, unsigned int start, unsigned int want)
{
	unsigned int end = min_t(unsigned int, LB_REGION_BLOCKS - start, want) + start, w;

	for (w = start / 64; w * 64 < end; w++) {
		u64 v = b->live[w] & lb_word_mask(w, start, end);

		if (v)
			return w * 64 + port_ctz64(v) - start;
	}
	return end - start;
}
