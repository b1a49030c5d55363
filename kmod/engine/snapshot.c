// SPDX-License-Identifier: GPL-2.0
/*
 * Snapshots: by one journal record, whether the source is frozen or in use.
 *
 * Of a frozen volume it is a new volume that begins with its parent's map. Of a writable one, V, the snapshot S takes V's place under V's parent with
 * all of V's content, and V becomes S's child. The instant of the cut lies in memory: V's I/O is held, the entries that no commit has
 * merged go from V's memtable to S's, and a new generation begins, so that what is born in V from then on can be told from what is S's. V's
 * look-ups go through S's memtable until a commit has merged both (lb_vol.below). I/O goes on before the record is written.
 *
 * The journal is stopped at the cut, so that what it holds of V lies on the right side of the record; and no commit is under way, for what it is about to
 * publish would be V's, or S's.
 */
#include "request.h"

/* A generation's last bit is its superblock's slot, and a commit must not use the slot of the one before. */
#define CUT_GENERATIONS	2u

/* The map of a child, in its parent's: nothing in it is the child's own yet. */
static void become_child(struct lb_map_record *m, u64 parent, u64 origin)
{
	m->parent = cpu_to_le64(parent);
	m->origin = cpu_to_le64(origin);
	m->low_origin = 0;
	m->cursor = 0;
	m->free_cursor = 0;
	m->owned = 0;
}

#define WAYS	2u	/* a commit, and room */

/* What stood in a request's way is taken out of it: 0, and it is to be tried again, or its error. No mutex held. */
static int make_way(struct lb_pool *p, int err)
{
	if (err == -EAGAIN)
		return lb_commit_patient(p);
	if (err != -ENOSPC)
		return err;
	lb_request_make_room(p);
	return 0;
}

/* ------------------------------------------------------------------ of a frozen volume */

static int child_once(struct lb_pool *p, u64 source, struct lb_name name, bool frozen, u64 quota, const struct lb_tx *tx, u64 *id)
{
	struct lb_map_record m;
	struct lb_vol_full src, v;
	int err;

	lb_lock_settled(p);
	err = lb_cat_live(p, source, &src);
	/* Its map is not what it will be before the commit of its freeze, or the next one after its cut. */
	if (!err && le64_to_cpu(src.rec.frozen) > p->gen)
		err = -EAGAIN;
	if (!err)
		err = lb_name_is_free(p, name);
	if (!err)
		err = lb_cat_map(p, LB_CAT_ALL, source, &m);
	if (err) {
		port_mutex_unlock(&p->catalog.mutex);
		return err;
	}
	lb_new_record(&v, p->next_volume, name, le64_to_cpu(src.rec.size_blocks), quota);
	if (frozen)
		v.rec.frozen = cpu_to_le64(p->gen);
	become_child(&m, source, le64_to_cpu(src.rec.frozen));
	return lb_add_volume(p, &v, &m, tx, id);
}

static int make_child(struct lb_pool *p, u64 source, struct lb_name name, bool frozen, u64 quota, const struct lb_tx *tx, u64 *id)
{
	int err = child_once(p, source, name, frozen, quota, tx, id);
	unsigned int tries;

	for (tries = 0; err && tries < WAYS; tries++) {
		err = make_way(p, err);
		if (!err)
			err = child_once(p, source, name, frozen, quota, tx, id);
	}
	return err;
}

/* ------------------------------------------------------------------ of a writable volume */

struct snapshot {
	u64 source;
	struct lb_name name;
	const struct lb_tx *tx;
	struct lb_vol_full rec;		/* the snapshot's */
	struct lb_map_record map;	/* the source's, which becomes the snapshot's */
	struct lb_vol *snap;		/* in memory, if the source is */
	struct lb_journal_tx jtx;
	struct lb_kvlist changes;
	u64 ticket;
};

/* What the catalog will say. catalog.mutex held. */
static int cut_stage(struct lb_pool *p, struct snapshot *s)
{
	u64 id = p->next_volume, gen = p->active_gen;
	struct lb_vol_full v;
	struct lb_map_record m;
	int err = lb_load_for_cut(p, s->source, &v, &s->map);

	if (!err)
		err = lb_name_is_free(p, s->name);
	if (err)
		return err;
	lb_new_record(&s->rec, id, s->name, le64_to_cpu(v.rec.size_blocks), 0);
	s->rec.rec.frozen = cpu_to_le64(gen);
	m = s->map;
	become_child(&m, id, gen);
	err = lb_stage_volume(p, &s->rec, &s->map, s->tx, &s->changes);
	if (!err)
		err = lb_del_child(&s->changes, le64_to_cpu(s->map.parent), s->source);
	if (!err)
		err = lb_put_child(&s->changes, id, s->source);
	if (!err)
		err = lb_put_map(&s->changes, s->source, &m);
	if (!err)
		err = lb_request_charge(p, s->changes.count, false);
	return err;
}

/* Everything that can fail is done: the instant of the cut. catalog.mutex held. */
static void cut_apply(struct lb_pool *p, struct snapshot *s, struct lb_vol *v)
{
	u64 gen = p->active_gen;
	unsigned long flags;

	if (v)
		lb_vol_cut(v, s->snap, gen);
	flags = port_spin_lock(&p->lock);
	p->active_gen += CUT_GENERATIONS;
	port_spin_unlock(&p->lock, flags);
	WRITE_ONCE(p->next_volume, p->next_volume + 1);
	p->visible_count++;
	s->jtx = (struct lb_journal_tx){ .kvs = &s->changes, .gen = gen, .cut_vol = s->source, .cut_snap = le64_to_cpu(s->rec.rec.id) };
	if (v && s->snap->above)
		s->jtx.snap = s->snap;
	lb_journal_tx_queue(p, &s->jtx, &s->ticket);
}

/* catalog.mutex held. -EAGAIN: a commit has to come first. */
static int cut_locked(struct lb_pool *p, struct snapshot *s)
{
	struct lb_vol *v = lb_vol_lookup(p, s->source);
	int err;

	if (v && v->n_below == LB_CUTS_MAX)
		return -EAGAIN;
	err = cut_stage(p, s);
	if (err)
		return err;
	if (v) {
		s->snap = lb_vol_make(p, &s->rec, &s->map);
		if (!s->snap)
			return -ENOMEM;
	}
	err = lb_kvtable_apply(p->catalog.active, &s->changes);
	if (!err)
		cut_apply(p, s, v);
	if (s->snap)
		lb_vol_unload_idle(s->snap);
	return err;
}

static int cut_once(struct lb_pool *p, struct snapshot *s)
{
	struct lb_vol *held;
	int err;

	lb_kvlist_init(&s->changes);
	port_mutex_lock(&p->journal.write_mutex);
	port_mutex_lock(&p->commit_mutex);
	err = lb_pool_check_writable(p);
	if (!err) {
		held = lb_hold_begin(p, s->source);
		port_mutex_lock(&p->catalog.mutex);
		err = cut_locked(p, s);
		lb_cut_forget(p);
		port_mutex_unlock(&p->catalog.mutex);
		if (held)
			lb_hold_end(p, held);
	}
	port_mutex_unlock(&p->commit_mutex);
	port_mutex_unlock(&p->journal.write_mutex);
	if (!err) {
		err = lb_journal_wait(p, s->ticket);
		if (err) {
			port_mutex_lock(&p->catalog.mutex);
			p->visible_count--;
			port_mutex_unlock(&p->catalog.mutex);
		}
	}
	lb_kvlist_free(&s->changes);
	return err;
}

static int snapshot_writable(struct lb_pool *p, u64 source, struct lb_name name, const struct lb_tx *tx, u64 *id)
{
	struct snapshot s = { .source = source, .name = name, .tx = tx };
	int err = cut_once(p, &s);
	unsigned int tries;

	for (tries = 0; err && tries < WAYS; tries++) {
		err = make_way(p, err);
		if (!err)
			err = cut_once(p, &s);
	}
	*id = le64_to_cpu(s.rec.rec.id);
	return err;
}

/* ------------------------------------------------------------------ either */

int lb_vol_snapshot(struct lb_pool *p, u64 source, struct lb_name name, bool frozen, u64 quota, const struct lb_tx *tx, u64 *id)
{
	struct lb_vol_full v;
	int err = lb_pool_check_writable(p);

	if (err)
		return err;
	port_mutex_lock(&p->catalog.mutex);
	err = lb_cat_live(p, source, &v);
	port_mutex_unlock(&p->catalog.mutex);
	if (err)
		return err;
	if (v.rec.frozen)
		err = make_child(p, source, name, frozen, quota, tx, id);
	else
		err = quota ? -EINVAL : snapshot_writable(p, source, name, tx, id);
	if (!err)
		lb_event_named(p, LB_EV_VOL_SNAPSHOT, *id, source, name);
	return err;
}
