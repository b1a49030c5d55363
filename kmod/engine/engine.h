/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The engine's public face: what the module (kmod/), the tools and the tests call. Everything else in kmod/engine/ is its own affair.
 *
 * Units: blocks of LB_BLOCK_BYTES unless a name says otherwise. Errors: negative errno; the common ones are
 *   -EAGAIN    (only with LB_NOWAIT) it would have to sleep: call again from a context that may
 *   -ENOSPC    no space now: see lb_request_room()       -EDQUOT  the volume's quota is used up: final
 *   -ENOBUFS   the memtables are full: see lb_request_room(); never final
 *   -EUCLEAN   metadata is damaged (a checksum, generation or address did not match)
 *   -EROFS     the pool is read-only (opened so, or failed), or the volume is frozen
 *   -EIO -ENOMEM
 *
 * Contexts: "any" includes interrupts; "sleeps" must not be called from submit_bio (it may read metadata and would wait for itself).
 *
 * Threads: the engine starts none. The host runs lb_work_commit() and lb_work_reclaim() each in a context of its own whenever host->kick
 * asks for it. Both loop until nothing is left to do and may take long. Neither may run on a queue on which bios wait.
 */
#ifndef LB_ENGINE_H
#define LB_ENGINE_H

#include "format.h"
#include "port.h"

struct lb_pool;
struct lb_vol;

/* ------------------------------------------------------------------ the host's side */

enum lb_event_type {		/* the values of LB_EVENT_* in the UAPI header; the host asserts it */
	LB_EV_LOW_SPACE = 3, LB_EV_NO_SPACE = 4, LB_EV_POOL_FAILED = 5, LB_EV_POOL_GROWN = 6, LB_EV_VOL_CREATE = 7, LB_EV_VOL_REMOVE = 8,
	LB_EV_VOL_CHANGE = 9, LB_EV_VOL_FREEZE = 10, LB_EV_VOL_SNAPSHOT = 11, LB_EV_VOL_ROLLBACK = 12, LB_EV_SPACE_FREED = 15,
	LB_EV_SCRUB_DONE = 16,
};

#define LB_KICK_COMMIT	1u	/* lb_work_commit() has something to do */
#define LB_KICK_RECLAIM	2u	/* lb_work_reclaim() has something to do */

/* All are called without a spinlock held, but may be called with the engine's mutexes held, except kick. None may call back into the engine, except as said. */
struct lb_host_ops {
	/* Any context, spinlocks may be held. Must only note it and wake something up. */
	void (*kick)(void *host, unsigned int what);
	/*
	 * Hold new I/O of an open volume (park it, not in flight) and wait until all in flight has ended; then I/O resumes at vol_resume.
	 * "In flight" lasts from before lb_read_map()/lb_write_begin()/lb_unmap() to lb_write_end() or the end of the read. A parked bio, one
	 * that waits for room, and one that waits in lb_flush() are NOT in flight: else a snapshot would wait for a commit that waits for it.
	 */
	void (*vol_hold)(void *host, void *vol_host);
	void (*vol_resume)(void *host, void *vol_host);
	/* Room may be there again: everything parked for a round <= `round` is to be tried again (see lb_request_room). */
	void (*room)(void *host, u64 round);
	/* An event; name may be NULL (no name), and is valid during the call only. */
	void (*event)(void *host, enum lb_event_type type, u64 vol, u64 arg, const char *name);
};

/* ------------------------------------------------------------------ pools */

struct lb_format_opts {
	u64 total_blocks;		/* 0: all of the device */
	u64 journal_blocks;		/* 0: chosen from the size */
	u8 uuid[16];			/* zero: random */
};

/* Make an empty pool. Overwrites; asking first is the caller's part. -EINVAL the device is too small or too large. Sleeps. */
int lb_pool_format(struct port_dev *dev, const struct lb_format_opts *opts, u8 uuid[16]);

/*
 * Read the newest valid superblock: 0, -EMEDIUMTYPE none there, -EOPNOTSUPP from the future, -EUCLEAN, -EIO; -ESTALE the
 * newest is damaged, and *info is about an older one. Sleeps.
 */
struct lb_super_info {
	u8 uuid[16];
	u64 generation, total_blocks, created;
};
int lb_pool_probe(struct port_dev *dev, struct lb_super_info *info);
/* Destroy: overwrite every superblock copy with zeros. The pool must not be open. Sleeps. */
int lb_pool_wipe(struct port_dev *dev);

#define LB_POOL_OPEN_RO		1u	/* write nothing; the journal is replayed in memory only */
/* Accept an older superblock when the newest is damaged, and go on without what follows a damaged journal record. */
#define LB_POOL_OPEN_FALLBACK	2u

/*
 * Open: find the superblock, replay the journal, commit it under a new epoch. On error nothing was written that changes the pool's meaning.
 * Errors as for probe, and -EFBIG the device is smaller than the pool. Sleeps. The host's callbacks may be called before it returns.
 */
int lb_pool_open(struct port_dev *dev, unsigned int flags, const struct lb_host_ops *ops, void *host, struct lb_pool **out);
/*
 * Before a close, or while the host must have rest: nothing is due, and the work functions return soon though deletions,
 * collapses or a scrub may not be over. Rounds are run all the same. With stop false (and a call of lb_work_commit())
 * everything goes on; what is left of a deletion also does when the pool is opened again. Any context.
 */
void lb_pool_stop(struct lb_pool *pool, bool stop);
/* Commit what is pending and free everything. No volume may be open, no work function running or to come. The commit's error is returned, the pool is gone all the same. */
int lb_pool_close(struct lb_pool *pool);
/* Turn the pool read-only until it is opened again, as a failed metadata write does: `what` failed with `error`. Any context. */
void lb_pool_fail(struct lb_pool *pool, int error, const char *what);
/* Free everything without writing anything: a simulated power cut, and the way out when the device is gone. */
void lb_pool_abandon(struct lb_pool *pool);

/* Make everything acknowledged so far durable in the trees. Sleeps. */
int lb_pool_commit(struct lb_pool *pool);

struct lb_pool_stat {
	u8 uuid[16];
	bool read_only, failed, low_space, no_space, queue_nospc;
	int failed_errno;
	u64 generation, total_blocks, free_blocks, data_blocks, meta_blocks, reserved_blocks, pending_blocks, pinned_blocks;
	u64 volumes, hidden_volumes;
	u64 low_water_blocks, nospc_timeout_ms, commit_interval_ms, cache_bytes, cache_limit_bytes;
	u64 commits, journal_writes, journal_blocks, device_flushes, meta_reads, meta_writes;
	u64 scrub_state, scrub_done_blocks, scrub_errors;
	u64 created, format_version;
	u64 memtable_entries, journal_used_blocks, journal_total_blocks;
};
void lb_pool_stat(struct lb_pool *pool, struct lb_pool_stat *st);	/* sleeps */

struct lb_pool_policy {
	unsigned int set;		/* LB_POLICY_*: which fields to set */
	bool queue_nospc;
	u64 nospc_timeout_ms, low_water_blocks, commit_interval_ms, cache_limit_bytes;
};
#define LB_POLICY_QUEUE		1u	/* the bits of LB_POOL_SET_* in the UAPI header */
#define LB_POLICY_LOW_WATER	2u
#define LB_POLICY_INTERVAL	4u
#define LB_POLICY_CACHE		8u
int lb_pool_set_policy(struct lb_pool *pool, const struct lb_pool_policy *policy);	/* durable on return; sleeps */

/* Grow to total_blocks (0: the device's size); *now is the size after. -EINVAL smaller than now, or larger than the device. Sleeps. */
int lb_pool_grow(struct lb_pool *pool, u64 total_blocks, u64 *now);

/* Scrub: start, stop; the commit work's context does it in small steps. */
int lb_pool_scrub(struct lb_pool *pool, bool start);

/* ------------------------------------------------------------------ background work (see Threads above) */

void lb_work_commit(struct lb_pool *pool);	/* commits, deletions, collapses, scrub; returns when nothing is due */
void lb_work_reclaim(struct lb_pool *pool);	/* waits for old readers, discards, makes freed blocks reusable; then host->room */
/* Milliseconds until lb_work_commit() is next due by the clock, ~0ULL for never (nothing pending). Any context. */
u64 lb_work_due_ms(struct lb_pool *pool);
/* For memory pressure: number of nodes that could go; drop up to n, return how many went. Any process context, does not sleep on I/O. */
u64 lb_cache_count(struct lb_pool *pool);
u64 lb_cache_shrink(struct lb_pool *pool, u64 n);

/* ------------------------------------------------------------------ volumes and attributes: requests. All sleep, all are durable on return. */

struct lb_attr_change {
	u64 vol;			/* 0: the pool; LB_NEW_VOLUME: the one this request makes */
	const char *key;
	const void *value;
	u32 key_len, value_len;
	unsigned int flags;		/* LB_CHANGE_* */
};
#define LB_NEW_VOLUME		(~0ULL)
#define LB_CHANGE_DELETE	1u	/* the bits of LB_ATTR_* in the UAPI header */
#define LB_CHANGE_EXCLUSIVE	2u
#define LB_CHANGE_MUST_EXIST	4u

struct lb_tx {				/* attribute changes that ride along; NULL or count 0 for none */
	const struct lb_attr_change *changes;
	unsigned int count;
};

struct lb_name {
	const char *s;
	u32 len;
};

/* -EINVAL name or size is not allowed; -EEXIST; -ENOENT no such volume; -EROFS; -ENOSPC; -E2BIG the request's attributes exceed 4 MiB. */
int lb_vol_create(struct lb_pool *pool, struct lb_name name, u64 size_blocks, u64 quota, const struct lb_tx *tx, u64 *id);
/*
 * Frozen source: a child, writable or (frozen) frozen at once. Writable source: a frozen snapshot which takes the source's place in the
 * chain (the host's vol_hold/vol_resume are called when the source is open). -EINVAL: a hidden source.
 */
int lb_vol_snapshot(struct lb_pool *pool, u64 source, struct lb_name name, bool frozen, u64 quota, const struct lb_tx *tx, u64 *id);
/* name.len 0 keeps the name. -EROFS already frozen. The host sees to it that nobody has it open for writing. */
int lb_vol_freeze(struct lb_pool *pool, u64 id, struct lb_name name, const struct lb_tx *tx);
/* -EBUSY when the volume is open (lb_vol_open), or has children and if_no_children. */
int lb_vol_remove(struct lb_pool *pool, u64 id, bool if_no_children, const struct lb_tx *tx);
/* -EBUSY when open; -EINVAL when `snapshot` is no live ancestor of the volume. */
int lb_vol_rollback(struct lb_pool *pool, u64 id, u64 snapshot);
struct lb_vol_change {
	unsigned int set;		/* LB_SET_* */
	u64 size_blocks, quota;
	struct lb_name name;
};
#define LB_SET_SIZE	1u		/* the bits of LB_VOL_SET_* in the UAPI header */
#define LB_SET_QUOTA	2u
#define LB_SET_NAME	4u
#define LB_SET_SHRINK	8u
/* id 0: attributes only. A smaller size without LB_SET_SHRINK: -EINVAL. A frozen volume's size and quota: -EROFS; name and attributes may change. */
int lb_vol_set(struct lb_pool *pool, u64 id, const struct lb_vol_change *change, const struct lb_tx *tx);

struct lb_vol_stat {
	u64 id, parent, size_blocks, quota, owned_blocks, mapped_blocks, meta_blocks, children, origin, frozen, created;
	bool hidden;
	u32 name_len;
	char name[256];
};
int lb_vol_stat(struct lb_pool *pool, u64 id, bool count_mapped, struct lb_vol_stat *st);	/* -ENOENT */
int lb_vol_find(struct lb_pool *pool, struct lb_name name, u64 *id);				/* -ENOENT */
int lb_vol_next(struct lb_pool *pool, u64 after, bool hidden_too, u64 *id);			/* -ENOENT at the end */

/* *len in: room; out: length. -ERANGE when it does not fit (*len is set), -ENOENT. */
int lb_attr_get(struct lb_pool *pool, u64 vol, const char *key, u32 key_len, void *value, u32 *len);
/* The smallest key greater than key[0..*key_len); key has room for 255 bytes. -ENOENT at the end. */
int lb_attr_next(struct lb_pool *pool, u64 vol, char *key, u32 *key_len, u32 *value_len);

struct lb_diff_range {
	u64 start;
	u32 count;
	bool mapped;			/* in b */
};
/* Where b may differ from a (0: from nothing): at most *n ranges from *cursor on; *cursor ~0ULL when done. Both frozen (-EINVAL). */
int lb_diff(struct lb_pool *pool, u64 a, u64 b, u64 *cursor, struct lb_diff_range *ranges, unsigned int *n);

/* ------------------------------------------------------------------ open volumes: I/O */

/*
 * Open for I/O (activation). -ENOENT, -EBUSY already open, -EINVAL hidden, -EIO the pool failed while the volume was
 * being cut. vol_host is given back in host callbacks. Sleeps; waits for a commit that is about this volume.
 */
int lb_vol_open(struct lb_pool *pool, u64 id, void *vol_host, struct lb_vol **out);
/* No I/O in flight. Sleeps; waits for the vol_resume after a vol_hold. Unflushed mappings stay pending in the pool. */
void lb_vol_close(struct lb_vol *vol);
u64 lb_vol_id(const struct lb_vol *vol);
u64 lb_vol_blocks(const struct lb_vol *vol);	/* size */
bool lb_vol_writable(const struct lb_vol *vol);	/* neither frozen nor in a read-only pool */

/*
 * Every read, write and unmap is done between lb_io_enter() and lb_io_leave(): from before its first look-up until the device I/O on the
 * block it was given has ended (any context, another than it entered in too). Blocks freed meanwhile are not reused before that.
 */
int lb_io_enter(struct lb_vol *vol);		/* any context; returns an index for leave */
void lb_io_leave(struct lb_vol *vol, int idx);

#define LB_NOWAIT	1u	/* never sleep, never read metadata: -EAGAIN instead. For submit_bio and REQ_NOWAIT. */
#define LB_PARTIAL	2u	/* lb_write_begin: the write covers part of one block (count 1) */

struct lb_mapping {
	u64 pblk;		/* LB_PBLK_HOLE: reads as zeros */
	u64 count;		/* blocks of the same kind and contiguous from lblk on, 1 to the count asked */
};
/* The first run of [lblk, lblk + count). -EUCLEAN/-EIO: fail this read. Any context with LB_NOWAIT, else sleeps. */
int lb_read_map(struct lb_vol *vol, u64 lblk, u64 count, unsigned int flags, struct lb_mapping *m);

/*
 * Plan a write of [lblk, lblk + count). On 0, write w->count blocks (at least 1, perhaps fewer than asked: go on with the rest in a
 * further call) to w->pblk, then call lb_write_end() once the device has completed them.
 *   w->in_place   the block is owned: the device write is all.
 *   otherwise     it is a new block; reads go on seeing the old content until lb_write_end(). Blocks [w->lblk, + w->count) are locked
 *                 against other first writes and unmaps until then. For LB_PARTIAL, w->old_pblk is what must be read and merged into a whole
 *                 block (LB_PBLK_HOLE: zeros).
 *   w->unjournaled  the mapping is not yet durable: for a FUA write, write without FUA, lb_write_end(), then lb_flush() before acknowledging.
 *                 When false and in_place, a FUA write just passes its FUA down. (A new block's mapping is always unjournaled.)
 * On error nothing is held. Any context with LB_NOWAIT, else sleeps (for a block lock, a metadata read; never for a commit).
 */
struct lb_write {
	struct lb_vol *vol;
	u64 lblk, count, pblk, old_pblk;
	bool in_place, unjournaled;
	/* the engine's own */
	struct lb_list lock_link;
	void *nodes[2];
	u64 charge;
};
int lb_write_begin(struct lb_vol *vol, u64 lblk, u64 count, unsigned int flags, struct lb_write *w);
/* error 0: the device has it; the mapping takes effect before this returns. Else: the block goes back, the old content stays. Any context. */
void lb_write_end(struct lb_write *w, int error);

/* Unmap whole blocks, at most a bounded step: *done tells how many of count were (0 on error). Sleeps (or -EAGAIN at once with LB_NOWAIT). -ENOSPC, -ENOBUFS as for a write. */
int lb_unmap(struct lb_vol *vol, u64 lblk, u64 count, unsigned int flags, u64 *done);

/* Does a flush have to go through lb_flush()? If not, passing it on to the device is enough. Any context. */
bool lb_flush_needed(struct lb_vol *vol);
/* Everything acknowledged on this volume before the call is durable on return (flushes the device, too). Sleeps; waits for a commit if the ring is full. Not in flight (see vol_hold), not between lb_io_enter and leave. */
int lb_flush(struct lb_vol *vol);

/*
 * After -ENOSPC or -ENOBUFS: ask for room. Returns a round number r. Leave (lb_io_leave), park, and try again when host->room(round >= r) is called.
 * -ENOSPC again after that is final: then lb_nospc() sends the event and says what to do by the pool's policy: 0 fail with ENOSPC; else
 * milliseconds for which to go on trying (each time with a new request), ~0ULL for ever. Any context.
 */
u64 lb_request_room(struct lb_pool *pool, int error);
u64 lb_nospc(struct lb_pool *pool);

#endif /* LB_ENGINE_H */
