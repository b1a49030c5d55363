/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Space, inside: regions in memory, loaded bitmaps, indexes of regions by what they offer, and the calls between space*.c.
 *
 *   space.c          open, close, charges, statistics
 *   space_bits.c     one loaded region: both views of its blocks, and finding room in it
 *   space_index.c    sets of regions with a fast "next"
 *   space_region.c   loading and unloading bitmaps, classes of regions
 *   space_alloc.c    choosing blocks
 *   space_image.c    the commit's changes to the image, done and abort
 *   space_table.c    the region table on disk
 *   space_reclaim.c  lists of freed runs
 *   space_grow.c     growth
 *
 * Every region has a small struct lb_region, always there; its bitmaps (struct lb_bits) are there while it is loaded. For every loaded region:
 *   image <= live (as sets of used blocks): what is reachable is not handed out
 *   diff == number of blocks in live and not in image: handed out and not yet used, or freed and not yet reclaimed
 *   free == number of blocks not in live;  image_free == number of blocks not in image
 * For an unloaded one live equals image, so that diff is 0: only such regions may be unloaded, and only when no commit has touched them.
 * space->free is the sum of all free, but for regions whose bitmap could not be read (bad).
 *
 * Locks: load_mutex (sleeps; held while a bitmap is read, and to unload) before lock (spin: all else). The image of a loaded region changes under `lock`, by
 * the committing thread alone, which therefore may read it without. `table` and the commit's own fields are the committing thread's.
 */
#ifndef LB_SPACE_PRIV_H
#define LB_SPACE_PRIV_H

#include "engine.h"
#include "geometry.h"
#include "space.h"

#define LB_NONE			(~0ULL)

/* ------------------------------------------------------------------ one loaded region */

#define LB_BITS_WORDS		(LB_REGION_BLOCKS / 64u)		/* 506 */
#define LB_BITS_CLUSTERS	(LB_REGION_BLOCKS / LB_CLUSTER_BLOCKS)	/* 2024 */
lb_static_assert(LB_BITS_WORDS * 64u == LB_REGION_BLOCKS && LB_BITS_CLUSTERS * LB_CLUSTER_BLOCKS == LB_REGION_BLOCKS);

struct lb_bits {
	u64 region;
	unsigned int size;			/* blocks within the pool */
	struct lb_list ring;			/* space->loaded_ring */
	struct lb_list dirty_link;		/* space->dirty or ->dirty_done, when saved */
	struct lb_list fresh_link;		/* space->fresh, when fresh */
	struct lb_bitmap_block *image;		/* what the commit under way would write, or the last one wrote */
	struct lb_bitmap_block *saved;		/* the durable image, while a commit changes it */
	u64 *live;
	u64 *fresh;				/* metadata blocks handed out in this commit; NULL: none */
	u64 avail[(LB_BITS_WORDS + 63) / 64];	/* words of live that are not full */
	u64 clusters[(LB_BITS_CLUSTERS + 63) / 64];	/* wholly free ones */
	unsigned int nclusters;			/* bits in clusters */
	unsigned int counted;			/* of them, in space->loaded_clusters */
	unsigned int diff;
	unsigned int image_free, saved_free;
	u32 new_csum;				/* of the block just written */
	bool touched;				/* since the unloading hand came by */
};

struct lb_bits *lb_bits_alloc(unsigned int how);	/* bitmaps uninitialised */
void lb_bits_free(struct lb_bits *b);
/* Image of a region without a bitmap: what is fixed, and what lies beyond its size. */
void lb_bits_virgin(struct lb_bits *b, const struct lb_fixed *f, unsigned int size);
/* live := image, and everything that is derived. */
void lb_bits_settle(struct lb_bits *b);
/* Recompute diff after the image was exchanged. */
void lb_bits_recount(struct lb_bits *b);

static inline u64 lb_word_mask(unsigned int word, unsigned int start, unsigned int end)
{
	unsigned int lo = word * 64u;
	u64 m = ~0ULL;

	if (start > lo)
		m &= ~0ULL << (start - lo);
	if (end < lo + 64u)
		m &= (1ULL << (end - lo)) - 1;
	return m;
}

bool lb_image_all(const struct lb_bitmap_block *image, unsigned int start, unsigned int len, bool set);
void lb_image_fill(struct lb_bitmap_block *image, unsigned int start, unsigned int len, bool set);
unsigned int lb_image_free(const struct lb_bitmap_block *image);
bool lb_bits_all_live(const struct lb_bits *b, unsigned int start, unsigned int len, bool set);
/* Change live and what is derived from it; returns how many blocks changed. */
unsigned int lb_bits_take(struct lb_bits *b, unsigned int start, unsigned int len);
unsigned int lb_bits_give(struct lb_bits *b, unsigned int start, unsigned int len);
/* Forget blocks of `fresh`. */
void lb_fresh_clear(struct lb_bits *b, unsigned int start, unsigned int len);

#define LB_BITS_NONE		LB_REGION_BLOCKS	/* "not found" */
unsigned int lb_bits_next_free(const struct lb_bits *b, unsigned int from);
unsigned int lb_bits_last_free(const struct lb_bits *b, unsigned int below);
unsigned int lb_bits_next_cluster(const struct lb_bits *b, unsigned int from);	/* first block of a free cluster at or behind `from` */
unsigned int lb_bits_last_cluster(const struct lb_bits *b, unsigned int below);	/* of the last one that lies before `below` */
unsigned int lb_bits_run(const struct lb_bits *b, unsigned int start, unsigned int want);	/* free blocks from start on, up to want */

/* ------------------------------------------------------------------ sets of regions */

#define LB_INDEX_LEVELS		4u	/* 64^4 regions: more than LB_POOL_MAX_BLOCKS has */

struct lb_index {
	u64 n;
	unsigned int levels;
	u64 *words[LB_INDEX_LEVELS];	/* [0]: the set; bit i of [l + 1]: word i of [l] is not zero */
};

int lb_index_init(struct lb_index *x, u64 n);	/* -ENOMEM */
void lb_index_copy(struct lb_index *to, const struct lb_index *from);	/* `to` is empty and at least as large */
void lb_index_free(struct lb_index *x);
void lb_index_set(struct lb_index *x, u64 i, bool on);
u64 lb_index_next(const struct lb_index *x, u64 from);	/* LB_NONE */

/* ------------------------------------------------------------------ regions */

/* What a region offers. Each class is a subset of the one before it in meaning, but has its own index; a region is in up to two. */
enum lb_class {
	LB_LOADED_CLUSTER,	/* loaded, with a wholly free cluster */
	LB_LOADED_FREE,		/* loaded, with a free block */
	LB_COLD_ROOMY,		/* not loaded, probably with many free clusters */
	LB_COLD_FREE,		/* not loaded, with a free block */
	LB_CLASSES
};
#define LB_KINDS		3u	/* LB_REGION_KIND_* */
#define LB_ROOMY_BLOCKS		2048u	/* never loaded: so many free blocks make a region roomy */
#define LB_ROOMY_CLUSTERS	64u	/* unloaded: so many free clusters */

struct lb_region {
	struct lb_bits *bits;		/* NULL: not loaded */
	u64 gen;			/* of the durable bitmap block, with csum and slot */
	u32 csum;
	u16 free;			/* not in live */
	u8 slot;
	u8 kind;
	u8 classes;			/* bit set of enum lb_class: the indexes of `kind` that hold it */
	bool bad;			/* its bitmap could not be read; not counted in space->free */
	bool roomy;			/* if cold */
};

struct lb_chunk {			/* of regions: those of one leaf of the region table */
	struct lb_region regions[LB_TABLE_ENTRIES];
};

struct lb_tblock {			/* of the region table */
	struct lb_ref ref;		/* durable; addr 0: absent */
	struct lb_ref staged;		/* what this commit writes, when dirty */
	bool dirty;
};

#define LB_STREAMS		2u	/* first and single copies; second copies */
struct lb_stream {			/* where metadata goes next: blocks [pos, end) of a region, ascending */
	u64 region;			/* LB_NONE: nowhere yet */
	unsigned int pos, end;
};

#define LB_SPLIT_REGIONS	8u	/* a smaller pool has no regions for metadata alone */
#define LB_LOADED_MAX		512u	/* more loaded bitmaps than this are unloaded if possible */
#define LB_PRELOAD_CLUSTERS	512u	/* fewer free clusters than this in memory: load more when it is possible */

struct lb_space {
	struct port_dev *dev;
	struct lb_fixed fixed;
	port_mutex_t load_mutex;
	port_spinlock_t lock;
	u64 total, regions;		/* as allocation knows them */
	u64 next_total, next_regions;	/* as the next commit will say */
	struct lb_chunk **chunks;
	u64 nchunks;
	struct lb_index index[LB_KINDS][LB_CLASSES];
	u64 free, charged, reserve, pending;
	struct lb_list loaded_ring;	/* first: at the unloading hand */
	u64 loaded, loaded_clusters;
	bool want_preload;
	struct lb_stream data;
	struct lb_stream meta[LB_STREAMS];
	/* the table and the commit: the committing thread's */
	unsigned int depth, next_depth;
	struct lb_tblock *table[LB_TABLE_MAX_DEPTH + 1];
	u64 table_room[LB_TABLE_MAX_DEPTH + 1];
	u64 table_blocks;		/* copies counted; with what this commit adds */
	u64 table_blocks_durable;
	u64 gen;			/* that commit_write writes */
	bool committing;
	bool written;			/* commit_write has succeeded */
	struct lb_list dirty, dirty_done;	/* saved regions: not yet, already accounted for in the table */
	struct lb_list fresh;
	struct lb_freed *freed;
};

/* Counters that are changed under the lock and read without. */
static inline void lb_count_add(u64 *p, s64 n) { WRITE_ONCE(*p, *p + (u64)n); }

static inline struct lb_region *lb_region_get(struct lb_space *s, u64 r)
{
	return &s->chunks[r / LB_TABLE_ENTRIES]->regions[r % LB_TABLE_ENTRIES];
}

/* The bitmap slot that a commit writes: the one that does not count now. */
static inline u8 lb_region_new_slot(const struct lb_region *reg) { return reg->slot == 0 ? 1 : 0; }

static inline u64 lb_region_first(u64 r) { return r * LB_REGION_BLOCKS; }

/* Free blocks of a region without anything in it. */
unsigned int lb_region_virgin_free(const struct lb_fixed *f, u64 total, u64 r);
/* After any change of kind, free or bits: put it into the right indexes. Lock held. */
void lb_region_classify(struct lb_space *s, u64 r);
/* A region whose `free` is set is there for allocation from now on. Lock held. */
void lb_region_open(struct lb_space *s, u64 r);
/* lb_region_classify() with a new kind. */
void lb_region_claim(struct lb_space *s, u64 r, unsigned int kind);
/* Is [pblk, + count) within one region, and clear of fixed blocks? The region and the offset; else -EUCLEAN. */
int lb_region_locate(struct lb_space *s, u64 pblk, u64 count, u64 *r, unsigned int *start);
/* Load if need be, then call fn with the lock held; its result, or why loading failed. Sleeps. */
typedef int (*lb_region_fn)(struct lb_space *s, struct lb_region *reg, void *arg);
int lb_region_with(struct lb_space *s, u64 r, lb_region_fn fn, void *arg);
int lb_region_load(struct lb_space *s, u64 r);
/* A region without a bitmap on disk, without sleeping: 0 or -EAGAIN. */
int lb_region_load_virgin(struct lb_space *s, u64 r);
/* The next region of a kind and class, from `from` on and round, but not `avoid`. Lock held. LB_NONE. */
u64 lb_region_find(struct lb_space *s, unsigned int kind, enum lb_class class, u64 from, u64 avoid);
/* Read and verify region r's bitmap as `reg` says into a block. *why on -EUCLEAN. */
int lb_region_read(struct lb_space *s, u64 r, const struct lb_region *reg, struct lb_bitmap_block *buf, const char **why);
/* Blocks have left, come back to live: all counters. Lock held, region loaded. */
void lb_region_take(struct lb_space *s, struct lb_region *reg, unsigned int start, unsigned int len);
void lb_region_give(struct lb_space *s, struct lb_region *reg, unsigned int start, unsigned int len);
/* Once past every loaded region, while there are too many: unload what can go. Sleeps. */
void lb_region_trim(struct lb_space *s);
void lb_region_unload_all(struct lb_space *s);

/* ------------------------------------------------------------------ table */

int lb_table_open(struct lb_space *s, const struct lb_ref *root, u64 gen);
int lb_table_make_room(struct lb_space *s, u64 regions);
/* Region r's entry changes: relocate its path. */
int lb_table_touch(struct lb_space *s, u64 r);
/* The root's path exists at the new depth. */
int lb_table_deepen(struct lb_space *s);
int lb_table_write(struct lb_space *s, u64 gen, struct port_batch *batch);
struct lb_ref lb_table_root(struct lb_space *s);	/* with what this commit changes */
void lb_table_done(struct lb_space *s);
void lb_table_abort(struct lb_space *s);
void lb_table_free(struct lb_space *s);

/* ------------------------------------------------------------------ growth: a commit's part of it (space_grow.c) */

/* Room in memory for so many regions and their table. The caller is alone with the table, or nobody knows the space yet. */
int lb_space_make_room(struct lb_space *s, u64 regions);
/* The last region, if it gets larger: its image without the old end. */
int lb_space_grow_stage(struct lb_space *s);
/* The commit is durable: allocation sees the new blocks. */
void lb_space_grow_done(struct lb_space *s);

/* Save the durable image of a region that a commit is about to change. Sleeps. */
int lb_image_save(struct lb_space *s, u64 r);

/* ------------------------------------------------------------------ freed runs */

struct lb_freed *lb_freed_alloc(void);
int lb_freed_reserve(struct lb_freed *f);	/* the next lb_freed_add() will not fail. -ENOMEM */
void lb_freed_add(struct lb_freed *f, u64 pblk, u64 count);
void lb_freed_free(struct lb_freed *f);

#endif /* LB_SPACE_PRIV_H */
