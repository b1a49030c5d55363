/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The engine's inner structures: a pool, its volumes in memory, and the calls between the files of the upper half.
 *
 * Lock order, outermost first:
 *   journal.write_mutex   one journal write at a time
 *   commit_mutex          one commit at a time: from the seal to the publication. A commit never takes write_mutex.
 *   catalog.mutex         the catalog overlay, requests, and the instant of the seal
 *   vol->lock             a volume's memtables, its view of the tree, its block locks (spin)
 *   pool->lock            the volume hash, the dirty list, room rounds, journal positions (spin)
 * Within pool->gate nobody waits for a mutex but catalog.mutex: a commit may wait until all readers have left.
 *
 * A lookup takes no lock. It reads one consistent view, both memtables and the root, origin and cursor that go with them, between two looks at
 * vol->seq, which whoever changes any of that raises around the change (lb_view_lock). The tree under that root never changes; pool->gate, which
 * every look-up is within, keeps its blocks from being reused and the entries of memtables from being freed meanwhile.
 */
#ifndef LB_POOL_PRIV_H
#define LB_POOL_PRIV_H

#include "engine.h"
#include "cache.h"
#include "kvtable.h"
#include "memtable.h"
#include "space.h"
#include "super.h"
#include "tree.h"

/* ------------------------------------------------------------------ volumes */

#define LB_LOCK_BUCKETS		64u
#define LB_LOCK_SHIFT		8	/* a first write lies within 2^8 blocks, so that it has one bucket */
#define LB_CLUSTER_SLOTS	64u
#define LB_CUTS_MAX		8u	/* snapshots of one volume with entries that no commit has merged */

struct lb_vol {
	port_rcu_t rcu;			/* look-ups of volumes above it may still see it when it goes */
	struct lb_pool *pool;
	u64 id;
	struct lb_list hash_link;	/* pool->vols */
	struct lb_list dirty_link;	/* pool->dirty */
	struct lb_list seal_link;	/* pool->sealed */
	struct lb_list want_link;	/* journal->want */
	struct lb_list batch_link;	/* the journal batch being written */
	void *vol_host;
	bool open;			/* changed with catalog.mutex and pool->lock */
	bool held;			/* between vol_hold and vol_resume: not to be closed; catalog.mutex */
	bool on_dirty;			/* pool->lock */
	bool on_sealed;			/* pool->lock */
	bool on_want;			/* pool->lock */
	bool on_batch;			/* pool->lock */

	port_spinlock_t lock;
	port_seq_t seq;			/* the view: what look-ups read. Raised by lb_view_lock() */
	port_wait_t wait;		/* for block locks */
	struct lb_memtable mt[2];
	u8 active;			/* index of the active memtable; the other one is the sealed one */
	/* the view of the committed tree */
	struct lb_ref root;
	u64 nodes;
	struct lb_owner owner;
	/*
	 * The view goes on in what was this volume's until a snapshot was cut off: the snapshots whose memtables are not merged yet, the latest
	 * first. Their tables do not change but by the seal and the journal, and stay until this volume has let go of them. A commit that
	 * seals one of them seals this volume. Changed with catalog.mutex held.
	 */
	struct lb_vol *below[LB_CUTS_MAX];
	unsigned int n_below;
	unsigned int above;		/* volumes that have this one below them; catalog.mutex */
	/* who owned what at the seal: what the commit merges by (a cut changes owner for what comes after) */
	struct lb_owner sealed_owner;
	bool deleted;
	/* what the commit under way will publish */
	bool merged;
	struct lb_ref new_root;
	u64 new_nodes;
	s64 new_owned;
	/* block locks */
	struct lb_list locks[LB_LOCK_BUCKETS];
	struct lb_list wide_locks;
	u64 change_seq;			/* insertions so far */
	u64 lock_waiters;
	/* space accounting, under lock */
	s64 owned;			/* committed */
	u64 inflight_blocks;		/* handed out, not yet inserted */
	bool journal_busy;		/* entries of it are in a journal write under way */
	/* where the last writes went, which no look-up finds yet: logical cluster -> physical one */
	struct { u64 lcluster, pcluster; } clusters[LB_CLUSTER_SLOTS];
	u64 next_lblk, next_pblk;	/* a sequential writer goes on here */
	/* control record mirrored */
	u64 size_blocks;
	u64 quota;
	u64 frozen;
};

/* vol->lock, for one who changes the view. */
static inline unsigned long lb_view_lock(struct lb_vol *v)
{
	unsigned long flags = port_spin_lock(&v->lock);

	port_seq_write_begin(&v->seq);
	return flags;
}

static inline void lb_view_unlock(struct lb_vol *v, unsigned long flags)
{
	port_seq_write_end(&v->seq);
	port_spin_unlock(&v->lock, flags);
}

static inline struct lb_memtable *lb_vol_active(struct lb_vol *v) { return &v->mt[v->active]; }
static inline struct lb_memtable *lb_vol_sealed(struct lb_vol *v) { return &v->mt[v->active ^ 1]; }
static inline u64 lb_owner_origin(const struct lb_owner *o, u64 lblk) { return lblk < o->cursor ? o->low_origin : o->origin; }

/* ------------------------------------------------------------------ catalog overlay */

struct lb_catalog {
	port_mutex_t mutex;
	struct lb_kvtable *active, *sealed;	/* changes since the last durable commit */
	struct lb_list undo;			/* what the commit under way itself has put into the sealed table */
	struct lb_ref root;			/* committed */
	u64 items;				/* changes charged for since the last seal */
	u64 charge, sealed_charge;		/* blocks charged for the changes in either table */
	u8 *scratch;				/* one key and one value */
	u64 nodes;
};

/* ------------------------------------------------------------------ journal */

struct lb_journal_mark {		/* a place in the ring */
	u64 vpos;			/* position without wrapping: counts blocks, gaps at the ring's end included */
	u64 seq;
	u32 prev;
};

struct lb_journal {
	port_mutex_t write_mutex;	/* around a batch: what is queued by one who holds it goes into one batch */
	u64 block, blocks;		/* the ring */
	u64 epoch;
	/* under pool->lock */
	struct lb_journal_mark head;	/* where the next record goes */
	struct lb_journal_mark tail;	/* where replay would start */
	u64 requested, done;		/* tickets of group commit */
	struct lb_list want;		/* volumes whose entries are to be written */
	struct lb_list txs;		/* requests' records, in order */
	u64 writes, written_blocks;
};

/* A request's catalog changes on their way to the journal. */
struct lb_journal_tx {
	struct lb_list link;
	u64 gen;
	const struct lb_kvlist *kvs;
	/* A cut (else 0 and NULL): entries of cut_vol that went over to the snapshot before they were in the journal go before it. */
	u64 cut_vol, cut_snap;
	struct lb_vol *snap;		/* on want since it was queued; NULL: it has no entries */
};

/* ------------------------------------------------------------------ pool */

#define LB_VOL_HASH	256u

struct lb_hidden {			/* a deleted volume */
	struct lb_list link;
	u64 id;
	bool waits;			/* nothing could be done at the last look: several children, or another must go first */
	u64 owned;			/* data blocks it pins, as of the last look */
};

struct lb_moved {			/* a collapse step, for the child in memory */
	struct lb_list link;
	u64 vol;
	u64 origin, low_origin, cursor;
	s64 owned;
};

struct lb_reclaim {			/* what one commit leaves to be freed once the readers of the old view have left */
	struct lb_list link;
	struct lb_freed *freed;		/* blocks; may be NULL */
	struct lb_mem_node *nodes;	/* of memtables, by next[0] */
};

struct lb_scrub {
	u64 state, done, errors;	/* read by all */
	bool restart;			/* with state, under pool->lock */
	u64 vol;			/* being scrubbed */
	u64 key;			/* up to here it is done */
	u64 region;
	unsigned int phase;
};

struct lb_pool {
	struct port_dev *dev;
	const struct lb_host_ops *ops;
	void *host;
	bool read_only;
	struct lb_super *sb;		/* as it is on the disk; changed under commit_mutex and catalog.mutex */
	u8 uuid[16];
	struct {			/* of the superblock, for those who hold no mutex */
		bool queue_nospc;
		u64 nospc_timeout_ms, low_water, interval_ms;
	} policy;
	struct lb_cache *cache;
	struct lb_space *space;
	port_gate_t gate;

	port_mutex_t commit_mutex;
	port_mutex_t reclaim_mutex;
	struct lb_catalog catalog;
	struct lb_journal journal;

	port_spinlock_t lock;
	struct lb_list vols[LB_VOL_HASH];
	struct lb_list dirty;		/* volumes with something in their active memtable */
	struct lb_list sealed;		/* volumes in the commit under way */
	u64 gen;			/* last durable generation */
	u64 active_gen;			/* of the active memtables */
	struct lb_journal_mark seal_mark;
	int failed;			/* the error that made the pool read-only */
	bool failed_told;
	/* room rounds */
	u64 room_done, room_running, room_asked;
	bool room_full;			/* the asked round has to make space, not just commit */
	bool no_space, low_space, no_space_told, low_space_told;
	struct lb_list reclaims;	/* of durable commits */
	u64 last_commit_ns, first_dirty_ns;
	bool commit_wanted;
	bool stopped;			/* lb_pool_stop() */

	port_atomic64_t mem_entries;	/* of all memtables */
	u64 mem_limit;
	struct lb_list hidden;		/* struct lb_hidden; catalog.mutex */
	struct lb_list hidden_done;	/* those of them that the commit under way has done with */
	u64 hidden_count;
	u64 visible_count;		/* catalog.mutex */
	u64 next_volume;		/* catalog.mutex */
	bool maintenance;		/* hidden volumes can be worked on */
	u64 maintain_due_ns;
	u64 unmap_due_ns;		/* unmapped blocks wait for a commit to become free; 0: none */
	struct lb_list moved;		/* collapse steps of the commit under way, to be published */
	u64 cut_held;			/* the cut's volume whose I/O is held, or that must not be opened; catalog.mutex */
	bool cut_pending;		/* the commit under way has a cut and is sealed: its catalog changes are in no journal; catalog.mutex */
	u64 removed;			/* volumes that the commit under way removes */
	u64 delete_reserve;
	unsigned int step_budget;	/* leaves that maintenance works on in one commit */
	struct lb_scrub scrub;
	u64 commits;
	u64 flushes;
	u64 super_writes;
	u64 meta_writes;
	u64 node_blocks;		/* of all trees, each copy: what sb->meta_blocks counts besides the space's own; commit_mutex */
};

/* pool.c */
int lb_pool_check_writable(struct lb_pool *p);		/* 0, -EROFS */
bool lb_pool_is_clean(struct lb_pool *p);			/* nothing has changed since the last seal */
void lb_pool_kick(struct lb_pool *p, unsigned int what);
void lb_pool_event(struct lb_pool *p, enum lb_event_type type, u64 vol, u64 arg, const char *name);
void lb_pool_set_reserve(struct lb_pool *p);

/* volume.c */
struct lb_vol *lb_vol_lookup(struct lb_pool *p, u64 id);		/* in memory; NULL. pool->lock not held */
/* In memory, or made so from the catalog (catalog.mutex held). NULL with *err. */
struct lb_vol *lb_vol_load(struct lb_pool *p, u64 id, int *err);
struct lb_vol_full;
/* In memory with these records, before they are in the catalog. NULL: no memory. catalog.mutex held. */
struct lb_vol *lb_vol_make(struct lb_pool *p, const struct lb_vol_full *rec, const struct lb_map_record *map);
/*
 * The snapshot is cut off: what the volume's active memtable holds, and what lies below it, is the snapshot's (just made, of the volume's records as they
 * were); the volume owns what is born after `gen`. No I/O on v is in flight, v is not sealed, and has room below it. catalog.mutex held.
 */
void lb_vol_cut(struct lb_vol *v, struct lb_vol *snap, u64 gen);
/* The volumes below are merged, and the view ends at v->root again; v->lock held for a change. catalog.mutex held. */
void lb_vol_let_go(struct lb_vol *v);
/* What a deleted volume's active memtable holds is dropped, but for what a volume above it reads, too. v->lock held for a change. */
void lb_vol_drop_entries(struct lb_vol *v);
int lb_vol_refresh(struct lb_vol *v);					/* catalog.mutex held */
void lb_vol_unload_idle(struct lb_vol *v);				/* free it if neither open nor dirty */
void lb_vol_free_all(struct lb_pool *p);
void lb_vol_note_dirty(struct lb_vol *v);				/* vol->lock held, active memtable about to get an entry */
/* Insert into the active memtable: vol->lock held (it raises seq itself). slack: the charge that came with the change. */
bool lb_vol_insert(struct lb_vol *v, u64 lblk, u64 count, u64 pblk, bool dirty, struct lb_mem_node *nodes[LB_MEM_NODES], u64 slack);
u64 lb_vol_change_slack(struct lb_vol *v);				/* metadata blocks to charge for one more change; vol->lock held */
u64 lb_vol_worst(struct lb_vol *v, const struct lb_memtable *mt, u64 changes);

struct lb_look {
	u64 count, pblk, birth;
	bool owned, dirty;
	bool in_memtable;		/* else no memtable has anything for these blocks */
	u64 near;			/* with LB_LOOK_NEAR: where lblk would lie beside what the volume owns of its cluster; 0: not known */
};
#define LB_LOOK_NEAR	4u		/* with the flags of engine.h */
/* The first run of [lblk, lblk + count); errors as of lb_read_map(). */
int lb_vol_look(struct lb_vol *v, u64 lblk, u64 count, unsigned int flags, struct lb_look *look);

/* A volume's size: so that size and position always fit, doubled too. */
static inline bool lb_size_ok(u64 blocks) { return blocks && blocks <= LB_LBLK_MAX / 2 + 1; }

/* catalog.c: all with catalog.mutex held */
#define LB_CAT_ALL	0u		/* active, sealed, tree */
#define LB_CAT_SEALED	1u		/* what the commit under way will make durable */
int lb_cat_get(struct lb_pool *p, unsigned int view, const u8 *key, u32 key_len, void *value, u32 *value_len);
int lb_cat_after(struct lb_pool *p, unsigned int view, u8 *key, u32 *key_len, u8 *value, u32 *value_len);
u32 lb_key_id(u8 *key, char type, u64 id);				/* 'V' or 'M' and id; returns the length, 9 */
u32 lb_key_child(u8 *key, u64 parent, u64 child);
u32 lb_key_name(u8 *key, const char *name, u32 len);
u32 lb_key_attr(u8 *key, u64 id, const char *name, u32 len, u32 chunk);
struct lb_vol_full {			/* a V record with its name */
	struct lb_vol_record rec;
	char name[256];
};
int lb_cat_vol(struct lb_pool *p, unsigned int view, u64 id, struct lb_vol_full *v);
/* The next volume after *id; -ENOENT at the end. When its record is damaged, *v is zeros, and so a live volume's. */
int lb_cat_vol_after(struct lb_pool *p, unsigned int view, u64 *id, struct lb_vol_full *v);
int lb_cat_map(struct lb_pool *p, unsigned int view, u64 id, struct lb_map_record *m);
/* Number of children up to `limit`; *one is the first. */
int lb_cat_children(struct lb_pool *p, unsigned int view, u64 id, unsigned int limit, unsigned int *n, u64 *one);
/* Puts into a list of changes. */
int lb_put_vol(struct lb_kvlist *l, const struct lb_vol_full *v);
int lb_put_map(struct lb_kvlist *l, u64 id, const struct lb_map_record *m);
int lb_put_child(struct lb_kvlist *l, u64 parent, u64 child);
int lb_del_child(struct lb_kvlist *l, u64 parent, u64 child);
int lb_put_name(struct lb_kvlist *l, const char *name, u32 len, u64 id);
int lb_del_name(struct lb_kvlist *l, const char *name, u32 len);

/* request.c */
int lb_request_charge(struct lb_pool *p, u64 items, bool use_reserve);	/* catalog.mutex held */

/* attr.c: catalog.mutex held */
int lb_attr_stage(struct lb_pool *p, const struct lb_tx *tx, u64 new_vol, struct lb_kvlist *l);
int lb_attr_stage_remove_all(struct lb_pool *p, unsigned int view, u64 vol, struct lb_kvlist *l);

/* journal.c */
int lb_journal_init(struct lb_pool *p);
void lb_journal_tx_queue(struct lb_pool *p, struct lb_journal_tx *tx, u64 *ticket);	/* catalog.mutex held */
int lb_journal_wait(struct lb_pool *p, u64 ticket);				/* no mutex held */
void lb_journal_get_mark(struct lb_pool *p, struct lb_journal_mark *m);	/* pool->lock held */
u64 lb_journal_used(struct lb_pool *p);						/* blocks; pool->lock held */

/* replay.c */
int lb_journal_replay(struct lb_pool *p, bool lossy);	/* lossy: even if durable records are damaged; else -EIO */

/* commit.c */
struct lb_cut {				/* what a request does at the instant of a seal */
	u64 hold;			/* the volume whose I/O is held around the instant, if it is open; 0: none */
	/* with catalog.mutex held, before the seal: validate and fill l; 0 or the request's error (then nothing is sealed). NULL: nothing */
	int (*prepare)(struct lb_pool *p, struct lb_cut *cut, struct lb_kvlist *l);
	/* prepare's changes are made, the seal follows, catalog.mutex held: what else belongs into it and cannot fail (NULL: nothing) */
	void (*apply)(struct lb_pool *p, struct lb_cut *cut);
	void (*sealed)(struct lb_pool *p, struct lb_cut *cut);		/* after it, catalog.mutex held: adjust volumes in memory */
	/* after the merges, catalog.mutex held: further catalog changes that depend on them (NULL: none). Perhaps more than once: see commit.c */
	int (*merged)(struct lb_pool *p, struct lb_cut *cut, struct lb_kvlist *l);
	/* the commit is durable and the volumes have their new roots, catalog.mutex held: adjust volumes in memory (NULL: nothing) */
	void (*published)(struct lb_pool *p, struct lb_cut *cut);
	void *arg;
};
int lb_commit(struct lb_pool *p, struct lb_cut *cut);			/* takes commit_mutex */
int lb_commit_cut(struct lb_pool *p, struct lb_cut *cut);
/* Hold a volume's I/O around an instant: commit_mutex held. NULL: it is not open, and will not be before lb_cut_forget(). */
struct lb_vol *lb_hold_begin(struct lb_pool *p, u64 id);
void lb_hold_end(struct lb_pool *p, struct lb_vol *v);
void lb_cut_forget(struct lb_pool *p);					/* catalog.mutex held */
int lb_commit_patient(struct lb_pool *p);				/* without a cut; when memory is short, again and again for a while */
void lb_commit_wait(struct lb_pool *p);					/* until the commit under way, if there is one, is over; no mutex held */
int lb_sealed_apply(struct lb_pool *p, struct lb_kvlist *l);		/* a commit's own changes; catalog.mutex held; empties l */
void lb_reclaim_all(struct lb_pool *p);					/* sleeps until all that is freed is reusable */

/* maintain.c */
int lb_maintain_step(struct lb_pool *p, struct lb_tree_writer *w, s64 *data_delta);	/* within a commit, after the merges; catalog.mutex held */
void lb_maintain_publish(struct lb_pool *p);			/* the commit is durable; catalog.mutex held */
void lb_maintain_undo(struct lb_pool *p);			/* it is to be merged again, or has failed; catalog.mutex held */
int lb_hidden_add(struct lb_pool *p, u64 id);			/* catalog.mutex held */
void lb_hidden_drop(struct lb_pool *p, u64 id);			/* its deletion came to nothing; catalog.mutex held */
void lb_hidden_free_all(struct lb_pool *p);

/* work.c */
void lb_pool_note_unmap(struct lb_pool *p);

/* scrub.c */
bool lb_scrub_due(struct lb_pool *p);
void lb_scrub_step(struct lb_pool *p);

/* work.c */
bool lb_commit_due(struct lb_pool *p);

#endif /* LB_POOL_PRIV_H */
