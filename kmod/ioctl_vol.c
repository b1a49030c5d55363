// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that make, change and remove volumes. The engine makes each durable or undoes it; here is what a volume's disk has to do
 * with it:
 *
 *   - a snapshot of a writable volume settles what lies above its disk first: a mounted file system is frozen and the node's own
 *     page cache written back, and it is thawed on every way out. No lock is held meanwhile; the disk is pinned.
 *   - freeze, removal and rollback need a volume that nobody has open: its disk, if there is one, is set aside (closed for
 *     opening, the engine's volume closed) and comes back afterwards, whether the request has succeeded or not, unless the
 *     volume is gone.
 */
#include <linux/blkdev.h>

#include "compat.h"
#include "control.h"
#include "disk.h"

/* ------------------------------------------------------------------ a disk set aside */

/* 0: *disk is set aside and disks_lock held, or NULL and not. -EBUSY: it is open. */
static int lbk_aside(struct lbk_pool *pool, u64 id, struct lbk_disk **disk)
{
	int err = 0;

	mutex_lock(&pool->disks_lock);
	*disk = lbk_disk_find(pool, id);
	if (*disk)
		err = lbk_disk_suspend(*disk);
	if (!*disk || err)
		mutex_unlock(&pool->disks_lock);
	return err;
}

static void lbk_aside_end(struct lbk_pool *pool, struct lbk_disk *disk, bool gone)
{
	if (!disk)
		return;
	if (gone)
		lbk_disk_remove(disk);
	else
		lbk_disk_resume(disk);
	mutex_unlock(&pool->disks_lock);
}

/* The volume may have got another size, or become frozen, under a disk. */
static void lbk_refresh(struct lbk_pool *pool, u64 id)
{
	struct lbk_disk *disk;

	mutex_lock(&pool->disks_lock);
	disk = lbk_disk_find(pool, id);
	if (disk)
		lbk_disk_refresh(disk);
	mutex_unlock(&pool->disks_lock);
}

/* ------------------------------------------------------------------ what lies above a disk */

/* Freeze what is mounted and write back the node's page cache. *frozen: to be thawed. */
static int lbk_settle(struct lbk_disk *disk, bool *frozen)
{
	struct block_device *bdev = disk->gd->part0;
	int err;

	err = bdev_freeze(bdev);
	*frozen = !err;
	if (err && err != -EBUSY)	/* EBUSY: the caller has frozen it already (FIFREEZE) */
		return err;
	return sync_blockdev(bdev);
}

/* ------------------------------------------------------------------ requests */

static bool lbk_size_ok(u64 bytes)
{
	return bytes && bytes <= LB_VOLUME_SIZE_MAX && !(bytes % LB_BLOCK_SIZE);
}

int lbk_ioctl_vol_create(void *arg)
{
	struct lb_ioc_vol_create *r = arg;
	struct lbk_attrs attrs;
	struct lbk_pool *pool;
	struct lbk_text name;
	int err;

	if (!lbk_size_ok(r->volume_size))
		return -EINVAL;
	err = lbk_text_get(&name, r->name, r->name_len, false);
	if (err)
		return err;
	err = lbk_attrs_get(&attrs, &r->attrs, true);
	if (err)
		return err;
	err = -ENODEV;
	pool = lbk_pool_get(r->uuid);
	if (pool) {
		err = lb_vol_create(pool->engine, name.name, r->volume_size / LB_BLOCK_SIZE, r->quota_blocks, &attrs.tx, &r->id);
		if (!err && lbk_attrs_relabel(&attrs))
			lbk_disk_changed(pool, 0);
		lbk_pool_put(pool);
	}
	lbk_attrs_put(&attrs);
	return err;
}

static int lbk_snapshot(struct lbk_pool *pool, struct lb_ioc_vol_snapshot *r, struct lb_name name, const struct lb_tx *tx)
{
	struct lbk_disk *disk = lbk_disk_pin(pool, r->source);
	bool frozen = false;
	int err = 0;

	if (disk && lb_vol_writable(disk->vol))
		err = lbk_settle(disk, &frozen);
	if (!err)
		err = lb_vol_snapshot(pool->engine, r->source, name, r->flags & LB_SNAP_FROZEN, r->quota_blocks, tx, &r->id);
	if (frozen)
		bdev_thaw(disk->gd->part0);
	if (disk)
		lbk_disk_unpin(disk);
	return err;
}

int lbk_ioctl_vol_snapshot(void *arg)
{
	struct lb_ioc_vol_snapshot *r = arg;
	struct lbk_attrs attrs;
	struct lbk_pool *pool;
	struct lbk_text name;
	int err;

	err = lbk_text_get(&name, r->name, r->name_len, false);
	if (err)
		return err;
	err = lbk_attrs_get(&attrs, &r->attrs, true);
	if (err)
		return err;
	err = -ENODEV;
	pool = lbk_pool_get(r->uuid);
	if (pool) {
		err = lbk_snapshot(pool, r, name.name, &attrs.tx);
		lbk_pool_put(pool);
	}
	lbk_attrs_put(&attrs);
	return err;
}

int lbk_ioctl_vol_freeze(void *arg)
{
	struct lb_ioc_vol_freeze *r = arg;
	struct lbk_disk *disk;
	struct lbk_attrs attrs;
	struct lbk_pool *pool;
	struct lbk_text name;
	int err;

	err = lbk_text_get(&name, r->name, r->name_len, true);
	if (err)
		return err;
	err = lbk_attrs_get(&attrs, &r->attrs, false);
	if (err)
		return err;
	pool = lbk_pool_get(r->uuid);
	if (!pool) {
		lbk_attrs_put(&attrs);
		return -ENODEV;
	}
	err = lbk_aside(pool, r->id, &disk);
	if (!err) {
		err = lb_vol_freeze(pool->engine, r->id, name.name, &attrs.tx);
		lbk_aside_end(pool, disk, false);
	}
	if (!err) {
		lbk_refresh(pool, r->id);	/* should it have been activated meanwhile */
		if (name.name.len)
			lbk_disk_changed(pool, r->id);
	}
	lbk_pool_put(pool);
	lbk_attrs_put(&attrs);
	return err;
}

int lbk_ioctl_vol_rm(void *arg)
{
	struct lb_ioc_vol_rm *r = arg;
	struct lbk_attrs attrs;
	struct lbk_disk *disk;
	struct lbk_pool *pool;
	int err;

	err = lbk_attrs_get(&attrs, &r->attrs, false);
	if (err)
		return err;
	pool = lbk_pool_get(r->uuid);
	if (!pool) {
		lbk_attrs_put(&attrs);
		return -ENODEV;
	}
	err = lbk_aside(pool, r->id, &disk);
	if (!err) {
		err = lb_vol_remove(pool->engine, r->id, r->flags & LB_RM_IF_NO_CHILDREN, &attrs.tx);
		lbk_aside_end(pool, disk, !err);
	}
	lbk_pool_put(pool);
	lbk_attrs_put(&attrs);
	return err;
}

int lbk_ioctl_vol_rollback(void *arg)
{
	struct lb_ioc_vol_rollback *r = arg;
	struct lbk_pool *pool = lbk_pool_get(r->uuid);
	struct lbk_disk *disk;
	int err;

	if (!pool)
		return -ENODEV;
	err = lbk_aside(pool, r->id, &disk);
	if (!err) {
		err = lb_vol_rollback(pool->engine, r->id, r->snapshot);
		lbk_aside_end(pool, disk, false);
	}
	lbk_pool_put(pool);
	return err;
}

static int lbk_vol_set(struct lbk_pool *pool, struct lb_ioc_vol_set *r, struct lb_name name, const struct lbk_attrs *attrs)
{
	struct lb_vol_change change = {
		.set = r->flags,
		.size_blocks = r->volume_size / LB_BLOCK_SIZE,
		.quota = r->quota_blocks,
		.name = name,
	};
	struct lbk_disk *disk;
	int err;

	BUILD_BUG_ON(LB_SET_SIZE != LB_VOL_SET_SIZE || LB_SET_QUOTA != LB_VOL_SET_QUOTA || LB_SET_NAME != LB_VOL_SET_NAME ||
		     LB_SET_SHRINK != LB_VOL_SET_SHRINK);
	disk = lbk_disk_pin(pool, r->id);	/* a shrink holds it */
	err = lb_vol_set(pool->engine, r->id, &change, &attrs->tx);
	if (disk)
		lbk_disk_unpin(disk);
	if (err)
		return err;
	if (r->flags & LB_VOL_SET_SIZE)
		lbk_refresh(pool, r->id);
	if (r->flags & LB_VOL_SET_NAME)
		lbk_disk_changed(pool, r->id);
	if (lbk_attrs_relabel(attrs))
		lbk_disk_changed(pool, 0);
	return 0;
}

int lbk_ioctl_vol_set(void *arg)
{
	struct lb_ioc_vol_set *r = arg;
	struct lbk_text name = { };
	struct lbk_attrs attrs;
	struct lbk_pool *pool;
	int err;

	if (!r->id && r->flags)
		return -EINVAL;
	if ((r->flags & LB_VOL_SET_SIZE) && !lbk_size_ok(r->volume_size))
		return -EINVAL;
	if ((r->flags & LB_VOL_SET_SHRINK) && !(r->flags & LB_VOL_SET_SIZE))
		return -EINVAL;
	if (r->flags & LB_VOL_SET_NAME) {
		err = lbk_text_get(&name, r->name, r->name_len, false);
		if (err)
			return err;
	}
	err = lbk_attrs_get(&attrs, &r->attrs, false);
	if (err)
		return err;
	err = -ENODEV;
	pool = lbk_pool_get(r->uuid);
	if (pool) {
		err = lbk_vol_set(pool, r, name.name, &attrs);
		lbk_pool_put(pool);
	}
	lbk_attrs_put(&attrs);
	return err;
}
