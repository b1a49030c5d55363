/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changing a closed pool behind the engine's back, in such a way that only what is meant is wrong: whatever repeats
 * the checksum of a changed block (both copies of it, the pointers up to the superblock, the superblock's copies)
 * is changed along. Everything fails the running cmocka test when it goes wrong. Durable at once, without any
 * device I/O: for simulated disks only.
 */
#ifndef TEST_DAMAGE_H
#define TEST_DAMAGE_H

#include "ref.h"
#include "support.h"

struct damage {
	struct port_dev *dev;
	struct lb_super sb;		/* the newest one */
};

void damage_begin(struct damage *d, struct port_dev *dev);

/* ------------------------------------------------------------------ superblocks */

/* Where copy `side` (0 primary, 1 mirror) of the slot of this generation lies. */
u64 damage_super_place(const struct damage *d, u64 gen, unsigned int side);
/* Write d->sb, both copies. */
void damage_super_put(struct damage *d);
/* Flip a byte in a block. */
void damage_flip(struct port_dev *dev, u64 block, unsigned int at);

/* ------------------------------------------------------------------ space */

/* The region table of a pool that needs one block for it. */
struct lb_ref damage_table_ref(const struct damage *d);
void damage_table(struct damage *d, void (*change)(struct lb_table_block *t, struct lb_ref *ref));
struct lb_region_entry damage_region(const struct damage *d, u64 region);
/* Set or clear bits of a region's bitmap. count_too: the table's count of free blocks follows. */
void damage_bits(struct damage *d, u64 region, u32 first, u32 count, bool set, bool count_too);

/* ------------------------------------------------------------------ the catalog */

#define DAMAGE_KEY	LB_CAT_KEY_MAX
/* Keys: each returns the length. */
u32 damage_key_id(u8 *key, u8 kind, u64 id);
u32 damage_key_child(u8 *key, u64 parent, u64 child);
u32 damage_key_name(u8 *key, const char *name);
u32 damage_key_attr(u8 *key, u64 id, const char *attr, u32 chunk);

bool damage_get(const struct damage *d, const u8 *key, u32 key_len, u8 *value, u32 *value_len);
/* Insert or replace; the leaf must have room. */
void damage_put(struct damage *d, const u8 *key, u32 key_len, const void *value, u32 value_len);
void damage_delete(struct damage *d, const u8 *key, u32 key_len);

/* A volume's records, read and written back. */
struct lb_map_record damage_map_get(const struct damage *d, u64 vol);
void damage_map_put(struct damage *d, u64 vol, const struct lb_map_record *m);
/* name: room for LB_CAT_VALUE_MAX bytes; terminated. */
struct lb_vol_record damage_vol_get(const struct damage *d, u64 vol, char *name);
void damage_vol_put(struct damage *d, u64 vol, const struct lb_vol_record *v, const char *name, u32 name_len);

/* The catalog node on the way to a key at a level. change() may alter the node and the pointer to it. */
typedef void (*damage_node_fn)(struct lb_node *n, struct lb_ref *ref);
void damage_cat_node(struct damage *d, const u8 *key, u32 key_len, unsigned int level, damage_node_fn change);
struct lb_ref damage_cat_ref(const struct damage *d, const u8 *key, u32 key_len, unsigned int level);

/* ------------------------------------------------------------------ maps */

/* A map's root: -1; else that child of the root. */
#define DAMAGE_ROOT	(-1)
struct lb_ref damage_map_ref(const struct damage *d, u64 vol, int child);
void damage_map_node(struct damage *d, u64 vol, int child, damage_node_fn change);
void damage_map_read(const struct damage *d, u64 vol, int child, struct lb_node *n);

/* ------------------------------------------------------------------ the journal */

/* Another record behind those that are there. bytes: as the header is to say; blocks that hold them. */
void damage_record(struct damage *d, const void *entries, u32 bytes, u32 flags);

struct lb_map_entry damage_map_entry(u64 gen, u64 volume, u64 lblk, u64 pblk, u64 len);
/* A catalog entry appended to buf; returns its length. value NULL: a deletion. */
u32 damage_cat_entry(u8 *buf, u64 gen, const u8 *key, u32 key_len, const void *value, u32 value_len);

#endif /* TEST_DAMAGE_H */
