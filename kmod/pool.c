// SPDX-License-Identifier: GPL-2.0
/*
 * Open pools: opening and closing, the list of them, and what the engine asks of its host.
 *
 * A pool is in the list from before its engine opens it (so that a second device with the same UUID is refused) until everything
 * of it is gone. Requests find it only while it is open, and closing waits for those that have found it. An open pool holds a
 * reference to the module.
 *
 * Locks: see pool.h.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/suspend.h>

#include "bio.h"
#include "compat.h"
#include "events.h"
#include "layerblk.h"
#include "trace.h"

static LIST_HEAD(lbk_pools);
static DEFINE_MUTEX(lbk_pools_lock);
static DECLARE_WAIT_QUEUE_HEAD(lbk_pools_wait);	/* a pool's users have become fewer */
static bool lbk_resting;				/* the machine is being suspended; lbk_pools_lock */

static_assert((int)LB_EV_LOW_SPACE == LB_EVENT_LOW_SPACE && (int)LB_EV_NO_SPACE == LB_EVENT_NO_SPACE);
static_assert((int)LB_EV_POOL_FAILED == LB_EVENT_POOL_FAILED && (int)LB_EV_POOL_GROWN == LB_EVENT_POOL_GROWN);
static_assert((int)LB_EV_VOL_CREATE == LB_EVENT_VOL_CREATE && (int)LB_EV_VOL_REMOVE == LB_EVENT_VOL_REMOVE);
static_assert((int)LB_EV_VOL_CHANGE == LB_EVENT_VOL_CHANGE && (int)LB_EV_VOL_FREEZE == LB_EVENT_VOL_FREEZE);
static_assert((int)LB_EV_VOL_SNAPSHOT == LB_EVENT_VOL_SNAPSHOT && (int)LB_EV_VOL_ROLLBACK == LB_EVENT_VOL_ROLLBACK);
static_assert((int)LB_EV_SPACE_FREED == LB_EVENT_SPACE_FREED && (int)LB_EV_SCRUB_DONE == LB_EVENT_SCRUB_DONE);

/* ------------------------------------------------------------------ background work */

static bool lbk_pool_ready(struct lbk_pool *pool)
{
	/* Pairs with lbk_pool_set_ready(): who sees it ready sees pool->engine. */
	return smp_load_acquire(&pool->ready);
}

static void lbk_pool_set_ready(struct lbk_pool *pool, bool ready)
{
	/* Pairs with lbk_pool_ready(). */
	smp_store_release(&pool->ready, ready);
}

static void lbk_commit_work(struct work_struct *work)
{
	struct lbk_pool *pool = container_of(work, struct lbk_pool, commit_work.work);
	unsigned int scope;
	u64 due;

	if (!lbk_pool_ready(pool))
		return;
	scope = memalloc_noio_save();
	trace_lbk_commit_begin(pool);
	lb_work_commit(pool->engine);
	trace_lbk_commit_end(pool);
	memalloc_noio_restore(scope);
	due = lb_work_due_ms(pool->engine);
	if (due != ~0ULL)	/* if it has been kicked meanwhile, this changes nothing */
		queue_delayed_work(pool->commit_wq, &pool->commit_work, msecs_to_jiffies(min_t(u64, due, 3600000)) + 1);
}

static void lbk_reclaim_work(struct work_struct *work)
{
	struct lbk_pool *pool = container_of(work, struct lbk_pool, reclaim_work);
	unsigned int scope;

	if (!lbk_pool_ready(pool))
		return;
	scope = memalloc_noio_save();
	trace_lbk_reclaim_begin(pool);
	lb_work_reclaim(pool->engine);
	trace_lbk_reclaim_end(pool);
	memalloc_noio_restore(scope);
}

static void lbk_queues_exit(struct lbk_pool *pool)
{
	struct workqueue_struct **queues[] = {
		&pool->commit_wq, &pool->reclaim_wq, &pool->slow_wq, &pool->flush_wq, &pool->unmap_wq, &pool->unpark_wq,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(queues); i++) {
		if (*queues[i])
			destroy_workqueue(*queues[i]);
		*queues[i] = NULL;
	}
}

static int lbk_queues_init(struct lbk_pool *pool)
{
	unsigned int flags = WQ_MEM_RECLAIM | WQ_UNBOUND;
	const u8 *id = pool->uuid;

	/*
	 * What changes the pool by itself is frozen before a hibernation image is taken: the image has the pool in memory as
	 * it was then, and after the resume it would go on from there, over what a later commit has written. The other queues
	 * work for bios alone; those who send them are stopped first, and may have to wait for some until they can be.
	 */
	pool->commit_wq = alloc_workqueue("lbk-commit/%4phN", flags | WQ_FREEZABLE, 1, id);
	pool->reclaim_wq = alloc_workqueue("lbk-reclaim/%4phN", flags | WQ_FREEZABLE, 1, id);
	pool->slow_wq = alloc_workqueue("lbk-slow/%4phN", flags | WQ_HIGHPRI, 0, id);
	pool->flush_wq = alloc_workqueue("lbk-flush/%4phN", flags | WQ_HIGHPRI, 0, id);
	pool->unmap_wq = alloc_workqueue("lbk-unmap/%4phN", flags, 0, id);
	pool->unpark_wq = alloc_workqueue("lbk-unpark/%4phN", flags | WQ_HIGHPRI, 0, id);
	INIT_DELAYED_WORK(&pool->commit_work, lbk_commit_work);
	INIT_WORK(&pool->reclaim_work, lbk_reclaim_work);
	if (!pool->commit_wq || !pool->reclaim_wq || !pool->slow_wq || !pool->flush_wq || !pool->unmap_wq || !pool->unpark_wq) {
		lbk_queues_exit(pool);
		return -ENOMEM;
	}
	return 0;
}

/* ------------------------------------------------------------------ what the engine asks for */

static void lbk_host_kick(void *host, unsigned int what)
{
	struct lbk_pool *pool = host;

	if (what & LB_KICK_COMMIT)
		mod_delayed_work(pool->commit_wq, &pool->commit_work, 0);
	if (what & LB_KICK_RECLAIM)
		queue_work(pool->reclaim_wq, &pool->reclaim_work);
}

static void lbk_host_hold(void *host, void *vol_host)
{
	lbk_hold(vol_host);
}

static void lbk_host_resume(void *host, void *vol_host)
{
	lbk_resume(vol_host);
}

static void lbk_host_room(void *host, u64 round)
{
	lbk_room_done(host, round);
}

static void lbk_host_event(void *host, enum lb_event_type type, u64 vol, u64 arg, const char *name)
{
	struct lbk_pool *pool = host;

	lbk_event(pool->uuid, type, vol, arg, name);
}

static const struct lb_host_ops lbk_host_ops = {
	.kick		= lbk_host_kick,
	.vol_hold	= lbk_host_hold,
	.vol_resume	= lbk_host_resume,
	.room		= lbk_host_room,
	.event		= lbk_host_event,
};

/* ------------------------------------------------------------------ memory pressure */

static unsigned long lbk_shrink_count(struct shrinker *s, struct shrink_control *sc)
{
	struct lbk_pool *pool = compat_shrinker_data(s);

	return lb_cache_count(pool->engine) ?: SHRINK_EMPTY;
}

static unsigned long lbk_shrink_scan(struct shrinker *s, struct shrink_control *sc)
{
	struct lbk_pool *pool = compat_shrinker_data(s);

	if (!(sc->gfp_mask & __GFP_IO))		/* perhaps the engine's own allocation, under its own lock */
		return SHRINK_STOP;
	return lb_cache_shrink(pool->engine, sc->nr_to_scan);
}

/* ------------------------------------------------------------------ the device */

/*
 * The device has been pulled out. That may be told before there is an engine and after it is gone, so a work sees to it: it finds
 * the engine while the pool is ready, and is queued once more when the pool becomes so.
 */
static void lbk_gone_work(struct work_struct *work)
{
	struct lbk_pool *pool = container_of(work, struct lbk_pool, gone_work);

	if (lbk_pool_ready(pool) && READ_ONCE(pool->gone))
		lb_pool_fail(pool->engine, -EIO, "the device has been removed: using it");
}

static void lbk_device_gone(struct block_device *bdev)
{
	struct lbk_pool *pool = bdev->bd_holder;

	WRITE_ONCE(pool->gone, true);
	pr_warn("layerblk: the device of pool %pU has been removed\n", pool->uuid);
	schedule_work(&pool->gone_work);
}
COMPAT_MARK_DEAD(lbk_device_gone)

static const struct blk_holder_ops lbk_holder_ops = {
	.mark_dead = lbk_device_gone_compat,
};

static int lbk_device_check(struct block_device *bdev, bool read_only)
{
	if (bdev_is_zoned(bdev))
		return -EOPNOTSUPP;
	if (bdev_logical_block_size(bdev) > LB_BLOCK_BYTES)
		return -EOPNOTSUPP;
	if (!read_only && bdev_read_only(bdev))
		return -EROFS;
	return 0;
}

static void lbk_device_put(struct lbk_pool *pool)
{
	bdev_fput(pool->file);
	cancel_work_sync(&pool->gone_work);	/* the claim is given up: it is not queued any more */
}

static int lbk_device_open(struct lbk_pool *pool, dev_t dev)
{
	blk_mode_t mode = pool->read_only ? BLK_OPEN_READ : BLK_OPEN_READ | BLK_OPEN_WRITE;
	int err;

	pool->file = bdev_file_open_by_dev(dev, mode, pool, &lbk_holder_ops);
	if (IS_ERR(pool->file))
		return PTR_ERR(pool->file);
	pool->bdev = file_bdev(pool->file);
	err = lbk_device_check(pool->bdev, pool->read_only);
	if (!err)
		err = port_dev_init(&pool->dev, pool->bdev);
	if (err)
		lbk_device_put(pool);
	return err;
}

static void lbk_device_close(struct lbk_pool *pool)
{
	port_dev_exit(&pool->dev);
	lbk_device_put(pool);
}

/* ------------------------------------------------------------------ the list */

static int lbk_list_add(struct lbk_pool *pool)
{
	struct lbk_pool *p;

	mutex_lock(&lbk_pools_lock);
	list_for_each_entry(p, &lbk_pools, link) {
		if (!memcmp(p->uuid, pool->uuid, sizeof(p->uuid))) {
			mutex_unlock(&lbk_pools_lock);
			return -EBUSY;
		}
	}
	list_add_tail(&pool->link, &lbk_pools);
	mutex_unlock(&lbk_pools_lock);
	return 0;
}

static void lbk_list_del(struct lbk_pool *pool)
{
	mutex_lock(&lbk_pools_lock);
	list_del(&pool->link);
	mutex_unlock(&lbk_pools_lock);
}

struct lbk_pool *lbk_pool_get(const u8 uuid[16])
{
	struct lbk_pool *p, *found = NULL;

	mutex_lock(&lbk_pools_lock);
	list_for_each_entry(p, &lbk_pools, link) {
		if (p->state == LBK_POOL_OPEN && !memcmp(p->uuid, uuid, sizeof(p->uuid)))
			found = p;
	}
	if (found)
		found->users++;
	mutex_unlock(&lbk_pools_lock);
	return found;
}

struct lbk_pool *lbk_pool_next(const u8 uuid[16])
{
	struct lbk_pool *p, *found = NULL;

	mutex_lock(&lbk_pools_lock);
	list_for_each_entry(p, &lbk_pools, link) {
		if (p->state == LBK_POOL_OPEN && memcmp(p->uuid, uuid, sizeof(p->uuid)) > 0 &&
		    (!found || memcmp(p->uuid, found->uuid, sizeof(p->uuid)) < 0))
			found = p;
	}
	if (found)
		found->users++;
	mutex_unlock(&lbk_pools_lock);
	return found;
}

void lbk_pool_put(struct lbk_pool *pool)
{
	mutex_lock(&lbk_pools_lock);
	pool->users--;
	wake_up_all(&lbk_pools_wait);
	mutex_unlock(&lbk_pools_lock);
}

/* ------------------------------------------------------------------ opening */

static void lbk_engine_stop(struct lbk_pool *pool)
{
	lbk_pool_set_ready(pool, false);
	cancel_work_sync(&pool->gone_work);
	cancel_delayed_work_sync(&pool->commit_work);
	cancel_work_sync(&pool->reclaim_work);
}

/* From the queues up; the device is open and the UUID is ours. */
static int lbk_pool_start(struct lbk_pool *pool, unsigned int flags)
{
	int err;

	err = lbk_queues_init(pool);
	if (err)
		return err;
	err = lbk_bio_pools_init(pool);
	if (err)
		goto err_queues;
	lbk_room_init(pool);
	err = lb_pool_open(&pool->dev, flags, &lbk_host_ops, pool, &pool->engine);
	if (err)
		goto err_pools;
	err = -ENOMEM;
	pool->shrinker = compat_shrinker_register(pool, lbk_shrink_count, lbk_shrink_scan);
	if (!pool->shrinker)
		goto err_engine;
	err = lbk_sysfs_add(pool);
	if (err)
		goto err_shrinker;
	lbk_pool_set_ready(pool, true);
	schedule_work(&pool->gone_work);
	lbk_host_kick(pool, LB_KICK_COMMIT | LB_KICK_RECLAIM);
	return 0;

err_shrinker:
	shrinker_free(pool->shrinker);
err_engine:
	lb_pool_close(pool->engine);
err_pools:
	lbk_engine_stop(pool);
	lbk_bio_pools_exit(pool);
err_queues:
	lbk_queues_exit(pool);
	return err;
}

static int lbk_pool_stop(struct lbk_pool *pool)
{
	int err;

	lbk_sysfs_del(pool);
	shrinker_free(pool->shrinker);
	lb_pool_stop(pool->engine, true);
	lbk_engine_stop(pool);
	err = lb_pool_close(pool->engine);
	lbk_engine_stop(pool);		/* what the last commit has kicked */
	lbk_room_exit(pool);
	lbk_bio_pools_exit(pool);
	lbk_queues_exit(pool);
	return err;
}

int lbk_pool_open(dev_t dev, bool read_only, bool fallback, u8 uuid[16])
{
	unsigned int flags = (read_only ? LB_POOL_OPEN_RO : 0) | (fallback ? LB_POOL_OPEN_FALLBACK : 0);
	struct lb_super_info info = { };
	struct lbk_pool *pool;
	int err;

	pool = kvzalloc(sizeof(*pool), GFP_KERNEL);
	if (!pool)
		return -ENOMEM;
	pool->read_only = read_only;
	pool->state = LBK_POOL_OPENING;
	INIT_WORK(&pool->gone_work, lbk_gone_work);
	mutex_init(&pool->disks_lock);
	hash_init(pool->disks);
	err = lbk_device_open(pool, dev);
	if (err)
		goto err_free;
	err = lb_pool_probe(&pool->dev, &info);
	if (err && !(err == -ESTALE && fallback))
		goto err_device;
	memcpy(pool->uuid, info.uuid, sizeof(pool->uuid));
	err = lbk_list_add(pool);
	if (err)
		goto err_device;
	err = lbk_pool_start(pool, flags);
	if (err)
		goto err_list;
	__module_get(THIS_MODULE);
	memcpy(uuid, pool->uuid, sizeof(pool->uuid));
	lbk_event(pool->uuid, LB_EVENT_POOL_OPEN, 0, 0, NULL);
	mutex_lock(&lbk_pools_lock);
	pool->state = LBK_POOL_OPEN;
	if (lbk_resting)
		lb_pool_stop(pool->engine, true);
	mutex_unlock(&lbk_pools_lock);
	return 0;

err_list:
	lbk_list_del(pool);
err_device:
	lbk_device_close(pool);
err_free:
	kvfree(pool);
	return err;
}

/* ------------------------------------------------------------------ closing */

/* Nobody finds it any more, and whoever has found it (but us) has let go of it. */
static int lbk_pool_retire(struct lbk_pool *pool)
{
	int err;

	mutex_lock(&pool->disks_lock);
	err = pool->state == LBK_POOL_OPEN ? lbk_disk_deactivate_all(pool) : -ENODEV;
	if (!err) {
		mutex_lock(&lbk_pools_lock);
		pool->state = LBK_POOL_CLOSING;	/* no disk comes after this: activation looks at it under disks_lock */
		mutex_unlock(&lbk_pools_lock);
	}
	mutex_unlock(&pool->disks_lock);
	if (!err)
		wait_event(lbk_pools_wait, READ_ONCE(pool->users) == 1);
	return err;
}

int lbk_pool_close(const u8 uuid[16])
{
	struct lbk_pool *pool = lbk_pool_get(uuid);
	int err;

	if (!pool)
		return -ENODEV;
	err = lbk_pool_retire(pool);
	if (err) {
		lbk_pool_put(pool);
		return err;
	}
	err = lbk_pool_stop(pool);
	lbk_list_del(pool);
	lbk_device_close(pool);
	lbk_event(uuid, LB_EVENT_POOL_CLOSE, 0, 0, NULL);
	kvfree(pool);
	module_put(THIS_MODULE);
	return err;
}

/* ------------------------------------------------------------------ suspend */

/*
 * The freezable queues must come to rest within seconds, or the suspend is called off. So a scrub or a big deletion stops here, and
 * a commit under way is waited for, while there is no time limit yet; afterwards all goes on.
 */
static void lbk_pool_rest(struct lbk_pool *pool, bool rest)
{
	lb_pool_stop(pool->engine, rest);
	if (rest) {
		flush_delayed_work(&pool->commit_work);
		flush_work(&pool->reclaim_work);
	} else {
		lbk_host_kick(pool, LB_KICK_COMMIT);
	}
}

static int lbk_pm_notify(struct notifier_block *nb, unsigned long event, void *data)
{
	struct lbk_pool *pool;
	u8 uuid[16] = { };
	bool rest;

	switch (event) {
	case PM_HIBERNATION_PREPARE:
	case PM_SUSPEND_PREPARE:
	case PM_RESTORE_PREPARE:
		rest = true;
		break;
	case PM_POST_HIBERNATION:
	case PM_POST_SUSPEND:
	case PM_POST_RESTORE:
		rest = false;
		break;
	default:
		return NOTIFY_DONE;
	}
	mutex_lock(&lbk_pools_lock);
	lbk_resting = rest;		/* for those that are being opened */
	mutex_unlock(&lbk_pools_lock);
	for (pool = lbk_pool_next(uuid); pool; pool = lbk_pool_next(uuid)) {
		memcpy(uuid, pool->uuid, sizeof(uuid));
		lbk_pool_rest(pool, rest);
		lbk_pool_put(pool);
	}
	return NOTIFY_OK;
}

static struct notifier_block lbk_pm_notifier = {
	.notifier_call = lbk_pm_notify,
};

int lbk_pools_init(void)
{
	return register_pm_notifier(&lbk_pm_notifier);
}

void lbk_pools_exit(void)
{
	unregister_pm_notifier(&lbk_pm_notifier);
}
