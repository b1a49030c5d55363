// SPDX-License-Identifier: GPL-2.0
/*
 * What is left of the maps of damaged families of volumes (a volume, its ancestors, and all that descends from them).
 *
 * 1. Every tree is walked, shared nodes too. What a node that cannot be believed would have held is lost: the range its
 *    parent node gives it.
 * 2. From the youngest up: what a volume shares with its parent (born no later than the parent was frozen) is the
 *    parent's at the same place. Where the parent has lost its own way to it, it is given back.
 * 3. From the oldest down: where a volume has lost a node that its parent owned, it has there what the parent has
 *    now. Then every extent must keep to the rules: owned, and used by nobody else; or the parent's, which has it too.
 *    What does not is lost. A block that two claim belongs to neither: whose it is cannot be known, and showing it
 *    to the wrong one is worse than losing it.
 * 4. From the oldest down: new trees.
 */
#include <stdlib.h>

#include "salvage.h"

#define LBLK_END	(LB_LBLK_MAX + 1)

/* ------------------------------------------------------------------ lists */

int part_add_piece(struct part *p, const struct piece *e)
{
	int err = ck_grow(&p->pieces, &p->piece_room, p->piece_count, sizeof(*p->pieces));

	if (!err)
		p->pieces[p->piece_count++] = *e;
	return err;
}

int part_add_lost(struct part *p, u64 lo, u64 hi, bool shared)
{
	int err;

	if (lo >= hi)
		return 0;
	err = ck_grow(&p->lost, &p->lost_room, p->lost_count, sizeof(*p->lost));
	if (!err)
		p->lost[p->lost_count++] = (struct range){ .lo = lo, .hi = hi, .shared = shared };
	return err;
}

static int cmp_piece(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return (x->lblk > y->lblk) - (x->lblk < y->lblk);
}

static int cmp_range(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

static void sort_pieces(struct part *p)
{
	if (p->piece_count)
		qsort(p->pieces, p->piece_count, sizeof(*p->pieces), cmp_piece);
}

void part_normalize(struct part *p)
{
	size_t i, n = 0;

	sort_pieces(p);
	if (p->lost_count)
		qsort(p->lost, p->lost_count, sizeof(*p->lost), cmp_range);
	for (i = 0; i < p->lost_count; i++) {
		struct range *last = n ? &p->lost[n - 1] : NULL, *r = &p->lost[i];

		if (r->lo >= r->hi)
			continue;
		if (last && r->lo <= last->hi && (r->shared == last->shared || r->hi <= last->hi)) {
			last->hi = max_t(u64, last->hi, r->hi);
			last->shared = last->shared && r->shared;
		} else {
			p->lost[n++] = *r;
		}
	}
	p->lost_count = n;
}

/* The first piece that ends beyond lblk. */
static size_t piece_at(const struct part *p, u64 lblk)
{
	size_t lo = 0, hi = p->piece_count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (p->pieces[mid].lblk + p->pieces[mid].count <= lblk)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The first n blocks of a piece, which loses them. */
static struct piece cut_front(struct piece *e, u64 n)
{
	struct piece front = *e;

	front.count = n;
	e->lblk += n;
	e->pblk += n;
	e->count -= n;
	return front;
}

/* ------------------------------------------------------------------ 1. what can be read */

struct collect {
	struct salvage *s;
	struct part *p;
	struct lb_node *bufs[LB_TREE_MAX_LEVEL + 1];
	bool adopted;			/* below a node that the scan has found */
	bool in_shared;			/* below a node that an ancestor owns */
	u64 from;			/* what ends at or below it has been given up by the volume */
	u64 size;			/* the volume ends here */
};

struct place {
	u64 lo, hi, gen;
	u8 level;			/* LB_TREE_MAX_LEVEL + 1: any */
};

static u64 given_up(const struct part *p)
{
	u64 freed = le64_to_cpu(p->map.free_cursor), heir = p->heir ? le64_to_cpu(p->heir->map.cursor) : 0;

	return max_t(u64, freed, heir);
}

static int collect_lost(struct collect *c, u64 lo, u64 hi, bool shared)
{
	return part_add_lost(c->p, max_t(u64, lo, c->from), min_t(u64, hi, c->size), shared);
}

/* Is a lost node of this generation an ancestor's, with all that is in it? */
static bool was_shared(const struct part *p, u64 gen)
{
	return p->parent && gen <= le64_to_cpu(p->map.cursor ? p->map.low_origin : p->map.origin);
}

static int collect_extent(struct collect *c, const struct lb_ref *ref, const struct ck_extent *x)
{
	struct ck *ck = c->s->ck;
	struct piece e = { .lblk = x->lblk, .count = x->count, .pblk = x->pblk, .birth = x->birth, .graft = c->adopted };
	u64 i;

	if (e.pblk >= ck->total || e.count > ck->total - e.pblk || !e.birth || e.birth > ref->gen)
		return collect_lost(c, e.lblk, e.lblk + e.count, false);
	if (e.lblk < c->from)
		cut_front(&e, min_t(u64, e.count, c->from - e.lblk));
	for (i = 0; i < e.count; i++)
		if (ck_fixed(ck, e.pblk + i) || blockset_has(&ck->multi, e.pblk + i))
			return collect_lost(c, e.lblk, e.lblk + e.count, false);
	return e.count ? part_add_piece(c->p, &e) : 0;
}

/*
 * May the node be believed? *at is what its parent node says. If the two contradict each other on what lies under it,
 * nothing of either is believed: *at becomes wider.
 */
static bool node_good(struct collect *c, const struct lb_ref *ref, struct place *at, const struct lb_node **n)
{
	struct ck *ck = c->s->ck;
	u64 first, end;

	if (ref->level > LB_TREE_MAX_LEVEL || (at->level <= LB_TREE_MAX_LEVEL && ref->level != at->level) || ref->gen > at->gen ||
	    !ref->gen || ref->addr >= ck->total || ref->addr2 >= ck->total)
		return false;
	*n = ck_node(ck, ref, LB_TREE_MAP);
	if (!*n || blockset_has(&ck->multi, ref->addr) || (ref->addr2 && blockset_has(&ck->multi, ref->addr2)))
		return false;
	first = ref->level ? le64_to_cpu((*n)->children[0].lblk) : ck_extent(*n, 0).lblk;
	if (ref->level)
		end = le64_to_cpu((*n)->children[le16_to_cpu((*n)->header.count) - 1].lblk) + 1;
	else
		end = ck_map_end(ck, ref);
	if (first >= at->lo && end <= at->hi)
		return true;
	at->lo = min_t(u64, at->lo, first);
	at->hi = max_t(u64, at->hi, max_t(u64, end, ck_map_end(ck, ref)));
	return false;
}

static int collect_node(struct collect *c, const struct lb_ref *ref, const struct place *at);

static int add_span(struct part *p, const struct span *span)
{
	int err = ck_grow(&p->spans, &p->span_room, p->span_count, sizeof(*p->spans));

	if (!err)
		p->spans[p->span_count++] = *span;
	return err;
}

/*
 * A node that an ancestor owns, the topmost one here: between the first and the last extent under it the ancestor has
 * just the same, holes too.
 */
static int collect_shared(struct collect *c, const struct lb_ref *ref, const struct place *at)
{
	size_t pieces = c->p->piece_count, lost = c->p->lost_count;
	struct span span = { .gen = ref->gen, .from = at->lo, .to = at->hi };
	int err;

	c->in_shared = true;
	err = collect_node(c, ref, at);
	c->in_shared = false;
	if (err || c->p->lost_count != lost || c->p->piece_count == pieces || c->p->map.cursor)
		return err;
	span.lo = c->p->pieces[pieces].lblk;
	span.hi = c->p->pieces[c->p->piece_count - 1].lblk + c->p->pieces[c->p->piece_count - 1].count;
	return add_span(c->p, &span);
}

/* A lost node: what the scan has found of what hung below it, and the gaps. */
static int collect_hole(struct collect *c, u64 id, const struct lb_ref *ref, const struct place *at, bool root)
{
	struct salvage *s = c->s;
	struct hole h = { .id = id, .lo = at->lo, .hi = at->hi, .gen = ref->gen, .part = c->p, .level = ref->level, .root = root };
	bool shared = !root && was_shared(c->p, ref->gen), adopted = c->adopted;
	u64 lo = max_t(u64, at->lo, c->from);
	const struct orphan *o;
	int err = ck_grow(&s->holes, &s->hole_room, s->hole_count, sizeof(*s->holes));

	if (err)
		return err;
	s->holes[s->hole_count++] = h;
	c->adopted = true;
	for (o = salvage_next_orphan(s, id, lo); o && !err; o = salvage_next_orphan(s, id, lo)) {
		const struct orphan *next = salvage_next_orphan(s, id, o->first + 1);
		struct place place = { .lo = o->first, .hi = next ? next->first : at->hi, .gen = s->ck->gen, .level = o->ref.level };
		struct span span = { .lo = o->first, .hi = o->end, .gen = o->ref.gen, .from = o->first, .to = o->end };

		err = collect_lost(c, lo, o->first, shared);
		if (!err)
			err = collect_node(c, &o->ref, &place);
		if (!err)
			err = add_span(c->p, &span);
		lo = max_t(u64, o->end, o->first + 1);
	}
	c->adopted = adopted;
	return err ? err : collect_lost(c, lo, at->hi, shared);
}

static int collect_node(struct collect *c, const struct lb_ref *ref, const struct place *at)
{
	const struct lb_node *found;
	struct place wide = *at;
	struct lb_node *n;
	unsigned int i, count;
	int err = 0;

	if (at->hi <= c->from)
		return 0;
	if (!c->in_shared && was_shared(c->p, ref->gen))
		return collect_shared(c, ref, at);
	if (!node_good(c, ref, &wide, &found))
		return c->s->ck->no_memory ? -ENOMEM : collect_hole(c, ref->addr, ref, &wide, false);
	if (!c->bufs[ref->level])
		c->bufs[ref->level] = port_alloc_block(PORT_WAIT);
	n = c->bufs[ref->level];
	if (!n)
		return -ENOMEM;
	memcpy(n, found, sizeof(*n));
	count = le16_to_cpu(n->header.count);
	for (i = 0; i < count && !err; i++) {
		struct place child = { .gen = ref->gen, .level = (u8)(ref->level - 1) };
		struct ck_extent e;
		struct lb_ref child_ref;

		if (!ref->level) {
			e = ck_extent(n, i);
			err = collect_extent(c, ref, &e);
			continue;
		}
		child.lo = le64_to_cpu(n->children[i].lblk);
		child.hi = i + 1 < count ? le64_to_cpu(n->children[i + 1].lblk) : at->hi;
		child_ref = lb_ref_decode(&n->children[i].ptr);
		err = collect_node(c, &child_ref, &child);
	}
	return err;
}

static int collect(struct salvage *s, struct part *p)
{
	struct collect c = { .s = s, .p = p, .from = given_up(p), .size = LBLK_END };
	struct place top = { .lo = 0, .hi = LBLK_END, .gen = s->ck->gen, .level = LB_TREE_MAX_LEVEL + 1 };
	struct lb_ref root = lb_ref_decode(&p->map.root);
	unsigned int level;
	int err = 0;

	if (p->has_vol && le32_to_cpu(p->vol.state) == LB_VOL_LIVE)
		c.size = le64_to_cpu(p->vol.size_blocks);
	if (p->lost_root)
		err = collect_hole(&c, HOLE_ROOT | p->id, &(struct lb_ref){ .gen = s->ck->gen }, &top, true);
	else if (root.addr)
		err = collect_node(&c, &root, &top);
	for (level = 0; level <= LB_TREE_MAX_LEVEL; level++)
		port_free_block(c.bufs[level]);
	/* Nodes of its own that fit the new tree are used again. */
	if (!err && root.addr)
		err = salvage_gather(s, &root, le64_to_cpu(p->map.origin) + 1, &p->own, &p->own_count, &p->own_room);
	return err;
}

/* ------------------------------------------------------------------ 2. from children to parents */

/* What lies within the ranges that the parent has lost. */
static int give_back(struct part *parent, const struct piece *whole)
{
	size_t i;
	int err = 0;

	for (i = 0; i < parent->lost_count && !err; i++) {
		const struct range *r = &parent->lost[i];
		struct piece e = *whole;

		if (r->hi <= e.lblk || r->lo >= e.lblk + e.count)
			continue;
		if (r->lo > e.lblk)
			cut_front(&e, r->lo - e.lblk);
		e.count = min_t(u64, e.count, r->hi - e.lblk);
		e.graft = true;
		err = part_add_piece(parent, &e);
	}
	return err;
}

/* Blocks that two children both give back are there once. */
static void drop_repeated(struct part *p)
{
	size_t i, n = 0;
	u64 end = 0;

	sort_pieces(p);
	for (i = 0; i < p->piece_count; i++) {
		struct piece e = p->pieces[i];

		if (e.lblk + e.count <= end)
			continue;
		if (e.lblk < end)
			cut_front(&e, end - e.lblk);
		end = e.lblk + e.count;
		p->pieces[n++] = e;
	}
	p->piece_count = n;
}

static int graft(struct part *p)
{
	u64 origin = le64_to_cpu(p->map.origin), cursor = le64_to_cpu(p->map.cursor);
	size_t i;
	int err = 0;

	if (!p->parent || !p->parent->lost_count)
		return 0;
	for (i = 0; i < p->span_count && !err && !cursor; i++)
		if (p->spans[i].gen <= origin)
			err = add_span(p->parent, &p->spans[i]);
	for (i = 0; i < p->piece_count && !err; i++) {
		struct piece e = p->pieces[i];

		if (e.lblk < cursor)
			cut_front(&e, min_t(u64, e.count, cursor - e.lblk));
		if (e.count && e.birth <= origin)
			err = give_back(p->parent, &e);
	}
	drop_repeated(p->parent);
	return err;
}

/* ------------------------------------------------------------------ 3. from parents to children */

/* Whose map has what the volume shares at this place? */
static const struct part *holder(const struct part *p, u64 lblk)
{
	return lblk < le64_to_cpu(p->map.cursor) ? p->parent->parent : p->parent;
}

/* What a volume has lost of what it shares is what is lost there now. */
static int lost_with(struct part *p, const struct part *h, const struct range *r)
{
	size_t i;
	int err = 0;

	for (i = 0; i < h->lost_count && !err; i++)
		err = part_add_lost(p, max_t(u64, r->lo, h->lost[i].lo), min_t(u64, r->hi, h->lost[i].hi), false);
	return err;
}

static int take_from_parent(struct part *p)
{
	size_t i, k, ranges = p->lost_count;
	int err = 0;

	for (i = 0; i < ranges && !err; i++) {
		const struct range r = p->lost[i];
		const struct part *h = r.shared && p->parent ? holder(p, r.lo) : NULL;

		if (!h || h != holder(p, r.hi - 1))
			continue;
		for (k = piece_at(h, r.lo); k < h->piece_count && h->pieces[k].lblk < r.hi && !err; k++) {
			struct piece e = h->pieces[k];

			if (e.lblk < r.lo)
				cut_front(&e, r.lo - e.lblk);
			e.count = min_t(u64, e.count, r.hi - e.lblk);
			e.graft = false;
			err = part_add_piece(p, &e);
		}
		p->lost[i].hi = r.lo;	/* nothing: see part_normalize() */
		if (!err)
			err = lost_with(p, h, &r);
	}
	drop_repeated(p);
	return err;
}

/* How many blocks from the piece's first one on does it have just so (*held), or not? */
static u64 held_run(const struct part *h, const struct piece *e, bool *held)
{
	size_t i = h ? piece_at(h, e->lblk) : 0;
	const struct piece *x = h && i < h->piece_count ? &h->pieces[i] : NULL;
	u64 into;

	*held = false;
	if (!x || x->lblk >= e->lblk + e->count)
		return e->count;
	if (x->lblk > e->lblk)
		return x->lblk - e->lblk;
	into = e->lblk - x->lblk;
	*held = x->pblk + into == e->pblk && x->birth == e->birth;
	return min_t(u64, e->count, x->count - into);
}

/* An owned block that was given back must be nobody else's. */
static int may_own(struct salvage *s, const struct part *p, const struct piece *e)
{
	u64 frozen = le64_to_cpu(p->vol.frozen), i;
	int err;

	if (frozen && e->birth > frozen)
		return 0;
	for (i = 0; e->graft && i < e->count; i++) {
		if (blockset_has(&s->ck->used, e->pblk + i))
			return 0;
		err = blockset_add(&s->grafted, e->pblk + i);
		if (err)
			return err < 0 ? err : 0;
	}
	return 1;
}

/*
 * The volume does not have this after all. If it lay under a node that should have been an ancestor's, then that was another one,
 * and what should be there is not known.
 */
static int not_held(struct part *p, const struct piece *e)
{
	size_t i;
	int err = part_add_lost(p, e->lblk, e->lblk + e->count, false);

	for (i = 0; i < p->span_count && !err; i++) {
		struct span *s = &p->spans[i];

		if (e->lblk < s->lo || e->lblk >= s->hi)
			continue;
		s->hi = s->lo;
		err = part_add_lost(p, s->from, s->to, false);
	}
	return err;
}

/* Pieces of the part that keep to the rules, into kept; the rest is lost. */
static int sift(struct salvage *s, struct part *p, struct part *kept)
{
	u64 cursor = le64_to_cpu(p->map.cursor);
	size_t i;
	int err = 0;

	for (i = 0; i < p->piece_count; i++) {
		struct piece rest = p->pieces[i];
		bool before = false;	/* the blocks before these are kept */

		while (rest.count) {
			u64 n = rest.lblk < cursor ? min_t(u64, rest.count, cursor - rest.lblk) : rest.count;
			struct piece e = rest;
			bool good;

			e.count = n;
			if (e.birth > part_origin_at(p, e.lblk)) {
				err = may_own(s, p, &e);
				good = err > 0;
			} else {
				n = held_run(p->parent ? holder(p, e.lblk) : NULL, &e, &good);
			}
			if (err < 0)
				return err;
			e = cut_front(&rest, n);
			if (good && before)
				kept->pieces[kept->piece_count - 1].count += n;
			else
				err = good ? part_add_piece(kept, &e) : not_held(p, &e);
			if (err < 0)
				return err;
			before = good;
		}
	}
	return 0;
}

static int cmp_span(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

/* What of the lost ranges is known after all is not lost: known in ascending order. */
static int subtract(struct part *p, const struct span *known, size_t count)
{
	struct part left = { 0 };
	size_t i, k = 0;
	int err = 0;

	for (i = 0; i < p->lost_count && !err; i++) {
		u64 at = p->lost[i].lo, hi = p->lost[i].hi;
		size_t n;

		while (k < count && known[k].hi <= at)
			k++;
		for (n = k; n < count && known[n].lo < hi && at < hi && !err; n++) {
			err = part_add_lost(&left, at, min_t(u64, known[n].lo, hi), false);
			at = max_t(u64, at, known[n].hi);
		}
		if (!err)
			err = part_add_lost(&left, at, hi, false);
	}
	free(p->lost);
	p->lost = left.lost;
	p->lost_count = left.lost_count;
	p->lost_room = left.lost_room;
	part_normalize(p);
	return err;
}

static int subtract_known(struct part *p)
{
	size_t i, n = 0, k;
	int err = 0;

	if (!p->lost_count)
		return 0;
	for (i = 0; i < p->piece_count && !err; i++) {
		struct span s = { .lo = p->pieces[i].lblk, .hi = p->pieces[i].lblk + p->pieces[i].count };

		err = add_span(p, &s);
	}
	if (err || !p->span_count)
		return err;
	/* Joined, so that they ascend at both ends. */
	qsort(p->spans, p->span_count, sizeof(*p->spans), cmp_span);
	for (k = 0; k < p->span_count; k++) {
		if (n && p->spans[k].lo <= p->spans[n - 1].hi)
			p->spans[n - 1].hi = max_t(u64, p->spans[n - 1].hi, p->spans[k].hi);
		else
			p->spans[n++] = p->spans[k];
	}
	p->span_count = n;
	return subtract(p, p->spans, n);
}

static int settle(struct salvage *s, struct part *p)
{
	struct part kept = { 0 };
	u64 size;
	size_t i;
	int err = take_from_parent(p);

	if (!err)
		err = sift(s, p, &kept);
	free(p->pieces);
	p->pieces = kept.pieces;
	p->piece_count = kept.piece_count;
	p->piece_room = kept.piece_room;
	if (err)
		return err;
	size = p->piece_count ? p->pieces[p->piece_count - 1].lblk + p->pieces[p->piece_count - 1].count : 0;
	if (size > le64_to_cpu(p->vol.size_blocks) && le32_to_cpu(p->vol.state) == LB_VOL_LIVE) {
		if (p->has_vol)
			salvage_tell(s, LBCK_LOSS_NAME, p, "its map reaches beyond its %llu blocks; it has %llu now",
				     (unsigned long long)le64_to_cpu(p->vol.size_blocks), (unsigned long long)size);
		p->vol.size_blocks = cpu_to_le64(size);
	}
	for (i = 0; i < p->lost_count; i++) {
		p->lost[i].shared = false;
		if (le32_to_cpu(p->vol.state) == LB_VOL_LIVE)
			p->lost[i].hi = min_t(u64, p->lost[i].hi, le64_to_cpu(p->vol.size_blocks));
	}
	part_normalize(p);
	return subtract_known(p);
}

/* ------------------------------------------------------------------ whose family */

static struct part *eldest(struct part *p)
{
	while (p->parent)
		p = p->parent;
	return p;
}

static void mark_families(struct salvage *s)
{
	struct ck *ck = s->ck;
	struct part *p;
	size_t i;

	for (i = 0; i < ck->hurt_count; i++) {
		p = salvage_part(s, ck->hurt[i]);
		if (p)
			p->hurt = true;
	}
	for (i = 0; i < s->part_count; i++)
		if (s->parts[i].hurt || !s->parts[i].has_vol || !s->parts[i].has_map || s->whole_pool)
			eldest(&s->parts[i])->hurt = true;
	for (i = 0; i < s->part_count; i++)
		s->parts[i].hurt = eldest(&s->parts[i])->hurt;
}

static void tell_lost(struct salvage *s, const struct part *p)
{
	size_t i;
	u64 blocks = 0;

	for (i = 0; i < p->lost_count; i++)
		blocks += p->lost[i].hi - p->lost[i].lo;
	if (!blocks || le32_to_cpu(p->vol.state) != LB_VOL_LIVE)
		return;
	s->out->volumes++;
	s->out->lost_blocks += blocks;
	for (i = 0; i < p->lost_count; i++)
		salvage_tell_range(s, p, &p->lost[i]);
}

/* The blocks that the new pool is going to use must not be taken for its trees, whatever the bitmaps say. */
static int keep_pieces(struct salvage *s, const struct part *p)
{
	size_t i;
	u64 k;
	int err = 0;

	for (i = 0; i < p->piece_count && err >= 0; i++)
		for (k = 0; k < p->pieces[i].count && err >= 0; k++)
			err = blockset_add(&s->ck->named, p->pieces[i].pblk + k);
	return err < 0 ? err : 0;
}

static int collect_all(struct salvage *s)
{
	size_t i;
	int err = 0;

	s->hole_count = 0;
	for (i = 0; i < s->part_count && !err; i++) {
		struct part *p = s->by_depth[i];

		p->piece_count = 0;
		p->lost_count = 0;
		p->span_count = 0;
		p->own_count = 0;
		if (p->hurt)
			err = collect(s, p);
	}
	return err;
}

int salvage_maps(struct salvage *s)
{
	size_t i, n = s->part_count;
	int err;

	mark_families(s);
	err = collect_all(s);
	/* Only when all that is lost is known it is clear what fits one place only. */
	if (!err && s->orphan_count && salvage_assign(s))
		err = collect_all(s);
	for (i = 0; i < n && !err; i++) {
		part_normalize(&s->parts[i]);
		if (s->parts[i].hurt)
			err = keep_pieces(s, &s->parts[i]);
	}
	for (i = n; i-- > 0 && !err; )
		if (s->by_depth[i]->hurt)
			err = graft(s->by_depth[i]);
	for (i = 0; i < n && !err; i++)
		if (s->by_depth[i]->hurt)
			err = settle(s, s->by_depth[i]);
	for (i = 0; i < n && !err; i++) {
		if (!s->by_depth[i]->hurt)
			continue;
		err = salvage_tree(s, s->by_depth[i]);
		tell_lost(s, s->by_depth[i]);
	}
	return err;
}
