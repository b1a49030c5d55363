// SPDX-License-Identifier: GPL-2.0
/* Damage to the catalog's items: what volumes' records say, and what they say about each other. */
#include "checkcases.h"

#define NOBODY	99u		/* an id that no volume has */

static void put(struct damage *d, const u8 *key, u32 key_len, const void *value, u32 value_len)
{
	damage_put(d, key, key_len, value, value_len);
}

static void put_name(struct damage *d, const char *name, u64 id)
{
	struct lb_name_record rec = { .id = cpu_to_le64(id) };
	u8 key[DAMAGE_KEY];

	put(d, key, damage_key_name(key, name), &rec, sizeof(rec));
}

static void drop_name(struct damage *d, const char *name)
{
	u8 key[DAMAGE_KEY];

	damage_delete(d, key, damage_key_name(key, name));
}

static void drop_id(struct damage *d, u8 kind, u64 id)
{
	u8 key[DAMAGE_KEY];

	damage_delete(d, key, damage_key_id(key, kind, id));
}

static void put_child(struct damage *d, u64 parent, u64 child)
{
	u8 key[DAMAGE_KEY];

	put(d, key, damage_key_child(key, parent, child), NULL, 0);
}

static void drop_child(struct damage *d, u64 parent, u64 child)
{
	u8 key[DAMAGE_KEY];

	damage_delete(d, key, damage_key_child(key, parent, child));
}

/* ------------------------------------------------------------------ items */

static void item_key(struct damage *d) { put(d, (const u8 *)"Zeta", 4, "x", 1); }

static void item_key_length(struct damage *d)
{
	u8 key[DAMAGE_KEY];
	u32 len = damage_key_child(key, 0, VOL_EMPTY);

	key[len] = 0;
	put(d, key, len + 1, NULL, 0);
}

static void item_value(struct damage *d)
{
	u8 key[DAMAGE_KEY];

	put(d, key, damage_key_child(key, 0, VOL_EMPTY), "x", 1);
}

/* A name's record is known from the volume's. */
static void item_value_of_name(struct damage *d)
{
	u8 key[DAMAGE_KEY];

	put(d, key, damage_key_name(key, "empty"), "xyz", 3);
}

/* A map's record is known from nowhere, and its tree only from it. */
static void item_value_of_map(struct damage *d)
{
	u8 key[DAMAGE_KEY];

	put(d, key, damage_key_id(key, LB_KEY_MAP, VOL_SMALL), "xyz", 3);
}

/* ------------------------------------------------------------------ volumes' records */

static void change_vol(struct damage *d, u64 vol, void (*change)(struct lb_vol_record *v))
{
	char name[LB_CAT_VALUE_MAX];
	struct lb_vol_record v = damage_vol_get(d, vol, name);

	change(&v);
	damage_vol_put(d, vol, &v, name, (u32)strlen(name));
}

static void change_map(struct damage *d, u64 vol, void (*change)(struct lb_map_record *m))
{
	struct lb_map_record m = damage_map_get(d, vol);

	change(&m);
	damage_map_put(d, vol, &m);
}

static void set_pad(struct lb_vol_record *v) { v->pad = cpu_to_le16(1); }
static void set_size(struct lb_vol_record *v) { v->size_blocks = 0; }
static void set_state(struct lb_vol_record *v) { v->state = cpu_to_le32(7); }
static void set_thawed(struct lb_vol_record *v) { v->frozen = 0; }
static void set_deleted(struct lb_vol_record *v) { v->state = cpu_to_le32(LB_VOL_DELETED); }
static void set_parent(struct lb_map_record *m) { m->parent = cpu_to_le64(NOBODY); }
static void set_origin(struct lb_map_record *m) { m->origin = cpu_to_le64(1); }
static void set_older(struct lb_map_record *m) { m->origin = cpu_to_le64(le64_to_cpu(m->origin) - 1); }
static void set_cursor(struct lb_map_record *m) { m->cursor = cpu_to_le64(5); }
static void set_free_cursor(struct lb_map_record *m) { m->free_cursor = cpu_to_le64(200); }

static void vol_pad(struct damage *d) { change_vol(d, VOL_EMPTY, set_pad); }
static void vol_size(struct damage *d) { change_vol(d, VOL_EMPTY, set_size); }
static void vol_state(struct damage *d) { change_vol(d, VOL_EMPTY, set_state); }
static void vol_no_map(struct damage *d) { drop_id(d, LB_KEY_MAP, VOL_SMALL); }
static void map_no_vol(struct damage *d) { drop_id(d, LB_KEY_VOL, VOL_SMALL); }

/* ------------------------------------------------------------------ names */

static void rename_vol(struct damage *d, const char *to, u32 len)
{
	char name[LB_CAT_VALUE_MAX];
	struct lb_vol_record v = damage_vol_get(d, VOL_EMPTY, name);

	damage_vol_put(d, VOL_EMPTY, &v, to, len);
}

static void name_orphan(struct damage *d) { put_name(d, "ghost", NOBODY); }
static void name_missing(struct damage *d) { drop_name(d, "data"); }

static void name_twice(struct damage *d)
{
	rename_vol(d, "small", 5);
	drop_name(d, "empty");
}

static void name_bad(struct damage *d)
{
	rename_vol(d, "a/b", 3);
	drop_name(d, "empty");
	put_name(d, "a/b", VOL_EMPTY);
}

/* Longer than any key: there is no item that could be its name. */
static void name_long(struct damage *d)
{
	char name[900];

	memset(name, 'n', sizeof(name));
	rename_vol(d, name, sizeof(name));
	drop_name(d, "empty");
}

/* ------------------------------------------------------------------ relations */

static void child_missing(struct damage *d) { drop_child(d, VOL_BASE, VOL_WEB1); }
static void child_orphan(struct damage *d) { put_child(d, VOL_BASE, NOBODY); }
static void parent_missing(struct damage *d) { change_map(d, VOL_EMPTY, set_parent); }
static void parent_writable(struct damage *d) { change_vol(d, VOL_BASE, set_thawed); }
static void origin_wrong(struct damage *d) { change_map(d, VOL_EMPTY, set_origin); }
static void origin_older(struct damage *d) { change_map(d, VOL_WEB2, set_older); }
static void collapse_state(struct damage *d) { change_map(d, VOL_EMPTY, set_cursor); }
static void free_state(struct damage *d) { change_map(d, VOL_SMALL, set_free_cursor); }

static void deleted_name(struct damage *d) { change_vol(d, VOL_EMPTY, set_deleted); }

static void parent_cycle(struct damage *d)
{
	char name[LB_CAT_VALUE_MAX];
	struct lb_vol_record v = damage_vol_get(d, VOL_BASE, name);
	struct lb_map_record m = damage_map_get(d, VOL_BASE);

	m.parent = cpu_to_le64(VOL_BASE);
	m.origin = v.frozen;
	damage_map_put(d, VOL_BASE, &m);
	drop_child(d, 0, VOL_BASE);
	put_child(d, VOL_BASE, VOL_BASE);
}

static void id_future(struct damage *d)
{
	d->sb.next_volume = cpu_to_le64(VOL_EMPTY);
	damage_super_put(d);
}

/* ------------------------------------------------------------------ attributes */

static void attr_orphan(struct damage *d)
{
	const u8 value[] = { 3, 0, 0, 0, 'a', 'b', 'c' };
	u8 key[DAMAGE_KEY];

	put(d, key, damage_key_attr(key, NOBODY, "lost", 0), value, sizeof(value));
}

static void attr_last(struct damage *d)
{
	u8 key[DAMAGE_KEY];

	damage_delete(d, key, damage_key_attr(key, VOL_BASE, "config", ATTR_BYTES / LB_CAT_VALUE_MAX));
}

static void attr_middle(struct damage *d)
{
	u8 key[DAMAGE_KEY];

	damage_delete(d, key, damage_key_attr(key, VOL_BASE, "config", 1));
}

/* What can be mended is mended together. */
static void many(struct damage *d)
{
	name_orphan(d);
	name_missing(d);
	child_missing(d);
	child_orphan(d);
	attr_orphan(d);
}

/* One volume's tree is unknown: the catalog stays as it is. */
static void many_and_no_map(struct damage *d)
{
	vol_no_map(d);
	name_orphan(d);
}

const struct check_case cases_catalog[] = {
	CASE(601, KEPT, "of no kind", item_key),
	CASE(601, KEPT, "of a wrong length", item_key_length),
	CASE(602, KEPT, "a child's", item_value),
	CASE(602, MENDED, "a name's", item_value_of_name, .also = { 607 }),
	CASE(602, KEPT, "a map's", item_value_of_map, .also = { 604 }),
	CASE(603, KEPT, "a reserved field", vol_pad),
	CASE(603, KEPT, "no blocks", vol_size),
	CASE(603, KEPT, "state 7", vol_state),
	CASE(604, KEPT, "with blocks that only it names", vol_no_map),
	CASE(605, KEPT, "with a name that points to it", map_no_vol),
	CASE(606, MENDED, "of a volume that is not there", name_orphan),
	CASE(606, MENDED, "the same, entries in the journal", name_orphan, .image = IMAGE_JOURNAL),
	CASE(607, MENDED, "a volume that is there", name_missing),
	CASE(607, MENDED, "with all else that can be mended", many, .also = { 606, 610, 611, 612 }),
	CASE(608, KEPT, "one of them without an item", name_twice),
	CASE(609, KEPT, "with a slash", name_bad),
	CASE(609, KEPT, "of 900 bytes", name_long, .also = { 607 }),
	CASE(610, MENDED, "not listed", child_missing),
	CASE(611, MENDED, "a volume that is not there", child_orphan),
	CASE(612, MENDED, "a volume that is not there", attr_orphan),
	CASE(613, KEPT, "its last chunk", attr_last),
	CASE(613, KEPT, "a chunk in the middle", attr_middle),
	CASE(614, KEPT, "a volume that was never there", parent_missing),
	CASE(615, KEPT, "a base", parent_writable),
	CASE(616, KEPT, "without a parent", origin_wrong),
	CASE(616, KEPT, "a generation older", origin_older),
	CASE(617, KEPT, "its own parent", parent_cycle),
	CASE(618, KEPT, "a cursor without a parent", collapse_state),
	CASE(619, KEPT, "a free cursor in a volume that is live", free_state),
	CASE(619, KEPT, "a name", deleted_name),
	CASE(620, KEPT, "the next one to be given", id_future),
	CASE(604, KEPT, "and a name too many", many_and_no_map, .also = { 606 }),
};
const unsigned int cases_catalog_count = ARRAY_SIZE(cases_catalog);
