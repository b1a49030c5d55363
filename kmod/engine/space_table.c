// SPDX-License-Identifier: GPL-2.0
/*
 * The region table: read whole when the pool opens, rewritten along the paths that a commit changes.
 *
 * In memory a table block is its reference alone; its content is that of the regions (depth 0) or of the references below. Each block has two copies in blocks
 * from lb_space_alloc_meta(). A changed block gets new blocks (relocated) and its old ones are released, so that the durable table stays whole until the
 * superblock names the new root. An absent block stands for regions none of which has a bitmap.
 *
 * The committing thread's alone, but for the region entries, which are read under the lock.
 */
#include "space_priv.h"

#define TABLE_BUFS	64u	/* blocks written at a time */

static struct lb_tblock *tblock(struct lb_space *s, unsigned int d, u64 i)
{
	return &s->table[d][i];
}

static u64 tblock_children(unsigned int d)
{
	return d ? LB_TABLE_FANOUT : LB_TABLE_ENTRIES;
}

/* How many children block (d, i) has when there are `regions` regions. */
static unsigned int tblock_used(u64 regions, unsigned int d, u64 i)
{
	u64 below = d ? lb_table_count(regions, d - 1) : regions;

	return (unsigned int)min_t(u64, below - i * tblock_children(d), tblock_children(d));
}

int lb_table_make_room(struct lb_space *s, u64 regions)
{
	unsigned int d, depth = lb_table_depth(regions);

	for (d = 0; d <= depth; d++) {
		u64 n = lb_table_count(regions, d);
		struct lb_tblock *t;

		if (n <= s->table_room[d])
			continue;
		t = port_alloc(n * sizeof(*t), PORT_WAIT);
		if (!t)
			return -ENOMEM;
		if (s->table[d])
			memcpy(t, s->table[d], s->table_room[d] * sizeof(*t));
		port_free(s->table[d]);
		s->table[d] = t;
		s->table_room[d] = n;
	}
	return 0;
}

void lb_table_free(struct lb_space *s)
{
	unsigned int d;

	for (d = 0; d <= LB_TABLE_MAX_DEPTH; d++)
		port_free(s->table[d]);
}

/* ------------------------------------------------------------------ reading */

static int table_verify(const struct lb_table_block *t, const struct lb_ref *ref, u64 self, unsigned int d, u64 i, const char **why)
{
	int err;

	err = lb_block_verify(t, LB_MAGIC_TABLE, self, ref->gen, ref->csum, why);
	if (err)
		return err;
	if (t->header.kind != d || le64_to_cpu(t->header.pad2) != i || le16_to_cpu(t->header.count) > tblock_children(d)) {
		*why = "its place in the table";
		return -EUCLEAN;
	}
	return 0;
}

static int table_read_copy(struct lb_space *s, const struct lb_ref *ref, u64 self, unsigned int d, u64 i, struct lb_table_block *t)
{
	const char *why = "read error";
	int err;

	err = port_read(s->dev, self, t);
	if (!err)
		err = table_verify(t, ref, self, d, i, &why);
	else if (err != -ENOMEM)
		err = -EIO;
	if (err)
		port_log(PORT_LOG_ERR, "region table block %llu is bad: %s", self, why);
	return err;
}

static bool table_ref_ok(struct lb_space *s, const struct lb_ref *ref, unsigned int d, u64 gen)
{
	unsigned int start;
	u64 r;

	return ref->level == d && ref->gen <= gen && ref->addr != ref->addr2 && !lb_region_locate(s, ref->addr, 1, &r, &start) &&
	       !lb_region_locate(s, ref->addr2, 1, &r, &start);
}

static int table_load_entry(struct lb_space *s, u64 r, const struct lb_region_entry *e, u64 gen)
{
	struct lb_region *reg = lb_region_get(s, r);

	if (e->slot == LB_REGION_NO_SLOT)
		return 0;	/* as initialised */
	if (e->slot > 1 || e->kind > LB_REGION_KIND_META || le64_to_cpu(e->gen) > gen || le16_to_cpu(e->free) > reg->free)
		return -EUCLEAN;
	reg->slot = e->slot;
	reg->kind = e->kind;
	reg->gen = le64_to_cpu(e->gen);
	reg->csum = le32_to_cpu(e->csum);
	reg->free = le16_to_cpu(e->free);
	return 0;
}

static int table_load(struct lb_space *s, const struct lb_ref *ref, unsigned int d, u64 i, u64 gen);

static int table_load_children(struct lb_space *s, const struct lb_table_block *t, unsigned int d, u64 i, u64 gen)
{
	unsigned int k, n = le16_to_cpu(t->header.count);
	int err = n > tblock_used(s->regions, d, i) ? -EUCLEAN : 0;

	for (k = 0; k < n && !err; k++) {
		u64 child = i * tblock_children(d) + k;
		struct lb_ref ref;

		if (!d) {
			err = table_load_entry(s, child, &t->entries[k], gen);
			continue;
		}
		ref = lb_ref_decode(&t->ptrs[k]);
		if (ref.addr)
			err = table_load(s, &ref, d - 1, child, gen);
	}
	return err;
}

static int table_load(struct lb_space *s, const struct lb_ref *ref, unsigned int d, u64 i, u64 gen)
{
	struct lb_table_block *t;
	int err;

	if (!table_ref_ok(s, ref, d, gen))
		return -EUCLEAN;
	t = port_alloc_block(PORT_WAIT);
	if (!t)
		return -ENOMEM;
	err = table_read_copy(s, ref, ref->addr, d, i, t);
	if (err && !table_read_copy(s, ref, ref->addr2, d, i, t))
		err = 0;
	if (!err) {
		tblock(s, d, i)->ref = *ref;
		s->table_blocks += 2;
		err = table_load_children(s, t, d, i, gen);
	}
	port_free_block(t);
	return err;
}

int lb_table_open(struct lb_space *s, const struct lb_ref *root, u64 gen)
{
	int err;

	err = lb_table_make_room(s, s->regions);
	if (!err && root->addr)
		err = table_load(s, root, s->depth, 0, gen);
	s->table_blocks_durable = s->table_blocks;
	return err;
}

/* ------------------------------------------------------------------ relocation */

static int table_use_pair(struct lb_space *s, struct lb_ref *ref)
{
	int err;

	err = lb_space_alloc_meta(s, true, &ref->addr, &ref->addr2);
	if (!err)
		err = lb_space_use(s, ref->addr, 1);
	if (!err)
		err = lb_space_use(s, ref->addr2, 1);
	return err;	/* on error the commit is aborted, which frees both */
}

static int table_relocate(struct lb_space *s, unsigned int d, u64 i)
{
	struct lb_tblock *t = tblock(s, d, i);
	int err;

	t->dirty = true;
	memset(&t->staged, 0, sizeof(t->staged));
	t->staged.level = (u8)d;
	err = table_use_pair(s, &t->staged);
	if (err)
		return err;
	WRITE_ONCE(s->table_blocks, s->table_blocks + 2);
	if (!t->ref.addr)
		return 0;
	WRITE_ONCE(s->table_blocks, s->table_blocks - 2);
	err = lb_space_release(s, t->ref.addr, 1);
	if (!err)
		err = lb_space_release(s, t->ref.addr2, 1);
	return err;
}

int lb_table_touch(struct lb_space *s, u64 r)
{
	u64 i = r / LB_TABLE_ENTRIES;
	unsigned int d;
	int err;

	for (d = 0; d <= s->next_depth; d++, i /= LB_TABLE_FANOUT) {
		if (tblock(s, d, i)->dirty)
			return 0;	/* then all above is */
		err = table_relocate(s, d, i);
		if (err)
			return err;
	}
	return 0;
}

int lb_table_deepen(struct lb_space *s)
{
	unsigned int d;
	int err = 0;

	if (!tblock(s, s->depth, 0)->ref.addr)
		return 0;
	for (d = s->depth + 1; d <= s->next_depth && !err; d++)
		err = table_relocate(s, d, 0);
	return err;
}

/* ------------------------------------------------------------------ writing */

static void table_fill_entry(struct lb_space *s, u64 r, struct lb_region_entry *e)
{
	const struct lb_region *reg = lb_region_get(s, r);
	const struct lb_bits *b = reg->bits;
	bool changed = b && b->saved;
	unsigned int free = b ? b->image_free : reg->free;

	e->slot = changed ? lb_region_new_slot(reg) : reg->slot;
	if (e->slot == LB_REGION_NO_SLOT)
		return;		/* the rest is zero */
	e->gen = cpu_to_le64(changed ? s->gen : reg->gen);
	e->csum = cpu_to_le32(changed ? b->new_csum : reg->csum);
	e->free = cpu_to_le16((u16)free);
	/* Empty: for whoever wants it. */
	e->kind = free == lb_region_virgin_free(&s->fixed, s->next_total, r) ? LB_REGION_KIND_NONE : reg->kind;
}

static void table_fill(struct lb_space *s, unsigned int d, u64 i, struct lb_table_block *t)
{
	unsigned int k, n = tblock_used(s->next_regions, d, i);
	unsigned long flags;

	memset(t, 0, sizeof(*t));
	t->header.kind = (u8)d;
	t->header.count = cpu_to_le16((u16)n);
	t->header.pad2 = cpu_to_le64(i);
	if (!d) {
		flags = port_spin_lock(&s->lock);
		for (k = 0; k < n; k++)
			table_fill_entry(s, i * LB_TABLE_ENTRIES + k, &t->entries[k]);
		port_spin_unlock(&s->lock, flags);
		return;
	}
	for (k = 0; k < n; k++) {
		const struct lb_tblock *child = tblock(s, d - 1, i * LB_TABLE_FANOUT + k);
		const struct lb_ref *ref = child->dirty ? &child->staged : &child->ref;

		if (ref->addr)
			t->ptrs[k] = lb_ref_encode(ref);
	}
}

struct table_writer {
	struct port_batch *batch;
	void *bufs[TABLE_BUFS];
	unsigned int n;
};

static int table_writer_drain(struct table_writer *w)
{
	int err = port_batch_wait(w->batch);

	while (w->n)
		port_free_block(w->bufs[--w->n]);
	return err;
}

static int table_write_block(struct lb_space *s, struct table_writer *w, unsigned int d, u64 i, u64 gen)
{
	struct lb_tblock *t = tblock(s, d, i);
	struct lb_table_block *first, *second;

	first = port_alloc_block(PORT_WAIT);
	second = port_alloc_block(PORT_WAIT);
	if (!first || !second) {
		port_free_block(first);
		port_free_block(second);
		return -ENOMEM;
	}
	table_fill(s, d, i, first);
	t->staged.gen = gen;
	t->staged.csum = lb_block_seal(first, LB_MAGIC_TABLE, t->staged.addr, gen, 0);
	memcpy(second, first, sizeof(*second));
	second->header.self = cpu_to_le64(t->staged.addr2);
	port_batch_write(w->batch, t->staged.addr, first);
	port_batch_write(w->batch, t->staged.addr2, second);
	w->bufs[w->n++] = first;
	w->bufs[w->n++] = second;
	return w->n == TABLE_BUFS ? table_writer_drain(w) : 0;
}

int lb_table_write(struct lb_space *s, u64 gen, struct port_batch *batch)
{
	struct table_writer w = { .batch = batch };
	int err = 0, werr;
	unsigned int d;
	u64 i, n;

	for (d = 0; d <= s->next_depth; d++) {
		n = lb_table_count(s->next_regions, d);
		for (i = 0; i < n && !err; i++)
			if (tblock(s, d, i)->dirty)
				err = table_write_block(s, &w, d, i, gen);
	}
	werr = table_writer_drain(&w);
	return err ? err : werr;
}

struct lb_ref lb_table_root(struct lb_space *s)
{
	const struct lb_tblock *t = tblock(s, s->next_depth, 0);

	return t->dirty ? t->staged : t->ref;
}

/* After a commit, durable or not. */
static void table_settle(struct lb_space *s, bool durable)
{
	unsigned int d;
	u64 i;

	for (d = 0; d <= s->next_depth; d++) {
		for (i = 0; i < s->table_room[d]; i++) {
			struct lb_tblock *t = tblock(s, d, i);

			if (t->dirty && durable)
				t->ref = t->staged;
			t->dirty = false;
		}
	}
}

void lb_table_done(struct lb_space *s)
{
	table_settle(s, true);
	s->depth = s->next_depth;
	s->table_blocks_durable = s->table_blocks;
}

void lb_table_abort(struct lb_space *s)
{
	table_settle(s, false);
	WRITE_ONCE(s->table_blocks, s->table_blocks_durable);
}

u64 lb_space_table_worst(struct lb_space *s)
{
	unsigned int d;
	u64 n = 0;

	for (d = 0; d <= s->next_depth; d++)
		n += 2 * lb_table_count(s->next_regions, d);
	return n;
}

/* ------------------------------------------------------------------ scrub */

int lb_space_scrub_table(struct lb_space *s, unsigned int *bad)
{
	struct lb_table_block *buf = port_alloc_block(PORT_WAIT);
	unsigned int d;
	u64 i;

	if (!buf)
		return -ENOMEM;
	for (d = 0; d <= s->depth; d++) {
		for (i = 0; i < s->table_room[d]; i++) {
			const struct lb_ref *ref = &tblock(s, d, i)->ref;

			if (!ref->addr)
				continue;
			*bad += table_read_copy(s, ref, ref->addr, d, i, buf) != 0;
			*bad += table_read_copy(s, ref, ref->addr2, d, i, buf) != 0;
			port_cond_resched();
		}
	}
	port_free_block(buf);
	return 0;
}

int lb_space_scrub_region(struct lb_space *s, u64 r, unsigned int *bad)
{
	struct lb_bitmap_block *buf;
	struct lb_region seen;
	unsigned long flags;
	const char *why;
	int err;

	if (r >= s->regions)
		return -EINVAL;
	flags = port_spin_lock(&s->lock);
	seen = *lb_region_get(s, r);
	port_spin_unlock(&s->lock, flags);
	if (seen.slot == LB_REGION_NO_SLOT)
		return 0;
	buf = port_alloc_block(PORT_WAIT);
	if (!buf)
		return -ENOMEM;
	err = lb_region_read(s, r, &seen, buf, &why);
	port_free_block(buf);
	if (err == -ENOMEM)
		return err;
	if (err)
		port_log(PORT_LOG_ERR, "bitmap of region %llu is bad: %s", r, why);
	*bad += err != 0;
	return 0;
}
