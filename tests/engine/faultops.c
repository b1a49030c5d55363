// SPDX-License-Identifier: GPL-2.0
/*
 * The operations of faultlab.h: all of the engine's public face, in states that make them do all they can do. Each begins on a scene that has just been opened: nothing is in
 * the caches but what setup() leaves there.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "faultlab.h"
#include "pool_priv.h"
#include "port_user.h"

#define B(block) ((u64)(block) * SECTORS)

static struct lb_pool *pool(struct faultlab *l) { return l->h.pool; }

/* ------------------------------------------------------------------ states */

static void forget_nodes(struct faultlab *l)
{
	lb_cache_shrink(pool(l), ~0ull);
}

/* web is open, with entries in no journal, others in the journal, and others in its tree. */
static void web_in_use(struct faultlab *l)
{
	flab_write(l, "web", B(16), B(3));
	if (disk_flush(flab_disk(l, "web")))
		abort();
	model_durable(flab_vol(l, "web"));
	flab_write(l, "web", B(40), B(4));
	flab_write(l, "web", B(17) + 3, 2);
	forget_nodes(l);
}

/* And others have changes, too. */
static void all_in_use(struct faultlab *l)
{
	web_in_use(l);
	flab_write(l, "data", B(101), B(2));
	flab_write(l, "side", B(2), B(1));
	forget_nodes(l);
}

static void data_in_use(struct faultlab *l)
{
	flab_write(l, "data", B(201), B(1));
	flab_write(l, "data", B(11), B(1));
	forget_nodes(l);
}

static void closed_in_use(struct faultlab *l)
{
	all_in_use(l);
	flab_close_disks(l);
}

/* Deletion is due, and nothing else. */
static void time_passes(struct faultlab *l)
{
	port_clock_advance(2000000000ull);
	forget_nodes(l);
}

/* Two deletions and a collapse (snap is hidden, and goes into web) have begun, a leaf at a time. */
static void busy(struct faultlab *l)
{
	flab_remove(l, "gone");
	flab_remove(l, "fat");
	flab_remove(l, "snap");
	if (lb_commit(pool(l), NULL))
		abort();
	assert(pool(l)->hidden_count);
	time_passes(l);
}

static void busy_in_use(struct faultlab *l)
{
	busy(l);
	all_in_use(l);
}

static void unmap_some(struct faultlab *l)
{
	struct model_vol *v = flab_vol(l, "data");

	flab_disk(l, "data");
	model_submit(v, B(20), B(60), 0, false);
	if (disk_discard(v->disk, 20, 60))
		abort();
	model_ack(v, B(20), B(60), 0);
}

static void unmapped(struct faultlab *l)
{
	unmap_some(l);
	time_passes(l);
}

static void busy_unmapped(struct faultlab *l)
{
	busy(l);
	unmapped(l);
}

/* A commit has freed blocks that are not yet reclaimed. */
static void freed(struct faultlab *l)
{
	unmapped(l);
	if (lb_commit(pool(l), NULL))
		abort();
	model_durable_all(l->m);
}

/* ------------------------------------------------------------------ what success does to the model */

static struct model_vol *after_new(struct faultlab *l, struct model *after, const char *name, u64 blocks)
{
	struct model_vol *v = model_slot(after);

	model_vol_init(v, l->next_id, name, blocks);
	return v;
}

static struct model_vol *after_vol(struct faultlab *l, struct model *after, const char *name)
{
	return model_find(after, flab_id(l, name));
}

/* ------------------------------------------------------------------ opening and closing */

static int run_open(struct faultlab *l) { return host_open(&l->h, 0); }
static int run_close(struct faultlab *l) { return host_close(&l->h); }
static void expect_all_durable(struct faultlab *l, struct model *after) { model_durable_all(after); }

/* Read-only: nothing is written; the journal is in memory. Then closed again, for what is to be looked at may be written to. */
static int run_open_ro(struct faultlab *l)
{
	struct port_sim_stat st;
	int err;

	port_sim_reset_stat(l->h.dev);
	err = host_open(&l->h, LB_POOL_OPEN_RO);
	if (err)
		return err;
	err = host_close(&l->h);
	port_sim_get_stat(l->h.dev, &st);
	return err ? err : st.writes ? -EINVAL : 0;
}

static int run_probe(struct faultlab *l)
{
	struct lb_super_info info;
	int err = lb_pool_probe(l->h.dev, &info);

	return !err && info.total_blocks != FLAB_POOL_BLOCKS ? -EINVAL : err;
}

/* ------------------------------------------------------------------ requests on volumes */

static u8 rider_value[2500];
static const struct lb_attr_change rider_change = {
	.vol = LB_NEW_VOLUME, .key = "key1", .key_len = 4, .value = rider_value, .value_len = sizeof(rider_value),
};
static const struct lb_tx rider = { .changes = &rider_change, .count = 1 };
static const struct model_attr rider_attr = { .there = true, .len = sizeof(rider_value), .seed = 77 };

static void with_rider(struct faultlab *l)
{
	model_attr_value(&rider_attr, rider_value);
	forget_nodes(l);
}

static int run_create(struct faultlab *l)
{
	u64 id;

	return lb_vol_create(pool(l), name_of("made"), 64, 0, &rider, &id);
}

static void expect_create(struct faultlab *l, struct model *after)
{
	after_new(l, after, "made", 64)->attrs[1] = rider_attr;
}

static int run_child(struct faultlab *l)
{
	u64 id;

	return lb_vol_snapshot(pool(l), flab_id(l, "snap"), name_of("made"), false, 20, &rider, &id);
}

static void expect_child(struct faultlab *l, struct model *after)
{
	struct model_vol *from = after_vol(l, after, "snap"), *v = after_new(l, after, "made", from->blocks);

	model_content_copy(v, from);
	v->parent = from->id;
	v->quota = 20;
	v->attrs[1] = rider_attr;
}

static int run_child_frozen(struct faultlab *l)
{
	u64 id;

	return lb_vol_snapshot(pool(l), flab_id(l, "fat"), name_of("made"), true, 0, NULL, &id);
}

static void expect_child_frozen(struct faultlab *l, struct model *after)
{
	struct model_vol *from = after_vol(l, after, "fat"), *v = after_new(l, after, "made", from->blocks);

	model_content_copy(v, from);
	v->parent = from->id;
	v->frozen = true;
}

static void snapshot_in_use(struct faultlab *l)
{
	with_rider(l);
	all_in_use(l);
}

static int run_snapshot(struct faultlab *l)
{
	u64 id;

	return lb_vol_snapshot(pool(l), flab_id(l, "web"), name_of("made"), true, 0, &rider, &id);
}

static void expect_snapshot(struct faultlab *l, struct model *after)
{
	struct model_vol *from = after_vol(l, after, "web"), *v = after_new(l, after, "made", from->blocks);

	model_content_copy(v, from);
	model_durable(v);
	model_durable(from);
	v->frozen = true;
	v->parent = from->parent;
	v->attrs[1] = rider_attr;
	from->parent = v->id;
}

static int run_freeze(struct faultlab *l)
{
	return lb_vol_freeze(pool(l), flab_id(l, "web"), name_of("cold"), NULL);
}

static void expect_freeze(struct faultlab *l, struct model *after)
{
	struct model_vol *v = after_vol(l, after, "web");

	model_durable_all(after);
	v->frozen = true;
	strcpy(v->name, "cold");
}

static int remove_vol(struct faultlab *l, const char *name)
{
	return lb_vol_remove(pool(l), flab_id(l, name), false, NULL);
}

static void expect_removed(struct faultlab *l, struct model *after, const char *name)
{
	struct model_vol *v = after_vol(l, after, name);
	unsigned int i;

	for (i = 0; i < MODEL_VOLS; i++)
		if (after->vols[i].live && after->vols[i].parent == v->id)
			after->vols[i].parent = v->parent;
	model_vol_clear(v);
}

static int run_remove(struct faultlab *l) { return remove_vol(l, "data"); }
static void expect_remove(struct faultlab *l, struct model *after) { expect_removed(l, after, "data"); }
static int run_remove_parent(struct faultlab *l) { return remove_vol(l, "mid"); }
static void expect_remove_parent(struct faultlab *l, struct model *after) { expect_removed(l, after, "mid"); }

static void data_closed_in_use(struct faultlab *l)
{
	data_in_use(l);
	flab_close_disks(l);
}

static int run_rollback(struct faultlab *l)
{
	return lb_vol_rollback(pool(l), flab_id(l, "web"), flab_id(l, "mid"));
}

static void expect_rollback(struct faultlab *l, struct model *after)
{
	struct model_vol *v = after_vol(l, after, "web"), *to = after_vol(l, after, "mid");

	model_durable_all(after);
	model_content_copy(v, to);
	v->parent = to->id;
}

/* ------------------------------------------------------------------ sizes, names, attributes */

static int set_size(struct faultlab *l, u64 blocks, unsigned int how)
{
	const struct lb_vol_change ch = { .set = LB_SET_SIZE | LB_SET_QUOTA | how, .size_blocks = blocks, .quota = 300 };

	return lb_vol_set(pool(l), flab_id(l, "data"), &ch, NULL);
}

static void expect_size(struct faultlab *l, struct model *after, u64 blocks)
{
	struct model_vol *v = after_vol(l, after, "data");

	model_resize(v, blocks);
	v->quota = 300;
}

static int run_enlarge(struct faultlab *l) { return set_size(l, FLAB_WIDE + 100, 0); }
static void expect_enlarge(struct faultlab *l, struct model *after) { expect_size(l, after, FLAB_WIDE + 100); }
static int run_shrink(struct faultlab *l) { return set_size(l, 90, LB_SET_SHRINK); }

static void expect_shrink(struct faultlab *l, struct model *after)
{
	model_durable_all(after);
	expect_size(l, after, 90);
}

static int run_rename(struct faultlab *l)
{
	const struct lb_vol_change ch = { .set = LB_SET_NAME, .name = name_of("another") };

	return lb_vol_set(pool(l), flab_id(l, "base"), &ch, NULL);
}

static void expect_rename(struct faultlab *l, struct model *after)
{
	strcpy(after_vol(l, after, "base")->name, "another");
}

static struct lb_attr_change large_change = { .key = "key0", .key_len = 4, .value_len = 9000 };
static const struct model_attr large_attr = { .there = true, .len = 9000, .seed = 5 };
static u8 large_value[9000];

static int run_set_attr(struct faultlab *l)
{
	const struct lb_tx tx = { .changes = &large_change, .count = 1 };

	model_attr_value(&large_attr, large_value);
	large_change.vol = flab_id(l, "base");
	large_change.value = large_value;
	large_change.flags = 0;
	return lb_vol_set(pool(l), large_change.vol, NULL, &tx);
}

static void expect_set_attr(struct faultlab *l, struct model *after)
{
	after_vol(l, after, "base")->attrs[0] = large_attr;
}

static int run_delete_attr(struct faultlab *l)
{
	const struct lb_attr_change ch = { .vol = flab_id(l, "base"), .key = "key0", .key_len = 4, .flags = LB_CHANGE_DELETE | LB_CHANGE_MUST_EXIST };
	const struct lb_tx tx = { .changes = &ch, .count = 1 };

	return lb_vol_set(pool(l), 0, NULL, &tx);
}

static void expect_delete_attr(struct faultlab *l, struct model *after)
{
	after_vol(l, after, "base")->attrs[0].there = false;
}

static int run_get_attr(struct faultlab *l)
{
	u32 len = sizeof(large_value);
	int err = lb_attr_get(pool(l), flab_id(l, "base"), "key0", 4, large_value, &len);

	return !err && len != 3000 ? -EINVAL : err;
}

static int run_list_attrs(struct faultlab *l)
{
	u32 key_len = 0, value_len;
	unsigned int n = 0;
	char key[256];
	int err;

	while (!(err = lb_attr_next(pool(l), flab_id(l, "web"), key, &key_len, &value_len)))
		n++;
	return err != -ENOENT ? err : n == 1 ? 0 : -EINVAL;
}

/* ------------------------------------------------------------------ questions */

static int run_stat(struct faultlab *l)
{
	struct lb_vol_stat st;
	int err = lb_vol_stat(pool(l), flab_id(l, "data"), true, &st);

	return !err && st.mapped_blocks != FLAB_WIDE / 2 ? -EINVAL : err;
}

static int run_list(struct faultlab *l)
{
	u64 id = 0, found;
	unsigned int n = 0;
	int err;

	while (!(err = lb_vol_next(pool(l), id, true, &id)))
		n++;
	if (err == -ENOENT)
		err = n == 9 ? lb_vol_find(pool(l), name_of("thin"), &found) : -EINVAL;
	return err;
}

static int run_diff(struct faultlab *l)
{
	struct lb_diff_range r[8];
	u64 cursor = 0;
	unsigned int n;
	int err = 0;

	while (!err && cursor != ~0ull) {
		n = ARRAY_SIZE(r);
		err = lb_diff(pool(l), flab_id(l, "base"), flab_id(l, "fat"), &cursor, r, &n);
	}
	return err;
}

/* What it says of damage is test_lies' affair. */
static int run_scrub(struct faultlab *l)
{
	int err = lb_pool_scrub(pool(l), true);

	if (!err)
		lb_work_commit(pool(l));
	return err;
}

/* ------------------------------------------------------------------ I/O */

static int run_read(struct faultlab *l)
{
	u8 *buf = malloc(FLAB_WIDE * LB_BLOCK_BYTES);
	int err;

	assert(buf);
	err = disk_read(flab_vol(l, "data")->disk, 0, FLAB_WIDE * SECTORS, buf);
	free(buf);
	return err;
}

static void expect_in_place(struct faultlab *l, struct model *after) { flab_plan_io(l, after, "web", B(16), B(2), 0, false); }
static void expect_first(struct faultlab *l, struct model *after) { flab_plan_io(l, after, "web", B(30), B(3), 0, false); }
static void expect_partial(struct faultlab *l, struct model *after) { flab_plan_io(l, after, "web", B(34) + 2, 4, 0, false); }
/* From the middle of a block of its own over shared ones into a hole. */
static void expect_overlap(struct faultlab *l, struct model *after) { flab_plan_io(l, after, "web", B(12) + 5, B(31), 0, false); }
static void expect_scattered(struct faultlab *l, struct model *after) { flab_plan_io(l, after, "data", B(90) + 1, B(40), 0, false); }
static void expect_fua(struct faultlab *l, struct model *after) { flab_plan_io(l, after, "web", B(28), B(2), DISK_FUA, false); }
static void expect_preflush_fua(struct faultlab *l, struct model *after) { flab_plan_io(l, after, "web", B(16), B(1), DISK_FUA | DISK_PREFLUSH, false); }
static void expect_discard(struct faultlab *l, struct model *after) { flab_plan_io(l, after, "web", B(3), B(39), 0, true); }
static void expect_discard_wide(struct faultlab *l, struct model *after) { flab_plan_io(l, after, "data", B(50), B(300), 0, true); }

static int run_flush(struct faultlab *l) { return disk_flush(flab_vol(l, "web")->disk); }
static void expect_flush(struct faultlab *l, struct model *after) { model_durable(after_vol(l, after, "web")); }

static int run_vol_open(struct faultlab *l)
{
	struct disk d;
	int err = disk_open(&l->h, flab_id(l, "thin"), &d);

	if (!err)
		disk_close(&d);
	return err;
}

/* ------------------------------------------------------------------ the pool */

static int run_commit(struct faultlab *l) { return lb_pool_commit(pool(l)); }

static int run_work(struct faultlab *l)
{
	lb_work_commit(pool(l));
	lb_work_reclaim(pool(l));
	return 0;
}

/* Whatever came in between, deletions and collapses come to their end, and their volumes are gone. */
static bool holds_work(struct faultlab *l, bool done)
{
	unsigned int rounds, known = 0, listed = 0, i;
	u64 id = 0;

	for (rounds = 0; done && rounds < 100 && pool(l)->hidden_count; rounds++) {
		port_clock_advance(2000000000ull);
		run_work(l);
	}
	for (i = 0; i < MODEL_VOLS; i++)
		known += l->m->vols[i].live;
	while (!lb_vol_next(pool(l), id, true, &id))
		listed++;
	return !done || listed == known;
}

static int run_reclaim(struct faultlab *l)
{
	lb_work_reclaim(pool(l));
	return 0;
}

static int run_suspend(struct faultlab *l)
{
	int err;

	lb_pool_stop(pool(l), true);
	lb_work_commit(pool(l));
	err = lb_pool_commit(pool(l));
	lb_pool_stop(pool(l), false);
	return err;
}

static int run_room(struct faultlab *l)
{
	u64 round = lb_request_room(pool(l), -ENOSPC);

	lb_work_commit(pool(l));
	lb_work_reclaim(pool(l));
	return l->h.room < round ? -EINVAL : 0;
}

static int run_grow(struct faultlab *l)
{
	u64 now;
	int err = lb_pool_grow(pool(l), 0, &now);

	return !err && now != FLAB_DEVICE_BLOCKS ? -EINVAL : err;
}

static void expect_grow(struct faultlab *l, struct model *after)
{
	after->total_blocks = FLAB_DEVICE_BLOCKS;
}

static int run_policy(struct faultlab *l)
{
	const struct lb_pool_policy policy = { .set = LB_POLICY_QUEUE | LB_POLICY_INTERVAL, .queue_nospc = true, .nospc_timeout_ms = 5000,
					       .commit_interval_ms = 1234 };

	return lb_pool_set_policy(pool(l), &policy);
}

static bool holds_policy(struct faultlab *l, bool done)
{
	struct lb_pool_stat st;

	lb_pool_stat(pool(l), &st);
	return st.queue_nospc == done && (st.commit_interval_ms == 1234) == done;
}

/* ------------------------------------------------------------------ all of them */

const struct fault_op fault_ops[] = {
	{ "open", SCENE_CLEAN, OP_OPENS, NULL, NULL, run_open, NULL },
	{ "open-replay", SCENE_JOURNAL, OP_OPENS, NULL, NULL, run_open, NULL },
	{ "open-busy", SCENE_BUSY, OP_OPENS, NULL, NULL, run_open, NULL },
	{ "open-read-only", SCENE_JOURNAL, OP_OPENS, NULL, NULL, run_open_ro, NULL },
	{ "probe", SCENE_CLEAN, OP_OPENS, NULL, NULL, run_probe, NULL },
	{ "close", SCENE_CLEAN, OP_CLOSES | OP_COMMITS, closed_in_use, expect_all_durable, run_close, NULL },
	{ "create", SCENE_CLEAN, OP_JOURNALS, with_rider, expect_create, run_create, NULL },
	{ "child", SCENE_CLEAN, OP_JOURNALS, with_rider, expect_child, run_child, NULL },
	{ "child-frozen", SCENE_CLEAN, OP_JOURNALS, forget_nodes, expect_child_frozen, run_child_frozen, NULL },
	{ "snapshot", SCENE_CLEAN, OP_JOURNALS, snapshot_in_use, expect_snapshot, run_snapshot, NULL },
	{ "freeze", SCENE_CLEAN, OP_COMMITS, all_in_use, expect_freeze, run_freeze, NULL },
	{ "remove", SCENE_CLEAN, OP_JOURNALS, data_closed_in_use, expect_remove, run_remove, NULL },
	{ "remove-parent", SCENE_CLEAN, OP_JOURNALS, web_in_use, expect_remove_parent, run_remove_parent, NULL },
	{ "rollback", SCENE_CLEAN, OP_COMMITS, closed_in_use, expect_rollback, run_rollback, NULL },
	{ "enlarge", SCENE_CLEAN, OP_JOURNALS, data_in_use, expect_enlarge, run_enlarge, NULL },
	{ "shrink", SCENE_CLEAN, OP_COMMITS, data_in_use, expect_shrink, run_shrink, NULL },
	{ "rename", SCENE_CLEAN, OP_JOURNALS, forget_nodes, expect_rename, run_rename, NULL },
	{ "set-attribute", SCENE_CLEAN, OP_JOURNALS, forget_nodes, expect_set_attr, run_set_attr, NULL },
	{ "delete-attribute", SCENE_CLEAN, OP_JOURNALS, forget_nodes, expect_delete_attr, run_delete_attr, NULL },
	{ "get-attribute", SCENE_CLEAN, 0, forget_nodes, NULL, run_get_attr, NULL },
	{ "list-attributes", SCENE_CLEAN, 0, forget_nodes, NULL, run_list_attrs, NULL },
	{ "stat", SCENE_CLEAN, OP_COMMITS | OP_VOID, forget_nodes, NULL, run_stat, NULL },
	{ "list", SCENE_CLEAN, 0, forget_nodes, NULL, run_list, NULL },
	{ "diff", SCENE_CLEAN, 0, forget_nodes, NULL, run_diff, NULL },
	{ "scrub", SCENE_CLEAN, OP_VOID, web_in_use, NULL, run_scrub, NULL },
	{ "read", SCENE_CLEAN, 0, data_in_use, NULL, run_read, NULL },
	{ "write-in-place", SCENE_CLEAN, 0, web_in_use, expect_in_place, flab_do_io, NULL },
	{ "write-first", SCENE_CLEAN, 0, web_in_use, expect_first, flab_do_io, NULL },
	{ "write-partial", SCENE_CLEAN, 0, web_in_use, expect_partial, flab_do_io, NULL },
	{ "write-overlap", SCENE_CLEAN, 0, web_in_use, expect_overlap, flab_do_io, NULL },
	{ "write-scattered", SCENE_CLEAN, 0, data_in_use, expect_scattered, flab_do_io, NULL },
	{ "write-fua", SCENE_CLEAN, OP_JOURNALS, web_in_use, expect_fua, flab_do_io, NULL },
	{ "write-preflush", SCENE_CLEAN, OP_JOURNALS, web_in_use, expect_preflush_fua, flab_do_io, NULL },
	{ "discard", SCENE_CLEAN, 0, web_in_use, expect_discard, flab_do_io, NULL },
	{ "discard-wide", SCENE_CLEAN, 0, data_in_use, expect_discard_wide, flab_do_io, NULL },
	{ "flush", SCENE_CLEAN, OP_JOURNALS, all_in_use, expect_flush, run_flush, NULL },
	{ "open-volume", SCENE_CLEAN, 0, forget_nodes, NULL, run_vol_open, NULL },
	{ "commit", SCENE_CLEAN, OP_COMMITS, all_in_use, expect_all_durable, run_commit, NULL },
	{ "commit-unmaps", SCENE_CLEAN, OP_COMMITS, unmapped, expect_all_durable, run_commit, NULL },
	{ "commit-busy", SCENE_CLEAN, OP_COMMITS, busy_in_use, expect_all_durable, run_commit, NULL },
	{ "work", SCENE_CLEAN, OP_COMMITS | OP_VOID, busy, NULL, run_work, holds_work },
	{ "reclaim", SCENE_CLEAN, OP_VOID, freed, NULL, run_reclaim, NULL },
	{ "room", SCENE_CLEAN, OP_COMMITS | OP_VOID, busy_unmapped, NULL, run_room, NULL },
	{ "suspend", SCENE_CLEAN, OP_COMMITS, busy_in_use, expect_all_durable, run_suspend, NULL },
	{ "grow", SCENE_CLEAN, OP_COMMITS, all_in_use, expect_grow, run_grow, NULL },
	{ "policy", SCENE_CLEAN, OP_COMMITS, forget_nodes, NULL, run_policy, holds_policy },
};
const unsigned int fault_op_count = ARRAY_SIZE(fault_ops);
