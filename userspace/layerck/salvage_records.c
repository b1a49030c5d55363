// SPDX-License-Identifier: GPL-2.0
/*
 * The catalog of a salvaged pool, written: names, volumes' records, lists of children, maps' records and the marks of what was lost
 * become items, and all items a new tree. Names and lists of children are made anew from the records.
 */
#include <stdio.h>
#include <stdlib.h>

#include "salvage.h"

#define RANGES_MAX	4000u		/* in the attribute; further ones join the last */

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

static struct item *name_item(const struct salvage *s, const char *name, u32 len)
{
	u8 key[256];
	size_t at;
	struct item *it;

	key[0] = LB_KEY_NAME;
	memcpy(key + 1, name, len);
	it = salvage_item(s, key, len + 1, &at);
	return it && it->value_len != ITEM_GONE ? it : NULL;
}

static int put_name(struct salvage *s, struct part *p)
{
	struct lb_name_record rec = { .id = cpu_to_le64(p->id) };
	u8 key[256];
	unsigned int n;

	if (le32_to_cpu(p->vol.state) == LB_VOL_DELETED) {
		p->name_len = 0;
		return 0;
	}
	for (n = 1; !name_allowed(p->name, p->name_len) || name_item(s, p->name, p->name_len); n++) {
		int len = n == 1 ? snprintf(p->name, sizeof(p->name), "lost+found-%llu", (unsigned long long)p->id) :
			snprintf(p->name, sizeof(p->name), "lost+found-%llu-%u", (unsigned long long)p->id, n);

		p->name_len = (u32)len;
		p->has_vol = false;
	}
	key[0] = LB_KEY_NAME;
	memcpy(key + 1, p->name, p->name_len);
	return salvage_put(s, key, p->name_len + 1, &rec, sizeof(rec));
}

static int put_record(struct salvage *s, struct part *p)
{
	u8 key[9], value[sizeof(p->vol) + 255];

	p->vol.name_len = cpu_to_le16((u16)p->name_len);
	p->vol.pad = 0;
	memset(p->vol.reserved, 0, sizeof(p->vol.reserved));
	memcpy(value, &p->vol, sizeof(p->vol));
	memcpy(value + sizeof(p->vol), p->name, p->name_len);
	key[0] = LB_KEY_VOL;
	key_put(key + 1, p->id);
	return salvage_put(s, key, sizeof(key), value, (u32)sizeof(p->vol) + p->name_len);
}

/* Names and children from the records: all items of these kinds are made anew. */
static int put_relations(struct salvage *s)
{
	u8 key[17];
	size_t i;
	int err = 0;

	for (i = 0; i < s->item_count; i++)
		if (s->items[i].key[0] == LB_KEY_NAME || s->items[i].key[0] == LB_KEY_CHILD)
			s->items[i].value_len = ITEM_GONE;
	for (i = 0; i < s->part_count && !err; i++) {
		struct part *p = &s->parts[i];
		bool had = p->has_vol;

		err = put_name(s, p);
		if (!err && !p->has_vol && le32_to_cpu(p->vol.state) == LB_VOL_LIVE)
			salvage_tell(s, LBCK_LOSS_NAME, p, "%s, %s; it is called \"%.*s\" now",
				     had ? "its name is not allowed or another one's" : "its record is lost",
				     p->vol.frozen ? "frozen" : "writable", (int)p->name_len, p->name);
		key[0] = LB_KEY_CHILD;
		key_put(key + 1, le64_to_cpu(p->map.parent));
		key_put(key + 9, p->id);
		if (!err)
			err = salvage_put(s, key, sizeof(key), NULL, 0);
		if (!err)
			err = put_record(s, p);
	}
	return err;
}

/* ------------------------------------------------------------------ maps, the mark */

static int put_map(struct salvage *s, struct part *p)
{
	struct lb_ptr root = { 0 };
	u8 key[9];

	memset(p->map.reserved, 0, sizeof(p->map.reserved));
	if (p->rebuilt) {
		if (p->root.addr)
			root = lb_ref_encode(&p->root);
		p->map.root = root;
		p->map.nodes = cpu_to_le64(p->nodes);
	}
	key[0] = LB_KEY_MAP;
	key_put(key + 1, p->id);
	return salvage_put(s, key, sizeof(key), &p->map, sizeof(p->map));
}

static u32 attr_key(u8 *key, u64 id, u32 chunk)
{
	const u32 len = sizeof(LBCK_DAMAGED) - 1;
	__be32 be = cpu_to_be32(chunk);

	key[0] = LB_KEY_ATTR;
	key_put(key + 1, id);
	memcpy(key + 9, LBCK_DAMAGED, len);
	key[9 + len] = 0;
	memcpy(key + 10 + len, &be, sizeof(be));
	return 14 + len;
}

/* The mark of an earlier salvage, if there is one, is added to what is lost. */
static int old_mark(struct salvage *s, struct part *p)
{
	u8 key[LB_CAT_KEY_MAX];
	char *text = NULL, *line, *rest = NULL;
	size_t at, len = 0;
	u32 chunk;
	int err = 0;

	for (chunk = 0; ; chunk++) {
		struct item *it = salvage_item(s, key, attr_key(key, p->id, chunk), &at);
		u32 skip = chunk ? 0 : (u32)sizeof(struct lb_attr_head);
		char *more;

		if (!it || it->value_len == ITEM_GONE || it->value_len < skip)
			break;
		more = realloc(text, len + it->value_len - skip + 1);
		if (!more) {
			free(text);
			return -ENOMEM;
		}
		text = more;
		memcpy(text + len, it->value + skip, it->value_len - skip);
		len += it->value_len - skip;
		text[len] = 0;
		it->value_len = ITEM_GONE;
	}
	for (line = text ? strtok_r(text, "\n", &rest) : NULL; line && !err; line = strtok_r(NULL, "\n", &rest)) {
		unsigned long long start, bytes;

		if (sscanf(line, "%llu %llu", &start, &bytes) == 2 && bytes && start + bytes > start)
			err = part_add_lost(p, start / LB_BLOCK_BYTES, (start + bytes + LB_BLOCK_BYTES - 1) / LB_BLOCK_BYTES,
					    false);
	}
	free(text);
	part_normalize(p);
	return err;
}

static int put_mark(struct salvage *s, struct part *p)
{
	struct lb_attr_head head;
	u8 key[LB_CAT_KEY_MAX], value[LB_CAT_VALUE_MAX];
	size_t i, len = sizeof(head), room, at, n;
	u32 chunk;
	char *text;
	int err = old_mark(s, p);

	if (err)
		return err;
	room = sizeof(head) + min_t(size_t, p->lost_count, RANGES_MAX) * 44 + 1;
	text = malloc(room);
	if (!text)
		return -ENOMEM;
	for (i = 0; i < p->lost_count && i < RANGES_MAX; i++) {
		u64 hi = i + 1 == RANGES_MAX ? p->lost[p->lost_count - 1].hi : p->lost[i].hi;

		len += (size_t)snprintf(text + len, room - len, "%llu %llu\n",
					(unsigned long long)(p->lost[i].lo * LB_BLOCK_BYTES),
					(unsigned long long)((hi - p->lost[i].lo) * LB_BLOCK_BYTES));
	}
	head.total_len = cpu_to_le32((u32)(len - sizeof(head)));
	memcpy(text, &head, sizeof(head));
	for (chunk = 0, at = 0; at < len && !err; chunk++, at += n) {
		n = min_t(size_t, len - at, LB_CAT_VALUE_MAX);
		memcpy(value, text + at, n);
		err = salvage_put(s, key, attr_key(key, p->id, chunk), value, (u32)n);
	}
	free(text);
	return err;
}

/* ------------------------------------------------------------------ writing */

struct feed {
	const struct salvage *s;
	size_t at;
};

static int feed_next(void *arg, struct ck_item *item)
{
	struct feed *f = arg;

	while (f->at < f->s->item_count && f->s->items[f->at].value_len == ITEM_GONE)
		f->at++;
	if (f->at == f->s->item_count)
		return 0;
	*item = (struct ck_item){ .key = f->s->items[f->at].key, .key_len = f->s->items[f->at].key_len,
				  .value = f->s->items[f->at].value, .value_len = f->s->items[f->at].value_len };
	f->at++;
	return 1;
}

int salvage_write_catalog(struct salvage *s)
{
	struct feed feed = { .s = s };
	struct lb_ptr root = { 0 };
	u64 nodes;
	size_t i;
	int err = put_relations(s);

	for (i = 0; i < s->part_count && !err; i++) {
		err = put_map(s, &s->parts[i]);
		if (!err && s->parts[i].lost_count && le32_to_cpu(s->parts[i].vol.state) == LB_VOL_LIVE)
			err = put_mark(s, &s->parts[i]);
	}
	if (!err)
		err = ck_build_catalog(s->ck, feed_next, &feed, &root, &nodes);
	if (err)
		return err;
	s->ck->sb->catalog_root = root;
	s->ck->sb->catalog_nodes = cpu_to_le64(nodes);
	return ck_super_write(s->ck);
}
