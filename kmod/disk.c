// SPDX-License-Identifier: GPL-2.0
/*
 * Disks: activation and deactivation, opening, limits, size.
 *
 * A gendisk outlives deactivation for as long as somebody holds a reference to it; struct lbk_disk goes with it (free_disk), its
 * volume does not. Index and minor are free for others only then. The module waits at its exit for the last one.
 *
 * Locks: see pool.h. Opening takes disk->lock only, for it runs under the block layer's own mutexes.
 */
#include <linux/idr.h>
#include <linux/module.h>

#include "bio.h"
#include "compat.h"
#include "events.h"
#include "layerblk.h"

#define LBK_UNMAP_SECTORS	round_down(UINT_MAX >> SECTOR_SHIFT, LBK_BLOCK_SECTORS)

static int lbk_major;
static DEFINE_IDA(lbk_indices);
static atomic_t lbk_disks_live = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(lbk_disks_gone);

/* ------------------------------------------------------------------ block_device_operations */

static int lbk_disk_open(struct gendisk *gd, blk_mode_t mode)
{
	struct lbk_disk *disk = gd->private_data;
	int err = 0;

	if ((mode & BLK_OPEN_WRITE) && disk->read_only)
		return -EROFS;
	spin_lock_irq(&disk->lock);
	if (disk->exclusive)
		err = -EBUSY;
	else
		disk->openers++;
	spin_unlock_irq(&disk->lock);
	return err;
}
COMPAT_DISK_OPEN(lbk_disk_open)

static void lbk_disk_release(struct gendisk *gd)
{
	lbk_disk_unpin(gd->private_data);
}
COMPAT_DISK_RELEASE(lbk_disk_release)

static int lbk_disk_set_read_only(struct block_device *bdev, bool ro)
{
	struct lbk_disk *disk = bdev->bd_disk->private_data;

	return disk->read_only && !ro ? -EROFS : 0;
}

static void lbk_disk_put_memory(struct lbk_disk *disk)
{
	ida_free(&lbk_indices, disk->index);
	kfree(disk);
	if (atomic_dec_and_test(&lbk_disks_live))
		wake_up_all(&lbk_disks_gone);
}

static void lbk_disk_free(struct gendisk *gd)
{
	lbk_disk_put_memory(gd->private_data);
}

static const struct block_device_operations lbk_disk_ops = {
	.owner		= THIS_MODULE,
	.submit_bio	= lbk_submit_bio,
	.open		= compat_disk_fn(lbk_disk_open),
	.release	= compat_disk_fn(lbk_disk_release),
	.set_read_only	= lbk_disk_set_read_only,
	.free_disk	= lbk_disk_free,
};

/* ------------------------------------------------------------------ attributes: /sys/block/layerblkN/layerblk/ */

static struct lbk_disk *lbk_dev_disk(struct device *dev)
{
	return dev_to_disk(dev)->private_data;
}

static ssize_t pool_uuid_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%pU\n", lbk_dev_disk(dev)->pool->uuid);
}
static DEVICE_ATTR_RO(pool_uuid);

static ssize_t pool_label_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	char label[LB_NAME_MAX + 1];
	u32 len = LB_NAME_MAX;
	int err;

	err = lb_attr_get(lbk_dev_disk(dev)->pool->engine, 0, LBK_LABEL_KEY, strlen(LBK_LABEL_KEY), label, &len);
	if (err)
		len = 0;
	return sysfs_emit(buf, "%.*s\n", (int)len, label);
}
static DEVICE_ATTR_RO(pool_label);

static ssize_t volume_name_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct lbk_disk *disk = lbk_dev_disk(dev);
	struct lb_vol_stat *st = kmalloc(sizeof(*st), GFP_KERNEL);
	ssize_t ret;

	if (!st)
		return -ENOMEM;
	ret = lb_vol_stat(disk->pool->engine, disk->id, false, st);
	if (!ret)
		ret = sysfs_emit(buf, "%.*s\n", (int)st->name_len, st->name);
	kfree(st);
	return ret;
}
static DEVICE_ATTR_RO(volume_name);

static ssize_t volume_id_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", lbk_dev_disk(dev)->id);
}
static DEVICE_ATTR_RO(volume_id);

static struct attribute *lbk_disk_attrs[] = {
	&dev_attr_pool_uuid.attr,
	&dev_attr_pool_label.attr,
	&dev_attr_volume_name.attr,
	&dev_attr_volume_id.attr,
	NULL,
};

static const struct attribute_group lbk_disk_group = {
	.name	= "layerblk",
	.attrs	= lbk_disk_attrs,
};

static const struct attribute_group *lbk_disk_groups[] = {
	&lbk_disk_group,
	NULL,
};

/* ------------------------------------------------------------------ making one */

static struct gendisk *lbk_disk_alloc(struct lbk_disk *disk)
{
	blk_features_t features = BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA | BLK_FEAT_IO_STAT;
	struct block_device *below = disk->below;
	struct queue_limits lim;
	struct gendisk *gd;

	if (bdev_stable_writes(below))
		features |= BLK_FEAT_STABLE_WRITES;
	if (bdev_nowait(below))
		features |= BLK_FEAT_NOWAIT;
	if (compat_bdev_rot(below))
		features |= BLK_FEAT_ROTATIONAL;
	blk_set_stacking_limits(&lim);
	blk_stack_limits(&lim, &bdev_get_queue(below)->limits, get_start_sect(below));
	lim.physical_block_size = max_t(unsigned int, lim.physical_block_size, LB_BLOCK_BYTES);
	lim.io_min = max_t(unsigned int, lim.io_min, LB_BLOCK_BYTES);
	lim.chunk_sectors = 0;		/* of addresses below, not of ours */
	compat_limits_unmap(&lim, LBK_UNMAP_SECTORS, LB_BLOCK_BYTES);
	gd = compat_alloc_disk(&lim, features, NUMA_NO_NODE);
	if (IS_ERR(gd))
		return gd;
	gd->major = lbk_major;
	gd->first_minor = disk->index;
	gd->minors = 1;
	gd->flags |= GENHD_FL_NO_PART;
	gd->fops = &lbk_disk_ops;
	gd->private_data = disk;
	snprintf(gd->disk_name, DISK_NAME_LEN, LB_DISK_PREFIX "%d", disk->index);
	set_capacity(gd, lb_vol_blocks(disk->vol) * LBK_BLOCK_SECTORS);
	set_disk_ro(gd, disk->read_only);
	return gd;
}

/* On failure everything but the memory has been undone. */
static int lbk_disk_add(struct lbk_disk *disk, bool read_only)
{
	int err;

	err = lbk_hold_init(disk);
	if (err)
		return err;
	err = lb_vol_open(disk->pool->engine, disk->id, disk, &disk->vol);
	if (err)
		goto err_hold;
	disk->read_only = read_only || !lb_vol_writable(disk->vol);
	disk->gd = lbk_disk_alloc(disk);
	if (IS_ERR(disk->gd)) {
		err = PTR_ERR(disk->gd);
		goto err_vol;
	}
	err = device_add_disk(NULL, disk->gd, lbk_disk_groups);
	if (err) {
		/* A device for whose name there was no memory is called invalid; nothing else here can be. */
		if (err == -EINVAL)
			err = -ENOMEM;
		goto err_disk;
	}
	disk->linked = !bd_link_disk_holder(disk->below, disk->gd);
	if (!disk->linked)
		pr_warn("layerblk: %s is not listed among the holders of its pool's device\n", disk->gd->disk_name);
	return 0;

err_disk:
	put_disk(disk->gd);
err_vol:
	lb_vol_close(disk->vol);
err_hold:
	lbk_hold_exit(disk);
	return err;
}

int lbk_disk_activate(struct lbk_pool *pool, u64 id, bool read_only, struct lbk_disk **out)
{
	struct lbk_disk *disk;
	int err;

	lockdep_assert_held(&pool->disks_lock);
	disk = lbk_disk_find(pool, id);
	if (disk) {
		*out = disk;
		return 0;
	}
	disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	if (!disk)
		return -ENOMEM;
	disk->pool = pool;
	disk->below = pool->bdev;
	disk->id = id;
	disk->index = ida_alloc_max(&lbk_indices, MINORMASK, GFP_KERNEL);
	if (disk->index < 0) {
		err = disk->index;
		kfree(disk);
		return err;
	}
	atomic_inc(&lbk_disks_live);
	err = lbk_disk_add(disk, read_only);
	if (err) {
		lbk_disk_put_memory(disk);
		return err;
	}
	hash_add(pool->disks, &disk->hash, id);
	pool->disk_count++;
	lbk_event_volume(pool, LB_EVENT_VOL_ACTIVATE, id, disk->index);
	*out = disk;
	return 0;
}

struct lbk_disk *lbk_disk_find(struct lbk_pool *pool, u64 id)
{
	struct lbk_disk *disk;

	lockdep_assert_held(&pool->disks_lock);
	hash_for_each_possible(pool->disks, disk, hash, id) {
		if (disk->id == id)
			return disk;
	}
	return NULL;
}

/* ------------------------------------------------------------------ having one for oneself, and unmaking it */

static bool lbk_disk_claim(struct lbk_disk *disk)
{
	bool ours;

	spin_lock_irq(&disk->lock);
	ours = !disk->openers && !disk->exclusive;
	if (ours)
		disk->exclusive = true;
	spin_unlock_irq(&disk->lock);
	return ours;
}

static void lbk_disk_unclaim(struct lbk_disk *disk)
{
	spin_lock_irq(&disk->lock);
	disk->exclusive = false;
	spin_unlock_irq(&disk->lock);
}

/* No bio is in flight or waiting any more, and none will be. The volume is closed. */
static void lbk_disk_quiet(struct lbk_disk *disk)
{
	lbk_wait_idle(disk);
	lbk_hold(disk);
	lbk_wait_idle(disk);		/* parts that ended in flight may have gone on to a flush */
	lb_vol_close(disk->vol);
	disk->vol = NULL;
}

static void lbk_disk_unlink(struct lbk_disk *disk)
{
	if (disk->linked)
		bd_unlink_disk_holder(disk->below, disk->gd);
	del_gendisk(disk->gd);
	hash_del(&disk->hash);
	disk->pool->disk_count--;
}

/* Claimed. */
static void lbk_disk_drop(struct lbk_disk *disk)
{
	lbk_event_volume(disk->pool, LB_EVENT_VOL_DEACTIVATE, disk->id, disk->index);
	lbk_disk_unlink(disk);
	lbk_disk_quiet(disk);
	lbk_hold_exit(disk);
	put_disk(disk->gd);
}

int lbk_disk_deactivate(struct lbk_disk *disk)
{
	if (!lbk_disk_claim(disk))
		return -EBUSY;
	lbk_disk_drop(disk);
	return 0;
}

int lbk_disk_deactivate_all(struct lbk_pool *pool)
{
	struct lbk_disk *disk, *busy = NULL;
	struct hlist_node *next;
	unsigned int i;

	lockdep_assert_held(&pool->disks_lock);
	hash_for_each(pool->disks, i, disk, hash) {
		if (!lbk_disk_claim(disk)) {
			busy = disk;
			goto undo;
		}
	}
	hash_for_each_safe(pool->disks, i, next, disk, hash)
		lbk_disk_drop(disk);
	return 0;
undo:
	hash_for_each(pool->disks, i, disk, hash) {
		if (disk == busy)
			return -EBUSY;
		lbk_disk_unclaim(disk);
	}
	return -EBUSY;
}

int lbk_disk_suspend(struct lbk_disk *disk)
{
	if (!lbk_disk_claim(disk))
		return -EBUSY;
	lbk_disk_quiet(disk);
	return 0;
}

void lbk_disk_remove(struct lbk_disk *disk)
{
	struct lbk_pool *pool = disk->pool;
	u64 id = disk->id;
	int index = disk->index;

	lbk_disk_unlink(disk);
	lbk_fail_parked(disk);
	lbk_hold_exit(disk);
	put_disk(disk->gd);
	lbk_event(pool->uuid, LB_EVENT_VOL_DEACTIVATE, id, index, NULL);
}

void lbk_disk_resume(struct lbk_disk *disk)
{
	int err;

	err = lb_vol_open(disk->pool->engine, disk->id, disk, &disk->vol);
	if (err) {
		pr_err("layerblk: %s cannot open its volume again (error %d) and is removed\n", disk->gd->disk_name, err);
		disk->vol = NULL;
		lbk_disk_remove(disk);
		return;
	}
	lbk_disk_refresh(disk);
	lbk_resume(disk);
	lbk_disk_unclaim(disk);
}

void lbk_disk_refresh(struct lbk_disk *disk)
{
	set_capacity_and_notify(disk->gd, lb_vol_blocks(disk->vol) * LBK_BLOCK_SECTORS);
	if (!disk->read_only && !lb_vol_writable(disk->vol)) {
		disk->read_only = true;
		set_disk_ro(disk->gd, true);
	}
}

/* ------------------------------------------------------------------ pins */

struct lbk_disk *lbk_disk_pin(struct lbk_pool *pool, u64 id)
{
	struct lbk_disk *disk;

	mutex_lock(&pool->disks_lock);
	disk = lbk_disk_find(pool, id);
	if (disk) {
		/* exclusive is only ever set and cleared under disks_lock, so it is not set here. */
		spin_lock_irq(&disk->lock);
		disk->openers++;
		spin_unlock_irq(&disk->lock);
	}
	mutex_unlock(&pool->disks_lock);
	return disk;
}

void lbk_disk_unpin(struct lbk_disk *disk)
{
	spin_lock_irq(&disk->lock);
	disk->openers--;
	spin_unlock_irq(&disk->lock);
}

void lbk_disk_changed(struct lbk_pool *pool, u64 id)
{
	struct lbk_disk *disk;
	unsigned int i;

	mutex_lock(&pool->disks_lock);
	hash_for_each(pool->disks, i, disk, hash) {
		if (!id || disk->id == id)
			kobject_uevent(&disk_to_dev(disk->gd)->kobj, KOBJ_CHANGE);
	}
	mutex_unlock(&pool->disks_lock);
}

/* ------------------------------------------------------------------ set-up */

int lbk_disk_init(void)
{
	lbk_major = register_blkdev(0, "layerblk");
	return lbk_major < 0 ? lbk_major : 0;
}

void lbk_disk_exit(void)
{
	wait_event(lbk_disks_gone, !atomic_read(&lbk_disks_live));
	unregister_blkdev(lbk_major, "layerblk");
	ida_destroy(&lbk_indices);
}
