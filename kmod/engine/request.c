// SPDX-License-Identifier: GPL-2.0
/*
 * Requests on volumes. Two kinds:
 *
 *   by the journal   create, snapshot (snapshot.c), remove, rename, growing, quota, attributes: the changes go into the catalog's memtable
 *                    and, as one group, into the journal; the request returns when that is durable
 *   by a commit      freeze, rollback, shrink: they take effect at the instant of a seal (struct lb_cut) and are durable with
 *                    that commit
 *
 * Either way all of a request is found after a crash, or nothing. catalog.mutex makes requests follow each other; the journal keeps their order.
 */
#include "request.h"

/* ------------------------------------------------------------------ checks and charges */

/*
 * Charge for `items` more catalog changes: what the worst merge of all that wait for the next commit grows by. A commit under way may make the
 * tree larger by its own charge, and higher.
 */
int lb_request_charge(struct lb_pool *p, u64 items, bool use_reserve)
{
	struct lb_catalog *c = &p->catalog;
	u8 level = c->root.level > 2 ? c->root.level : 2;
	u64 worst, more;
	int err;

	port_mutex_assert_held(&c->mutex);
	/* Every catalog node has two copies. */
	worst = 2 * lb_cat_merge_worst(c->nodes + c->sealed_charge, level + 1, c->items + items);
	more = worst > c->charge ? worst - c->charge : 0;
	err = lb_space_charge(p->space, more, use_reserve);
	if (err)
		return err;
	/* The first change since the last commit sets the clock for the next. */
	if (!c->items)
		lb_pool_kick(p, LB_KICK_COMMIT);
	WRITE_ONCE(c->items, c->items + items);
	c->charge += more;
	return 0;
}

static int check_name(struct lb_name name)
{
	u32 i;

	if (!name.len || name.len > 255)
		return -EINVAL;
	if (name.s[0] == '.' && (name.len == 1 || (name.len == 2 && name.s[1] == '.')))
		return -EINVAL;
	for (i = 0; i < name.len; i++)
		if ((u8)name.s[i] < 0x20 || name.s[i] == 0x7f || name.s[i] == '/')
			return -EINVAL;
	return 0;
}

int lb_name_is_free(struct lb_pool *p, struct lb_name name)
{
	struct lb_name_record rec;
	u8 key[LB_CAT_KEY_MAX];
	u32 len = sizeof(rec);
	int err = check_name(name);

	if (err)
		return err;
	err = lb_cat_get(p, LB_CAT_ALL, key, lb_key_name(key, name.s, name.len), &rec, &len);
	if (err == -ENOENT)
		return 0;
	return err && err != -ERANGE ? err : -EEXIST;
}

int lb_cat_live(struct lb_pool *p, u64 id, struct lb_vol_full *v)
{
	int err = lb_cat_vol(p, LB_CAT_ALL, id, v);

	if (!err && le32_to_cpu(v->rec.state) != LB_VOL_LIVE)
		err = -ENOENT;
	return err;
}

static void set_name(struct lb_vol_full *v, struct lb_name name)
{
	v->rec.name_len = cpu_to_le16((u16)name.len);
	memcpy(v->name, name.s, name.len);
	v->name[name.len] = 0;
}

void lb_lock_settled(struct lb_pool *p)
{
	port_mutex_lock(&p->catalog.mutex);
	while (p->cut_pending && !READ_ONCE(p->failed)) {
		port_mutex_unlock(&p->catalog.mutex);
		lb_commit_wait(p);
		port_mutex_lock(&p->catalog.mutex);
	}
}

int lb_request_send(struct lb_pool *p, struct lb_kvlist *l)
{
	struct lb_journal_tx tx = { .kvs = l, .gen = p->active_gen };
	u64 ticket;

	lb_journal_tx_queue(p, &tx, &ticket);
	port_mutex_unlock(&p->catalog.mutex);
	return lb_journal_wait(p, ticket);
}

/* Apply l, for which space is charged, and wait until it is durable. Called with catalog.mutex held; releases it. */
static int request_commit(struct lb_pool *p, struct lb_kvlist *l)
{
	int err = lb_kvtable_apply(p->catalog.active, l);

	if (!err)
		return lb_request_send(p, l);
	port_mutex_unlock(&p->catalog.mutex);
	return err;
}

void lb_event_named(struct lb_pool *p, enum lb_event_type type, u64 vol, u64 arg, struct lb_name name)
{
	char text[256];

	memcpy(text, name.s, name.len);
	text[name.len] = 0;
	lb_pool_event(p, type, vol, arg, text);
}

void lb_request_make_room(struct lb_pool *p)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		u64 before = lb_space_free_blocks(p->space);

		if (lb_commit(p, NULL))
			return;
		lb_reclaim_all(p);
		if (lb_space_free_blocks(p->space) <= before && !READ_ONCE(p->maintenance))
			return;
	}
}

/* ------------------------------------------------------------------ create and child */

int lb_stage_volume(struct lb_pool *p, const struct lb_vol_full *v, const struct lb_map_record *m, const struct lb_tx *tx, struct lb_kvlist *l)
{
	u64 id = le64_to_cpu(v->rec.id);
	int err = lb_put_vol(l, v);

	if (!err)
		err = lb_put_map(l, id, m);
	if (!err)
		err = lb_put_name(l, v->name, le16_to_cpu(v->rec.name_len), id);
	if (!err)
		err = lb_put_child(l, le64_to_cpu(m->parent), id);
	if (!err)
		err = lb_attr_stage(p, tx, id, l);
	return err;
}

void lb_new_record(struct lb_vol_full *v, u64 id, struct lb_name name, u64 size_blocks, u64 quota)
{
	memset(v, 0, sizeof(*v));
	v->rec.id = cpu_to_le64(id);
	v->rec.size_blocks = cpu_to_le64(size_blocks);
	v->rec.quota_blocks = cpu_to_le64(quota);
	v->rec.created = cpu_to_le64(port_wall_s());
	v->rec.state = cpu_to_le32(LB_VOL_LIVE);
	set_name(v, name);
}

/* Called with catalog.mutex held; releases it. */
int lb_add_volume(struct lb_pool *p, struct lb_vol_full *v, const struct lb_map_record *m, const struct lb_tx *tx, u64 *id)
{
	struct lb_kvlist l;
	int err;

	lb_kvlist_init(&l);
	err = lb_stage_volume(p, v, m, tx, &l);
	if (!err)
		err = lb_request_charge(p, l.count, false);
	if (err) {
		port_mutex_unlock(&p->catalog.mutex);
	} else {
		*id = p->next_volume;
		WRITE_ONCE(p->next_volume, *id + 1);
		p->visible_count++;
		err = request_commit(p, &l);
		if (err) {
			port_mutex_lock(&p->catalog.mutex);
			p->visible_count--;
			port_mutex_unlock(&p->catalog.mutex);
		}
	}
	lb_kvlist_free(&l);
	return err;
}

static int create_once(struct lb_pool *p, struct lb_name name, u64 size_blocks, u64 quota, const struct lb_tx *tx, u64 *id)
{
	struct lb_map_record m = { .nodes = 0 };
	struct lb_vol_full v;
	int err;

	lb_lock_settled(p);
	err = lb_name_is_free(p, name);
	if (err) {
		port_mutex_unlock(&p->catalog.mutex);
		return err;
	}
	lb_new_record(&v, p->next_volume, name, size_blocks, quota);
	return lb_add_volume(p, &v, &m, tx, id);
}

int lb_vol_create(struct lb_pool *p, struct lb_name name, u64 size_blocks, u64 quota, const struct lb_tx *tx, u64 *id)
{
	int err = lb_pool_check_writable(p);

	if (!err && !lb_size_ok(size_blocks))
		err = -EINVAL;
	if (err)
		return err;
	err = create_once(p, name, size_blocks, quota, tx, id);
	if (err == -ENOSPC) {
		lb_request_make_room(p);
		err = create_once(p, name, size_blocks, quota, tx, id);
	}
	if (!err)
		lb_event_named(p, LB_EV_VOL_CREATE, *id, 0, name);
	return err;
}

/* ------------------------------------------------------------------ cuts */

struct cut_request {
	u64 vol, other;			/* other: the snapshot rolled back to */
	struct lb_name name;
	const struct lb_tx *tx;
	u64 origin;			/* of the volume from now on */
	struct lb_ref root;		/* rollback: the volume's root from now on */
	u64 nodes;
	u64 size_blocks;
	u64 hidden;			/* rollback: who takes over the old content */
};

int lb_load_for_cut(struct lb_pool *p, u64 id, struct lb_vol_full *v, struct lb_map_record *m)
{
	int err = lb_cat_live(p, id, v);

	if (!err && v->rec.frozen)
		err = -EROFS;
	if (!err)
		err = lb_cat_map(p, LB_CAT_ALL, id, m);
	return err;
}

/* ------------------------------------------------------------------ freeze */

static int stage_rename(struct lb_pool *p, struct lb_vol_full *v, struct lb_name name, struct lb_kvlist *l)
{
	u32 old_len = le16_to_cpu(v->rec.name_len);
	int err;

	if (!name.len || (name.len == old_len && !memcmp(name.s, v->name, old_len)))
		return 0;
	err = lb_name_is_free(p, name);
	if (!err)
		err = lb_del_name(l, v->name, old_len);
	if (!err)
		err = lb_put_name(l, name.s, name.len, le64_to_cpu(v->rec.id));
	if (!err)
		set_name(v, name);
	return err;
}

static int freeze_prepare(struct lb_pool *p, struct lb_cut *cut, struct lb_kvlist *l)
{
	struct cut_request *r = cut->arg;
	struct lb_map_record m;
	struct lb_vol_full v;
	int err = lb_load_for_cut(p, r->vol, &v, &m);

	if (!err)
		err = stage_rename(p, &v, r->name, l);
	if (err)
		return err;
	v.rec.frozen = cpu_to_le64(p->active_gen);
	r->origin = p->active_gen;
	err = lb_put_vol(l, &v);
	if (!err)
		err = lb_attr_stage(p, r->tx, 0, l);
	if (!err)
		err = lb_request_charge(p, l->count, false);
	return err;
}

static void freeze_sealed(struct lb_pool *p, struct lb_cut *cut)
{
	struct cut_request *r = cut->arg;
	struct lb_vol *v = lb_vol_lookup(p, r->vol);

	if (v)
		WRITE_ONCE(v->frozen, r->origin);
}

int lb_vol_freeze(struct lb_pool *p, u64 id, struct lb_name name, const struct lb_tx *tx)
{
	struct cut_request r = { .vol = id, .name = name, .tx = tx };
	struct lb_cut cut = { .hold = id, .prepare = freeze_prepare, .sealed = freeze_sealed, .arg = &r };
	int err = lb_pool_check_writable(p);

	if (!err)
		err = lb_commit_cut(p, &cut);
	if (!err)
		lb_event_named(p, LB_EV_VOL_FREEZE, id, 0, name);
	return err;
}

/* ------------------------------------------------------------------ rollback */

/* Is `ancestor` a live one of the volume's? 0, -EINVAL. */
static int check_ancestor(struct lb_pool *p, u64 parent, u64 ancestor)
{
	u64 most = p->visible_count + p->hidden_count;
	struct lb_map_record m;
	int err;

	while (parent && parent != ancestor) {
		/* A chain that is longer than there are volumes goes round. */
		err = most-- ? lb_cat_map(p, LB_CAT_ALL, parent, &m) : -EUCLEAN;
		if (err)
			return err;
		parent = le64_to_cpu(m.parent);
	}
	return parent ? 0 : -EINVAL;
}

static bool vol_is_open(struct lb_pool *p, u64 id)
{
	unsigned long flags;
	struct lb_vol *v = lb_vol_lookup(p, id);
	bool open;

	if (!v)
		return false;
	flags = port_spin_lock(&p->lock);
	open = v->open;
	port_spin_unlock(&p->lock, flags);
	return open;
}

/* V's old content goes to a hidden volume in V's old place; V becomes an empty child of the snapshot. */
static int rollback_prepare(struct lb_pool *p, struct lb_cut *cut, struct lb_kvlist *l)
{
	struct cut_request *r = cut->arg;
	struct lb_map_record m, sm;
	struct lb_vol_full v, s, h;
	int err = lb_load_for_cut(p, r->vol, &v, &m);

	if (!err)
		err = lb_cat_live(p, r->other, &s);
	if (err == -ENOENT)
		err = -EINVAL;
	/* What the snapshot holds is not merged yet. */
	if (!err && le64_to_cpu(s.rec.frozen) > p->gen)
		err = -EAGAIN;
	if (!err)
		err = check_ancestor(p, le64_to_cpu(m.parent), r->other);
	if (!err)
		err = lb_cat_map(p, LB_CAT_ALL, r->other, &sm);
	if (err)
		return err;
	r->hidden = p->next_volume;
	r->origin = le64_to_cpu(s.rec.frozen);
	r->root = lb_ref_decode(&sm.root);
	r->nodes = le64_to_cpu(sm.nodes);
	r->size_blocks = le64_to_cpu(s.rec.size_blocks);
	lb_new_record(&h, r->hidden, (struct lb_name){ .s = "", .len = 0 }, le64_to_cpu(v.rec.size_blocks), 0);
	h.rec.state = cpu_to_le32(LB_VOL_DELETED);
	v.rec.size_blocks = s.rec.size_blocks;
	err = lb_put_vol(l, &v);
	if (!err)
		err = lb_put_vol(l, &h);
	if (!err)
		err = lb_put_map(l, r->hidden, &m);
	if (!err)
		err = lb_del_child(l, le64_to_cpu(m.parent), r->vol);
	if (!err)
		err = lb_put_child(l, le64_to_cpu(m.parent), r->hidden);
	if (!err)
		err = lb_put_child(l, r->other, r->vol);
	if (!err)
		err = lb_request_charge(p, l->count + 1, true);
	if (!err)
		WRITE_ONCE(p->next_volume, p->next_volume + 1);
	return err;
}

static int rollback_merged(struct lb_pool *p, struct lb_cut *cut, struct lb_kvlist *l)
{
	struct cut_request *r = cut->arg;
	struct lb_map_record m;
	int err = lb_cat_map(p, LB_CAT_SEALED, r->vol, &m);

	if (!err)
		err = lb_put_map(l, r->hidden, &m);
	memset(&m, 0, sizeof(m));
	m.root = lb_ref_encode(&r->root);
	m.nodes = cpu_to_le64(r->nodes);
	m.parent = cpu_to_le64(r->other);
	m.origin = cpu_to_le64(r->origin);
	if (!err)
		err = lb_put_map(l, r->vol, &m);
	return err;
}

/* Not before: until then the volume's memtables go with what it was. Nobody has it open meanwhile. */
static void rollback_published(struct lb_pool *p, struct lb_cut *cut)
{
	struct cut_request *r = cut->arg;
	struct lb_vol *v = lb_vol_lookup(p, r->vol);
	unsigned long flags;

	if (!v)
		return;
	flags = lb_view_lock(v);
	v->owner = (struct lb_owner){ .vol = v->id, .origin = r->origin };
	v->root = r->root;
	v->nodes = r->nodes;
	v->owned = 0;
	v->size_blocks = r->size_blocks;
	lb_view_unlock(v, flags);
}

int lb_vol_rollback(struct lb_pool *p, u64 id, u64 snapshot)
{
	struct cut_request r = { .vol = id, .other = snapshot };
	struct lb_cut cut = { .prepare = rollback_prepare, .merged = rollback_merged, .published = rollback_published,
			      .arg = &r };
	struct lb_vol *v;
	int err = lb_pool_check_writable(p);

	/* Held open meanwhile, so that nobody looks at it half way. */
	if (!err)
		err = lb_vol_open(p, id, NULL, &v);
	if (err)
		return err == -EINVAL ? -ENOENT : err;
	err = lb_commit_cut(p, &cut);
	if (err == -EAGAIN) {
		err = lb_commit_patient(p);
		if (!err)
			err = lb_commit_cut(p, &cut);
	}
	lb_vol_close(v);
	if (err)
		return err;
	port_mutex_lock(&p->catalog.mutex);
	if (lb_hidden_add(p, r.hidden))
		port_log(PORT_LOG_WARN, "no memory: what volume %llu held before its rollback is freed when the pool is opened again",
			 (unsigned long long)id);
	port_mutex_unlock(&p->catalog.mutex);
	lb_pool_kick(p, LB_KICK_COMMIT);
	lb_pool_event(p, LB_EV_VOL_ROLLBACK, id, snapshot, NULL);
	return 0;
}

/* ------------------------------------------------------------------ remove */

static void drop_memtable(struct lb_pool *p, u64 id)
{
	struct lb_vol *v = lb_vol_lookup(p, id);
	unsigned long flags;

	if (!v)
		return;
	flags = lb_view_lock(v);
	v->deleted = true;
	lb_vol_drop_entries(v);
	lb_view_unlock(v, flags);
}

/* catalog.mutex held. */
static int stage_remove(struct lb_pool *p, u64 id, bool if_no_children, const struct lb_tx *tx, struct lb_kvlist *l)
{
	struct lb_vol_full v;
	unsigned int children;
	u64 one;
	int err = lb_cat_live(p, id, &v);

	if (!err && vol_is_open(p, id))
		err = -EBUSY;
	if (!err && if_no_children) {
		err = lb_cat_children(p, LB_CAT_ALL, id, 1, &children, &one);
		if (!err && children)
			err = -EBUSY;
	}
	if (!err)
		err = lb_del_name(l, v.name, le16_to_cpu(v.rec.name_len));
	if (err)
		return err;
	v.rec.state = cpu_to_le32(LB_VOL_DELETED);
	v.rec.name_len = 0;
	err = lb_put_vol(l, &v);
	if (!err)
		err = lb_attr_stage(p, tx, 0, l);
	return err;
}

static int remove_once(struct lb_pool *p, u64 id, bool if_no_children, const struct lb_tx *tx)
{
	struct lb_kvlist l;
	int err;

	lb_kvlist_init(&l);
	lb_lock_settled(p);
	err = stage_remove(p, id, if_no_children, tx, &l);
	if (!err)
		err = lb_request_charge(p, l.count, true);
	if (!err)
		err = lb_hidden_add(p, id);
	if (!err) {
		err = lb_kvtable_apply(p->catalog.active, &l);
		if (err)
			lb_hidden_drop(p, id);
	}
	if (err) {
		port_mutex_unlock(&p->catalog.mutex);
	} else {
		p->visible_count--;
		/* Nobody has it open, and the lookup of its record says deleted by now. */
		drop_memtable(p, id);
		err = lb_request_send(p, &l);
	}
	lb_kvlist_free(&l);
	return err;
}

int lb_vol_remove(struct lb_pool *p, u64 id, bool if_no_children, const struct lb_tx *tx)
{
	int err = lb_pool_check_writable(p);

	if (err)
		return err;
	err = remove_once(p, id, if_no_children, tx);
	if (err == -ENOSPC) {
		lb_request_make_room(p);
		err = remove_once(p, id, if_no_children, tx);
	}
	if (err)
		return err;
	lb_pool_kick(p, LB_KICK_COMMIT);
	lb_pool_event(p, LB_EV_VOL_REMOVE, id, 0, NULL);
	return 0;
}

/* ------------------------------------------------------------------ set */

/* -EAGAIN: it takes a cut. */
static int check_resize(const struct lb_vol_change *ch, u64 old, bool cut)
{
	if (!lb_size_ok(ch->size_blocks))
		return -EINVAL;
	if (ch->size_blocks >= old || cut)
		return 0;
	return ch->set & LB_SET_SHRINK ? -EAGAIN : -EINVAL;
}

static int stage_set(struct lb_pool *p, u64 id, const struct lb_vol_change *ch, const struct lb_tx *tx, bool cut,
		     struct lb_vol_full *v, struct lb_kvlist *l)
{
	int err = 0;

	if (id) {
		err = lb_cat_live(p, id, v);
		if (!err && v->rec.frozen && (ch->set & (LB_SET_SIZE | LB_SET_QUOTA)))
			err = -EROFS;
		if (!err && (ch->set & LB_SET_SIZE))
			err = check_resize(ch, le64_to_cpu(v->rec.size_blocks), cut);
		if (!err && (ch->set & LB_SET_NAME))
			err = check_name(ch->name);
		if (!err && (ch->set & LB_SET_NAME))
			err = stage_rename(p, v, ch->name, l);
		if (err)
			return err;
		if (ch->set & LB_SET_SIZE)
			v->rec.size_blocks = cpu_to_le64(ch->size_blocks);
		if (ch->set & LB_SET_QUOTA)
			v->rec.quota_blocks = cpu_to_le64(ch->quota);
		if (ch->set)
			err = lb_put_vol(l, v);
	}
	if (!err)
		err = lb_attr_stage(p, tx, 0, l);
	return err;
}

/* A volume in memory gets what the catalog says now: of two requests that meet, the later one's. */
static void set_in_memory(struct lb_pool *p, u64 id)
{
	struct lb_vol_full rec;
	unsigned long flags;
	struct lb_vol *v;

	port_mutex_lock(&p->catalog.mutex);
	v = lb_vol_lookup(p, id);
	if (v && !lb_cat_live(p, id, &rec)) {
		flags = port_spin_lock(&v->lock);
		WRITE_ONCE(v->size_blocks, le64_to_cpu(rec.rec.size_blocks));
		v->quota = le64_to_cpu(rec.rec.quota_blocks);
		port_spin_unlock(&v->lock, flags);
	}
	port_mutex_unlock(&p->catalog.mutex);
}

static int set_by_journal(struct lb_pool *p, u64 id, const struct lb_vol_change *ch, const struct lb_tx *tx)
{
	struct lb_vol_full v;
	struct lb_kvlist l;
	int err;

	lb_kvlist_init(&l);
	lb_lock_settled(p);
	err = stage_set(p, id, ch, tx, false, &v, &l);
	if (!err && l.count)
		err = lb_request_charge(p, l.count, false);
	if (err || !l.count)
		port_mutex_unlock(&p->catalog.mutex);
	else
		err = request_commit(p, &l);
	lb_kvlist_free(&l);
	return err;
}

struct shrink_request {
	u64 id;
	const struct lb_vol_change *ch;
	const struct lb_tx *tx;
	struct lb_vol *vol;		/* loaded by prepare; catalog.mutex is held until the seal */
	struct lb_mem_node *nodes[LB_MEM_NODES];
};

static int shrink_prepare(struct lb_pool *p, struct lb_cut *cut, struct lb_kvlist *l)
{
	struct shrink_request *r = cut->arg;
	struct lb_vol_full v;
	struct lb_vol *vol;
	unsigned int i;
	int err = stage_set(p, r->id, r->ch, r->tx, true, &v, l);

	if (!err)
		err = lb_request_charge(p, l->count, true);
	if (err)
		return err;
	vol = lb_vol_load(p, r->id, &err);
	if (!vol)
		return err;
	for (i = 0; i < LB_MEM_NODES; i++) {
		r->nodes[i] = lb_mem_node_alloc(PORT_WAIT);
		if (!r->nodes[i])
			return -ENOMEM;
	}
	r->vol = vol;
	return 0;
}

/* The hole goes with this very commit, as the new size does: not into the journal, which knows nothing of the size. */
static void shrink_apply(struct lb_pool *p, struct lb_cut *cut)
{
	struct shrink_request *r = cut->arg;
	unsigned long flags = port_spin_lock(&r->vol->lock);

	lb_vol_insert(r->vol, r->ch->size_blocks, LB_LBLK_MAX + 1 - r->ch->size_blocks, LB_PBLK_HOLE, false, r->nodes, 0);
	WRITE_ONCE(r->vol->size_blocks, r->ch->size_blocks);
	port_spin_unlock(&r->vol->lock, flags);
}

static int shrink(struct lb_pool *p, u64 id, const struct lb_vol_change *ch, const struct lb_tx *tx)
{
	struct shrink_request r = { .id = id, .ch = ch, .tx = tx };
	struct lb_cut cut = { .hold = id, .prepare = shrink_prepare, .apply = shrink_apply, .arg = &r };
	unsigned int i;
	int err = lb_commit_cut(p, &cut);

	for (i = 0; i < LB_MEM_NODES; i++)
		lb_mem_node_free(r.nodes[i]);
	return err;
}

int lb_vol_set(struct lb_pool *p, u64 id, const struct lb_vol_change *ch, const struct lb_tx *tx)
{
	static const struct lb_vol_change none;
	int err = lb_pool_check_writable(p);

	if (!ch || !id)
		ch = &none;
	if (err)
		return err;
	err = set_by_journal(p, id, ch, tx);
	if (err == -ENOSPC) {
		lb_request_make_room(p);
		err = set_by_journal(p, id, ch, tx);
	}
	if (err == -EAGAIN)
		err = shrink(p, id, ch, tx);
	if (err)
		return err;
	if (ch->set & (LB_SET_SIZE | LB_SET_QUOTA))
		set_in_memory(p, id);
	if (id)
		lb_pool_event(p, LB_EV_VOL_CHANGE, id, 0, NULL);
	return 0;
}
