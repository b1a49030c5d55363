// SPDX-License-Identifier: GPL-2.0
/* See spacelab.h. One thread. */
#include "spacelab.h"

#include <sys/mman.h>

/* ------------------------------------------------------------------ runs */

void runs_add(struct runs *r, u64 start, u64 len, bool meta)
{
	if (r->n == r->room) {
		r->room = r->room ? r->room * 2 : 64;
		r->v = realloc(r->v, r->room * sizeof(*r->v));
		assert_non_null(r->v);
	}
	r->v[r->n++] = (struct run){ start, len, meta };
	r->blocks += len;
}

struct run runs_take(struct runs *r, u64 i)
{
	struct run x = r->v[i];

	r->v[i] = r->v[--r->n];
	r->blocks -= x.len;
	return x;
}

void runs_copy(struct runs *to, const struct runs *from)
{
	u64 i;

	to->n = to->blocks = 0;
	for (i = 0; i < from->n; i++)
		runs_add(to, from->v[i].start, from->v[i].len, from->v[i].meta);
}

static void runs_free(struct runs *r)
{
	free(r->v);
	memset(r, 0, sizeof(*r));
}

/* ------------------------------------------------------------------ the model */

static void set(struct slab *l, u64 start, u64 len, u8 from, u8 to)
{
	u64 i;

	for (i = start; i < start + len; i++) {
		if (l->state[i] != from)
			fail_msg("block %llu is %u in the model, not %u, on its way to %u", i, l->state[i], from, to);
		l->state[i] = to;
	}
	if (from == B_FREE)
		l->nonfree += len;
	if (to == B_FREE)
		l->nonfree -= len;
}

static bool fixed(struct slab *l, u64 block)
{
	struct lb_fixed f = lb_fixed_of(l->sb);

	return lb_block_fixed(&f, block);
}

static u64 fixed_count(struct slab *l, u64 total)
{
	return 4 + le64_to_cpu(l->sb->journal_blocks) + 2 * lb_region_count(total);
}

/* A block or run that the space hands out must be free, not fixed, within the pool. */
static void got_run(struct slab *l, u64 start, u64 len, bool meta)
{
	u64 i;

	assert_true(len > 0 && start + len <= l->total);
	assert_true((start + len - 1) / LB_REGION_BLOCKS < lb_region_count(l->total));
	for (i = start; i < start + len; i++)
		assert_false(fixed(l, i));
	set(l, start, len, B_FREE, B_ALLOC);
	runs_add(&l->alloc, start, len, meta);
	if (l->committing && !meta)
		runs_add(&l->c_alloc, start, len, false);
}

/* ------------------------------------------------------------------ the independent reader */

struct walk {
	struct slab *l;
	struct lb_super *sb;
	u64 used;		/* bits set but for what is fixed or beyond the end */
	struct runs *table;
};

static void walk_bitmap(struct walk *w, u64 r, const struct lb_region_entry *e)
{
	struct lb_bitmap_block *b = port_alloc_block(PORT_WAIT);
	u64 total = le64_to_cpu(w->sb->total_blocks), addr = LB_BITMAP_BLOCK(r, e->slot);
	unsigned int i, clear = 0;
	const char *why;

	assert_true(e->slot <= 1);
	assert_ok(port_read(w->l->dev, addr, b));
	assert_ok(lb_block_verify(b, LB_MAGIC_BITMAP, addr, le64_to_cpu(e->gen), le32_to_cpu(e->csum), &why));
	for (i = 0; i < LB_REGION_BLOCKS; i++) {
		bool bit = b->bits[i / 8] & (1u << (i % 8));
		u64 block = r * LB_REGION_BLOCKS + i;

		clear += !bit;
		if (block >= total || fixed(w->l, block)) {
			assert_true(bit);
			continue;
		}
		if (!bit)
			continue;
		w->used++;
		/* Whose it is is checked by slab_verify(), once the table blocks are known. */
		w->l->state[block] |= 0x80;
	}
	assert_int_equal(clear, le16_to_cpu(e->free));
	port_free_block(b);
}

static void walk_table(struct walk *w, const struct lb_ref *ref, unsigned int d, u64 i)
{
	struct lb_table_block *t = port_alloc_block(PORT_WAIT), *t2 = port_alloc_block(PORT_WAIT);
	u64 regions = lb_region_count(le64_to_cpu(w->sb->total_blocks));
	unsigned int k;
	const char *why;

	assert_true(ref->addr && ref->addr2);
	assert_ok(port_read(w->l->dev, ref->addr, t));
	assert_ok(lb_block_verify(t, LB_MAGIC_TABLE, ref->addr, ref->gen, ref->csum, &why));
	assert_ok(port_read(w->l->dev, ref->addr2, t2));
	assert_ok(lb_block_verify(t2, LB_MAGIC_TABLE, ref->addr2, ref->gen, ref->csum, &why));
	t2->header.self = t->header.self;
	assert_memory_equal(t, t2, LB_BLOCK_BYTES);
	assert_int_equal(t->header.kind, d);
	assert_int_equal(le64_to_cpu(t->header.pad2), i);
	runs_add(w->table, ref->addr, 1, false);
	runs_add(w->table, ref->addr2, 1, false);
	for (k = 0; k < le16_to_cpu(t->header.count); k++) {
		struct lb_ref child;

		if (!d) {
			assert_true(i * LB_TABLE_ENTRIES + k < regions);
			if (t->entries[k].slot != LB_REGION_NO_SLOT)
				walk_bitmap(w, i * LB_TABLE_ENTRIES + k, &t->entries[k]);
			continue;
		}
		child = lb_ref_decode(&t->ptrs[k]);
		if (child.addr)
			walk_table(w, &child, d - 1, i * LB_TABLE_FANOUT + k);
	}
	port_free_block(t);
	port_free_block(t2);
}

/* Reads what sb says; table := its table blocks; marks every used block in the state with 0x80. */
static u64 walk(struct slab *l, struct lb_super *sb, struct runs *table)
{
	struct walk w = { .l = l, .sb = sb, .table = table };
	struct lb_ref root = lb_ref_decode(&sb->region_root);

	table->n = table->blocks = 0;
	assert_int_equal(le32_to_cpu(sb->region_depth), lb_table_depth(lb_region_count(le64_to_cpu(sb->total_blocks))));
	if (root.addr)
		walk_table(&w, &root, le32_to_cpu(sb->region_depth), 0);
	return w.used;
}

static void unmark(struct slab *l, const struct runs *r)
{
	u64 i, k;

	for (i = 0; i < r->n; i++)
		for (k = r->v[i].start; k < r->v[i].start + r->v[i].len; k++) {
			if (!(l->state[k] & 0x80))
				fail_msg("block %llu (%u in the model) is not in the bitmaps", k, l->state[k]);
			l->state[k] &= 0x7f;
		}
}

void slab_verify(struct slab *l)
{
	struct runs table = { 0 };
	u64 used = walk(l, l->sb, &table);

	/* used == reachable: as many bits, and each reachable block has one */
	assert_int_equal(used, l->durable_image.blocks + table.blocks);
	unmark(l, &l->durable_image);
	unmark(l, &table);
	runs_free(&table);
}

/* A disk after a power cut within a commit: it holds the last commit's image or this one's, whole. Returns whether it is this one's. */
bool slab_verify_cut(struct slab *l, struct port_dev *dev)
{
	struct lb_super *sb = port_alloc_block(PORT_WAIT);
	struct runs table = { 0 };
	struct port_dev *own = l->dev;
	const struct runs *want;
	struct lb_super_state st;
	struct lb_space *s;
	bool newer;
	u64 used;

	assert_ok(lb_super_read(dev, false, sb, &st));
	newer = le64_to_cpu(sb->header.gen) == l->writing_gen;
	assert_true(newer || le64_to_cpu(sb->header.gen) + 1 == l->writing_gen);
	want = newer ? &l->image : &l->durable_image;
	l->dev = dev;
	used = walk(l, sb, &table);
	assert_int_equal(used, want->blocks + table.blocks);
	unmark(l, want);
	unmark(l, &table);
	l->dev = own;
	assert_ok(lb_space_open(dev, sb, &s));
	lb_space_close(s);
	runs_free(&table);
	port_free_block(sb);
	return newer;
}

void slab_check(struct slab *l)
{
	u64 regions = lb_region_count(l->total), usable = min_t(u64, l->total, regions * LB_REGION_BLOCKS);
	struct lb_space_stat st;
	u64 pending = l->c_freed.blocks;
	unsigned int i;

	for (i = 0; i < l->nlists; i++)
		pending += l->lists[i].runs.blocks;
	lb_space_get_stat(l->space, &st);
	assert_int_equal(st.total, l->total);
	assert_int_equal(st.free, usable - fixed_count(l, l->total) - l->nonfree);
	assert_int_equal(st.free, lb_space_free_blocks(l->space));
	assert_int_equal(st.pending, pending);
	assert_int_equal(st.meta_used, fixed_count(l, l->total) + l->total - usable + l->table.blocks);
}

/* ------------------------------------------------------------------ life */

struct slab *slab_new(u64 total, u64 room, u64 seed)
{
	struct slab *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->d.state = seed;
	l->room = room;
	l->state = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(l->state != MAP_FAILED);
	l->dev = port_sim_new(room);
	l->batch = port_batch_alloc(l->dev);
	l->sb = test_super(total);
	l->total = l->next_total = total;
	l->sb->region_depth = cpu_to_le32(lb_table_depth(lb_region_count(total)));
	assert_ok(lb_super_write(l->dev, l->sb, 1));
	assert_ok(lb_space_open(l->dev, l->sb, &l->space));
	slab_check(l);
	return l;
}

void slab_free(struct slab *l)
{
	unsigned int i;

	for (i = 0; i < LISTS; i++)
		runs_free(&l->lists[i].runs);
	while (l->nlists)
		lb_freed_forget(l->space, l->lists[--l->nlists].f);
	runs_free(&l->alloc);
	runs_free(&l->image);
	runs_free(&l->table);
	runs_free(&l->durable_image);
	runs_free(&l->c_freed);
	runs_free(&l->c_alloc);
	runs_free(&l->c_image);
	port_batch_free(l->batch);
	lb_space_close(l->space);
	port_sim_free(l->dev);
	munmap(l->state, l->room);
	free(l->sb);
	free(l);
}

/* ------------------------------------------------------------------ live */

int slab_alloc(struct slab *l, u64 want, u64 hint, unsigned int flags)
{
	u64 at = 0, got = 0;
	int err = lb_space_alloc(l->space, want, hint, flags, &at, &got);

	if (err)
		return err;
	assert_true(got <= want);
	got_run(l, at, got, false);
	return 0;
}

/* Only a run that no commit could have used. */
void slab_unalloc(struct slab *l)
{
	struct run x;
	u64 i;

	if (!l->alloc.n || l->committing)
		return;
	i = dice_below(&l->d, l->alloc.n);
	x = runs_take(&l->alloc, i);
	set(l, x.start, x.len, B_ALLOC, B_FREE);
	lb_space_unalloc(l->space, x.start, x.len);
}

/* ------------------------------------------------------------------ commit */

void slab_begin(struct slab *l)
{
	lb_space_commit_begin(l->space);
	l->committing = true;
	runs_copy(&l->c_alloc, &l->alloc);
	runs_copy(&l->c_image, &l->image);
	l->c_freed.n = l->c_freed.blocks = 0;
}

int slab_meta(struct slab *l, bool pair)
{
	u64 a[2];
	int err = lb_space_alloc_meta(l->space, pair, &a[0], &a[1]), i;

	if (err)
		return err;
	assert_true(pair == (a[1] != 0));
	for (i = 0; i < 1 + pair; i++) {
		got_run(l, a[i], 1, true);
		runs_take(&l->alloc, l->alloc.n - 1);
		set(l, a[i], 1, B_ALLOC, B_IMAGE);
		runs_add(&l->image, a[i], 1, true);
		assert_ok(lb_space_use(l->space, a[i], 1));
	}
	return 0;
}

/* Part of a run, the rest stays. */
static struct run part(struct slab *l, struct runs *r)
{
	struct run x = runs_take(r, dice_below(&l->d, r->n));
	u64 cut = dice_below(&l->d, x.len), len;

	if (dice_below(&l->d, 2))
		return x;
	len = 1 + dice_below(&l->d, x.len - cut);
	if (cut)
		runs_add(r, x.start, cut, x.meta);
	if (cut + len < x.len)
		runs_add(r, x.start + cut + len, x.len - cut - len, x.meta);
	return (struct run){ x.start + cut, len, x.meta };
}

void slab_use(struct slab *l)
{
	struct run x;

	if (!l->alloc.n)
		return;
	x = part(l, &l->alloc);
	assert_ok(lb_space_use(l->space, x.start, x.len));
	set(l, x.start, x.len, B_ALLOC, B_IMAGE);
	runs_add(&l->image, x.start, x.len, x.meta);
	if (!dice_below(&l->d, 8))
		assert_int_equal(lb_space_use(l->space, x.start, x.len), -EUCLEAN);
}

void slab_release(struct slab *l)
{
	struct run x;

	if (!l->image.n)
		return;
	x = part(l, &l->image);
	assert_ok(lb_space_release(l->space, x.start, x.len));
	set(l, x.start, x.len, B_IMAGE, B_PENDING);
	runs_add(&l->c_freed, x.start, x.len, x.meta);
	if (!dice_below(&l->d, 8))
		assert_int_equal(lb_space_release(l->space, x.start, x.len), -EUCLEAN);
}

void slab_drop(struct slab *l)
{
	struct run x;

	if (!l->alloc.n)
		return;
	x = part(l, &l->alloc);
	assert_ok(lb_space_drop(l->space, x.start, x.len));
	set(l, x.start, x.len, B_ALLOC, B_PENDING);
	runs_add(&l->c_freed, x.start, x.len, x.meta);
}

static void paint(struct slab *l, const struct runs *r, u8 to)
{
	u64 i, k;

	for (i = 0; i < r->n; i++)
		for (k = r->v[i].start; k < r->v[i].start + r->v[i].len; k++) {
			l->nonfree += (to != B_FREE) - (l->state[k] != B_FREE);
			l->state[k] = to;
		}
}

void slab_abort(struct slab *l)
{
	lb_space_commit_abort(l->space, false);
	l->committing = false;
	l->aborts++;
	paint(l, &l->alloc, B_FREE);
	paint(l, &l->image, B_FREE);
	paint(l, &l->c_freed, B_FREE);
	runs_copy(&l->alloc, &l->c_alloc);
	runs_copy(&l->image, &l->c_image);
	paint(l, &l->alloc, B_ALLOC);
	paint(l, &l->image, B_IMAGE);
	l->c_freed.n = l->c_freed.blocks = 0;
	slab_check(l);
}

/* The commit is durable: what it has done to the table is read from the disk. */
static void commit_done(struct slab *l)
{
	struct pending_list *p = &l->lists[l->nlists++];
	struct runs old = { 0 }, table = { 0 };
	u64 i;

	assert_true(l->nlists <= LISTS);
	p->f = lb_space_commit_done(l->space);
	l->committing = false;
	l->commits++;
	l->total = le64_to_cpu(l->sb->total_blocks);
	for (i = 0; i < l->image.n; i++)
		l->image.v[i].meta = false;
	runs_copy(&l->durable_image, &l->image);
	runs_copy(&old, &l->table);
	walk(l, l->sb, &table);
	unmark(l, &l->durable_image);
	unmark(l, &table);
	/* The old table blocks that are not in the new one are freed, the new ones came from free blocks. */
	for (i = 0; i < old.n; i++)
		set(l, old.v[i].start, 1, B_TABLE, B_FREE);
	for (i = 0; i < table.n; i++)
		set(l, table.v[i].start, 1, B_FREE, B_TABLE);
	for (i = 0; i < old.n; i++)
		if (l->state[old.v[i].start] == B_FREE) {
			set(l, old.v[i].start, 1, B_FREE, B_PENDING);
			runs_add(&l->c_freed, old.v[i].start, 1, false);
		}
	runs_copy(&p->runs, &l->c_freed);
	l->c_freed.n = l->c_freed.blocks = 0;
	runs_copy(&l->table, &table);
	assert_int_equal(lb_freed_blocks(p->f), p->runs.blocks);
	runs_free(&old);
	runs_free(&table);
	slab_check(l);
}

int slab_commit(struct slab *l)
{
	u64 gen = le64_to_cpu(l->sb->header.gen) + 1, worst = lb_space_table_worst(l->space);
	struct lb_space_stat before, after;
	struct lb_space_root root;
	struct lb_super next;
	int err;

	l->writing_gen = gen;
	lb_space_get_stat(l->space, &before);
	err = lb_space_commit_write(l->space, gen, l->batch, &root);
	if (err) {
		slab_abort(l);
		return err;
	}
	lb_space_get_stat(l->space, &after);
	assert_true(before.free - after.free <= worst);
	memcpy(&next, l->sb, sizeof(next));
	next.region_root = lb_ref_encode(&root.root);
	next.region_depth = cpu_to_le32(root.depth);
	next.total_blocks = cpu_to_le64(root.total_blocks);
	memcpy(l->sb, &next, sizeof(next));
	assert_ok(lb_super_write(l->dev, l->sb, gen));
	commit_done(l);
	return 0;
}

void slab_reclaim(struct slab *l, unsigned int i)
{
	struct pending_list *p = &l->lists[i];
	u64 k;

	for (k = 0; k < p->runs.n; k++)
		set(l, p->runs.v[k].start, p->runs.v[k].len, B_PENDING, B_FREE);
	lb_space_reclaim(l->space, p->f);
	runs_free(&p->runs);
	*p = l->lists[--l->nlists];
	memset(&l->lists[l->nlists], 0, sizeof(*p));
	slab_check(l);
}

void slab_grow(struct slab *l, u64 total)
{
	assert_true(total <= l->room);
	if (total < l->next_total) {
		assert_int_equal(lb_space_grow(l->space, total), -EINVAL);
		return;
	}
	assert_ok(lb_space_grow(l->space, total));
	l->next_total = total;
}

void slab_crash(struct slab *l)
{
	struct port_dev *after = port_sim_crash_random(l->dev, dice_next(&l->d));
	struct lb_super *sb = port_alloc_block(PORT_WAIT);
	struct lb_super_state st;
	unsigned int i;

	for (i = 0; i < l->nlists; i++) {
		paint(l, &l->lists[i].runs, B_FREE);
		runs_free(&l->lists[i].runs);
		lb_freed_forget(l->space, l->lists[i].f);
	}
	l->nlists = 0;
	paint(l, &l->c_freed, B_FREE);
	paint(l, &l->alloc, B_FREE);
	paint(l, &l->image, B_FREE);
	l->alloc.n = l->alloc.blocks = l->c_freed.n = l->c_freed.blocks = 0;
	runs_copy(&l->image, &l->durable_image);
	paint(l, &l->image, B_IMAGE);
	lb_space_close(l->space);
	port_batch_free(l->batch);
	port_sim_free(l->dev);
	l->dev = after;
	l->batch = port_batch_alloc(after);
	l->committing = false;
	l->next_total = l->total;
	l->crashes++;
	assert_ok(lb_super_read(after, false, sb, &st));
	assert_int_equal(le64_to_cpu(sb->header.gen), le64_to_cpu(l->sb->header.gen));
	assert_memory_equal(&sb->region_root, &l->sb->region_root, sizeof(sb->region_root));
	port_free_block(sb);
	assert_ok(lb_space_open(after, l->sb, &l->space));
	slab_check(l);
	slab_verify(l);
}
