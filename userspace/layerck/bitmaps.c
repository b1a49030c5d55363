// SPDX-License-Identifier: GPL-2.0
/*
 * The region table and the bitmaps under it. The table is read first (its blocks are in use themselves); the
 * bitmaps are compared with what was reached when all trees have been walked.
 */
#include "ck.h"

/* ------------------------------------------------------------------ the region table */

static u64 regions_under(u32 depth)
{
	u64 n = LB_TABLE_ENTRIES;

	while (depth--)
		n *= LB_TABLE_FANOUT;
	return n;
}

static int table_copies(struct ck *ck, const struct lb_ref *ref, const struct ck_load *load)
{
	unsigned int bad;

	for (bad = 0; bad < (ref->addr2 ? 2u : 1u); bad++) {
		u64 at = bad ? ref->addr2 : ref->addr, twin = bad ? ref->addr : ref->addr2;
		int err;

		if (load->good[bad])
			continue;
		ck_tell(ck, LBCK_TABLE_COPY, ((struct ck_where){ .block = at, .repairable = true }),
			"block %llu: %s; its twin %llu is intact", (unsigned long long)at, load->why[bad],
			(unsigned long long)twin);
		err = ck_fix_copy(ck, twin, at, LB_MAGIC_TABLE);
		if (err)
			return err;
	}
	if (!ref->addr2) {
		ck_tell(ck, LBCK_TABLE_FIELD, ((struct ck_where){ .block = ref->addr, .repairable = true }),
			"block %llu has one copy only", (unsigned long long)ref->addr);
		ck->fixes.space = true;
	}
	return 0;
}

static void take_entry(struct ck *ck, u64 region, const struct lb_region_entry *e)
{
	struct ck_region *r = &ck->regions[region];
	bool none = e->slot == LB_REGION_NO_SLOT;

	*r = (struct ck_region){ .gen = le64_to_cpu(e->gen), .csum = le32_to_cpu(e->csum), .free = le16_to_cpu(e->free),
				 .slot = e->slot, .kind = e->kind, .known = true };
	if ((r->slot > 1 && !none) || r->kind > LB_REGION_KIND_META || r->gen > ck->gen || r->free > LB_REGION_BLOCKS ||
	    (none && (r->gen || r->csum))) {
		ck_tell(ck, LBCK_REGION_ENTRY, ((struct ck_where){ .repairable = true }),
			"region %llu: slot %u, kind %u, generation %llu, %u free", (unsigned long long)region,
			r->slot, r->kind,
			(unsigned long long)r->gen, r->free);
		ck->fixes.space = true;
		r->known = false;
	}
}

static int table_block(struct ck *ck, const struct lb_ref *ref, u32 depth, u64 index, u64 gen_above);

static int table_content(struct ck *ck, const struct lb_table_block *t, u32 depth, u64 index)
{
	u64 first = index * regions_under(depth);
	unsigned int i;
	int err = 0;

	/* What lies beyond its count is absent: regions without a bitmap. */
	for (i = 0; i < le16_to_cpu(t->header.count) && !err; i++) {
		struct lb_ref child;

		if (!depth) {
			if (!ck->searching)
				take_entry(ck, first + i, &t->entries[i]);
			continue;
		}
		child = lb_ref_decode(&t->ptrs[i]);
		if (child.addr)
			err = table_block(ck, &child, depth - 1, index * LB_TABLE_FANOUT + i,
					  le64_to_cpu(t->header.gen));
	}
	return err;
}

static void forget_regions(struct ck *ck, u32 depth, u64 index)
{
	u64 r = index * regions_under(depth), end = r + regions_under(depth), regions = region_count(ck->total);

	ck->fixes.space = true;
	for (; r < end && r < regions; r++)
		ck->regions[r].known = false;
}

/* How many entries or pointers a table block can have in a pool of this size. */
static u64 table_room(const struct ck *ck, u32 depth, u64 index)
{
	u64 each = depth ? regions_under(depth - 1) : 1, first = index * regions_under(depth);
	u64 regions = region_count(ck->total), most = depth ? LB_TABLE_FANOUT : LB_TABLE_ENTRIES;

	return regions > first ? min_t(u64, (regions - first + each - 1) / each, most) : 0;
}

static bool table_in_place(const struct ck *ck, const struct lb_table_block *t, const struct lb_ref *ref, u32 depth, u64 index,
			   u64 gen_above)
{
	return ref->level == depth && ref->gen <= gen_above && t->header.kind == depth &&
	       !le64_to_cpu(t->header.owner) &&
	       le64_to_cpu(t->header.pad2) == index &&
	       le16_to_cpu(t->header.count) <= table_room(ck, depth, index);
}

static int table_block(struct ck *ck, const struct lb_ref *ref, u32 depth, u64 index, u64 gen_above)
{
	struct ck_where at = { .block = ref->addr, .repairable = true };
	struct lb_table_block *t;
	struct ck_load load;
	int err;

	err = ck_claim(ck, ref->addr, 1, CK_USE_META, 0, "region table block", index);
	if (err >= 0 && ref->addr2)
		err = ck_claim(ck, ref->addr2, 1, CK_USE_META, 0, "region table block", index);
	if (err < 0)
		return err;
	t = port_alloc_block(PORT_WAIT);
	if (!t)
		return -ENOMEM;
	err = ck_load(ck, ref, LB_MAGIC_TABLE, t, true, &load);
	if (err == -EUCLEAN) {
		ck_tell(ck, LBCK_TABLE_BAD, at, "block %llu (depth %u, index %llu): %s",
			(unsigned long long)ref->addr, depth,
			(unsigned long long)index, load.why[0]);
		forget_regions(ck, depth, index);
		err = 0;
	} else if (!err && !table_in_place(ck, t, ref, depth, index, gen_above)) {
		ck_tell(ck, LBCK_TABLE_FIELD, at,
			"block %llu: depth %u, index %llu, generation %llu, %u entries; it should be %u, %llu",
			(unsigned long long)ref->addr, t->header.kind, (unsigned long long)le64_to_cpu(t->header.pad2),
			(unsigned long long)ref->gen, le16_to_cpu(t->header.count), depth, (unsigned long long)index);
		forget_regions(ck, depth, index);
	} else if (!err) {
		err = table_copies(ck, ref, &load);
		if (!err)
			err = table_content(ck, t, depth, index);
	}
	port_free_block(t);
	return err;
}

int ck_table(struct ck *ck)
{
	struct lb_ref root = lb_ref_decode(&ck->sb->region_root);
	u64 regions = region_count(ck->total), r;

	if (!ck->searching) {
		ck->regions = port_alloc(regions * sizeof(*ck->regions), PORT_WAIT);
		if (!ck->regions)
			return -ENOMEM;
		for (r = 0; r < regions; r++)
			ck->regions[r] = (struct ck_region){ .slot = LB_REGION_NO_SLOT, .known = true };
	}
	return root.addr ? table_block(ck, &root, le32_to_cpu(ck->sb->region_depth), 0, ck->gen) : 0;
}

/* ------------------------------------------------------------------ bitmaps */

/* What the region's bitmap would be without one: all free but the fixed blocks and what lies beyond the end. */
static void virgin_bits(const struct ck *ck, u64 region, u8 *bits)
{
	u32 i, size = region_size(ck->total, region);
	/* Fixed blocks of region 0 lie anywhere below its end, those of others are the first two. */
	u32 fixed_end = region == 0 ? size : 2;

	memset(bits, 0, LB_PAYLOAD_BYTES);
	for (i = 0; i < fixed_end; i++)
		if (ck_fixed(ck, region * LB_REGION_BLOCKS + i))
			bit_set(bits, i);
	for (i = size; i < LB_REGION_BLOCKS; i++)
		bit_set(bits, i);
}

/* The region's bits into bits. 0; 1 told that they cannot be read; negative errno. */
static int bitmap_read(struct ck *ck, u64 region, u8 *bits)
{
	struct ck_region *r = &ck->regions[region];
	struct lb_bitmap_block *b;
	const char *why = "unreadable";
	u64 at;
	int err;

	if (r->slot == LB_REGION_NO_SLOT) {
		virgin_bits(ck, region, bits);
		return 0;
	}
	at = LB_BITMAP_BLOCK(region, r->slot);
	b = port_alloc_block(PORT_WAIT);
	if (!b)
		return -ENOMEM;
	err = port_read(ck->dev, at, b);
	if (!err)
		err = lb_block_verify(b, LB_MAGIC_BITMAP, at, r->gen, r->csum, &why);
	if (err == -ENOMEM)
		goto out;
	if (err) {
		ck_tell(ck, LBCK_BITMAP_BAD, ((struct ck_where){ .block = at, .repairable = ck_settled(ck) }),
			"region %llu, block %llu: %s", (unsigned long long)region, (unsigned long long)at, why);
		ck->fixes.space = true;
		err = 1;	/* what it said is lost: see ck_repair() */
	} else {
		memcpy(bits, b->bits, LB_PAYLOAD_BYTES);
	}
out:
	port_free_block(b);
	return err;
}

static void tell_run(struct ck *ck, enum ck_id id, u64 first, u64 count)
{
	bool repairable = !ck->twice_count;

	/* When something could not be walked, a block that nothing seems to reach may be what it holds. */
	if (id == LBCK_BLOCK_LEAKED && ck->incomplete)
		return;
	ck->fixes.space = true;
	ck_tell(ck, id, ((struct ck_where){ .block = first, .repairable = repairable }), "%llu block%s at %llu",
		(unsigned long long)count, count == 1 ? "" : "s", (unsigned long long)first);
}

static const u8 none[LB_PAYLOAD_BYTES];

#define WORD_BITS	64u
lb_static_assert(LB_PAYLOAD_BYTES % 8 == 0);

/* The first bit from i on of a word in which the two differ, or the end; i itself when it is within a word. */
static u32 next_difference(const u8 *a, const u8 *b, u32 i)
{
	while (i % WORD_BITS == 0 && i < LB_REGION_BLOCKS && !memcmp(a + i / 8, b + i / 8, WORD_BITS / 8))
		i += WORD_BITS;
	return i;
}

/* Runs in which the bitmap and what was reached differ. Nearly all of it is alike in nearly all pools. */
static void compare(struct ck *ck, u64 region, const u8 *bits, const u8 *used)
{
	u32 size = region_size(ck->total, region), i, start = 0;
	u64 base = region * LB_REGION_BLOCKS;
	enum { SAME, LEAKED, MISSING } run = SAME, now;

	if (!used)
		used = none;
	for (i = 0; i <= size; i++) {
		if (run == SAME)
			i = min_t(u32, next_difference(bits, used, i), size);
		now = SAME;
		if (i < size && bit_get(bits, i) != bit_get(used, i))
			now = bit_get(bits, i) ? LEAKED : MISSING;
		if (now == run)
			continue;
		if (run != SAME)
			tell_run(ck, run == LEAKED ? LBCK_BLOCK_LEAKED : LBCK_BLOCK_MISSING, base + start, i - start);
		run = now;
		start = i;
	}
}

static u32 clear_bits(const u8 *bits)
{
	u32 i, n = 0;

	for (i = 0; i < LB_PAYLOAD_BYTES; i++)
		n += 8u - (u32)__builtin_popcount(bits[i]);
	return n;
}

static int bitmap_judge(struct ck *ck, u64 region, u8 *bits)
{
	struct ck_region *r = &ck->regions[region];
	u32 size = region_size(ck->total, region), i, clear;
	int err;

	if (!r->known)
		return 0;
	err = bitmap_read(ck, region, bits);
	if (err)
		return err < 0 ? err : 0;
	r->bitmap_ok = true;
	for (i = next_difference(bits, none, 0); i < size && !err; i = next_difference(bits, none, i + 1))
		if (bit_get(bits, i))
			err = blockset_add(&ck->lost, region * LB_REGION_BLOCKS + i);
	if (err < 0)
		return err;
	for (i = size; i < LB_REGION_BLOCKS && bit_get(bits, i); i++)
		;
	if (i < LB_REGION_BLOCKS) {
		r->tail_bad = true;
		ck_tell(ck, LBCK_BITMAP_TAIL, ((struct ck_where){ .repairable = true }), "region %llu",
			(unsigned long long)region);
		ck->fixes.space = true;
	}
	compare(ck, region, bits, blockset_region(&ck->used, region));
	clear = clear_bits(bits);
	if (r->slot != LB_REGION_NO_SLOT && r->free != clear) {
		ck_tell(ck, LBCK_REGION_FREE, ((struct ck_where){ .repairable = true }),
			"region %llu: %u in the table, %u in the bitmap",
			(unsigned long long)region, r->free, clear);
		ck->fixes.space = true;
	}
	return 0;
}

int ck_bitmaps(struct ck *ck)
{
	u64 regions = region_count(ck->total), r;
	u8 *bits = port_alloc(LB_PAYLOAD_BYTES, PORT_WAIT);
	int err = bits ? 0 : -ENOMEM;

	for (r = 0; r < regions && !err; r++)
		err = bitmap_judge(ck, r, bits);
	port_free(bits);
	return err;
}
