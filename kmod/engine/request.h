/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of requests (request.c, snapshot.c) share. Locks: see pool_priv.h.
 */
#ifndef LB_REQUEST_H
#define LB_REQUEST_H

#include "pool_priv.h"

/* catalog.mutex held. */
int lb_name_is_free(struct lb_pool *p, struct lb_name name);			/* -EINVAL, -EEXIST */
int lb_cat_live(struct lb_pool *p, u64 id, struct lb_vol_full *v);		/* a live volume's record; -ENOENT */
/* A live writable volume's records, -ENOENT, -EROFS. */
int lb_load_for_cut(struct lb_pool *p, u64 id, struct lb_vol_full *v, struct lb_map_record *m);
int lb_stage_volume(struct lb_pool *p, const struct lb_vol_full *v, const struct lb_map_record *m, const struct lb_tx *tx, struct lb_kvlist *l);
void lb_new_record(struct lb_vol_full *v, u64 id, struct lb_name name, u64 size_blocks, u64 quota);

/*
 * Takes catalog.mutex, when no cut is on its way. A commit's cut is seen at once, but is in no journal: a request that was
 * made on top of it would be durable before it, and after a crash without it.
 */
void lb_lock_settled(struct lb_pool *p);
/* Both are called with catalog.mutex held, release it, and return when the change is durable. l has been applied for the first. */
int lb_request_send(struct lb_pool *p, struct lb_kvlist *l);
int lb_add_volume(struct lb_pool *p, struct lb_vol_full *v, const struct lb_map_record *m, const struct lb_tx *tx, u64 *id);

void lb_request_make_room(struct lb_pool *p);	/* for a request that found none: what is freed but not yet usable. No mutex held. */
void lb_event_named(struct lb_pool *p, enum lb_event_type type, u64 vol, u64 arg, struct lb_name name);

#endif /* LB_REQUEST_H */
