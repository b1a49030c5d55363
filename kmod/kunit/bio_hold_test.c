// SPDX-License-Identifier: GPL-2.0
/* Bios that may not sleep, and bios that a cut holds back. */
#include <linux/delay.h>
#include <linux/kthread.h>

#include "lab.h"

#define DATA_ANY	(MEMDISK_READ | MEMDISK_WRITE | MEMDISK_DATA)

/* ------------------------------------------------------------------ REQ_NOWAIT */

static void nowait_that_need_not_wait(struct kunit *test)
{
	struct biolab *l = test->priv;

	bl_write(l, 0, 64, 1, REQ_NOWAIT);
	bl_write(l, 0, 64, 2, REQ_NOWAIT);
	bl_write(l, 3, 2, 3, REQ_NOWAIT);		/* part of an owned block */
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_READ | REQ_NOWAIT, 8, 56, 2), 0);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_READ | REQ_NOWAIT, 1024, 64, 0), 0);
	bl_verify(l);
}

static void nowait_that_would_have_to_wait(struct kunit *test)
{
	struct biolab *l = test->priv;

	bl_write(l, 0, 64, 1, 0);
	/* a part of a first write; a split; a journal write; unmapping */
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE | REQ_NOWAIT, 513, 2, 2), -EAGAIN);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE | REQ_NOWAIT, 60, 64, 2), -EAGAIN);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE | REQ_PREFLUSH | REQ_NOWAIT, 0, 0, 0), -EAGAIN);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_DISCARD | REQ_NOWAIT, 0, 64, 0), -EAGAIN);
	bl_verify(l);
	bl_flush(l);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE | REQ_PREFLUSH | REQ_NOWAIT, 0, 0, 0), 0);
}

static void nowait_with_a_cold_cache(struct kunit *test)
{
	struct biolab *l = test->priv;
	unsigned int i;

	for (i = 0; i < 400; i++)
		bl_write(l, 16 * i, 8, i + 1, 0);	/* more than one leaf */
	bl_close(l);
	bl_open(l);
	lb_cache_shrink(l->pool->engine, ~0ULL);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_READ | REQ_NOWAIT, 16 * 399, 8, 400), -EAGAIN);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_READ, 16 * 399, 8, 400), 0);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_READ | REQ_NOWAIT, 16 * 399, 8, 400), 0);
}

static void nowait_when_held(struct kunit *test)
{
	struct biolab *l = test->priv;

	bl_write(l, 0, 64, 1, 0);
	lbk_hold(l->disk);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE | REQ_NOWAIT, 0, 64, 2), -EAGAIN);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_READ | REQ_NOWAIT, 0, 64, 1), -EAGAIN);
	lbk_resume(l->disk);
	bl_verify(l);
}

/* ------------------------------------------------------------------ holds */

static void what_comes_while_held_is_parked(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct labio *io[5];
	unsigned int i;

	bl_write(l, 0, 512, 1, 0);
	lbk_hold(l->disk);
	memdisk_log_clear(l->md);
	io[0] = bl_start(l, REQ_OP_WRITE, 0, 64, 2);
	io[1] = bl_start(l, REQ_OP_READ, 256, 64, 1);
	io[2] = bl_start(l, REQ_OP_WRITE, 131, 2, 3);
	io[3] = bl_start(l, REQ_OP_DISCARD, 384, 64, 0);
	io[4] = bl_start(l, REQ_OP_WRITE | REQ_FUA, 1024, 8, 4);
	msleep(200);
	for (i = 0; i < ARRAY_SIZE(io); i++)
		KUNIT_EXPECT_FALSE(test, bl_done(io[i]));
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, DATA_ANY), 0);
	lbk_hold(l->disk);				/* nested: the first resume changes nothing */
	lbk_resume(l->disk);
	msleep(100);
	KUNIT_EXPECT_FALSE(test, bl_done(io[0]));
	lbk_resume(l->disk);
	for (i = 0; i < ARRAY_SIZE(io); i++)
		KUNIT_EXPECT_EQ(test, bl_wait(l, io[i]), 0);
	for (i = 0; i < 64; i++) {
		l->model[i] = 2;
		l->model[384 + i] = 0;
	}
	l->model[131] = 3;
	l->model[132] = 3;
	for (i = 0; i < 8; i++)
		l->model[1024 + i] = 4;
	bl_verify(l);
}

struct holder {
	struct biolab *l;
	u64 snapshot;			/* made by the thread; 0: it only holds */
	bool snap;
	int err;
	struct completion done;
};

static int holder_fn(void *arg)
{
	struct holder *h = arg;

	if (h->snap)
		h->err = lb_vol_snapshot(h->l->pool->engine, h->l->id, lab_name("s"), false, 0, NULL, &h->snapshot);
	else
		lbk_hold(h->l->disk);
	complete(&h->done);
	return 0;
}

static void holder_start(struct biolab *l, struct holder *h, bool snap)
{
	struct task_struct *task;

	h->l = l;
	h->snap = snap;
	init_completion(&h->done);
	task = kthread_run(holder_fn, h, "lbk-kunit");
	KUNIT_ASSERT_FALSE(l->test, IS_ERR(task));
}

static void a_hold_waits_for_what_is_in_flight(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct labio *read, *write, *late;
	struct holder h = { };

	bl_write(l, 0, 64, 1, 0);
	memdisk_keep(l->md, DATA_ANY);
	read = bl_start(l, REQ_OP_READ, 0, 8, 1);
	write = bl_start(l, REQ_OP_WRITE, 128, 8, 2);
	holder_start(l, &h, false);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, completion_done(&h.done));
	late = bl_start(l, REQ_OP_READ, 0, 8, 1);
	memdisk_keep(l->md, 0);
	wait_for_completion(&h.done);
	KUNIT_EXPECT_TRUE(test, bl_done(read));
	KUNIT_EXPECT_FALSE(test, bl_done(late));
	lbk_resume(l->disk);
	KUNIT_EXPECT_EQ(test, bl_wait(l, read), 0);
	KUNIT_EXPECT_EQ(test, bl_wait(l, write), 0);
	KUNIT_EXPECT_EQ(test, bl_wait(l, late), 0);
}

/* What was in flight when the snapshot was asked for is in it, what came later is not. */
static void a_snapshot_cuts_between_bios(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct labio *before[8], *after[8];
	struct lbk_disk *snap;
	struct holder h = { };
	unsigned int i, k;
	u32 *then;

	bl_write(l, 0, 128, 1, 0);
	memdisk_keep(l->md, DATA_ANY);
	for (i = 0; i < 8; i++)
		before[i] = bl_start(l, REQ_OP_WRITE, 32 * i, 8, 10 + i);
	holder_start(l, &h, true);
	msleep(300);
	KUNIT_EXPECT_FALSE(test, completion_done(&h.done));
	for (i = 0; i < 8; i++)
		after[i] = bl_start(l, REQ_OP_WRITE, 32 * i + 3, 8, 20 + i);
	memdisk_keep(l->md, 0);
	for (i = 0; i < 8; i++) {
		KUNIT_EXPECT_EQ(test, bl_wait(l, before[i]), 0);
		for (k = 0; k < 8; k++)
			l->model[32 * i + k] = 10 + i;
	}
	then = bl_model_copy(l);
	for (i = 0; i < 8; i++) {
		KUNIT_EXPECT_EQ(test, bl_wait(l, after[i]), 0);
		for (k = 0; k < 8; k++)
			l->model[32 * i + 3 + k] = 20 + i;
	}
	wait_for_completion(&h.done);
	KUNIT_ASSERT_EQ(test, h.err, 0);
	bl_verify(l);
	snap = bl_activate(l, h.snapshot);
	bl_verify_on(l, snap, then);
	bl_deactivate(l, snap);
}

/* A flush waits for a commit, and a snapshot's commit for what is in flight: so a flush must not be. */
static void a_snapshot_does_not_wait_for_a_flush(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct labio *flush, *fua;
	struct holder h = { };

	bl_write(l, 0, 64, 1, 0);
	memdisk_keep(l->md, MEMDISK_WRITE | MEMDISK_META);
	flush = bl_start(l, REQ_OP_WRITE | REQ_PREFLUSH, 0, 0, 0);
	fua = bl_start(l, REQ_OP_WRITE | REQ_FUA, 128, 8, 2);
	msleep(100);
	holder_start(l, &h, true);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, bl_done(flush));
	memdisk_keep(l->md, 0);
	KUNIT_EXPECT_EQ(test, bl_wait(l, flush), 0);
	KUNIT_EXPECT_EQ(test, bl_wait(l, fua), 0);
	wait_for_completion(&h.done);
	KUNIT_EXPECT_EQ(test, h.err, 0);
}

static void snapshots_under_load(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct labio *io[32];
	unsigned int i, round;
	struct lbk_disk *snap;
	struct holder h;

	for (round = 0; round < 5; round++) {
		for (i = 0; i < ARRAY_SIZE(io); i++)
			io[i] = bl_start(l, REQ_OP_WRITE, 100 * i + round, 3 + i, 1000 * (round + 1) + i);
		memset(&h, 0, sizeof(h));
		holder_start(l, &h, true);
		for (i = 0; i < ARRAY_SIZE(io); i++) {
			unsigned int k;

			KUNIT_EXPECT_EQ(test, bl_wait(l, io[i]), 0);
			for (k = 0; k < 3 + i; k++)
				l->model[100 * i + round + k] = 1000 * (round + 1) + i;
		}
		wait_for_completion(&h.done);
		KUNIT_ASSERT_EQ(test, h.err, 0);
		bl_verify(l);
		snap = bl_activate(l, h.snapshot);
		bl_deactivate(l, snap);
		KUNIT_EXPECT_EQ(test, lb_vol_remove(l->pool->engine, h.snapshot, false, NULL), 0);
	}
	KUNIT_EXPECT_EQ(test, lb_pool_commit(l->pool->engine), 0);
	bl_verify(l);
}

/* A bio that was parked while the volume was made smaller is beyond its end now. */
static void parked_beyond_the_new_end(struct kunit *test)
{
	struct lb_vol_change c = { .set = LB_SET_SIZE | LB_SET_SHRINK, .size_blocks = 64 };
	struct biolab *l = test->priv;
	struct labio *in, *out, *gone;

	bl_write(l, 0, 1024, 1, 0);
	lbk_hold(l->disk);
	in = bl_start(l, REQ_OP_WRITE, 0, 8, 2);
	out = bl_start(l, REQ_OP_WRITE, 800, 8, 2);
	gone = bl_start(l, REQ_OP_DISCARD, 800, 64, 0);
	KUNIT_EXPECT_EQ(test, lb_vol_set(l->pool->engine, l->id, &c, NULL), 0);
	lbk_resume(l->disk);
	KUNIT_EXPECT_EQ(test, bl_wait(l, in), 0);
	KUNIT_EXPECT_EQ(test, bl_wait(l, out), -EIO);
	KUNIT_EXPECT_EQ(test, bl_wait(l, gone), -EIO);
	lbk_disk_refresh(l->disk);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_READ, 0, 8, 2), 0);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_READ, 8, 504, 1), 0);
}

static void a_disk_set_aside_comes_back(struct kunit *test)
{
	struct biolab *l = test->priv;
	unsigned int tries;
	int err = -EBUSY;

	bl_write(l, 0, 64, 1, 0);
	for (tries = 0; tries < 600 && err == -EBUSY; tries++) {	/* udev */
		msleep(20);
		mutex_lock(&l->pool->disks_lock);
		err = lbk_disk_suspend(l->disk);
		mutex_unlock(&l->pool->disks_lock);
	}
	KUNIT_ASSERT_EQ(test, err, 0);
	/* The last of those who had it open may be flushing it late. */
	KUNIT_EXPECT_NE(test, bl_io(l, REQ_OP_WRITE | REQ_PREFLUSH, 0, 0, 0), 0);
	mutex_lock(&l->pool->disks_lock);
	lbk_disk_resume(l->disk);
	mutex_unlock(&l->pool->disks_lock);
	bl_verify(l);
	bl_write(l, 64, 64, 2, 0);
	bl_verify(l);
}

static struct kunit_case hold_cases[] = {
	KUNIT_CASE(nowait_that_need_not_wait),
	KUNIT_CASE(nowait_that_would_have_to_wait),
	KUNIT_CASE(nowait_with_a_cold_cache),
	KUNIT_CASE(nowait_when_held),
	KUNIT_CASE(what_comes_while_held_is_parked),
	KUNIT_CASE(a_hold_waits_for_what_is_in_flight),
	KUNIT_CASE(a_snapshot_cuts_between_bios),
	KUNIT_CASE(a_snapshot_does_not_wait_for_a_flush),
	KUNIT_CASE(snapshots_under_load),
	KUNIT_CASE(parked_beyond_the_new_end),
	KUNIT_CASE(a_disk_set_aside_comes_back),
	{ }
};

struct kunit_suite lbk_bio_hold_suite = {
	.name		= "layerblk_bio_hold",
	.init		= biolab_init_irq,
	.exit		= biolab_exit,
	.test_cases	= hold_cases,
};
