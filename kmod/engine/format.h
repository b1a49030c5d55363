/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The on-disk format: the one place that says what a byte on the pool device means. docs/format.md describes it in prose.
 *
 * Everything is little endian. The device is an array of 4 KiB blocks. Nothing here depends on the port.
 *
 *   region 0                                     region 1 ...
 *   +--+--+--+--+---------+-----+--+--+------    +--+--+-------
 *   |S0|S1|B0|B1| journal | ... |M0|M1| ...      |B0|B1| ...
 *   +--+--+--+--+---------+-----+--+--+------    +--+--+-------
 *
 *   S0 S1   the superblock slots: generation g is in slot g & 1
 *   M0 M1   their mirrors, at super.mirror_block
 *   B0 B1   a region's two bitmap slots; the region table says which one counts
 *
 * Invariants of a committed image (layerck proves them):
 *   - a bit in the bitmaps is set if and only if its block is reachable from the superblock, or is fixed;
 *   - every pointer repeats the generation and the checksum of its target;
 *   - a block has one logical address in one volume's history: it never moves within or between volumes;
 *   - a map node or extent with birth > origin belongs to the volume, any other to an ancestor.
 */
#ifndef LB_FORMAT_H
#define LB_FORMAT_H

#include "port_types.h"

#define LB_BLOCK_SHIFT		12
#define LB_BLOCK_BYTES		4096u
#define LB_FORMAT_VERSION	1

/* ------------------------------------------------------------------ common header of every metadata block */

#define LB_MAGIC_SUPER		0x4b4c424cu	/* "LBLK" */
#define LB_MAGIC_NODE		0x444e424cu	/* "LBND" */
#define LB_MAGIC_BITMAP		0x4d42424cu	/* "LBBM" */
#define LB_MAGIC_TABLE		0x5452424cu	/* "LBRT" */
#define LB_MAGIC_JOURNAL	0x524a424cu	/* "LBJR" */

/*
 * csum is the CRC-32C of the whole block with csum and self taken as zero (so that the two copies of a block have one
 * checksum); self is compared with the address it was read from.
 */
struct lb_block_header {
	__le32 magic;
	__le32 csum;
	__le64 self;		/* block number */
	__le64 gen;		/* generation of the commit that wrote it: its birth */
	__le64 owner;		/* volume id, 0 for the pool's own tables */
	__u8 kind;		/* LB_TREE_* for a node, depth for a region table block, else 0 */
	__u8 level;		/* of a node: 0 is a leaf */
	__le16 count;		/* of a node: items; of a table: used entries */
	__le16 used;		/* of a node: bytes of items */
	__le16 pad;
	__le64 pad2;
};
lb_static_assert(sizeof(struct lb_block_header) == 48);

#define LB_PAYLOAD_BYTES	(LB_BLOCK_BYTES - 48u)	/* 4048 */

/* A pointer to a metadata block. addr 0 is "none". addr2 is the second copy, 0 when there is one copy only. */
struct lb_ptr {
	__le64 addr;
	__le64 addr2;
	__le64 gen;
	__le32 csum;
	__u8 level;
	__u8 pad[3];
};
lb_static_assert(sizeof(struct lb_ptr) == 32);

/* ------------------------------------------------------------------ regions, bitmaps, region table */

#define LB_REGION_BLOCKS	32384u		/* LB_PAYLOAD_BYTES * 8: one bitmap block describes one region (126.5 MiB) */
lb_static_assert(LB_REGION_BLOCKS == LB_PAYLOAD_BYTES * 8u && LB_REGION_BLOCKS % 64 == 0);

#define LB_SUPER_BLOCK		0u		/* and 1 */
#define LB_SUPER_SLOTS		2u
#define LB_MIRROR_BLOCK_LARGE	16384u		/* and 16385, when the pool was made with at least 2 * this many blocks */
#define LB_MIRROR_BLOCK_SMALL	4096u
#define LB_JOURNAL_BLOCK	4u		/* the journal's first block */
#define LB_JOURNAL_MIN_BLOCKS	512u
#define LB_JOURNAL_MAX_BLOCKS	8192u
#define LB_POOL_MIN_BLOCKS	8192u		/* 32 MiB */
#define LB_POOL_MAX_BLOCKS	(1ULL << 36)	/* 256 TiB: what a region table of three levels can hold */

/* Block of bitmap slot `slot` (0 or 1) of region `r`. The two are always allocated. */
#define LB_BITMAP_BLOCK(r, slot) ((u64)(r) * LB_REGION_BLOCKS + ((r) == 0 ? LB_SUPER_SLOTS : 0u) + (slot))

/* Bit i (byte i / 8, bit i % 8 of the payload) is set when block r * LB_REGION_BLOCKS + i is in use, or beyond the pool's end. */
struct lb_bitmap_block {
	struct lb_block_header header;
	__u8 bits[LB_PAYLOAD_BYTES];
};
lb_static_assert(sizeof(struct lb_bitmap_block) == LB_BLOCK_BYTES);

#define LB_REGION_NO_SLOT	0xffu		/* no bitmap written yet: all is free but the fixed blocks */
#define LB_REGION_KIND_NONE	0u
#define LB_REGION_KIND_DATA	1u
#define LB_REGION_KIND_META	2u

struct lb_region_entry {
	__le64 gen;		/* of the bitmap block */
	__le32 csum;		/* of the bitmap block */
	__le16 free;		/* clear bits */
	__u8 slot;		/* 0, 1 or LB_REGION_NO_SLOT */
	__u8 kind;		/* LB_REGION_KIND_*: what allocation puts there; a hint */
};
lb_static_assert(sizeof(struct lb_region_entry) == 16);

/*
 * The region table is a radix tree of fixed shape under super.region_root: a block of depth 0 holds LB_TABLE_ENTRIES region
 * entries, one of depth d > 0 holds LB_TABLE_FANOUT pointers. super.region_depth is the root's depth. An absent pointer
 * (addr 0) stands for regions without a bitmap. Each block has two copies. header.kind is the depth, header.owner 0;
 * pad2 is the index of the block within its depth.
 */
#define LB_TABLE_ENTRIES	253u
#define LB_TABLE_FANOUT		126u
#define LB_TABLE_MAX_DEPTH	2u

struct lb_table_block {
	struct lb_block_header header;
	union {
		struct lb_region_entry entries[LB_TABLE_ENTRIES];
		struct lb_ptr ptrs[LB_TABLE_FANOUT];
		__u8 bytes[LB_PAYLOAD_BYTES];
	};
};
lb_static_assert(sizeof(struct lb_table_block) == LB_BLOCK_BYTES);

/* ------------------------------------------------------------------ superblock */

/* Features: a reader that does not know an incompat bit refuses; a ro_compat bit, opens read-only; a compat bit, goes on. */
#define LB_COMPAT_KNOWN		0ULL
#define LB_RO_COMPAT_KNOWN	0ULL
#define LB_INCOMPAT_KNOWN	0ULL

#define LB_SUPER_QUEUE_NOSPC	(1u << 0)	/* policy when full: wait */

struct lb_super {
	struct lb_block_header header;	/* gen: the commit's; self: where this copy lies */
	__u8 magic[16];			/* LB_SUPER_MAGIC: what blkid and people look for, at byte 48 */
	__le32 version;			/* LB_FORMAT_VERSION */
	__le32 block_size;		/* LB_BLOCK_BYTES */
	__u8 uuid[16];
	__le64 compat;
	__le64 ro_compat;
	__le64 incompat;
	__le64 created;			/* seconds since 1970 */
	__le64 total_blocks;
	__le64 mirror_block;
	__le64 journal_block;
	__le64 journal_blocks;
	/* where replay starts: the first record that can hold what this superblock does not */
	__le64 journal_epoch;
	__le64 journal_pos;		/* block offset in the ring */
	__le64 journal_seq;		/* sequence number of the record at journal_pos */
	__le32 journal_prev;		/* checksum of the record before it */
	__le32 region_depth;
	struct lb_ptr region_root;
	struct lb_ptr catalog_root;
	__le64 catalog_nodes;		/* nodes of the catalog, a pair of copies counted once */
	__le64 next_volume;		/* the smallest id never given */
	__le64 data_blocks;		/* mapped by any volume, hidden ones too, each once */
	__le64 meta_blocks;		/* allocated otherwise: nodes and tables, each copy, and the fixed blocks */
	/* policy */
	__le32 flags;			/* LB_SUPER_QUEUE_NOSPC */
	__le32 commit_interval_ms;
	__le64 nospc_timeout_ms;
	__le64 low_water_blocks;
	__u8 reserved[LB_BLOCK_BYTES - 48 - 16 - 8 - 16 - 64 - 24 - 8 - 64 - 32 - 8 - 16];
};
lb_static_assert(sizeof(struct lb_super) == LB_BLOCK_BYTES);
#define LB_SUPER_MAGIC		"layerblk pool\0\0\0"

/* ------------------------------------------------------------------ tree nodes */

/*
 * One kind of node serves two kinds of tree. The items of a node are sorted, their keys distinct.
 *
 *   LB_TREE_MAP      a volume's map. Leaves: struct lb_extent[count]. Above: struct lb_map_child[count].
 *                    The root has two copies. header.owner is the volume that wrote the node.
 *   LB_TREE_CATALOG  the pool's catalog. count offsets (__le16, from the start of the payload, ascending keys), then, packed from the
 *                    payload's end downwards, the items: struct lb_item, key, value. Item 0 ends at the payload's end, item i where item i - 1 begins.
 *                    Above the leaves a value is a struct lb_ptr.
 *                    Every node has two copies. `used` counts offsets and items.
 *
 * A child's key is a lower bound of the keys beneath it, and the next child's key an upper bound (exclusive). An extent never crosses a
 * bound. Below the first child's key there is nothing. Every node holds at least one item; all but the rightmost of each level
 * are at least half full when written (a third, in the catalog). The root is a leaf or has at least two children. Nothing in a node
 * is younger than the node: no birth, no generation of a child, is greater than its own.
 */
#define LB_TREE_MAP		1u
#define LB_TREE_CATALOG		2u
#define LB_TREE_MAX_LEVEL	11u

#define LB_LBLK_BITS		48
#define LB_LBLK_MAX		((1ULL << LB_LBLK_BITS) - 1)
#define LB_EXTENT_MAX_BLOCKS	65535u

struct lb_extent {
	__le64 lblk_len;		/* bits 0-47 logical block, 48-63 length in blocks, at least 1 */
	__le64 pblk;			/* physical block */
	__le64 birth;			/* generation */
};
lb_static_assert(sizeof(struct lb_extent) == 24);

struct lb_map_child {
	__le64 lblk;
	struct lb_ptr ptr;
};
lb_static_assert(sizeof(struct lb_map_child) == 40);

#define LB_MAP_LEAF_MAX		(LB_PAYLOAD_BYTES / 24u)	/* 168 */
#define LB_MAP_NODE_MAX		(LB_PAYLOAD_BYTES / 40u)	/* 101 */

struct lb_item {
	__le16 key_len;
	__le16 value_len;
	/* key bytes, value bytes */
};
lb_static_assert(sizeof(struct lb_item) == 4);

#define LB_CAT_KEY_MAX		272u		/* 1 + 8 + 255 + 4, rounded up */
#define LB_CAT_VALUE_MAX	1024u
/* An item with its offset: at most 1,302 bytes, so that a node holds at least three. */

struct lb_node {
	struct lb_block_header header;
	union {
		struct lb_extent extents[LB_MAP_LEAF_MAX];
		struct lb_map_child children[LB_MAP_NODE_MAX];
		__le16 offsets[LB_PAYLOAD_BYTES / 2];
		__u8 bytes[LB_PAYLOAD_BYTES];
	};
};
lb_static_assert(sizeof(struct lb_node) == LB_BLOCK_BYTES);

/* ------------------------------------------------------------------ catalog keys and values */

/*
 * Keys are compared bytewise; numbers in keys are big endian, so that they sort.
 *
 *   'A' id(8) key chunk(4)   attribute of volume id (0: the pool), cut in chunks of LB_CAT_VALUE_MAX; chunk 0 begins with
 *                            a struct lb_attr_head. The key is followed by one zero byte, then the chunk number.
 *   'C' parent(8) child(8)   the children of a volume (parent 0: volumes without one); no value
 *   'M' id(8)                struct lb_map_record: changed by commits only, but for its creation
 *   'N' name                 struct lb_name_record
 *   'V' id(8)                struct lb_vol_record and the name: changed by requests
 */
#define LB_KEY_ATTR		'A'
#define LB_KEY_CHILD		'C'
#define LB_KEY_MAP		'M'
#define LB_KEY_NAME		'N'
#define LB_KEY_VOL		'V'

struct lb_attr_head {
	__le32 total_len;		/* of the value */
};

struct lb_name_record {
	__le64 id;
};

#define LB_VOL_LIVE		0u
#define LB_VOL_DELETED		1u		/* nameless; waits for its children, for its collapse, or is being freed */

struct lb_vol_record {
	__le64 id;
	__le64 size_blocks;
	__le64 quota_blocks;		/* 0: none */
	__le64 frozen;			/* generation in which it was frozen, 0: writable */
	__le64 created;			/* seconds since 1970 */
	__le32 state;			/* LB_VOL_LIVE or LB_VOL_DELETED */
	__le16 name_len;		/* the name follows; 0 when deleted */
	__le16 pad;
	__le64 reserved[2];
};
lb_static_assert(sizeof(struct lb_vol_record) == 64);

/*
 * A key (logical block) below `cursor` has its origin in low_origin, any other in `origin`: while a deleted parent is collapsed into
 * this volume, step by step, cursor moves from 0 to the end; then parent and origin become the parent's, and cursor 0.
 * While this volume is deleted and being freed, everything below free_cursor is freed already, nodes that lie wholly below it too.
 */
struct lb_map_record {
	struct lb_ptr root;		/* addr 0: nothing mapped */
	__le64 parent;			/* 0: none */
	__le64 origin;			/* the parent's `frozen`, 0 without a parent */
	__le64 low_origin;
	__le64 cursor;
	__le64 free_cursor;
	__le64 owned;			/* data blocks owned; signed: mid-collapse it can be below zero until the parent's are added */
	__le64 nodes;			/* nodes in the tree, shared ones included (bounds the space a commit can need) */
	__le64 reserved[2];
};
lb_static_assert(sizeof(struct lb_map_record) == 104);

/* ------------------------------------------------------------------ journal */

/*
 * A ring of journal_blocks blocks. A record is 1 to LB_RECORD_MAX_BLOCKS consecutive blocks and does not wrap: where it would, it begins
 * at the ring's start instead. Replay takes the record at the expected position, or else at the ring's start, when magic, epoch,
 * sequence, prev and checksum all are the expected ones. The checksum covers all blocks of the record with csum taken as zero.
 * Records with LB_RECORD_MORE belong together with the next one: either all of such a group is applied or nothing.
 */
#define LB_RECORD_MAX_BLOCKS	64u
#define LB_RECORD_MORE		(1u << 0)

struct lb_record_header {
	__le32 magic;			/* LB_MAGIC_JOURNAL */
	__le32 csum;
	__le64 epoch;
	__le64 seq;
	__le32 prev;			/* csum of the record before */
	__le32 flags;			/* LB_RECORD_* */
	__le32 blocks;			/* length of the record */
	__le32 bytes;			/* of entries that follow this header */
	__u8 uuid[16];			/* the pool's */
	__le64 pad;
};
lb_static_assert(sizeof(struct lb_record_header) == 64);

/* Entries follow each other, each a multiple of 8 bytes. An entry lies within one record. */
#define LB_ENTRY_MAP		1u		/* struct lb_map_entry */
#define LB_ENTRY_PUT		2u		/* struct lb_catalog_entry, key, value, zeros to a multiple of 8 */
#define LB_ENTRY_DELETE		3u		/* the same without a value */
#define LB_ENTRY_CUT		4u		/* struct lb_cut_entry */

struct lb_entry_header {
	__le16 type;
	__le16 bytes;			/* of the whole entry, header included */
	__le32 pad;
	__le64 gen;			/* of the memtable it was in: replay skips what the superblock holds */
};
lb_static_assert(sizeof(struct lb_entry_header) == 16);

#define LB_PBLK_HOLE		0ULL		/* unmapped: reads as zeros. Block 0 is a superblock, so no data is there. */

struct lb_map_entry {
	struct lb_entry_header header;
	__le64 volume;
	__le64 lblk;
	__le64 pblk;			/* LB_PBLK_HOLE: unmapped */
	__le64 len;			/* blocks; more than LB_EXTENT_MAX_BLOCKS only for a hole */
};
lb_static_assert(sizeof(struct lb_map_entry) == 48);

struct lb_catalog_entry {
	struct lb_entry_header header;
	__le16 key_len;
	__le16 value_len;
	__le32 pad;
};
lb_static_assert(sizeof(struct lb_catalog_entry) == 24);

/*
 * A snapshot of a writable volume was taken here. All that the journal says of the volume's map before this entry, and the superblock's
 * generation does not hold, is the snapshot's; what it says after it is the volume's alone. Closes the group of catalog entries that make the
 * snapshot; its generation is the snapshot's `frozen` and the volume's `origin`, and no entry of the volume behind it has that generation.
 */
struct lb_cut_entry {
	struct lb_entry_header header;
	__le64 volume;
	__le64 snapshot;
};
lb_static_assert(sizeof(struct lb_cut_entry) == 32);

#endif /* LB_FORMAT_H */
