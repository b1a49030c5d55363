// SPDX-License-Identifier: GPL-2.0
/*
 * The catalog as requests see it: two tables of changes in memory over the committed tree, the newest first. Owns the encoding of keys
 * and records. Everything here is called with catalog.mutex held.
 */
#include "pool_priv.h"

static const struct lb_kv *overlay_find(struct lb_catalog *c, unsigned int view, const u8 *key, u32 key_len)
{
	const struct lb_kv *kv = NULL;

	if (view == LB_CAT_ALL)
		kv = lb_kvtable_find(c->active, key, key_len);
	if (!kv && c->sealed)
		kv = lb_kvtable_find(c->sealed, key, key_len);
	return kv;
}

static int copy_out(void *to, u32 *room, const u8 *from, u32 len)
{
	u32 have = *room;

	*room = len;
	if (len > have)
		return -ERANGE;
	if (len)
		memcpy(to, from, len);
	return 0;
}

int lb_cat_get(struct lb_pool *p, unsigned int view, const u8 *key, u32 key_len, void *value, u32 *value_len)
{
	const struct lb_kv *kv;

	port_mutex_assert_held(&p->catalog.mutex);
	kv = overlay_find(&p->catalog, view, key, key_len);
	if (kv)
		return kv->delete ? -ENOENT : copy_out(value, value_len, lb_kv_value(kv), kv->value_len);
	return lb_cat_lookup(p->cache, &p->catalog.root, key, key_len, value, value_len);
}

/* The nearer of two candidates; the newer wins a tie. */
static const struct lb_kv *nearer(const struct lb_kv *newer, const struct lb_kv *older)
{
	if (!newer || !older)
		return newer ? newer : older;
	return lb_key_cmp(lb_kv_key(newer), newer->key_len, lb_kv_key(older), older->key_len) <= 0 ? newer : older;
}

int lb_cat_after(struct lb_pool *p, unsigned int view, u8 *key, u32 *key_len, u8 *value, u32 *value_len)
{
	struct lb_catalog *c = &p->catalog;
	u8 *tkey = c->scratch, *tvalue = c->scratch + LB_CAT_KEY_MAX;
	u32 tkey_len, tvalue_len;
	const struct lb_kv *kv;
	int err;

	port_mutex_assert_held(&c->mutex);
	for (;;) {
		kv = view == LB_CAT_ALL ? lb_kvtable_after(c->active, key, *key_len) : NULL;
		if (c->sealed)
			kv = nearer(kv, lb_kvtable_after(c->sealed, key, *key_len));
		memcpy(tkey, key, *key_len);
		tkey_len = *key_len;
		tvalue_len = LB_CAT_VALUE_MAX;
		err = lb_cat_next(p->cache, &c->root, tkey, &tkey_len, tvalue, &tvalue_len);
		if (err && err != -ENOENT)
			return err;
		if (err && !kv)
			return -ENOENT;
		if (err || (kv && lb_key_cmp(lb_kv_key(kv), kv->key_len, tkey, tkey_len) <= 0)) {
			memcpy(key, lb_kv_key(kv), kv->key_len);
			*key_len = kv->key_len;
			if (kv->delete)
				continue;
			return copy_out(value, value_len, lb_kv_value(kv), kv->value_len);
		}
		memcpy(key, tkey, tkey_len);
		*key_len = tkey_len;
		return copy_out(value, value_len, tvalue, tvalue_len);
	}
}

/* ------------------------------------------------------------------ keys */

static void put_be64(u8 *to, u64 v)
{
	__be64 be = cpu_to_be64(v);

	memcpy(to, &be, 8);
}

static u64 get_be64(const u8 *from)
{
	__be64 be;

	memcpy(&be, from, 8);
	return be64_to_cpu(be);
}

u32 lb_key_id(u8 *key, char type, u64 id)
{
	key[0] = (u8)type;
	put_be64(key + 1, id);
	return 9;
}

u32 lb_key_child(u8 *key, u64 parent, u64 child)
{
	key[0] = LB_KEY_CHILD;
	put_be64(key + 1, parent);
	put_be64(key + 9, child);
	return 17;
}

u32 lb_key_name(u8 *key, const char *name, u32 len)
{
	key[0] = LB_KEY_NAME;
	memcpy(key + 1, name, len);
	return 1 + len;
}

u32 lb_key_attr(u8 *key, u64 id, const char *name, u32 len, u32 chunk)
{
	__be32 be = cpu_to_be32(chunk);

	key[0] = LB_KEY_ATTR;
	put_be64(key + 1, id);
	memcpy(key + 9, name, len);
	key[9 + len] = 0;
	memcpy(key + 10 + len, &be, 4);
	return 14 + len;
}

/* ------------------------------------------------------------------ records */

/* Is this volume id's record, of `len` bytes? */
static bool vol_ok(const struct lb_vol_full *v, u32 len, u64 id)
{
	u32 name_len = le16_to_cpu(v->rec.name_len);

	return len >= sizeof(v->rec) && name_len <= 255 && len == sizeof(v->rec) + name_len && le64_to_cpu(v->rec.id) == id &&
	       lb_size_ok(le64_to_cpu(v->rec.size_blocks));
}

int lb_cat_vol(struct lb_pool *p, unsigned int view, u64 id, struct lb_vol_full *v)
{
	u8 key[9];
	u32 len = sizeof(*v) - 1;
	int err;

	memset(v, 0, sizeof(*v));
	err = lb_cat_get(p, view, key, lb_key_id(key, LB_KEY_VOL, id), v, &len);
	if (err)
		return err == -ERANGE ? -EUCLEAN : err;
	return vol_ok(v, len, id) ? 0 : -EUCLEAN;
}

int lb_cat_vol_after(struct lb_pool *p, unsigned int view, u64 *id, struct lb_vol_full *v)
{
	u8 key[LB_CAT_KEY_MAX];
	u32 key_len = lb_key_id(key, LB_KEY_VOL, *id), len;
	int err;

	do {
		memset(v, 0, sizeof(*v));
		len = sizeof(*v) - 1;
		err = lb_cat_after(p, view, key, &key_len, (u8 *)v, &len);
		if ((!err || err == -ERANGE) && key[0] != LB_KEY_VOL)
			return -ENOENT;
	} while ((!err || err == -ERANGE) && key_len != 9);	/* a damaged key: nobody's */
	if (err && err != -ERANGE)
		return err;
	*id = get_be64(key + 1);
	if (err || !vol_ok(v, len, *id))
		memset(v, 0, sizeof(*v));
	return 0;
}

int lb_cat_map(struct lb_pool *p, unsigned int view, u64 id, struct lb_map_record *m)
{
	u8 key[9];
	u32 len = sizeof(*m);
	int err = lb_cat_get(p, view, key, lb_key_id(key, LB_KEY_MAP, id), m, &len);

	if (err == -ERANGE || (!err && len != sizeof(*m)))
		return -EUCLEAN;
	return err;
}

int lb_cat_children(struct lb_pool *p, unsigned int view, u64 id, unsigned int limit, unsigned int *n, u64 *one)
{
	u8 key[LB_CAT_KEY_MAX];
	u32 key_len = lb_key_child(key, id, 0), value_len;
	int err;

	*n = 0;
	*one = 0;
	while (*n < limit) {
		value_len = 0;
		err = lb_cat_after(p, view, key, &key_len, NULL, &value_len);
		if (err == -ENOENT)
			return 0;
		if (err && err != -ERANGE)
			return err;
		if (key[0] != LB_KEY_CHILD || key_len != 17 || get_be64(key + 1) != id)
			return 0;
		if (!(*n)++)
			*one = get_be64(key + 9);
	}
	return 0;
}

int lb_put_vol(struct lb_kvlist *l, const struct lb_vol_full *v)
{
	u8 key[9];

	return lb_kvlist_put(l, key, lb_key_id(key, LB_KEY_VOL, le64_to_cpu(v->rec.id)), v,
			     sizeof(v->rec) + le16_to_cpu(v->rec.name_len));
}

int lb_put_map(struct lb_kvlist *l, u64 id, const struct lb_map_record *m)
{
	u8 key[9];

	return lb_kvlist_put(l, key, lb_key_id(key, LB_KEY_MAP, id), m, sizeof(*m));
}

int lb_put_child(struct lb_kvlist *l, u64 parent, u64 child)
{
	u8 key[17];

	return lb_kvlist_put(l, key, lb_key_child(key, parent, child), NULL, 0);
}

int lb_del_child(struct lb_kvlist *l, u64 parent, u64 child)
{
	u8 key[17];

	return lb_kvlist_delete(l, key, lb_key_child(key, parent, child));
}

int lb_put_name(struct lb_kvlist *l, const char *name, u32 len, u64 id)
{
	struct lb_name_record rec = { .id = cpu_to_le64(id) };
	u8 key[LB_CAT_KEY_MAX];

	return lb_kvlist_put(l, key, lb_key_name(key, name, len), &rec, sizeof(rec));
}

int lb_del_name(struct lb_kvlist *l, const char *name, u32 len)
{
	u8 key[LB_CAT_KEY_MAX];

	return lb_kvlist_delete(l, key, lb_key_name(key, name, len));
}
