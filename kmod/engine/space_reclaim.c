// SPDX-License-Identifier: GPL-2.0
/*
 * What a commit freed: a list of runs, built by the committing thread, then handed to whoever waits for the last readers, discards and makes the blocks free.
 *
 * A run is one word (first block and length), in blocks of memory under a growing directory, so that a list of n runs costs 8 n bytes. A run that adjoins the
 * last one is joined to it at once; the rest is sorted and joined when the list is reclaimed.
 *
 * Until then every block of the list is live and not in the image: nobody gets it. A crash before that loses nothing: the durable bitmaps have the blocks free.
 */
#include "space_priv.h"

#define RUN_LEN_BITS	28u	/* a run lies within a region */
#define RUN_LEN_MASK	((1ULL << RUN_LEN_BITS) - 1)
#define RUNS_PER_BLOCK	((u64)LB_BLOCK_BYTES / sizeof(u64))
#define DISCARDS_AT_ONCE 256u

lb_static_assert(LB_POOL_MAX_BLOCKS <= 1ULL << (64 - RUN_LEN_BITS));

struct lb_freed {
	u64 blocks;		/* in all runs */
	u64 n;			/* runs */
	u64 nblocks;		/* of memory */
	u64 room;		/* of the directory */
	u64 **dir;
};

struct lb_freed *lb_freed_alloc(void)
{
	return port_alloc(sizeof(struct lb_freed), PORT_WAIT);
}

void lb_freed_free(struct lb_freed *f)
{
	if (!f)
		return;
	while (f->nblocks)
		port_free_block(f->dir[--f->nblocks]);
	port_free(f->dir);
	port_free(f);
}

u64 lb_freed_blocks(const struct lb_freed *f)
{
	return f ? f->blocks : 0;
}

void lb_freed_forget(struct lb_space *s, struct lb_freed *f)
{
	(void)s;
	lb_freed_free(f);
}

static u64 *freed_run(const struct lb_freed *f, u64 i)
{
	return &f->dir[i / RUNS_PER_BLOCK][i % RUNS_PER_BLOCK];
}

static int freed_grow_dir(struct lb_freed *f)
{
	u64 room = f->room ? f->room * 2 : 16, **dir;

	dir = port_alloc(room * sizeof(*dir), PORT_WAIT);
	if (!dir)
		return -ENOMEM;
	if (f->dir)
		memcpy(dir, f->dir, f->nblocks * sizeof(*dir));
	port_free(f->dir);
	f->dir = dir;
	f->room = room;
	return 0;
}

int lb_freed_reserve(struct lb_freed *f)
{
	if (f->n < f->nblocks * RUNS_PER_BLOCK)
		return 0;
	if (f->nblocks == f->room && freed_grow_dir(f))
		return -ENOMEM;
	f->dir[f->nblocks] = port_alloc_block(PORT_WAIT);
	if (!f->dir[f->nblocks])
		return -ENOMEM;
	f->nblocks++;
	return 0;
}

void lb_freed_add(struct lb_freed *f, u64 pblk, u64 count)
{
	f->blocks += count;
	if (f->n) {
		u64 *last = freed_run(f, f->n - 1), start = *last >> RUN_LEN_BITS, len = *last & RUN_LEN_MASK;

		if (start + len == pblk || pblk + count == start) {
			*last = min_t(u64, start, pblk) << RUN_LEN_BITS | (len + count);
			return;
		}
	}
	*freed_run(f, f->n++) = pblk << RUN_LEN_BITS | count;
}

/* ------------------------------------------------------------------ sorting: a heap sort, for it needs no memory */

static void freed_sift(struct lb_freed *f, u64 i, u64 n)
{
	u64 *at = freed_run(f, i), v = *at;

	for (;;) {
		u64 child = 2 * i + 1, *c;

		if (child >= n)
			break;
		c = freed_run(f, child);
		if (child + 1 < n && *freed_run(f, child + 1) > *c)
			c = freed_run(f, ++child);
		if (*c <= v)
			break;
		*at = *c;
		at = c;
		i = child;
	}
	*at = v;
}

static void freed_sort(struct lb_freed *f)
{
	u64 i, n;

	for (i = f->n / 2; i-- > 0; ) {
		freed_sift(f, i, f->n);
		if (!(i & 1023))
			port_cond_resched();
	}
	for (n = f->n; n > 1; n--) {
		u64 *first = freed_run(f, 0), *last = freed_run(f, n - 1), v = *first;

		*first = *last;
		*last = v;
		freed_sift(f, 0, n - 1);
		if (!(n & 1023))
			port_cond_resched();
	}
}

/* Join sorted neighbours in place. */
static void freed_join(struct lb_freed *f)
{
	u64 i, out = 0;

	for (i = 1; i < f->n; i++) {
		u64 *last = freed_run(f, out), run = *freed_run(f, i);

		if ((*last >> RUN_LEN_BITS) + (*last & RUN_LEN_MASK) == run >> RUN_LEN_BITS)
			*last += run & RUN_LEN_MASK;
		else
			*freed_run(f, ++out) = run;
	}
	if (f->n)
		f->n = out + 1;
}

/* ------------------------------------------------------------------ reclaim */

static void reclaim_discard(struct lb_space *s, struct lb_freed *f)
{
	struct port_batch *batch;
	u64 i;

	if (!port_dev_can_discard(s->dev))
		return;
	batch = port_batch_alloc(s->dev);
	if (!batch)
		return;		/* a discard is a wish */
	for (i = 0; i < f->n; i++) {
		u64 run = *freed_run(f, i);

		port_batch_discard(batch, run >> RUN_LEN_BITS, run & RUN_LEN_MASK);
		if (i % DISCARDS_AT_ONCE == DISCARDS_AT_ONCE - 1)
			port_batch_wait(batch);
	}
	port_batch_wait(batch);
	port_batch_free(batch);
}

/* A region with such blocks has live and image apart, so it is loaded. */
static bool reclaim_run(struct lb_space *s, u64 pblk, u64 count)
{
	struct lb_region *reg;
	unsigned long flags;
	unsigned int start;
	bool ok = false;
	u64 r;

	flags = port_spin_lock(&s->lock);
	if (!lb_region_locate(s, pblk, count, &r, &start)) {
		reg = lb_region_get(s, r);
		ok = reg->bits && lb_bits_all_live(reg->bits, start, (unsigned int)count, true) &&
		     lb_image_all(reg->bits->image, start, (unsigned int)count, false);
		if (ok)
			lb_region_give(s, reg, start, (unsigned int)count);
	}
	s->pending -= count;
	port_spin_unlock(&s->lock, flags);
	return ok;
}

void lb_space_reclaim(struct lb_space *s, struct lb_freed *f)
{
	u64 i;

	if (!f)
		return;
	freed_sort(f);
	freed_join(f);
	reclaim_discard(s, f);
	for (i = 0; i < f->n; i++) {
		u64 run = *freed_run(f, i);

		if (!reclaim_run(s, run >> RUN_LEN_BITS, run & RUN_LEN_MASK))
			port_log(PORT_LOG_ERR, "space: blocks %llu + %llu were to be reclaimed but are not freed", run >> RUN_LEN_BITS,
				 run & RUN_LEN_MASK);
		port_cond_resched();
	}
	lb_freed_free(f);
	lb_region_trim(s);
	lb_space_preload(s);
}
