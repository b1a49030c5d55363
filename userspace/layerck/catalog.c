// SPDX-License-Identifier: GPL-2.0
/*
 * The catalog's items, one by one in key order: their form, and what they say collected for volumes.c. Serves the
 * committed state, which may be repaired, and the one after replay, which may not.
 */
#include <stdlib.h>

#include "ck.h"

#define ATTR_TAIL	5u		/* a zero byte and the chunk number */

static u64 be64_at(const u8 *p)
{
	__be64 v;

	memcpy(&v, p, sizeof(v));
	return be64_to_cpu(v);
}

static u32 be32_at(const u8 *p)
{
	__be32 v;

	memcpy(&v, p, sizeof(v));
	return be32_to_cpu(v);
}

/* An item that cannot be read as what it is may be all that names a tree. */
static void distrust(struct ck_catalog *cat, u8 kind)
{
	if (cat->committed && kind != LB_KEY_ATTR && kind != LB_KEY_CHILD && kind != LB_KEY_NAME)
		cat->ck->incomplete = true;
}

static void tell_key(struct ck_catalog *cat, const u8 *key, u32 key_len)
{
	distrust(cat, key[0]);
	ck_tell(cat->ck, LBCK_ITEM_KEY, CK_NOWHERE, "a key of kind 0x%02x, %u bytes%s", key[0], key_len, cat->when);
}

static void tell_value(struct ck_catalog *cat, const u8 *key, u32 key_len, u32 value_len)
{
	distrust(cat, key[0]);
	ck_tell(cat->ck, LBCK_ITEM_VALUE, CK_VOL(key_len >= 9 && key[0] != LB_KEY_NAME ? be64_at(key + 1) : 0),
		"kind '%c', key of %u bytes: a value of %u bytes%s", key[0], key_len, value_len, cat->when);
}

/* ------------------------------------------------------------------ volumes */

static int cmp_u64(u64 a, u64 b)
{
	return (a > b) - (a < b);
}

static int cmp_vol(const void *a, const void *b)
{
	const struct ck_vol *x = a, *y = b;

	return cmp_u64(x->id, y->id);
}

struct ck_vol *ck_catalog_vol(const struct ck_catalog *cat, u64 id)
{
	struct ck_vol key = { .id = id };

	return cat->vol_count ? bsearch(&key, cat->vols, cat->vol_count, sizeof(key), cmp_vol) : NULL;
}

/*
 * The volume's place in the table, made when it is new. Ids come in ascending order, twice: from the map records,
 * then from the volumes'.
 */
static struct ck_vol *vol_at(struct ck_catalog *cat, u64 id)
{
	struct ck_vol *v = ck_catalog_vol(cat, id);
	size_t at;

	if (v)
		return v;
	if (ck_grow(&cat->vols, &cat->vol_room, cat->vol_count, sizeof(*cat->vols)))
		return NULL;
	for (at = cat->vol_count; at && cat->vols[at - 1].id > id; at--)
		;
	memmove(&cat->vols[at + 1], &cat->vols[at], (cat->vol_count - at) * sizeof(*cat->vols));
	cat->vol_count++;
	cat->vols[at] = (struct ck_vol){ .id = id };
	return &cat->vols[at];
}

static int take_map(struct ck_catalog *cat, const u8 *key, u32 key_len, const u8 *value, u32 value_len)
{
	struct ck_vol *v;

	if (key_len != 9) {
		tell_key(cat, key, key_len);
		return 0;
	}
	if (value_len != sizeof(v->map)) {
		tell_value(cat, key, key_len, value_len);
		return 0;
	}
	v = vol_at(cat, be64_at(key + 1));
	if (!v)
		return -ENOMEM;
	memcpy(&v->map, value, sizeof(v->map));
	v->has_map = true;
	v->root = lb_ref_decode(&v->map.root);
	v->parent_id = le64_to_cpu(v->map.parent);
	v->origin = le64_to_cpu(v->map.origin);
	v->low_origin = le64_to_cpu(v->map.low_origin);
	v->cursor = le64_to_cpu(v->map.cursor);
	v->free_cursor = le64_to_cpu(v->map.free_cursor);
	v->owned = (s64)le64_to_cpu(v->map.owned);
	v->nodes = le64_to_cpu(v->map.nodes);
	return 0;
}

static int take_vol(struct ck_catalog *cat, const u8 *key, u32 key_len, const u8 *value, u32 value_len)
{
	struct lb_vol_record rec;
	struct ck_vol *v;

	if (key_len != 9) {
		tell_key(cat, key, key_len);
		return 0;
	}
	if (value_len < sizeof(rec)) {
		tell_value(cat, key, key_len, value_len);
		return 0;
	}
	memcpy(&rec, value, sizeof(rec));
	if (le16_to_cpu(rec.name_len) != value_len - sizeof(rec)) {
		tell_value(cat, key, key_len, value_len);
		return 0;
	}
	v = vol_at(cat, be64_at(key + 1));
	if (!v)
		return -ENOMEM;
	v->has_vol = true;
	v->size = le64_to_cpu(rec.size_blocks);
	v->quota = le64_to_cpu(rec.quota_blocks);
	v->frozen = le64_to_cpu(rec.frozen);
	v->created = le64_to_cpu(rec.created);
	v->state = le32_to_cpu(rec.state);
	v->name_len = le16_to_cpu(rec.name_len);
	v->name = malloc(v->name_len + 1);
	if (!v->name)
		return -ENOMEM;
	memcpy(v->name, value + sizeof(rec), v->name_len);
	if (le64_to_cpu(rec.id) != v->id || rec.pad || rec.reserved[0] || rec.reserved[1])
		ck_tell(cat->ck, LBCK_VOL_FIELD, CK_VOL(v->id),
			"volume %llu: its record says %llu, or reserved bytes are in use%s",
			(unsigned long long)v->id, (unsigned long long)le64_to_cpu(rec.id), cat->when);
	return 0;
}

/* ------------------------------------------------------------------ names, children */

static int take_name(struct ck_catalog *cat, const u8 *key, u32 key_len, const u8 *value, u32 value_len)
{
	struct lb_name_record rec;
	struct ck_name *n;
	int err;

	if (key_len < 2 || key_len > 256) {
		tell_key(cat, key, key_len);
		return 0;
	}
	if (value_len != sizeof(rec)) {
		tell_value(cat, key, key_len, value_len);
		return 0;
	}
	err = ck_grow(&cat->names, &cat->name_room, cat->name_count, sizeof(*cat->names));
	if (err)
		return err;
	memcpy(&rec, value, sizeof(rec));
	n = &cat->names[cat->name_count];
	n->id = le64_to_cpu(rec.id);
	n->len = key_len - 1;
	n->name = malloc(n->len);
	if (!n->name)
		return -ENOMEM;
	memcpy(n->name, key + 1, n->len);
	cat->name_count++;
	return 0;
}

static int take_child(struct ck_catalog *cat, const u8 *key, u32 key_len, u32 value_len)
{
	int err;

	if (key_len != 17) {
		tell_key(cat, key, key_len);
		return 0;
	}
	if (value_len)
		tell_value(cat, key, key_len, value_len);
	err = ck_grow(&cat->children, &cat->child_room, cat->child_count, sizeof(*cat->children));
	if (err)
		return err;
	cat->children[cat->child_count++] = (struct ck_pair){ .a = be64_at(key + 1), .b = be64_at(key + 9) };
	return 0;
}

/* ------------------------------------------------------------------ attributes */

static void tell_attr(struct ck_catalog *cat, const u8 *key, u32 name_len, const char *why)
{
	if (cat->ck->catalog_partial)
		return;
	ck_tell(cat->ck, LBCK_ATTR_CHUNKS, CK_VOL(be64_at(key + 1)), "volume %llu, attribute \"%.*s\": %s%s",
		(unsigned long long)be64_at(key + 1), (int)name_len, (const char *)key + 9, why, cat->when);
}

static void attr_close(struct ck_catalog *cat)
{
	if (cat->attr_open && cat->attr_got != cat->attr_total)
		tell_attr(cat, cat->attr_key, cat->attr_key_len - 9, "its last chunks are missing");
	cat->attr_open = false;
}

static void attr_first(struct ck_catalog *cat, const u8 *key, u32 name_len, const u8 *value, u32 value_len)
{
	struct lb_attr_head head;

	if (value_len < sizeof(head)) {
		tell_attr(cat, key, name_len, "its first chunk is too short");
		return;
	}
	memcpy(&head, value, sizeof(head));
	cat->attr_open = true;
	cat->attr_key_len = 9 + name_len;
	memcpy(cat->attr_key, key, cat->attr_key_len);
	cat->attr_total = le32_to_cpu(head.total_len);
	cat->attr_got = value_len - (u32)sizeof(head);
	cat->attr_next = 1;
	if (cat->attr_got > cat->attr_total || (cat->attr_got < cat->attr_total && value_len != LB_CAT_VALUE_MAX)) {
		tell_attr(cat, key, name_len, "its first chunk has a wrong length");
		cat->attr_open = false;
	}
}

static void attr_further(struct ck_catalog *cat, const u8 *key, u32 name_len, u32 chunk, u32 value_len)
{
	bool same = cat->attr_open && cat->attr_key_len == 9 + name_len &&
		!memcmp(cat->attr_key, key, cat->attr_key_len);
	u32 left = cat->attr_total - cat->attr_got;

	if (!same || chunk != cat->attr_next) {
		tell_attr(cat, key, name_len, "a chunk follows nothing");
		cat->attr_open = cat->attr_open && !same;
		return;
	}
	if (!left || value_len != (left < LB_CAT_VALUE_MAX ? left : LB_CAT_VALUE_MAX)) {
		tell_attr(cat, key, name_len, "a chunk has a wrong length");
		cat->attr_open = false;
		return;
	}
	cat->attr_got += value_len;
	cat->attr_next++;
}

static int take_attr(struct ck_catalog *cat, const u8 *key, u32 key_len, const u8 *value, u32 value_len)
{
	u32 name_len, chunk;
	u64 id;
	int err;

	if (key_len < 9 + 1 + ATTR_TAIL || key_len > 9 + 255 + ATTR_TAIL || key[key_len - ATTR_TAIL] ||
	    memchr(key + 9, 0, key_len - 9 - ATTR_TAIL)) {
		tell_key(cat, key, key_len);
		return 0;
	}
	id = be64_at(key + 1);
	name_len = key_len - 9 - ATTR_TAIL;
	chunk = be32_at(key + key_len - 4);
	if (!cat->attr_count || cat->attr_vols[cat->attr_count - 1] != id) {
		err = ck_grow(&cat->attr_vols, &cat->attr_room, cat->attr_count, sizeof(*cat->attr_vols));
		if (err)
			return err;
		cat->attr_vols[cat->attr_count++] = id;
	}
	if (!chunk) {
		attr_close(cat);
		attr_first(cat, key, name_len, value, value_len);
	} else {
		attr_further(cat, key, name_len, chunk, value_len);
	}
	return 0;
}

/* ------------------------------------------------------------------ all kinds */

int ck_catalog_item(struct ck_catalog *cat, const u8 *key, u32 key_len, const u8 *value, u32 value_len)
{
	if (key[0] != LB_KEY_ATTR)
		attr_close(cat);
	switch (key[0]) {
	case LB_KEY_ATTR:
		return take_attr(cat, key, key_len, value, value_len);
	case LB_KEY_CHILD:
		return take_child(cat, key, key_len, value_len);
	case LB_KEY_MAP:
		return take_map(cat, key, key_len, value, value_len);
	case LB_KEY_NAME:
		return take_name(cat, key, key_len, value, value_len);
	case LB_KEY_VOL:
		return take_vol(cat, key, key_len, value, value_len);
	default:
		tell_key(cat, key, key_len);
		return 0;
	}
}

int ck_catalog_finish(struct ck_catalog *cat)
{
	attr_close(cat);
	return ck_volumes_judge(cat);
}

void ck_catalog_free(struct ck_catalog *cat)
{
	size_t i;

	for (i = 0; i < cat->vol_count; i++)
		free(cat->vols[i].name);
	for (i = 0; i < cat->name_count; i++)
		free(cat->names[i].name);
	free(cat->vols);
	free(cat->by_depth);
	free(cat->names);
	free(cat->children);
	free(cat->attr_vols);
}
