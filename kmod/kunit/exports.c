// SPDX-License-Identifier: GPL-2.0
/*
 * What layerblk.ko lends to layerblk_kunit.ko, in a namespace of its own, where the kernel has KUnit. The tests so run against the very
 * object code, and the very slab caches and workqueues, that a pool is run by; and the engine, which knows nothing of the kernel,
 * needs no word about it. Nothing else may use these: they are no interface.
 */
#include <linux/module.h>

#include "bio.h"
#include "compat.h"

#define LEND(symbol)	COMPAT_EXPORT_NS_GPL(symbol, LAYERBLK_KUNIT)

/* the port */
LEND(port_alloc);
LEND(port_free);
LEND(port_alloc_block);
LEND(port_free_block);
LEND(port_crc32c);
LEND(port_now_ns);
LEND(port_wall_s);
LEND(port_random);
LEND(port_dev_init);
LEND(port_dev_exit);
LEND(port_dev_blocks);
LEND(port_dev_can_discard);
LEND(port_read);
LEND(port_write);
LEND(port_flush);
LEND(port_batch_alloc);
LEND(port_batch_free);
LEND(port_batch_write);
LEND(port_batch_discard);
LEND(port_batch_wait);

/* the engine */
LEND(lb_pool_format);
LEND(lb_pool_probe);
LEND(lb_pool_wipe);
LEND(lb_pool_open);
LEND(lb_pool_close);
LEND(lb_pool_abandon);
LEND(lb_pool_commit);
LEND(lb_pool_stat);
LEND(lb_pool_set_policy);
LEND(lb_pool_grow);
LEND(lb_pool_scrub);
LEND(lb_work_commit);
LEND(lb_work_reclaim);
LEND(lb_work_due_ms);
LEND(lb_cache_count);
LEND(lb_cache_shrink);
LEND(lb_vol_create);
LEND(lb_vol_snapshot);
LEND(lb_vol_freeze);
LEND(lb_vol_remove);
LEND(lb_vol_rollback);
LEND(lb_vol_set);
LEND(lb_vol_stat);
LEND(lb_vol_find);
LEND(lb_vol_next);
LEND(lb_attr_get);
LEND(lb_attr_next);
LEND(lb_diff);
LEND(lb_vol_open);
LEND(lb_vol_close);
LEND(lb_vol_id);
LEND(lb_vol_blocks);
LEND(lb_vol_writable);
LEND(lb_io_enter);
LEND(lb_io_leave);
LEND(lb_read_map);
LEND(lb_write_begin);
LEND(lb_write_end);
LEND(lb_unmap);
LEND(lb_flush_needed);
LEND(lb_flush);
LEND(lb_request_room);
LEND(lb_nospc);

/* the module */
LEND(lbk_pool_open);
LEND(lbk_pool_close);
LEND(lbk_pool_get);
LEND(lbk_pool_put);
LEND(lbk_disk_activate);
LEND(lbk_disk_deactivate);
LEND(lbk_disk_suspend);
LEND(lbk_disk_resume);
LEND(lbk_disk_refresh);
LEND(lbk_hold);
LEND(lbk_resume);
