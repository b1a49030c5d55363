// SPDX-License-Identifier: GPL-2.0
/*
 * Maintenance: what remains to be done for deleted volumes, in bounded steps, one within each commit.
 *
 *   no child      what it owns is freed from free_cursor on; at the end its records go
 *   one child     it is collapsed into the child, the child's cursor moving along; at the end the child takes its place in the chain
 *   more          it waits: its blocks are pinned, and reported
 *
 * A volume whose own parent is being collapsed into it waits for that, so ownership is never judged by two moving cursors at once. A parent
 * waits for a child that is deleted itself, for that child's tree may be half freed: the chain is worked off from its live end. Everything is
 * read in the view of the commit under way (LB_CAT_SEALED), so a step compares roots and moves the cursor in one and the same commit: a
 * crash finds both or neither.
 *
 * catalog.mutex is held throughout.
 */
#include "pool_priv.h"

/* Deletions within this time share the commits that their work takes. Whoever finds no space does not wait for it (lb_request_room). */
#define MAINTAIN_DELAY_NS	(2000ULL * 1000 * 1000)

int lb_hidden_add(struct lb_pool *p, u64 id)
{
	struct lb_hidden *h = port_alloc(sizeof(*h), PORT_WAIT);

	if (!h)
		return -ENOMEM;
	h->id = id;
	lb_list_add_tail(&h->link, &p->hidden);
	p->hidden_count++;
	if (!p->maintain_due_ns)
		WRITE_ONCE(p->maintain_due_ns, port_now_ns() + MAINTAIN_DELAY_NS);
	WRITE_ONCE(p->maintenance, true);
	return 0;
}

void lb_hidden_drop(struct lb_pool *p, u64 id)
{
	struct lb_hidden *h;

	lb_list_for_each_entry(h, &p->hidden, link) {
		if (h->id == id) {
			lb_list_del(&h->link);
			port_free(h);
			p->hidden_count--;
			return;
		}
	}
}

void lb_hidden_free_all(struct lb_pool *p)
{
	struct lb_hidden *h, *next;
	struct lb_moved *m, *next_m;

	lb_list_splice_tail_init(&p->hidden_done, &p->hidden);
	lb_list_for_each_entry_safe(h, next, &p->hidden, link) {
		lb_list_del(&h->link);
		port_free(h);
	}
	lb_list_for_each_entry_safe(m, next_m, &p->moved, link) {
		lb_list_del(&m->link);
		port_free(m);
	}
}

/* A volume is gone: others may have become workable. */
static void hidden_wake(struct lb_pool *p)
{
	struct lb_hidden *h;

	lb_list_for_each_entry(h, &p->hidden, link)
		h->waits = false;
}

static int remove_records(struct lb_pool *p, u64 id, u64 parent)
{
	struct lb_kvlist l;
	u8 key[9];
	int err;

	lb_kvlist_init(&l);
	err = lb_attr_stage_remove_all(p, LB_CAT_SEALED, id, &l);
	if (!err)
		err = lb_kvlist_delete(&l, key, lb_key_id(key, LB_KEY_VOL, id));
	if (!err)
		err = lb_kvlist_delete(&l, key, lb_key_id(key, LB_KEY_MAP, id));
	if (!err)
		err = lb_del_child(&l, parent, id);
	if (!err)
		err = lb_sealed_apply(p, &l);
	lb_kvlist_free(&l);
	return err;
}

static int put_map(struct lb_pool *p, u64 id, const struct lb_map_record *m)
{
	struct lb_kvlist l;
	int err;

	lb_kvlist_init(&l);
	err = lb_put_map(&l, id, m);
	if (!err)
		err = lb_sealed_apply(p, &l);
	lb_kvlist_free(&l);
	return err;
}

/* ------------------------------------------------------------------ no child: free */

static int free_step(struct lb_pool *p, struct lb_tree_writer *w, struct lb_hidden *h, struct lb_map_record *m, unsigned int budget,
		     bool *done, s64 *data_delta)
{
	struct lb_ref root = lb_ref_decode(&m->root);
	u64 cursor = le64_to_cpu(m->free_cursor), freed = 0;
	int err = 0;

	if (root.addr)
		err = lb_map_free_step(w, &root, le64_to_cpu(m->origin), &cursor, budget, &freed);
	else
		cursor = ~0ULL;
	if (err)
		return err;
	*data_delta -= (s64)freed;
	*done = cursor == ~0ULL;
	if (*done)
		return remove_records(p, h->id, le64_to_cpu(m->parent));
	m->free_cursor = cpu_to_le64(cursor);
	m->owned = cpu_to_le64(le64_to_cpu(m->owned) - freed);
	h->owned = le64_to_cpu(m->owned);
	return put_map(p, h->id, m);
}

/* ------------------------------------------------------------------ one child: collapse */

static int note_moved(struct lb_pool *p, u64 vol, const struct lb_map_record *m)
{
	struct lb_moved *mv = port_alloc(sizeof(*mv), PORT_WAIT);

	if (!mv)
		return -ENOMEM;
	mv->vol = vol;
	mv->origin = le64_to_cpu(m->origin);
	mv->low_origin = le64_to_cpu(m->low_origin);
	mv->cursor = le64_to_cpu(m->cursor);
	mv->owned = (s64)le64_to_cpu(m->owned);
	lb_list_add_tail(&mv->link, &p->moved);
	return 0;
}

/* The last step: the child takes the parent's place. */
static int collapse_finish(struct lb_pool *p, u64 parent_id, const struct lb_map_record *parent, u64 child_id, struct lb_map_record *child)
{
	struct lb_kvlist l;
	int err;

	child->parent = parent->parent;
	child->origin = parent->origin;
	child->low_origin = 0;
	child->cursor = 0;
	child->owned = cpu_to_le64(le64_to_cpu(child->owned) + le64_to_cpu(parent->owned));
	err = remove_records(p, parent_id, le64_to_cpu(parent->parent));
	if (err)
		return err;
	lb_kvlist_init(&l);
	err = lb_del_child(&l, parent_id, child_id);
	if (!err)
		err = lb_put_child(&l, le64_to_cpu(parent->parent), child_id);
	if (!err)
		err = lb_sealed_apply(p, &l);
	lb_kvlist_free(&l);
	return err;
}

static int collapse_step(struct lb_pool *p, struct lb_tree_writer *w, struct lb_hidden *h, struct lb_map_record *m, u64 child_id,
			 unsigned int budget, bool *done, s64 *data_delta)
{
	struct lb_ref root = lb_ref_decode(&m->root), child_root;
	struct lb_map_record child;
	u64 cursor, freed = 0;
	int err = lb_cat_map(p, LB_CAT_SEALED, child_id, &child);

	if (err)
		return err == -ENOENT ? -EUCLEAN : err;
	child_root = lb_ref_decode(&child.root);
	cursor = le64_to_cpu(child.cursor);
	if (root.addr)
		err = lb_map_collapse_step(w, &root, le64_to_cpu(m->origin), &child_root, &cursor, budget, &freed);
	else
		cursor = ~0ULL;
	if (err)
		return err;
	*data_delta -= (s64)freed;
	m->owned = cpu_to_le64(le64_to_cpu(m->owned) - freed);
	h->owned = le64_to_cpu(m->owned);
	*done = cursor == ~0ULL;
	if (*done) {
		err = collapse_finish(p, h->id, m, child_id, &child);
	} else {
		child.cursor = cpu_to_le64(cursor);
		child.low_origin = m->origin;
		err = put_map(p, h->id, m);
	}
	if (!err)
		err = put_map(p, child_id, &child);
	if (!err)
		err = note_moved(p, child_id, &child);
	return err;
}

/* ------------------------------------------------------------------ one step */

/* May h's volume be collapsed into this child? Its tree must be whole. */
static int child_ready(struct lb_pool *p, u64 child, bool *ready)
{
	struct lb_map_record m;
	struct lb_vol_full v;
	unsigned int n;
	u64 one;
	int err = lb_cat_vol(p, LB_CAT_SEALED, child, &v);

	if (!err)
		err = lb_cat_map(p, LB_CAT_SEALED, child, &m);
	if (!err)
		err = lb_cat_children(p, LB_CAT_SEALED, child, 2, &n, &one);
	if (err)
		return err == -ENOENT ? -EUCLEAN : err;
	/* With a cursor the collapse is under way, and the child waits for it; with several children nothing of it has been freed. */
	*ready = le32_to_cpu(v.rec.state) == LB_VOL_LIVE || m.cursor || n > 1;
	return 0;
}

static int work_on(struct lb_pool *p, struct lb_tree_writer *w, struct lb_hidden *h, unsigned int budget, bool *done, s64 *data_delta)
{
	struct lb_map_record m;
	struct lb_vol_full v;
	unsigned int children;
	u64 child;
	int err = lb_cat_vol(p, LB_CAT_SEALED, h->id, &v);

	*done = false;
	if (err == -ENOENT || (!err && le32_to_cpu(v.rec.state) != LB_VOL_DELETED)) {
		/* Its deletion is in the next generation; or it came to nothing, and there is nothing to do for good. */
		err = lb_cat_vol(p, LB_CAT_ALL, h->id, &v);
		h->waits = err || le32_to_cpu(v.rec.state) != LB_VOL_DELETED;
		return err == -ENOENT ? 0 : err;
	}
	if (!err)
		err = lb_cat_map(p, LB_CAT_SEALED, h->id, &m);
	if (!err)
		err = lb_cat_children(p, LB_CAT_SEALED, h->id, 2, &children, &child);
	if (err)
		return err == -ENOENT ? -EUCLEAN : err;
	h->owned = le64_to_cpu(m.owned);
	h->waits = m.cursor || children > 1;
	if (!h->waits && children) {
		bool ready;

		err = child_ready(p, child, &ready);
		if (err)
			return err;
		h->waits = !ready;
	}
	if (h->waits)
		return 0;
	return children ? collapse_step(p, w, h, &m, child, budget, done, data_delta) : free_step(p, w, h, &m, budget, done, data_delta);
}

int lb_maintain_step(struct lb_pool *p, struct lb_tree_writer *w, s64 *data_delta)
{
	struct lb_hidden *h, *next;
	unsigned int budget = p->step_budget;
	bool more = false, done;
	int err;

	p->removed = 0;
	lb_list_for_each_entry_safe(h, next, &p->hidden, link) {
		if (!budget) {
			more = more || !h->waits;
			break;
		}
		if (h->waits)
			continue;
		err = work_on(p, w, h, budget, &done, data_delta);
		if (err)
			return err;
		if (done) {
			lb_list_del(&h->link);
			lb_list_add_tail(&h->link, &p->hidden_done);
			p->hidden_count--;
			p->removed++;
			budget -= min_t(unsigned int, budget, 8);
		} else if (!h->waits) {
			more = true;
			budget = 0;
		}
	}
	if (p->removed) {
		hidden_wake(p);
		more = more || !lb_list_empty(&p->hidden);
	}
	WRITE_ONCE(p->maintenance, more);
	WRITE_ONCE(p->maintain_due_ns, more ? port_now_ns() : 0);
	return 0;
}

/* The lists as they were before the step; what is known of those that wait is found out again. */
void lb_maintain_undo(struct lb_pool *p)
{
	struct lb_moved *m, *next;

	lb_list_for_each_entry_safe(m, next, &p->moved, link) {
		lb_list_del(&m->link);
		port_free(m);
	}
	lb_list_splice_tail_init(&p->hidden_done, &p->hidden);
	p->hidden_count += p->removed;
	p->removed = 0;
	hidden_wake(p);
}

void lb_maintain_publish(struct lb_pool *p)
{
	struct lb_hidden *h, *next_h;
	struct lb_moved *m, *next;
	unsigned long flags;
	struct lb_vol *v;

	lb_list_for_each_entry_safe(h, next_h, &p->hidden_done, link) {
		lb_list_del(&h->link);
		port_free(h);
	}
	lb_list_for_each_entry_safe(m, next, &p->moved, link) {
		v = lb_vol_lookup(p, m->vol);
		if (v) {
			flags = lb_view_lock(v);
			v->owner.origin = m->origin;
			v->owner.low_origin = m->low_origin;
			v->owner.cursor = m->cursor;
			/* As the record has it, with this commit's merge: it may have been loaded from that very record. */
			v->owned = m->owned;
			lb_view_unlock(v, flags);
		}
		lb_list_del(&m->link);
		port_free(m);
	}
	if (p->removed)
		lb_pool_event(p, LB_EV_SPACE_FREED, 0, lb_space_free_blocks(p->space), NULL);
	p->removed = 0;
}
