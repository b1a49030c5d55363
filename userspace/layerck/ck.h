/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The checker's inside: one judging of one pool (struct ck), and the calls between its files.
 *
 * The order of a look: superblock (superblock.c), journal read into memory (journal.c), region table and bitmaps
 * (bitmaps.c), the catalog's tree (cattree.c) and what its items say (catalog.c, volumes.c), every volume's map,
 * parents first (mapwalk.c), bitmaps against what was reached, counters, and last what the journal would make of
 * all this (replay.c). Damage is never followed: a node that fails a test is not descended.
 */
#ifndef LAYERCK_CK_H
#define LAYERCK_CK_H

#include "blockset.h"
#include "check.h"
#include "ref.h"

enum ck_id {
#define FINDING(id, severity, name, mend, what) LBCK_##name = id,
#include "findings.def"
#undef FINDING
};
#define CK_ID_END	1000u

/* ------------------------------------------------------------------ volumes */

struct ck_vol {
	u64 id;
	bool has_vol, has_map;
	/* V record */
	u64 size, quota, frozen, created;
	u32 state;
	char *name;
	u32 name_len;
	/* M record */
	struct lb_ref root;
	u64 parent_id, origin, low_origin, cursor, free_cursor;
	s64 owned;
	u64 nodes;
	struct lb_map_record map;	/* as read, for a repair */
	/* found out */
	struct ck_vol *parent;
	struct ck_vol *heir;		/* the child this deleted volume is being collapsed into */
	u64 children;
	u32 depth;
	bool cut;			/* it or an ancestor is in the middle of a collapse */
	bool usable;			/* records complete and consistent: its tree can be walked */
	u64 found_owned, found_nodes;
	bool whole;			/* all of its tree was walked or known: found_nodes counts */
};

struct ck_pair {
	u64 a, b;			/* parent, child */
};

struct ck_name {
	char *name;
	u32 len;
	u64 id;
};

/* All that the catalog's items say, in one state of the pool: the committed one, or that after replay. */
struct ck_catalog {
	struct ck *ck;
	const char *when;		/* "" or " (after replay)" */
	bool committed;
	struct ck_vol *vols;		/* ascending id */
	size_t vol_count, vol_room;
	struct ck_vol **by_depth;	/* parents before children */
	struct ck_name *names;
	size_t name_count, name_room;
	struct ck_pair *children;
	size_t child_count, child_room;
	u64 *attr_vols;			/* distinct ids that have attributes */
	size_t attr_count, attr_room;
	/* the attribute being read */
	u8 attr_key[LB_CAT_KEY_MAX];
	u32 attr_key_len;
	u32 attr_total, attr_got, attr_next;
	bool attr_open;
};

int ck_catalog_item(struct ck_catalog *cat, const u8 *key, u32 key_len, const u8 *value, u32 value_len);
/* After the last item: all that concerns more than one of them. */
int ck_catalog_finish(struct ck_catalog *cat);
void ck_catalog_free(struct ck_catalog *cat);
struct ck_vol *ck_catalog_vol(const struct ck_catalog *cat, u64 id);

/* ------------------------------------------------------------------ journal */

struct ck_entry {
	u64 gen, seq;			/* seq: number among the live entries */
	bool map, remove, cut;
	u64 volume, lblk, pblk, len;	/* map */
	u64 snapshot;			/* cut: of `volume` */
	u32 key_len, value_len;		/* catalog */
	u8 *key;			/* key, then value; NULL for a map entry and a cut */
};

struct ck_journal {
	struct ck_entry *entries;	/* those with a generation beyond the superblock's, in order */
	size_t count, room;
	u64 records, all_entries;
	/* for a dump, may be NULL: every intact record, then its entries */
	void (*on_record)(void *arg, u64 block, const struct lb_record_header *h);
	void (*on_entry)(void *arg, const struct lb_entry_header *h, const u8 *entry);
	void *on_arg;
};

/* ------------------------------------------------------------------ repairs */

struct ck_copy_fix {
	u64 good, bad;			/* blocks: the intact copy and the one to rewrite */
	u32 magic;
};

struct ck_edit {
	u8 *key, *value;		/* value NULL: delete */
	u32 key_len, value_len;
};

struct ck_fixes {
	struct ck_copy_fix *copies;
	size_t copy_count, copy_room;
	struct ck_edit *edits;		/* of the catalog */
	size_t edit_count, edit_room;
	u64 *attr_vols;			/* volumes that are none: their attributes are to go */
	size_t attr_count, attr_room;
	bool super_copies;		/* write both copies of the chosen superblock again */
	bool space;			/* bitmaps and region table are to be made from the trees */
	bool counters;			/* the superblock's counters */
};

/* ------------------------------------------------------------------ one look */

struct ck_region {			/* what the region table says */
	u64 gen;
	u32 csum;
	u16 free;
	u8 slot, kind;
	bool known;			/* the table block could be read */
	bool bitmap_ok, tail_bad;
};

struct ck_twice {
	u64 block;
	char user[2][128];
	unsigned int users;
};
#define CK_TWICE_NAMED	16u

struct ck_cache;
struct ck_memo;

struct ck {
	struct port_dev *dev;
	const struct lbck_opts *opts;
	lbck_report report;
	void *report_arg;
	struct lbck_summary *sum;
	bool second;			/* the look after a repair */
	u64 told[CK_ID_END];

	struct lb_super *sb;		/* the chosen superblock */
	u64 gen, total;

	struct blockset used;		/* all that is reachable, and the fixed blocks */
	struct blockset lost;		/* what the readable bitmaps say: a repair must not trust an incomplete walk */
	u64 *pool_blocks;		/* of these, the region table's blocks, then the catalog's nodes */
	size_t pool_block_count, pool_block_room, table_block_count;
	u64 data_blocks, meta_blocks;
	struct blockset named;		/* by the journal, or in use until a repair is done: it must not write there */
	u64 fresh_near, fresh_far;	/* where to look for a free block */
	/* Something could not be walked or believed: what is not in `used` may be in use all the same. */
	bool incomplete;
	bool catalog_partial;		/* items could not be read: that one is not there means nothing */
	bool no_memory;			/* a look-up that cannot say so ran out of it */
	struct ck_twice twice[CK_TWICE_NAMED];
	size_t twice_count;
	struct blockset multi;		/* all of them */
	u64 *hurt;			/* volumes told of, but for what can be repaired; not distinct */
	size_t hurt_count, hurt_room;
	const struct blockset *keep_off[2];	/* for ck_fresh_block(): nor these */
	bool searching;			/* walking again to name the users of twice[] */

	struct ck_region *regions;
	u64 catalog_nodes, catalog_skipped;	/* skipped: could not be used, nor what is below them */
	struct ck_catalog cat;
	struct ck_journal journal;
	struct ck_cache *cache;
	struct ck_memo *memo;
	struct ck_fixes fixes;
};

/* All was walked, and no block was met twice: what was counted is what there is. */
static inline bool ck_settled(const struct ck *ck)
{
	return !ck->incomplete && !ck->twice_count;
}

/* check.c: a look at all that the format promises */
int ck_look(struct ck *ck);
bool ck_anything_to_fix(const struct ck_fixes *f);
/* memory for a look; ck->dev, opts, sum are the caller's. ck_end() after a failed ck_begin(), too. */
int ck_begin(struct ck *ck);
void ck_end(struct ck *ck);

/* findings.c */
struct ck_where {
	u64 block, volume;
	bool repairable;
};
#define CK_AT(b)	((struct ck_where){ .block = (b) })
#define CK_VOL(v)	((struct ck_where){ .volume = (v) })
#define CK_VOL_AT(v, b)	((struct ck_where){ .volume = (v), .block = (b) })
#define CK_NOWHERE	((struct ck_where){ 0 })
void ck_tell(struct ck *ck, enum ck_id id, struct ck_where where, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void ck_make_plain(char *text);		/* control characters out of it: names come from the disk */
const char *ck_vol_text(const struct ck_vol *v, char *buf, size_t size);	/* `volume 7 "web1"` */

/* memory.c */
int ck_grow(void *array, size_t *room, size_t count, size_t item);	/* array: T **; room for one more; -ENOMEM */
int ck_fix_copy(struct ck *ck, u64 good, u64 bad, u32 magic);
int ck_fix_put(struct ck *ck, const u8 *key, u32 key_len, const void *value, u32 value_len);
int ck_fix_delete(struct ck *ck, const u8 *key, u32 key_len);
int ck_fix_attrs(struct ck *ck, u64 vol);
void ck_fixes_free(struct ck_fixes *f);

/* superblock.c: chooses and judges. 0 with ck->sb set; 1 none to judge by (told); or the errors of lbck_check() */
int ck_super(struct ck *ck);
/* Both copies of ck->sb, primary first. */
int ck_super_write(struct ck *ck);

/* bitmaps.c */
int ck_table(struct ck *ck);		/* region table: claims its blocks, fills ck->regions */
int ck_bitmaps(struct ck *ck);		/* every bitmap against ck->used */
bool ck_fixed(const struct ck *ck, u64 block);
/* Is the node as full as one that is not the last of its level is written? */
bool ck_full_enough(const struct lb_node *n, u8 kind);

/* claims.c: a block is in use */
enum ck_use { CK_USE_DATA, CK_USE_META };
/* who and place describe the user: volume id (0: the pool), a word, and a number. 0, 1 told a finding, -ENOMEM. */
int ck_claim(struct ck *ck, u64 block, u64 count, enum ck_use use, u64 volume, const char *what, u64 place);
int ck_claim_fixed(struct ck *ck);
int ck_tell_twice(struct ck *ck);	/* names the users of blocks used twice, by walking again */

/* node.c */
static inline bool ck_ref_same(const struct lb_ref *a, const struct lb_ref *b)
{
	return a->addr == b->addr && a->addr2 == b->addr2 && a->gen == b->gen && a->csum == b->csum &&
	       a->level == b->level;
}

struct ck_load {
	bool good[2];			/* copies that are as the pointer says */
	const char *why[2];		/* of a bad one */
};
/* Read what ref points at into buf from the first good copy. both: look at the second one too. 0, -EUCLEAN, -ENOMEM. */
int ck_load(struct ck *ck, const struct lb_ref *ref, u32 magic, void *buf, bool both, struct ck_load *load);
/* Is what a node holds well-formed? The finding's id and *why, or 0. */
unsigned int ck_node_form(const struct lb_node *node, u8 kind, u8 level, const char **why);
/*
 * A node for looking something up: from the cache, or read, judged silently and cached. NULL: it is bad. Valid
 * until the next call.
 */
const struct lb_node *ck_node(struct ck *ck, const struct lb_ref *ref, u8 kind);
/* Load a node that was claimed, tell all that is wrong with it. 0 usable, 1 not, -ENOMEM. */
struct ck_above {			/* what its parent node says */
	u64 gen;			/* the parent node's, or the superblock's */
	u8 level;			/* expected, LB_TREE_MAX_LEVEL + 1: any (a root) */
	bool root, rightmost;
};
int ck_node_judge(struct ck *ck, const struct lb_ref *ref, u8 kind, u64 volume, const struct ck_above *above,
		  struct lb_node *buf);
struct ck_cache *ck_cache_alloc(void);
void ck_cache_free(struct ck_cache *c);

struct ck_extent {
	u64 lblk, count, pblk, birth;
};
struct ck_extent ck_extent(const struct lb_node *leaf, unsigned int i);
struct ck_item {
	const u8 *key, *value;
	u32 key_len, value_len;
};
struct ck_item ck_item(const struct lb_node *node, unsigned int i);
int ck_key_cmp(const u8 *a, u32 a_len, const u8 *b, u32 b_len);

/* memo.c: number of nodes in the subtree under a node */
struct ck_memo *ck_memo_alloc(void);
void ck_memo_free(struct ck_memo *m);
int ck_memo_put(struct ck_memo *m, u64 addr, u64 nodes);
u64 ck_memo_get(const struct ck_memo *m, u64 addr);	/* 0: not known */

/*
 * cattree.c: every item of the committed catalog in order. judge: claim and tell. each() returns 0 or a negative
 * errno. Without judge, -EIO or -ENOMEM when it is not the same nodes as then that cannot be used.
 */
typedef int (*ck_each_item)(void *arg, const u8 *key, u32 key_len, const u8 *value, u32 value_len);
int ck_catalog_walk(struct ck *ck, bool judge, ck_each_item each, void *arg);

/* volumes.c: what volumes' records say about each other */
int ck_volumes_judge(struct ck_catalog *cat);
int ck_counters_judge(struct ck *ck);

/* mapwalk.c: all maps, parents first */
int ck_maps(struct ck *ck);

/* maplookup.c: looking things up in a volume's tree */
struct ck_held {
	bool found;
	u64 lo, hi;			/* the node's bounds there */
};
/* Does a look-up of key in v's tree pass the node `addr` at `level`? Reads nothing that v has given up. */
struct ck_held ck_map_holds(struct ck *ck, const struct ck_vol *v, u64 key, u8 level, u64 addr);
/* The mapping at lblk: 1 with *e clipped to begin there, 0 a hole, -EUCLEAN. */
int ck_map_lookup(struct ck *ck, const struct ck_vol *v, u64 lblk, struct ck_extent *e);
/* The end of the last extent under ref; 0 when it cannot be read. */
u64 ck_map_end(struct ck *ck, const struct lb_ref *ref);
/* The first extent's key under ref; ~0 when it cannot be read. */
u64 ck_map_first(struct ck *ck, const struct lb_ref *ref);
static inline u64 ck_origin_at(const struct ck_vol *v, u64 lblk)
{
	return lblk < v->cursor ? v->low_origin : v->origin;
}

/* journal.c, replay.c */
int ck_journal_read(struct ck *ck);
int ck_replay_judge(struct ck *ck);
void ck_journal_free(struct ck_journal *j);

/*
 * repair.c: writes what the fixes say. 1 something was written, 0 nothing, or an error, with nothing that counts
 * changed.
 */
int ck_repair(struct ck *ck);
/*
 * A block that neither the trees, nor the bitmaps, nor ck->named have; it is in ck->used from now on. far: not near
 * the last ones. -ENOSPC, -ENOMEM
 */
int ck_fresh_block(struct ck *ck, bool far, u64 *block);
int ck_name_blocks(struct ck *ck);	/* ck->named: what the journal names. Once, before the first ck_fresh_block() */
/* Give a new metadata block two places, seal it and write both copies; *ptr is what points at it. */
int ck_write_pair(struct ck *ck, void *buf, u32 magic, u8 level, struct lb_ptr *ptr);
/* rebuild.c: a new catalog tree with the edits in it */
int ck_rebuild_catalog(struct ck *ck, struct lb_ptr *root, u64 *nodes);
/* A new catalog tree of these items: next() gives them in ascending order, 1, until there is none, 0. */
int ck_build_catalog(struct ck *ck, int (*next)(void *arg, struct ck_item *item), void *arg, struct lb_ptr *root,
		     u64 *nodes);
/*
 * respace.c: new bitmaps and a new region table that say ck->used; *blocks: how many the table takes. Sets the
 * superblock's region_depth.
 */
int ck_rebuild_space(struct ck *ck, struct lb_ptr *root, u64 *blocks);

#endif /* LAYERCK_CK_H */
