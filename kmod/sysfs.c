// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/fs/layerblk/UUID/: state and counters of an open pool, one number (or word) a file, in the units of struct
 * lb_ioc_pool_status: blocks of 4 KiB unless the name says otherwise.
 *
 * A file's reader keeps the directory from going away, and the pool waits for that before it closes its engine.
 */
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "compat.h"
#include "layerblk.h"
#include "pool.h"

static struct kobject *lbk_root;

u64 lbk_pool_state_bits(const struct lb_pool_stat *st)
{
	return (st->read_only ? LB_POOL_READ_ONLY : 0) | (st->failed ? LB_POOL_FAILED : 0) |
	       (st->queue_nospc ? LB_POOL_QUEUE_NOSPC : 0) | (st->low_space ? LB_POOL_LOW_SPACE : 0) |
	       (st->no_space ? LB_POOL_NO_SPACE : 0);
}

struct lbk_attr {
	struct attribute attr;
	size_t offset;			/* of a u64 in struct lb_pool_stat */
	ssize_t (*show)(struct lbk_pool *pool, const struct lb_pool_stat *st, char *buf);
};

static ssize_t lbk_show_state(struct lbk_pool *pool, const struct lb_pool_stat *st, char *buf)
{
	const char *word = st->failed ? "failed" : st->read_only ? "read-only" : st->no_space ? "full" :
			   st->low_space ? "low" : "ok";

	return sysfs_emit(buf, "%s\n", word);
}

static ssize_t lbk_show_device(struct lbk_pool *pool, const struct lb_pool_stat *st, char *buf)
{
	return sysfs_emit(buf, "%u:%u\n", MAJOR(pool->bdev->bd_dev), MINOR(pool->bdev->bd_dev));
}

static ssize_t lbk_show_active(struct lbk_pool *pool, const struct lb_pool_stat *st, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(pool->disk_count));
}

static ssize_t lbk_show_error(struct lbk_pool *pool, const struct lb_pool_stat *st, char *buf)
{
	return sysfs_emit(buf, "%d\n", st->failed_errno);
}

#define LBK_ATTR(_name, _show)								\
	static struct lbk_attr lbk_attr_##_name = { .attr = { .name = #_name, .mode = 0444 }, .show = _show }
#define LBK_ATTR_U64(_name)								\
	static struct lbk_attr lbk_attr_##_name = { .attr = { .name = #_name, .mode = 0444 },	\
						    .offset = offsetof(struct lb_pool_stat, _name) }

LBK_ATTR(state, lbk_show_state);
LBK_ATTR(device, lbk_show_device);
LBK_ATTR(active_volumes, lbk_show_active);
LBK_ATTR(failed_errno, lbk_show_error);
LBK_ATTR_U64(generation);
LBK_ATTR_U64(total_blocks);
LBK_ATTR_U64(free_blocks);
LBK_ATTR_U64(data_blocks);
LBK_ATTR_U64(meta_blocks);
LBK_ATTR_U64(reserved_blocks);
LBK_ATTR_U64(pending_blocks);
LBK_ATTR_U64(pinned_blocks);
LBK_ATTR_U64(volumes);
LBK_ATTR_U64(hidden_volumes);
LBK_ATTR_U64(cache_bytes);
LBK_ATTR_U64(cache_limit_bytes);
LBK_ATTR_U64(commits);
LBK_ATTR_U64(journal_writes);
LBK_ATTR_U64(journal_blocks);
LBK_ATTR_U64(journal_used_blocks);
LBK_ATTR_U64(journal_total_blocks);
LBK_ATTR_U64(memtable_entries);
LBK_ATTR_U64(device_flushes);
LBK_ATTR_U64(meta_reads);
LBK_ATTR_U64(meta_writes);
LBK_ATTR_U64(scrub_state);
LBK_ATTR_U64(scrub_done_blocks);
LBK_ATTR_U64(scrub_errors);

#define LBK_ENTRY(_name) (&lbk_attr_##_name.attr)
static struct attribute *lbk_pool_attrs[] = {
	LBK_ENTRY(state), LBK_ENTRY(device), LBK_ENTRY(active_volumes), LBK_ENTRY(failed_errno), LBK_ENTRY(generation),
	LBK_ENTRY(total_blocks), LBK_ENTRY(free_blocks), LBK_ENTRY(data_blocks), LBK_ENTRY(meta_blocks),
	LBK_ENTRY(reserved_blocks), LBK_ENTRY(pending_blocks), LBK_ENTRY(pinned_blocks), LBK_ENTRY(volumes),
	LBK_ENTRY(hidden_volumes), LBK_ENTRY(cache_bytes), LBK_ENTRY(cache_limit_bytes), LBK_ENTRY(commits),
	LBK_ENTRY(journal_writes), LBK_ENTRY(journal_blocks), LBK_ENTRY(journal_used_blocks),
	LBK_ENTRY(journal_total_blocks), LBK_ENTRY(memtable_entries), LBK_ENTRY(device_flushes), LBK_ENTRY(meta_reads),
	LBK_ENTRY(meta_writes), LBK_ENTRY(scrub_state), LBK_ENTRY(scrub_done_blocks), LBK_ENTRY(scrub_errors),
	NULL,
};
ATTRIBUTE_GROUPS(lbk_pool);

static ssize_t lbk_attr_show(struct kobject *kobj, struct attribute *attr, char *buf)
{
	struct lbk_pool *pool = container_of(kobj, struct lbk_pool, kobj);
	struct lbk_attr *a = container_of(attr, struct lbk_attr, attr);
	struct lb_pool_stat *st = kzalloc(sizeof(*st), GFP_KERNEL);
	ssize_t ret;

	if (!st)
		return -ENOMEM;
	lb_pool_stat(pool->engine, st);
	ret = a->show ? a->show(pool, st, buf) : sysfs_emit(buf, "%llu\n", *(u64 *)((char *)st + a->offset));
	kfree(st);
	return ret;
}

static const struct sysfs_ops lbk_sysfs_ops = {
	.show = lbk_attr_show,
};

static void lbk_kobj_release(struct kobject *kobj)
{
	complete(&container_of(kobj, struct lbk_pool, kobj)->kobj_done);
}

static const struct kobj_type lbk_pool_type = {
	.release	= lbk_kobj_release,
	.sysfs_ops	= &lbk_sysfs_ops,
	.default_groups	= lbk_pool_groups,
};

int lbk_sysfs_add(struct lbk_pool *pool)
{
	int err;

	init_completion(&pool->kobj_done);
	err = kobject_init_and_add(&pool->kobj, &lbk_pool_type, lbk_root, "%pU", pool->uuid);
	if (err) {
		kobject_put(&pool->kobj);
		wait_for_completion(&pool->kobj_done);
	}
	return err;
}

void lbk_sysfs_del(struct lbk_pool *pool)
{
	kobject_del(&pool->kobj);
	kobject_put(&pool->kobj);
	wait_for_completion(&pool->kobj_done);
}

int lbk_sysfs_init(void)
{
	lbk_root = kobject_create_and_add("layerblk", fs_kobj);
	return lbk_root ? 0 : -ENOMEM;
}

void lbk_sysfs_exit(void)
{
	kobject_put(lbk_root);
}
