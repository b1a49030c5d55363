// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes: values of up to 1 MiB in catalog items of at most LB_CAT_VALUE_MAX bytes. Chunk 0 begins with the whole length, so a reader
 * knows what to expect, and a shorter new value deletes the old one's further chunks in the same transaction.
 */
#include "pool_priv.h"

#define ATTR_KEY_MAX	255u
#define ATTR_VALUE_MAX	(1u << 20)
#define ATTR_TX_MAX	(4u << 20)
#define ATTR_FIRST	(LB_CAT_VALUE_MAX - (u32)sizeof(struct lb_attr_head))	/* of the value in chunk 0 */

static u32 attr_chunks(u32 len)
{
	return len <= ATTR_FIRST ? 1 : 1 + (len - ATTR_FIRST + LB_CAT_VALUE_MAX - 1) / LB_CAT_VALUE_MAX;
}

/* Length of the value that is there: 0, -ENOENT. buf: LB_CAT_VALUE_MAX bytes, gets chunk 0. */
static int attr_head(struct lb_pool *p, unsigned int view, u64 vol, const char *key, u32 key_len, u8 *buf, u32 *total, u32 *got)
{
	u8 k[LB_CAT_KEY_MAX];
	u32 len = LB_CAT_VALUE_MAX;
	struct lb_attr_head head;
	int err = lb_cat_get(p, view, k, lb_key_attr(k, vol, key, key_len, 0), buf, &len);

	if (err)
		return err;
	if (len < sizeof(head))
		return -EUCLEAN;
	memcpy(&head, buf, sizeof(head));
	*total = le32_to_cpu(head.total_len);
	*got = len;
	if (*total > ATTR_VALUE_MAX || len - sizeof(head) != min_t(u32, *total, ATTR_FIRST))
		return -EUCLEAN;
	return 0;
}

static int stage_value(struct lb_kvlist *l, u64 vol, const struct lb_attr_change *ch, u8 *buf)
{
	struct lb_attr_head head = { .total_len = cpu_to_le32(ch->value_len) };
	u32 at = min_t(u32, ch->value_len, ATTR_FIRST), chunk, n;
	const u8 *value = ch->value;
	u8 k[LB_CAT_KEY_MAX];
	int err;

	memcpy(buf, &head, sizeof(head));
	if (at)
		memcpy(buf + sizeof(head), value, at);
	err = lb_kvlist_put(l, k, lb_key_attr(k, vol, ch->key, ch->key_len, 0), buf, (u32)sizeof(head) + at);
	for (chunk = 1; !err && at < ch->value_len; chunk++, at += n) {
		n = min_t(u32, ch->value_len - at, LB_CAT_VALUE_MAX);
		err = lb_kvlist_put(l, k, lb_key_attr(k, vol, ch->key, ch->key_len, chunk), value + at, n);
	}
	return err;
}

static int stage_one(struct lb_pool *p, u64 vol, bool fresh, const struct lb_attr_change *ch, struct lb_kvlist *l, u8 *buf)
{
	u32 old_len = 0, got, chunk, keep, have;
	u8 k[LB_CAT_KEY_MAX];
	int err = -ENOENT;

	if (!fresh)
		err = attr_head(p, LB_CAT_ALL, vol, ch->key, ch->key_len, buf, &old_len, &got);
	if (err && err != -ENOENT)
		return err;
	have = err ? 0 : attr_chunks(old_len);
	if (have && (ch->flags & LB_CHANGE_EXCLUSIVE))
		return -EEXIST;
	if (!have && (ch->flags & LB_CHANGE_MUST_EXIST))
		return -ENOENT;
	keep = 0;
	if (!(ch->flags & LB_CHANGE_DELETE)) {
		err = stage_value(l, vol, ch, buf);
		if (err)
			return err;
		keep = attr_chunks(ch->value_len);
	}
	for (chunk = keep; chunk < have; chunk++) {
		err = lb_kvlist_delete(l, k, lb_key_attr(k, vol, ch->key, ch->key_len, chunk));
		if (err)
			return err;
	}
	return 0;
}

static int check_change(const struct lb_attr_change *ch, u64 *bytes)
{
	u32 i;

	if (!ch->key_len || ch->key_len > ATTR_KEY_MAX || ch->value_len > ATTR_VALUE_MAX)
		return -EINVAL;
	if (ch->flags & ~(LB_CHANGE_DELETE | LB_CHANGE_EXCLUSIVE | LB_CHANGE_MUST_EXIST))
		return -EINVAL;
	for (i = 0; i < ch->key_len; i++)
		if (!ch->key[i])
			return -EINVAL;
	*bytes += ch->key_len + ch->value_len;
	return *bytes > ATTR_TX_MAX ? -E2BIG : 0;
}

/* Two changes of one key in one request have no sensible order: refuse. */
static int check_distinct(const struct lb_tx *tx, unsigned int i)
{
	unsigned int j;

	for (j = 0; j < i; j++) {
		const struct lb_attr_change *a = &tx->changes[i], *b = &tx->changes[j];

		if (a->vol == b->vol && a->key_len == b->key_len && !memcmp(a->key, b->key, a->key_len))
			return -EINVAL;
	}
	return 0;
}

int lb_attr_stage(struct lb_pool *p, const struct lb_tx *tx, u64 new_vol, struct lb_kvlist *l)
{
	struct lb_vol_full rec;
	u64 bytes = 0;
	unsigned int i;
	u8 *buf;
	int err = 0;

	if (!tx || !tx->count)
		return 0;
	buf = port_alloc(LB_CAT_VALUE_MAX, PORT_WAIT);
	if (!buf)
		return -ENOMEM;
	for (i = 0; i < tx->count && !err; i++) {
		const struct lb_attr_change *ch = &tx->changes[i];
		bool fresh = ch->vol == LB_NEW_VOLUME;

		err = fresh && !new_vol ? -EINVAL : check_change(ch, &bytes);
		if (!err)
			err = check_distinct(tx, i);
		if (!err && !fresh && ch->vol && ch->vol != new_vol) {
			err = lb_cat_vol(p, LB_CAT_ALL, ch->vol, &rec);
			if (!err && le32_to_cpu(rec.rec.state) != LB_VOL_LIVE)
				err = -ENOENT;
		}
		if (!err)
			err = stage_one(p, fresh ? new_vol : ch->vol, fresh, ch, l, buf);
	}
	port_free(buf);
	return err;
}

int lb_attr_stage_remove_all(struct lb_pool *p, unsigned int view, u64 vol, struct lb_kvlist *l)
{
	u8 key[LB_CAT_KEY_MAX];
	u8 prefix[9];
	u32 key_len = lb_key_id(key, LB_KEY_ATTR, vol), value_len;
	int err;

	memcpy(prefix, key, sizeof(prefix));
	for (;;) {
		value_len = 0;
		err = lb_cat_after(p, view, key, &key_len, NULL, &value_len);
		if (err == -ENOENT)
			return 0;
		if (err && err != -ERANGE)
			return err;
		if (key_len < sizeof(prefix) || memcmp(key, prefix, sizeof(prefix)))
			return 0;
		err = lb_kvlist_delete(l, key, key_len);
		if (err)
			return err;
	}
}

static int attr_get_locked(struct lb_pool *p, u64 vol, const char *key, u32 key_len, u8 *value, u32 *len, u8 *buf)
{
	u8 k[LB_CAT_KEY_MAX];
	u32 room = *len, total, at, chunk, n, got;
	struct lb_vol_full rec;
	int err;

	if (vol) {
		err = lb_cat_vol(p, LB_CAT_ALL, vol, &rec);
		if (err)
			return err;
		if (le32_to_cpu(rec.rec.state) != LB_VOL_LIVE)
			return -ENOENT;
	}
	err = attr_head(p, LB_CAT_ALL, vol, key, key_len, buf, &total, &got);
	if (err)
		return err;
	*len = total;
	if (total > room)
		return -ERANGE;
	at = min_t(u32, total, ATTR_FIRST);
	if (at)
		memcpy(value, buf + sizeof(struct lb_attr_head), at);
	for (chunk = 1; at < total; chunk++, at += n) {
		n = min_t(u32, total - at, LB_CAT_VALUE_MAX);
		got = n;
		err = lb_cat_get(p, LB_CAT_ALL, k, lb_key_attr(k, vol, key, key_len, chunk), value + at, &got);
		if (err || got != n)
			return err == -ENOENT || err == -ERANGE || !err ? -EUCLEAN : err;
	}
	return 0;
}

int lb_attr_get(struct lb_pool *p, u64 vol, const char *key, u32 key_len, void *value, u32 *len)
{
	u8 *buf;
	int err;

	if (!key_len || key_len > ATTR_KEY_MAX)
		return -EINVAL;
	buf = port_alloc(LB_CAT_VALUE_MAX, PORT_WAIT);
	if (!buf)
		return -ENOMEM;
	port_mutex_lock(&p->catalog.mutex);
	err = attr_get_locked(p, vol, key, key_len, value, len, buf);
	port_mutex_unlock(&p->catalog.mutex);
	port_free(buf);
	return err;
}

static int attr_next_locked(struct lb_pool *p, u64 vol, char *key, u32 *key_len, u32 *value_len, u8 *buf)
{
	u8 k[LB_CAT_KEY_MAX];
	u32 k_len, got;
	int err;

	/* Beyond every chunk of the key given: its highest possible chunk number. */
	k_len = *key_len ? lb_key_attr(k, vol, key, *key_len, ~0u) : lb_key_id(k, LB_KEY_ATTR, vol);
	got = LB_CAT_VALUE_MAX;
	err = lb_cat_after(p, LB_CAT_ALL, k, &k_len, buf, &got);
	if (err)
		return err;
	if (k[0] != LB_KEY_ATTR || k_len < 15)
		return -ENOENT;
	{
		u8 prefix[9];

		lb_key_id(prefix, LB_KEY_ATTR, vol);
		if (memcmp(k, prefix, sizeof(prefix)))
			return -ENOENT;
	}
	*key_len = k_len - 14;
	/* A key that is not what lb_key_attr() makes could be found after itself, for ever. */
	if (*key_len > ATTR_KEY_MAX || k[9 + *key_len])
		return -EUCLEAN;
	memcpy(key, k + 9, *key_len);
	return attr_head(p, LB_CAT_ALL, vol, key, *key_len, buf, value_len, &got);
}

int lb_attr_next(struct lb_pool *p, u64 vol, char *key, u32 *key_len, u32 *value_len)
{
	u8 *buf;
	int err;

	if (*key_len > ATTR_KEY_MAX)
		return -EINVAL;
	buf = port_alloc(LB_CAT_VALUE_MAX, PORT_WAIT);
	if (!buf)
		return -ENOMEM;
	port_mutex_lock(&p->catalog.mutex);
	err = attr_next_locked(p, vol, key, key_len, value_len, buf);
	port_mutex_unlock(&p->catalog.mutex);
	port_free(buf);
	return err;
}
