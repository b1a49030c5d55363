// SPDX-License-Identifier: GPL-2.0
/* Damage to superblocks, region table, bitmaps, to who uses a block, and to counters. */
#include "checkcases.h"

#define FLIP_AT	0xc8u		/* a byte in the middle of what any metadata block holds */

/* ------------------------------------------------------------------ superblocks */

static void flip_super(struct damage *d, u64 back, unsigned int side)
{
	damage_flip(d->dev, damage_super_place(d, le64_to_cpu(d->sb.header.gen) - back, side), FLIP_AT);
}

static void super_none(struct damage *d)
{
	flip_super(d, 0, 0);
	flip_super(d, 0, 1);
	flip_super(d, 1, 0);
	flip_super(d, 1, 1);
}

static void super_mirror(struct damage *d) { flip_super(d, 0, 1); }
static void super_primary(struct damage *d) { flip_super(d, 0, 0); }
static void super_older(struct damage *d) { flip_super(d, 1, 0); }

/* A copy as it would be with another generation. */
static void super_copy_as(struct damage *d, struct lb_super *sb, u64 gen, unsigned int side)
{
	u64 place = damage_super_place(d, gen, side);

	lb_block_seal(sb, LB_MAGIC_SUPER, place, gen, 0);
	port_sim_poke(d->dev, place, sb);
}

static void super_stale(struct damage *d)
{
	struct lb_super sb = d->sb;

	super_copy_as(d, &sb, le64_to_cpu(sb.header.gen) - 2, 1);
}

static void super_fallback(struct damage *d)
{
	flip_super(d, 1, 0);
	flip_super(d, 1, 1);
}

static void super_field(struct damage *d)
{
	d->sb.block_size = cpu_to_le32(512);
	damage_super_put(d);
}

static void super_mirror_place(struct damage *d)
{
	struct lb_super sb = d->sb;

	sb.mirror_block = cpu_to_le64(5000);
	super_copy_as(d, &sb, le64_to_cpu(sb.header.gen), 0);
	flip_super(d, 0, 1);
}

static void super_other_pool(struct damage *d)
{
	struct lb_super sb = d->sb;
	u64 gen = le64_to_cpu(sb.header.gen) - 1;

	sb.uuid[3] ^= 1;
	super_copy_as(d, &sb, gen, 0);
	super_copy_as(d, &sb, gen, 1);
}

static void super_differ(struct damage *d)
{
	struct lb_super sb = d->sb;

	sb.low_water_blocks = cpu_to_le64(77);
	super_copy_as(d, &sb, le64_to_cpu(sb.header.gen), 1);
}

static void super_differ_older(struct damage *d)
{
	struct lb_super sb = d->sb;
	u64 gen = le64_to_cpu(sb.header.gen) - 1;

	super_copy_as(d, &sb, gen, 0);
	sb.low_water_blocks = cpu_to_le64(77);
	super_copy_as(d, &sb, gen, 1);
}

static void super_reserved(struct damage *d)
{
	d->sb.reserved[100] = 1;
	damage_super_put(d);
}

/* ------------------------------------------------------------------ region table and bitmaps */

static void table_bad(struct damage *d)
{
	struct lb_ref ref = damage_table_ref(d);

	damage_flip(d->dev, ref.addr, FLIP_AT);
	damage_flip(d->dev, ref.addr2, FLIP_AT);
}

static void table_copy(struct damage *d) { damage_flip(d->dev, damage_table_ref(d).addr, FLIP_AT); }

static void set_index(struct lb_table_block *t, struct lb_ref *ref) { t->header.pad2 = cpu_to_le64(5); }
static void set_level(struct lb_table_block *t, struct lb_ref *ref) { ref->level = 1; }
static void set_single(struct lb_table_block *t, struct lb_ref *ref) { ref->addr2 = 0; }
static void set_slot(struct lb_table_block *t, struct lb_ref *ref) { t->entries[0].slot = 5; }

static void set_free(struct lb_table_block *t, struct lb_ref *ref)
{
	t->entries[0].free = cpu_to_le16((u16)(le16_to_cpu(t->entries[0].free) - 1));
}

static void table_index(struct damage *d) { damage_table(d, set_index); }
static void table_level(struct damage *d) { damage_table(d, set_level); }
static void table_single(struct damage *d) { damage_table(d, set_single); }
static void region_entry(struct damage *d) { damage_table(d, set_slot); }
static void region_free(struct damage *d) { damage_table(d, set_free); }

static void bitmap_bad(struct damage *d)
{
	damage_flip(d->dev, LB_BITMAP_BLOCK(0, damage_region(d, 0).slot), FLIP_AT);
}

/* The pool has 8192 blocks. */
static void bitmap_tail(struct damage *d) { damage_bits(d, 0, LB_POOL_MIN_BLOCKS + 3, 1, false, true); }
static void block_leaked(struct damage *d) { damage_bits(d, 0, FREE_BLOCK, 3, true, true); }

static u64 extent_block(const struct damage *d, u64 vol, int child, unsigned int i)
{
	static struct lb_node n;

	damage_map_read(d, vol, child, &n);
	return le64_to_cpu(n.extents[i].pblk);
}

static void block_missing(struct damage *d)
{
	damage_bits(d, 0, (u32)extent_block(d, VOL_DATA, 1, 7), 1, false, true);
}

static void table_and_bitmap_bad(struct damage *d)
{
	bitmap_bad(d);
	table_bad(d);
}

/* What cannot be read keeps its blocks, though a block that is known to be in use is marked. */
static void missing_with_bad_leaf(struct damage *d)
{
	block_missing(d);
	damage_flip(d->dev, damage_map_ref(d, VOL_DATA, 0).addr, FLIP_AT);
}

/* ------------------------------------------------------------------ use of blocks */

static u64 new_pblk;

static void set_first_pblk(struct lb_node *n, struct lb_ref *ref) { n->extents[0].pblk = cpu_to_le64(new_pblk); }

static void block_twice(struct damage *d)
{
	new_pblk = extent_block(d, VOL_DATA, 0, 3);
	damage_map_node(d, VOL_WEB1, 0, set_first_pblk);
}

static void block_outside(struct damage *d)
{
	new_pblk = le64_to_cpu(d->sb.total_blocks) + 5;
	damage_map_node(d, VOL_SMALL, DAMAGE_ROOT, set_first_pblk);
}

static void block_fixed(struct damage *d)
{
	new_pblk = LB_JOURNAL_BLOCK + 3;
	damage_map_node(d, VOL_SMALL, DAMAGE_ROOT, set_first_pblk);
}

/* ------------------------------------------------------------------ counters */

static void add(__le64 *v, s64 n) { *v = cpu_to_le64(le64_to_cpu(*v) + (u64)n); }

static void count_data(struct damage *d)
{
	add(&d->sb.data_blocks, 1);
	damage_super_put(d);
}

static void count_meta(struct damage *d)
{
	add(&d->sb.meta_blocks, -2);
	damage_super_put(d);
}

static void count_catalog(struct damage *d)
{
	add(&d->sb.catalog_nodes, 1);
	damage_super_put(d);
}

static void count_owned(struct damage *d)
{
	struct lb_map_record m = damage_map_get(d, VOL_WEB1);

	add(&m.owned, 3);
	damage_map_put(d, VOL_WEB1, &m);
}

static void count_nodes(struct damage *d)
{
	struct lb_map_record m = damage_map_get(d, VOL_DATA);

	add(&m.nodes, -1);
	damage_map_put(d, VOL_DATA, &m);
}

const struct check_case cases_space[] = {
	CASE(101, KEPT, "all copies damaged", super_none),
	CASE(102, MENDED, "the newest mirror damaged", super_mirror),
	CASE(102, MENDED, "the newest primary damaged", super_primary),
	CASE(102, MENDED, "an older primary damaged", super_older),
	CASE(102, MENDED, "slot 0 of a new pool damaged, which is of generation 0", super_older, .image = IMAGE_NEW),
	CASE(102, MENDED, "the newest primary damaged, entries in the journal", super_primary, .image = IMAGE_JOURNAL),
	CASE(103, MENDED, "a mirror two generations old", super_stale),
	CASE(104, KEPT, "the older slot damaged", super_fallback),
	CASE(104, KEPT, "the older slot damaged, and accepted", super_fallback, .how = JUDGE_FALLBACK),
	CASE(105, KEPT, "block size", super_field),
	CASE(105, KEPT, "mirrors at an impossible place", super_mirror_place),
	CASE(105, KEPT, "the older slot is another pool's", super_other_pool),
	CASE(106, MENDED, "the mirror differs", super_differ),
	CASE(106, MENDED, "an older mirror differs", super_differ_older),
	CASE(107, KEPT, "a reserved byte", super_reserved),

	CASE(201, MENDED, "both copies damaged", table_bad),
	CASE(201, MENDED, "both copies damaged, entries in the journal", table_bad, .image = IMAGE_JOURNAL),
	CASE(201, MENDED, "and a bitmap that it meant", table_and_bitmap_bad),
	CASE(202, MENDED, "the first copy damaged", table_copy),
	CASE(203, MENDED, "another index", table_index),
	CASE(203, MENDED, "another level in the pointer", table_level),
	CASE(203, MENDED, "one copy only", table_single, .also = { 213, 702 }),
	CASE(204, MENDED, "slot 5", region_entry),
	CASE(205, MENDED, "one too few", region_free),
	CASE(211, MENDED, "damaged", bitmap_bad),
	CASE(211, MENDED, "damaged, entries in the journal", bitmap_bad, .image = IMAGE_JOURNAL),
	CASE(212, MENDED, "a clear bit", bitmap_tail, .image = IMAGE_FREE),
	CASE(213, MENDED, "three blocks", block_leaked),
	CASE(214, MENDED, "a block of data", block_missing),

	CASE(301, KEPT, "a block of two volumes", block_twice, .also = { 213, 701 }),
	CASE(302, KEPT, "an extent", block_outside),
	CASE(303, KEPT, "an extent in the journal", block_fixed),

	CASE(701, MENDED, "one too many", count_data),
	CASE(702, MENDED, "two too few", count_meta),
	CASE(703, MENDED, "three too many", count_owned),
	CASE(704, MENDED, "one too few", count_nodes),
	CASE(705, MENDED, "one too many", count_catalog),

	CASE(401, PARTLY, "a leaf, and a block of another one is not marked", missing_with_bad_leaf, .also = { 214 }),
};
const unsigned int cases_space_count = ARRAY_SIZE(cases_space);
