// SPDX-License-Identifier: GPL-2.0
/*
 * Random histories of volumes against a model that is an array: merges, snapshots of frozen and of writable volumes,
 * deletions in steps, collapses in steps under volumes that go on being written, aborted commits. After each commit the
 * trees are compared with the model, their structure is checked, and the image with what is reachable.
 *
 * The model knows of each block whose it is. A parent's block passes to its child when the collapse's cursor passes it
 * and the child maps it; the trees must come to the same by generations alone.
 */
#include "treelab.h"

#define VOLS	10
#define SAME	(~0u)		/* in `want`: no change */

enum vol_state { FREE, WRITABLE, FROZEN, HIDDEN, DYING };

struct vol {
	enum vol_state state;
	int parent;		/* -1: none */
	u64 origin, low_origin, cursor, frozen, free_cursor;
	struct lab_tree t;
	u32 *map;		/* block by block, 0: a hole */
};

struct model {
	struct vol v[VOLS];
	u8 *owner;		/* of each block: volume + 1 */
	u32 *maps;
};

struct world {
	struct lab *lab;
	u64 size;		/* blocks of a volume */
	unsigned int budget;	/* of a step, at the most */
	bool collapse_only;	/* one volume, whose parent is collapsed into it, again and again */
	struct model now, saved;
	u32 *want;
	struct lab_changes ch;
	u32 *fresh;		/* runs allocated for the commit under way: block, count */
	u64 nfresh;
	u64 merges, collapses, frees, aborts, max_level, straddles;
};

/* ------------------------------------------------------------------ the model as a whole */

static void model_alloc(struct world *w, struct model *m)
{
	int i;

	m->owner = calloc(1, w->lab->blocks);
	m->maps = calloc(VOLS * w->size, sizeof(u32));
	assert_true(m->owner && m->maps);
	for (i = 0; i < VOLS; i++)
		m->v[i].map = m->maps + (u64)i * w->size;
}

static void model_copy(struct world *w, struct model *to, const struct model *from)
{
	int i;

	memcpy(to->owner, from->owner, w->lab->blocks);
	for (i = 0; i < VOLS; i++) {
		u32 *map = to->v[i].map;

		to->v[i] = from->v[i];
		to->v[i].map = map;
		if (from->v[i].state != FREE)
			memcpy(map, from->v[i].map, w->size * sizeof(u32));
	}
}

static int children(const struct model *m, int i, int *one)
{
	int k, n = 0;

	for (k = 0; k < VOLS; k++)
		if (m->v[k].state != FREE && m->v[k].parent == i) {
			*one = k;
			n++;
		}
	return n;
}

static int pick(const struct model *m, enum vol_state a, enum vol_state b)
{
	int i, n = 0, found = -1;

	for (i = 0; i < VOLS; i++)
		if ((m->v[i].state == a || m->v[i].state == b) && !lab_rand((u64)++n))
			found = i;
	return found;
}

static int new_vol(struct world *w, int parent)
{
	struct vol *v = w->now.v;
	int i;

	for (i = 0; i < VOLS && v[i].state != FREE; i++)
		;
	if (i == VOLS)
		return -1;
	v[i] = (struct vol){ .state = WRITABLE, .parent = parent, .map = v[i].map };
	memset(v[i].map, 0, w->size * sizeof(u32));
	if (parent >= 0) {
		v[i].origin = v[parent].frozen;
		v[i].t = v[parent].t;
		v[i].t.owned = 0;
		memcpy(v[i].map, v[parent].map, w->size * sizeof(u32));
	}
	return i;
}

/* ------------------------------------------------------------------ requests, between commits */

/* The snapshot takes the volume's place, and all that is its own; the volume goes on as its child. */
static void snapshot_writable(struct world *w, int i)
{
	struct vol *v = w->now.v;
	u32 *map;
	int s = new_vol(w, -1);
	u64 k;

	if (s < 0)
		return;
	map = v[s].map;
	v[s] = v[i];
	v[s].map = map;
	memcpy(map, v[i].map, w->size * sizeof(u32));
	v[s].state = FROZEN;
	v[s].frozen = w->lab->gen;
	for (k = 0; k < w->lab->blocks; k++)
		if (w->now.owner[k] == i + 1)
			w->now.owner[k] = (u8)(s + 1);
	v[i].parent = s;
	v[i].origin = v[s].frozen;
	v[i].low_origin = 0;
	v[i].cursor = 0;
	v[i].t.owned = 0;
}

static void remove_vol(struct world *w, int i)
{
	int one;

	w->now.v[i].state = children(&w->now, i, &one) ? HIDDEN : DYING;
}

static void requests_collapse(struct world *w)
{
	struct model *m = &w->now;
	int i = pick(m, WRITABLE, WRITABLE);

	if (i < 0)
		new_vol(w, -1);
	else if (m->v[i].parent < 0 && m->v[i].t.root.addr && !lab_rand(3))
		snapshot_writable(w, i);
	else if (m->v[i].parent >= 0 && m->v[m->v[i].parent].state == FROZEN && !lab_rand(3))
		remove_vol(w, m->v[i].parent);
	else if (m->v[i].cursor && !lab_rand(30))
		snapshot_writable(w, i);
}

static void requests(struct world *w)
{
	struct model *m = &w->now;
	int i;

	if (w->collapse_only) {
		requests_collapse(w);
		return;
	}

	if (!lab_rand(8)) {
		i = pick(m, FROZEN, FROZEN);
		if (i >= 0)
			new_vol(w, i);
	}
	if (!lab_rand(4)) {
		i = pick(m, WRITABLE, WRITABLE);
		if (i >= 0)
			snapshot_writable(w, i);
	}
	if (!lab_rand(20)) {
		i = pick(m, WRITABLE, WRITABLE);
		if (i >= 0) {
			m->v[i].state = FROZEN;
			m->v[i].frozen = w->lab->gen;
		}
	}
	if (!lab_rand(5)) {
		i = pick(m, FROZEN, FROZEN);
		if (i >= 0)
			remove_vol(w, i);
	}
	if (!lab_rand(25)) {
		i = pick(m, WRITABLE, WRITABLE);
		if (i >= 0)
			remove_vol(w, i);
	}
	if (pick(m, WRITABLE, WRITABLE) < 0)
		new_vol(w, pick(m, FROZEN, FROZEN));
}

/* ------------------------------------------------------------------ changes */

#define WRITE	1u

static void mark(struct world *w, u64 lblk, u64 count, u32 what)
{
	for (; count && lblk < w->size; count--, lblk++)
		w->want[lblk] = what;
}

static u64 mapped_end(const struct world *w, const struct vol *v)
{
	u64 end = w->size;

	while (end && !v->map[end - 1])
		end--;
	return end;
}

/* Where a collapse is under way: what goes wrong there goes wrong at nodes and extents that lie across the cursor. */
static void around_cursor(struct world *w, const struct vol *v)
{
	u64 reach = 1 + lab_rand(lab_rand(2) ? 500 : w->size), at = v->cursor - min_t(u64, v->cursor, lab_rand(reach)), n;

	switch (lab_rand(6)) {
	case 0:		/* what is behind it goes */
		mark(w, v->cursor, lab_rand(2) ? w->size : reach, 0);
		break;
	case 1:		/* the last thing before it changes */
	case 2:
		for (n = v->cursor; n && !v->map[n - 1]; n--)
			;
		mark(w, n ? n - 1 : 0, 1, lab_rand(3) ? WRITE : 0);
		break;
	case 3:		/* something before it changes */
		mark(w, at, 1, lab_rand(2) ? WRITE : 0);
		break;
	case 4:		/* across */
		mark(w, at, v->cursor - at + lab_rand(reach), lab_rand(2) ? WRITE : 0);
		break;
	default:
		for (n = lab_rand(40); n; n--)
			mark(w, at + lab_rand(2 * reach), 1 + lab_rand(4), lab_rand(2) ? WRITE : 0);
	}
}

/* Decide what changes: WRITE or 0 (unmap) in `want`, SAME elsewhere. */
static void choose_changes(struct world *w, int i)
{
	const struct vol *v = &w->now.v[i];
	u64 n = 1 + lab_rand(lab_rand(4) ? 60 : w->size / 4), k, at;
	bool first = !v->t.root.addr && lab_rand(4);

	mark(w, 0, w->size, SAME);
	if (v->cursor && v->cursor < w->size && lab_rand(w->collapse_only ? 10 : 2)) {
		around_cursor(w, v);
		return;
	}
	if (w->collapse_only && v->parent >= 0)		/* little, so that much stays shared */
		n = 1 + lab_rand(5);
	switch (first ? 5 + lab_rand(2) * 7 : w->collapse_only && v->parent >= 0 ? lab_rand(2) * 6 : lab_rand(13)) {
	case 0:		/* random blocks, everywhere */
	case 1:
		for (k = 0; k < n; k++)
			mark(w, lab_rand(w->size), 1, WRITE);
		break;
	case 2:		/* random short runs */
		for (k = 0; k < n; k++)
			mark(w, lab_rand(w->size), 1 + lab_rand(9), WRITE);
		break;
	case 3:		/* one long run */
		mark(w, lab_rand(w->size), 1 + lab_rand(w->size), WRITE);
		break;
	case 4:		/* append */
		at = mapped_end(w, v);
		for (k = 0; k < n; k++, at += 1 + lab_rand(2))
			mark(w, at, 1, WRITE);
		break;
	case 5:		/* every other block of a part */
		at = first ? 0 : lab_rand(w->size);
		for (k = 0; k < (first ? w->size : 2 * n); k++)
			mark(w, at + 2 * k, 1, WRITE);
		break;
	case 6:		/* small holes */
		for (k = 0; k < n; k++)
			mark(w, lab_rand(w->size), 1 + lab_rand(5), 0);
		break;
	case 7:		/* a large hole, perhaps all of it, with something written in it or at its edges */
		at = lab_rand(3) ? lab_rand(w->size) : 0;
		mark(w, at, lab_rand(3) ? lab_rand(w->size) : w->size, 0);
		for (k = lab_rand(6); k; k--)
			mark(w, lab_rand(w->size), 1, WRITE);
		break;
	case 8:		/* a hole and a new run, next to each other, many times */
		for (k = 0; k < n / 8 + 1; k++) {
			at = lab_rand(w->size);
			mark(w, at, 1 + lab_rand(300), 0);
			mark(w, at + lab_rand(300), 1 + lab_rand(40), WRITE);
		}
		break;
	case 9:		/* the tail goes */
		mark(w, mapped_end(w, v) - lab_rand(mapped_end(w, v) + 1), w->size, 0);
		break;
	case 10:	/* nothing stays but a part */
		at = lab_rand(w->size);
		mark(w, 0, at, 0);
		mark(w, at + lab_rand(2) * lab_rand(3000), w->size, 0);
		break;
	case 11:	/* a third of all */
		for (k = 0; k < w->size / 3; k++)
			mark(w, lab_rand(w->size), 1, WRITE);
		break;
	default:	/* near one place */
		at = lab_rand(w->size);
		for (k = 0; k < n; k++)
			mark(w, at + lab_rand(700), 1, lab_rand(3) ? WRITE : 0);
	}
}

/*
 * Blocks for a run to be written: as changes, in pieces now and then. Some owned blocks are written where they are
 * already, as a replay might.
 */
static void write_run(struct world *w, int i, u64 lblk, u64 count)
{
	const struct vol *v = &w->now.v[i];

	while (count) {
		u64 want = lab_rand(3) ? count : 1 + lab_rand(count), got = 1, k, pblk = v->map[lblk];

		if (!pblk || w->now.owner[pblk] != i + 1 || lab_rand(8)) {
			if (lblk && v->map[lblk - 1] && lab_rand(4))	/* next to what lies before it, whoever's that is */
				pblk = v->map[lblk - 1] + 1;
			else if (lab_rand(2))
				pblk = 0;
			pblk = lab_alloc(w->lab, want, pblk, &got);
			w->fresh[w->nfresh++] = (u32)pblk;
			w->fresh[w->nfresh++] = (u32)got;
		}
		for (k = 0; k < got; k++)
			w->want[lblk + k] = (u32)(pblk + k);
		lab_change(&w->ch, lblk, got, pblk);
		lblk += got;
		count -= got;
	}
}

static void make_changes(struct world *w, int i)
{
	u64 k = 0, n;

	while (k < w->size) {
		u32 what = w->want[k];

		for (n = 1; k + n < w->size && w->want[k + n] == what; n++)
			;
		if (what == WRITE)
			write_run(w, i, k, n);
		else if (what == 0)
			lab_change(&w->ch, k, k + n == w->size && lab_rand(2) ? LB_LBLK_MAX + 1 - k : n, LB_PBLK_HOLE);
		k += n;
	}
}

/* The model's side of the merge; returns the change in owned blocks. */
static s64 apply(struct world *w, int i)
{
	struct vol *v = &w->now.v[i];
	u8 *owner = w->now.owner;
	s64 owned = 0;
	u64 k;

	for (k = 0; k < w->size; k++) {
		u32 old = v->map[k], new = w->want[k];

		if (new == SAME || new == old)
			continue;
		if (old && owner[old] == i + 1) {
			owner[old] = 0;
			owned--;
		}
		if (new) {
			owner[new] = (u8)(i + 1);
			owned++;
		}
		v->map[k] = new;
	}
	return owned;
}

static struct lb_owner owner_of(const struct world *w, int i)
{
	const struct vol *v = &w->now.v[i];

	return (struct lb_owner){ .vol = (u64)i + 1, .origin = v->origin, .low_origin = v->low_origin, .cursor = v->cursor };
}

static void write_vol(struct world *w, int i)
{
	struct lb_owner o = owner_of(w, i);
	s64 before = w->now.v[i].t.owned, delta;

	choose_changes(w, i);
	make_changes(w, i);
	delta = apply(w, i);
	assert_int_equal(lab_merge(w->lab, &o, &w->now.v[i].t, &w->ch), 0);
	assert_int_equal(w->now.v[i].t.owned - before, delta);
	w->merges++;
}

/* ------------------------------------------------------------------ deletion and collapse */

static void free_step(struct world *w, int i)
{
	struct vol *v = &w->now.v[i];
	u64 from = v->free_cursor, freed = 0, model = 0, k;

	assert_int_equal(lb_map_free_step(&w->lab->w, &v->t.root, v->origin, &v->free_cursor, 1 + (unsigned int)lab_rand(w->budget), &freed), 0);
	assert_true(v->free_cursor > from);
	for (k = from; k < w->size && k < v->free_cursor; k++)
		if (v->map[k] && w->now.owner[v->map[k]] == i + 1) {
			w->now.owner[v->map[k]] = 0;
			model++;
		}
	assert_int_equal(freed, model);
	w->frees++;
	if (v->free_cursor == ~0ULL)
		v->state = FREE;
}

static void collapse_done(struct world *w, int p, int c)
{
	struct vol *pv = &w->now.v[p], *cv = &w->now.v[c];
	s64 owned = 0;
	u64 k;

	cv->t.owned += pv->t.owned;
	cv->parent = pv->parent;
	cv->origin = pv->origin;
	cv->low_origin = 0;
	cv->cursor = 0;
	pv->state = FREE;
	for (k = 0; k < w->lab->blocks; k++) {
		assert_int_not_equal(w->now.owner[k], p + 1);
		owned += w->now.owner[k] == c + 1;
	}
	assert_int_equal(cv->t.owned, owned);
}

static void collapse_step(struct world *w, int p, int c)
{
	struct vol *pv = &w->now.v[p], *cv = &w->now.v[c];
	u64 from = cv->cursor, freed = 0, model = 0, k;

	cv->low_origin = pv->origin;
	assert_int_equal(lb_map_collapse_step(&w->lab->w, &pv->t.root, pv->origin, &cv->t.root, &cv->cursor, 1 + (unsigned int)lab_rand(w->budget), &freed), 0);
	assert_true(cv->cursor > from);
	for (k = from; k < w->size && k < cv->cursor; k++) {
		u32 b = pv->map[k];

		if (!b || w->now.owner[b] != p + 1)
			continue;
		w->now.owner[b] = cv->map[k] == b ? (u8)(c + 1) : 0;
		model += cv->map[k] != b;
	}
	assert_int_equal(freed, model);
	pv->t.owned -= (s64)freed;
	w->collapses++;
	if (cv->cursor == ~0ULL)
		collapse_done(w, p, c);
}

/* Is this volume's tree being taken apart? */
static bool shedding(const struct model *m, int i)
{
	int one;

	if (m->v[i].state == DYING)
		return m->v[i].free_cursor > 0;
	return m->v[i].state == HIDDEN && children(m, i, &one) == 1 && m->v[one].cursor > 0;
}

static void maintain(struct world *w)
{
	struct model *m = &w->now;
	int i, one = -1;

	for (i = 0; i < VOLS; i++) {
		if (lab_rand(2))
			continue;
		if (m->v[i].state == DYING && m->v[i].cursor == 0)
			free_step(w, i);
		if (m->v[i].state == HIDDEN && m->v[i].cursor == 0) {
			int n = children(m, i, &one);

			if (n == 0)
				m->v[i].state = DYING;
			else if (n == 1 && !shedding(m, one) && (m->v[one].cursor || m->v[one].state != DYING))
				collapse_step(w, i, one);
		}
	}
}

/* ------------------------------------------------------------------ checks */

struct compare {
	struct world *w;
	int vol;
	u64 at;			/* everything below was seen */
};

static void compare_extent(void *arg, const struct lb_extent_cpu *e)
{
	struct compare *c = arg;
	const struct vol *v = &c->w->now.v[c->vol];
	u64 k;

	for (; c->at < e->lblk; c->at++)
		assert_int_equal(v->map[c->at], 0);
	assert_true(e->lblk + e->count <= c->w->size);
	c->w->straddles += e->lblk < v->cursor && e->lblk + e->count > v->cursor;
	for (k = 0; k < e->count; k++) {
		u64 lblk = e->lblk + k;
		bool owned = e->birth > (lblk < v->cursor ? v->low_origin : v->origin);

		assert_int_equal(v->map[lblk], e->pblk + k);
		if (!shedding(&c->w->now, c->vol))
			assert_int_equal(owned, c->w->now.owner[e->pblk + k] == c->vol + 1);
	}
	c->at = e->lblk + e->count;
}

static void check_vol(struct world *w, int i)
{
	struct vol *v = &w->now.v[i];
	struct compare c = { .w = w, .vol = i };
	struct lab_visit visit = { .extent = compare_extent, .arg = &c };

	assert_int_equal(lab_check_tree(w->lab, &v->t.root, LB_TREE_MAP, &visit), v->t.nodes);
	for (; c.at < w->size; c.at++)
		assert_int_equal(v->map[c.at], 0);
	w->max_level = max_t(u64, w->max_level, v->t.root.level);
}

static void check_lookups(struct world *w, int i)
{
	const struct vol *v = &w->now.v[i];
	int n;

	for (n = 0; n < 50; n++) {
		u64 at = lab_rand(w->size), count = 1 + lab_rand(lab_rand(2) ? 10 : w->size - at), k;
		struct lb_extent_cpu e;
		int err;

		count = min_t(u64, count, w->size - at);
		assert_int_equal(lb_map_lookup(w->lab->cache, &v->t.root, at, count, 0, &e), 0);
		assert_int_equal(e.lblk, at);
		assert_in_range(e.count, 1, count);
		for (k = 0; k < e.count; k++)
			assert_int_equal(v->map[at + k], e.pblk ? e.pblk + k : 0);
		if (!e.pblk && e.count < count)
			assert_true(v->map[at + e.count] != 0);
		err = lb_map_next(w->lab->cache, &v->t.root, at, &e);
		for (k = at; k < w->size && !v->map[k]; k++)
			;
		assert_int_equal(err, k < w->size ? 0 : -ENOENT);
		if (!err)
			assert_true(e.lblk <= k && k < e.lblk + e.count && v->map[k] == e.pblk + (k - e.lblk));
	}
}

static void check_diff(struct world *w, int a, int b)
{
	const struct lb_ref none = { .addr = 0 };
	const struct vol *va = a < 0 ? NULL : &w->now.v[a], *vb = &w->now.v[b];
	u64 from = lab_rand(3) ? 0 : lab_rand(w->size), at = from;

	while (from != ~0ULL) {
		struct lb_diff_run runs[40], *r;
		unsigned int n = 1 + (unsigned int)lab_rand(40), i;

		assert_int_equal(lb_map_diff(w->lab->cache, va ? &va->t.root : &none, &vb->t.root, from, runs, &n, &from), 0);
		for (i = 0; i < n; i++) {
			r = &runs[i];
			for (; at < r->start; at++)
				assert_int_equal(va ? va->map[at] : 0, vb->map[at]);
			for (; at < r->start + r->count; at++) {
				assert_int_not_equal(va ? va->map[at] : 0, vb->map[at]);
				assert_int_equal(r->mapped, vb->map[at] != 0);
			}
			if (i)
				assert_true(r->start > r[-1].start + r[-1].count || r->mapped != r[-1].mapped);
		}
		assert_true(from == ~0ULL || (n && from >= at));
	}
	for (; at < w->size; at++)
		assert_int_equal(va ? va->map[at] : 0, vb->map[at]);
}

static void check_world(struct world *w)
{
	struct model *m = &w->now;
	int i, one = -1, last = -1;

	lab_mark_clear(w->lab);
	for (i = 0; i < VOLS; i++) {
		u64 from = 0;

		if (m->v[i].state == FREE)
			continue;
		if (m->v[i].state == DYING)
			from = m->v[i].free_cursor;
		else if (shedding(m, i) && children(m, i, &one) == 1)
			from = m->v[one].cursor;
		lab_mark_tree(w->lab, &m->v[i].t.root, LB_TREE_MAP, from);
		if (shedding(m, i))
			continue;
		check_vol(w, i);
		check_lookups(w, i);
		check_diff(w, last, i);
		last = i;
	}
	lab_mark_compare(w->lab);
}

/* ------------------------------------------------------------------ a history */

static void one_commit(struct world *w)
{
	struct model *m = &w->now;
	bool abort = !lab_rand(9);
	u64 k;
	int i;

	requests(w);
	model_copy(w, &w->saved, m);
	w->nfresh = 0;
	lab_begin(w->lab);
	for (i = 0; i < VOLS; i++)
		if (m->v[i].state == WRITABLE && lab_rand(4))
			write_vol(w, i);
	maintain(w);
	if (!abort) {
		lab_commit(w->lab);
		return;
	}
	lab_abort(w->lab);
	model_copy(w, m, &w->saved);
	for (k = 0; k < w->nfresh; k += 2)
		lb_space_unalloc(w->lab->space, w->fresh[k], w->fresh[k + 1]);
	w->aborts++;
}

static void history(u64 seed, u64 size, u64 blocks, unsigned int commits, unsigned int budget, bool collapse_only)
{
	struct world w = { .lab = lab_new(blocks, 64 * size), .size = size, .budget = budget, .collapse_only = collapse_only };
	unsigned int n;
	int i;

	lab_srand(seed);
	model_alloc(&w, &w.now);
	model_alloc(&w, &w.saved);
	w.want = calloc(size, sizeof(u32));
	w.fresh = calloc(2 * VOLS * size, sizeof(u32));
	assert_true(w.want && w.fresh);
	for (n = 0; n < commits; n++) {
		one_commit(&w);
		check_world(&w);
	}
	/* Everything goes in the end, and nothing is left behind. */
	for (i = 0; i < VOLS; i++)
		if (w.now.v[i].state == WRITABLE || w.now.v[i].state == FROZEN)
			remove_vol(&w, i);
	for (n = 0; n < 100000 && pick(&w.now, HIDDEN, DYING) >= 0; n++) {
		lab_begin(w.lab);
		maintain(&w);
		lab_commit(w.lab);
		if (!(n % 50))
			check_world(&w);
	}
	check_world(&w);
	for (n = 0; n < blocks; n++)
		assert_int_equal(w.lab->seen[n] && n != w.lab->sroot.root.addr && n != w.lab->sroot.root.addr2, 0);
	print_message("seed %llu: %llu merges, %llu collapse steps, %llu free steps, %llu aborts, top level %llu, %llu extents across a cursor\n",
		      (unsigned long long)seed, (unsigned long long)w.merges, (unsigned long long)w.collapses, (unsigned long long)w.frees,
		      (unsigned long long)w.aborts, (unsigned long long)w.max_level, (unsigned long long)w.straddles);
	free(w.now.owner);
	free(w.now.maps);
	free(w.saved.owner);
	free(w.saved.maps);
	free(w.want);
	free(w.fresh);
	lab_changes_free(&w.ch);
	lab_free(w.lab);
}

static void test_small(void **state)
{
	u64 i, rounds = test_rounds(6);

	(void)state;
	for (i = 0; i < rounds; i++)
		history(test_seed(1) + i, 3000, 3 * LB_REGION_BLOCKS, 200, 6, false);
}

static void test_large(void **state)
{
	u64 i, rounds = test_rounds(2);

	(void)state;
	for (i = 0; i < rounds; i++)
		history(test_seed(1000) + i, 48000, 16 * LB_REGION_BLOCKS, 60, 60, false);
}

static void test_collapse(void **state)
{
	u64 i, rounds = test_rounds(6);

	(void)state;
	for (i = 0; i < rounds; i++)
		history(test_seed(2000) + i, 8000, 3 * LB_REGION_BLOCKS, 300, 1 + i % 3, true);
	for (i = 0; i < (rounds + 5) / 6; i++)		/* three levels */
		history(test_seed(2900) + i, 48000, 16 * LB_REGION_BLOCKS, 80, 40, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_small), cmocka_unit_test(test_collapse), cmocka_unit_test(test_large) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
