// SPDX-License-Identifier: GPL-2.0
/*
 * Lists and sorted tables of catalog changes: see kvtable.h. The table is a skip list over byte strings; a later change of a key
 * replaces the earlier one. Every node is allocated with room for all it can need, so applying a list is: copy all nodes, then link them.
 */
#include "kvtable.h"
#include "node.h"

#define KV_HEIGHT	10

struct lb_kvtable {
	u64 count;
	struct lb_kv *head[KV_HEIGHT];
};

static struct lb_kv *kv_alloc(const u8 *key, u32 key_len, const void *value, u32 value_len, bool delete)
{
	unsigned int height = 1;
	struct lb_kv *kv;
	u32 r;

	port_random(&r, sizeof(r));
	while (height < KV_HEIGHT && (r & 3) == 0) {
		height++;
		r >>= 2;
	}
	kv = port_alloc(sizeof(*kv) + height * sizeof(kv->next[0]) + key_len + value_len, PORT_WAIT);
	if (!kv)
		return NULL;
	kv->height = height;
	kv->key_len = key_len;
	kv->value_len = value_len;
	kv->delete = delete;
	kv->data = (u8 *)&kv->next[height];
	memcpy(kv->data, key, key_len);
	if (value_len)
		memcpy(kv->data + key_len, value, value_len);
	lb_list_init(&kv->link);
	return kv;
}

void lb_kvlist_init(struct lb_kvlist *l)
{
	lb_list_init(&l->items);
	l->count = 0;
	l->bytes = 0;
}

void lb_kvlist_free(struct lb_kvlist *l)
{
	struct lb_kv *kv, *next;

	lb_list_for_each_entry_safe(kv, next, &l->items, link) {
		lb_list_del(&kv->link);
		port_free(kv);
	}
	lb_kvlist_init(l);
}

static int kvlist_add(struct lb_kvlist *l, struct lb_kv *kv)
{
	if (!kv)
		return -ENOMEM;
	lb_list_add_tail(&kv->link, &l->items);
	l->count++;
	l->bytes += kv->key_len + kv->value_len;
	return 0;
}

int lb_kvlist_put(struct lb_kvlist *l, const u8 *key, u32 key_len, const void *value, u32 value_len)
{
	return kvlist_add(l, kv_alloc(key, key_len, value, value_len, false));
}

int lb_kvlist_delete(struct lb_kvlist *l, const u8 *key, u32 key_len)
{
	return kvlist_add(l, kv_alloc(key, key_len, NULL, 0, true));
}

struct lb_kvtable *lb_kvtable_alloc(void)
{
	return port_alloc(sizeof(struct lb_kvtable), PORT_WAIT);
}

void lb_kvtable_free(struct lb_kvtable *t)
{
	struct lb_kv *kv, *next;

	if (!t)
		return;
	for (kv = t->head[0]; kv; kv = next) {
		next = kv->next[0];
		port_free(kv);
	}
	port_free(t);
}

u64 lb_kvtable_count(const struct lb_kvtable *t)
{
	return t->count;
}

/* The last node before the key at each level; returns the first one not before it. */
static struct lb_kv *kv_seek(struct lb_kvtable *t, const u8 *key, u32 key_len, struct lb_kv **links[KV_HEIGHT])
{
	struct lb_kv **at = t->head;
	int level;

	for (level = KV_HEIGHT - 1; level >= 0; level--) {
		while (at[level] && lb_key_cmp(lb_kv_key(at[level]), at[level]->key_len, key, key_len) < 0)
			at = at[level]->next;
		links[level] = &at[level];
	}
	return *links[0];
}

/* Out of the table, with the item of this key; NULL if there is none. */
static struct lb_kv *kv_unlink(struct lb_kvtable *t, const struct lb_kv *kv, struct lb_kv **links[KV_HEIGHT])
{
	struct lb_kv *old = kv_seek(t, lb_kv_key(kv), kv->key_len, links);
	unsigned int level;

	if (!old || lb_key_cmp(lb_kv_key(old), old->key_len, lb_kv_key(kv), kv->key_len) != 0)
		return NULL;
	for (level = 0; level < old->height; level++)
		*links[level] = old->next[level];
	t->count--;
	return old;
}

/* Returns the item whose place kv takes, or NULL. */
static struct lb_kv *kv_link(struct lb_kvtable *t, struct lb_kv *kv)
{
	struct lb_kv **links[KV_HEIGHT];
	struct lb_kv *old = kv_unlink(t, kv, links);
	unsigned int level;

	for (level = 0; level < kv->height; level++) {
		kv->next[level] = *links[level];
		*links[level] = kv;
	}
	t->count++;
	return old;
}

int lb_kvtable_apply(struct lb_kvtable *t, const struct lb_kvlist *l)
{
	return lb_kvtable_apply_undoable(t, l, NULL);
}

void lb_kvtable_undo(struct lb_kvtable *t, struct lb_list *undo)
{
	struct lb_kv **links[KV_HEIGHT];

	/* The last one first: an item may have come and have been replaced in turn. */
	while (!lb_list_empty(undo)) {
		struct lb_kv *kv = lb_list_entry(undo->prev, struct lb_kv, link);

		lb_list_del(&kv->link);
		kv_unlink(t, kv, links);
		if (kv->replaced)
			kv_link(t, kv->replaced);
		port_free(kv);
	}
}

void lb_kvtable_keep(struct lb_list *undo)
{
	while (!lb_list_empty(undo)) {
		struct lb_kv *kv = lb_list_first_entry(undo, struct lb_kv, link);

		lb_list_del(&kv->link);
		port_free(kv->replaced);
		kv->replaced = NULL;
	}
}

int lb_kvtable_apply_undoable(struct lb_kvtable *t, const struct lb_kvlist *l, struct lb_list *undo)
{
	struct lb_kvlist copy;
	struct lb_kv *kv, *next;
	int err = 0;

	lb_kvlist_init(&copy);
	lb_list_for_each_entry(kv, &l->items, link) {
		err = kvlist_add(&copy, kv_alloc(lb_kv_key(kv), kv->key_len, lb_kv_value(kv), kv->value_len, kv->delete));
		if (err) {
			lb_kvlist_free(&copy);
			return err;
		}
	}
	lb_list_for_each_entry_safe(kv, next, &copy.items, link) {
		struct lb_kv *old;

		lb_list_del(&kv->link);
		old = kv_link(t, kv);
		if (undo) {
			kv->replaced = old;
			lb_list_add_tail(&kv->link, undo);
		} else {
			port_free(old);
		}
	}
	return 0;
}

const struct lb_kv *lb_kvtable_after(const struct lb_kvtable *t, const u8 *key, u32 key_len)
{
	struct lb_kv *const *at = t->head;
	int level;

	for (level = KV_HEIGHT - 1; level >= 0; level--)
		while (key_len && at[level] && lb_key_cmp(lb_kv_key(at[level]), at[level]->key_len, key, key_len) <= 0)
			at = at[level]->next;
	return at[0];
}

const struct lb_kv *lb_kvtable_find(const struct lb_kvtable *t, const u8 *key, u32 key_len)
{
	struct lb_kv **links[KV_HEIGHT];
	struct lb_kv *kv = kv_seek((struct lb_kvtable *)t, key, key_len, links);

	return kv && lb_key_cmp(lb_kv_key(kv), kv->key_len, key, key_len) == 0 ? kv : NULL;
}
