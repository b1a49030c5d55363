/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A bench for whole pools: a pool on a simulated disk, without workers and with a clock that stands still until
 * somebody settles it, so that every I/O has a cause that a test can name. Everything fails the running cmocka test
 * when it goes wrong.
 */
#ifndef TEST_POOLLAB_H
#define TEST_POOLLAB_H

#include "host.h"
#include "support.h"

struct poollab {
	struct host h;
	struct port_dev *dev;
	struct lb_pool *pool;
	u64 allocations;	/* alive before it was made */
};

/* A new pool of so many blocks, open. */
struct poollab *pl_new(u64 blocks);
/* Close it; the checker must find nothing, and no allocation may be left. */
void pl_free(struct poollab *pl);
/* Close (which commits), ask the checker, open. No disk may be open. */
void pl_reopen(struct poollab *pl);
/* Cut the power: what was not durable is lost. Then open. Disks that were open are gone: forget them. */
void pl_crash(struct poollab *pl);
/* The checker's verdict on the device as it is. */
void pl_check(struct poollab *pl);

/* Commit, delete and reclaim until nothing is due for an hour. */
void pl_settle(struct poollab *pl);

/* What is in use after settling. Free, data and metadata blocks must add up to the pool. */
struct pl_used {
	u64 data, meta;
};
struct pl_used pl_used(struct poollab *pl);
#define pl_assert_used(pl, before) do {								\
	struct pl_used now_ = pl_used(pl);							\
	assert_int_equal(now_.data, (before).data);						\
	assert_int_equal(now_.meta, (before).meta);						\
} while (0)

/* Requests that must succeed. */
u64 pl_create(struct poollab *pl, const char *name, u64 blocks);
u64 pl_snapshot(struct poollab *pl, u64 source, const char *name);	/* a frozen source: a writable child */
void pl_freeze(struct poollab *pl, u64 id);
void pl_remove(struct poollab *pl, u64 id);
struct lb_vol_stat pl_stat(struct poollab *pl, u64 id);
struct lb_pool_stat pl_pool_stat(struct poollab *pl);
struct disk *pl_open(struct poollab *pl, u64 id);
void pl_close(struct disk *d);

/* Blocks with a content that block and tag decide; tag 0: zeros (for pl_expect). */
void pl_write(struct disk *d, u64 block, u64 count, u64 tag);
int pl_try_write(struct disk *d, u64 block, u64 count, u64 tag);
void pl_expect_at(struct disk *d, u64 block, u64 count, u64 tag, const char *file, int line);
#define pl_expect(d, block, count, tag) pl_expect_at(d, block, count, tag, __FILE__, __LINE__)
/* The same for a volume that is not open. */
void pl_fill(struct poollab *pl, u64 id, u64 block, u64 count, u64 tag);
void pl_expect_vol_at(struct poollab *pl, u64 id, u64 block, u64 count, u64 tag, const char *file, int line);
#define pl_expect_vol(pl, id, block, count, tag) pl_expect_vol_at(pl, id, block, count, tag, __FILE__, __LINE__)

/* What the device has done since the last call. */
struct port_sim_stat pl_io(struct poollab *pl);

#endif /* TEST_POOLLAB_H */
