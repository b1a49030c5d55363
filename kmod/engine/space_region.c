// SPDX-License-Identifier: GPL-2.0
/*
 * Regions: bitmaps come in when they are needed and go when they are not, and each region is kept in the indexes that say what it offers.
 *
 * Loading: under load_mutex, so that one bitmap is read once; it is entered under the spinlock if the region is still not loaded. A region without a bitmap on
 * disk needs no read and may be entered without the mutex. Unloading: under load_mutex, only regions whose live view equals the durable image.
 *
 * A bitmap that cannot be read or does not match its entry makes the region bad: nothing is allocated there, its free blocks count no more. What needs it for a
 * block in use tries again and gets the error.
 */
#include "space_priv.h"

unsigned int lb_region_virgin_free(const struct lb_fixed *f, u64 total, u64 r)
{
	unsigned int free = lb_region_size(total, r) - 2;

	return r ? free : free - (unsigned int)(2 * LB_SUPER_SLOTS + f->journal_blocks);
}

int lb_region_locate(struct lb_space *s, u64 pblk, u64 count, u64 *r, unsigned int *start)
{
	u64 first;

	*r = pblk / LB_REGION_BLOCKS;
	first = lb_region_first(*r);
	*start = (unsigned int)(pblk - first);
	if (!count || count > LB_REGION_BLOCKS - *start || *r >= READ_ONCE(s->regions) || pblk + count > READ_ONCE(s->total))
		return -EUCLEAN;
	/* Bitmap slots begin every region but the first, where all that is fixed lies. */
	if (*r)
		return *start < LB_BITMAP_BLOCK(*r, 0) + 2 - first ? -EUCLEAN : 0;
	if (pblk < LB_BITMAP_BLOCK(0, 0) + 2)
		return -EUCLEAN;
	if (pblk < s->fixed.mirror + LB_SUPER_SLOTS && s->fixed.mirror < pblk + count)
		return -EUCLEAN;
	if (pblk < s->fixed.journal + s->fixed.journal_blocks && s->fixed.journal < pblk + count)
		return -EUCLEAN;
	return 0;
}

/* ------------------------------------------------------------------ classes */

static u8 region_class(const struct lb_region *reg)
{
	u8 c = 0;

	if (!reg->free || reg->bad)
		return 0;
	if (reg->bits) {
		c = 1u << LB_LOADED_FREE;
		if (reg->bits->nclusters)
			c |= 1u << LB_LOADED_CLUSTER;
	} else {
		c = 1u << LB_COLD_FREE;
		if (reg->roomy)
			c |= 1u << LB_COLD_ROOMY;
	}
	return c;
}

static void region_reindex(struct lb_space *s, u64 r, struct lb_region *reg, unsigned int kind, u8 classes)
{
	unsigned int c;

	if (reg->kind == kind && reg->classes == classes)
		return;
	for (c = 0; c < LB_CLASSES; c++) {
		bool was = reg->classes & (1u << c), is = classes & (1u << c);

		if (was && (!is || reg->kind != kind))
			lb_index_set(&s->index[reg->kind][c], r, false);
		if (is && (!was || reg->kind != kind))
			lb_index_set(&s->index[kind][c], r, true);
	}
	reg->kind = (u8)kind;
	reg->classes = classes;
}

static void region_set_kind(struct lb_space *s, u64 r, unsigned int kind)
{
	struct lb_region *reg = lb_region_get(s, r);
	struct lb_bits *b = reg->bits;
	unsigned int counts = b && kind != LB_REGION_KIND_META && !reg->bad ? b->nclusters : 0;

	region_reindex(s, r, reg, kind, region_class(reg));
	if (b) {
		lb_count_add(&s->loaded_clusters, (s64)counts - b->counted);
		b->counted = counts;
	}
}

void lb_region_classify(struct lb_space *s, u64 r)
{
	region_set_kind(s, r, lb_region_get(s, r)->kind);
}

void lb_region_claim(struct lb_space *s, u64 r, unsigned int kind)
{
	port_assert_held(&s->lock);
	region_set_kind(s, r, kind);
}

void lb_region_open(struct lb_space *s, u64 r)
{
	struct lb_region *reg = lb_region_get(s, r);

	port_assert_held(&s->lock);
	reg->roomy = reg->free >= LB_ROOMY_BLOCKS;
	lb_count_add(&s->free, reg->free);
	lb_region_classify(s, r);
}

u64 lb_region_find(struct lb_space *s, unsigned int kind, enum lb_class class, u64 from, u64 avoid)
{
	const struct lb_index *x = &s->index[kind][class];
	u64 r;

	port_assert_held(&s->lock);
	r = lb_index_next(x, from);
	if (r != LB_NONE && r == avoid)
		r = lb_index_next(x, r + 1);
	if (r == LB_NONE && from) {
		r = lb_index_next(x, 0);
		if (r != LB_NONE && r == avoid)
			r = lb_index_next(x, r + 1);
	}
	return r;
}

void lb_region_take(struct lb_space *s, struct lb_region *reg, unsigned int start, unsigned int len)
{
	struct lb_bits *b = reg->bits;
	unsigned int n;

	port_assert_held(&s->lock);
	n = lb_bits_take(b, start, len);
	b->diff += n;
	b->touched = true;
	reg->free -= (u16)n;
	lb_count_add(&s->free, -(s64)n);
	lb_region_classify(s, b->region);
}

void lb_region_give(struct lb_space *s, struct lb_region *reg, unsigned int start, unsigned int len)
{
	struct lb_bits *b = reg->bits;
	unsigned int n;

	port_assert_held(&s->lock);
	n = lb_bits_give(b, start, len);
	b->diff -= n;
	reg->free += (u16)n;
	lb_count_add(&s->free, n);
	if (!b->diff && !b->saved && reg->free == lb_region_virgin_free(&s->fixed, s->total, b->region))
		region_set_kind(s, b->region, LB_REGION_KIND_NONE);	/* empty: for whoever wants it */
	else
		lb_region_classify(s, b->region);
}

/* ------------------------------------------------------------------ loading */

/* Enter loaded bitmaps. False: somebody was faster. */
static bool region_enter(struct lb_space *s, u64 r, struct lb_bits *b, const struct lb_region *seen)
{
	struct lb_region *reg = lb_region_get(s, r);

	port_assert_held(&s->lock);
	if (reg->bits || reg->gen != seen->gen || reg->slot != seen->slot || lb_region_size(s->total, r) != b->size)
		return false;
	if (reg->bad) {
		reg->bad = false;
		lb_count_add(&s->free, reg->free);
	}
	b->touched = true;
	reg->bits = b;
	lb_list_add_tail(&b->ring, &s->loaded_ring);
	lb_count_add(&s->loaded, 1);
	lb_region_classify(s, r);
	return true;
}

static bool bitmap_plausible(const struct lb_region *reg, const struct lb_bits *virgin, const struct lb_bitmap_block *buf)
{
	unsigned int w;

	/* What is fixed or beyond the end must be set. */
	for (w = 0; w < sizeof(buf->bits); w++)
		if (virgin->image->bits[w] & ~buf->bits[w])
			return false;
	return lb_image_free(buf) == reg->free;
}

int lb_region_read(struct lb_space *s, u64 r, const struct lb_region *reg, struct lb_bitmap_block *buf, const char **why)
{
	u64 addr = LB_BITMAP_BLOCK(r, reg->slot);
	int err;

	*why = "read error";
	err = port_read(s->dev, addr, buf);
	if (err)
		return err == -ENOMEM ? err : -EIO;
	return lb_block_verify(buf, LB_MAGIC_BITMAP, addr, reg->gen, reg->csum, why);
}

static int region_read_into(struct lb_space *s, u64 r, const struct lb_region *reg, struct lb_bits *b)
{
	struct lb_bitmap_block *buf;
	const char *why = NULL;
	int err;

	lb_bits_virgin(b, &s->fixed, b->size);
	if (reg->slot == LB_REGION_NO_SLOT)
		return 0;
	buf = port_alloc_block(PORT_WAIT);
	if (!buf)
		return -ENOMEM;
	err = lb_region_read(s, r, reg, buf, &why);
	if (!err && !bitmap_plausible(reg, b, buf)) {
		err = -EUCLEAN;
		why = "its content";
	}
	if (err && err != -ENOMEM)
		port_log(PORT_LOG_ERR, "bitmap of region %llu is bad: %s", r, why);
	port_free_block(b->image);
	b->image = buf;
	return err;
}

static void region_set_bad(struct lb_space *s, u64 r)
{
	struct lb_region *reg = lb_region_get(s, r);

	port_assert_held(&s->lock);
	if (reg->bad || reg->bits)
		return;
	reg->bad = true;
	lb_count_add(&s->free, -(s64)reg->free);
	lb_region_classify(s, r);
}

/* One at the hand: unload it if nothing speaks against it, else send it to the back. */
static void region_unload_one(struct lb_space *s, struct lb_list *out)
{
	struct lb_bits *b = lb_list_first_entry(&s->loaded_ring, struct lb_bits, ring);
	struct lb_region *reg = lb_region_get(s, b->region);

	port_assert_held(&s->lock);
	lb_list_del(&b->ring);
	if (b->touched || b->diff || b->saved || b->fresh) {
		b->touched = false;
		lb_list_add_tail(&b->ring, &s->loaded_ring);
		return;
	}
	reg->bits = NULL;
	reg->roomy = b->nclusters >= LB_ROOMY_CLUSTERS;
	lb_count_add(&s->loaded, -1);
	lb_count_add(&s->loaded_clusters, -(s64)b->counted);
	lb_region_classify(s, b->region);
	lb_list_add(&b->ring, out);
}

/* Before one more is loaded. Bounded: where most regions cannot be unloaded, the limit is passed. */
static void region_unload_some(struct lb_space *s)
{
	struct lb_bits *b, *tmp;
	struct lb_list out;
	unsigned long flags;
	unsigned int i;

	port_mutex_assert_held(&s->load_mutex);
	lb_list_init(&out);
	flags = port_spin_lock(&s->lock);
	for (i = 0; i < 16 && s->loaded >= LB_LOADED_MAX; i++)
		region_unload_one(s, &out);
	port_spin_unlock(&s->lock, flags);
	lb_list_for_each_entry_safe(b, tmp, &out, ring)
		lb_bits_free(b);
}

void lb_region_trim(struct lb_space *s)
{
	struct lb_bits *b, *tmp;
	struct lb_list out;
	unsigned long flags;
	u64 looked = 0, n = READ_ONCE(s->loaded);
	unsigned int i;

	lb_list_init(&out);
	port_mutex_lock(&s->load_mutex);
	do {
		flags = port_spin_lock(&s->lock);
		for (i = 0; i < 64 && s->loaded > LB_LOADED_MAX; i++)
			region_unload_one(s, &out);
		port_spin_unlock(&s->lock, flags);
		looked += i;
	} while (i && looked < n);
	port_mutex_unlock(&s->load_mutex);
	lb_list_for_each_entry_safe(b, tmp, &out, ring)
		lb_bits_free(b);
}

static bool region_snapshot(struct lb_space *s, u64 r, struct lb_region *seen, unsigned int *size)
{
	unsigned long flags = port_spin_lock(&s->lock);

	*seen = *lb_region_get(s, r);
	*size = lb_region_size(s->total, r);
	port_spin_unlock(&s->lock, flags);
	return seen->bits != NULL;
}

/* One try under the mutex; 1: it changed meanwhile, try again. */
static int region_load_once(struct lb_space *s, u64 r)
{
	struct lb_region seen;
	struct lb_bits *b;
	unsigned long flags;
	unsigned int size;
	bool entered;
	int err;

	if (region_snapshot(s, r, &seen, &size))
		return 0;
	region_unload_some(s);
	b = lb_bits_alloc(PORT_WAIT);
	if (!b)
		return -ENOMEM;
	b->region = r;
	b->size = size;
	err = region_read_into(s, r, &seen, b);
	if (!err)
		lb_bits_settle(b);
	flags = port_spin_lock(&s->lock);
	entered = !err && region_enter(s, r, b, &seen);
	if (err && err != -ENOMEM)
		region_set_bad(s, r);
	port_spin_unlock(&s->lock, flags);
	if (!entered)
		lb_bits_free(b);
	return err ? err : !entered;
}

int lb_region_load(struct lb_space *s, u64 r)
{
	int err;

	port_mutex_lock(&s->load_mutex);
	do {
		err = region_load_once(s, r);
	} while (err > 0);
	port_mutex_unlock(&s->load_mutex);
	return err;
}

int lb_region_load_virgin(struct lb_space *s, u64 r)
{
	struct lb_region seen;
	struct lb_bits *b;
	unsigned long flags;
	unsigned int size;
	bool entered;

	if (region_snapshot(s, r, &seen, &size))
		return 0;
	if (seen.slot != LB_REGION_NO_SLOT)
		return -EAGAIN;
	b = lb_bits_alloc(PORT_NOWAIT);
	if (!b)
		return -EAGAIN;
	b->region = r;
	b->size = size;
	lb_bits_virgin(b, &s->fixed, size);
	lb_bits_settle(b);
	flags = port_spin_lock(&s->lock);
	entered = region_enter(s, r, b, &seen);
	port_spin_unlock(&s->lock, flags);
	if (!entered)
		lb_bits_free(b);
	return 0;
}

int lb_region_with(struct lb_space *s, u64 r, lb_region_fn fn, void *arg)
{
	struct lb_region *reg;
	unsigned long flags;
	bool loaded;
	int err;

	for (;;) {
		flags = port_spin_lock(&s->lock);
		reg = lb_region_get(s, r);
		loaded = reg->bits != NULL;
		err = 0;
		if (loaded) {
			reg->bits->touched = true;
			err = fn(s, reg, arg);
		}
		port_spin_unlock(&s->lock, flags);
		if (loaded)
			return err;
		err = lb_region_load(s, r);
		if (err)
			return err;
	}
}

void lb_region_unload_all(struct lb_space *s)
{
	while (!lb_list_empty(&s->loaded_ring)) {
		struct lb_bits *b = lb_list_first_entry(&s->loaded_ring, struct lb_bits, ring);

		lb_list_del(&b->ring);
		lb_bits_free(b);
	}
}
