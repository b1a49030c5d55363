// SPDX-License-Identifier: GPL-2.0
/*
 * What the journal's live entries would make of the pool: every block they name must be free in the committed image
 * and be named once; the catalog with their changes in it must be as consistent as the committed one.
 */
#include <stdlib.h>

#include "ck.h"

struct replay {
	struct ck *ck;
	struct ck_journal *j;
	struct ck_entry **sorted;	/* catalog entries by key, then age */
	struct ck_entry **vols;		/* those with volumes' records, oldest first */
	struct ck_entry **cuts;		/* those that cut snapshots off, oldest first */
	size_t count, vol_count, cut_count;
	size_t at;
	struct ck_catalog cat;
};

static u64 be64_at(const u8 *p)
{
	__be64 v;

	memcpy(&v, p, sizeof(v));
	return be64_to_cpu(v);
}

/* ------------------------------------------------------------------ map entries */

/* A full ring has hundreds of thousands of map entries, and few volumes' records and cuts among them. */
static int list_others(struct replay *r)
{
	size_t i;

	r->vols = calloc(r->j->count, sizeof(*r->vols));
	r->cuts = calloc(r->j->count, sizeof(*r->cuts));
	if (!r->vols || !r->cuts)
		return -ENOMEM;
	for (i = 0; i < r->j->count; i++) {
		struct ck_entry *e = &r->j->entries[i];

		if (!e->map && e->key_len == 9 && e->key[0] == LB_KEY_VOL)
			r->vols[r->vol_count++] = e;
		if (e->cut)
			r->cuts[r->cut_count++] = e;
	}
	return 0;
}

/* The newest V record of the volume before entry `end`, else the committed one. False: there is no such volume. */
static bool vol_then(struct replay *r, u64 id, size_t end, u64 *size, u64 *frozen, bool *deleted)
{
	struct ck_vol *v = ck_catalog_vol(&r->ck->cat, id);
	struct lb_vol_record rec;
	size_t i;

	for (i = r->vol_count; i-- > 0; ) {
		struct ck_entry *e = r->vols[i];

		if (e->seq >= end || be64_at(e->key + 1) != id)
			continue;
		if (e->remove || e->value_len < sizeof(rec))
			return false;
		memcpy(&rec, e->key + e->key_len, sizeof(rec));
		*size = le64_to_cpu(rec.size_blocks);
		*frozen = le64_to_cpu(rec.frozen);
		*deleted = le32_to_cpu(rec.state) == LB_VOL_DELETED;
		return true;
	}
	if (!v || !v->has_vol)
		return false;
	*size = v->size;
	*frozen = v->frozen;
	*deleted = v->state == LB_VOL_DELETED;
	return true;
}

/* Is the block at this place what an earlier entry said already? */
static bool said_before(const struct ck_journal *j, const struct ck_entry *e, u64 block)
{
	size_t i;

	for (i = 0; i < e->seq; i++) {
		const struct ck_entry *o = &j->entries[i];

		if (o->map && o->pblk != LB_PBLK_HOLE && block >= o->pblk && block - o->pblk < o->len)
			return o->volume == e->volume && o->lblk - o->pblk == e->lblk - e->pblk;
	}
	return false;
}

static int judge_blocks(struct replay *r, const struct ck_entry *e, struct blockset *named)
{
	struct ck *ck = r->ck;
	struct ck_where at = CK_VOL_AT(e->volume, e->pblk);
	u64 i;

	if (e->pblk >= ck->total || e->len > ck->total - e->pblk) {
		ck_tell(ck, LBCK_ENTRY_RANGE, at, "volume %llu, %llu blocks at %llu: %llu",
			(unsigned long long)e->volume,
			(unsigned long long)e->len, (unsigned long long)e->lblk, (unsigned long long)e->pblk);
		return 0;
	}
	for (i = 0; i < e->len; i++) {
		int err = blockset_add(named, e->pblk + i);

		if (err < 0)
			return err;
		if (err && !said_before(r->j, e, e->pblk + i))
			ck_tell(ck, LBCK_ENTRY_TWICE, at, "block %llu for volume %llu's %llu",
				(unsigned long long)(e->pblk + i),
				(unsigned long long)e->volume, (unsigned long long)(e->lblk + i));
		if (blockset_has(&ck->used, e->pblk + i))
			ck_tell(ck, LBCK_ENTRY_IN_USE, at, "block %llu for volume %llu's %llu",
				(unsigned long long)(e->pblk + i),
				(unsigned long long)e->volume, (unsigned long long)(e->lblk + i));
	}
	return 0;
}

static int judge_map(struct replay *r, const struct ck_entry *e, struct blockset *named)
{
	struct ck_where at = CK_VOL_AT(e->volume, e->pblk);
	u64 size = 0, frozen = 0;
	bool deleted = false;

	if (!vol_then(r, e->volume, e->seq, &size, &frozen, &deleted)) {
		ck_tell(r->ck, LBCK_ENTRY_VOLUME, at, "there is no volume %llu", (unsigned long long)e->volume);
		return 0;
	}
	if (frozen && frozen <= r->ck->gen)
		ck_tell(r->ck, LBCK_ENTRY_VOLUME, at, "volume %llu is frozen", (unsigned long long)e->volume);
	if (e->pblk == LB_PBLK_HOLE)
		return 0;
	if (!deleted && e->lblk + e->len > size)
		ck_tell(r->ck, LBCK_ENTRY_RANGE, at, "volume %llu has %llu blocks and gets some at [%llu, %llu)",
			(unsigned long long)e->volume, (unsigned long long)size, (unsigned long long)e->lblk,
			(unsigned long long)(e->lblk + e->len));
	return judge_blocks(r, e, named);
}

/* ------------------------------------------------------------------ the catalog after it */

static int cmp_entry(const void *a, const void *b)
{
	const struct ck_entry *x = *(struct ck_entry *const *)a, *y = *(struct ck_entry *const *)b;
	int r = ck_key_cmp(x->key, x->key_len, y->key, y->key_len);

	return r ? r : (x->seq > y->seq) - (x->seq < y->seq);
}

/*
 * The journal's changes with keys below this one (NULL: all that are left) are items now. *same: it changes this
 * very key.
 */
static int feed_before(struct replay *r, const u8 *key, u32 key_len, bool *same)
{
	*same = false;
	for (; r->at < r->count; r->at++) {
		struct ck_entry *e = r->sorted[r->at], *next = r->at + 1 < r->count ? r->sorted[r->at + 1] : NULL;
		int c = key ? ck_key_cmp(e->key, e->key_len, key, key_len) : -1, err;

		if (c > 0)
			return 0;
		if (c == 0)
			*same = true;
		if (next && !ck_key_cmp(e->key, e->key_len, next->key, next->key_len))
			continue;	/* changed again later */
		if (e->remove)
			continue;
		err = ck_catalog_item(&r->cat, e->key, e->key_len, e->key + e->key_len, e->value_len);
		if (err)
			return err;
	}
	return 0;
}

static int merge_item(void *arg, const u8 *key, u32 key_len, const u8 *value, u32 value_len)
{
	struct replay *r = arg;
	bool same;
	int err = feed_before(r, key, key_len, &same);

	return err || same ? err : ck_catalog_item(&r->cat, key, key_len, value, value_len);
}

/* The last entry that cuts a snapshot off the volume, or, with `made`, that makes this snapshot; NULL. */
static const struct ck_entry *find_cut(const struct replay *r, u64 id, bool made)
{
	size_t i;

	for (i = r->cut_count; i-- > 0; )
		if ((made ? r->cuts[i]->snapshot : r->cuts[i]->volume) == id)
			return r->cuts[i];
	return NULL;
}

/* Is it the first entry that cuts this volume? */
static bool first_cut(const struct replay *r, const struct ck_entry *cut)
{
	size_t i;

	for (i = 0; r->cuts[i] != cut; i++)
		if (r->cuts[i]->volume == cut->volume)
			return false;
	return true;
}

/* A snapshot that was cut off a committed volume begins with what was committed of that. */
static void judge_cut_root(struct replay *r, const struct ck_entry *cut, const struct ck_vol *from, const struct ck_vol *v)
{
	s64 owned = first_cut(r, cut) ? from->owned : 0;

	if (!ck_ref_same(&v->root, &from->root) || v->nodes != from->nodes || v->owned != owned || v->frozen != cut->gen)
		ck_tell(r->ck, LBCK_ENTRY_ROOT, CK_VOL_AT(v->id, v->root.addr),
			"snapshot %llu begins at block %llu, with %lld owned blocks and %llu nodes; volume %llu had block %llu, %lld and %llu",
			(unsigned long long)v->id, (unsigned long long)v->root.addr, (long long)v->owned, (unsigned long long)v->nodes,
			(unsigned long long)cut->volume, (unsigned long long)from->root.addr, (long long)owned,
			(unsigned long long)from->nodes);
}

/* Is the volume's map what the cut makes of it? */
static bool cut_map_ok(const struct ck_entry *cut, const struct ck_vol *was, const struct ck_vol *v)
{
	return v->parent_id == cut->snapshot && v->origin == cut->gen && !v->low_origin && !v->cursor && !v->free_cursor && !v->owned &&
	       v->nodes == was->nodes && ck_ref_same(&v->root, &was->root);
}

/* Any other volume that is not committed yet begins with its parent's map, or with none. */
static void judge_new_roots(struct replay *r)
{
	static const struct lb_ref none;
	size_t i;

	for (i = 0; i < r->cat.vol_count; i++) {
		struct ck_vol *v = &r->cat.vols[i];
		const struct ck_entry *cut = find_cut(r, v->id, true);
		const struct ck_vol *from = cut ? ck_catalog_vol(&r->ck->cat, cut->volume) : NULL;

		if (!v->has_map || ck_catalog_vol(&r->ck->cat, v->id))
			continue;
		if (from) {
			judge_cut_root(r, cut, from, v);
			continue;
		}
		if (!ck_ref_same(&v->root, v->parent ? &v->parent->root : &none))
			ck_tell(r->ck, LBCK_ENTRY_ROOT, CK_VOL_AT(v->id, v->root.addr),
				"volume %llu begins at block %llu, its parent at %llu",
				(unsigned long long)v->id, (unsigned long long)v->root.addr,
				(unsigned long long)(v->parent ? v->parent->root.addr : 0));
		else if (v->owned || v->nodes != (v->parent ? v->parent->nodes : 0))
			ck_tell(r->ck, LBCK_ENTRY_ROOT, CK_VOL_AT(v->id, v->root.addr),
				"volume %llu begins with %lld owned blocks and %llu nodes",
				(unsigned long long)v->id, (long long)v->owned, (unsigned long long)v->nodes);
	}
}

/*
 * What a commit alone changes is not in the journal: of a volume that is committed, the map's record, but for a cut; that it is there
 * at all; and the freezing, shrinking and undeleting of it.
 */
static void judge_old_volumes(struct replay *r)
{
	size_t i;

	for (i = 0; i < r->ck->cat.vol_count; i++) {
		const struct ck_vol *was = &r->ck->cat.vols[i], *v;
		const struct ck_entry *cut = find_cut(r, was->id, false);
		const char *what = NULL;

		if (!was->has_vol || !was->has_map)
			continue;
		v = ck_catalog_vol(&r->cat, was->id);
		if (!v || !v->has_vol || !v->has_map)
			what = "goes";
		else if (cut ? !cut_map_ok(cut, was, v) : memcmp(&v->map, &was->map, sizeof(v->map)) != 0)
			what = "gets another map";
		else if (v->frozen != was->frozen)
			what = "is frozen or thawed";
		else if (v->size < was->size)
			what = "shrinks";
		else if (v->state != was->state && was->state == LB_VOL_DELETED)
			what = "comes back";
		if (what)
			ck_tell(r->ck, LBCK_ENTRY_COMMIT, CK_VOL(was->id), "volume %llu %s", (unsigned long long)was->id, what);
	}
}

static int judge_catalog(struct replay *r)
{
	bool same;
	size_t i;
	int err;

	r->sorted = calloc(r->j->count, sizeof(*r->sorted));
	if (!r->sorted)
		return -ENOMEM;
	for (i = 0; i < r->j->count; i++)
		if (!r->j->entries[i].map && !r->j->entries[i].cut)
			r->sorted[r->count++] = &r->j->entries[i];
	if (!r->count)
		return 0;
	qsort(r->sorted, r->count, sizeof(*r->sorted), cmp_entry);
	err = ck_catalog_walk(r->ck, false, merge_item, r);
	if (!err)
		err = feed_before(r, NULL, 0, &same);
	if (!err)
		err = ck_catalog_finish(&r->cat);
	if (!err) {
		judge_old_volumes(r);
		judge_new_roots(r);
	}
	return err;
}

int ck_replay_judge(struct ck *ck)
{
	struct replay r = { .ck = ck, .j = &ck->journal, .cat = { .ck = ck, .when = " (after replay)" } };
	u64 gen_max = ck->gen + 2;	/* the generation being committed, and the next */
	struct blockset named;
	size_t i;
	int err;

	if (!r.j->count)
		return 0;
	err = blockset_init(&named, ck->total);
	if (!err)
		err = list_others(&r);
	for (i = 0; i < r.j->count && !err; i++) {
		struct ck_entry *e = &r.j->entries[i];

		if (e->gen > gen_max)
			ck_tell(ck, LBCK_ENTRY_GEN, CK_VOL(e->volume), "generation %llu; the superblock's is %llu",
				(unsigned long long)e->gen, (unsigned long long)ck->gen);
		if (e->cut)
			gen_max += 2;
		if (e->map)
			err = judge_map(&r, e, &named);
	}
	if (!err)
		err = judge_catalog(&r);
	blockset_free(&named);
	ck_catalog_free(&r.cat);
	free(r.sorted);
	free(r.vols);
	free(r.cuts);
	return err;
}
