// SPDX-License-Identifier: GPL-2.0
/*
 * Growing the pool. lb_space_grow() makes room in memory and notes the new size; the next commit writes it; only when that is durable does allocation see the
 * new blocks, so that nothing is ever written beyond the end that a superblock knows. An aborted commit leaves the wish standing for the next one.
 *
 * A last region that was partial had its bits beyond the old end set: the commit clears them in its image (and so writes its bitmap); live follows at the end.
 */
#include "space_priv.h"

/* What lb_space_grow() prepares before it takes the lock. */
struct grow_room {
	struct lb_chunk **chunks;
	u64 nchunks, old_nchunks;
	struct lb_index index[LB_KINDS][LB_CLASSES];
};

static void region_init(struct lb_region *reg)
{
	memset(reg, 0, sizeof(*reg));
	reg->slot = LB_REGION_NO_SLOT;
}

static struct lb_chunk *chunk_alloc(void)
{
	struct lb_chunk *c = port_alloc(sizeof(*c), PORT_WAIT);
	unsigned int i;

	for (i = 0; c && i < LB_TABLE_ENTRIES; i++)
		region_init(&c->regions[i]);
	return c;
}

static void grow_room_free(struct grow_room *g)
{
	unsigned int k, c;
	u64 i;

	for (k = 0; k < LB_KINDS; k++)
		for (c = 0; c < LB_CLASSES; c++)
			lb_index_free(&g->index[k][c]);
	for (i = g->old_nchunks; g->chunks && i < g->nchunks; i++)
		port_free(g->chunks[i]);
	port_free(g->chunks);
}

static int grow_room_alloc(struct lb_space *s, u64 regions, struct grow_room *g)
{
	unsigned int k, c;
	u64 i;

	memset(g, 0, sizeof(*g));
	g->old_nchunks = s->nchunks;
	g->nchunks = lb_table_count(regions, 0);
	for (k = 0; k < LB_KINDS; k++)
		for (c = 0; c < LB_CLASSES; c++)
			if (lb_index_init(&g->index[k][c], regions))
				return -ENOMEM;
	g->chunks = port_alloc(g->nchunks * sizeof(struct lb_chunk *), PORT_WAIT);
	if (!g->chunks)
		return -ENOMEM;
	if (s->chunks)
		memcpy(g->chunks, s->chunks, s->nchunks * sizeof(struct lb_chunk *));
	for (i = g->old_nchunks; i < g->nchunks; i++) {
		g->chunks[i] = chunk_alloc();
		if (!g->chunks[i])
			return -ENOMEM;
	}
	return 0;
}

/* Exchange what is in use for what is prepared; the old goes into g. */
static void grow_room_install(struct lb_space *s, struct grow_room *g)
{
	unsigned long flags = port_spin_lock(&s->lock);
	struct lb_chunk **chunks = s->chunks;
	unsigned int k, c;

	for (k = 0; k < LB_KINDS; k++) {
		for (c = 0; c < LB_CLASSES; c++) {
			struct lb_index old = s->index[k][c];

			if (old.n)
				lb_index_copy(&g->index[k][c], &old);
			s->index[k][c] = g->index[k][c];
			g->index[k][c] = old;
		}
	}
	s->chunks = g->chunks;
	s->nchunks = g->nchunks;
	port_spin_unlock(&s->lock, flags);
	g->chunks = chunks;
	g->nchunks = g->old_nchunks;	/* the chunks themselves have moved */
}

/* Room in memory for so many regions. The caller is alone with the table, or nobody knows the space yet. */
int lb_space_make_room(struct lb_space *s, u64 regions)
{
	struct grow_room *g;
	int err;

	err = lb_table_make_room(s, regions);
	if (err || lb_table_count(regions, 0) <= s->nchunks)
		return err;	/* indexes are made for whole chunks */
	g = port_alloc(sizeof(*g), PORT_WAIT);
	if (!g)
		return -ENOMEM;
	err = grow_room_alloc(s, lb_table_count(regions, 0) * LB_TABLE_ENTRIES, g);
	if (!err)
		grow_room_install(s, g);
	grow_room_free(g);
	port_free(g);
	return err;
}

int lb_space_grow(struct lb_space *s, u64 total_blocks)
{
	u64 regions = lb_region_count(total_blocks);
	unsigned long flags;
	int err;

	if (total_blocks < s->next_total || total_blocks > LB_POOL_MAX_BLOCKS)
		return -EINVAL;
	err = lb_space_make_room(s, regions);
	if (err)
		return err;
	flags = port_spin_lock(&s->lock);
	s->next_total = total_blocks;
	s->next_regions = regions;
	port_spin_unlock(&s->lock, flags);
	s->next_depth = lb_table_depth(regions);
	return 0;
}

/* ------------------------------------------------------------------ within the commit */

struct grow_arg {
	unsigned int from, to;
};

static int grow_stage_fn(struct lb_space *s, struct lb_region *reg, void *arg)
{
	const struct grow_arg *g = arg;
	struct lb_bits *b = reg->bits;

	port_assert_held(&s->lock);
	if (!lb_image_all(b->image, g->from, g->to - g->from, true))
		return -EUCLEAN;
	lb_image_fill(b->image, g->from, g->to - g->from, false);
	b->image_free += g->to - g->from;
	b->diff += g->to - g->from;
	return 0;
}

int lb_space_grow_stage(struct lb_space *s)
{
	u64 last = s->regions - 1;
	struct grow_arg g;
	int err;

	g.from = lb_region_size(s->total, last);
	g.to = lb_region_size(s->next_total, last);
	if (g.from == g.to)
		return 0;
	err = lb_image_save(s, last);
	return err ? err : lb_region_with(s, last, grow_stage_fn, &g);
}

void lb_space_grow_done(struct lb_space *s)
{
	u64 old_total = s->total, old_regions = s->regions, last = old_regions - 1;
	struct lb_region *reg;
	unsigned long flags;
	unsigned int from, to;

	if (s->next_total == old_total)
		return;
	flags = port_spin_lock(&s->lock);
	from = lb_region_size(old_total, last);
	to = lb_region_size(s->next_total, last);
	WRITE_ONCE(s->total, s->next_total);
	WRITE_ONCE(s->regions, s->next_regions);
	if (from != to) {
		reg = lb_region_get(s, last);	/* loaded: live and image differ there */
		reg->bits->size = to;
		lb_region_give(s, reg, from, to - from);
	}
	port_spin_unlock(&s->lock, flags);
	/* Region by region, so that interrupts are not off for long. */
	for (; old_regions < s->next_regions; old_regions++) {
		flags = port_spin_lock(&s->lock);
		lb_region_get(s, old_regions)->free = (u16)lb_region_virgin_free(&s->fixed, s->total, old_regions);
		lb_region_open(s, old_regions);
		port_spin_unlock(&s->lock, flags);
	}
}
