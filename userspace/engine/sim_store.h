/* SPDX-License-Identifier: GPL-2.0 */
/* The blocks of a simulated disk: a sparse map from block number to a shared, immutable page. Not locked. */
#ifndef LB_SIM_STORE_H
#define LB_SIM_STORE_H

#include "format.h"
#include "port.h"

struct sim_page {
	u64 refs;		/* atomic */
	u8 data[LB_BLOCK_BYTES];
};

struct sim_page *sim_page_new(const void *data);	/* data NULL: not filled in */
struct sim_page *sim_page_get(struct sim_page *page);	/* NULL is fine, it is the page of zeros */
void sim_page_put(struct sim_page *page);
void sim_page_copy(const struct sim_page *page, void *buf);

struct sim_slot {
	u64 key;		/* block + 1, 0: empty */
	struct sim_page *page;	/* NULL: zeros */
	u64 pending;		/* free for the owner */
};

struct sim_store {
	struct sim_slot *slots;
	u64 room, used;
};

struct sim_slot *sim_store_find(const struct sim_store *s, u64 block);	/* NULL: never set */
struct sim_slot *sim_store_slot(struct sim_store *s, u64 block);	/* made if need be; valid until the next call */
struct sim_page *sim_store_page(const struct sim_store *s, u64 block);	/* NULL: zeros; no reference taken */
void sim_store_set(struct sim_store *s, u64 block, struct sim_page *page);	/* takes over the reference */
void sim_store_copy(struct sim_store *to, const struct sim_store *from);	/* `to` is uninitialised */
void sim_store_clear(struct sim_store *s);
u64 sim_store_count(const struct sim_store *s);				/* pages that are not zeros */

#endif /* LB_SIM_STORE_H */
