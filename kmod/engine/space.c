// SPDX-License-Identifier: GPL-2.0
/*
 * Opening and closing a space, charges, statistics. What is where: space_priv.h.
 *
 * Opening reads the region table alone (for 16 TiB, 530 blocks, and 4 MiB of memory); bitmaps come when they are needed.
 *
 * Charges are counted beside the free blocks, not blocks themselves: charged <= free - reserve holds at every charge, and allocation is by those who have charged.
 */
#include "space_priv.h"

static struct lb_space *space_alloc(struct port_dev *dev, const struct lb_super *sb)
{
	struct lb_space *s = port_alloc(sizeof(*s), PORT_WAIT);
	unsigned int i;

	if (!s)
		return NULL;
	s->dev = dev;
	s->fixed = lb_fixed_of(sb);
	s->total = s->next_total = le64_to_cpu(sb->total_blocks);
	s->regions = s->next_regions = lb_region_count(s->total);
	s->depth = s->next_depth = lb_table_depth(s->regions);
	port_mutex_init(&s->load_mutex);
	port_spin_init(&s->lock);
	lb_list_init(&s->loaded_ring);
	lb_list_init(&s->dirty);
	lb_list_init(&s->dirty_done);
	lb_list_init(&s->fresh);
	for (i = 0; i < LB_STREAMS; i++)
		s->meta[i].region = LB_NONE;
	return s;
}

/* Every region as if it had no bitmap; the table then says otherwise. */
static void space_init_regions(struct lb_space *s)
{
	u64 r;

	for (r = 0; r < s->regions; r++)
		lb_region_get(s, r)->free = (u16)lb_region_virgin_free(&s->fixed, s->total, r);
}

/* A region's kind before it is in any index. */
static void space_open_region(struct lb_space *s, u64 r)
{
	unsigned long flags = port_spin_lock(&s->lock);

	lb_region_open(s, r);
	port_spin_unlock(&s->lock, flags);
}

int lb_space_open(struct port_dev *dev, const struct lb_super *sb, struct lb_space **out)
{
	struct lb_ref root = lb_ref_decode(&sb->region_root);
	struct lb_space *s;
	u64 r;
	int err;

	*out = NULL;
	s = space_alloc(dev, sb);
	if (!s)
		return -ENOMEM;
	/* Without a root the depth says nothing. */
	err = (root.addr && s->depth != le32_to_cpu(sb->region_depth)) || s->depth > LB_TABLE_MAX_DEPTH ? -EUCLEAN : 0;
	if (!err)
		err = lb_space_make_room(s, s->regions);
	if (!err) {
		space_init_regions(s);
		err = lb_table_open(s, &root, le64_to_cpu(sb->header.gen));
	}
	if (err) {
		lb_space_close(s);
		return err;
	}
	for (r = 0; r < s->regions; r++) {
		space_open_region(s, r);
		if (!(r & 1023))
			port_cond_resched();
	}
	*out = s;
	return 0;
}

void lb_space_close(struct lb_space *s)
{
	unsigned int k, c;
	u64 i;

	if (!s)
		return;
	lb_freed_free(s->freed);
	lb_region_unload_all(s);
	lb_table_free(s);
	for (k = 0; k < LB_KINDS; k++)
		for (c = 0; c < LB_CLASSES; c++)
			lb_index_free(&s->index[k][c]);
	for (i = 0; i < s->nchunks; i++)
		port_free(s->chunks[i]);
	port_free(s->chunks);
	port_free(s);
}

/* ------------------------------------------------------------------ charges */

int lb_space_charge(struct lb_space *s, u64 blocks, bool use_reserve)
{
	unsigned long flags = port_spin_lock(&s->lock);
	u64 keep = use_reserve ? s->reserve / 4 : s->reserve;
	bool fits = s->free >= s->charged && s->free - s->charged >= keep && s->free - s->charged - keep >= blocks;

	if (fits)
		s->charged += blocks;
	port_spin_unlock(&s->lock, flags);
	return fits ? 0 : -ENOSPC;
}

void lb_space_uncharge(struct lb_space *s, u64 blocks)
{
	unsigned long flags = port_spin_lock(&s->lock);
	bool ok = blocks <= s->charged;

	s->charged -= ok ? blocks : s->charged;
	port_spin_unlock(&s->lock, flags);
	if (!ok)
		port_log(PORT_LOG_ERR, "space: more uncharged than was charged (%llu)", blocks);
}

void lb_space_set_reserve(struct lb_space *s, u64 blocks)
{
	unsigned long flags = port_spin_lock(&s->lock);

	s->reserve = blocks;
	port_spin_unlock(&s->lock, flags);
}

/* ------------------------------------------------------------------ statistics */

static u64 space_fixed_blocks(const struct lb_space *s, u64 total)
{
	u64 regions = lb_region_count(total), tail = 0;

	if (total > regions * LB_REGION_BLOCKS)
		tail = total - regions * LB_REGION_BLOCKS;	/* too few for a region */
	return 2 * LB_SUPER_SLOTS + s->fixed.journal_blocks + 2 * regions + tail;
}

void lb_space_get_stat(struct lb_space *s, struct lb_space_stat *st)
{
	unsigned long flags = port_spin_lock(&s->lock);

	st->total = READ_ONCE(s->written) ? s->next_total : s->total;
	st->free = s->free;
	st->charged = s->charged;
	st->reserve = s->reserve;
	st->pending = s->pending;
	st->meta_used = space_fixed_blocks(s, st->total) + READ_ONCE(s->table_blocks);
	port_spin_unlock(&s->lock, flags);
}

u64 lb_space_free_blocks(struct lb_space *s)
{
	return READ_ONCE(s->free);
}

u64 lb_space_regions(struct lb_space *s)
{
	return READ_ONCE(s->regions);
}

bool lb_space_data_ok(struct lb_space *s, u64 pblk, u64 count)
{
	unsigned int start;
	u64 region;

	return !lb_region_locate(s, pblk, count, &region, &start);
}
