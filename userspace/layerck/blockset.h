/* SPDX-License-Identifier: GPL-2.0 */
/* A set of blocks of a pool: one bit each, kept by region, memory only for regions that hold any. */
#ifndef LAYERCK_BLOCKSET_H
#define LAYERCK_BLOCKSET_H

#include "format.h"

struct blockset {
	u64 total;			/* blocks of the pool */
	u64 regions;
	u64 count;			/* blocks in the set */
	u8 **bits;			/* per region LB_PAYLOAD_BYTES, or NULL: none of it */
};

int blockset_init(struct blockset *s, u64 total);	/* -ENOMEM */
void blockset_free(struct blockset *s);

/* 0: new; 1: was there already; -ENOMEM. block < total. */
int blockset_add(struct blockset *s, u64 block);
void blockset_remove(struct blockset *s, u64 block);
bool blockset_has(const struct blockset *s, u64 block);
/* A region's bits as in a bitmap block, or NULL when none is set. */
const u8 *blockset_region(const struct blockset *s, u64 region);

/* A last region with fewer blocks is none: its blocks are used for nothing, and count as metadata. */
#define REGION_TAIL_MIN	64u

/* Regions with a bitmap. */
static inline u64 region_count(u64 total)
{
	return total / LB_REGION_BLOCKS + (total % LB_REGION_BLOCKS >= REGION_TAIL_MIN);
}

/* Blocks of the pool that lie in this region. */
static inline u32 region_size(u64 total, u64 region)
{
	u64 left = total - region * LB_REGION_BLOCKS;

	return left < LB_REGION_BLOCKS ? (u32)left : LB_REGION_BLOCKS;
}

static inline bool bit_get(const u8 *bits, u32 i)
{
	return bits[i / 8] & (1u << (i % 8));
}

static inline void bit_set(u8 *bits, u32 i)
{
	bits[i / 8] = (u8)(bits[i / 8] | (1u << (i % 8)));
}

static inline void bit_clear(u8 *bits, u32 i)
{
	bits[i / 8] = (u8)(bits[i / 8] & ~(1u << (i % 8)));
}

#endif /* LAYERCK_BLOCKSET_H */
