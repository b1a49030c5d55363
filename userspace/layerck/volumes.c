// SPDX-License-Identifier: GPL-2.0
/*
 * What volumes' records say about each other: names both ways, parents and children both ways, origins, the states
 * of deletion and collapse; and the counters, when the maps have been walked.
 */
#include <stdlib.h>

#include "ck.h"

#define SIZE_MAX_BLOCKS	(1ULL << 47)	/* 2^59 bytes */

static void be64_put(u8 *p, u64 v)
{
	__be64 be = cpu_to_be64(v);

	memcpy(p, &be, sizeof(be));
}

static struct ck_where vol_where(const struct ck_catalog *cat, u64 id, bool repairable)
{
	return (struct ck_where){ .volume = id, .repairable = repairable && cat->committed && !cat->ck->incomplete };
}

/* Tell of something that is not there: only when all that is there was read. */
#define TELL_LACK(cat, id, where, ...) do {				\
	if (!(cat)->ck->catalog_partial)				\
		ck_tell((cat)->ck, id, where, __VA_ARGS__);		\
} while (0)

/* What this volume's tree is cannot be told for sure, so nothing that seems unused may be given away. */
static void distrust(struct ck_catalog *cat)
{
	if (cat->committed)
		cat->ck->incomplete = true;
}

/* ------------------------------------------------------------------ names */

static bool name_allowed(const char *name, u32 len)
{
	u32 i;

	if (!len || len > 255 || (len == 1 && name[0] == '.') || (len == 2 && !memcmp(name, "..", 2)))
		return false;
	for (i = 0; i < len; i++)
		if ((u8)name[i] < 0x20 || name[i] == 0x7f || name[i] == '/')
			return false;
	return true;
}

static int cmp_name(const void *a, const void *b)
{
	const struct ck_name *x = a, *y = b;

	return ck_key_cmp((const u8 *)x->name, x->len, (const u8 *)y->name, y->len);
}

static struct ck_name *find_name(const struct ck_catalog *cat, char *name, u32 len)
{
	struct ck_name key = { .name = name, .len = len };

	return cat->name_count ? bsearch(&key, cat->names, cat->name_count, sizeof(key), cmp_name) : NULL;
}

static bool has_name(const struct ck_vol *v, const struct ck_name *n)
{
	return v && v->has_vol && v->name_len == n->len && !memcmp(v->name, n->name, n->len);
}

static int fix_name(struct ck_catalog *cat, const char *name, u32 len, u64 id)
{
	struct lb_name_record rec = { .id = cpu_to_le64(id) };
	u8 key[LB_CAT_KEY_MAX];

	if (!cat->committed)
		return 0;
	key[0] = LB_KEY_NAME;
	memcpy(key + 1, name, len);
	return id ? ck_fix_put(cat->ck, key, len + 1, &rec, sizeof(rec)) : ck_fix_delete(cat->ck, key, len + 1);
}

/* From the names to the volumes. */
static int judge_names(struct ck_catalog *cat)
{
	size_t i;
	int err = 0;

	for (i = 0; i < cat->name_count && !err; i++) {
		struct ck_name *n = &cat->names[i];
		struct ck_vol *v = ck_catalog_vol(cat, n->id);
		size_t j;

		/* Without its record, a volume's name cannot be compared with this one. */
		if (has_name(v, n) || (v && !v->has_vol))
			continue;
		TELL_LACK(cat, LBCK_NAME_ORPHAN, vol_where(cat, n->id, true),
			  "the name \"%.*s\" points to volume %llu%s", (int)n->len,
			n->name, (unsigned long long)n->id, cat->when);
		/* When a volume has this name, judge_name() lets it point there. */
		for (j = 0; j < cat->vol_count && !has_name(&cat->vols[j], n); j++)
			;
		if (j == cat->vol_count)
			err = fix_name(cat, n->name, n->len, 0);
	}
	return err;
}

/* From a volume to its name. */
static int judge_name(struct ck_catalog *cat, struct ck_vol *v)
{
	bool allowed = name_allowed(v->name, v->name_len);
	struct ck_name *n;
	struct ck_vol *other;

	if (v->state == LB_VOL_DELETED) {
		if (v->name_len)
			ck_tell(cat->ck, LBCK_FREE_STATE, CK_VOL(v->id), "deleted volume %llu has a name%s",
				(unsigned long long)v->id,
				cat->when);
		return 0;
	}
	if (!allowed)
		ck_tell(cat->ck, LBCK_NAME_BAD, CK_VOL(v->id), "volume %llu: \"%.*s\"%s", (unsigned long long)v->id,
			(int)v->name_len,
			v->name, cat->when);
	n = find_name(cat, v->name, v->name_len);
	if (n && n->id == v->id)
		return 0;
	other = n ? ck_catalog_vol(cat, n->id) : NULL;
	if (n && has_name(other, n)) {
		ck_tell(cat->ck, LBCK_NAME_TWICE, CK_VOL(v->id), "volumes %llu and %llu are both called \"%.*s\"%s",
			(unsigned long long)other->id, (unsigned long long)v->id, (int)v->name_len, v->name, cat->when);
		return 0;
	}
	TELL_LACK(cat, LBCK_NAME_MISSING, vol_where(cat, v->id, allowed), "volume %llu, \"%.*s\"%s",
		  (unsigned long long)v->id,
		(int)v->name_len, v->name, cat->when);
	return allowed ? fix_name(cat, v->name, v->name_len, v->id) : 0;
}

/* ------------------------------------------------------------------ children */

static int cmp_pair(const void *a, const void *b)
{
	const struct ck_pair *x = a, *y = b;

	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	return (x->b > y->b) - (x->b < y->b);
}

static int fix_child(struct ck_catalog *cat, u64 parent, u64 child, bool put)
{
	u8 key[17];

	if (!cat->committed)
		return 0;
	key[0] = LB_KEY_CHILD;
	be64_put(key + 1, parent);
	be64_put(key + 9, child);
	return put ? ck_fix_put(cat->ck, key, sizeof(key), NULL, 0) : ck_fix_delete(cat->ck, key, sizeof(key));
}

static int judge_children(struct ck_catalog *cat)
{
	size_t i;
	int err = 0;

	for (i = 0; i < cat->child_count && !err; i++) {
		struct ck_pair *p = &cat->children[i];
		struct ck_vol *v = ck_catalog_vol(cat, p->b);

		/* A volume whose own word on its parent is missing or wrong says nothing about this one. */
		if (v && (!v->usable || v->parent_id == p->a))
			continue;
		TELL_LACK(cat, LBCK_CHILD_ORPHAN, vol_where(cat, p->a, true), "volume %llu lists %llu as its child%s",
			(unsigned long long)p->a, (unsigned long long)p->b, cat->when);
		err = fix_child(cat, p->a, p->b, false);
	}
	return err;
}

static int judge_child(struct ck_catalog *cat, struct ck_vol *v)
{
	struct ck_pair key = { .a = v->parent_id, .b = v->id };

	if (!v->usable)
		return 0;	/* there is no such parent: told */
	if (cat->child_count && bsearch(&key, cat->children, cat->child_count, sizeof(key), cmp_pair))
		return 0;
	TELL_LACK(cat, LBCK_CHILD_MISSING, vol_where(cat, v->id, true), "volume %llu is no child of %llu by the list%s",
		(unsigned long long)v->id, (unsigned long long)v->parent_id, cat->when);
	return fix_child(cat, v->parent_id, v->id, true);
}

/* ------------------------------------------------------------------ one volume */

/* Both records there? */
static bool judge_pair(struct ck_catalog *cat, struct ck_vol *v)
{
	if (!v->has_map)
		TELL_LACK(cat, LBCK_VOL_NO_MAP, CK_VOL(v->id), "volume %llu%s", (unsigned long long)v->id, cat->when);
	if (!v->has_vol)
		TELL_LACK(cat, LBCK_MAP_NO_VOL, CK_VOL(v->id), "volume %llu%s", (unsigned long long)v->id, cat->when);
	if (v->has_map && v->has_vol)
		return true;
	distrust(cat);
	return false;
}

static void judge_fields(struct ck_catalog *cat, struct ck_vol *v)
{
	struct ck *ck = cat->ck;
	bool bad = !v->size || v->size > SIZE_MAX_BLOCKS || v->state > LB_VOL_DELETED || v->map.reserved[0] ||
		v->map.reserved[1];

	if (cat->committed)
		bad = bad || v->frozen > ck->gen || v->origin > ck->gen || v->root.gen > ck->gen;
	if (bad)
		ck_tell(ck, LBCK_VOL_FIELD, CK_VOL(v->id),
			"volume %llu: %llu blocks, state %u, frozen in %llu, origin %llu, root of %llu%s",
			(unsigned long long)v->id, (unsigned long long)v->size, v->state, (unsigned long long)v->frozen,
			(unsigned long long)v->origin, (unsigned long long)v->root.gen, cat->when);
	if (!v->id || (cat->committed && v->id >= le64_to_cpu(ck->sb->next_volume)))
		ck_tell(ck, LBCK_ID_FUTURE, CK_VOL(v->id), "volume %llu; the next one is to be %llu",
			(unsigned long long)v->id,
			(unsigned long long)le64_to_cpu(ck->sb->next_volume));
}

static void judge_parent(struct ck_catalog *cat, struct ck_vol *v)
{
	struct ck *ck = cat->ck;
	struct ck_vol *p = v->parent;

	v->usable = true;
	if (!v->parent_id) {
		if (v->origin)
			ck_tell(ck, LBCK_ORIGIN_WRONG, CK_VOL(v->id), "volume %llu has no parent and the origin %llu%s",
				(unsigned long long)v->id, (unsigned long long)v->origin, cat->when);
		return;
	}
	if (!p || !p->has_vol || !p->has_map) {
		TELL_LACK(cat, LBCK_PARENT_MISSING, CK_VOL(v->id), "volume %llu is a child of %llu%s",
			  (unsigned long long)v->id,
			(unsigned long long)v->parent_id, cat->when);
		v->usable = false;
		distrust(cat);
		return;
	}
	p->children++;
	if (!p->frozen)
		ck_tell(ck, LBCK_PARENT_WRITABLE, CK_VOL(v->id), "volume %llu is a child of %llu%s",
			(unsigned long long)v->id,
			(unsigned long long)p->id, cat->when);
	else if (v->origin != p->frozen)
		ck_tell(ck, LBCK_ORIGIN_WRONG, CK_VOL(v->id),
			"volume %llu: origin %llu; its parent %llu was frozen in %llu%s",
			(unsigned long long)v->id, (unsigned long long)v->origin, (unsigned long long)p->id,
			(unsigned long long)p->frozen, cat->when);
	if (v->cursor)
		p->heir = v;
}

/* When all children are known: deletion and collapse. */
static void judge_states(struct ck_catalog *cat, struct ck_vol *v)
{
	struct ck_vol *p = v->parent;

	if (v->cursor && (!p || p->state != LB_VOL_DELETED || p->children != 1 || v->low_origin != p->origin ||
			  p->cursor)) {
		distrust(cat);
		ck_tell(cat->ck, LBCK_COLLAPSE_STATE, CK_VOL(v->id),
			"volume %llu: cursor %llu, low origin %llu; its parent %llu is %s, has %llu children, "
			"origin %llu and cursor %llu%s",
			(unsigned long long)v->id, (unsigned long long)v->cursor, (unsigned long long)v->low_origin,
			(unsigned long long)v->parent_id, p && p->state == LB_VOL_DELETED ? "deleted" : "not deleted",
			(unsigned long long)(p ? p->children : 0), (unsigned long long)(p ? p->origin : 0),
			(unsigned long long)(p ? p->cursor : 0), cat->when);
	}
	if (v->free_cursor && (v->state != LB_VOL_DELETED || v->children)) {
		distrust(cat);
		ck_tell(cat->ck, LBCK_FREE_STATE, CK_VOL(v->id),
			"volume %llu: state %u, %llu children, free cursor %llu%s",
			(unsigned long long)v->id, v->state, (unsigned long long)v->children,
			(unsigned long long)v->free_cursor, cat->when);
	}
}

/* ------------------------------------------------------------------ ancestry */

static int cmp_depth(const void *a, const void *b)
{
	const struct ck_vol *const *x = a, *const *y = b;

	if ((*x)->depth != (*y)->depth)
		return (*x)->depth < (*y)->depth ? -1 : 1;
	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

/* Depths, cycles broken and told, an order with parents first. */
static int judge_ancestry(struct ck_catalog *cat)
{
	size_t i, steps;

	cat->by_depth = calloc(cat->vol_count + 1, sizeof(*cat->by_depth));
	if (!cat->by_depth)
		return -ENOMEM;
	for (i = 0; i < cat->vol_count; i++) {
		struct ck_vol *v = &cat->vols[i], *a;

		for (a = v, steps = 0; a->parent && steps <= cat->vol_count; a = a->parent)
			steps++;
		if (a->parent) {
			ck_tell(cat->ck, LBCK_PARENT_CYCLE, CK_VOL(v->id), "volume %llu%s", (unsigned long long)v->id,
				cat->when);
			v->parent = NULL;
			v->usable = false;
			steps = 0;
		}
		v->depth = (u32)steps;
		cat->by_depth[i] = v;
	}
	qsort(cat->by_depth, cat->vol_count, sizeof(struct ck_vol *), cmp_depth);
	for (i = 0; i < cat->vol_count; i++) {
		struct ck_vol *v = cat->by_depth[i];

		v->cut = v->cursor || (v->parent && v->parent->cut);
		if (v->parent && !v->parent->usable)
			v->usable = false;
	}
	return 0;
}

static int judge_attrs(struct ck_catalog *cat)
{
	size_t i;

	for (i = 0; i < cat->attr_count; i++) {
		struct ck_vol *v = cat->attr_vols[i] ? ck_catalog_vol(cat, cat->attr_vols[i]) : NULL;
		int err;

		/* A deleted volume's go with its records, at the end. */
		if (!cat->attr_vols[i] || (v && v->has_vol))
			continue;
		TELL_LACK(cat, LBCK_ATTR_ORPHAN, vol_where(cat, cat->attr_vols[i], true), "of volume %llu%s",
			(unsigned long long)cat->attr_vols[i], cat->when);
		if (!cat->committed)
			continue;
		err = ck_fix_attrs(cat->ck, cat->attr_vols[i]);
		if (err)
			return err;
	}
	return 0;
}

int ck_volumes_judge(struct ck_catalog *cat)
{
	size_t i;
	int err = 0;

	for (i = 0; i < cat->vol_count; i++) {
		struct ck_vol *v = &cat->vols[i];

		v->parent = v->has_map && v->parent_id ? ck_catalog_vol(cat, v->parent_id) : NULL;
	}
	for (i = 0; i < cat->vol_count && !err; i++) {
		struct ck_vol *v = &cat->vols[i];

		if (!judge_pair(cat, v))
			continue;
		judge_fields(cat, v);
		judge_parent(cat, v);
		err = judge_name(cat, v);
		if (!err)
			err = judge_child(cat, v);
	}
	for (i = 0; i < cat->vol_count && !cat->ck->catalog_partial; i++)
		judge_states(cat, &cat->vols[i]);
	if (!err)
		err = judge_names(cat);
	if (!err)
		err = judge_children(cat);
	if (!err)
		err = judge_attrs(cat);
	return err ? err : judge_ancestry(cat);
}

/* ------------------------------------------------------------------ counters, after the walks */

static int fix_counts(struct ck *ck, struct ck_vol *v, u64 owned)
{
	struct lb_map_record rec = v->map;
	u8 key[9];

	rec.owned = cpu_to_le64(owned);
	if (v->whole)
		rec.nodes = cpu_to_le64(v->found_nodes);
	v->map = rec;
	key[0] = LB_KEY_MAP;
	be64_put(key + 1, v->id);
	return ck_fix_put(ck, key, sizeof(key), &rec, sizeof(rec));
}

/*
 * A volume and the parent that is being collapsed into it are counted together: until the collapse is done, neither
 * record alone says what is its own. A parent in front of a chain of such stands for all of it; its repair puts
 * each one's own finding into its record.
 */
static int judge_owned(struct ck *ck)
{
	size_t i;
	int err = 0;

	for (i = 0; i < ck->cat.vol_count && !err && !ck->incomplete; i++) {
		struct ck_vol *v = &ck->cat.vols[i], *h;
		s64 told = v->owned, found = (s64)v->found_owned;

		if (!v->usable || v->cursor)
			continue;
		for (h = v->heir; h; h = h->heir) {
			told += h->owned;
			found += (s64)h->found_owned;
		}
		if (told == found)
			continue;
		ck_tell(ck, LBCK_COUNT_OWNED, ((struct ck_where){ .volume = v->id, .repairable = ck_settled(ck) }),
			"volume %llu%s: %lld recorded, %lld found", (unsigned long long)v->id,
			v->heir ? " and its heir" : "",
			(long long)told, (long long)found);
		for (h = v; h && !err; h = h->heir)
			err = fix_counts(ck, h, h->found_owned);
	}
	return err;
}

static int judge_nodes(struct ck *ck)
{
	size_t i;
	int err = 0;

	for (i = 0; i < ck->cat.vol_count && !err; i++) {
		struct ck_vol *v = &ck->cat.vols[i];

		if (!v->usable || !v->whole || v->nodes == v->found_nodes)
			continue;
		ck_tell(ck, LBCK_COUNT_NODES, ((struct ck_where){ .volume = v->id, .repairable = ck_settled(ck) }),
			"volume %llu: %llu recorded, %llu found", (unsigned long long)v->id,
			(unsigned long long)v->nodes,
			(unsigned long long)v->found_nodes);
		err = fix_counts(ck, v, le64_to_cpu(v->map.owned));
	}
	return err;
}

int ck_counters_judge(struct ck *ck)
{
	struct ck_where at = { .repairable = ck_settled(ck) };
	u64 data = le64_to_cpu(ck->sb->data_blocks), meta = le64_to_cpu(ck->sb->meta_blocks);
	u64 nodes = le64_to_cpu(ck->sb->catalog_nodes);
	int err = judge_owned(ck);

	if (!err)
		err = judge_nodes(ck);
	if (err || ck->incomplete)
		return err;
	if (data != ck->data_blocks)
		ck_tell(ck, LBCK_COUNT_DATA, at, "%llu recorded, %llu found", (unsigned long long)data,
			(unsigned long long)ck->data_blocks);
	if (meta != ck->meta_blocks)
		ck_tell(ck, LBCK_COUNT_META, at, "%llu recorded, %llu found", (unsigned long long)meta,
			(unsigned long long)ck->meta_blocks);
	if (nodes != ck->catalog_nodes)
		ck_tell(ck, LBCK_COUNT_CATALOG, at, "%llu recorded, %llu found", (unsigned long long)nodes,
			(unsigned long long)ck->catalog_nodes);
	ck->fixes.counters = data != ck->data_blocks || meta != ck->meta_blocks || nodes != ck->catalog_nodes;
	return 0;
}
