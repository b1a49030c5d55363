/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * liblayerblk - the control interface of the layerblk module, one function a request.
 *
 * Conventions, which hold for every function unless it says otherwise:
 *
 *  - The result is 0 or a negative errno. On failure `err`, when it is not NULL, says what was tried, on what, why it
 *    failed and what can be done; nothing has been changed and outputs are untouched. Nothing prints, exits or
 *    changes signal handlers. `err` is written on failure only.
 *  - Sizes are bytes when the name says size, and blocks of LB_BLOCK_SIZE bytes when it says blocks.
 *  - Pools are named by their UUID (16 bytes), volumes by id; layerblk_vol_find() turns a name into an id.
 *  - Strings given are zero terminated and are not kept. What comes back by pointer to pointer is malloc()ed and
 *    belongs to the caller.
 *  - A struct layerblk may be used from several threads at once, but for layerblk_event_read(): a record goes to one
 *    of its callers. An error object belongs to one thread.
 *  - A request is durable when its function returns 0.
 *
 * The meaning of every field and flag is in <linux/layerblk.h>.
 */
#ifndef LAYERBLK_H
#define LAYERBLK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/layerblk.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LAYERBLK_VERSION_MAJOR 1
#define LAYERBLK_VERSION_MINOR 0

/* The version of the library that is linked, as "major.minor". */
const char *layerblk_library_version(void);

/* ------------------------------------------------------------------ errors */

/*
 * A failure in four parts; layerblk_error_format() makes them one sentence:
 *	cannot <what> <subject>: <why>. <hint>
 * Needs no destructor. `struct layerblk_error err = { 0 };`
 */
struct layerblk_error {
	int code;			/* a positive errno; 0: no error is recorded */
	char what[128];			/* "create the volume" */
	char subject[384];		/* "web1"; may be empty */
	char why[512];			/* "a volume of this name exists"; no full stop */
	char hint[512];			/* "Choose another name."; may be empty */
};

/* Records a failure (err may be NULL) and gives -code, so that `return layerblk_error_set(...)` reads well. */
int layerblk_error_set(struct layerblk_error *err, int code, const char *what, const char *subject,
		       const char *why_format, ...) __attribute__((format(printf, 5, 6)));

/* Adds what to do next to the failure just recorded; err may be NULL there and here. Gives its -code, too. */
int layerblk_error_hint(struct layerblk_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The whole sentence, cut to `size` bytes and always terminated. Gives `buffer`. */
char *layerblk_error_format(const struct layerblk_error *err, char *buffer, size_t size);

/* ------------------------------------------------------------------ the control device */

struct layerblk;

/*
 * Opens LB_CONTROL_PATH (which loads the module when it is installed but not loaded) and checks that its interface
 * has the same major version. Close with layerblk_close(), which takes NULL too.
 */
int layerblk_open(struct layerblk **out, struct layerblk_error *err);
void layerblk_close(struct layerblk *lb);

/* The file descriptor, for poll(): readable when an event waits. It stays the library's. */
int layerblk_fd(const struct layerblk *lb);

/* What the module said of itself when it was opened. Never fails. */
const struct lb_ioc_version *layerblk_module_version(const struct layerblk *lb);

/* ------------------------------------------------------------------ pools */

/* Opens the pool on a block device. flags: LB_OPEN_*. Gives its UUID. */
int layerblk_pool_open(struct layerblk *lb, dev_t device, uint32_t flags, uint8_t uuid[LB_UUID_LEN],
		       struct layerblk_error *err);
int layerblk_pool_close(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], struct layerblk_error *err);
/* Commits now. */
int layerblk_pool_sync(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], struct layerblk_error *err);
int layerblk_pool_status(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], struct lb_ioc_pool_status *out,
			 struct layerblk_error *err);
/* Every open pool. free(*out). */
int layerblk_pool_list(struct layerblk *lb, struct lb_ioc_pool_status **out, size_t *count,
		       struct layerblk_error *err);
/* set->flags says which fields; size and uuid are filled in here. */
int layerblk_pool_set(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], const struct lb_ioc_pool_set *set,
		      struct layerblk_error *err);
/* total_blocks 0: all of the device. new_total_blocks may be NULL. */
int layerblk_pool_grow(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t total_blocks,
		       uint64_t *new_total_blocks, struct layerblk_error *err);
/* flags: LB_SCRUB_START or LB_SCRUB_STOP. Progress is in the pool's status. */
int layerblk_pool_scrub(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint32_t flags,
			struct layerblk_error *err);

/* ------------------------------------------------------------------ attribute changes */

/*
 * A list of attribute changes that ride in the transaction of the request they are given to. Keys and values are
 * copied. A failure to add (no memory, too long a key) is remembered and returned by the request, so that additions
 * need no check. A list can be used again; requests take it as const, and NULL for none.
 */
struct layerblk_attrs;

struct layerblk_attrs *layerblk_attrs_new(void);	/* NULL: no memory */
void layerblk_attrs_free(struct layerblk_attrs *attrs);	/* takes NULL */

/*
 * volume: an id, 0 for the pool, LB_ATTR_NEW_VOLUME for the volume that the request makes. flags: LB_ATTR_EXCLUSIVE,
 * LB_ATTR_MUST_EXIST or 0.
 */
void layerblk_attrs_set(struct layerblk_attrs *attrs, uint64_t volume, const char *key, const void *value,
			size_t value_len, uint32_t flags);
void layerblk_attrs_set_string(struct layerblk_attrs *attrs, uint64_t volume, const char *key, const char *value,
			       uint32_t flags);
/* flags: LB_ATTR_MUST_EXIST or 0. */
void layerblk_attrs_delete(struct layerblk_attrs *attrs, uint64_t volume, const char *key, uint32_t flags);
size_t layerblk_attrs_count(const struct layerblk_attrs *attrs);

/* Carries out a list by itself, in one transaction. */
int layerblk_attrs_commit(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], const struct layerblk_attrs *attrs,
			  struct layerblk_error *err);

/* *value is malloc()ed, with a zero byte after its value_len bytes. value_len may be NULL. -ENOENT: no such key. */
int layerblk_attr_get(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t volume, const char *key,
		      char **value, size_t *value_len, struct layerblk_error *err);

/*
 * Calls `each` for every key that begins with `prefix` ("" or NULL: all), in bytewise order; value_len is the
 * length of its value, which layerblk_attr_get() fetches. A result of `each` that is not 0 ends the walk and is returned.
 */
typedef int layerblk_attr_fn(void *arg, const char *key, size_t value_len);
int layerblk_attr_each(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t volume, const char *prefix,
		       layerblk_attr_fn *each, void *arg, struct layerblk_error *err);

/* ------------------------------------------------------------------ volumes */

/* 0 when `name` can name a volume; otherwise -EINVAL or -ENAMETOOLONG and why. The module checks it as well. */
int layerblk_name_check(const char *name, struct layerblk_error *err);

/* An empty writable volume. quota_blocks 0: none. */
int layerblk_vol_create(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], const char *name, uint64_t volume_size,
			uint64_t quota_blocks, const struct layerblk_attrs *attrs, uint64_t *id,
			struct layerblk_error *err);
/*
 * Of a frozen source: a writable child (flags LB_SNAP_FROZEN: a frozen one). Of a writable source: its frozen
 * snapshot. A mounted source's file system is frozen and thawed by the module.
 */
int layerblk_vol_snapshot(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t source, const char *name,
			  uint32_t flags, uint64_t quota_blocks, const struct layerblk_attrs *attrs, uint64_t *id,
			  struct layerblk_error *err);
/* new_name NULL: the name stays. */
int layerblk_vol_freeze(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id, const char *new_name,
			const struct layerblk_attrs *attrs, struct layerblk_error *err);
/* flags: LB_RM_*. */
int layerblk_vol_rm(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id, uint32_t flags,
		    const struct layerblk_attrs *attrs, struct layerblk_error *err);

struct layerblk_vol_change {
	uint32_t flags;			/* LB_VOL_SET_*: which of these are meant */
	uint64_t volume_size;
	uint64_t quota_blocks;
	const char *name;
};

/* change may be NULL when attrs is not. All or nothing. */
int layerblk_vol_set(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id,
		     const struct layerblk_vol_change *change, const struct layerblk_attrs *attrs,
		     struct layerblk_error *err);
int layerblk_vol_rollback(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id, uint64_t snapshot,
			  struct layerblk_error *err);

/* flags: LB_STAT_MAPPED or 0. */
int layerblk_vol_stat(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id, uint32_t flags,
		      struct lb_vol_info *out, struct layerblk_error *err);
int layerblk_vol_find(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], const char *name, uint32_t flags,
		      struct lb_vol_info *out, struct layerblk_error *err);
/* All volumes of a pool in the order of their ids. flags: LB_STAT_HIDDEN, LB_STAT_MAPPED or 0. free(*out). */
int layerblk_vol_list(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint32_t flags, struct lb_vol_info **out,
		      size_t *count, struct layerblk_error *err);

struct layerblk_disk {
	uint32_t major;
	uint32_t minor;
	uint32_t index;			/* N of /dev/layerblkN */
};

/* Gives the volume its disk; not an error when it has one. flags: LB_ACTIVATE_*. The node may appear a moment later. */
int layerblk_vol_activate(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id, uint32_t flags,
			  struct layerblk_disk *out, struct layerblk_error *err);
/* -EBUSY while the disk is open. */
int layerblk_vol_deactivate(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id,
			    struct layerblk_error *err);

/* ------------------------------------------------------------------ differences */

/*
 * Calls `each` for every range in which frozen volume b may differ from frozen volume a (0: an empty one), ascending. A
 * result of `each` that is not 0 ends the walk and is returned.
 */
typedef int layerblk_range_fn(void *arg, const struct lb_range *range);
int layerblk_diff(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t a, uint64_t b,
		  layerblk_range_fn *each, void *arg, struct layerblk_error *err);

/* ------------------------------------------------------------------ events */

/*
 * Waits up to timeout_ms (-1: without limit, 0: not at all) for the next event since layerblk_open(). Gives 1 and the
 * record, 0 when the time is over, -EINTR when a signal came.
 */
int layerblk_event_read(struct layerblk *lb, int timeout_ms, struct lb_event *out, struct layerblk_error *err);

/* "volume-create" and so on; "unknown" for a type that this library does not know. */
const char *layerblk_event_name(uint32_t type);

#ifdef __cplusplus
}
#endif

#endif /* LAYERBLK_H */
