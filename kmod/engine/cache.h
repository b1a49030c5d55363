/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The node cache: verified tree nodes, found by address, pinned while in use, bounded, shrinkable. It is the one way to read a node.
 * A node in the cache is immutable. Freed nodes must be dropped before their block is reused.
 */
#ifndef LB_CACHE_H
#define LB_CACHE_H

#include "ref.h"

struct lb_cache;

/* A pinned node. Read ->node only; release with lb_cache_put(). */
struct lb_cnode {
	struct lb_node *node;
	/* the cache's own fields follow in cache.c's view: keep this struct the first member of it */
};

struct lb_cache *lb_cache_alloc(struct port_dev *dev, u64 limit_bytes);	/* NULL: no memory */
void lb_cache_free(struct lb_cache *c);					/* nothing pinned */
void lb_cache_set_limit(struct lb_cache *c, u64 limit_bytes);

/*
 * Pin the node that `ref` points at: magic, self, generation, checksum, kind and level checked, and the payload by the validator of its
 * kind (lb_node_check in node.h), so that a caller need not fear its counts, offsets or key order. When the first copy is bad, the second is tried (a good
 * second copy after a bad first one counts an error in the statistics and is logged once).
 * flags LB_NOWAIT: -EAGAIN when it is not in memory. -EUCLEAN, -EIO, -ENOMEM. Two readers of one missing node do one device read.
 */
int lb_cache_get(struct lb_cache *c, const struct lb_ref *ref, u8 kind, unsigned int flags, struct lb_cnode **out);
void lb_cache_put(struct lb_cache *c, struct lb_cnode *n);		/* any context; NULL is fine */
/*
 * The node if it is in memory, without a pin: it stays until the read section (port_rcu_enter) ends that this is called in. NULL: use lb_cache_get().
 * Takes no lock. Such hits are not counted.
 */
const struct lb_node *lb_cache_peek(struct lb_cache *c, const struct lb_ref *ref, u8 kind);

/*
 * Enter a node just made (block: from port_alloc_block, ownership passes to the cache also on failure). Returned pinned: keep the pin until the
 * block's write to the device has ended. -ENOMEM.
 */
int lb_cache_insert(struct lb_cache *c, const struct lb_ref *ref, struct lb_node *block, struct lb_cnode **out);
/* Forget the node at this address: its block is being freed, or its write failed. A pinned one is forgotten, and freed at its last put. */
void lb_cache_drop(struct lb_cache *c, u64 addr);

/* Read both copies from the device again, whatever is cached, and verify (scrub). Number of bad copies in *bad; with `repair`, a bad copy is written again from a good one. Sleeps. */
int lb_cache_scrub(struct lb_cache *c, const struct lb_ref *ref, u8 kind, bool repair, unsigned int *bad);

struct lb_cache_stat { u64 nodes, bytes, limit_bytes, hits, misses, device_reads, errors; };
void lb_cache_get_stat(struct lb_cache *c, struct lb_cache_stat *st);
u64 lb_cache_evictable(struct lb_cache *c);
u64 lb_cache_evict(struct lb_cache *c, u64 n);

#endif /* LB_CACHE_H */
