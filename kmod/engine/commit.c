// SPDX-License-Identifier: GPL-2.0
/*
 * Commit: turns a sealed generation into trees on disk and publishes it.
 *
 *   seal      under catalog.mutex: both kinds of memtables change hands; writers go on in fresh ones at once
 *   merge     one bulk pass for each sealed volume, then what the request at the seal adds, a step of maintenance, the catalog
 *   write     nodes, bitmaps and region table to free places; then the superblock with PREFLUSH and FUA
 *   publish   volumes get their new roots, the sealed memtables go, the journal's tail moves to the mark of the seal; what was freed is queued for
 *             reclaim, which waits for all readers of the old view
 *
 * Until the superblock is durable nothing that the old one reaches has been touched, so a crash at any point leaves the old generation and
 * the journal, which holds everything that was acknowledged. A commit that fails turns the pool read-only: memory and disk then differ, and
 * only opening it again brings them together. One that merely finds no memory is not given up so soon: what it has merged is undone, which takes
 * no memory, and the sealed tables are merged again a little later, some COMMIT_TRIES times. So nothing between seal and publication may change
 * what a second merge would begin with.
 *
 * Runs under commit_mutex. Never waits for data I/O, except for the drain of a volume that a request holds at the seal.
 */
#include "pool_priv.h"

#define COMMIT_TRIES	50u

struct commit {
	struct lb_pool *p;
	struct lb_cut *cut;
	u64 gen;
	struct port_batch *batch;
	struct lb_tree_writer w;
	bool w_ready;
	s64 data_delta;
	struct lb_merge_result catalog;
	struct lb_space_root space_root;
	struct lb_super *sb;
	bool super_tried;
	struct lb_reclaim *reclaim;	/* there from before the seal, until it is queued */
};

/* ------------------------------------------------------------------ seal */

static void seal_volumes(struct lb_pool *p)
{
	struct lb_vol *v, *next;
	unsigned long flags = port_spin_lock(&p->lock);

	lb_list_for_each_entry_safe(v, next, &p->dirty, dirty_link) {
		lb_list_del(&v->dirty_link);
		WRITE_ONCE(v->on_dirty, false);
		/*
		 * Here since between the two loops of the last seal, with an entry that went with that one: nothing has come
		 * since. What comes now belongs to the next generation, and notes the volume again.
		 */
		if (!lb_vol_active(v)->gen && !v->n_below)
			continue;
		v->on_sealed = true;
		lb_list_add_tail(&v->seal_link, &p->sealed);
	}
	lb_journal_get_mark(p, &p->seal_mark);
	p->active_gen++;
	WRITE_ONCE(p->commit_wanted, false);
	port_spin_unlock(&p->lock, flags);
	/* An entry that comes in between these two loops still goes to the generation being sealed: its memtable has that number. */
	lb_list_for_each_entry(v, &p->sealed, seal_link) {
		flags = lb_view_lock(v);
		WRITE_ONCE(v->active, v->active ^ 1);
		v->sealed_owner = v->owner;
		lb_view_unlock(v, flags);
	}
}

static int seal(struct commit *c)
{
	struct lb_pool *p = c->p;
	struct lb_kvtable *fresh = lb_kvtable_alloc();
	struct lb_kvlist l;
	int err = 0;

	if (!fresh)
		return -ENOMEM;
	lb_kvlist_init(&l);
	port_mutex_lock(&p->catalog.mutex);
	if (c->cut && c->cut->prepare)
		err = c->cut->prepare(p, c->cut, &l);
	if (!err)
		err = lb_kvtable_apply(p->catalog.active, &l);
	if (!err) {
		if (c->cut && c->cut->apply)
			c->cut->apply(p, c->cut);
		c->gen = p->active_gen;
		p->catalog.sealed = p->catalog.active;
		p->catalog.active = fresh;
		p->catalog.sealed_charge = p->catalog.charge;
		p->catalog.charge = 0;
		WRITE_ONCE(p->catalog.items, 0);
		fresh = NULL;
		p->cut_pending = l.count != 0;
		seal_volumes(p);
		if (c->cut && c->cut->sealed)
			c->cut->sealed(p, c->cut);
	}
	port_mutex_unlock(&p->catalog.mutex);
	lb_kvlist_free(&l);
	lb_kvtable_free(fresh);
	return err;
}

/* Until lb_hold_end() it stays open, or is not opened. */
struct lb_vol *lb_hold_begin(struct lb_pool *p, u64 id)
{
	struct lb_vol *v;

	port_mutex_lock(&p->catalog.mutex);
	v = lb_vol_lookup(p, id);
	if (v && v->open)
		WRITE_ONCE(v->held, true);
	else
		v = NULL;
	p->cut_held = id;
	port_mutex_unlock(&p->catalog.mutex);
	if (v && v->vol_host && p->ops->vol_hold)
		p->ops->vol_hold(p->host, v->vol_host);
	return v;
}

void lb_hold_end(struct lb_pool *p, struct lb_vol *v)
{
	if (v->vol_host && p->ops->vol_resume)
		p->ops->vol_resume(p->host, v->vol_host);
	/* Within the mutex: who closes it takes that before it frees it. */
	port_mutex_lock(&p->catalog.mutex);
	WRITE_ONCE(v->held, false);
	port_wake_all(&v->wait);
	port_mutex_unlock(&p->catalog.mutex);
}

void lb_cut_forget(struct lb_pool *p)
{
	port_mutex_assert_held(&p->catalog.mutex);
	p->cut_held = 0;
	p->cut_pending = false;
}

/* Seal, with the I/O of the cut's volume held around it. */
static int seal_held(struct commit *c)
{
	struct lb_pool *p = c->p;
	struct lb_vol *v = c->cut && c->cut->hold ? lb_hold_begin(p, c->cut->hold) : NULL;
	int err = seal(c);

	if (v)
		lb_hold_end(p, v);
	if (err) {
		port_mutex_lock(&p->catalog.mutex);
		lb_cut_forget(p);
		port_mutex_unlock(&p->catalog.mutex);
	}
	return err;
}

/* ------------------------------------------------------------------ merge */

static bool next_change(void *arg, struct lb_map_change *ch)
{
	struct lb_mem_node **at = arg;
	struct lb_mem_node *n = *at;

	if (!n)
		return false;
	ch->lblk = n->lblk;
	ch->count = n->count;
	ch->pblk = n->pblk;
	*at = n->next[0];
	return true;
}

int lb_sealed_apply(struct lb_pool *p, struct lb_kvlist *l)
{
	int err;

	port_mutex_assert_held(&p->catalog.mutex);
	err = lb_kvtable_apply_undoable(p->catalog.sealed, l, &p->catalog.undo);
	lb_kvlist_free(l);
	return err;
}

static int put_merged(struct lb_pool *p, const struct lb_vol *v)
{
	struct lb_map_record map;
	struct lb_kvlist l;
	int err;

	lb_kvlist_init(&l);
	port_mutex_lock(&p->catalog.mutex);
	err = lb_cat_map(p, LB_CAT_SEALED, v->id, &map);
	if (!err) {
		map.root = lb_ref_encode(&v->new_root);
		map.nodes = cpu_to_le64(v->new_nodes);
		map.owned = cpu_to_le64((u64)v->new_owned);
		err = lb_put_map(&l, v->id, &map);
	}
	if (!err)
		err = lb_sealed_apply(p, &l);
	port_mutex_unlock(&p->catalog.mutex);
	lb_kvlist_free(&l);
	return err;
}

/* What is born is born in the memtable's generation, which tells a snapshot's blocks from those of the volume that it was cut off. */
static int merge_entries(struct commit *c, struct lb_vol *v, const struct lb_memtable *mt)
{
	struct lb_mem_node *at = lb_mem_first(mt);
	struct lb_map_source src = { .next = next_change, .arg = &at };
	struct lb_ref base = v->new_root;
	struct lb_merge_result res;
	int err;

	c->w.gen = mt->gen;
	err = lb_map_merge(&c->w, &v->sealed_owner, &base, &src, &res);
	c->w.gen = c->gen;
	if (err)
		return err;
	v->new_root = res.root;
	v->new_nodes += (u64)res.nodes;
	v->new_owned = v->owned + res.owned;
	c->data_delta += res.data;
	return 0;
}

static int merge_volume(struct commit *c, struct lb_vol *v)
{
	const struct lb_vol *below = v->n_below ? v->below[0] : NULL;
	struct lb_memtable *mt = lb_vol_sealed(v);
	struct lb_mem_node *n;
	int err;

	v->merged = true;
	v->new_root = below ? below->new_root : v->root;
	v->new_nodes = below ? below->new_nodes : v->nodes;
	v->new_owned = v->owned;
	for (n = mt->dropped; n; n = n->next[0]) {
		err = lb_space_drop(c->p->space, n->pblk, n->count);
		if (err)
			return err;
	}
	if (!mt->entries && !below)
		return 0;
	if (mt->entries) {
		err = merge_entries(c, v, mt);
		if (err)
			return err;
	}
	return put_merged(c->p, v);
}

/* A volume's merge begins with what the merges below it have made. */
static int merge_volumes(struct commit *c)
{
	struct lb_pool *p = c->p;
	struct lb_vol *v;
	unsigned int i;
	int err = 0;

	lb_list_for_each_entry(v, &p->sealed, seal_link)
		v->merged = false;
	lb_list_for_each_entry(v, &p->sealed, seal_link) {
		for (i = v->n_below; i-- > 0 && !err; )
			if (!v->below[i]->merged)
				err = merge_volume(c, v->below[i]);
		if (!err && !v->merged)
			err = merge_volume(c, v);
		if (err)
			return err;
		port_cond_resched();
	}
	return 0;
}

static int merge_requests(struct commit *c)
{
	struct lb_pool *p = c->p;
	struct lb_kvlist l;
	int err = 0;

	lb_kvlist_init(&l);
	port_mutex_lock(&p->catalog.mutex);
	if (c->cut && c->cut->merged) {
		err = c->cut->merged(p, c->cut, &l);
		if (!err)
			err = lb_sealed_apply(p, &l);
	}
	if (!err)
		err = lb_maintain_step(p, &c->w, &c->data_delta);
	port_mutex_unlock(&p->catalog.mutex);
	lb_kvlist_free(&l);
	return err;
}

struct kv_cursor {
	const struct lb_kvtable *t;
	const struct lb_kv *at;
};

static bool next_kv(void *arg, struct lb_cat_change *ch)
{
	struct kv_cursor *cur = arg;

	cur->at = cur->at ? cur->at->next[0] : lb_kvtable_after(cur->t, NULL, 0);
	if (!cur->at)
		return false;
	ch->key = lb_kv_key(cur->at);
	ch->key_len = cur->at->key_len;
	ch->value = cur->at->delete ? NULL : lb_kv_value(cur->at);
	ch->value_len = cur->at->value_len;
	return true;
}

static int merge_catalog(struct commit *c)
{
	struct lb_pool *p = c->p;
	struct kv_cursor cur = { .t = p->catalog.sealed };
	struct lb_cat_source src = { .next = next_kv, .arg = &cur };

	if (!lb_kvtable_count(p->catalog.sealed)) {
		memset(&c->catalog, 0, sizeof(c->catalog));
		c->catalog.root = p->catalog.root;
		return 0;
	}
	return lb_cat_merge(&c->w, &p->catalog.root, &src, &c->catalog);
}

/* ------------------------------------------------------------------ write */

static void fill_super(struct commit *c)
{
	struct lb_pool *p = c->p;
	struct lb_super *sb = c->sb;
	struct lb_space_stat st;
	u64 data;

	memcpy(sb, p->sb, sizeof(*sb));
	lb_space_get_stat(p->space, &st);
	data = (u64)((s64)le64_to_cpu(p->sb->data_blocks) + c->data_delta);
	sb->header.gen = cpu_to_le64(c->gen);
	sb->total_blocks = cpu_to_le64(c->space_root.total_blocks);
	sb->journal_epoch = cpu_to_le64(p->journal.epoch);
	sb->journal_pos = cpu_to_le64(p->seal_mark.vpos % p->journal.blocks);
	sb->journal_seq = cpu_to_le64(p->seal_mark.seq);
	sb->journal_prev = cpu_to_le32(p->seal_mark.prev);
	sb->region_root = lb_ref_encode(&c->space_root.root);
	sb->region_depth = cpu_to_le32(c->space_root.depth);
	sb->catalog_root = lb_ref_encode(&c->catalog.root);
	sb->catalog_nodes = cpu_to_le64(p->catalog.nodes + (u64)c->catalog.nodes);
	sb->next_volume = cpu_to_le64(READ_ONCE(p->next_volume));	/* later ones are in the journal */
	sb->data_blocks = cpu_to_le64(data);
	sb->meta_blocks = cpu_to_le64(st.meta_used + (u64)((s64)p->node_blocks + c->w.meta_blocks));
}

static int merge_and_write(struct commit *c)
{
	struct lb_pool *p = c->p;
	int err;

	err = lb_tree_writer_init(&c->w, p->cache, p->space, c->batch, c->gen);
	if (err)
		return err;
	c->w_ready = true;
	lb_space_commit_begin(p->space);
	err = merge_volumes(c);
	if (!err)
		err = merge_requests(c);
	if (!err)
		err = merge_catalog(c);
	if (!err)
		err = lb_tree_writer_sync(&c->w);
	if (!err)
		err = lb_space_commit_write(p->space, c->gen, c->batch, &c->space_root);
	if (err)
		return err;
	fill_super(c);
	p->super_writes++;
	c->super_tried = true;
	return lb_super_write(p->dev, c->sb, c->gen);
}

/* ------------------------------------------------------------------ publish */

static void publish_volume(struct lb_pool *p, struct lb_vol *v, struct lb_mem_node **retired)
{
	struct lb_memtable old, *active;
	unsigned long flags = lb_view_lock(v);
	u64 worst;

	old = *lb_vol_sealed(v);
	lb_mem_init(lb_vol_sealed(v));
	v->root = v->new_root;
	v->nodes = v->new_nodes;
	v->owned = v->new_owned;
	active = lb_vol_active(v);
	worst = lb_vol_worst(v, active, active->entries);
	if (worst < active->charge) {
		lb_space_uncharge(p->space, active->charge - worst);
		active->charge = worst;
	}
	lb_view_unlock(v, flags);
	lb_space_uncharge(p->space, old.charge);
	port_atomic64_sub((s64)old.entries, &p->mem_entries);
	lb_mem_retire(&old, retired);
}

static void publish_volumes(struct lb_pool *p, struct lb_mem_node **retired)
{
	struct lb_vol *v, *next;
	unsigned long flags;

	/* First of all they let go of what is below them, whose tables go next: each has the new root by then. */
	lb_list_for_each_entry(v, &p->sealed, seal_link) {
		if (!v->n_below)
			continue;
		flags = lb_view_lock(v);
		v->root = v->new_root;
		v->nodes = v->new_nodes;
		lb_vol_let_go(v);
		lb_view_unlock(v, flags);
	}
	lb_list_for_each_entry_safe(v, next, &p->sealed, seal_link) {
		publish_volume(p, v, retired);
		flags = port_spin_lock(&p->lock);
		lb_list_del(&v->seal_link);
		v->on_sealed = false;
		port_spin_unlock(&p->lock, flags);
	}
}

/* The commit has freed those without anything left to write; journal batches are done with them when on_batch is clear. */
static void unload_idle(struct lb_pool *p)
{
	struct lb_vol *v, *next;
	unsigned int i;

	for (i = 0; i < LB_VOL_HASH; i++)
		lb_list_for_each_entry_safe(v, next, &p->vols[i], hash_link)
			if (!v->open)
				lb_vol_unload_idle(v);
}

static void publish(struct commit *c)
{
	struct lb_pool *p = c->p;
	unsigned long flags;

	port_mutex_lock(&p->catalog.mutex);
	p->catalog.root = c->catalog.root;
	p->catalog.nodes += (u64)c->catalog.nodes;
	lb_kvtable_keep(&p->catalog.undo);
	lb_kvtable_free(p->catalog.sealed);
	p->catalog.sealed = NULL;
	lb_space_uncharge(p->space, p->catalog.sealed_charge);
	p->catalog.sealed_charge = 0;
	publish_volumes(p, &c->reclaim->nodes);
	if (c->cut && c->cut->published)
		c->cut->published(p, c->cut);
	lb_maintain_publish(p);
	lb_cut_forget(p);
	unload_idle(p);
	memcpy(p->sb, c->sb, sizeof(*p->sb));
	flags = port_spin_lock(&p->lock);
	p->gen = c->gen;
	p->journal.tail = p->seal_mark;
	WRITE_ONCE(p->commits, p->commits + 1);
	p->last_commit_ns = port_now_ns();
	p->first_dirty_ns = p->last_commit_ns;
	port_spin_unlock(&p->lock, flags);
	lb_pool_set_reserve(p);
	port_mutex_unlock(&p->catalog.mutex);

	c->reclaim->freed = lb_space_commit_done(p->space);
	if (c->reclaim->freed || c->reclaim->nodes) {
		flags = port_spin_lock(&p->lock);
		lb_list_add_tail(&c->reclaim->link, &p->reclaims);
		port_spin_unlock(&p->lock, flags);
		c->reclaim = NULL;
		lb_pool_kick(p, LB_KICK_RECLAIM);
	}
}

/* ------------------------------------------------------------------ reclaim */

void lb_reclaim_all(struct lb_pool *p)
{
	struct lb_list mine;
	struct lb_reclaim *r, *next;
	unsigned long flags;

	port_mutex_lock(&p->reclaim_mutex);
	lb_list_init(&mine);
	flags = port_spin_lock(&p->lock);
	lb_list_splice_tail_init(&p->reclaims, &mine);
	port_spin_unlock(&p->lock, flags);
	if (!lb_list_empty(&mine))
		port_gate_sync(&p->gate);
	lb_list_for_each_entry_safe(r, next, &mine, link) {
		lb_list_del(&r->link);
		lb_mem_free_chain(r->nodes);
		lb_space_reclaim(p->space, r->freed);
		port_free(r);
	}
	port_mutex_unlock(&p->reclaim_mutex);
}

/* The standing reserve must be there before a commit: what the commits before freed is made usable first if it is needed. */
static void reclaim_if_tight(struct lb_pool *p)
{
	struct lb_space_stat st;

	lb_space_get_stat(p->space, &st);
	if (st.pending && st.free < st.charged + 2 * st.reserve)
		lb_reclaim_all(p);
}

/* ------------------------------------------------------------------ the whole */

/* Back to how things were at the seal. keep: a superblock that reaches what was merged may be on the disk. */
static void merge_undo(struct commit *c, bool keep)
{
	struct lb_pool *p = c->p;

	if (c->w_ready)
		lb_tree_writer_abort(&c->w);
	c->w_ready = false;
	lb_space_commit_abort(p->space, keep);
	port_mutex_lock(&p->catalog.mutex);
	lb_kvtable_undo(p->catalog.sealed, &p->catalog.undo);
	lb_maintain_undo(p);
	port_mutex_unlock(&p->catalog.mutex);
	c->data_delta = 0;
}

static int merge_and_write_patiently(struct commit *c)
{
	unsigned int tries = 0;
	int err = merge_and_write(c);

	while (err == -ENOMEM && !c->super_tried && ++tries < COMMIT_TRIES) {
		merge_undo(c, false);
		port_wait_memory();
		err = merge_and_write(c);
	}
	return err;
}

static int commit_sealed(struct commit *c)
{
	int err = merge_and_write_patiently(c);

	if (!err) {
		publish(c);
		WRITE_ONCE(c->p->meta_writes, c->p->meta_writes + c->w.nodes_written);
		c->p->node_blocks += (u64)c->w.meta_blocks;
		lb_tree_writer_done(&c->w);
		return 0;
	}
	/* First of all: whoever gets a block from here on finds that nothing may be written to it any more. */
	lb_pool_fail(c->p, err, "committing");
	/* One copy of the superblock may be durable though the other failed: then all that it reaches is in use. */
	merge_undo(c, c->super_tried);
	return err;
}

static int commit_locked(struct lb_pool *p, struct lb_cut *cut)
{
	struct commit c = { .p = p, .cut = cut };
	int err = lb_pool_check_writable(p);

	if (err)
		return err;
	reclaim_if_tight(p);
	c.batch = port_batch_alloc(p->dev);
	c.sb = port_alloc_block(PORT_WAIT);
	c.reclaim = port_alloc(sizeof(*c.reclaim), PORT_WAIT);
	if (!c.batch || !c.sb || !c.reclaim)
		err = -ENOMEM;
	if (!err)
		err = seal_held(&c);
	if (!err)
		err = commit_sealed(&c);
	port_free_block(c.sb);
	port_free(c.reclaim);
	if (c.batch)
		port_batch_free(c.batch);
	return err;
}

int lb_commit(struct lb_pool *p, struct lb_cut *cut)
{
	int err;

	port_mutex_lock(&p->commit_mutex);
	err = commit_locked(p, cut);
	port_mutex_unlock(&p->commit_mutex);
	return err;
}

int lb_commit_patient(struct lb_pool *p)
{
	unsigned int tries;
	int err = lb_commit(p, NULL);

	for (tries = 1; err == -ENOMEM && !READ_ONCE(p->failed) && tries < COMMIT_TRIES; tries++) {
		port_wait_memory();
		err = lb_commit(p, NULL);
	}
	return err;
}

void lb_commit_wait(struct lb_pool *p)
{
	port_mutex_lock(&p->commit_mutex);
	port_mutex_unlock(&p->commit_mutex);
}

/* A request at the seal that finds no space tries once more after what has been freed is usable. */
int lb_commit_cut(struct lb_pool *p, struct lb_cut *cut)
{
	int err = lb_commit(p, cut);

	if (err == -ENOSPC && !READ_ONCE(p->failed)) {
		lb_commit(p, NULL);
		lb_reclaim_all(p);
		err = lb_commit(p, cut);
	}
	return err;
}
