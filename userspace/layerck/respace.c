// SPDX-License-Identifier: GPL-2.0
/*
 * Bitmaps and region table from the set of blocks in use. Only bitmaps that say something else are written, to the
 * slot that does not count; the table is written as a whole, to new blocks, which are given their places before the
 * bitmaps are made.
 */
#include <stdlib.h>

#include "ck.h"

struct respace {
	struct ck *ck;
	u64 regions;
	u32 depth;
	u64 count[LB_TABLE_MAX_DEPTH + 1];	/* blocks of each depth */
	struct lb_ref *refs[LB_TABLE_MAX_DEPTH + 1];
	struct lb_table_block *buf;
};

static int give_places(struct respace *s)
{
	u64 n = (s->regions + LB_TABLE_ENTRIES - 1) / LB_TABLE_ENTRIES, i;
	u32 d;
	int err;

	for (d = 0; d <= s->depth; d++) {
		s->count[d] = n;
		s->refs[d] = calloc(n, sizeof(*s->refs[d]));
		if (!s->refs[d])
			return -ENOMEM;
		for (i = 0; i < n; i++) {
			struct lb_ref *r = &s->refs[d][i];

			r->gen = s->ck->gen;
			err = ck_fresh_block(s->ck, false, &r->addr);
			if (!err)
				err = ck_fresh_block(s->ck, true, &r->addr2);
			if (err)
				return err;
		}
		n = (n + LB_TABLE_FANOUT - 1) / LB_TABLE_FANOUT;
	}
	return 0;
}

/* What region r's bitmap is to say. */
static u16 wanted_bits(const struct ck *ck, u64 r, u8 *bits)
{
	const u8 *used = blockset_region(&ck->used, r);
	u32 size = region_size(ck->total, r), i;
	u16 clear = 0;

	memset(bits, 0, LB_PAYLOAD_BYTES);
	for (i = 0; i < LB_REGION_BLOCKS; i++) {
		if (i >= size || (used && bit_get(used, i)))
			bit_set(bits, i);
		else
			clear++;
	}
	return clear;
}

/* Does the bitmap that counts say it already, and the table its free blocks? */
static bool says_so(const struct ck *ck, u64 r, const u8 *bits, u16 clear)
{
	const struct ck_region *reg = &ck->regions[r];
	const u8 *now = blockset_region(&ck->lost, r);
	u32 size = region_size(ck->total, r), i;

	if (!reg->known || !reg->bitmap_ok || reg->tail_bad || (reg->slot != LB_REGION_NO_SLOT && reg->free != clear))
		return false;
	for (i = 0; i < size; i++)
		if (bit_get(bits, i) != (now && bit_get(now, i)))
			return false;
	return true;
}

static int write_bitmap(struct ck *ck, u64 r)
{
	struct lb_bitmap_block *b = port_alloc_block(PORT_WAIT);
	struct ck_region *reg = &ck->regions[r];
	u16 clear;
	int err = 0;

	if (!b)
		return -ENOMEM;
	memset(&b->header, 0, sizeof(b->header));
	clear = wanted_bits(ck, r, b->bits);
	if (!says_so(ck, r, b->bits, clear)) {
		u8 slot = reg->slot == 0 ? 1 : 0;
		u64 at = LB_BITMAP_BLOCK(r, slot);

		reg->csum = lb_block_seal(b, LB_MAGIC_BITMAP, at, ck->gen, 0);
		reg->gen = ck->gen;
		reg->free = clear;
		reg->slot = slot;
		reg->kind = reg->kind <= LB_REGION_KIND_META ? reg->kind : LB_REGION_KIND_NONE;
		err = port_write(ck->dev, at, (void *const *)&b, 1, 0);
	}
	port_free_block(b);
	return err;
}

static void fill_entries(struct respace *s, u64 index)
{
	u64 first = index * LB_TABLE_ENTRIES;
	unsigned int i;

	for (i = 0; i < LB_TABLE_ENTRIES && first + i < s->regions; i++) {
		const struct ck_region *r = &s->ck->regions[first + i];

		s->buf->entries[i] = (struct lb_region_entry){ .gen = cpu_to_le64(r->gen), .csum = cpu_to_le32(r->csum),
							       .free = cpu_to_le16(r->free), .slot = r->slot,
							       .kind = r->kind };
	}
	s->buf->header.count = cpu_to_le16((u16)i);
}

static void fill_pointers(struct respace *s, u32 d, u64 index)
{
	u64 first = index * LB_TABLE_FANOUT;
	unsigned int i;

	for (i = 0; i < LB_TABLE_FANOUT && first + i < s->count[d - 1]; i++)
		s->buf->ptrs[i] = lb_ref_encode(&s->refs[d - 1][first + i]);
	s->buf->header.count = cpu_to_le16((u16)i);
}

static int write_table_block(struct respace *s, u32 d, u64 index)
{
	struct lb_ref *ref = &s->refs[d][index];
	unsigned int copy;
	int err = 0;

	memset(s->buf, 0, sizeof(*s->buf));
	if (d)
		fill_pointers(s, d, index);
	else
		fill_entries(s, index);
	s->buf->header.kind = (u8)d;
	s->buf->header.pad2 = cpu_to_le64(index);
	ref->level = (u8)d;
	for (copy = 0; copy < 2 && !err; copy++) {
		u64 at = copy ? ref->addr2 : ref->addr;

		ref->csum = lb_block_seal(s->buf, LB_MAGIC_TABLE, at, s->ck->gen, 0);
		err = port_write(s->ck->dev, at, (void *const *)&s->buf, 1, 0);
	}
	return err;
}

static int respace_run(struct respace *s)
{
	u64 i;
	u32 d;
	int err = give_places(s);

	for (i = 0; i < s->regions && !err; i++)
		err = write_bitmap(s->ck, i);
	for (d = 0; d <= s->depth && !err; d++)
		for (i = 0; i < s->count[d] && !err; i++)
			err = write_table_block(s, d, i);
	return err;
}

/* The smallest that holds so many regions; a pool without a table need not say it. */
static u32 least_depth(u64 regions)
{
	u64 n = (regions + LB_TABLE_ENTRIES - 1) / LB_TABLE_ENTRIES;
	u32 d;

	for (d = 0; n > 1; d++)
		n = (n + LB_TABLE_FANOUT - 1) / LB_TABLE_FANOUT;
	return d;
}

int ck_rebuild_space(struct ck *ck, struct lb_ptr *root, u64 *blocks)
{
	struct respace s = { .ck = ck, .regions = region_count(ck->total) };
	u32 d;
	int err;

	s.depth = least_depth(s.regions);
	s.buf = port_alloc_block(PORT_WAIT);
	if (!s.buf)
		return -ENOMEM;
	err = respace_run(&s);
	if (!err) {
		*root = lb_ref_encode(&s.refs[s.depth][0]);
		ck->sb->region_depth = cpu_to_le32(s.depth);
	}
	*blocks = 0;
	for (d = 0; d <= LB_TABLE_MAX_DEPTH; d++) {
		*blocks += 2 * s.count[d];
		free(s.refs[d]);
	}
	port_free_block(s.buf);
	return err;
}
