/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one place that knows kernel versions: it presents the newest kernel's API to the rest of the module, and builds it from
 * what an older kernel has (6.1 and later). No other file tests LINUX_VERSION_CODE.
 *
 * Where an interface could not be taken over as it is (a struct that older kernels do not have, a callback's signature), the
 * helper begins with compat_.
 */
#ifndef LBK_COMPAT_H
#define LBK_COMPAT_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>

#define COMPAT_BEFORE(major, minor) (LINUX_VERSION_CODE < KERNEL_VERSION(major, minor, 0))

/* A namespace of symbols is a string since 6.13, and was a word before. */
#if COMPAT_BEFORE(6, 13)
#define COMPAT_IMPORT_NS(ns)			MODULE_IMPORT_NS(ns)
#define COMPAT_EXPORT_NS_GPL(symbol, ns)	EXPORT_SYMBOL_NS_GPL(symbol, ns)
#else
#define COMPAT_IMPORT_NS(ns)			MODULE_IMPORT_NS(#ns)
#define COMPAT_EXPORT_NS_GPL(symbol, ns)	EXPORT_SYMBOL_NS_GPL(symbol, #ns)
#endif

/* ------------------------------------------------------------------ opening a block device */

#if COMPAT_BEFORE(6, 5)
typedef fmode_t blk_mode_t;
#define BLK_OPEN_READ	FMODE_READ
#define BLK_OPEN_WRITE	FMODE_WRITE
struct blk_holder_ops {
	void (*mark_dead)(struct block_device *bdev, bool surprise);
};
#endif

#if COMPAT_BEFORE(6, 9)
/* An opened block device is a file since 6.9; here, a token of ours that only these three functions look into. */
struct compat_bdev_file {
#if COMPAT_BEFORE(6, 7)
	struct block_device *bdev;
	blk_mode_t mode;
	void *holder;
#else
	struct bdev_handle *handle;
#endif
};

static inline int compat_bdev_open(struct compat_bdev_file *f, dev_t dev, blk_mode_t mode, void *holder,
				   const struct blk_holder_ops *hops)
{
#if COMPAT_BEFORE(6, 5)
	f->bdev = blkdev_get_by_dev(dev, mode | FMODE_EXCL, holder);
#elif COMPAT_BEFORE(6, 7)
	f->bdev = blkdev_get_by_dev(dev, mode, holder, hops);
#else
	f->handle = bdev_open_by_dev(dev, mode, holder, hops);
	return PTR_ERR_OR_ZERO(f->handle);
#endif
#if COMPAT_BEFORE(6, 7)
	f->mode = mode;
	f->holder = holder;
	return PTR_ERR_OR_ZERO(f->bdev);
#endif
}

static inline struct file *bdev_file_open_by_dev(dev_t dev, blk_mode_t mode, void *holder, const struct blk_holder_ops *hops)
{
	struct compat_bdev_file *f = kzalloc(sizeof(*f), GFP_KERNEL);
	int err;

	if (!f)
		return ERR_PTR(-ENOMEM);
	err = compat_bdev_open(f, dev, mode, holder, hops);
	if (err) {
		kfree(f);
		return ERR_PTR(err);
	}
	return (struct file *)f;
}

static inline struct block_device *file_bdev(struct file *bdev_file)
{
#if COMPAT_BEFORE(6, 7)
	return ((struct compat_bdev_file *)bdev_file)->bdev;
#else
	return ((struct compat_bdev_file *)bdev_file)->handle->bdev;
#endif
}

static inline void bdev_fput(struct file *bdev_file)
{
	struct compat_bdev_file *f = (struct compat_bdev_file *)bdev_file;

#if COMPAT_BEFORE(6, 5)
	blkdev_put(f->bdev, f->mode | FMODE_EXCL);
#elif COMPAT_BEFORE(6, 7)
	blkdev_put(f->bdev, f->holder);
#else
	bdev_release(f->handle);
#endif
	kfree(f);
}
#endif /* 6.9 */

/*
 * holder_ops.mark_dead: since 6.7 it has to drop bd_holder_lock itself; since 6.6 it is told whether the device went by surprise; in
 * 6.5 it had one parameter; before there was none (errors of I/O tell the same a little later). COMPAT_MARK_DEAD(fn) makes the
 * callback of a function void fn(struct block_device *), which must not sleep for long.
 */
#if COMPAT_BEFORE(6, 5)
#define COMPAT_MARK_DEAD(fn)									\
	static __maybe_unused void fn##_compat(struct block_device *bdev, bool surprise) { fn(bdev); }
#elif COMPAT_BEFORE(6, 6)
#define COMPAT_MARK_DEAD(fn)									\
	static void fn##_compat(struct block_device *bdev) { fn(bdev); }
#elif COMPAT_BEFORE(6, 7)
#define COMPAT_MARK_DEAD(fn)									\
	static void fn##_compat(struct block_device *bdev, bool surprise) { fn(bdev); }
#else
#define COMPAT_MARK_DEAD(fn)									\
	static void fn##_compat(struct block_device *bdev, bool surprise)			\
	{											\
		fn(bdev);									\
		mutex_unlock(&bdev->bd_holder_lock);						\
	}
#endif

/* ------------------------------------------------------------------ freezing what is mounted on one */

#if COMPAT_BEFORE(6, 8)
#define bdev_freeze(bdev)	freeze_bdev(bdev)
#define bdev_thaw(bdev)		thaw_bdev(bdev)
#endif

/* ------------------------------------------------------------------ a disk of one's own */

/* COMPAT_DISK_OPEN(fn) and _RELEASE(fn) let compat_disk_fn(fn) stand in block_device_operations for functions of the newest kind. */
#if COMPAT_BEFORE(6, 5)
#define COMPAT_DISK_OPEN(fn)									\
	static int fn##_compat(struct block_device *bdev, fmode_t mode) { return fn(bdev->bd_disk, mode); }
#define COMPAT_DISK_RELEASE(fn)									\
	static void fn##_compat(struct gendisk *disk, fmode_t mode) { fn(disk); }
#define compat_disk_fn(fn)	fn##_compat
#else
#define COMPAT_DISK_OPEN(fn)
#define COMPAT_DISK_RELEASE(fn)
#define compat_disk_fn(fn)	fn
#endif

/* Features of a queue: in its limits since 6.11, flags of the queue before. */
#if COMPAT_BEFORE(6, 11)
typedef unsigned int blk_features_t;
#define BLK_FEAT_WRITE_CACHE	(1u << 0)
#define BLK_FEAT_FUA		(1u << 1)
#define BLK_FEAT_ROTATIONAL	(1u << 2)
#define BLK_FEAT_IO_STAT	(1u << 4)
#define BLK_FEAT_STABLE_WRITES	(1u << 5)
#define BLK_FEAT_NOWAIT		(1u << 7)

static inline void compat_set_features(struct request_queue *q, blk_features_t features)
{
	blk_queue_write_cache(q, features & BLK_FEAT_WRITE_CACHE, features & BLK_FEAT_FUA);
	if (!(features & BLK_FEAT_ROTATIONAL))
		blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	if (features & BLK_FEAT_IO_STAT)
		blk_queue_flag_set(QUEUE_FLAG_IO_STAT, q);
	if (features & BLK_FEAT_STABLE_WRITES)
		blk_queue_flag_set(QUEUE_FLAG_STABLE_WRITES, q);
	if (features & BLK_FEAT_NOWAIT)
		blk_queue_flag_set(QUEUE_FLAG_NOWAIT, q);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, q);
}
#endif

static inline bool compat_bdev_rot(struct block_device *bdev)
{
#if COMPAT_BEFORE(6, 11)
	return !bdev_nonrot(bdev);
#else
	return bdev_get_queue(bdev)->limits.features & BLK_FEAT_ROTATIONAL;
#endif
}

/* Discards and zeroing of up to `sectors` a bio, in units of `granularity` bytes, made by the driver itself. */
static inline void compat_limits_unmap(struct queue_limits *lim, unsigned int sectors, unsigned int granularity)
{
	lim->max_hw_discard_sectors = sectors;
#if COMPAT_BEFORE(6, 9)
	lim->max_discard_sectors = sectors;
	lim->discard_misaligned = 0;
#else
	lim->max_user_discard_sectors = UINT_MAX;
#endif
	lim->discard_granularity = granularity;
	lim->discard_alignment = 0;
	lim->max_secure_erase_sectors = 0;
	lim->max_write_zeroes_sectors = sectors;
#if !COMPAT_BEFORE(6, 17)
	lim->max_hw_wzeroes_unmap_sectors = 0;
	lim->max_wzeroes_unmap_sectors = 0;
#endif
}

static inline struct gendisk *compat_alloc_disk(struct queue_limits *lim, blk_features_t features, int node)
{
#if COMPAT_BEFORE(6, 9)
	struct gendisk *disk = blk_alloc_disk(node);

	if (!disk)
		return ERR_PTR(-ENOMEM);
	disk->queue->limits = *lim;
	compat_set_features(disk->queue, features);
	return disk;
#elif COMPAT_BEFORE(6, 11)
	struct gendisk *disk = blk_alloc_disk(lim, node);

	if (!IS_ERR(disk))
		compat_set_features(disk->queue, features);
	return disk;
#else
	lim->features = features;
	return blk_alloc_disk(lim, node);
#endif
}

/* ------------------------------------------------------------------ accounting of I/O */

/* Until 6.3 the sectors were counted at the start of an I/O, since then at its end. */
static inline void compat_start_io_acct(struct block_device *bdev, enum req_op op, unsigned int sectors, unsigned long start)
{
#if COMPAT_BEFORE(6, 4)
	bdev_start_io_acct(bdev, sectors, op, start);
#else
	bdev_start_io_acct(bdev, op, start);
#endif
}

static inline void compat_end_io_acct(struct block_device *bdev, enum req_op op, unsigned int sectors, unsigned long start)
{
#if COMPAT_BEFORE(6, 4)
	bdev_end_io_acct(bdev, op, start);
#else
	bdev_end_io_acct(bdev, op, sectors, start);
#endif
}

/* ------------------------------------------------------------------ shrinkers */

#if COMPAT_BEFORE(6, 7)
/* private_data came with shrinker_alloc(): here it lies beside the struct. */
struct compat_shrinker {
	struct shrinker shrinker;
	void *data;
};

static inline void *compat_shrinker_data(struct shrinker *s)
{
	return container_of(s, struct compat_shrinker, shrinker)->data;
}

static inline struct shrinker *compat_shrinker_register(void *data,
		unsigned long (*count)(struct shrinker *s, struct shrink_control *sc),
		unsigned long (*scan)(struct shrinker *s, struct shrink_control *sc))
{
	struct compat_shrinker *c = kzalloc(sizeof(*c), GFP_KERNEL);

	if (!c)
		return NULL;
	c->data = data;
	c->shrinker.count_objects = count;
	c->shrinker.scan_objects = scan;
	c->shrinker.seeks = DEFAULT_SEEKS;
	if (register_shrinker(&c->shrinker, "layerblk")) {
		kfree(c);
		return NULL;
	}
	return &c->shrinker;
}

static inline void shrinker_free(struct shrinker *s)
{
	if (!s)
		return;
	unregister_shrinker(s);
	kfree(container_of(s, struct compat_shrinker, shrinker));
}
#else
static inline void *compat_shrinker_data(struct shrinker *s)
{
	return s->private_data;
}

static inline struct shrinker *compat_shrinker_register(void *data,
		unsigned long (*count)(struct shrinker *s, struct shrink_control *sc),
		unsigned long (*scan)(struct shrinker *s, struct shrink_control *sc))
{
	struct shrinker *s = shrinker_alloc(0, "layerblk");

	if (!s)
		return NULL;
	s->private_data = data;
	s->count_objects = count;
	s->scan_objects = scan;
	s->seeks = DEFAULT_SEEKS;
	shrinker_register(s);
	return s;
}
#endif

#endif /* LBK_COMPAT_H */
