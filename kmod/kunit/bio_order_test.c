// SPDX-License-Identifier: GPL-2.0
/*
 * What is durable when, and what happens when the device fails: flushes, FUA, power cuts, errors, a pool that is full.
 */
#include <linux/delay.h>

#include "lab.h"

#define DATA_WRITE	(MEMDISK_WRITE | MEMDISK_DATA)
#define META_WRITE	(MEMDISK_WRITE | MEMDISK_META)

static blk_opf_t opf_of(struct biolab *l, int at)
{
	KUNIT_ASSERT_GE(l->test, at, 0);
	return l->md->log[at].opf;
}

/* ------------------------------------------------------------------ flush */

static void a_flush_of_nothing_is_passed_on(struct kunit *test)
{
	struct biolab *l = test->priv;

	memdisk_log_clear(l->md);
	bl_flush(l);
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, MEMDISK_FLUSH), 1);
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, MEMDISK_WRITE), 0);
}

static void a_flush_is_one_journal_write(struct kunit *test)
{
	struct biolab *l = test->priv;
	u64 commits;
	int at;
	static struct lb_pool_stat st;

	lb_pool_stat(l->pool->engine, &st);
	commits = st.commits;
	memdisk_log_clear(l->md);
	bl_write(l, 0, 64, 1, 0);
	bl_flush(l);
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, MEMDISK_WRITE), 2);	/* data, journal */
	at = memdisk_log_find(l->md, META_WRITE, 0);
	KUNIT_EXPECT_GT(test, at, memdisk_log_find(l->md, DATA_WRITE, 0));
	KUNIT_EXPECT_TRUE(test, opf_of(l, at) & REQ_PREFLUSH);		/* the data first */
	KUNIT_EXPECT_TRUE(test, opf_of(l, at) & REQ_FUA);
	memdisk_log_clear(l->md);
	bl_write(l, 0, 64, 2, 0);			/* in place: nothing new to name */
	bl_flush(l);
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, META_WRITE), 0);
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, MEMDISK_FLUSH), 1);
	lb_pool_stat(l->pool->engine, &st);
	KUNIT_EXPECT_EQ(test, st.commits, commits);
}

static void flushes_at_once_share_a_write(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct labio *io[16];
	unsigned int i;

	bl_write(l, 0, 64, 1, 0);
	memdisk_log_clear(l->md);
	memdisk_keep(l->md, META_WRITE);
	for (i = 0; i < ARRAY_SIZE(io); i++)
		io[i] = bl_start(l, REQ_OP_WRITE | REQ_PREFLUSH, 0, 0, 0);
	for (i = 0; i < 200 && !memdisk_kept(l->md); i++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, memdisk_kept(l->md), 1u);
	msleep(100);
	for (i = 0; i < ARRAY_SIZE(io); i++)
		KUNIT_EXPECT_FALSE(test, bl_done(io[i]));	/* none is acknowledged before the record is there */
	memdisk_keep(l->md, 0);
	for (i = 0; i < ARRAY_SIZE(io); i++)
		KUNIT_EXPECT_EQ(test, bl_wait(l, io[i]), 0);
	KUNIT_EXPECT_LE(test, memdisk_logged(l->md, META_WRITE), 2);
}

static void a_flush_is_not_acknowledged_early(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct labio *io;

	bl_write(l, 0, 8, 1, 0);
	memdisk_keep(l->md, META_WRITE | MEMDISK_FLUSH);
	io = bl_start(l, REQ_OP_WRITE | REQ_PREFLUSH, 0, 0, 0);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, bl_done(io));
	memdisk_keep(l->md, 0);
	KUNIT_EXPECT_EQ(test, bl_wait(l, io), 0);
}

/* ------------------------------------------------------------------ FUA and PREFLUSH with data */

static void fua_of_a_new_block_is_durable(struct kunit *test)
{
	struct biolab *l = test->priv;
	int data;

	memdisk_log_clear(l->md);
	bl_write(l, 0, 16, 1, REQ_FUA);
	data = memdisk_log_find(l->md, DATA_WRITE, 0);
	KUNIT_EXPECT_FALSE(test, opf_of(l, data) & REQ_FUA);		/* the journal's record makes it durable */
	KUNIT_EXPECT_TRUE(test, opf_of(l, memdisk_log_find(l->md, META_WRITE, data)) & REQ_PREFLUSH);
	bl_write(l, 100, 3, 2, REQ_FUA);		/* part of a block */
	bl_power_cut(l);
	bl_verify(l);
}

static void fua_of_an_owned_block_is_passed_on(struct kunit *test)
{
	struct biolab *l = test->priv;

	bl_write(l, 0, 16, 1, 0);
	bl_flush(l);
	memdisk_log_clear(l->md);
	bl_write(l, 0, 16, 2, REQ_FUA);
	bl_write(l, 3, 2, 3, REQ_FUA);
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, META_WRITE), 0);
	KUNIT_EXPECT_TRUE(test, opf_of(l, memdisk_log_find(l->md, DATA_WRITE, 0)) & REQ_FUA);
	bl_power_cut(l);
	bl_verify(l);
}

static void preflush_with_data_flushes_first(struct kunit *test)
{
	struct biolab *l = test->priv;

	bl_write(l, 0, 64, 1, 0);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE | REQ_PREFLUSH, 512, 8, 2), 0);
	bl_power_cut(l);				/* the second may be lost, the first not */
	bl_verify(l);
	bl_write(l, 512, 8, 2, REQ_PREFLUSH | REQ_FUA);
	bl_power_cut(l);
	bl_verify(l);
}

/* A file system's journal: blocks, then the commit block, which must not be found without them. */
static void flush_with_new_fua_data_is_one_record(struct kunit *test)
{
	struct biolab *l = test->priv;
	int data, record;

	bl_write(l, 0, 64, 1, 0);
	memdisk_log_clear(l->md);
	bl_write(l, 64, 8, 2, REQ_PREFLUSH | REQ_FUA);
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, META_WRITE), 1);
	data = memdisk_log_find(l->md, DATA_WRITE, 0);
	KUNIT_EXPECT_FALSE(test, opf_of(l, data) & (REQ_FUA | REQ_PREFLUSH));
	record = memdisk_log_find(l->md, META_WRITE, data);
	KUNIT_EXPECT_TRUE(test, opf_of(l, record) & REQ_PREFLUSH);
	KUNIT_EXPECT_TRUE(test, opf_of(l, record) & REQ_FUA);
	bl_power_cut(l);
	bl_verify(l);

	/* Into blocks that are there already the data go after the flush. */
	bl_write(l, 256, 8, 3, 0);
	memdisk_log_clear(l->md);
	bl_write(l, 64, 8, 4, REQ_PREFLUSH | REQ_FUA);
	record = memdisk_log_find(l->md, META_WRITE, 0);
	KUNIT_EXPECT_GE(test, record, 0);
	KUNIT_EXPECT_GT(test, memdisk_log_find(l->md, DATA_WRITE, 0), record);
	bl_power_cut(l);
	bl_verify(l);
}

static void fua_unmap_is_durable(struct kunit *test)
{
	struct biolab *l = test->priv;

	bl_write(l, 0, 64, 1, REQ_FUA);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE_ZEROES | REQ_FUA, 5, 30, 0), 0);
	memset(l->model + 5, 0, 30 * sizeof(*l->model));
	bl_power_cut(l);
	bl_verify(l);
}

/* ------------------------------------------------------------------ power cuts */

static void power_cuts_at_random(struct kunit *test)
{
	struct biolab *l = test->priv;
	unsigned int round, i, sector, sectors;
	u32 *flushed;

	for (round = 0; round < 6; round++) {
		for (i = 0; i < 25; i++) {
			sectors = 1 + bl_random(l, 40);
			sector = bl_random(l, BIOLAB_SECTORS / 2 - sectors);
			if (bl_random(l, 6))
				bl_write(l, sector, sectors, round * 100 + i + 1, 0);
			else
				bl_zero(l, REQ_OP_DISCARD, sector, sectors);
		}
		bl_flush(l);
		flushed = bl_model_copy(l);
		/* Not flushed: in the other half, so that the first is told for certain. */
		for (i = 0; i < 5; i++)
			bl_write(l, BIOLAB_SECTORS / 2 + bl_random(l, 1000), 16, 9000 + i, 0);
		if (round & 1)
			KUNIT_EXPECT_EQ(test, lb_pool_commit(l->pool->engine), 0);
		if (round & 1)
			flushed = bl_model_copy(l);
		bl_power_cut(l);
		memcpy(l->model, flushed, BIOLAB_SECTORS * sizeof(*flushed));
		bl_verify(l);
	}
}

static void a_snapshot_is_durable(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct lbk_disk *snap;
	u64 id;

	bl_write(l, 0, 100, 1, 0);
	id = bl_snapshot(l, "s");			/* no flush before it */
	bl_power_cut(l);
	bl_verify(l);
	snap = bl_activate(l, id);
	bl_verify_on(l, snap, l->model);
	bl_deactivate(l, snap);
}

/* ------------------------------------------------------------------ errors */

static void a_failed_read_is_an_error(struct kunit *test)
{
	struct biolab *l = test->priv;

	bl_write(l, 0, 64, 1, 0);
	memdisk_fail(l->md, MEMDISK_READ | MEMDISK_DATA, 0, 1, BLK_STS_MEDIUM);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_READ, 0, 8, 1), -ENODATA);
	bl_verify(l);
}

static void a_failed_write_changes_nothing(struct kunit *test)
{
	struct biolab *l = test->priv;

	bl_write(l, 0, 64, 1, 0);
	memdisk_fail(l->md, DATA_WRITE, 0, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE, 128, 64, 2), -EIO);
	bl_verify(l);
	bl_snapshot(l, "s");
	memdisk_fail(l->md, DATA_WRITE, 0, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE, 0, 64, 2), -EIO);
	bl_verify(l);
	bl_write(l, 0, 64, 3, 0);			/* no lock has been left behind */
	bl_write(l, 128, 64, 3, 0);
	bl_verify(l);
}

static void a_failed_part_changes_nothing(struct kunit *test)
{
	struct biolab *l = test->priv;

	bl_write(l, 0, 64, 1, 0);
	bl_snapshot(l, "s");
	memdisk_fail(l->md, MEMDISK_READ | MEMDISK_DATA, 0, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE, 2, 3, 2), -EIO);
	memdisk_fail(l->md, DATA_WRITE, 0, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE, 2, 3, 2), -EIO);
	memdisk_fail(l->md, DATA_WRITE, 0, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE_ZEROES, 2, 3, 0), -EIO);
	bl_verify(l);
	bl_write(l, 2, 3, 3, 0);
	bl_verify(l);
}

/* Of a bio in several parts, one fails: the bio fails, and no part is lost track of. */
static void one_of_many_parts_fails(struct kunit *test)
{
	struct biolab *l = test->priv;
	unsigned int i;

	for (i = 0; i < 32; i++)
		bl_write(l, (62 - 2 * i) * 8, 8, i + 1, 0);
	memdisk_fail(l->md, MEMDISK_READ | MEMDISK_DATA, 5, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_READ, 0, 512, 0), -EIO);
	memdisk_fail(l->md, DATA_WRITE, 5, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE, 0, 512, 99), -EIO);
	bl_write(l, 0, 512, 100, 0);
	bl_verify(l);
	bl_snapshot(l, "s");				/* waits for all that is in flight: nothing is */
}

static void a_failed_flush_is_told(struct kunit *test)
{
	struct biolab *l = test->priv;
	static struct lb_pool_stat st;

	bl_write(l, 0, 64, 1, 0);
	bl_flush(l);
	memdisk_fail(l->md, MEMDISK_FLUSH, 0, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE | REQ_PREFLUSH, 0, 0, 0), -EIO);
	bl_flush(l);
	bl_write(l, 64, 64, 2, 0);
	memdisk_fail(l->md, META_WRITE, 0, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_NE(test, bl_io(l, REQ_OP_WRITE | REQ_PREFLUSH, 0, 0, 0), 0);
	lb_pool_stat(l->pool->engine, &st);
	KUNIT_EXPECT_TRUE(test, st.failed);
	KUNIT_EXPECT_NE(test, bl_io(l, REQ_OP_WRITE | REQ_PREFLUSH, 0, 0, 0), 0);
	KUNIT_EXPECT_NE(test, bl_io(l, REQ_OP_WRITE, 256, 8, 3), 0);
	KUNIT_EXPECT_NE(test, bl_io(l, REQ_OP_WRITE | REQ_FUA, 256, 8, 3), 0);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_READ, 0, 64, 1), 0);
	bl_power_cut(l);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_READ, 0, 64, 1), 0);	/* what was flushed before */
}

static void fua_fails_when_its_record_does(struct kunit *test)
{
	struct biolab *l = test->priv;

	memdisk_fail(l->md, META_WRITE, 0, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_NE(test, bl_io(l, REQ_OP_WRITE | REQ_FUA, 0, 8, 1), 0);
}

/* ------------------------------------------------------------------ no space */

static void a_full_pool(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct lbk_disk *big;
	u64 id = 0, s;
	int err = 0;

	KUNIT_ASSERT_EQ(test, lb_vol_create(l->pool->engine, lab_name("big"), LAB_BLOCKS, 0, NULL, &id), 0);
	bl_write(l, 0, 64, 1, 0);
	big = bl_activate(l, id);
	for (s = 0; !err && s < LAB_BLOCKS * 8; s += 2048)
		err = bl_io_on(l, big, REQ_OP_WRITE, s, 2048, 2);
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	KUNIT_EXPECT_GT(test, s, 8 * 2048ULL);
	KUNIT_EXPECT_EQ(test, bl_io_on(l, big, REQ_OP_READ, 0, 2048, 2), 0);
	KUNIT_EXPECT_EQ(test, bl_io_on(l, big, REQ_OP_WRITE, 0, 64, 3), 0);	/* in place */
	KUNIT_EXPECT_EQ(test, bl_io_on(l, big, REQ_OP_WRITE | REQ_PREFLUSH, 0, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, bl_io_on(l, big, REQ_OP_DISCARD, 0, 8192, 0), 0);
	bl_write(l, 1024, 64, 4, 0);		/* waits until that is free */
	bl_verify(l);
	bl_deactivate(l, big);
}

static void a_full_pool_that_queues(struct kunit *test)
{
	struct lb_pool_policy policy = { .set = LB_POLICY_QUEUE, .queue_nospc = true };
	struct biolab *l = test->priv;
	struct lbk_disk *big;
	struct labio *io = NULL;
	u64 id = 0, s, now = 0;

	KUNIT_ASSERT_EQ(test, lb_vol_create(l->pool->engine, lab_name("big"), LAB_BLOCKS, 0, NULL, &id), 0);
	KUNIT_ASSERT_EQ(test, lb_pool_set_policy(l->pool->engine, &policy), 0);
	big = bl_activate(l, id);
	for (s = 0; s < LAB_BLOCKS * 8; s += 2048) {
		io = bl_start_on(l, big, REQ_OP_WRITE, s, 2048, 2);
		if (!wait_for_completion_timeout(&io->done, 5 * HZ))
			break;
		complete(&io->done);			/* for bl_wait() */
		KUNIT_EXPECT_EQ(test, bl_wait(l, io), 0);
	}
	KUNIT_ASSERT_LT(test, s, LAB_BLOCKS * 8ULL);
	KUNIT_EXPECT_EQ(test, bl_io_on(l, big, REQ_OP_READ, 0, 64, 2), 0);	/* reads do not wait behind it */
	memdisk_grow(l->md, LAB_BLOCKS);
	KUNIT_EXPECT_EQ(test, lb_pool_grow(l->pool->engine, 0, &now), 0);
	KUNIT_EXPECT_EQ(test, bl_wait(l, io), 0);
	KUNIT_EXPECT_EQ(test, bl_io_on(l, big, REQ_OP_READ, s, 2048, 2), 0);
	bl_deactivate(l, big);
}

static void a_quota_is_no_space(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct lbk_disk *disk;
	u64 id = 0;

	KUNIT_ASSERT_EQ(test, lb_vol_create(l->pool->engine, lab_name("q"), 256, 16, NULL, &id), 0);
	disk = bl_activate(l, id);
	KUNIT_EXPECT_EQ(test, bl_io_on(l, disk, REQ_OP_WRITE, 0, 128, 1), 0);
	KUNIT_EXPECT_EQ(test, bl_io_on(l, disk, REQ_OP_WRITE, 512, 8, 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, bl_io_on(l, disk, REQ_OP_WRITE, 513, 2, 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, bl_io_on(l, disk, REQ_OP_WRITE, 0, 128, 2), 0);
	KUNIT_EXPECT_EQ(test, bl_io_on(l, disk, REQ_OP_READ, 512, 8, 0), 0);
	bl_deactivate(l, disk);
}

static struct kunit_case order_cases[] = {
	KUNIT_CASE(a_flush_of_nothing_is_passed_on),
	KUNIT_CASE(a_flush_is_one_journal_write),
	KUNIT_CASE(flushes_at_once_share_a_write),
	KUNIT_CASE(a_flush_is_not_acknowledged_early),
	KUNIT_CASE(fua_of_a_new_block_is_durable),
	KUNIT_CASE(fua_of_an_owned_block_is_passed_on),
	KUNIT_CASE(preflush_with_data_flushes_first),
	KUNIT_CASE(flush_with_new_fua_data_is_one_record),
	KUNIT_CASE(fua_unmap_is_durable),
	KUNIT_CASE(power_cuts_at_random),
	KUNIT_CASE(a_snapshot_is_durable),
	KUNIT_CASE(a_failed_read_is_an_error),
	KUNIT_CASE(a_failed_write_changes_nothing),
	KUNIT_CASE(a_failed_part_changes_nothing),
	KUNIT_CASE(one_of_many_parts_fails),
	KUNIT_CASE(a_failed_flush_is_told),
	KUNIT_CASE(fua_fails_when_its_record_does),
	KUNIT_CASE(a_full_pool),
	KUNIT_CASE(a_full_pool_that_queues),
	KUNIT_CASE(a_quota_is_no_space),
	{ }
};

struct kunit_suite lbk_bio_order_suite = {
	.name		= "layerblk_bio_order",
	.init		= biolab_init_irq,
	.exit		= biolab_exit,
	.test_cases	= order_cases,
};
