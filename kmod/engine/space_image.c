// SPDX-License-Identifier: GPL-2.0
/*
 * The image: what a commit changes in the bitmaps, and how that becomes durable or is undone.
 *
 * The first change to a region in a commit keeps a copy of its durable bitmap (saved). Abort puts the copies back; done drops them. So abort needs no memory and
 * restores every bit. Metadata blocks that the commit allocated are recorded per region (fresh), as a bitmap: abort makes exactly those free again.
 *
 * commit_write settles first which blocks the new region table takes and gives back, for that changes bitmaps, which changes the table: each table block is relocated at most once a
 * commit, so this ends after at most as many steps as there are table blocks. Only then are the bitmaps final and written, each to the slot that the durable
 * table does not name, and after them, bottom up, the table blocks, to blocks that the durable image has free. Nothing durable is overwritten, and a crash before
 * the superblock leaves the last image whole.
 *
 * All is the committing thread's. The image's bits change under the spinlock because unloading and lb_space_unalloc() look at them.
 */
#include "space_priv.h"

enum change_op { CHANGE_USE, CHANGE_RELEASE, CHANGE_DROP, CHANGE_SAVE };

struct change {
	enum change_op op;
	unsigned int start, len;
	u64 pblk;
	void *spare;		/* for the copy, if one is needed */
};

#define CHANGE_WANTS_SPARE 1

/* Keep the durable bitmap, if this commit has not yet. */
static int change_save(struct lb_space *s, struct lb_bits *b, struct change *ch)
{
	port_assert_held(&s->lock);
	if (b->saved)
		return 0;
	if (!ch->spare)
		return CHANGE_WANTS_SPARE;
	b->saved = ch->spare;
	ch->spare = NULL;
	memcpy(b->saved, b->image, sizeof(*b->image));
	b->saved_free = b->image_free;
	lb_list_add_tail(&b->dirty_link, &s->dirty);
	return 0;
}

static bool change_allowed(const struct lb_bits *b, const struct change *ch)
{
	switch (ch->op) {
	case CHANGE_USE:
	case CHANGE_DROP:
		return lb_image_all(b->image, ch->start, ch->len, false) && lb_bits_all_live(b, ch->start, ch->len, true);
	case CHANGE_RELEASE:
		return lb_image_all(b->image, ch->start, ch->len, true);
	default:
		return true;
	}
}

static int change_fn(struct lb_space *s, struct lb_region *reg, void *arg)
{
	struct change *ch = arg;
	struct lb_bits *b = reg->bits;

	if (!change_allowed(b, ch))
		return -EUCLEAN;
	if (ch->op != CHANGE_DROP) {
		int err = change_save(s, b, ch);

		if (err)
			return err;
	}
	if (ch->op == CHANGE_USE) {
		lb_image_fill(b->image, ch->start, ch->len, true);
		b->image_free -= ch->len;
		b->diff -= ch->len;
	} else if (ch->op == CHANGE_RELEASE) {
		lb_image_fill(b->image, ch->start, ch->len, false);
		b->image_free += ch->len;
		b->diff += ch->len;
	}
	if (ch->op == CHANGE_RELEASE || ch->op == CHANGE_DROP) {
		lb_freed_add(s->freed, ch->pblk, ch->len);
		s->pending += ch->len;
	}
	return 0;
}

static int change_apply(struct lb_space *s, u64 r, struct change *ch)
{
	int err;

	ch->spare = NULL;
	do {
		err = lb_region_with(s, r, change_fn, ch);
		if (err == CHANGE_WANTS_SPARE) {
			ch->spare = port_alloc_block(PORT_WAIT);
			if (!ch->spare)
				err = -ENOMEM;
		}
	} while (err > 0);
	port_free_block(ch->spare);
	return err;
}

static int space_change(struct lb_space *s, enum change_op op, u64 pblk, u64 count)
{
	static const char *const names[] = { "used", "released", "dropped" };
	struct change ch = { .op = op, .pblk = pblk, .len = (unsigned int)count };
	u64 r;
	int err;

	if (op != CHANGE_USE && !s->freed) {
		s->freed = lb_freed_alloc();
		if (!s->freed)
			return -ENOMEM;
	}
	if (op != CHANGE_USE && lb_freed_reserve(s->freed))
		return -ENOMEM;
	err = lb_region_locate(s, pblk, count, &r, &ch.start);
	if (!err)
		err = change_apply(s, r, &ch);
	if (err == -EUCLEAN)
		port_log(PORT_LOG_ERR, "space: blocks %llu + %llu cannot be %s", pblk, count, names[op]);
	return err;
}

int lb_space_use(struct lb_space *s, u64 pblk, u64 count)
{
	return space_change(s, CHANGE_USE, pblk, count);
}

int lb_space_release(struct lb_space *s, u64 pblk, u64 count)
{
	return space_change(s, CHANGE_RELEASE, pblk, count);
}

int lb_space_drop(struct lb_space *s, u64 pblk, u64 count)
{
	return space_change(s, CHANGE_DROP, pblk, count);
}

int lb_image_save(struct lb_space *s, u64 r)
{
	struct change ch = { .op = CHANGE_SAVE };

	return change_apply(s, r, &ch);
}

struct in_image_arg {
	unsigned int i;
};

static int in_image_fn(struct lb_space *s, struct lb_region *reg, void *arg)
{
	const struct in_image_arg *a = arg;
	const struct lb_bits *b = reg->bits;

	(void)s;
	return lb_image_all(b->saved ? b->saved : b->image, a->i, 1, true);
}

int lb_space_in_image(struct lb_space *s, u64 pblk)
{
	struct in_image_arg a = { .i = (unsigned int)(pblk % LB_REGION_BLOCKS) };
	u64 r = pblk / LB_REGION_BLOCKS;

	if (pblk >= s->total)
		return -EINVAL;
	return r >= s->regions ? 1 : lb_region_with(s, r, in_image_fn, &a);
}

/* ------------------------------------------------------------------ writing */

void lb_space_commit_begin(struct lb_space *s)
{
	unsigned long flags;

	lb_region_trim(s);
	lb_space_preload(s);
	flags = port_spin_lock(&s->lock);
	s->committing = true;
	WRITE_ONCE(s->written, false);
	port_spin_unlock(&s->lock, flags);
}

/* Until every changed region's path in the table is relocated, which itself changes regions. */
static int image_settle(struct lb_space *s)
{
	struct lb_bits *b;
	unsigned long flags;
	u64 r;
	int err = lb_space_grow_stage(s);

	if (!err)
		err = lb_table_deepen(s);
	while (!err) {
		flags = port_spin_lock(&s->lock);
		r = LB_NONE;
		if (!lb_list_empty(&s->dirty)) {
			b = lb_list_first_entry(&s->dirty, struct lb_bits, dirty_link);
			r = b->region;
			lb_list_del(&b->dirty_link);
			lb_list_add_tail(&b->dirty_link, &s->dirty_done);
		}
		port_spin_unlock(&s->lock, flags);
		if (r == LB_NONE)
			break;
		err = lb_table_touch(s, r);
	}
	return err;
}

static void image_write_bitmaps(struct lb_space *s, u64 gen, struct port_batch *batch)
{
	struct lb_bits *b;

	lb_list_for_each_entry(b, &s->dirty_done, dirty_link) {
		u64 addr = LB_BITMAP_BLOCK(b->region, lb_region_new_slot(lb_region_get(s, b->region)));

		b->new_csum = lb_block_seal(b->image, LB_MAGIC_BITMAP, addr, gen, 0);
		port_batch_write(batch, addr, b->image);
		port_cond_resched();
	}
}

int lb_space_commit_write(struct lb_space *s, u64 gen, struct port_batch *batch, struct lb_space_root *root)
{
	int err, werr;

	err = image_settle(s);
	if (!err) {
		s->gen = gen;
		image_write_bitmaps(s, gen, batch);
		err = lb_table_write(s, gen, batch);
	}
	werr = port_batch_wait(batch);	/* also after an error: the images are being written */
	if (!err)
		err = werr;
	if (err)
		return err;
	root->root = lb_table_root(s);
	root->depth = s->next_depth;
	root->total_blocks = s->next_total;
	WRITE_ONCE(s->written, true);
	return 0;
}

/* ------------------------------------------------------------------ the end of a commit */

static void fresh_forget(struct lb_bits *b, void **block)
{
	*block = b->fresh;
	b->fresh = NULL;
	lb_list_del(&b->fresh_link);
}

static void image_region_done(struct lb_space *s, struct lb_bits *b)
{
	struct lb_region *reg = lb_region_get(s, b->region);
	unsigned long flags;
	void *saved;

	flags = port_spin_lock(&s->lock);
	reg->slot = lb_region_new_slot(reg);
	reg->gen = s->gen;
	reg->csum = b->new_csum;
	saved = b->saved;
	b->saved = NULL;
	lb_list_del(&b->dirty_link);
	port_spin_unlock(&s->lock, flags);
	port_free_block(saved);
}

struct lb_freed *lb_space_commit_done(struct lb_space *s)
{
	struct lb_freed *f = s->freed;
	unsigned long flags;
	void *block;

	while (!lb_list_empty(&s->dirty_done))
		image_region_done(s, lb_list_first_entry(&s->dirty_done, struct lb_bits, dirty_link));
	flags = port_spin_lock(&s->lock);
	s->committing = false;
	WRITE_ONCE(s->written, false);
	while (!lb_list_empty(&s->fresh)) {
		fresh_forget(lb_list_first_entry(&s->fresh, struct lb_bits, fresh_link), &block);
		port_spin_unlock(&s->lock, flags);
		port_free_block(block);
		flags = port_spin_lock(&s->lock);
	}
	port_spin_unlock(&s->lock, flags);
	lb_table_done(s);
	lb_space_grow_done(s);
	s->freed = NULL;
	return f;
}

static void image_region_undo(struct lb_space *s, struct lb_bits *b)
{
	struct lb_bitmap_block *changed;
	unsigned long flags;

	flags = port_spin_lock(&s->lock);
	changed = b->image;
	b->image = b->saved;
	b->saved = NULL;
	lb_bits_recount(b);
	lb_list_del(&b->dirty_link);
	port_spin_unlock(&s->lock, flags);
	port_free_block(changed);
}

/* Metadata blocks of the aborted commit in one region: free. Lock held. */
static void fresh_give_back(struct lb_space *s, struct lb_bits *b)
{
	struct lb_region *reg = lb_region_get(s, b->region);
	unsigned int w;

	for (w = 0; w < LB_BITS_WORDS; w++) {
		u64 v = b->fresh[w];

		while (v) {	/* a run of them at a time */
			unsigned int start = port_ctz64(v), len = ~(v >> start) ? port_ctz64(~(v >> start)) : 64;

			lb_region_give(s, reg, w * 64 + start, len);
			v &= ~lb_word_mask(0, start, start + len);
		}
	}
}

void lb_space_commit_abort(struct lb_space *s, bool keep)
{
	struct lb_bits *b;
	unsigned long flags;
	void *block;

	while (!lb_list_empty(&s->dirty))
		image_region_undo(s, lb_list_first_entry(&s->dirty, struct lb_bits, dirty_link));
	while (!lb_list_empty(&s->dirty_done))
		image_region_undo(s, lb_list_first_entry(&s->dirty_done, struct lb_bits, dirty_link));
	flags = port_spin_lock(&s->lock);
	s->committing = false;
	WRITE_ONCE(s->written, false);
	while (!lb_list_empty(&s->fresh)) {
		b = lb_list_first_entry(&s->fresh, struct lb_bits, fresh_link);
		if (!keep)
			fresh_give_back(s, b);
		fresh_forget(b, &block);
		port_spin_unlock(&s->lock, flags);
		port_free_block(block);
		flags = port_spin_lock(&s->lock);
	}
	s->pending -= lb_freed_blocks(s->freed);
	port_spin_unlock(&s->lock, flags);
	lb_table_abort(s);
	lb_freed_free(s->freed);
	s->freed = NULL;
}
