// SPDX-License-Identifier: GPL-2.0
/*
 * Handing blocks out. Nothing here touches the image, so a crash forgets it all.
 *
 * Data: where the hint says, if free; else from the cursor on, whole free clusters first: in loaded data regions, in loaded unclaimed ones, then (in a context that may
 * sleep) in regions to be loaded; then any free block; metadata regions last. Without leave to sleep only loaded regions count, and those without a bitmap on disk.
 * What that context finds scarce it notes, and the next one that may sleep loads ahead.
 *
 * Metadata: two streams, one for first copies and one for second ones, each ascending through regions of the metadata kind, which it claims as it needs them. A
 * pool of few regions has none to spare: there metadata comes from the regions' ends, cluster by cluster downwards, data from their beginnings. When no region of its own
 * is left, metadata takes any free block, reserve or not.
 *
 * No search is longer than a few words: the indexes name a region, the summaries in it a block.
 */
#include "space_priv.h"

/* What a pick under the lock came to. */
struct pick {
	u64 region;		/* where from, or which to load */
	unsigned int start;
	bool hinted;		/* the hint's place */
	bool cluster;		/* the start of a free cluster */
};

struct data_want {
	u64 blocks, hint;
	unsigned int flags;	/* of lb_space_alloc() */
	bool charge;		/* keep off what is charged and reserved, and charge `slack` */
	u64 slack;
	bool load_roomy;	/* load a region rather than use up the fragments of loaded ones */
};

enum pick_result { PICK_FOUND, PICK_LOAD, PICK_AGAIN, PICK_NONE };

/* ------------------------------------------------------------------ data */

static const u8 data_kinds[] = { LB_REGION_KIND_DATA, LB_REGION_KIND_NONE };

/* The hint, if it names a free block outside metadata regions. PICK_LOAD: its region is not loaded. */
static enum pick_result data_pick_hint(struct lb_space *s, u64 hint, struct pick *p)
{
	struct lb_region *reg;

	if (!hint || lb_region_locate(s, hint, 1, &p->region, &p->start))
		return PICK_NONE;
	reg = lb_region_get(s, p->region);
	if (!reg->free || reg->bad || reg->kind == LB_REGION_KIND_META)
		return PICK_NONE;
	if (!reg->bits)
		return PICK_LOAD;
	p->hinted = lb_bits_all_live(reg->bits, p->start, 1, false);
	return p->hinted ? PICK_FOUND : PICK_NONE;
}

/* A free cluster behind the cursor, in its region if there is one. */
static bool data_pick_cluster(struct lb_space *s, unsigned int kind, struct pick *p)
{
	struct lb_region *reg = lb_region_get(s, s->data.region);
	unsigned int from = s->data.pos;

	p->cluster = true;
	p->start = LB_BITS_NONE;
	if (reg->kind == kind && reg->bits && reg->bits->nclusters && !reg->bad) {
		p->region = s->data.region;
		p->start = lb_bits_next_cluster(reg->bits, from);
		from = LB_REGION_BLOCKS;
	}
	if (p->start == LB_BITS_NONE) {
		p->region = lb_region_find(s, kind, LB_LOADED_CLUSTER, s->data.region + (from == LB_REGION_BLOCKS), LB_NONE);
		if (p->region == LB_NONE)
			return false;
		p->start = lb_bits_next_cluster(lb_region_get(s, p->region)->bits, 0);
	}
	return true;
}

static bool data_pick_any(struct lb_space *s, unsigned int kind, struct pick *p)
{
	p->cluster = false;
	p->region = lb_region_find(s, kind, LB_LOADED_FREE, s->data.region, LB_NONE);
	if (p->region == LB_NONE)
		return false;
	p->start = lb_bits_next_free(lb_region_get(s, p->region)->bits, 0);
	return true;
}

static bool data_pick_cold(struct lb_space *s, unsigned int kind, enum lb_class class, struct pick *p)
{
	p->region = lb_region_find(s, kind, class, s->data.region, LB_NONE);
	return p->region != LB_NONE;
}

static enum pick_result data_pick(struct lb_space *s, const struct data_want *want, struct pick *p)
{
	enum pick_result res;
	unsigned int i;

	p->hinted = p->cluster = false;
	res = data_pick_hint(s, want->hint, p);
	if (res == PICK_FOUND || (res == PICK_LOAD && !(want->flags & LB_NOWAIT)))
		return res;
	for (i = 0; i < ARRAY_SIZE(data_kinds); i++)
		if (data_pick_cluster(s, data_kinds[i], p))
			return PICK_FOUND;
	for (i = 0; i < ARRAY_SIZE(data_kinds) && want->load_roomy; i++)
		if (data_pick_cold(s, data_kinds[i], LB_COLD_ROOMY, p))
			return PICK_LOAD;
	for (i = 0; i < ARRAY_SIZE(data_kinds); i++)
		if (data_pick_any(s, data_kinds[i], p))
			return PICK_FOUND;
	for (i = 0; i < ARRAY_SIZE(data_kinds); i++)
		if (data_pick_cold(s, data_kinds[i], LB_COLD_FREE, p))
			return PICK_LOAD;
	if (data_pick_cluster(s, LB_REGION_KIND_META, p) || data_pick_any(s, LB_REGION_KIND_META, p))
		return PICK_FOUND;
	return data_pick_cold(s, LB_REGION_KIND_META, LB_COLD_FREE, p) ? PICK_LOAD : PICK_NONE;
}

/* Take what was picked: lock held since. */
static void data_take(struct lb_space *s, struct pick *p, const struct data_want *want, u64 *pblk, u64 *got)
{
	struct lb_region *reg = lb_region_get(s, p->region);
	unsigned int run;

	if (p->cluster)
		p->start += want->flags / LB_SPACE_OFFSET(1);
	run = lb_bits_run(reg->bits, p->start, (unsigned int)min_t(u64, want->blocks, LB_REGION_BLOCKS));
	if (reg->kind == LB_REGION_KIND_NONE)
		lb_region_claim(s, p->region, LB_REGION_KIND_DATA);
	lb_region_take(s, reg, p->start, run);
	*pblk = lb_region_first(p->region) + p->start;
	*got = run;
	/* A hint is a place of its own; the cursor follows the others. */
	if (!p->hinted) {
		s->data.region = p->region;
		s->data.pos = p->start + run;
	}
	if (s->loaded_clusters < LB_PRELOAD_CLUSTERS)
		WRITE_ONCE(s->want_preload, true);
}

/* Cuts the wish to what may be had beside the slack; false: nothing. */
static bool data_fits(struct lb_space *s, struct data_want *want)
{
	u64 taken = s->charged + s->reserve + want->slack;

	if (!want->charge)
		return true;
	want->blocks = min_t(u64, want->blocks, s->free > taken ? s->free - taken : 0);
	return want->blocks != 0;
}

static enum pick_result data_try(struct lb_space *s, struct data_want *want, struct pick *p, u64 *pblk, u64 *got)
{
	unsigned long flags = port_spin_lock(&s->lock);
	enum pick_result res = data_fits(s, want) ? data_pick(s, want, p) : PICK_NONE;

	if (res == PICK_FOUND) {
		data_take(s, p, want, pblk, got);
		s->charged += want->slack;
	} else if (res == PICK_LOAD) {
		WRITE_ONCE(s->want_preload, true);
	}
	port_spin_unlock(&s->lock, flags);
	return res;
}

/* A region that can be entered without sleeping, if the loaded ones have no free cluster left. */
static void data_extend_nowait(struct lb_space *s)
{
	unsigned long flags = port_spin_lock(&s->lock);
	struct pick p;
	bool need;

	need = !data_pick_cluster(s, LB_REGION_KIND_DATA, &p) && !data_pick_cluster(s, LB_REGION_KIND_NONE, &p) &&
	       data_pick_cold(s, LB_REGION_KIND_NONE, LB_COLD_ROOMY, &p);
	port_spin_unlock(&s->lock, flags);
	if (need)
		lb_region_load_virgin(s, p.region);
}

static int data_alloc_nowait(struct lb_space *s, struct data_want *want, u64 *pblk, u64 *got)
{
	enum pick_result res;
	struct pick p;

	if (!READ_ONCE(s->loaded_clusters))
		data_extend_nowait(s);
	res = data_try(s, want, &p, pblk, got);
	if (res == PICK_FOUND)
		return 0;
	return res == PICK_LOAD ? -EAGAIN : -ENOSPC;
}

static int data_alloc(struct lb_space *s, struct data_want *want, u64 *pblk, u64 *got)
{
	unsigned int loads = 0;
	struct pick p;
	int err;

	if (!want->blocks)
		return -EINVAL;
	if (want->flags & LB_NOWAIT)
		return data_alloc_nowait(s, want, pblk, got);
	lb_space_preload(s);
	for (;;) {
		/* Two loads are enough in search of clusters: where free space is all fragments, more would not help. */
		want->load_roomy = loads < 2;
		switch (data_try(s, want, &p, pblk, got)) {
		case PICK_FOUND:
			return 0;
		case PICK_LOAD:
			break;
		default:
			return -ENOSPC;
		}
		loads++;
		err = lb_region_load(s, p.region);
		if (err == -ENOMEM)
			return err;	/* any other error has made the region bad: it is not picked again */
	}
}

int lb_space_alloc(struct lb_space *s, u64 want, u64 hint, unsigned int flags, u64 *pblk, u64 *got)
{
	struct data_want w = { .blocks = want, .hint = hint, .flags = flags };

	return data_alloc(s, &w, pblk, got);
}

int lb_space_alloc_charged(struct lb_space *s, u64 want, u64 hint, u64 slack, unsigned int flags, u64 *pblk, u64 *got)
{
	struct data_want w = { .blocks = want, .hint = hint, .flags = flags, .charge = true, .slack = slack };

	return data_alloc(s, &w, pblk, got);
}

void lb_space_preload(struct lb_space *s)
{
	unsigned long flags;
	unsigned int i;
	u64 r;

	if (!READ_ONCE(s->want_preload))
		return;
	WRITE_ONCE(s->want_preload, false);
	for (i = 0; i < 4; i++) {
		flags = port_spin_lock(&s->lock);
		r = LB_NONE;
		if (s->loaded_clusters < 2 * LB_PRELOAD_CLUSTERS) {
			r = lb_region_find(s, LB_REGION_KIND_DATA, LB_COLD_ROOMY, s->data.region, LB_NONE);
			if (r == LB_NONE)
				r = lb_region_find(s, LB_REGION_KIND_NONE, LB_COLD_ROOMY, s->data.region, LB_NONE);
		}
		port_spin_unlock(&s->lock, flags);
		if (r == LB_NONE || lb_region_load(s, r) == -ENOMEM)
			return;
	}
}

/* ------------------------------------------------------------------ metadata */

struct meta_want {
	unsigned int stream;
	u64 avoid;		/* not this region if it can be helped */
};

/* In the order of preference: what kind of region, and what it must offer. A small pool has the second list. */
static const struct { u8 kind, class; } meta_split[] = {
	{ LB_REGION_KIND_META, LB_LOADED_CLUSTER }, { LB_REGION_KIND_META, LB_COLD_ROOMY },
	{ LB_REGION_KIND_NONE, LB_LOADED_CLUSTER }, { LB_REGION_KIND_NONE, LB_COLD_ROOMY },
	{ LB_REGION_KIND_META, LB_LOADED_FREE }, { LB_REGION_KIND_META, LB_COLD_FREE },
	{ LB_REGION_KIND_DATA, LB_LOADED_CLUSTER }, { LB_REGION_KIND_DATA, LB_COLD_ROOMY },
	{ LB_REGION_KIND_NONE, LB_LOADED_FREE }, { LB_REGION_KIND_NONE, LB_COLD_FREE },
	{ LB_REGION_KIND_DATA, LB_LOADED_FREE }, { LB_REGION_KIND_DATA, LB_COLD_FREE },
}, meta_shared[] = {
	{ LB_REGION_KIND_DATA, LB_LOADED_CLUSTER }, { LB_REGION_KIND_NONE, LB_LOADED_CLUSTER },
	{ LB_REGION_KIND_DATA, LB_COLD_ROOMY }, { LB_REGION_KIND_NONE, LB_COLD_ROOMY },
	{ LB_REGION_KIND_META, LB_LOADED_FREE }, { LB_REGION_KIND_META, LB_COLD_FREE },
	{ LB_REGION_KIND_DATA, LB_LOADED_FREE }, { LB_REGION_KIND_NONE, LB_LOADED_FREE },
	{ LB_REGION_KIND_DATA, LB_COLD_FREE }, { LB_REGION_KIND_NONE, LB_COLD_FREE },
};

static bool space_is_split(const struct lb_space *s)
{
	return s->regions >= LB_SPLIT_REGIONS;
}

/* Where in a region that has room the stream goes on: up through a region of its own, else in the last free cluster (second copies: of the lower half, if alone). */
static void meta_open_window(struct lb_space *s, struct lb_stream *st, u64 r, const struct meta_want *w)
{
	struct lb_region *reg = lb_region_get(s, r);
	unsigned int below = LB_REGION_BLOCKS;

	st->region = r;
	if (space_is_split(s) && reg->kind == LB_REGION_KIND_NONE && reg->bits->nclusters)
		lb_region_claim(s, r, LB_REGION_KIND_META);
	if (reg->kind == LB_REGION_KIND_META) {
		st->pos = 0;
		st->end = LB_REGION_BLOCKS;
		return;
	}
	if (w->stream && r == w->avoid)
		below = reg->bits->size / 2;
	st->pos = lb_bits_last_cluster(reg->bits, below);
	if (st->pos == LB_BITS_NONE)
		st->pos = lb_bits_last_cluster(reg->bits, LB_REGION_BLOCKS);
	if (st->pos == LB_BITS_NONE)
		st->pos = lb_bits_last_free(reg->bits, LB_REGION_BLOCKS);
	st->end = (st->pos | (LB_CLUSTER_BLOCKS - 1)) + 1;
}

/* A region for the stream: from where it is now; second copies start half the pool away. */
static u64 meta_find_region(struct lb_space *s, const struct meta_want *w, u64 avoid)
{
	const struct lb_stream *st = &s->meta[w->stream];
	u64 from = st->region != LB_NONE ? st->region : w->stream ? s->regions / 2 : 0, r = LB_NONE;
	unsigned int i;

	if (space_is_split(s))
		for (i = 0; i < ARRAY_SIZE(meta_split) && r == LB_NONE; i++)
			r = lb_region_find(s, meta_split[i].kind, (enum lb_class)meta_split[i].class, from, avoid);
	else
		for (i = 0; i < ARRAY_SIZE(meta_shared) && r == LB_NONE; i++)
			r = lb_region_find(s, meta_shared[i].kind, (enum lb_class)meta_shared[i].class, from, avoid);
	return r;
}

static bool meta_in_window(struct lb_space *s, struct lb_stream *st, struct pick *p)
{
	struct lb_region *reg;

	if (st->region == LB_NONE)
		return false;
	reg = lb_region_get(s, st->region);
	if (!reg->bits || reg->bad || !reg->free)
		return false;
	p->region = st->region;
	p->start = lb_bits_next_free(reg->bits, st->pos);
	return p->start < st->end;
}

static enum pick_result meta_pick(struct lb_space *s, const struct meta_want *w, struct pick *p)
{
	struct lb_stream *st = &s->meta[w->stream];
	u64 r;

	if ((st->region != w->avoid || s->regions == 1) && meta_in_window(s, st, p))
		return PICK_FOUND;
	r = meta_find_region(s, w, w->avoid);
	if (r == LB_NONE)
		r = meta_find_region(s, w, LB_NONE);
	if (r == LB_NONE)
		return PICK_NONE;
	p->region = r;
	if (!lb_region_get(s, r)->bits)
		return PICK_LOAD;
	meta_open_window(s, st, r, w);
	p->start = lb_bits_next_free(lb_region_get(s, r)->bits, st->pos);
	return PICK_FOUND;
}

/* One try. `spare`: a zeroed block for the region's record of this commit's metadata; taken if it is needed. */
static enum pick_result meta_try(struct lb_space *s, const struct meta_want *w, struct pick *p, u64 **spare, u64 *addr)
{
	unsigned long flags = port_spin_lock(&s->lock);
	enum pick_result res = meta_pick(s, w, p);
	struct lb_bits *b = res == PICK_FOUND ? lb_region_get(s, p->region)->bits : NULL;

	if (b && s->committing && !b->fresh && !*spare) {
		res = PICK_AGAIN;
	} else if (b) {
		if (s->committing && !b->fresh) {
			b->fresh = *spare;
			*spare = NULL;
			lb_list_add_tail(&b->fresh_link, &s->fresh);
		}
		if (b->fresh)
			b->fresh[p->start / 64] |= 1ULL << (p->start % 64);
		lb_region_take(s, lb_region_get(s, p->region), p->start, 1);
		s->meta[w->stream].pos = p->start + 1;
		*addr = lb_region_first(p->region) + p->start;
	}
	port_spin_unlock(&s->lock, flags);
	return res;
}

static int meta_alloc(struct lb_space *s, const struct meta_want *w, u64 *addr)
{
	enum pick_result res;
	u64 *spare = NULL;
	struct pick p;
	int err = 0;

	do {
		res = meta_try(s, w, &p, &spare, addr);
		if (res == PICK_AGAIN) {
			spare = port_alloc_block(PORT_WAIT);
			if (spare)
				memset(spare, 0, LB_BLOCK_BYTES);
			else
				err = -ENOMEM;
		} else if (res == PICK_LOAD) {
			err = lb_region_load(s, p.region);
			if (err != -ENOMEM)
				err = 0;	/* a bad region is not picked again */
		} else if (res == PICK_NONE) {
			err = -ENOSPC;
		}
	} while (res != PICK_FOUND && !err);
	port_free_block(spare);
	return err;
}

int lb_space_alloc_meta(struct lb_space *s, bool pair, u64 *addr, u64 *addr2)
{
	struct meta_want w = { .stream = 0, .avoid = LB_NONE };
	int err;

	*addr2 = 0;
	err = meta_alloc(s, &w, addr);
	if (err || !pair)
		return err;
	w.stream = 1;
	w.avoid = *addr / LB_REGION_BLOCKS;
	err = meta_alloc(s, &w, addr2);
	if (err)
		lb_space_unalloc(s, *addr, 1);
	return err;
}

/* ------------------------------------------------------------------ giving back, marking */

void lb_space_unalloc(struct lb_space *s, u64 pblk, u64 count)
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
		if (ok) {
			if (reg->bits->fresh)
				lb_fresh_clear(reg->bits, start, (unsigned int)count);
			lb_region_give(s, reg, start, (unsigned int)count);
		}
	}
	port_spin_unlock(&s->lock, flags);
	if (!ok)
		port_log(PORT_LOG_ERR, "space: blocks %llu + %llu were given back but not handed out", pblk, count);
}

struct mark_arg {
	unsigned int start, len;
};

static int mark_fn(struct lb_space *s, struct lb_region *reg, void *arg)
{
	struct mark_arg *m = arg;

	lb_region_take(s, reg, m->start, m->len);
	return 0;
}

int lb_space_mark(struct lb_space *s, u64 pblk, u64 count)
{
	struct mark_arg m;
	u64 r;
	int err;

	err = lb_region_locate(s, pblk, count, &r, &m.start);
	if (err)
		return err;
	m.len = (unsigned int)count;
	return lb_region_with(s, r, mark_fn, &m);
}
