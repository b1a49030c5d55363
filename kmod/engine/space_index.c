// SPDX-License-Identifier: GPL-2.0
/*
 * Sets of small numbers with a fast "next member": a bitmap under summary bitmaps, each bit of which says that a word below is not zero. At 64 members
 * a word, four levels do for the largest pool. Not locked.
 */
#include "space_priv.h"

int lb_index_init(struct lb_index *x, u64 n)
{
	u64 bits = max_t(u64, n, 1);

	memset(x, 0, sizeof(*x));
	x->n = n;
	do {
		u64 words = (bits + 63) / 64;

		x->words[x->levels] = port_alloc(words * sizeof(u64), PORT_WAIT);
		if (!x->words[x->levels]) {
			lb_index_free(x);
			return -ENOMEM;
		}
		x->levels++;
		bits = words;
	} while (bits > 1 && x->levels < LB_INDEX_LEVELS);
	return 0;
}

void lb_index_free(struct lb_index *x)
{
	unsigned int l;

	for (l = 0; l < LB_INDEX_LEVELS; l++)
		port_free(x->words[l]);
	memset(x, 0, sizeof(*x));
}

void lb_index_copy(struct lb_index *to, const struct lb_index *from)
{
	unsigned int l;
	u64 i, words = (from->n + 63) / 64;

	memcpy(to->words[0], from->words[0], words * sizeof(u64));
	for (l = 1; l < to->levels; l++) {
		for (i = 0; i < words; i++)
			if (to->words[l - 1][i])
				to->words[l][i / 64] |= 1ULL << (i % 64);
		words = (words + 63) / 64;
	}
}

void lb_index_set(struct lb_index *x, u64 i, bool on)
{
	unsigned int l;

	for (l = 0; l < x->levels; l++, i /= 64) {
		u64 *word = &x->words[l][i / 64], was = *word;

		if (on)
			*word |= 1ULL << (i % 64);
		else
			*word &= ~(1ULL << (i % 64));
		if (!was == !*word)
			return;		/* nothing changes above */
	}
}

u64 lb_index_next(const struct lb_index *x, u64 from)
{
	unsigned int l;
	u64 i = from, word;

	if (from >= x->n)
		return LB_NONE;
	for (l = 0; l < x->levels; l++) {
		word = x->words[l][i / 64] & (~0ULL << (i % 64));
		if (word)
			break;
		i = i / 64 + 1;
		/* Past the end of this level's words? */
		if (l + 1 == x->levels || i > ((x->n - 1) >> (6 * (l + 1))))
			return LB_NONE;
	}
	if (l == x->levels)
		return LB_NONE;
	i = i / 64 * 64 + port_ctz64(word);
	while (l--)
		i = i * 64 + port_ctz64(x->words[l][i]);
	return i;
}
