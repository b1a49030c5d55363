// SPDX-License-Identifier: GPL-2.0
/* Requests about pools. Each holds its pool open while it runs; locks are those of what it calls. */
#include <linux/slab.h>

#include "compat.h"
#include "control.h"
#include "disk.h"
#include "version.h"

int lbk_ioctl_version(void *arg)
{
	struct lb_ioc_version *r = arg;

	r->api_major = LB_API_MAJOR;
	r->api_minor = LB_API_MINOR;
	r->features = LB_FEATURE_EVENTS | LB_FEATURE_SCRUB | LB_FEATURE_DIFF;
	strscpy(r->module_version, LBK_VERSION, sizeof(r->module_version));
	return 0;
}

int lbk_ioctl_pool_open(void *arg)
{
	struct lb_ioc_pool_open *r = arg;

	/* What does not fit must not be cut down to another device's number. */
	if (MAJOR(MKDEV(r->dev_major, r->dev_minor)) != r->dev_major || MINOR(MKDEV(r->dev_major, r->dev_minor)) != r->dev_minor)
		return -EINVAL;
	return lbk_pool_open(MKDEV(r->dev_major, r->dev_minor), r->flags & LB_OPEN_READ_ONLY, r->flags & LB_OPEN_FORCE_FALLBACK,
			     r->uuid);
}

int lbk_ioctl_pool_close(void *arg)
{
	struct lb_ioc_pool_ref *r = arg;

	return lbk_pool_close(r->uuid);
}

static void lbk_fill_counters(struct lb_ioc_pool_status *r, const struct lb_pool_stat *st)
{
	r->cache_bytes = st->cache_bytes;
	r->cache_limit_bytes = st->cache_limit_bytes;
	r->commits = st->commits;
	r->journal_writes = st->journal_writes;
	r->journal_blocks = st->journal_blocks;
	r->device_flushes = st->device_flushes;
	r->meta_reads = st->meta_reads;
	r->meta_writes = st->meta_writes;
	r->scrub_state = st->scrub_state;
	r->scrub_done_blocks = st->scrub_done_blocks;
	r->scrub_errors = st->scrub_errors;
	r->format_version = st->format_version;
	r->created_s = st->created;
}

static int lbk_fill_status(struct lbk_pool *pool, struct lb_ioc_pool_status *r)
{
	struct lb_pool_stat *st = kzalloc(sizeof(*st), GFP_KERNEL);

	if (!st)
		return -ENOMEM;
	lb_pool_stat(pool->engine, st);
	memcpy(r->uuid, pool->uuid, sizeof(r->uuid));
	r->dev_major = MAJOR(pool->bdev->bd_dev);
	r->dev_minor = MINOR(pool->bdev->bd_dev);
	r->state = lbk_pool_state_bits(st);
	r->generation = st->generation;
	r->total_blocks = st->total_blocks;
	r->free_blocks = st->free_blocks;
	r->data_blocks = st->data_blocks;
	r->meta_blocks = st->meta_blocks;
	r->reserved_blocks = st->reserved_blocks;
	r->pending_blocks = st->pending_blocks;
	r->pinned_blocks = st->pinned_blocks;
	r->volumes = st->volumes;
	r->hidden_volumes = st->hidden_volumes;
	r->active_volumes = READ_ONCE(pool->disk_count);
	r->low_water_blocks = st->low_water_blocks;
	r->nospc_timeout_ms = st->nospc_timeout_ms;
	r->commit_interval_ms = st->commit_interval_ms;
	lbk_fill_counters(r, st);
	kfree(st);
	return 0;
}

int lbk_ioctl_pool_status(void *arg)
{
	struct lb_ioc_pool_status *r = arg;
	struct lbk_pool *pool = lbk_pool_get(r->uuid);
	int err;

	if (!pool)
		return -ENODEV;
	err = lbk_fill_status(pool, r);
	lbk_pool_put(pool);
	return err;
}

int lbk_ioctl_pool_next(void *arg)
{
	struct lb_ioc_pool_status *r = arg;
	struct lbk_pool *pool = lbk_pool_next(r->uuid);
	int err;

	if (!pool)
		return -ENOENT;
	err = lbk_fill_status(pool, r);
	lbk_pool_put(pool);
	return err;
}

int lbk_ioctl_pool_set(void *arg)
{
	struct lb_ioc_pool_set *r = arg;
	struct lb_pool_policy policy = {
		.set = r->flags,
		.queue_nospc = r->queue_nospc,
		.nospc_timeout_ms = r->nospc_timeout_ms,
		.low_water_blocks = r->low_water_blocks,
		.commit_interval_ms = r->commit_interval_ms,
		.cache_limit_bytes = r->cache_limit_bytes,
	};
	struct lbk_pool *pool;
	int err;

	BUILD_BUG_ON(LB_POLICY_QUEUE != LB_POOL_SET_QUEUE || LB_POLICY_LOW_WATER != LB_POOL_SET_LOW_WATER ||
		     LB_POLICY_INTERVAL != LB_POOL_SET_INTERVAL || LB_POLICY_CACHE != LB_POOL_SET_CACHE);
	if (r->queue_nospc > 1)
		return -EINVAL;
	if ((r->flags & LB_POOL_SET_INTERVAL) && (r->commit_interval_ms < 100 || r->commit_interval_ms > 3600000))
		return -EINVAL;
	if ((r->flags & LB_POOL_SET_CACHE) && r->cache_limit_bytes < 1 << 20)
		return -EINVAL;
	pool = lbk_pool_get(r->uuid);
	if (!pool)
		return -ENODEV;
	err = lb_pool_set_policy(pool->engine, &policy);
	lbk_pool_put(pool);
	return err;
}

int lbk_ioctl_pool_grow(void *arg)
{
	struct lb_ioc_pool_grow *r = arg;
	struct lbk_pool *pool = lbk_pool_get(r->uuid);
	u64 now = 0;
	int err;

	if (!pool)
		return -ENODEV;
	err = lb_pool_grow(pool->engine, r->total_blocks, &now);
	lbk_pool_put(pool);
	if (!err)
		r->total_blocks = now;
	return err;
}

int lbk_ioctl_pool_sync(void *arg)
{
	struct lb_ioc_pool_ref *r = arg;
	struct lbk_pool *pool = lbk_pool_get(r->uuid);
	int err;

	if (!pool)
		return -ENODEV;
	err = lb_pool_commit(pool->engine);
	lbk_pool_put(pool);
	return err;
}

int lbk_ioctl_pool_scrub(void *arg)
{
	struct lb_ioc_pool_scrub *r = arg;
	struct lbk_pool *pool;
	int err;

	if (r->flags != LB_SCRUB_START && r->flags != LB_SCRUB_STOP)
		return -EINVAL;
	pool = lbk_pool_get(r->uuid);
	if (!pool)
		return -ENODEV;
	err = lb_pool_scrub(pool->engine, r->flags == LB_SCRUB_START);
	lbk_pool_put(pool);
	return err;
}
