/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * layerblk - the contract between the module and its callers.
 *
 * Every request is an ioctl on LB_CONTROL_PATH and needs CAP_SYS_ADMIN. Rules that hold for all of them:
 *
 *  - `size` is the caller's sizeof of the struct. A shorter struct than the module's first version of it, or a
 *    longer one whose extra bytes are not zero, gives EINVAL (E2BIG for the latter): nothing is done.
 *  - Unknown flags and non-zero reserved fields give EINVAL. An unknown request gives ENOTTY.
 *  - Pointers travel as __u64; lengths beside them are bytes unless said otherwise.
 *  - A request either succeeds wholly, and is then durable, or changes nothing. Only when the device failed while the request was being made
 *    durable (EIO, and the pool has turned read-only), nobody can tell: all of it may be there when the pool is opened again, or nothing.
 *  - A pool is named by its UUID (16 bytes); a volume by its id, which is never used again after deletion.
 *    Id 0 is "no volume"; in attribute requests it is the pool itself.
 *  - Errors: ENOENT no such volume or attribute; ENODEV no such open pool; EEXIST the name is taken;
 *    EBUSY in use (open, mounted, has been claimed by another holder); EROFS the pool or volume is read-only or frozen;
 *    ENOSPC the pool is full; EDQUOT the quota is used up; EUCLEAN the pool's metadata is damaged;
 *    EIO the device failed; EOPNOTSUPP the pool needs a feature that this module does not have;
 *    EMEDIUMTYPE the device holds no pool; ESTALE only an older superblock is intact (see LB_OPEN_FORCE_FALLBACK).
 */
#ifndef _UAPI_LAYERBLK_H
#define _UAPI_LAYERBLK_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define LB_CONTROL_NAME		"layerblk-control"
#define LB_CONTROL_PATH		"/dev/layerblk-control"
#define LB_DISK_PREFIX		"layerblk"	/* /dev/layerblk0, /dev/layerblk1, ... */

#define LB_API_MAJOR		1
#define LB_API_MINOR		0

#define LB_UUID_LEN		16
#define LB_NAME_MAX		255		/* bytes, without a terminating zero */
#define LB_KEY_MAX		255		/* attribute key, bytes */
#define LB_VALUE_MAX		(1U << 20)	/* attribute value, bytes */
#define LB_ATTR_OPS_MAX		256		/* attribute changes in one request */
#define LB_TX_MAX		(4U << 20)	/* keys and values of one request together, bytes */
#define LB_BLOCK_SIZE		4096
#define LB_VOLUME_SIZE_MAX	(1ULL << 59)	/* bytes */

/* ------------------------------------------------------------------ version and features */

struct lb_ioc_version {
	__u32 size;
	__u32 flags;			/* must be zero */
	__u32 api_major;		/* out */
	__u32 api_minor;		/* out */
	__u64 features;			/* out: LB_FEATURE_* */
	__u64 reserved[4];
	char module_version[64];	/* out, zero terminated */
};

#define LB_FEATURE_EVENTS	(1ULL << 0)	/* read() and poll() on the control device */
#define LB_FEATURE_SCRUB	(1ULL << 1)
#define LB_FEATURE_DIFF		(1ULL << 2)

/* ------------------------------------------------------------------ pools */

#define LB_OPEN_READ_ONLY	(1U << 0)	/* write nothing, not even the journal's replay */
/* accept an older superblock when the newest one is damaged, and the loss of what follows a damaged journal record */
#define LB_OPEN_FORCE_FALLBACK	(1U << 1)

struct lb_ioc_pool_open {
	__u32 size;
	__u32 flags;			/* LB_OPEN_* */
	__u32 dev_major;		/* the block device */
	__u32 dev_minor;
	__u8 uuid[LB_UUID_LEN];		/* out */
	__u64 reserved[4];
};

struct lb_ioc_pool_ref {		/* POOL_CLOSE, POOL_SYNC */
	__u32 size;
	__u32 flags;			/* must be zero */
	__u8 uuid[LB_UUID_LEN];
	__u64 reserved[4];
};

#define LB_POOL_READ_ONLY	(1ULL << 0)	/* opened read-only */
#define LB_POOL_FAILED		(1ULL << 1)	/* turned read-only after a failed metadata write or damage */
#define LB_POOL_QUEUE_NOSPC	(1ULL << 2)	/* writers wait when the pool is full */
#define LB_POOL_LOW_SPACE	(1ULL << 3)	/* below the low-water mark */
#define LB_POOL_NO_SPACE	(1ULL << 4)	/* a write has been refused or waits for space */

struct lb_ioc_pool_status {
	__u32 size;
	__u32 flags;			/* must be zero */
	__u8 uuid[LB_UUID_LEN];		/* in; for POOL_NEXT: the last one seen (zero: from the start), out: this one */
	__u32 dev_major;		/* out, and all that follow */
	__u32 dev_minor;
	__u64 state;			/* LB_POOL_* */
	__u64 generation;		/* of the last durable commit */
	__u64 total_blocks;		/* of LB_BLOCK_SIZE bytes, here and below */
	__u64 free_blocks;		/* what writers can still allocate */
	__u64 data_blocks;		/* mapped by volumes, shared ones once */
	__u64 meta_blocks;		/* trees, tables, bitmaps, journal, superblocks */
	__u64 reserved_blocks;		/* kept back for commits and deletions */
	__u64 pending_blocks;		/* freed, not yet reusable */
	__u64 pinned_blocks;		/* owned by deleted volumes that still have several children */
	__u64 volumes;			/* visible ones */
	__u64 hidden_volumes;		/* deleted, still being freed or pinned */
	__u64 active_volumes;		/* with a disk */
	__u64 low_water_blocks;		/* free space below which an event is sent */
	__u64 nospc_timeout_ms;		/* how long a write waits when LB_POOL_QUEUE_NOSPC is set; 0: for ever */
	__u64 commit_interval_ms;
	__u64 cache_bytes;		/* nodes cached in memory */
	__u64 cache_limit_bytes;
	__u64 commits;			/* counters since the pool was opened */
	__u64 journal_writes;
	__u64 journal_blocks;
	__u64 device_flushes;
	__u64 meta_reads;		/* blocks */
	__u64 meta_writes;		/* blocks */
	__u64 scrub_state;		/* LB_SCRUB_* */
	__u64 scrub_done_blocks;	/* metadata blocks read */
	__u64 scrub_errors;
	__u64 format_version;
	__u64 created_s;		/* seconds since 1970 */
	__u64 reserved[16];
};

#define LB_POOL_SET_QUEUE	(1U << 0)	/* queue_nospc and nospc_timeout_ms are valid */
#define LB_POOL_SET_LOW_WATER	(1U << 1)
#define LB_POOL_SET_INTERVAL	(1U << 2)
#define LB_POOL_SET_CACHE	(1U << 3)

struct lb_ioc_pool_set {		/* kept in the pool, but for the cache limit */
	__u32 size;
	__u32 flags;			/* LB_POOL_SET_*: which of the fields below to set */
	__u8 uuid[LB_UUID_LEN];
	__u32 queue_nospc;		/* 0 error at once, 1 wait */
	__u32 pad;
	__u64 nospc_timeout_ms;
	__u64 low_water_blocks;
	__u64 commit_interval_ms;	/* 100 to 3,600,000 */
	__u64 cache_limit_bytes;	/* at least 1 MiB */
	__u64 reserved[4];
};

struct lb_ioc_pool_grow {
	__u32 size;
	__u32 flags;			/* must be zero */
	__u8 uuid[LB_UUID_LEN];
	__u64 total_blocks;		/* in: 0 for all of the device; out: the new size */
	__u64 reserved[4];
};

#define LB_SCRUB_IDLE		0
#define LB_SCRUB_RUNNING	1
#define LB_SCRUB_DONE		2
#define LB_SCRUB_STOPPED	3

#define LB_SCRUB_START		(1U << 0)
#define LB_SCRUB_STOP		(1U << 1)

struct lb_ioc_pool_scrub {		/* progress is in lb_ioc_pool_status */
	__u32 size;
	__u32 flags;			/* LB_SCRUB_START or LB_SCRUB_STOP */
	__u8 uuid[LB_UUID_LEN];
	__u64 reserved[4];
};

/* ------------------------------------------------------------------ volumes */

/*
 * Attribute changes that ride in the same transaction as the request that carries them. In a request that makes a
 * volume, LB_ATTR_NEW_VOLUME means "the volume made by this request".
 */
#define LB_ATTR_NEW_VOLUME	(~0ULL)

#define LB_ATTR_DELETE		(1U << 0)	/* remove the key; not an error if it is not there */
#define LB_ATTR_EXCLUSIVE	(1U << 1)	/* fail with EEXIST if the key is there */
#define LB_ATTR_MUST_EXIST	(1U << 2)	/* fail with ENOENT if the key is not there */

struct lb_attr_op {
	__u64 volume;			/* id, 0 for the pool, or LB_ATTR_NEW_VOLUME */
	__u64 key;			/* pointer */
	__u64 value;			/* pointer */
	__u32 key_len;			/* 1 to LB_KEY_MAX; any bytes but zero */
	__u32 value_len;		/* 0 to LB_VALUE_MAX */
	__u32 flags;			/* LB_ATTR_* */
	__u32 pad;
};

struct lb_attr_ops {			/* embedded in requests */
	__u64 ops;			/* pointer to struct lb_attr_op[count] */
	__u32 count;			/* up to LB_ATTR_OPS_MAX */
	__u32 pad;
};

/* Volume names: 1 to LB_NAME_MAX bytes of UTF-8 or any bytes but zero, '/', and control characters; not "." or "..". */

struct lb_ioc_vol_create {		/* VOL_CREATE: an empty writable volume without a parent */
	__u32 size;
	__u32 flags;			/* must be zero */
	__u8 uuid[LB_UUID_LEN];
	__u64 name;			/* pointer */
	__u32 name_len;
	__u32 pad;
	__u64 volume_size;		/* bytes, a multiple of LB_BLOCK_SIZE, 1 block to LB_VOLUME_SIZE_MAX */
	__u64 quota_blocks;		/* 0: none */
	struct lb_attr_ops attrs;
	__u64 id;			/* out */
	__u64 reserved[4];
};

#define LB_SNAP_FROZEN		(1U << 0)	/* the new volume is frozen (always so for a writable source) */

struct lb_ioc_vol_snapshot {
	/*
	 * VOL_SNAPSHOT. Of a frozen source: a writable child (or, with LB_SNAP_FROZEN, a frozen one). Of a writable source: a
	 * frozen snapshot of one instant, which becomes the source's parent; a mounted file system on the source's disk is
	 * frozen and thawed around it by the module.
	 */
	__u32 size;
	__u32 flags;			/* LB_SNAP_* */
	__u8 uuid[LB_UUID_LEN];
	__u64 source;			/* id */
	__u64 name;			/* pointer */
	__u32 name_len;
	__u32 pad;
	__u64 quota_blocks;		/* of a writable child; 0: none */
	struct lb_attr_ops attrs;
	__u64 id;			/* out */
	__u64 reserved[4];
};

struct lb_ioc_vol_freeze {
	/* VOL_FREEZE: a writable volume becomes an immutable one. EBUSY while its disk is open. */
	__u32 size;
	__u32 flags;			/* must be zero */
	__u8 uuid[LB_UUID_LEN];
	__u64 id;
	__u64 name;			/* pointer to a new name, or 0 to keep the name */
	__u32 name_len;
	__u32 pad;
	struct lb_attr_ops attrs;
	__u64 reserved[4];
};

#define LB_RM_IF_NO_CHILDREN	(1U << 0)	/* EBUSY when the volume has children, instead of hiding it */

struct lb_ioc_vol_rm {
	/* VOL_RM: the name is free at once, the space in the background. EBUSY while its disk is open. */
	__u32 size;
	__u32 flags;			/* LB_RM_* */
	__u8 uuid[LB_UUID_LEN];
	__u64 id;
	struct lb_attr_ops attrs;	/* of other volumes or the pool; the volume's own attributes go with it */
	__u64 reserved[4];
};

#define LB_VOL_SET_SIZE		(1U << 0)
#define LB_VOL_SET_QUOTA	(1U << 1)
#define LB_VOL_SET_NAME		(1U << 2)
#define LB_VOL_SET_SHRINK	(1U << 3)	/* with LB_VOL_SET_SIZE: a smaller size is meant; what lies beyond is lost */

struct lb_ioc_vol_set {			/* VOL_SET: size, quota, name and attributes, all or none */
	__u32 size;
	__u32 flags;			/* LB_VOL_SET_* */
	__u8 uuid[LB_UUID_LEN];
	__u64 id;			/* 0: attributes of the pool only */
	__u64 volume_size;
	__u64 quota_blocks;
	__u64 name;
	__u32 name_len;
	__u32 pad;
	struct lb_attr_ops attrs;
	__u64 reserved[4];
};

struct lb_ioc_vol_rollback {
	/* VOL_ROLLBACK: the volume's content becomes that of an ancestor. EBUSY while its disk is open. */
	__u32 size;
	__u32 flags;			/* must be zero */
	__u8 uuid[LB_UUID_LEN];
	__u64 id;
	__u64 snapshot;			/* id of an ancestor of the volume; EINVAL if it is none */
	__u64 reserved[4];
};

#define LB_VOL_FROZEN		(1ULL << 0)
#define LB_VOL_HIDDEN		(1ULL << 1)	/* deleted; kept for its children, or being freed */
#define LB_VOL_ACTIVE		(1ULL << 2)	/* has a disk */
#define LB_VOL_OPEN		(1ULL << 3)	/* its disk is open */

struct lb_vol_info {
	__u64 id;
	__u64 parent;			/* 0: none. A hidden parent is reported. */
	__u64 flags;			/* LB_VOL_* */
	__u64 volume_size;		/* bytes */
	__u64 quota_blocks;
	__u64 owned_blocks;		/* data that this volume alone answers for, pending writes included */
	__u64 mapped_blocks;		/* all it can see through its chain; LB_STAT_MAPPED only, else 0 */
	__u64 meta_blocks;		/* nodes of its map tree that it owns (an estimate while writes are pending) */
	__u64 children;			/* hidden ones included */
	__u64 origin_generation;
	__u64 frozen_generation;
	__u64 created_s;		/* seconds since 1970 */
	__u32 disk_major;		/* of /dev/layerblkN, when active */
	__u32 disk_minor;
	__u32 disk_index;		/* N */
	__u32 open_count;
	__u64 reserved[6];
	__u32 pad;
	__u32 name_len;
	char name[LB_NAME_MAX + 1];	/* zero terminated; "" for a hidden volume */
};

#define LB_STAT_NAME		(1U << 0)	/* find by name, not by id */
#define LB_STAT_NEXT		(1U << 1)	/* the visible volume with the smallest id greater than `id`; ENOENT at the end */
#define LB_STAT_HIDDEN		(1U << 2)	/* with LB_STAT_NEXT: hidden ones too */
#define LB_STAT_MAPPED		(1U << 3)	/* walk the map to count mapped_blocks */

struct lb_ioc_vol_stat {
	__u32 size;
	__u32 flags;			/* LB_STAT_* */
	__u8 uuid[LB_UUID_LEN];
	__u64 id;
	__u64 name;
	__u32 name_len;
	__u32 pad;
	__u64 reserved[4];
	struct lb_vol_info info;	/* out */
};

#define LB_ACTIVATE_READ_ONLY	(1U << 0)	/* frozen volumes always are */

struct lb_ioc_vol_activate {		/* VOL_ACTIVATE (not an error when it is active already), VOL_DEACTIVATE */
	__u32 size;
	__u32 flags;			/* LB_ACTIVATE_* */
	__u8 uuid[LB_UUID_LEN];
	__u64 id;
	__u32 disk_major;		/* out */
	__u32 disk_minor;		/* out */
	__u32 disk_index;		/* out: N of /dev/layerblkN */
	__u32 pad;
	__u64 reserved[4];
};

/* ------------------------------------------------------------------ attributes */

struct lb_ioc_attr_get {
	/* ATTR_GET: value_len in: room at value; out: the value's length. ERANGE when the room is too small. */
	__u32 size;
	__u32 flags;			/* must be zero */
	__u8 uuid[LB_UUID_LEN];
	__u64 id;
	__u64 key;
	__u64 value;
	__u32 key_len;
	__u32 value_len;
	__u64 reserved[4];
};

struct lb_ioc_attr_next {
	/* ATTR_NEXT: the smallest key greater than the one given, in bytewise order; ENOENT at the end. key has LB_KEY_MAX + 1 bytes of room. */
	__u32 size;
	__u32 flags;			/* must be zero */
	__u8 uuid[LB_UUID_LEN];
	__u64 id;
	__u64 key;			/* in: from here (key_len 0: the first); out: the key found */
	__u32 key_len;			/* in and out */
	__u32 value_len;		/* out: its value's length */
	__u64 reserved[4];
};

/* ------------------------------------------------------------------ differences */

#define LB_RANGE_MAPPED		(1U << 0)	/* `b` has data here; without it `b` reads as zeros here */

struct lb_range {
	__u64 start;			/* block */
	__u32 count;			/* blocks */
	__u32 flags;			/* LB_RANGE_* */
};

struct lb_ioc_diff {
	/*
	 * DIFF: the ranges in which frozen volume `b` may differ from frozen volume `a` (0: from an empty one), ascending,
	 * beginning at `cursor`. The two need not be related. The answer is exact to the block for mapping, not for content:
	 * a block rewritten with equal bytes counts as different.
	 */
	__u32 size;
	__u32 flags;			/* must be zero */
	__u8 uuid[LB_UUID_LEN];
	__u64 a;
	__u64 b;
	__u64 cursor;			/* in and out: block; out ~0 when all is told */
	__u64 ranges;			/* pointer to struct lb_range[] */
	__u32 count;			/* in: room; out: ranges filled */
	__u32 pad;
	__u64 reserved[4];
};

/* ------------------------------------------------------------------ events: read() from the control device */

#define LB_EVENT_POOL_OPEN	1
#define LB_EVENT_POOL_CLOSE	2
#define LB_EVENT_LOW_SPACE	3	/* arg: free blocks */
#define LB_EVENT_NO_SPACE	4	/* arg: free blocks */
#define LB_EVENT_POOL_FAILED	5	/* arg: errno */
#define LB_EVENT_POOL_GROWN	6	/* arg: total blocks */
#define LB_EVENT_VOL_CREATE	7	/* arg: parent id */
#define LB_EVENT_VOL_REMOVE	8
#define LB_EVENT_VOL_CHANGE	9	/* size, quota, name or attributes */
#define LB_EVENT_VOL_FREEZE	10
#define LB_EVENT_VOL_SNAPSHOT	11	/* volume: the new one; arg: source id */
#define LB_EVENT_VOL_ROLLBACK	12	/* arg: snapshot id */
#define LB_EVENT_VOL_ACTIVATE	13	/* arg: disk index */
#define LB_EVENT_VOL_DEACTIVATE	14
#define LB_EVENT_SPACE_FREED	15	/* the background has freed a removed volume; arg: free blocks */
#define LB_EVENT_SCRUB_DONE	16	/* arg: errors found */
#define LB_EVENT_LOST		17	/* arg: how many events were dropped because the reader was slow */

struct lb_event {			/* a reader sees the events since its open; read() returns whole records */
	__u32 size;			/* of this record */
	__u32 type;			/* LB_EVENT_* */
	__u64 sequence;			/* per opened control device */
	__u64 time_ns;			/* CLOCK_REALTIME */
	__u8 uuid[LB_UUID_LEN];
	__u64 volume;			/* id or 0 */
	__u64 arg;
	__u32 pad;
	__u32 name_len;
	char name[LB_NAME_MAX + 1];	/* the volume's, zero terminated */
};

/* ------------------------------------------------------------------ requests */

#define LB_IOC_MAGIC		0xB7

#define LB_IOC_VERSION		_IOWR(LB_IOC_MAGIC, 0x00, struct lb_ioc_version)
#define LB_IOC_POOL_OPEN	_IOWR(LB_IOC_MAGIC, 0x10, struct lb_ioc_pool_open)
#define LB_IOC_POOL_CLOSE	_IOWR(LB_IOC_MAGIC, 0x11, struct lb_ioc_pool_ref)	/* EBUSY while a disk is open */
#define LB_IOC_POOL_STATUS	_IOWR(LB_IOC_MAGIC, 0x12, struct lb_ioc_pool_status)
#define LB_IOC_POOL_NEXT	_IOWR(LB_IOC_MAGIC, 0x13, struct lb_ioc_pool_status)	/* ENOENT at the end */
#define LB_IOC_POOL_SET		_IOWR(LB_IOC_MAGIC, 0x14, struct lb_ioc_pool_set)
#define LB_IOC_POOL_GROW	_IOWR(LB_IOC_MAGIC, 0x15, struct lb_ioc_pool_grow)
#define LB_IOC_POOL_SYNC	_IOWR(LB_IOC_MAGIC, 0x16, struct lb_ioc_pool_ref)	/* commit now */
#define LB_IOC_POOL_SCRUB	_IOWR(LB_IOC_MAGIC, 0x17, struct lb_ioc_pool_scrub)
#define LB_IOC_VOL_CREATE	_IOWR(LB_IOC_MAGIC, 0x30, struct lb_ioc_vol_create)
#define LB_IOC_VOL_SNAPSHOT	_IOWR(LB_IOC_MAGIC, 0x31, struct lb_ioc_vol_snapshot)
#define LB_IOC_VOL_FREEZE	_IOWR(LB_IOC_MAGIC, 0x32, struct lb_ioc_vol_freeze)
#define LB_IOC_VOL_RM		_IOWR(LB_IOC_MAGIC, 0x33, struct lb_ioc_vol_rm)
#define LB_IOC_VOL_SET		_IOWR(LB_IOC_MAGIC, 0x34, struct lb_ioc_vol_set)
#define LB_IOC_VOL_ROLLBACK	_IOWR(LB_IOC_MAGIC, 0x35, struct lb_ioc_vol_rollback)
#define LB_IOC_VOL_STAT		_IOWR(LB_IOC_MAGIC, 0x36, struct lb_ioc_vol_stat)
#define LB_IOC_VOL_ACTIVATE	_IOWR(LB_IOC_MAGIC, 0x37, struct lb_ioc_vol_activate)
#define LB_IOC_VOL_DEACTIVATE	_IOWR(LB_IOC_MAGIC, 0x38, struct lb_ioc_vol_activate)	/* EBUSY while it is open */
#define LB_IOC_ATTR_GET		_IOWR(LB_IOC_MAGIC, 0x50, struct lb_ioc_attr_get)
#define LB_IOC_ATTR_NEXT	_IOWR(LB_IOC_MAGIC, 0x51, struct lb_ioc_attr_next)
#define LB_IOC_DIFF		_IOWR(LB_IOC_MAGIC, 0x60, struct lb_ioc_diff)

#endif /* _UAPI_LAYERBLK_H */
