// SPDX-License-Identifier: GPL-2.0
/*
 * Catalog items that go, come, or change their key: the leaf is packed anew, in the order of its keys, so that it is well-formed and only what it says is wrong. (What is not
 * well-formed comes from changed offsets and lengths.)
 */
#include "patch.h"

#define ITEMS_MAX	420u

struct leaf_item {
	u32 key_len, value_len;
	u8 bytes[LB_CAT_KEY_MAX + LB_CAT_VALUE_MAX];	/* key, value */
};

struct leaf {
	struct leaf_item items[ITEMS_MAX];
	unsigned int count;
};

static void leaf_read(struct leaf *l, const struct lb_node *n)
{
	unsigned int i, at, key_len, value_len;
	struct lb_item head;

	l->count = 0;
	for (i = 0; i < le16_to_cpu(n->header.count) && l->count + 1 < ITEMS_MAX; i++) {
		if (2 * i + 2 > LB_PAYLOAD_BYTES)
			return;
		at = le16_to_cpu(n->offsets[i]);
		if (at + sizeof(head) > LB_PAYLOAD_BYTES)
			continue;
		memcpy(&head, n->bytes + at, sizeof(head));
		at += sizeof(head);
		key_len = le16_to_cpu(head.key_len);
		value_len = le16_to_cpu(head.value_len);
		if (key_len > LB_CAT_KEY_MAX || value_len > LB_CAT_VALUE_MAX || at + key_len + value_len > LB_PAYLOAD_BYTES)
			continue;
		l->items[l->count].key_len = key_len;
		l->items[l->count].value_len = value_len;
		memcpy(l->items[l->count++].bytes, n->bytes + at, key_len + value_len);
	}
}

static int by_key(const void *a, const void *b)
{
	const struct leaf_item *x = a, *y = b;
	int c = memcmp(x->bytes, y->bytes, min_t(u32, x->key_len, y->key_len));

	return c ? c : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

/* False: they do not fit. */
static bool leaf_write(struct leaf *l, struct lb_node *n)
{
	u32 at = LB_PAYLOAD_BYTES, len;
	unsigned int i;

	qsort(l->items, l->count, sizeof(l->items[0]), by_key);
	memset(n->bytes, 0, sizeof(n->bytes));
	for (i = 0; i < l->count; i++) {
		const struct leaf_item *it = &l->items[i];
		struct lb_item head = { .key_len = cpu_to_le16((u16)it->key_len), .value_len = cpu_to_le16((u16)it->value_len) };

		len = (u32)sizeof(head) + it->key_len + it->value_len;
		if (at < 2 * l->count + len)
			return false;
		at -= len;
		memcpy(n->bytes + at, &head, sizeof(head));
		memcpy(n->bytes + at + sizeof(head), it->bytes, it->key_len + it->value_len);
		n->offsets[i] = cpu_to_le16((u16)at);
	}
	n->header.count = cpu_to_le16((u16)l->count);
	n->header.used = cpu_to_le16((u16)(LB_PAYLOAD_BYTES - at + 2 * l->count));
	return true;
}

static u32 put_id(u8 *at, u64 id)
{
	__be64 be = cpu_to_be64(id);

	memcpy(at, &be, sizeof(be));
	return sizeof(be);
}

/* A new item: extra says which kind, where and value which ids. A value is taken from an item of the leaf that has a fitting one. */
static void make_item(const struct leaf *l, const struct patch *p, struct leaf_item *it)
{
	static const u8 kinds[] = { LB_KEY_VOL, LB_KEY_MAP, LB_KEY_NAME, LB_KEY_CHILD, LB_KEY_ATTR };
	u8 kind = kinds[p->extra % ARRAY_SIZE(kinds)];
	__le64 id = cpu_to_le64((u64)(s64)p->value);
	unsigned int i;

	memset(it, 0, sizeof(*it));
	it->bytes[0] = kind;
	it->key_len = 1;
	if (kind == LB_KEY_NAME) {
		it->bytes[it->key_len++] = (u8)('a' + p->where % 26);
		it->value_len = sizeof(id);
		memcpy(it->bytes + it->key_len, &id, sizeof(id));
		return;
	}
	it->key_len += put_id(it->bytes + it->key_len, kind == LB_KEY_CHILD ? p->where % 32 : (u64)(s64)p->value);
	if (kind == LB_KEY_CHILD) {
		it->key_len += put_id(it->bytes + it->key_len, (u64)(s64)p->value);
		return;
	}
	if (kind == LB_KEY_ATTR) {	/* "k", a zero byte, chunk number */
		it->bytes[it->key_len++] = 'k';
		it->key_len += 1;
		it->bytes[it->key_len + 3] = (u8)(p->where >> 8);
		it->key_len += 4;
		it->value_len = p->where % (LB_CAT_VALUE_MAX + 1);
		return;
	}
	for (i = 0; i < l->count; i++)
		if (l->items[i].bytes[0] == kind && l->items[i].key_len == 9) {
			it->value_len = l->items[i].value_len;
			memcpy(it->bytes + it->key_len, l->items[i].bytes + 9, it->value_len);
			if (p->where & 1)
				return;
		}
}

static void change_leaf(struct leaf *l, const struct patch *p)
{
	unsigned int i = p->which % l->count;
	struct leaf_item *it = &l->items[i];
	u8 key[LB_CAT_KEY_MAX], value[LB_CAT_VALUE_MAX];

	switch (p->how % 4) {
	case 0:		/* it goes */
		*it = l->items[--l->count];
		break;
	case 1:		/* one comes */
		make_item(l, p, &l->items[l->count]);
		l->count++;
		break;
	case 2:		/* another value length */
		memcpy(value, it->bytes + it->key_len, it->value_len);
		memset(it->bytes + it->key_len, (u8)p->extra, LB_CAT_VALUE_MAX);
		memcpy(it->bytes + it->key_len, value, it->value_len);
		it->value_len = (u32)p->value % (LB_CAT_VALUE_MAX + 1);
		break;
	default:	/* another key length */
		memcpy(key, it->bytes, it->key_len);
		memcpy(value, it->bytes + it->key_len, it->value_len);
		memset(key + it->key_len, (u8)p->extra, LB_CAT_KEY_MAX - it->key_len);
		it->key_len = (u32)p->value % (LB_CAT_KEY_MAX + 1);
		memcpy(it->bytes, key, it->key_len);
		memcpy(it->bytes + it->key_len, value, it->value_len);
		break;
	}
}

void patch_item(const struct base *b, const struct patch *p, struct seal *s)
{
	u64 block = b->item_count ? b->items[p->which % b->item_count].block : 0;
	struct leaf *l = malloc(sizeof(*l));
	struct lb_node *n = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);

	assert_non_null(l);
	assert_non_null(n);
	port_sim_peek(s->dev, block, n);
	leaf_read(l, n);
	if (block && l->count) {
		change_leaf(l, p);
		if (leaf_write(l, n)) {
			port_sim_poke(s->dev, block, n);
			seal_dirty(s, block);
		}
	}
	free(n);
	free(l);
}
