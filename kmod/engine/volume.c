// SPDX-License-Identifier: GPL-2.0
/*
 * Volumes in memory: the hash, loading from the catalog, the look-up that every I/O begins with, and the one way into a memtable.
 *
 * A volume is in memory while it is open or has something in a memtable. vol->lock and vol->seq make the two memtables, the committed root and the rule
 * of ownership one view. The generation of an active memtable is fixed under pool->lock when it gets its first entry, where the seal also
 * takes the dirty list and raises active_gen: so an entry is wholly of the sealed generation or of the next.
 */
#include "pool_priv.h"

static struct lb_list *vol_bucket(struct lb_pool *p, u64 id)
{
	return &p->vols[id % LB_VOL_HASH];
}

static struct lb_vol *vol_find(struct lb_pool *p, u64 id)
{
	struct lb_vol *v;

	lb_list_for_each_entry(v, vol_bucket(p, id), hash_link)
		if (v->id == id)
			return v;
	return NULL;
}

struct lb_vol *lb_vol_lookup(struct lb_pool *p, u64 id)
{
	unsigned long flags = port_spin_lock(&p->lock);
	struct lb_vol *v = vol_find(p, id);

	port_spin_unlock(&p->lock, flags);
	return v;
}

static struct lb_vol *vol_alloc(struct lb_pool *p, u64 id)
{
	struct lb_vol *v = port_alloc(sizeof(*v), PORT_WAIT);
	unsigned int i;

	if (!v)
		return NULL;
	v->pool = p;
	v->id = id;
	port_spin_init(&v->lock);
	port_seq_init(&v->seq);
	port_wait_init(&v->wait);
	lb_list_init(&v->hash_link);
	lb_list_init(&v->dirty_link);
	lb_list_init(&v->seal_link);
	lb_list_init(&v->want_link);
	lb_list_init(&v->batch_link);
	lb_list_init(&v->wide_locks);
	lb_mem_init(&v->mt[0]);
	lb_mem_init(&v->mt[1]);
	for (i = 0; i < LB_LOCK_BUCKETS; i++)
		lb_list_init(&v->locks[i]);
	return v;
}

static void vol_set(struct lb_vol *v, const struct lb_vol_full *rec, const struct lb_map_record *map)
{
	v->size_blocks = le64_to_cpu(rec->rec.size_blocks);
	v->quota = le64_to_cpu(rec->rec.quota_blocks);
	v->frozen = le64_to_cpu(rec->rec.frozen);
	v->deleted = le32_to_cpu(rec->rec.state) != LB_VOL_LIVE;
	v->root = lb_ref_decode(&map->root);
	v->nodes = le64_to_cpu(map->nodes);
	v->owned = (s64)le64_to_cpu(map->owned);
	v->owner.vol = v->id;
	v->owner.origin = le64_to_cpu(map->origin);
	v->owner.low_origin = le64_to_cpu(map->low_origin);
	v->owner.cursor = le64_to_cpu(map->cursor);
}

void lb_vol_drop_entries(struct lb_vol *v)
{
	struct lb_memtable *mt = lb_vol_active(v);

	port_assert_held(&v->lock);
	if (v->above)
		return;
	port_atomic64_sub((s64)mt->entries, &v->pool->mem_entries);
	lb_mem_drop_all(mt);
}

/* Take over what the catalog says now (replay). A deleted volume's entries are dropped. */
int lb_vol_refresh(struct lb_vol *v)
{
	struct lb_map_record map;
	struct lb_vol_full rec;
	unsigned long flags;
	int err = lb_cat_vol(v->pool, LB_CAT_ALL, v->id, &rec);

	if (!err)
		err = lb_cat_map(v->pool, LB_CAT_ALL, v->id, &map);
	if (err)
		return err;
	flags = lb_view_lock(v);
	vol_set(v, &rec, &map);
	if (v->deleted)
		lb_vol_drop_entries(v);
	lb_view_unlock(v, flags);
	return 0;
}

struct lb_vol *lb_vol_make(struct lb_pool *p, const struct lb_vol_full *rec, const struct lb_map_record *map)
{
	struct lb_vol *v = vol_alloc(p, le64_to_cpu(rec->rec.id));
	unsigned long flags;

	port_mutex_assert_held(&p->catalog.mutex);
	if (!v)
		return NULL;
	vol_set(v, rec, map);
	flags = port_spin_lock(&p->lock);
	lb_list_add(&v->hash_link, vol_bucket(p, v->id));
	port_spin_unlock(&p->lock, flags);
	return v;
}

struct lb_vol *lb_vol_load(struct lb_pool *p, u64 id, int *err)
{
	struct lb_vol *v = lb_vol_lookup(p, id);
	struct lb_map_record map;
	struct lb_vol_full rec;

	port_mutex_assert_held(&p->catalog.mutex);
	*err = 0;
	if (v)
		return v;
	*err = lb_cat_vol(p, LB_CAT_ALL, id, &rec);
	if (!*err)
		*err = lb_cat_map(p, LB_CAT_ALL, id, &map);
	if (*err)
		return NULL;
	v = lb_vol_make(p, &rec, &map);
	if (!v)
		*err = -ENOMEM;
	return v;
}

static void vol_free_rcu(port_rcu_t *rcu)
{
	port_free(lb_container_of(rcu, struct lb_vol, rcu));
}

static void vol_destroy(struct lb_vol *v)
{
	lb_list_del(&v->hash_link);
	lb_list_del(&v->dirty_link);
	lb_list_del(&v->seal_link);
	lb_list_del(&v->want_link);
	lb_list_del(&v->batch_link);
	lb_mem_clear(&v->mt[0]);
	lb_mem_clear(&v->mt[1]);
	port_rcu_call(&v->rcu, vol_free_rcu);
}

void lb_vol_unload_idle(struct lb_vol *v)
{
	struct lb_pool *p = v->pool;
	unsigned long flags = port_spin_lock(&p->lock);
	bool idle = !v->open && !v->n_below && !v->above && !v->on_dirty && !v->on_sealed && !v->on_want && !v->on_batch && lb_mem_empty(&v->mt[0]) && lb_mem_empty(&v->mt[1]);

	if (idle)
		lb_list_del(&v->hash_link);
	port_spin_unlock(&p->lock, flags);
	if (idle)
		vol_destroy(v);
}

void lb_vol_free_all(struct lb_pool *p)
{
	struct lb_vol *v, *next;
	unsigned int i;

	for (i = 0; i < LB_VOL_HASH; i++)
		lb_list_for_each_entry_safe(v, next, &p->vols[i], hash_link)
			vol_destroy(v);
}

/* ------------------------------------------------------------------ open and close */

/*
 * Is what the catalog says of the volume neither what was nor what will be, for the commit under way changes whose its
 * blocks are? One that is in memory is told when the commit is published; one that comes later has
 * to wait.
 */
static bool vol_in_transit(struct lb_pool *p, u64 id)
{
	const struct lb_moved *m;

	port_mutex_assert_held(&p->catalog.mutex);
	lb_list_for_each_entry(m, &p->moved, link)
		if (m->vol == id)
			return true;
	return false;
}

/* lb_vol_load() for one who will do I/O. Returns with catalog.mutex held in any case. */
static struct lb_vol *vol_load_settled(struct lb_pool *p, u64 id, int *err)
{
	struct lb_vol *v;

	*err = -ENOENT;
	for (;;) {
		port_mutex_lock(&p->catalog.mutex);
		if (!id)
			return NULL;
		v = lb_vol_lookup(p, id);
		/* Of a volume that is being cut nobody holds the I/O that would begin now. */
		if ((v && v->open) || (p->cut_held != id && (v || !vol_in_transit(p, id))))
			return lb_vol_load(p, id, err);
		if (READ_ONCE(p->failed)) {
			*err = -EIO;
			return NULL;
		}
		port_mutex_unlock(&p->catalog.mutex);
		lb_commit_wait(p);
	}
}

int lb_vol_open(struct lb_pool *p, u64 id, void *vol_host, struct lb_vol **out)
{
	struct lb_vol *v;
	unsigned long flags;
	int err;

	v = vol_load_settled(p, id, &err);
	if (v && v->deleted) {
		lb_vol_unload_idle(v);
		err = -EINVAL;
	} else if (v) {
		flags = port_spin_lock(&p->lock);
		if (v->open)
			err = -EBUSY;
		v->open = true;
		port_spin_unlock(&p->lock, flags);
		if (!err)
			v->vol_host = vol_host;
	}
	port_mutex_unlock(&p->catalog.mutex);
	if (!err)
		*out = v;
	return err;
}

void lb_vol_close(struct lb_vol *v)
{
	struct lb_pool *p = v->pool;
	unsigned long flags;

	/* The commit looks at idle volumes under catalog.mutex as well. */
	port_mutex_lock(&p->catalog.mutex);
	while (v->held) {
		port_mutex_unlock(&p->catalog.mutex);
		port_wait_event(&v->wait, !READ_ONCE(v->held));
		port_mutex_lock(&p->catalog.mutex);
	}
	flags = port_spin_lock(&p->lock);
	v->open = false;
	port_spin_unlock(&p->lock, flags);
	v->vol_host = NULL;
	lb_vol_unload_idle(v);
	port_mutex_unlock(&p->catalog.mutex);
}

u64 lb_vol_id(const struct lb_vol *v)
{
	return v->id;
}

u64 lb_vol_blocks(const struct lb_vol *v)
{
	return READ_ONCE(v->size_blocks);
}

bool lb_vol_writable(const struct lb_vol *v)
{
	return !READ_ONCE(v->frozen) && !v->pool->read_only;
}

int lb_io_enter(struct lb_vol *v)
{
	return port_gate_enter(&v->pool->gate);
}

void lb_io_leave(struct lb_vol *v, int idx)
{
	port_gate_leave(&v->pool->gate, idx);
}

/* ------------------------------------------------------------------ look-ups */

static u64 mem_near(const struct lb_mem_node *n, u64 lblk)
{
	u64 pblk = READ_ONCE(n->pblk);

	return pblk == LB_PBLK_HOLE ? 0 : lb_near_place(READ_ONCE(n->lblk), READ_ONCE(n->count), pblk, lblk);
}

/* True when the memtable has the answer; else *count is cut to where it next has something. near: may be NULL. */
static bool look_memtable(const struct lb_memtable *mt, u64 lblk, u64 *count, struct lb_look *look, struct lb_near *near)
{
	struct lb_mem_node *n, *before;
	u64 from, pblk;

	if (!READ_ONCE(mt->entries))
		return false;
	n = lb_mem_find(mt, lblk, &before);
	if (near && READ_ONCE(mt->gen) > near->birth) {
		if (n)
			near->pblk = mem_near(n, lblk);
		if (before && !near->pblk)
			near->pblk = mem_near(before, lblk);
	}
	if (!n)
		return false;
	from = READ_ONCE(n->lblk);
	if (from > lblk) {
		*count = min_t(u64, *count, from - lblk);
		return false;
	}
	pblk = READ_ONCE(n->pblk);
	look->count = min_t(u64, *count, from + READ_ONCE(n->count) - lblk);
	look->pblk = pblk == LB_PBLK_HOLE ? LB_PBLK_HOLE : pblk + (lblk - from);
	look->birth = READ_ONCE(mt->gen);
	look->dirty = READ_ONCE(n->dirty);
	return true;
}

struct lb_view {
	struct lb_owner owner;
	struct lb_ref root;
	bool found, busy;
};

/* What the volume knows in memory about lblk; *count is cut to what is of one kind in it. vol->lock held, or to be judged by vol->seq. */
static void look_view(const struct lb_vol *v, u64 lblk, u64 *count, struct lb_view *view, struct lb_look *look, struct lb_near *near)
{
	unsigned int active = READ_ONCE(v->active), i, n = READ_ONCE(v->n_below);

	view->owner = v->owner;
	view->busy = READ_ONCE(v->journal_busy);
	if (lblk < view->owner.cursor)
		*count = min_t(u64, *count, view->owner.cursor - lblk);
	if (near)
		*near = (struct lb_near){ .birth = lb_owner_origin(&view->owner, lblk) };
	view->found = look_memtable(&v->mt[active], lblk, count, look, near) || look_memtable(&v->mt[active ^ 1], lblk, count, look, near);
	/* At most one table of these has entries. */
	for (i = 0; i < n && !view->found; i++) {
		const struct lb_vol *below = READ_ONCE(v->below[i]);

		view->found = look_memtable(&below->mt[0], lblk, count, look, NULL) || look_memtable(&below->mt[1], lblk, count, look, NULL);
	}
	view->root = v->root;
}

static void take_view(struct lb_vol *v, u64 lblk, u64 *count, struct lb_view *view, struct lb_look *look, struct lb_near *near)
{
	unsigned int tries = PORT_SEQ_TRIES, start;
	unsigned long flags;
	u64 n = *count;

	port_rcu_enter();	/* for the volumes below */
	while (tries--) {
		start = port_seq_read(&v->seq);
		*count = n;
		look_view(v, lblk, count, view, look, near);
		if (!port_seq_retry(&v->seq, start))
			goto out;
	}
	*count = n;
	flags = port_spin_lock(&v->lock);
	look_view(v, lblk, count, view, look, near);
	port_spin_unlock(&v->lock, flags);
out:
	port_rcu_leave();
}

int lb_vol_look(struct lb_vol *v, u64 lblk, u64 count, unsigned int flags, struct lb_look *look)
{
	struct lb_near found = { .pblk = 0 }, *near = flags & LB_LOOK_NEAR ? &found : NULL;
	struct lb_extent_cpu e;
	struct lb_view view;
	int err;

	take_view(v, lblk, &count, &view, look, near);
	look->in_memtable = view.found;
	if (!view.found) {
		err = lb_map_lookup_near(v->pool->cache, &view.root, lblk, count, flags, &e, near && !near->pblk ? near : NULL);
		if (err)
			return err;
		look->count = e.count;
		look->pblk = e.pblk;
		look->birth = e.birth;
		look->dirty = false;
	} else if (view.busy) {
		look->dirty = true;
	}
	/* What a damaged or made-up map says is neither read nor, as the volume's own, written to. */
	if (look->pblk != LB_PBLK_HOLE && !lb_space_data_ok(v->pool->space, look->pblk, look->count))
		return -EUCLEAN;
	look->owned = look->pblk != LB_PBLK_HOLE && look->birth > lb_owner_origin(&view.owner, lblk);
	look->near = found.pblk;
	return 0;
}

int lb_read_map(struct lb_vol *v, u64 lblk, u64 count, unsigned int flags, struct lb_mapping *m)
{
	struct lb_look look;
	int err = lb_vol_look(v, lblk, count, flags, &look);

	if (err)
		return err;
	m->pblk = look.pblk;
	m->count = look.count;
	return 0;
}

/* ------------------------------------------------------------------ into the memtable */

/* Levels to reckon with: what waits for its merge may make the tree higher by one, and what lies below the volume by another. */
static u8 worst_level(const struct lb_vol *v)
{
	return (u8)((v->root.level > 2 ? v->root.level : 2) + 1 + (v->n_below != 0));
}

/*
 * Metadata blocks that the merge of `changes` changes in mt can write. While a sealed table waits for its merge, the tree that the active
 * one will meet may be larger by what that merge adds, and higher.
 */
u64 lb_vol_worst(struct lb_vol *v, const struct lb_memtable *mt, u64 changes)
{
	const struct lb_memtable *sealed = lb_vol_sealed(v);
	u64 nodes = v->nodes;
	unsigned int i;

	if (!changes)
		return 0;
	if (mt != sealed)
		nodes += sealed->charge;
	for (i = 0; i < v->n_below; i++)
		nodes += READ_ONCE(v->below[i]->mt[0].charge) + READ_ONCE(v->below[i]->mt[1].charge);
	/* One for the root's second copy. */
	return lb_map_merge_worst(nodes, worst_level(v), changes) + 1;
}

/* What a further change adds at the most: the worst case grows no faster than it does for the first change. */
u64 lb_vol_change_slack(struct lb_vol *v)
{
	return lb_map_merge_worst(1ULL << 40, worst_level(v), 1) + 1;
}

/* The next commit has to do with it. pool->lock held. */
static void vol_put_on_dirty(struct lb_vol *v)
{
	struct lb_pool *p = v->pool;

	if (v->on_dirty)
		return;
	if (lb_list_empty(&p->dirty)) {
		/* So that the host sets its clock for the commit. */
		p->first_dirty_ns = port_now_ns();
		lb_pool_kick(p, LB_KICK_COMMIT);
	}
	WRITE_ONCE(v->on_dirty, true);
	lb_list_add_tail(&v->dirty_link, &p->dirty);
}

void lb_vol_note_dirty(struct lb_vol *v)
{
	struct lb_pool *p = v->pool;
	unsigned long flags;

	if (READ_ONCE(v->on_dirty) && lb_vol_active(v)->gen)
		return;
	flags = port_spin_lock(&p->lock);
	vol_put_on_dirty(v);
	if (!lb_vol_active(v)->gen)
		lb_vol_active(v)->gen = p->active_gen;
	port_spin_unlock(&p->lock, flags);
}

bool lb_vol_insert(struct lb_vol *v, u64 lblk, u64 count, u64 pblk, bool dirty, struct lb_mem_node *nodes[LB_MEM_NODES], u64 slack)
{
	struct lb_pool *p = v->pool;
	struct lb_memtable *mt;
	u64 before, worst, more;
	bool ok;

	port_assert_held(&v->lock);
	lb_vol_note_dirty(v);
	mt = lb_vol_active(v);
	before = mt->entries;
	port_seq_write_begin(&v->seq);
	ok = lb_mem_insert(mt, lblk, count, pblk, dirty, nodes);
	port_seq_write_end(&v->seq);
	WRITE_ONCE(v->change_seq, v->change_seq + 1);
	port_atomic64_add((s64)(mt->entries - before), &p->mem_entries);
	worst = lb_vol_worst(v, mt, mt->entries);
	more = worst > mt->charge ? worst - mt->charge : 0;
	if (more < slack)
		lb_space_uncharge(p->space, slack - more);
	else if (more > slack && lb_space_charge(p->space, more - slack, true))
		more = slack;	/* the standing reserve answers for the rest */
	mt->charge += more;
	return ok;
}

/* ------------------------------------------------------------------ cuts */

void lb_vol_cut(struct lb_vol *v, struct lb_vol *snap, u64 gen)
{
	struct lb_memtable *mt = lb_vol_active(snap);
	unsigned long flags;
	unsigned int i;

	port_mutex_assert_held(&v->pool->catalog.mutex);
	snap->n_below = v->n_below;
	for (i = 0; i < v->n_below; i++) {
		snap->below[i] = v->below[i];
		v->below[i]->above++;
	}
	flags = lb_view_lock(v);
	lb_mem_move(mt, lb_vol_active(v));
	if (!lb_mem_empty(mt)) {
		for (i = v->n_below; i > 0; i--)
			WRITE_ONCE(v->below[i], v->below[i - 1]);
		WRITE_ONCE(v->below[0], snap);
		WRITE_ONCE(v->n_below, v->n_below + 1);
		snap->above++;
	}
	v->owner.origin = gen;
	v->owner.low_origin = 0;
	v->owner.cursor = 0;
	v->owned = 0;
	WRITE_ONCE(v->change_seq, v->change_seq + 1);
	memset(v->clusters, 0, sizeof(v->clusters));
	lb_view_unlock(v, flags);
	/* They are sealed with what is below them, though they may have no entries of their own. */
	flags = port_spin_lock(&v->pool->lock);
	if (v->n_below)
		vol_put_on_dirty(v);
	if (snap->n_below || snap->above)
		vol_put_on_dirty(snap);
	port_spin_unlock(&v->pool->lock, flags);
}

void lb_vol_let_go(struct lb_vol *v)
{
	unsigned int i;

	port_mutex_assert_held(&v->pool->catalog.mutex);
	for (i = 0; i < v->n_below; i++)
		v->below[i]->above--;
	WRITE_ONCE(v->n_below, 0);
}
