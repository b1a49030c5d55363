// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The UAPI header's layout, number by number: compiled for 64 and for 32 bits, so that one module serves both. A change here
 * is a change of the contract.
 */
#include <linux/layerblk.h>

#define SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), "size of " #type)
#define FIELD(type, field, offset) _Static_assert(__builtin_offsetof(struct type, field) == (offset), #type "." #field)
#define REQUEST(name, number) _Static_assert((unsigned int)(name) == (number), #name)

SIZE(lb_ioc_version, 120);
FIELD(lb_ioc_version, size, 0);
FIELD(lb_ioc_version, flags, 4);
FIELD(lb_ioc_version, api_major, 8);
FIELD(lb_ioc_version, api_minor, 12);
FIELD(lb_ioc_version, features, 16);
FIELD(lb_ioc_version, reserved, 24);
FIELD(lb_ioc_version, module_version, 56);

SIZE(lb_ioc_pool_open, 64);
FIELD(lb_ioc_pool_open, size, 0);
FIELD(lb_ioc_pool_open, flags, 4);
FIELD(lb_ioc_pool_open, dev_major, 8);
FIELD(lb_ioc_pool_open, dev_minor, 12);
FIELD(lb_ioc_pool_open, uuid, 16);
FIELD(lb_ioc_pool_open, reserved, 32);

SIZE(lb_ioc_pool_ref, 56);
FIELD(lb_ioc_pool_ref, size, 0);
FIELD(lb_ioc_pool_ref, flags, 4);
FIELD(lb_ioc_pool_ref, uuid, 8);
FIELD(lb_ioc_pool_ref, reserved, 24);

SIZE(lb_ioc_pool_status, 384);
FIELD(lb_ioc_pool_status, size, 0);
FIELD(lb_ioc_pool_status, flags, 4);
FIELD(lb_ioc_pool_status, uuid, 8);
FIELD(lb_ioc_pool_status, dev_major, 24);
FIELD(lb_ioc_pool_status, dev_minor, 28);
FIELD(lb_ioc_pool_status, state, 32);
FIELD(lb_ioc_pool_status, generation, 40);
FIELD(lb_ioc_pool_status, total_blocks, 48);
FIELD(lb_ioc_pool_status, free_blocks, 56);
FIELD(lb_ioc_pool_status, data_blocks, 64);
FIELD(lb_ioc_pool_status, meta_blocks, 72);
FIELD(lb_ioc_pool_status, reserved_blocks, 80);
FIELD(lb_ioc_pool_status, pending_blocks, 88);
FIELD(lb_ioc_pool_status, pinned_blocks, 96);
FIELD(lb_ioc_pool_status, volumes, 104);
FIELD(lb_ioc_pool_status, hidden_volumes, 112);
FIELD(lb_ioc_pool_status, active_volumes, 120);
FIELD(lb_ioc_pool_status, low_water_blocks, 128);
FIELD(lb_ioc_pool_status, nospc_timeout_ms, 136);
FIELD(lb_ioc_pool_status, commit_interval_ms, 144);
FIELD(lb_ioc_pool_status, cache_bytes, 152);
FIELD(lb_ioc_pool_status, cache_limit_bytes, 160);
FIELD(lb_ioc_pool_status, commits, 168);
FIELD(lb_ioc_pool_status, journal_writes, 176);
FIELD(lb_ioc_pool_status, journal_blocks, 184);
FIELD(lb_ioc_pool_status, device_flushes, 192);
FIELD(lb_ioc_pool_status, meta_reads, 200);
FIELD(lb_ioc_pool_status, meta_writes, 208);
FIELD(lb_ioc_pool_status, scrub_state, 216);
FIELD(lb_ioc_pool_status, scrub_done_blocks, 224);
FIELD(lb_ioc_pool_status, scrub_errors, 232);
FIELD(lb_ioc_pool_status, format_version, 240);
FIELD(lb_ioc_pool_status, created_s, 248);
FIELD(lb_ioc_pool_status, reserved, 256);

SIZE(lb_ioc_pool_set, 96);
FIELD(lb_ioc_pool_set, size, 0);
FIELD(lb_ioc_pool_set, flags, 4);
FIELD(lb_ioc_pool_set, uuid, 8);
FIELD(lb_ioc_pool_set, queue_nospc, 24);
FIELD(lb_ioc_pool_set, pad, 28);
FIELD(lb_ioc_pool_set, nospc_timeout_ms, 32);
FIELD(lb_ioc_pool_set, low_water_blocks, 40);
FIELD(lb_ioc_pool_set, commit_interval_ms, 48);
FIELD(lb_ioc_pool_set, cache_limit_bytes, 56);
FIELD(lb_ioc_pool_set, reserved, 64);

SIZE(lb_ioc_pool_grow, 64);
FIELD(lb_ioc_pool_grow, size, 0);
FIELD(lb_ioc_pool_grow, flags, 4);
FIELD(lb_ioc_pool_grow, uuid, 8);
FIELD(lb_ioc_pool_grow, total_blocks, 24);
FIELD(lb_ioc_pool_grow, reserved, 32);

SIZE(lb_ioc_pool_scrub, 56);
FIELD(lb_ioc_pool_scrub, size, 0);
FIELD(lb_ioc_pool_scrub, flags, 4);
FIELD(lb_ioc_pool_scrub, uuid, 8);
FIELD(lb_ioc_pool_scrub, reserved, 24);

SIZE(lb_attr_op, 40);
FIELD(lb_attr_op, volume, 0);
FIELD(lb_attr_op, key, 8);
FIELD(lb_attr_op, value, 16);
FIELD(lb_attr_op, key_len, 24);
FIELD(lb_attr_op, value_len, 28);
FIELD(lb_attr_op, flags, 32);
FIELD(lb_attr_op, pad, 36);

SIZE(lb_attr_ops, 16);
FIELD(lb_attr_ops, ops, 0);
FIELD(lb_attr_ops, count, 8);
FIELD(lb_attr_ops, pad, 12);

SIZE(lb_ioc_vol_create, 112);
FIELD(lb_ioc_vol_create, size, 0);
FIELD(lb_ioc_vol_create, flags, 4);
FIELD(lb_ioc_vol_create, uuid, 8);
FIELD(lb_ioc_vol_create, name, 24);
FIELD(lb_ioc_vol_create, name_len, 32);
FIELD(lb_ioc_vol_create, pad, 36);
FIELD(lb_ioc_vol_create, volume_size, 40);
FIELD(lb_ioc_vol_create, quota_blocks, 48);
FIELD(lb_ioc_vol_create, attrs, 56);
FIELD(lb_ioc_vol_create, id, 72);
FIELD(lb_ioc_vol_create, reserved, 80);

SIZE(lb_ioc_vol_snapshot, 112);
FIELD(lb_ioc_vol_snapshot, size, 0);
FIELD(lb_ioc_vol_snapshot, flags, 4);
FIELD(lb_ioc_vol_snapshot, uuid, 8);
FIELD(lb_ioc_vol_snapshot, source, 24);
FIELD(lb_ioc_vol_snapshot, name, 32);
FIELD(lb_ioc_vol_snapshot, name_len, 40);
FIELD(lb_ioc_vol_snapshot, pad, 44);
FIELD(lb_ioc_vol_snapshot, quota_blocks, 48);
FIELD(lb_ioc_vol_snapshot, attrs, 56);
FIELD(lb_ioc_vol_snapshot, id, 72);
FIELD(lb_ioc_vol_snapshot, reserved, 80);

SIZE(lb_ioc_vol_freeze, 96);
FIELD(lb_ioc_vol_freeze, size, 0);
FIELD(lb_ioc_vol_freeze, flags, 4);
FIELD(lb_ioc_vol_freeze, uuid, 8);
FIELD(lb_ioc_vol_freeze, id, 24);
FIELD(lb_ioc_vol_freeze, name, 32);
FIELD(lb_ioc_vol_freeze, name_len, 40);
FIELD(lb_ioc_vol_freeze, pad, 44);
FIELD(lb_ioc_vol_freeze, attrs, 48);
FIELD(lb_ioc_vol_freeze, reserved, 64);

SIZE(lb_ioc_vol_rm, 80);
FIELD(lb_ioc_vol_rm, size, 0);
FIELD(lb_ioc_vol_rm, flags, 4);
FIELD(lb_ioc_vol_rm, uuid, 8);
FIELD(lb_ioc_vol_rm, id, 24);
FIELD(lb_ioc_vol_rm, attrs, 32);
FIELD(lb_ioc_vol_rm, reserved, 48);

SIZE(lb_ioc_vol_set, 112);
FIELD(lb_ioc_vol_set, size, 0);
FIELD(lb_ioc_vol_set, flags, 4);
FIELD(lb_ioc_vol_set, uuid, 8);
FIELD(lb_ioc_vol_set, id, 24);
FIELD(lb_ioc_vol_set, volume_size, 32);
FIELD(lb_ioc_vol_set, quota_blocks, 40);
FIELD(lb_ioc_vol_set, name, 48);
FIELD(lb_ioc_vol_set, name_len, 56);
FIELD(lb_ioc_vol_set, pad, 60);
FIELD(lb_ioc_vol_set, attrs, 64);
FIELD(lb_ioc_vol_set, reserved, 80);

SIZE(lb_ioc_vol_rollback, 72);
FIELD(lb_ioc_vol_rollback, size, 0);
FIELD(lb_ioc_vol_rollback, flags, 4);
FIELD(lb_ioc_vol_rollback, uuid, 8);
FIELD(lb_ioc_vol_rollback, id, 24);
FIELD(lb_ioc_vol_rollback, snapshot, 32);
FIELD(lb_ioc_vol_rollback, reserved, 40);

SIZE(lb_vol_info, 424);
FIELD(lb_vol_info, id, 0);
FIELD(lb_vol_info, parent, 8);
FIELD(lb_vol_info, flags, 16);
FIELD(lb_vol_info, volume_size, 24);
FIELD(lb_vol_info, quota_blocks, 32);
FIELD(lb_vol_info, owned_blocks, 40);
FIELD(lb_vol_info, mapped_blocks, 48);
FIELD(lb_vol_info, meta_blocks, 56);
FIELD(lb_vol_info, children, 64);
FIELD(lb_vol_info, origin_generation, 72);
FIELD(lb_vol_info, frozen_generation, 80);
FIELD(lb_vol_info, created_s, 88);
FIELD(lb_vol_info, disk_major, 96);
FIELD(lb_vol_info, disk_minor, 100);
FIELD(lb_vol_info, disk_index, 104);
FIELD(lb_vol_info, open_count, 108);
FIELD(lb_vol_info, reserved, 112);
FIELD(lb_vol_info, pad, 160);
FIELD(lb_vol_info, name_len, 164);
FIELD(lb_vol_info, name, 168);

SIZE(lb_ioc_vol_stat, 504);
FIELD(lb_ioc_vol_stat, size, 0);
FIELD(lb_ioc_vol_stat, flags, 4);
FIELD(lb_ioc_vol_stat, uuid, 8);
FIELD(lb_ioc_vol_stat, id, 24);
FIELD(lb_ioc_vol_stat, name, 32);
FIELD(lb_ioc_vol_stat, name_len, 40);
FIELD(lb_ioc_vol_stat, pad, 44);
FIELD(lb_ioc_vol_stat, reserved, 48);
FIELD(lb_ioc_vol_stat, info, 80);

SIZE(lb_ioc_vol_activate, 80);
FIELD(lb_ioc_vol_activate, size, 0);
FIELD(lb_ioc_vol_activate, flags, 4);
FIELD(lb_ioc_vol_activate, uuid, 8);
FIELD(lb_ioc_vol_activate, id, 24);
FIELD(lb_ioc_vol_activate, disk_major, 32);
FIELD(lb_ioc_vol_activate, disk_minor, 36);
FIELD(lb_ioc_vol_activate, disk_index, 40);
FIELD(lb_ioc_vol_activate, pad, 44);
FIELD(lb_ioc_vol_activate, reserved, 48);

SIZE(lb_ioc_attr_get, 88);
FIELD(lb_ioc_attr_get, size, 0);
FIELD(lb_ioc_attr_get, flags, 4);
FIELD(lb_ioc_attr_get, uuid, 8);
FIELD(lb_ioc_attr_get, id, 24);
FIELD(lb_ioc_attr_get, key, 32);
FIELD(lb_ioc_attr_get, value, 40);
FIELD(lb_ioc_attr_get, key_len, 48);
FIELD(lb_ioc_attr_get, value_len, 52);
FIELD(lb_ioc_attr_get, reserved, 56);

SIZE(lb_ioc_attr_next, 80);
FIELD(lb_ioc_attr_next, size, 0);
FIELD(lb_ioc_attr_next, flags, 4);
FIELD(lb_ioc_attr_next, uuid, 8);
FIELD(lb_ioc_attr_next, id, 24);
FIELD(lb_ioc_attr_next, key, 32);
FIELD(lb_ioc_attr_next, key_len, 40);
FIELD(lb_ioc_attr_next, value_len, 44);
FIELD(lb_ioc_attr_next, reserved, 48);

SIZE(lb_range, 16);
FIELD(lb_range, start, 0);
FIELD(lb_range, count, 8);
FIELD(lb_range, flags, 12);

SIZE(lb_ioc_diff, 96);
FIELD(lb_ioc_diff, size, 0);
FIELD(lb_ioc_diff, flags, 4);
FIELD(lb_ioc_diff, uuid, 8);
FIELD(lb_ioc_diff, a, 24);
FIELD(lb_ioc_diff, b, 32);
FIELD(lb_ioc_diff, cursor, 40);
FIELD(lb_ioc_diff, ranges, 48);
FIELD(lb_ioc_diff, count, 56);
FIELD(lb_ioc_diff, pad, 60);
FIELD(lb_ioc_diff, reserved, 64);

SIZE(lb_event, 320);
FIELD(lb_event, size, 0);
FIELD(lb_event, type, 4);
FIELD(lb_event, sequence, 8);
FIELD(lb_event, time_ns, 16);
FIELD(lb_event, uuid, 24);
FIELD(lb_event, volume, 40);
FIELD(lb_event, arg, 48);
FIELD(lb_event, pad, 56);
FIELD(lb_event, name_len, 60);
FIELD(lb_event, name, 64);

REQUEST(LB_IOC_VERSION, 0xc078b700);
REQUEST(LB_IOC_POOL_OPEN, 0xc040b710);
REQUEST(LB_IOC_POOL_CLOSE, 0xc038b711);
REQUEST(LB_IOC_POOL_STATUS, 0xc180b712);
REQUEST(LB_IOC_POOL_NEXT, 0xc180b713);
REQUEST(LB_IOC_POOL_SET, 0xc060b714);
REQUEST(LB_IOC_POOL_GROW, 0xc040b715);
REQUEST(LB_IOC_POOL_SYNC, 0xc038b716);
REQUEST(LB_IOC_POOL_SCRUB, 0xc038b717);
REQUEST(LB_IOC_VOL_CREATE, 0xc070b730);
REQUEST(LB_IOC_VOL_SNAPSHOT, 0xc070b731);
REQUEST(LB_IOC_VOL_FREEZE, 0xc060b732);
REQUEST(LB_IOC_VOL_RM, 0xc050b733);
REQUEST(LB_IOC_VOL_SET, 0xc070b734);
REQUEST(LB_IOC_VOL_ROLLBACK, 0xc048b735);
REQUEST(LB_IOC_VOL_STAT, 0xc1f8b736);
REQUEST(LB_IOC_VOL_ACTIVATE, 0xc050b737);
REQUEST(LB_IOC_VOL_DEACTIVATE, 0xc050b738);
REQUEST(LB_IOC_ATTR_GET, 0xc058b750);
REQUEST(LB_IOC_ATTR_NEXT, 0xc050b751);
REQUEST(LB_IOC_DIFF, 0xc060b760);
