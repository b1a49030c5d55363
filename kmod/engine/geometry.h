/* SPDX-License-Identifier: GPL-2.0 */
/* Where regions, bitmaps, the region table and the fixed blocks lie, computed from a pool's size: arithmetic alone, for the engine and the checker. */
#ifndef LB_GEOMETRY_H
#define LB_GEOMETRY_H

#include "format.h"

/*
 * A last region with fewer blocks than this is none: it has no bitmap, and nothing ever lies there (its blocks count as fixed in meta_blocks). So
 * every region that counts has room for its bitmap slots.
 */
#define LB_REGION_TAIL_MIN	64u

static inline u64 lb_region_count(u64 total_blocks)
{
	return total_blocks / LB_REGION_BLOCKS + (total_blocks % LB_REGION_BLOCKS >= LB_REGION_TAIL_MIN);
}

/* Blocks of region r (r < lb_region_count(total_blocks)). */
static inline unsigned int lb_region_size(u64 total_blocks, u64 r)
{
	return (unsigned int)min_t(u64, total_blocks - r * LB_REGION_BLOCKS, LB_REGION_BLOCKS);
}

/* Region table blocks of depth d that a table over so many regions can have. */
static inline u64 lb_table_count(u64 regions, unsigned int d)
{
	u64 n = (regions + LB_TABLE_ENTRIES - 1) / LB_TABLE_ENTRIES;

	for (; d; d--)
		n = (n + LB_TABLE_FANOUT - 1) / LB_TABLE_FANOUT;
	return n;
}

/* The depth of the table's root: the smallest that can hold so many regions. A growing pool's table grows with it. */
static inline unsigned int lb_table_depth(u64 regions)
{
	unsigned int d = 0;

	while (lb_table_count(regions, d) > 1)
		d++;
	return d;
}

/* The blocks at fixed places, bitmap slots apart. All lie in region 0. */
struct lb_fixed {
	u64 mirror;
	u64 journal, journal_blocks;
};

static inline struct lb_fixed lb_fixed_of(const struct lb_super *sb)
{
	return (struct lb_fixed){ .mirror = le64_to_cpu(sb->mirror_block), .journal = le64_to_cpu(sb->journal_block),
				  .journal_blocks = le64_to_cpu(sb->journal_blocks) };
}

/* Is this block a superblock, a mirror, of the journal, or a bitmap slot? */
static inline bool lb_block_fixed(const struct lb_fixed *f, u64 block)
{
	u64 r = block / LB_REGION_BLOCKS, slot = LB_BITMAP_BLOCK(r, 0);

	if (block == slot || block == slot + 1)
		return true;
	return block < LB_SUPER_SLOTS || block - f->mirror < LB_SUPER_SLOTS || block - f->journal < f->journal_blocks;
}

#endif /* LB_GEOMETRY_H */
