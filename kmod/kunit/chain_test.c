// SPDX-License-Identifier: GPL-2.0
/* The engine on the kernel's port: volumes that descend from each other, deletion and collapse, power cuts, and threads. */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "lab.h"

/* ------------------------------------------------------------------ snapshots */

static void a_child_of_a_frozen_volume(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 base = el_create(l, "base", 256), a, b;

	el_fill(l, base, 0, 128, 1);
	KUNIT_ASSERT_EQ(test, lb_vol_freeze(l->pool, base, lab_name(""), NULL), 0);
	a = el_snapshot(l, base, "a");
	b = el_snapshot(l, base, "b");
	el_fill(l, a, 0, 16, 2);
	el_fill(l, b, 8, 16, 3);
	el_reopen(l);
	el_expect_vol(l, base, 0, 128, 1);
	el_expect_vol(l, a, 0, 16, 2);
	el_expect_vol(l, a, 16, 112, 1);
	el_expect_vol(l, b, 0, 8, 1);
	el_expect_vol(l, b, 8, 16, 3);
	el_expect_vol(l, b, 24, 104, 1);
	el_expect_vol(l, b, 128, 128, 0);
}

static void a_snapshot_of_an_open_volume(struct kunit *test)
{
	struct englab *l = test->priv;
	struct lb_vol *vol = el_vol_open(l, el_create(l, "v", 64));
	u64 s1, s2;

	el_write(l, vol, 0, 32, 1);
	s1 = el_snapshot(l, lb_vol_id(vol), "s1");
	KUNIT_EXPECT_EQ(test, l->holds, 1u);
	KUNIT_EXPECT_EQ(test, l->resumes, 1u);
	el_write(l, vol, 16, 32, 2);
	s2 = el_snapshot(l, lb_vol_id(vol), "s2");
	KUNIT_EXPECT_EQ(test, el_try_unmap(l, vol, 0, 8), 0);
	el_write(l, vol, 40, 1, 3);
	el_expect_vol(l, s1, 0, 32, 1);
	el_expect_vol(l, s1, 32, 32, 0);
	el_expect_vol(l, s2, 0, 16, 1);
	el_expect_vol(l, s2, 16, 32, 2);
	el_expect(l, vol, 0, 8, 0);
	el_expect(l, vol, 8, 8, 1);
	el_expect(l, vol, 16, 24, 2);
	el_expect(l, vol, 40, 1, 3);
	el_power_cut(l);		/* a snapshot is durable, with all that was written before */
	el_expect_vol(l, s1, 0, 32, 1);
	el_expect_vol(l, s2, 16, 32, 2);
}

static void a_rollback(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 v = el_create(l, "v", 64), s;

	el_fill(l, v, 0, 32, 1);
	s = el_snapshot(l, v, "s");
	el_fill(l, v, 0, 64, 2);
	KUNIT_EXPECT_EQ(test, lb_vol_rollback(l->pool, v, s), 0);
	el_expect_vol(l, v, 0, 32, 1);
	el_expect_vol(l, v, 32, 32, 0);
	el_fill(l, v, 0, 1, 4);
	el_power_cut(l);
	el_expect_vol(l, s, 0, 32, 1);
	el_expect_vol(l, v, 1, 31, 1);
}

static void deleting_gives_everything_back(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 base = el_create(l, "base", 1024), a, data, meta;

	el_fill(l, base, 0, 512, 1);
	KUNIT_ASSERT_EQ(test, lb_vol_freeze(l->pool, base, lab_name(""), NULL), 0);
	el_settle(l);
	data = el_stat(l)->data_blocks;
	meta = el_stat(l)->meta_blocks;
	a = el_snapshot(l, base, "a");
	el_fill(l, a, 256, 512, 2);
	el_settle(l);
	KUNIT_EXPECT_EQ(test, el_stat(l)->data_blocks, data + 512);
	KUNIT_EXPECT_EQ(test, lb_vol_remove(l->pool, a, false, NULL), 0);
	el_settle(l);
	KUNIT_EXPECT_EQ(test, el_stat(l)->data_blocks, data);
	KUNIT_EXPECT_EQ(test, el_stat(l)->meta_blocks, meta);
	KUNIT_EXPECT_EQ(test, el_stat(l)->hidden_volumes, 0ULL);
	el_expect_vol(l, base, 0, 512, 1);
}

static void a_volume_in_the_middle_collapses_into_its_child(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 base = el_create(l, "base", 2048), mid, top;
	struct lb_vol *vol;

	el_fill(l, base, 0, 512, 1);
	KUNIT_ASSERT_EQ(test, lb_vol_freeze(l->pool, base, lab_name(""), NULL), 0);
	mid = el_snapshot(l, base, "mid");
	el_fill(l, mid, 256, 512, 2);
	KUNIT_ASSERT_EQ(test, lb_vol_freeze(l->pool, mid, lab_name(""), NULL), 0);
	top = el_snapshot(l, mid, "top");
	vol = el_vol_open(l, top);
	el_write(l, vol, 512, 512, 3);
	KUNIT_EXPECT_EQ(test, lb_vol_remove(l->pool, mid, true, NULL), -EBUSY);
	KUNIT_EXPECT_EQ(test, lb_vol_remove(l->pool, mid, false, NULL), 0);
	lb_work_commit(l->pool);			/* steps, and writes between them */
	el_write(l, vol, 300, 10, 4);
	el_settle(l);
	KUNIT_EXPECT_EQ(test, el_stat(l)->hidden_volumes, 0ULL);
	KUNIT_EXPECT_EQ(test, el_stat(l)->data_blocks, 512 + 256 + 512ULL);
	el_expect(l, vol, 0, 256, 1);
	el_expect(l, vol, 256, 44, 2);
	el_expect(l, vol, 300, 10, 4);
	el_expect(l, vol, 310, 202, 2);
	el_expect(l, vol, 512, 512, 3);
	el_reopen(l);
	el_expect_vol(l, top, 310, 202, 2);
	el_expect_vol(l, base, 0, 512, 1);
}

static void a_deep_chain(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 ids[12], id = el_create(l, "v", 128);
	unsigned int i, k;
	char name[8];

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		el_fill(l, id, i, 8, i + 1);
		snprintf(name, sizeof(name), "s%u", i);
		ids[i] = el_snapshot(l, id, name);
	}
	for (i = 0; i < ARRAY_SIZE(ids); i += 2)
		KUNIT_EXPECT_EQ(test, lb_vol_remove(l->pool, ids[i], false, NULL), 0);
	el_settle(l);
	KUNIT_EXPECT_EQ(test, el_stat(l)->hidden_volumes, 0ULL);
	for (i = 1; i < ARRAY_SIZE(ids); i += 2) {
		for (k = 0; k < i; k++)
			el_expect_vol(l, ids[i], k, 1, k + 1);
		el_expect_vol(l, ids[i], i, 8, i + 1);
	}
}

static void the_difference_of_two_layers(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 base = el_create(l, "base", 4096), next, cursor = 0, blocks = 0;
	struct lb_diff_range ranges[8];
	unsigned int n, i;

	el_fill(l, base, 0, 64, 1);
	KUNIT_ASSERT_EQ(test, lb_vol_freeze(l->pool, base, lab_name(""), NULL), 0);
	next = el_snapshot(l, base, "next");
	for (i = 0; i < 20; i++)
		el_fill(l, next, 100 + 10 * i, 2, 2);
	KUNIT_ASSERT_EQ(test, lb_vol_freeze(l->pool, next, lab_name(""), NULL), 0);
	while (cursor != ~0ULL) {
		n = ARRAY_SIZE(ranges);
		KUNIT_ASSERT_EQ(test, lb_diff(l->pool, base, next, &cursor, ranges, &n), 0);
		for (i = 0; i < n; i++) {
			KUNIT_EXPECT_TRUE(test, ranges[i].mapped);
			KUNIT_EXPECT_GE(test, ranges[i].start, 100ULL);
			blocks += ranges[i].count;
		}
	}
	KUNIT_EXPECT_EQ(test, blocks, 40ULL);
}

/* ------------------------------------------------------------------ power cuts */

static void what_was_flushed_is_there_after_a_power_cut(struct kunit *test)
{
	struct englab *l = test->priv;
	u64 v = el_create(l, "v", 256);
	struct lb_vol *vol = el_vol_open(l, v);

	el_write(l, vol, 0, 16, 1);
	KUNIT_EXPECT_EQ(test, lb_flush(vol), 0);
	el_write(l, vol, 16, 16, 2);		/* not flushed: it may be there or not, whole blocks of it */
	el_power_cut(l);
	el_expect_vol(l, v, 0, 16, 1);
	vol = el_vol_open(l, v);
	KUNIT_EXPECT_EQ(test, el_try_read(l, vol, 16, 16, 0), 0);	/* this engine: nothing names it */
	el_write(l, vol, 16, 16, 3);
	KUNIT_EXPECT_EQ(test, lb_flush(vol), 0);
	el_power_cut(l);
	el_expect_vol(l, v, 0, 16, 1);
	el_expect_vol(l, v, 16, 16, 3);
}

/* What of the script below has been acknowledged. */
struct script {
	u64 v, child;
	bool first, second, child_first, removed, committed;
};

static int flush_id(struct englab *l, u64 id, u64 block, u64 count, u32 tag)
{
	struct lb_vol *vol;
	int err;

	err = lb_vol_open(l->pool, id, l, &vol);
	if (err)
		return err;
	err = el_try_write(l, vol, block, count, tag);
	if (!err)
		err = lb_flush(vol);
	lb_vol_close(vol);
	return err;
}

/* Runs until something fails. */
static void run_script(struct englab *l, struct script *s)
{
	struct lb_name name = lab_name("base"), child = lab_name("child");
	u64 id;

	if (lb_vol_create(l->pool, name, 64, 0, NULL, &id))
		return;
	s->v = id;
	if (flush_id(l, s->v, 0, 8, 1))
		return;
	s->first = true;
	if (flush_id(l, s->v, 8, 8, 2))
		return;
	s->second = true;
	if (lb_vol_freeze(l->pool, s->v, lab_name(""), NULL) || lb_vol_snapshot(l->pool, s->v, child, false, 0, NULL, &id))
		return;
	s->child = id;
	if (flush_id(l, s->child, 4, 8, 3))
		return;
	s->child_first = true;
	if (lb_vol_remove(l->pool, s->v, false, NULL))
		return;
	s->removed = true;
	if (lb_pool_commit(l->pool))
		return;
	s->committed = true;
	lb_work_commit(l->pool);
	lb_work_reclaim(l->pool);
}

/* Each block has the tag, or zeros when it need not be there yet. */
static void expect_if(struct englab *l, u64 id, u64 block, u64 count, u32 tag, bool sure, u64 cut)
{
	struct lb_vol *vol = el_vol_open(l, id);
	int err;

	for (; count; block++, count--) {
		err = el_try_read(l, vol, block, 1, tag);
		if (err == -EILSEQ && !sure)
			err = el_try_read(l, vol, block, 1, 0);
		KUNIT_EXPECT_EQ_MSG(l->test, err, 0, "cut after %llu writes: volume %llu, block %llu", cut, id, block);
	}
	el_vol_close(l, vol);
}

static void expect_script(struct englab *l, const struct script *s, u64 cut)
{
	u64 id;
	int err;

	if (s->v && !s->removed) {
		err = lb_vol_find(l->pool, lab_name("base"), &id);
		KUNIT_EXPECT_TRUE_MSG(l->test, !err || s->child_first, "cut after %llu writes: the volume is lost", cut);
		if (!err) {
			expect_if(l, id, 0, 8, 1, s->first, cut);
			expect_if(l, id, 8, 8, 2, s->second, cut);
		}
	} else if (s->removed) {
		KUNIT_EXPECT_EQ_MSG(l->test, lb_vol_find(l->pool, lab_name("base"), &id), -ENOENT, "cut after %llu writes", cut);
	}
	if (s->child_first) {
		expect_if(l, s->child, 0, 4, 1, true, cut);
		expect_if(l, s->child, 4, 8, 3, true, cut);
		expect_if(l, s->child, 12, 4, 2, true, cut);
	}
}

static void the_power_goes_after_every_write(struct kunit *test)
{
	struct lb_format_opts format = { };
	struct englab *l = test->priv;
	struct script s;
	u8 uuid[16];
	u64 n;

	for (n = 1; n < 200; n++) {
		memset(&s, 0, sizeof(s));
		lb_pool_abandon(l->pool);
		l->pool = NULL;
		KUNIT_ASSERT_EQ(test, lb_pool_format(&l->dev, &format, uuid), 0);
		el_open(l, 0);
		memdisk_power_off(l->md, n);
		run_script(l, &s);
		el_power_cut(l);
		expect_script(l, &s, n);
		el_settle(l);
		expect_script(l, &s, n);
		if (s.committed && !READ_ONCE(l->md->off_after))
			break;
	}
	KUNIT_EXPECT_GT(test, n, 10ULL);
	KUNIT_EXPECT_LT(test, n, 200ULL);		/* it has come to the script's end */
}

/* ------------------------------------------------------------------ threads */

#define WORKERS		3
#define WORKER_ROUNDS	60

struct worker {
	struct englab *l;
	struct lb_vol *vol;
	u32 seed;
	u32 tags[64];			/* what each of its blocks holds */
	int err;
	struct completion done;
};

static int worker_fn(void *arg)
{
	struct worker *w = arg;
	unsigned int i, block;

	for (i = 0; i < WORKER_ROUNDS && !w->err; i++) {
		w->seed = w->seed * 1103515245 + 12345;
		block = w->seed >> 16 & 63;
		switch (w->seed >> 24 & 7) {
		case 0:
			w->err = el_try_unmap(w->l, w->vol, block, 1);
			w->tags[block] = 0;
			break;
		case 1:
			w->err = lb_flush(w->vol);
			break;
		case 2:
			w->err = el_try_read(w->l, w->vol, block, 1, w->tags[block]);
			break;
		default:
			w->err = el_try_write(w->l, w->vol, block, 1, w->seed >> 8 & 0xffff);
			w->tags[block] = w->seed >> 8 & 0xffff;
		}
	}
	complete(&w->done);
	return 0;
}

static void threads_and_the_background(struct kunit *test)
{
	struct englab *l = test->priv;
	struct worker *w = kunit_kcalloc(test, WORKERS, sizeof(*w), GFP_KERNEL);
	unsigned int i, k, started;
	char name[8];
	u64 gone;

	KUNIT_ASSERT_NOT_NULL(test, w);
	el_workers(l);
	for (i = 0; i < WORKERS; i++) {
		snprintf(name, sizeof(name), "w%u", i);
		w[i].l = l;
		w[i].seed = i + 1;
		w[i].vol = el_vol_open(l, el_create(l, name, 64));
		init_completion(&w[i].done);
	}
	for (started = 0; started < WORKERS; started++) {
		if (IS_ERR(kthread_run(worker_fn, &w[started], "lbk-kunit/%u", started)))
			break;
	}
	for (i = 0; i < 10; i++) {		/* and requests, commits and deletions beside them */
		snprintf(name, sizeof(name), "t%u", i);
		gone = el_create(l, name, 64);
		KUNIT_EXPECT_EQ(test, lb_pool_commit(l->pool), 0);
		KUNIT_EXPECT_EQ(test, lb_vol_remove(l->pool, gone, false, NULL), 0);
		lb_cache_shrink(l->pool, 8);
	}
	for (i = 0; i < started; i++)
		wait_for_completion(&w[i].done);
	KUNIT_EXPECT_EQ(test, started, (unsigned int)WORKERS);
	for (i = 0; i < WORKERS; i++) {
		KUNIT_EXPECT_EQ(test, w[i].err, 0);
		for (k = 0; k < 64; k++)
			el_expect(l, w[i].vol, k, 1, w[i].tags[k]);
	}
}

static struct kunit_case chain_cases[] = {
	KUNIT_CASE(a_child_of_a_frozen_volume),
	KUNIT_CASE(a_snapshot_of_an_open_volume),
	KUNIT_CASE(a_rollback),
	KUNIT_CASE(deleting_gives_everything_back),
	KUNIT_CASE(a_volume_in_the_middle_collapses_into_its_child),
	KUNIT_CASE(a_deep_chain),
	KUNIT_CASE(the_difference_of_two_layers),
	KUNIT_CASE(what_was_flushed_is_there_after_a_power_cut),
	KUNIT_CASE(the_power_goes_after_every_write),
	KUNIT_CASE(threads_and_the_background),
	{ }
};

struct kunit_suite lbk_chain_suite = {
	.name		= "layerblk_chain",
	.init		= englab_init,
	.exit		= englab_exit,
	.test_cases	= chain_cases,
};
