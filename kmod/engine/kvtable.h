/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Catalog changes in memory: a kvlist is an ordered-by-arrival list of puts and deletes (one request); a kvtable is the sorted result of many (the
 * catalog's memtable). Owned memory; the catalog's mutex is the lock.
 */
#ifndef LB_KVTABLE_H
#define LB_KVTABLE_H

#include "format.h"
#include "port.h"

struct lb_kv {
	struct lb_list link;		/* in a kvlist; of a table's item, in the list of what can be undone */
	struct lb_kv *replaced;		/* what was there before, if that can come back */
	u32 key_len, value_len;
	bool delete;
	u8 height;			/* in a kvtable */
	u8 *data;			/* key, value */
	struct lb_kv *next[];		/* height pointers */
};
static inline const u8 *lb_kv_key(const struct lb_kv *kv) { return kv->data; }
static inline const u8 *lb_kv_value(const struct lb_kv *kv) { return kv->data + kv->key_len; }

struct lb_kvlist {
	struct lb_list items;		/* struct lb_kv */
	u64 count, bytes;
};
void lb_kvlist_init(struct lb_kvlist *l);
void lb_kvlist_free(struct lb_kvlist *l);
int lb_kvlist_put(struct lb_kvlist *l, const u8 *key, u32 key_len, const void *value, u32 value_len);	/* -ENOMEM */
int lb_kvlist_delete(struct lb_kvlist *l, const u8 *key, u32 key_len);

struct lb_kvtable;
struct lb_kvtable *lb_kvtable_alloc(void);
void lb_kvtable_free(struct lb_kvtable *t);
u64 lb_kvtable_count(const struct lb_kvtable *t);
/* Copies of the list's changes go in, in order; all or nothing (-ENOMEM). */
int lb_kvtable_apply(struct lb_kvtable *t, const struct lb_kvlist *l);
/*
 * The same, so that it can be taken back: undo, a list head, collects what several calls have done. It ends with lb_kvtable_undo(), after which the table
 * is as it was before the first of them (this needs no memory), or with lb_kvtable_keep().
 */
int lb_kvtable_apply_undoable(struct lb_kvtable *t, const struct lb_kvlist *l, struct lb_list *undo);
void lb_kvtable_undo(struct lb_kvtable *t, struct lb_list *undo);
void lb_kvtable_keep(struct lb_list *undo);
const struct lb_kv *lb_kvtable_find(const struct lb_kvtable *t, const u8 *key, u32 key_len);
/* The first with a key greater than this one (key_len 0: the first of all). */
const struct lb_kv *lb_kvtable_after(const struct lb_kvtable *t, const u8 *key, u32 key_len);

#endif /* LB_KVTABLE_H */
