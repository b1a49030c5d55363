// SPDX-License-Identifier: GPL-2.0
/*
 * The catalog of a salvaged pool: every item that can still be read, and what is missing made up from what is known
 * elsewhere. How it is written is salvage_records.c's.
 *
 * A volume has two records. The one that says what it is (V) is made up from its map, its children, the names and the journal
 * when it is lost: a volume is never left out because of that. Without the one that says what it maps (M) it has an
 * empty map, but what its children share with it is given back to it later (salvage_map.c). An ancestor of which neither
 * is left is made up in the same way, for its children's sake. Names and lists of children follow from the records.
 */
#include <stdlib.h>

#include "salvage.h"

/* ------------------------------------------------------------------ items */

static int cmp_item(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return ck_key_cmp(x->key, x->key_len, y->key, y->key_len);
}

static int item_init(struct item *it, const u8 *key, u32 key_len, const void *value, u32 value_len)
{
	*it = (struct item){ .key_len = key_len, .value_len = value_len };
	it->key = malloc(key_len + value_len + 1);
	if (!it->key)
		return -ENOMEM;
	it->value = it->key + key_len;
	memcpy(it->key, key, key_len);
	if (value_len)
		memcpy(it->value, value, value_len);
	return 0;
}

static int take_item(void *arg, const u8 *key, u32 key_len, const u8 *value, u32 value_len)
{
	struct salvage *s = arg;
	int err = ck_grow(&s->items, &s->item_room, s->item_count, sizeof(*s->items));

	if (!err)
		err = item_init(&s->items[s->item_count], key, key_len, value, value_len);
	if (!err)
		s->item_count++;
	return err;
}

struct item *salvage_item(const struct salvage *s, const u8 *key, u32 key_len, size_t *place)
{
	size_t lo = 0, hi = s->item_count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (ck_key_cmp(s->items[mid].key, s->items[mid].key_len, key, key_len) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*place = lo;
	if (lo == s->item_count || ck_key_cmp(s->items[lo].key, s->items[lo].key_len, key, key_len))
		return NULL;
	return &s->items[lo];
}

int salvage_put(struct salvage *s, const u8 *key, u32 key_len, const void *value, u32 value_len)
{
	struct item fresh, *it;
	size_t at;
	int err;

	it = salvage_item(s, key, key_len, &at);
	if (it && it->value_len == value_len && !memcmp(it->value, value_len ? value : "", value_len))
		return 0;
	err = item_init(&fresh, key, key_len, value, value_len);
	if (err)
		return err;
	if (it) {
		free(it->key);
		*it = fresh;
		return 0;
	}
	err = ck_grow(&s->items, &s->item_room, s->item_count, sizeof(*s->items));
	if (err) {
		free(fresh.key);
		return err;
	}
	memmove(&s->items[at + 1], &s->items[at], (s->item_count - at) * sizeof(*s->items));
	s->items[at] = fresh;
	s->item_count++;
	return 0;
}

/* ------------------------------------------------------------------ parts */

static int cmp_part(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

struct part *salvage_part(const struct salvage *s, u64 id)
{
	struct part key = { .id = id };

	return s->part_count ? bsearch(&key, s->parts, s->part_count, sizeof(key), cmp_part) : NULL;
}

/* The part of that id, made when it is new; pointers to other parts are void then. */
static struct part *part_get(struct salvage *s, u64 id)
{
	struct part *p = salvage_part(s, id);
	size_t at;

	if (p)
		return p;
	if (ck_grow(&s->parts, &s->part_room, s->part_count, sizeof(*s->parts)))
		return NULL;
	for (at = s->part_count; at && s->parts[at - 1].id > id; at--)
		;
	memmove(&s->parts[at + 1], &s->parts[at], (s->part_count - at) * sizeof(*s->parts));
	s->part_count++;
	s->parts[at] = (struct part){ .id = id };
	return &s->parts[at];
}

static bool id_possible(const struct salvage *s, u64 id)
{
	return id && id < le64_to_cpu(s->ck->sb->next_volume);
}

/* True: the item is what its kind should be. */
static int take_part(struct salvage *s, const struct item *it)
{
	struct part *p;
	u64 id;

	if (it->key_len != 9)
		return 0;
	id = key_id(it->key + 1);
	if (!id_possible(s, id))
		return 0;
	if (it->key[0] == LB_KEY_MAP && it->value_len == sizeof(p->map)) {
		p = part_get(s, id);
		if (!p)
			return -ENOMEM;
		memcpy(&p->map, it->value, sizeof(p->map));
		p->has_map = true;
		return 1;
	}
	if (it->key[0] != LB_KEY_VOL || it->value_len < sizeof(p->vol) || it->value_len > sizeof(p->vol) + 255)
		return 0;
	p = part_get(s, id);
	if (!p)
		return -ENOMEM;
	memcpy(&p->vol, it->value, sizeof(p->vol));
	p->name_len = it->value_len - (u32)sizeof(p->vol);
	memcpy(p->name, it->value + sizeof(p->vol), p->name_len);
	p->has_vol = le64_to_cpu(p->vol.id) == id && p->vol.size_blocks && le32_to_cpu(p->vol.state) <= LB_VOL_DELETED &&
		le16_to_cpu(p->vol.name_len) == p->name_len;
	if (!p->has_vol)
		p->name_len = 0;
	return p->has_vol;
}

/* An id that has a record was given, and is not given again. */
static void raise_next(struct salvage *s)
{
	u64 next = le64_to_cpu(s->ck->sb->next_volume), id;
	size_t i;

	for (i = 0; i < s->item_count; i++) {
		const struct item *it = &s->items[i];

		if (it->key[0] != LB_KEY_VOL || it->key_len != 9 || it->value_len < sizeof(struct lb_vol_record))
			continue;
		id = key_id(it->key + 1);
		if (id >= next && id < LB_LBLK_MAX && !memcmp(it->value, &(__le64){ cpu_to_le64(id) }, sizeof(__le64)))
			next = id + 1;
	}
	s->ck->sb->next_volume = cpu_to_le64(next);
}

/* Volumes from their records. Records that are none are dropped. */
static int take_parts(struct salvage *s)
{
	size_t i;
	int good;

	for (i = 0; i < s->item_count; i++) {
		struct item *it = &s->items[i];

		switch (it->key[0]) {
		case LB_KEY_MAP:
		case LB_KEY_VOL:
			good = take_part(s, it);
			break;
		case LB_KEY_NAME:
			good = it->key_len >= 2 && it->key_len <= 256 && it->value_len == sizeof(struct lb_name_record);
			break;
		case LB_KEY_CHILD:
			good = it->key_len == 17 && !it->value_len;
			break;
		default:
			good = it->key[0] == LB_KEY_ATTR;
		}
		if (good < 0)
			return good;
		if (!good)
			it->value_len = ITEM_GONE;
	}
	return 0;
}

/* ------------------------------------------------------------------ attributes */

struct attr_run {
	size_t first, count;		/* items */
	u32 prefix;			/* of the key: all but the chunk number */
};

static bool attr_whole(const struct salvage *s, const struct attr_run *r)
{
	struct lb_attr_head head;
	u64 got = 0;
	size_t i;

	if (r->prefix < 11 || memchr(s->items[r->first].key + 9, 0, r->prefix - 10) ||
	    s->items[r->first].key[r->prefix - 1] || s->items[r->first].value_len < sizeof(head))
		return false;
	memcpy(&head, s->items[r->first].value, sizeof(head));
	for (i = 0; i < r->count; i++) {
		const struct item *it = &s->items[r->first + i];
		__be32 chunk;

		memcpy(&chunk, it->key + r->prefix, sizeof(chunk));
		if (be32_to_cpu(chunk) != i || (i + 1 < r->count && it->value_len != LB_CAT_VALUE_MAX))
			return false;
		got += it->value_len - (i ? 0 : sizeof(head));
	}
	return got == le32_to_cpu(head.total_len);
}

/* Attributes that are whole and somebody's stay. */
static void judge_attrs(struct salvage *s)
{
	struct attr_run r = { 0 };
	size_t i;

	for (; r.first < s->item_count && s->items[r.first].key[0] == LB_KEY_ATTR; r.first += r.count) {
		const struct item *it = &s->items[r.first];
		u64 id = it->key_len >= 9 ? key_id(it->key + 1) : 0;
		const struct part *p = salvage_part(s, id);

		r.prefix = it->key_len > 4 ? it->key_len - 4 : 0;
		for (r.count = 1; r.first + r.count < s->item_count; r.count++) {
			const struct item *next = &s->items[r.first + r.count];

			if (next->key_len != it->key_len || memcmp(next->key, it->key, r.prefix))
				break;
		}
		if ((!id || p) && attr_whole(s, &r))
			continue;
		if (!id || p)
			salvage_tell(s, LBCK_LOSS_ATTR, p, "attribute \"%.*s\": its value is incomplete, it goes",
				     r.prefix > 10 ? (int)r.prefix - 10 : 0, (const char *)it->key + 9);
		for (i = 0; i < r.count; i++)
			s->items[r.first + i].value_len = ITEM_GONE;
	}
}

/* ------------------------------------------------------------------ what is missing */

/* The parent by the lists of children; 0: none, or not known. */
static u64 listed_parent(const struct salvage *s, u64 id)
{
	size_t i;

	for (i = 0; i < s->item_count; i++) {
		const struct item *it = &s->items[i];

		if (it->key[0] == LB_KEY_CHILD && it->value_len != ITEM_GONE && key_id(it->key + 9) == id)
			return key_id(it->key + 1);
	}
	return 0;
}

static const struct item *listed_name(const struct salvage *s, u64 id)
{
	struct lb_name_record rec;
	size_t i;

	for (i = 0; i < s->item_count; i++) {
		const struct item *it = &s->items[i];

		if (it->key[0] != LB_KEY_NAME || it->value_len == ITEM_GONE)
			continue;
		memcpy(&rec, it->value, sizeof(rec));
		if (le64_to_cpu(rec.id) == id)
			return it;
	}
	return NULL;
}

static void make_map(struct salvage *s, struct part *p)
{
	const struct part *parent;
	u64 id = listed_parent(s, p->id);

	p->lost_root = true;
	memset(&p->map, 0, sizeof(p->map));
	parent = id && id != p->id ? salvage_part(s, id) : NULL;
	if (!parent)
		return;
	p->map.parent = cpu_to_le64(id);
	p->map.origin = parent->vol.frozen;
}

/* What the journal says that the volume is: its newest record there. */
static bool journal_record(const struct salvage *s, struct part *p)
{
	size_t i;

	for (i = s->ck->journal.count; i-- > 0; ) {
		const struct ck_entry *e = &s->ck->journal.entries[i];

		if (e->map || e->remove || e->key_len != 9 || e->key[0] != LB_KEY_VOL || key_id(e->key + 1) != p->id ||
		    e->value_len < sizeof(p->vol) || e->value_len > sizeof(p->vol) + 255)
			continue;
		memcpy(&p->vol, e->key + e->key_len, sizeof(p->vol));
		p->name_len = e->value_len - (u32)sizeof(p->vol);
		memcpy(p->name, e->key + e->key_len + sizeof(p->vol), p->name_len);
		return true;
	}
	return false;
}

/* Does the journal write to it? Then it was writable. */
static bool journal_writes(const struct salvage *s, u64 id)
{
	size_t i;

	for (i = 0; i < s->ck->journal.count; i++)
		if (s->ck->journal.entries[i].map && s->ck->journal.entries[i].volume == id)
			return true;
	return false;
}

/* Nobody writes to what is not understood: without children it is frozen now. */
static void make_vol(struct salvage *s, struct part *p)
{
	const struct item *name = listed_name(s, p->id);
	u64 frozen = journal_writes(s, p->id) ? 0 : s->ck->gen, size = 1;
	bool deleted = p->map.free_cursor, child = false;
	size_t i;

	memset(&p->vol, 0, sizeof(p->vol));
	p->name_len = 0;
	if (journal_record(s, p))
		return;
	for (i = 0; i < s->part_count; i++) {
		const struct part *c = &s->parts[i];

		if (!c->has_map || le64_to_cpu(c->map.parent) != p->id)
			continue;
		if (!child || le64_to_cpu(c->map.origin) < frozen)
			frozen = le64_to_cpu(c->map.origin);
		size = c->has_vol ? max_t(u64, size, le64_to_cpu(c->vol.size_blocks)) : size;
		deleted = deleted || c->map.cursor;
		child = true;
	}
	p->vol.id = cpu_to_le64(p->id);
	p->vol.size_blocks = cpu_to_le64(size);
	p->vol.frozen = cpu_to_le64(frozen);
	p->vol.state = cpu_to_le32(deleted ? LB_VOL_DELETED : LB_VOL_LIVE);
	if (deleted || !name)
		return;
	p->name_len = name->key_len - 1;
	memcpy(p->name, name->key + 1, p->name_len);
}

/* Ancestors of which nothing is left but that somebody names them. */
static int missing_parents(struct salvage *s)
{
	size_t i = 0;

	while (i < s->part_count) {
		u64 id = s->parts[i].has_map ? le64_to_cpu(s->parts[i].map.parent) : listed_parent(s, s->parts[i].id);

		if (id_possible(s, id) && !salvage_part(s, id)) {
			if (!part_get(s, id))
				return -ENOMEM;
			i = 0;
			continue;
		}
		i++;
	}
	return 0;
}

/* Volumes whose names are all that is left of them. */
static void tell_gone(struct salvage *s)
{
	struct lb_name_record rec;
	size_t i;

	for (i = 0; i < s->item_count; i++) {
		const struct item *it = &s->items[i];

		if (it->key[0] != LB_KEY_NAME || it->value_len == ITEM_GONE)
			continue;
		memcpy(&rec, it->value, sizeof(rec));
		if (!salvage_part(s, le64_to_cpu(rec.id)))
			salvage_tell(s, LBCK_LOSS_VOLUME, NULL, "of volume %llu, \"%.*s\", nothing is left",
				     (unsigned long long)le64_to_cpu(rec.id), (int)it->key_len - 1, (const char *)it->key + 1);
	}
}

/* A parent that no volume can be: the lists of children may know better. */
static void doubt_parent(struct salvage *s, struct part *p)
{
	u64 id = le64_to_cpu(p->map.parent), listed;

	if (!p->has_map || !id || id_possible(s, id))
		return;
	listed = listed_parent(s, p->id);
	p->map.parent = id_possible(s, listed) ? cpu_to_le64(listed) : 0;
	if (!p->map.parent)
		p->map.origin = 0;
}

static int complete_parts(struct salvage *s)
{
	size_t i;
	int err;

	for (i = 0; i < s->part_count; i++)
		doubt_parent(s, &s->parts[i]);
	err = missing_parents(s);
	if (err)
		return err;
	for (i = 0; i < s->part_count; i++)
		if (!s->parts[i].has_vol)
			make_vol(s, &s->parts[i]);
	for (i = 0; i < s->part_count; i++)
		if (!s->parts[i].has_map)
			make_map(s, &s->parts[i]);
	return 0;
}

/* ------------------------------------------------------------------ relations */

static int cmp_depth(const void *a, const void *b)
{
	const struct part *const *x = a, *const *y = b;

	if ((*x)->depth != (*y)->depth)
		return (*x)->depth < (*y)->depth ? -1 : 1;
	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

/* A cycle is cut where it is entered: that volume has no parent any more. */
static void cut_cycle(struct salvage *s, struct part *p)
{
	struct part *a = p;
	size_t steps = 0;

	for (; a && steps <= s->part_count; a = a->parent)
		steps++;
	if (!a)
		return;
	p->parent = NULL;
	p->map.parent = 0;
	p->map.origin = 0;
	p->hurt = true;
}

static size_t children_of(const struct salvage *s, const struct part *p)
{
	size_t i, n = 0;

	for (i = 0; i < s->part_count; i++)
		n += s->parts[i].parent == p;
	return n;
}

/* States that cannot be: the one in which least is given up takes their place. What does not fit then is found by its maps. */
static void settle_states(struct salvage *s, struct part *p)
{
	struct part *a = p->parent;
	bool deleted = le32_to_cpu(p->vol.state) == LB_VOL_DELETED;

	if (deleted && p->name_len) {
		p->vol.state = cpu_to_le32(LB_VOL_LIVE);
		deleted = false;
	}
	if (p->map.free_cursor && (!deleted || children_of(s, p)))
		p->map.free_cursor = 0;
	if (p->map.cursor && (!a || le32_to_cpu(a->vol.state) != LB_VOL_DELETED || a->map.cursor || children_of(s, a) != 1 ||
			      p->map.low_origin != a->map.origin)) {
		p->map.cursor = 0;
		p->map.low_origin = 0;
	}
	/* It has a child, and so it was frozen, whatever its record says. */
	if (a && !a->vol.frozen)
		a->vol.frozen = p->map.origin;
	p->map.origin = a ? a->vol.frozen : 0;
}

static int relate(struct salvage *s)
{
	size_t i;

	s->by_depth = calloc(s->part_count + 1, sizeof(*s->by_depth));
	if (!s->by_depth)
		return -ENOMEM;
	for (i = 0; i < s->part_count; i++)
		s->parts[i].parent = s->parts[i].map.parent ? salvage_part(s, le64_to_cpu(s->parts[i].map.parent)) : NULL;
	for (i = 0; i < s->part_count; i++)
		cut_cycle(s, &s->parts[i]);
	for (i = 0; i < s->part_count; i++)
		settle_states(s, &s->parts[i]);
	for (i = 0; i < s->part_count; i++) {
		struct part *p = &s->parts[i], *a;

		if (p->parent && p->map.cursor)
			p->parent->heir = p;
		for (a = p; a->parent; a = a->parent)
			p->depth++;
		s->by_depth[i] = p;
	}
	qsort(s->by_depth, s->part_count, sizeof(struct part *), cmp_depth);
	return 0;
}

/* Items that a scan has found, between those that are there. */
static int found_items(struct salvage *s)
{
	size_t i, n = s->item_count, kept = 0;
	int err = salvage_found_items(s, take_item, s);

	if (err || s->item_count == n)
		return err;
	qsort(s->items, s->item_count, sizeof(*s->items), cmp_item);
	for (i = 0; i < s->item_count; i++) {
		if (kept && !cmp_item(&s->items[kept - 1], &s->items[i]))
			free(s->items[i].key);
		else
			s->items[kept++] = s->items[i];
	}
	s->item_count = kept;
	return 0;
}

static int make_found(struct salvage *s, u64 id)
{
	return !id_possible(s, id) || part_get(s, id) ? 0 : -ENOMEM;
}

int salvage_items(struct salvage *s)
{
	size_t i;
	int err = ck_catalog_walk(s->ck, false, take_item, s);

	if (!err && s->ck->catalog_partial)
		err = found_items(s);
	if (err)
		return err;
	if (s->ck->catalog_partial)
		salvage_tell(s, LBCK_LOSS_CATALOG, NULL,
			     "a part of the catalog cannot be read: attributes, and volumes of which nothing else is left, go");
	for (i = 1; i < s->item_count; i++)
		if (cmp_item(&s->items[i - 1], &s->items[i]) >= 0)
			return -EUCLEAN;	/* a node in another one's place */
	raise_next(s);
	err = take_parts(s);
	if (!err && s->ck->catalog_partial)
		err = salvage_found_volumes(s, make_found);
	if (!err)
		err = complete_parts(s);
	if (err)
		return err;
	judge_attrs(s);
	tell_gone(s);
	return relate(s);
}

void salvage_free(struct salvage *s)
{
	size_t i;

	for (i = 0; i < s->item_count; i++)
		free(s->items[i].key);
	for (i = 0; i < s->part_count; i++) {
		free(s->parts[i].pieces);
		free(s->parts[i].lost);
		free(s->parts[i].spans);
		free(s->parts[i].own);
		free(s->parts[i].tree);
	}
	free(s->items);
	free(s->parts);
	free(s->by_depth);
	free(s->orphans);
	free(s->holes);
	blockset_free(&s->grafted);
}
