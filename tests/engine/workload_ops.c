// SPDX-License-Identifier: GPL-2.0
/*
 * Doing a script's operations, each on the pool and on the model: requests and the pool as a whole (I/O is in workload_io.c).
 *
 * A request is atomic: a cut within it leaves the state before or that after. So the state before an operation is copied when a cut is to come within it, and whatever the
 * cut leaves must fit one of the two.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "pool_priv.h"
#include "workload_priv.h"

/* ------------------------------------------------------------------ requests */

static bool request_error(struct workload *w, int err, const char *what)
{
	struct lb_pool_stat st;

	if (!err)
		return true;
	lb_pool_stat(w->h.pool, &st);
	if (err == -ENOSPC && st.free_blocks < st.total_blocks / 16 + 64) {
		w->res->nospc++;
		return true;
	}
	return workload_wrong(w, "%s: error %d (%llu blocks free)", what, err, (unsigned long long)st.free_blocks);
}

/* An attribute that rides along with a request that makes a volume. */
struct rider {
	struct lb_attr_change change;
	struct lb_tx tx;
	struct model_attr attr;
	unsigned int key;
	u8 value[3000];
};

static const struct lb_tx *rider_make(struct rider *r, u64 seed)
{
	static const char *const keys[MODEL_ATTRS] = { "key0", "key1", "key2", "key3" };

	if (!seed)
		return NULL;
	r->attr = (struct model_attr){ .there = true, .len = (u32)workload_chance(&seed, sizeof(r->value)), .seed = (u32)workload_chance(&seed, 1000) };
	model_attr_value(&r->attr, r->value);
	r->key = (unsigned int)workload_chance(&seed, MODEL_ATTRS);
	r->change = (struct lb_attr_change){ .vol = LB_NEW_VOLUME, .key = keys[r->key], .key_len = 4, .value = r->value, .value_len = r->attr.len };
	r->tx = (struct lb_tx){ .changes = &r->change, .count = 1 };
	return &r->tx;
}

/* Its name: nobody else has had it. */
static void name_it(char name[24], u32 label)
{
	snprintf(name, 24, "v%u", label);
}

static struct model_vol *new_volume(struct workload *w, u64 id, u32 label, u64 blocks)
{
	struct model_vol *v = model_slot(w->m);
	char name[24];

	name_it(name, label);
	model_vol_init(v, id, name, blocks);
	v->label = label;
	return v;
}

static bool op_create(struct workload *w, const struct script_op *op)
{
	struct model_vol *v;
	struct rider r = { .key = 0 };
	const struct lb_tx *tx = rider_make(&r, op->seed);
	char name[24];
	u64 id;
	int err;

	if (!model_slot(w->m) || model_find_label(w->m, op->to))
		return true;
	name_it(name, op->to);
	err = lb_vol_create(w->h.pool, name_of(name), op->at, op->count, tx, &id);
	if (err)
		return request_error(w, err, "create");
	v = new_volume(w, id, op->to, op->at);
	v->quota = op->count;
	if (tx)
		v->attrs[r.key] = r.attr;
	return true;
}

/* A frozen source: a child of it. */
static bool make_child(struct workload *w, const struct model_vol *p, const struct script_op *op)
{
	struct model_vol *v;
	struct rider r = { .key = 0 };
	const struct lb_tx *tx = rider_make(&r, op->seed);
	char name[24];
	u64 id;
	int err;

	name_it(name, op->to);
	err = lb_vol_snapshot(w->h.pool, p->id, name_of(name), op->flags & OPF_FROZEN, 0, tx, &id);
	if (err)
		return request_error(w, err, "snapshot of a frozen volume");
	v = new_volume(w, id, op->to, p->blocks);
	model_content_copy(v, p);
	v->frozen = op->flags & OPF_FROZEN;
	v->parent = p->id;
	if (tx)
		v->attrs[r.key] = r.attr;
	return true;
}

/* A writable source: a frozen volume takes its place in the chain. */
static bool make_cut(struct workload *w, struct model_vol *v, const struct script_op *op)
{
	struct model_vol *s;
	char name[24];
	u64 id;
	int err;

	/* Its I/O is held until what is in flight has ended. */
	workload_end_pending(w, v);
	name_it(name, op->to);
	err = lb_vol_snapshot(w->h.pool, v->id, name_of(name), true, 0, NULL, &id);
	if (err)
		return request_error(w, err, "snapshot of a writable volume");
	s = new_volume(w, id, op->to, v->blocks);
	model_content_copy(s, v);
	s->frozen = true;
	s->parent = v->parent;
	v->parent = id;
	model_durable(v);
	return true;
}

static bool op_snapshot(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_vol(w, op);

	if (!v || !model_slot(w->m) || model_find_label(w->m, op->to))
		return true;
	return v->frozen ? make_child(w, v, op) : make_cut(w, v, op);
}

static bool op_freeze(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_writable(w, op);
	int err;

	if (!v)
		return true;
	workload_close_disk(w, v);
	err = lb_vol_freeze(w->h.pool, v->id, (struct lb_name){ .s = "", .len = 0 }, NULL);
	if (err)
		return request_error(w, err, "freeze");
	v->frozen = true;
	model_durable(v);
	return true;
}

static bool op_remove(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_vol(w, op);
	unsigned int i;
	u64 id;
	int err;

	if (!v)
		return true;
	workload_close_disk(w, v);
	err = lb_vol_remove(w->h.pool, v->id, false, NULL);
	if (err)
		return workload_wrong(w, "remove: error %d", err);
	id = v->id;
	for (i = 0; i < MODEL_VOLS; i++)
		if (w->m->vols[i].live && w->m->vols[i].parent == id)
			w->m->vols[i].parent = v->parent;
	model_vol_clear(v);
	return true;
}

static bool is_ancestor(struct workload *w, const struct model_vol *s, const struct model_vol *v)
{
	while (v && v->parent && v->parent != s->id)
		v = model_find(w->m, v->parent);
	return v && v->parent;
}

static bool op_rollback(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_writable(w, op), *s = model_find_label(w->m, op->to);
	int err;

	if (!v || !s || !is_ancestor(w, s, v))
		return true;
	workload_close_disk(w, v);
	err = lb_vol_rollback(w->h.pool, v->id, s->id);
	if (err)
		return request_error(w, err, "rollback");
	model_content_copy(v, s);
	v->parent = s->id;
	return true;
}

static bool op_resize(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_writable(w, op);
	struct lb_vol_change ch = { .set = LB_SET_SIZE, .size_blocks = op->at };
	bool shrink;
	int err;

	if (!v)
		return true;
	workload_end_pending(w, v);
	shrink = ch.size_blocks < v->blocks;
	if (shrink)
		ch.set |= LB_SET_SHRINK;
	err = lb_vol_set(w->h.pool, v->id, &ch, NULL);
	if (err)
		return request_error(w, err, "resize");
	if (v->disk && lb_vol_blocks(v->disk->vol) != ch.size_blocks)
		return workload_wrong(w, "the open volume does not have the new size");
	model_resize(v, ch.size_blocks);
	if (shrink)
		model_durable(v);
	return true;
}

static bool op_rename(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_vol(w, op);
	struct lb_vol_change ch = { .set = LB_SET_NAME };
	char name[24];
	int err;

	if (!v)
		return true;
	name_it(name, op->to);
	ch.name = name_of(name);
	if (!v->frozen && (op->flags & OPF_QUOTA)) {
		ch.set |= LB_SET_QUOTA;
		ch.quota = op->count;
	}
	err = lb_vol_set(w->h.pool, v->id, &ch, NULL);
	if (err)
		return request_error(w, err, "rename");
	memcpy(v->name, name, sizeof(v->name));
	if (ch.set & LB_SET_QUOTA)
		v->quota = ch.quota;
	return true;
}

static bool op_attr(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_vol(w, op);
	struct model_attr now = { .there = !(op->flags & OPF_DELETE), .len = (u32)op->count, .seed = (u32)op->seed };
	struct lb_attr_change ch = { .vol = v ? v->id : 0, .key_len = 4 };
	struct lb_tx tx = { .changes = &ch, .count = 1 };
	char key[8];
	u8 *value;
	int err;

	if (op->vol && !v)
		return true;
	if (!now.there) {
		now = (struct model_attr){ .there = false };
		ch.flags = LB_CHANGE_DELETE;
	}
	snprintf(key, sizeof(key), "key%u", (unsigned int)op->at % MODEL_ATTRS);
	value = malloc(now.len + 1);
	assert(value);
	model_attr_value(&now, value);
	ch.key = key;
	ch.value = value;
	ch.value_len = now.len;
	err = lb_vol_set(w->h.pool, ch.vol, NULL, &tx);
	free(value);
	if (err)
		return request_error(w, err, "attribute");
	*(v ? &v->attrs[op->at % MODEL_ATTRS] : &w->m->attrs[op->at % MODEL_ATTRS]) = now;
	return true;
}

/* ------------------------------------------------------------------ the pool */

static bool op_commit(struct workload *w, const struct script_op *op)
{
	int err = lb_pool_commit(w->h.pool);

	(void)op;
	if (err)
		return workload_wrong(w, "commit: error %d", err);
	model_durable_all(w->m);
	return true;
}

static bool op_step(struct workload *w, const struct script_op *op)
{
	int err = lb_commit(w->h.pool, NULL);

	(void)op;
	return !err || workload_wrong(w, "one commit: error %d", err);
}

static bool op_work(struct workload *w, const struct script_op *op)
{
	port_clock_advance(op->at * 1000000);
	if (op->flags & OPF_COMMIT)
		lb_work_commit(w->h.pool);
	if (op->flags & OPF_RECLAIM) {
		/* Reclaim waits for whoever is within lb_io_enter(). */
		workload_end_pending(w, NULL);
		lb_work_reclaim(w->h.pool);
	}
	return true;
}

static bool op_background(struct workload *w, const struct script_op *op)
{
	(void)op;
	if (!w->half_count)
		host_work(&w->h);
	return true;
}

static bool op_grow(struct workload *w, const struct script_op *op)
{
	u64 now;
	int err;

	if (op->at <= w->m->total_blocks || op->at > w->opts->grow_blocks)
		return true;
	workload_end_pending(w, NULL);
	err = lb_pool_grow(w->h.pool, op->at, &now);
	if (err)
		return workload_wrong(w, "grow: error %d", err);
	w->m->total_blocks = now;
	return now == op->at || workload_wrong(w, "grow: %llu blocks", (unsigned long long)now);
}

/* Every block that differs between two frozen volumes must be in a range of their diff. */
static bool op_diff(struct workload *w, const struct script_op *op)
{
	struct model_vol *a = workload_vol(w, op), *b = model_find_label(w->m, op->to);
	struct lb_diff_range r[7];
	u64 cursor = 0, block = 0, s;
	unsigned int n, i;
	int err;

	if (!a || !b || !a->frozen || !b->frozen)
		return true;
	while (cursor != ~0ULL) {
		u64 from = cursor;

		n = ARRAY_SIZE(r);
		err = lb_diff(w->h.pool, a->id, b->id, &cursor, r, &n);
		if (err || cursor <= from)
			return workload_wrong(w, "diff: error %d, cursor %llu", err, (unsigned long long)cursor);
		for (i = 0; i <= n; i++) {
			u64 end = i < n ? r[i].start : min_t(u64, cursor, a->blocks);

			for (; block < end; block++)
				for (s = block * SECTORS; s < (block + 1) * SECTORS; s++)
					if ((block < a->blocks ? a->now[s] : 0) != (block < b->blocks ? b->now[s] : 0))
						return workload_wrong(w, "diff misses block %llu", (unsigned long long)block);
			if (i < n)
				block = r[i].start + r[i].count;
		}
	}
	return true;
}

static bool op_scrub(struct workload *w, const struct script_op *op)
{
	struct lb_pool_stat st;
	int err = lb_pool_scrub(w->h.pool, true);

	(void)op;
	if (err)
		return workload_wrong(w, "scrub: error %d", err);
	workload_end_pending(w, NULL);
	lb_work_commit(w->h.pool);
	lb_pool_stat(w->h.pool, &st);
	return !st.scrub_errors || workload_wrong(w, "scrub found %llu errors", (unsigned long long)st.scrub_errors);
}

static bool op_shrink_cache(struct workload *w, const struct script_op *op)
{
	lb_cache_shrink(w->h.pool, op->count ? op->count : ~0ULL);
	return true;
}

static bool op_verify(struct workload *w, const struct script_op *op)
{
	(void)op;
	return model_verify(w->m, &w->h, MODEL_LIVE, false);
}

bool workload_close(struct workload *w, const char *when)
{
	int err;

	workload_close_disks(w);
	err = host_close(&w->h);
	if (err)
		return workload_wrong(w, "close: error %d", err);
	model_durable_all(w->m);
	return model_check(w->m, w->h.dev, when);
}

static bool op_reopen(struct workload *w, const struct script_op *op)
{
	(void)op;
	return workload_close(w, "after closing") && workload_open(w) && model_verify(w->m, &w->h, MODEL_LIVE, false);
}

static bool op_power_cut(struct workload *w, const struct script_op *op)
{
	return workload_power_cut(w, op->seed);
}

/* ------------------------------------------------------------------ all of them */

static bool (*const ops[OP_KINDS])(struct workload *w, const struct script_op *op) = {
	[OP_WRITE] = workload_op_write, [OP_SCATTER] = workload_op_scatter, [OP_ZERO] = workload_op_zero, [OP_DISCARD] = workload_op_discard, [OP_FLUSH] = workload_op_flush,
	[OP_BEGIN] = workload_op_begin, [OP_END] = workload_op_end, [OP_READ] = workload_op_read, [OP_CREATE] = op_create, [OP_SNAPSHOT] = op_snapshot,
	[OP_FREEZE] = op_freeze, [OP_REMOVE] = op_remove, [OP_ROLLBACK] = op_rollback, [OP_RESIZE] = op_resize, [OP_RENAME] = op_rename,
	[OP_ATTR] = op_attr, [OP_COMMIT] = op_commit, [OP_STEP] = op_step, [OP_WORK] = op_work, [OP_BACKGROUND] = op_background,
	[OP_GROW] = op_grow, [OP_DIFF] = op_diff, [OP_SCRUB] = op_scrub, [OP_SHRINK_CACHE] = op_shrink_cache, [OP_VERIFY] = op_verify,
	[OP_REOPEN] = op_reopen, [OP_POWER_CUT] = op_power_cut,
};

static void end_all_pending(void *arg)
{
	workload_end_pending(arg, NULL);
}

/* Whatever commits may reclaim, and so wait for what is in flight, when space is tight or a round for space was asked for. */
static void end_pending_if_tight(struct workload *w)
{
	struct lb_pool *p = w->h.pool;
	struct lb_pool_stat st;

	if (!w->half_count)
		return;
	lb_pool_stat(p, &st);
	if (p->room_asked > p->room_done || st.free_blocks < st.total_blocks / 2 + 200)
		workload_end_pending(w, NULL);
}

bool workload_op(struct workload *w, const struct script_op *op)
{
	end_pending_if_tight(w);
	if (!ops[op->kind](w, op))
		return false;
	w->res->ops[op->kind]++;
	return true;
}

bool workload_do(struct workload *w, const struct script_op *op)
{
	bool ok;

	if (!op->cut)
		return workload_op(w, op);
	workload_arm(w, op->cut, op->cut_seed);
	ok = workload_op(w, op);
	return workload_disarm(w) && ok;
}

bool workload_open(struct workload *w)
{
	int err = host_open(&w->h, 0);

	if (err)
		return workload_wrong(w, "opening the pool: error %d", err);
	w->h.before_wait = end_all_pending;
	w->h.before_wait_arg = w;
	if (w->opts->step_budget)
		w->h.pool->step_budget = w->opts->step_budget;
	return true;
}

static bool remove_all(struct workload *w)
{
	unsigned int i;

	for (i = 0; i < MODEL_VOLS; i++) {
		struct model_vol *v = &w->m->vols[i];

		if (!v->live)
			continue;
		workload_close_disk(w, v);
		if (lb_vol_remove(w->h.pool, v->id, false, NULL))
			return workload_wrong(w, "removing vol %llu at the end", (unsigned long long)v->id);
		model_vol_clear(v);
	}
	return true;
}

bool workload_delete_all(struct workload *w)
{
	struct lb_pool_stat st;
	unsigned int i;

	if (!remove_all(w))
		return false;
	for (i = 0; i < 2000; i++) {
		port_clock_advance(2000000000);
		if (lb_pool_commit(w->h.pool))
			return workload_wrong(w, "committing at the end");
		lb_work_commit(w->h.pool);
		lb_work_reclaim(w->h.pool);
		lb_pool_stat(w->h.pool, &st);
		if (!st.hidden_volumes)
			break;
	}
	w->res->commits = st.generation;
	if (st.hidden_volumes || st.data_blocks)
		return workload_wrong(w, "at the end %llu deleted volumes and %llu data blocks are left", (unsigned long long)st.hidden_volumes,
			     (unsigned long long)st.data_blocks);
	return workload_close(w, "at the end");
}
