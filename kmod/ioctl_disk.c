// SPDX-License-Identifier: GPL-2.0
/* Requests that look at volumes, and that give them a disk or take it away. */
#include <linux/slab.h>

#include "compat.h"
#include "control.h"
#include "disk.h"

/* ------------------------------------------------------------------ looking */

static void lbk_fill_disk(struct lbk_pool *pool, struct lb_vol_info *info)
{
	struct lbk_disk *disk;

	mutex_lock(&pool->disks_lock);
	disk = lbk_disk_find(pool, info->id);
	if (disk) {
		info->flags |= LB_VOL_ACTIVE;
		info->disk_major = MAJOR(disk_devt(disk->gd));
		info->disk_minor = MINOR(disk_devt(disk->gd));
		info->disk_index = disk->index;
		info->open_count = READ_ONCE(disk->openers);
		if (info->open_count)
			info->flags |= LB_VOL_OPEN;
	}
	mutex_unlock(&pool->disks_lock);
}

static void lbk_fill_info(struct lbk_pool *pool, struct lb_vol_info *info, const struct lb_vol_stat *st)
{
	memset(info, 0, sizeof(*info));
	info->id = st->id;
	info->parent = st->parent;
	info->flags = (st->frozen ? LB_VOL_FROZEN : 0) | (st->hidden ? LB_VOL_HIDDEN : 0);
	info->volume_size = st->size_blocks * LB_BLOCK_SIZE;
	info->quota_blocks = st->quota;
	info->owned_blocks = st->owned_blocks;
	info->mapped_blocks = st->mapped_blocks;
	info->meta_blocks = st->meta_blocks;
	info->children = st->children;
	info->origin_generation = st->origin;
	info->frozen_generation = st->frozen;
	info->created_s = st->created;
	info->name_len = min_t(u32, st->name_len, LB_NAME_MAX);
	memcpy(info->name, st->name, info->name_len);
	lbk_fill_disk(pool, info);
}

static int lbk_vol_stat(struct lbk_pool *pool, struct lb_ioc_vol_stat *r, const struct lbk_text *name, struct lb_vol_stat *st)
{
	bool mapped = r->flags & LB_STAT_MAPPED;
	u64 id = r->id;
	int err = 0;

	if (r->flags & LB_STAT_NAME)
		err = lb_vol_find(pool->engine, name->name, &id);
	if (!(r->flags & LB_STAT_NEXT))
		return err ?: lb_vol_stat(pool->engine, id, mapped, st);
	do {		/* one that is removed between the two calls is no longer the next */
		err = lb_vol_next(pool->engine, id, r->flags & LB_STAT_HIDDEN, &id);
		if (err)
			return err;
		err = lb_vol_stat(pool->engine, id, mapped, st);
	} while (err == -ENOENT);
	return err;
}

int lbk_ioctl_vol_stat(void *arg)
{
	struct lb_ioc_vol_stat *r = arg;
	struct lb_vol_stat *st;
	struct lbk_text name;
	struct lbk_pool *pool;
	int err;

	if ((r->flags & LB_STAT_NAME) && (r->flags & LB_STAT_NEXT))
		return -EINVAL;
	if ((r->flags & LB_STAT_HIDDEN) && !(r->flags & LB_STAT_NEXT))
		return -EINVAL;
	if (r->flags & LB_STAT_NAME) {
		err = lbk_text_get(&name, r->name, r->name_len, false);
		if (err)
			return err;
	}
	st = kzalloc(sizeof(*st), GFP_KERNEL);
	if (!st)
		return -ENOMEM;
	err = -ENODEV;
	pool = lbk_pool_get(r->uuid);
	if (pool) {
		err = lbk_vol_stat(pool, r, &name, st);
		if (!err)
			lbk_fill_info(pool, &r->info, st);
		lbk_pool_put(pool);
	}
	kfree(st);
	return err;
}

/* ------------------------------------------------------------------ disks */

int lbk_ioctl_vol_activate(void *arg)
{
	struct lb_ioc_vol_activate *r = arg;
	struct lbk_pool *pool = lbk_pool_get(r->uuid);
	struct lbk_disk *disk;
	int err = -ENODEV;

	if (!pool)
		return err;
	mutex_lock(&pool->disks_lock);
	if (READ_ONCE(pool->state) == LBK_POOL_OPEN)
		err = lbk_disk_activate(pool, r->id, r->flags & LB_ACTIVATE_READ_ONLY, &disk);
	if (!err) {
		r->disk_major = MAJOR(disk_devt(disk->gd));
		r->disk_minor = MINOR(disk_devt(disk->gd));
		r->disk_index = disk->index;
	}
	mutex_unlock(&pool->disks_lock);
	lbk_pool_put(pool);
	return err;
}

/* Not an error when it has no disk, but when there is no such volume. */
int lbk_ioctl_vol_deactivate(void *arg)
{
	struct lb_ioc_vol_activate *r = arg;
	struct lbk_pool *pool = lbk_pool_get(r->uuid);
	struct lb_vol_stat *st;
	struct lbk_disk *disk;
	int err = 0;

	if (!pool)
		return -ENODEV;
	mutex_lock(&pool->disks_lock);
	disk = lbk_disk_find(pool, r->id);
	if (disk)
		err = lbk_disk_deactivate(disk);
	mutex_unlock(&pool->disks_lock);
	if (!disk) {
		st = kzalloc(sizeof(*st), GFP_KERNEL);
		err = st ? lb_vol_stat(pool->engine, r->id, false, st) : -ENOMEM;
		kfree(st);
	}
	lbk_pool_put(pool);
	return err;
}
