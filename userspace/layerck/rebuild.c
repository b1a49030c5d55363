// SPDX-License-Identifier: GPL-2.0
/*
 * A new catalog tree from the items of the old one and the repair's edits: built from left to right, each node
 * filled as far as it goes, one open node per level.
 */
#include <stdlib.h>

#include "ck.h"

struct level {
	struct lb_node *node;
	u32 used;			/* bytes of items */
	u8 first[LB_CAT_KEY_MAX];	/* the first item's key */
	u32 first_len;
};

struct build {
	struct ck *ck;
	struct level levels[LB_TREE_MAX_LEVEL + 1];
	struct ck_edit **edits;		/* by key, the last one of a key wins */
	size_t edit_count, at;
	u64 nodes;
};

static int add_item(struct build *b, unsigned int level, const u8 *key, u32 key_len, const void *value, u32 value_len);

/* Write the open node of a level and hand its pointer to the level above. */
static int close_node(struct build *b, unsigned int level, struct lb_ptr *ptr)
{
	struct level *l = &b->levels[level];
	int err;

	l->node->header.kind = LB_TREE_CATALOG;
	l->node->header.level = (u8)level;
	l->node->header.used = cpu_to_le16((u16)(l->used + 2u * le16_to_cpu(l->node->header.count)));
	err = ck_write_pair(b->ck, l->node, LB_MAGIC_NODE, (u8)level, ptr);
	b->nodes++;
	memset(l->node, 0, sizeof(*l->node));
	l->used = 0;
	return err;
}

static int add_item(struct build *b, unsigned int level, const u8 *key, u32 key_len, const void *value, u32 value_len)
{
	struct lb_item head = { .key_len = cpu_to_le16((u16)key_len), .value_len = cpu_to_le16((u16)value_len) };
	struct level *l = &b->levels[level];
	u32 bytes = (u32)sizeof(head) + key_len + value_len;
	unsigned int count;
	struct lb_ptr ptr;
	u8 *at;
	int err;

	if (level > LB_TREE_MAX_LEVEL)
		return -EUCLEAN;
	if (!l->node) {
		l->node = port_alloc_block(PORT_WAIT);
		if (!l->node)
			return -ENOMEM;
		memset(l->node, 0, sizeof(*l->node));
	}
	count = le16_to_cpu(l->node->header.count);
	if (l->used + 2 * count + bytes + 2 > LB_PAYLOAD_BYTES) {
		err = close_node(b, level, &ptr);
		if (!err)
			err = add_item(b, level + 1, l->first, l->first_len, &ptr, sizeof(ptr));
		if (err)
			return err;
		count = 0;
	}
	if (!count) {
		memcpy(l->first, key, key_len);
		l->first_len = key_len;
	}
	l->used += bytes;
	at = l->node->bytes + LB_PAYLOAD_BYTES - l->used;
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), key, key_len);
	if (value_len)
		memcpy(at + sizeof(head) + key_len, value, value_len);
	l->node->offsets[count] = cpu_to_le16((u16)(LB_PAYLOAD_BYTES - l->used));
	l->node->header.count = cpu_to_le16((u16)(count + 1));
	return 0;
}

/* Close what is open, from the leaves up, until one node is above all. */
static int finish(struct build *b, struct lb_ptr *root)
{
	unsigned int level;
	int err;

	memset(root, 0, sizeof(*root));
	for (level = 0; level <= LB_TREE_MAX_LEVEL && b->levels[level].node; level++) {
		struct level *l = &b->levels[level];
		bool top = level == LB_TREE_MAX_LEVEL || !b->levels[level + 1].node;

		if (top && level && le16_to_cpu(l->node->header.count) == 1)
			return 0;	/* *root is its only child */
		err = close_node(b, level, root);
		if (!err && !top)
			err = add_item(b, level + 1, l->first, l->first_len, root, sizeof(*root));
		if (err || top)
			return err;
	}
	return 0;
}

/* ------------------------------------------------------------------ what goes in */

static bool orphan_attr(const struct ck *ck, const u8 *key, u32 key_len)
{
	size_t i;
	__be64 id;

	if (key[0] != LB_KEY_ATTR || key_len < 9)
		return false;
	memcpy(&id, key + 1, sizeof(id));
	for (i = 0; i < ck->fixes.attr_count; i++)
		if (ck->fixes.attr_vols[i] == be64_to_cpu(id))
			return true;
	return false;
}

/* Edits with keys below this one (NULL: all that are left). *same: this very key is edited. */
static int edits_before(struct build *b, const u8 *key, u32 key_len, bool *same)
{
	*same = false;
	for (; b->at < b->edit_count; b->at++) {
		struct ck_edit *e = b->edits[b->at], *next = b->at + 1 < b->edit_count ? b->edits[b->at + 1] : NULL;
		int c = key ? ck_key_cmp(e->key, e->key_len, key, key_len) : -1, err;

		if (c > 0)
			return 0;
		if (c == 0)
			*same = true;
		if (!e->value || (next && !ck_key_cmp(e->key, e->key_len, next->key, next->key_len)))
			continue;
		err = add_item(b, 0, e->key, e->key_len, e->value, e->value_len);
		if (err)
			return err;
	}
	return 0;
}

static int build_item(void *arg, const u8 *key, u32 key_len, const u8 *value, u32 value_len)
{
	struct build *b = arg;
	bool same;
	int err = edits_before(b, key, key_len, &same);

	if (err || same || orphan_attr(b->ck, key, key_len))
		return err;
	return add_item(b, 0, key, key_len, value, value_len);
}

static int cmp_edit(const void *a, const void *b)
{
	const struct ck_edit *x = *(struct ck_edit *const *)a, *y = *(struct ck_edit *const *)b;
	int r = ck_key_cmp(x->key, x->key_len, y->key, y->key_len);

	return r ? r : (x > y) - (x < y);
}

int ck_rebuild_catalog(struct ck *ck, struct lb_ptr *root, u64 *nodes)
{
	struct build b = { .ck = ck, .edit_count = ck->fixes.edit_count };
	unsigned int level;
	bool same;
	size_t i;
	int err;

	b.edits = calloc(b.edit_count + 1, sizeof(*b.edits));
	if (!b.edits)
		return -ENOMEM;
	for (i = 0; i < b.edit_count; i++)
		b.edits[i] = &ck->fixes.edits[i];
	qsort(b.edits, b.edit_count, sizeof(*b.edits), cmp_edit);
	err = ck_catalog_walk(ck, false, build_item, &b);
	if (!err)
		err = edits_before(&b, NULL, 0, &same);
	if (!err)
		err = finish(&b, root);
	for (level = 0; level <= LB_TREE_MAX_LEVEL; level++)
		port_free_block(b.levels[level].node);
	free(b.edits);
	*nodes = b.nodes;
	return err;
}

int ck_build_catalog(struct ck *ck, int (*next)(void *arg, struct ck_item *item), void *arg, struct lb_ptr *root,
		     u64 *nodes)
{
	struct build b = { .ck = ck };
	struct ck_item item;
	unsigned int level;
	int err = 0;

	while (!err && next(arg, &item))
		err = add_item(&b, 0, item.key, item.key_len, item.value, item.value_len);
	if (!err)
		err = finish(&b, root);
	for (level = 0; level <= LB_TREE_MAX_LEVEL; level++)
		port_free_block(b.levels[level].node);
	*nodes = b.nodes;
	return err;
}
