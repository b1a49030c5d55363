/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pools that fuzzing starts from, made by the engine in memory and always the same, and an index of what lies where in each: the blocks and items that a patch can name by
 * a small number.
 */
#ifndef FUZZ_BASES_H
#define FUZZ_BASES_H

#include "checklab.h"

enum base_kind {
	/* the first IMAGES ones are the checker's, in enum checklab_image's order */
	BASE_CHAIN = IMAGES,		/* a chain of 24 layers, the last two writable, one in the middle deleted and pinned */
	BASE_FULL,			/* nearly full, waiting writers, a quota used up */
	BASE_CATALOG,			/* 90 volumes and long attributes: a catalog of two levels */
	BASE_DEEP,			/* a map of three levels */
	BASE_REGIONS,			/* a region table of two levels */
	BASE_GROUP,			/* a journal with groups of several records: an attribute of 600 KB, a new child, a removal */
	BASES,
};

#define BASE_BLOCKS	600u
#define BASE_ITEMS	400u
#define BASE_RECORDS	200u

struct base_item {
	u64 block;			/* the catalog leaf's first copy */
	u32 at;				/* of the item in the payload */
};

struct base_record {
	u64 block;
	u32 blocks;
};

struct base {
	struct port_dev *dev;
	struct lb_super sb;		/* the newest */
	u64 maps[BASE_BLOCKS];		/* nodes of maps, first copies */
	u64 cats[BASE_BLOCKS];		/* nodes of the catalog */
	u64 tables[8];
	u64 bitmaps[BASE_BLOCKS];	/* those in use */
	struct base_item items[BASE_ITEMS];
	struct base_record records[BASE_RECORDS];	/* that would be replayed */
	unsigned int map_count, cat_count, table_count, bitmap_count, item_count, record_count;
	u64 free_block;			/* a long run of free blocks begins here */
};

/* Makes all of them once. */
const struct base *base_get(unsigned int kind);
/* A copy of the base, with the nth case of damage of the checker's tests (0: none; only the checker's bases have them). */
struct port_dev *base_clone(unsigned int kind, unsigned int damage);

#endif /* FUZZ_BASES_H */
