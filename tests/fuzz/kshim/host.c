// SPDX-License-Identifier: GPL-2.0
/*
 * What lies below the module's requests, as far as requests see it: block devices that are simulated disks, volumes' disks without bios, no sysfs. The life of a volume's disk is
 * kmod/disk.c's: claimed, pinned, set aside.
 */
#include <stdlib.h>

#include "below.h"
#include "events.h"
#include "layerblk.h"
#include "../pool/guard.h"

int below_freeze_error;

/* ------------------------------------------------------------------ block devices */

static struct below {
	struct guard guard;
	struct block_device bdev;
	struct file *holder;
} devices[BELOW_DISKS];

void below_set(unsigned int i, struct port_dev *sim)
{
	struct below *b = &devices[i % BELOW_DISKS];

	memset(b, 0, sizeof(*b));
	if (!sim)
		return;
	guard_init(&b->guard, sim);
	b->bdev = (struct block_device){ .bd_dev = MKDEV(BELOW_MAJOR, i), .logical = i == 5 ? 8192 : 512, .host = b, .zoned = i == 4 };
}

struct file *bdev_file_open_by_dev(dev_t dev, blk_mode_t mode, void *holder, const struct blk_holder_ops *ops)
{
	struct below *b = &devices[MINOR(dev) % BELOW_DISKS];
	struct file *file;

	kshim_might_sleep();
	if (MAJOR(dev) != BELOW_MAJOR || MINOR(dev) >= BELOW_DISKS || !b->guard.sim)
		return ERR_PTR(-ENXIO);
	if (b->holder)
		return ERR_PTR(-EBUSY);
	file = kzalloc(sizeof(*file), GFP_KERNEL);
	if (!file)
		return ERR_PTR(-ENOMEM);
	file->private_data = &b->bdev;
	b->bdev.bd_holder = holder;
	b->guard.read_only = !(mode & BLK_OPEN_WRITE);
	b->holder = file;
	return file;
}

struct block_device *file_bdev(struct file *file)
{
	return file->private_data;
}

void bdev_fput(struct file *file)
{
	struct below *b = file_bdev(file)->host;

	if (b->holder != file)
		kshim_die("a device is closed that is not open");
	b->holder = NULL;
	kfree(file);
}

/* The pool's port_dev passes everything on to the device's guard. */
static struct port_dev *guard_of(struct port_dev *dev)
{
	struct below *b = lb_container_of(dev, struct lbk_pool, dev)->bdev->host;

	return &b->guard.dev;
}

static u64 dev_blocks(struct port_dev *dev) { return guard_of(dev)->ops->blocks(guard_of(dev)); }
static int dev_read(struct port_dev *dev, u64 block, void *buf) { return guard_of(dev)->ops->read(guard_of(dev), block, buf); }
static int dev_flush(struct port_dev *dev) { return guard_of(dev)->ops->flush(guard_of(dev)); }
static int dev_discard(struct port_dev *dev, u64 block, u64 count) { return guard_of(dev)->ops->discard(guard_of(dev), block, count); }

static int dev_write(struct port_dev *dev, u64 block, void *const *bufs, unsigned int count, unsigned int flags)
{
	return guard_of(dev)->ops->write(guard_of(dev), block, bufs, count, flags);
}

static const struct port_dev_ops dev_ops = {
	.blocks = dev_blocks, .read = dev_read, .write = dev_write, .flush = dev_flush, .discard = dev_discard,
};

int port_dev_init(struct port_dev *dev, struct block_device *bdev)
{
	*dev = (struct port_dev){ .ops = &dev_ops, .check_batches = true };
	return 0;
}

void port_dev_exit(struct port_dev *dev)
{
	dev->ops = NULL;
}

/* ------------------------------------------------------------------ disks of volumes */

#define PINNED_MAX	16u

static struct lbk_disk *opened[PINNED_MAX];	/* by below_open_disk() */

static struct hlist_head *bucket(struct lbk_pool *pool, u64 id)
{
	return &pool->disks[id % ARRAY_SIZE(pool->disks)];
}

struct lbk_disk *lbk_disk_find(struct lbk_pool *pool, u64 id)
{
	struct hlist_node *n;

	if (!pool->disks_lock.held)
		kshim_die("disks_lock is not held");
	for (n = bucket(pool, id)->first; n; n = n->next)
		if (lb_container_of(n, struct lbk_disk, hash)->id == id)
			return lb_container_of(n, struct lbk_disk, hash);
	return NULL;
}

static void unlink_disk(struct lbk_disk *disk)
{
	struct hlist_node **p = &bucket(disk->pool, disk->id)->first;

	for (; *p != &disk->hash; p = &(*p)->next)
		;
	*p = disk->hash.next;
	disk->pool->disk_count--;
}

static void free_disk(struct lbk_disk *disk)
{
	kfree(disk->gd);
	kfree(disk);
}

int lbk_disk_activate(struct lbk_pool *pool, u64 id, bool read_only, struct lbk_disk **out)
{
	static int next_index;
	struct lbk_disk *disk = lbk_disk_find(pool, id);
	int err;

	*out = disk;
	if (disk)
		return 0;
	disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	if (!disk)
		return -ENOMEM;
	disk->pool = pool;
	disk->id = id;
	disk->gd = kzalloc(sizeof(*disk->gd), GFP_KERNEL);
	err = disk->gd ? lb_vol_open(pool->engine, id, disk, &disk->vol) : -ENOMEM;
	if (err) {
		free_disk(disk);
		return err;
	}
	disk->index = next_index++ & 0xfff;
	disk->gd->devt = MKDEV(259, disk->index);
	disk->read_only = read_only || !lb_vol_writable(disk->vol);
	disk->hash.next = bucket(pool, id)->first;
	bucket(pool, id)->first = &disk->hash;
	pool->disk_count++;
	lbk_event_volume(pool, LB_EVENT_VOL_ACTIVATE, id, disk->index);
	*out = disk;
	return 0;
}

static bool claim(struct lbk_disk *disk)
{
	if (disk->openers || disk->exclusive)
		return false;
	disk->exclusive = true;
	return true;
}

int lbk_disk_deactivate(struct lbk_disk *disk)
{
	if (!claim(disk))
		return -EBUSY;
	lbk_event_volume(disk->pool, LB_EVENT_VOL_DEACTIVATE, disk->id, disk->index);
	unlink_disk(disk);
	lb_vol_close(disk->vol);
	free_disk(disk);
	return 0;
}

int lbk_disk_deactivate_all(struct lbk_pool *pool)
{
	unsigned int i;
	int pass, err;

	for (pass = 0; pass < 2; pass++)	/* all or none */
		for (i = 0; i < ARRAY_SIZE(pool->disks); i++) {
			struct hlist_node *n, *next;

			for (n = pool->disks[i].first; n; n = next) {
				struct lbk_disk *disk = lb_container_of(n, struct lbk_disk, hash);

				next = n->next;
				if (!pass && disk->openers)
					return -EBUSY;
				err = pass ? lbk_disk_deactivate(disk) : 0;
				if (err)
					kshim_die("a disk is busy after all");
			}
		}
	return 0;
}

int lbk_disk_suspend(struct lbk_disk *disk)
{
	if (!claim(disk))
		return -EBUSY;
	lb_vol_close(disk->vol);
	disk->vol = NULL;
	return 0;
}

void lbk_disk_remove(struct lbk_disk *disk)
{
	unlink_disk(disk);
	lbk_event(disk->pool->uuid, LB_EVENT_VOL_DEACTIVATE, disk->id, (u64)disk->index, NULL);
	free_disk(disk);
}

void lbk_disk_resume(struct lbk_disk *disk)
{
	if (lb_vol_open(disk->pool->engine, disk->id, disk, &disk->vol)) {
		lbk_disk_remove(disk);
		return;
	}
	lbk_disk_refresh(disk);
	disk->exclusive = false;
}

void lbk_disk_refresh(struct lbk_disk *disk)
{
	disk->read_only |= !lb_vol_writable(disk->vol);
}

struct lbk_disk *lbk_disk_pin(struct lbk_pool *pool, u64 id)
{
	struct lbk_disk *disk;

	mutex_lock(&pool->disks_lock);
	disk = lbk_disk_find(pool, id);
	if (disk)
		disk->openers++;
	mutex_unlock(&pool->disks_lock);
	return disk;
}

void lbk_disk_unpin(struct lbk_disk *disk)
{
	if (!disk->openers--)
		kshim_die("a disk is closed more often than opened");
}

void lbk_disk_changed(struct lbk_pool *pool, u64 id)
{
	mutex_lock(&pool->disks_lock);
	mutex_unlock(&pool->disks_lock);
}

/* No bio is ever in flight. */
void lbk_hold(struct lbk_disk *disk)
{
	if (disk->holds++)
		kshim_die("a volume is held twice");
}

void lbk_resume(struct lbk_disk *disk)
{
	if (disk->holds-- != 1)
		kshim_die("a volume is resumed that is not held");
}

int bdev_freeze(struct block_device *bdev) { return below_freeze_error; }
void bdev_thaw(struct block_device *bdev) { }
int sync_blockdev(struct block_device *bdev) { return 0; }

/* ------------------------------------------------------------------ the rest of the pool */

int lbk_bio_pools_init(struct lbk_pool *pool) { return 0; }
void lbk_bio_pools_exit(struct lbk_pool *pool) { }
void lbk_room_init(struct lbk_pool *pool) { }
void lbk_room_exit(struct lbk_pool *pool) { }
void lbk_room_done(struct lbk_pool *pool, u64 round) { }
int lbk_sysfs_add(struct lbk_pool *pool) { return 0; }
void lbk_sysfs_del(struct lbk_pool *pool) { }

u64 lbk_pool_state_bits(const struct lb_pool_stat *st)
{
	return (st->read_only ? LB_POOL_READ_ONLY : 0) | (st->failed ? LB_POOL_FAILED : 0) | (st->no_space ? LB_POOL_NO_SPACE : 0);
}

/* ------------------------------------------------------------------ for the fuzzer */

void below_open_disk(const u8 uuid[16], u64 id)
{
	struct lbk_pool *pool = lbk_pool_get(uuid);
	unsigned int i;

	for (i = 0; pool && i < PINNED_MAX; i++)
		if (!opened[i]) {
			opened[i] = lbk_disk_pin(pool, id);
			break;
		}
	if (pool)
		lbk_pool_put(pool);
}

void below_close_disks(void)
{
	unsigned int i;

	for (i = 0; i < PINNED_MAX; i++) {
		if (opened[i])
			lbk_disk_unpin(opened[i]);
		opened[i] = NULL;
	}
}

void below_close_pools(void)
{
	u8 uuid[16] = { 0 };
	struct lbk_pool *pool;

	below_close_disks();
	while ((pool = lbk_pool_next(uuid))) {
		memcpy(uuid, pool->uuid, sizeof(uuid));
		lbk_pool_put(pool);
		lbk_pool_close(uuid);
	}
}
