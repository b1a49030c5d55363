// SPDX-License-Identifier: GPL-2.0
/*
 * The way of a bio: what is read after what was written, in all sizes and alignments, and what arrives at the device below. The
 * second suite runs the same with completions in a hardware interrupt.
 */
#include <linux/slab.h>

#include "lab.h"

/* ------------------------------------------------------------------ whole blocks */

static void a_hole_is_read_without_the_device(struct kunit *test)
{
	struct biolab *l = test->priv;

	bl_write(l, 1024, 8, 1, 0);
	memdisk_log_clear(l->md);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_READ, 0, 1024, 0), 0);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_READ, 3, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, MEMDISK_ALL), 0);
}

static void a_whole_block_is_one_write(struct kunit *test)
{
	struct biolab *l = test->priv;
	int first, second;

	memdisk_log_clear(l->md);
	bl_write(l, 64, 64, 1, 0);
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, MEMDISK_WRITE | MEMDISK_DATA), 1);
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, MEMDISK_READ | MEMDISK_DATA), 0);
	first = memdisk_log_find(l->md, MEMDISK_WRITE | MEMDISK_DATA, 0);
	KUNIT_ASSERT_GE(test, first, 0);
	bl_write(l, 64, 64, 2, 0);			/* its own by now: in place */
	second = memdisk_log_find(l->md, MEMDISK_WRITE | MEMDISK_DATA, first + 1);
	KUNIT_ASSERT_GE(test, second, 0);
	KUNIT_EXPECT_EQ(test, l->md->log[first].sector, l->md->log[second].sector);
	bl_verify(l);
}

static void one_bio_over_many_extents(struct kunit *test)
{
	struct biolab *l = test->priv;
	unsigned int i;

	for (i = 0; i < 64; i++)			/* backwards and in two turns: no two are neighbours */
		bl_write(l, (126 - 2 * i) * 8, 8, i + 1, 0);
	for (i = 0; i < 32; i++)
		bl_write(l, (4 * i + 1) * 8, 8, i + 100, 0);
	bl_verify(l);
	bl_write(l, 0, 1024, 7, 0);			/* over all of them */
	bl_verify(l);
}

static void a_bio_of_many_small_pieces(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct page *page = alloc_page(GFP_KERNEL);
	struct bio *bio;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, page);
	lab_fill(page_address(page), 5, 16, 8);
	bio = bio_alloc(l->bdev, 8, REQ_OP_WRITE, GFP_KERNEL);
	bio->bi_iter.bi_sector = 16;
	for (i = 0; i < 8; i++)				/* from the last sector of the page to the first: no two can be joined */
		KUNIT_EXPECT_EQ(test, bio_add_page(bio, page, SECTOR_SIZE, (7 - i) * SECTOR_SIZE), (int)SECTOR_SIZE);
	KUNIT_EXPECT_EQ(test, submit_bio_wait(bio), 0);
	bio_put(bio);
	memset(page_address(page), 0xee, PAGE_SIZE);
	bio = bio_alloc(l->bdev, 8, REQ_OP_READ, GFP_KERNEL);
	bio->bi_iter.bi_sector = 16;
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, bio_add_page(bio, page, SECTOR_SIZE, (7 - i) * SECTOR_SIZE), (int)SECTOR_SIZE);
	KUNIT_EXPECT_EQ(test, submit_bio_wait(bio), 0);
	KUNIT_EXPECT_EQ(test, lab_mismatch(page_address(page), 5, 16, 8), -1);
	bio_put(bio);
	__free_page(page);
}

/* ------------------------------------------------------------------ parts of blocks */

static void part_of_a_hole(struct kunit *test)
{
	struct biolab *l = test->priv;

	memdisk_log_clear(l->md);
	bl_write(l, 19, 2, 1, 0);
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, MEMDISK_READ | MEMDISK_DATA), 0);
	bl_verify(l);					/* the rest of the block is zeros */
}

static void part_of_an_owned_block(struct kunit *test)
{
	struct biolab *l = test->priv;
	int at;

	bl_write(l, 16, 8, 1, 0);
	memdisk_log_clear(l->md);
	bl_write(l, 18, 3, 2, 0);
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, MEMDISK_WRITE | MEMDISK_DATA), 1);
	KUNIT_EXPECT_EQ(test, memdisk_logged(l->md, MEMDISK_READ | MEMDISK_DATA), 0);
	at = memdisk_log_find(l->md, MEMDISK_WRITE | MEMDISK_DATA, 0);
	KUNIT_ASSERT_GE(test, at, 0);
	KUNIT_EXPECT_EQ(test, l->md->log[at].sectors, 3u);
	bl_verify(l);
}

static void part_of_a_shared_block(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct lbk_disk *snap;
	u32 *then;
	u64 id;

	bl_write(l, 0, 64, 1, 0);
	then = bl_model_copy(l);
	id = bl_snapshot(l, "s");
	bl_write(l, 10, 3, 2, 0);			/* read, merged, written elsewhere */
	bl_write(l, 30, 20, 3, 0);			/* part, whole, part */
	bl_verify(l);
	snap = bl_activate(l, id);
	bl_verify_on(l, snap, then);
	bl_deactivate(l, snap);
	bl_close(l);
	bl_open(l);
	bl_verify(l);
}

static void two_parts_of_one_shared_block_at_once(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct labio *io[8];
	unsigned int i, round;

	for (round = 0; round < 8; round++) {
		bl_write(l, 0, 8, 100 + round, 0);
		if (round & 1)				/* shared, or (after the discard) a hole */
			bl_snapshot(l, round == 1 ? "s1" : round == 3 ? "s3" : round == 5 ? "s5" : "s7");
		else
			bl_zero(l, REQ_OP_DISCARD, 0, 8);
		memdisk_keep(l->md, MEMDISK_READ | MEMDISK_WRITE | MEMDISK_DATA);
		for (i = 0; i < ARRAY_SIZE(io); i++)
			io[i] = bl_start(l, REQ_OP_WRITE, i, 1, 10 * round + i + 1);
		memdisk_keep(l->md, 0);
		for (i = 0; i < ARRAY_SIZE(io); i++) {
			KUNIT_EXPECT_EQ(test, bl_wait(l, io[i]), 0);
			l->model[i] = 10 * round + i + 1;
		}
		bl_verify(l);
	}
}

/* A whole write that is acknowledged must not be undone by a part that read the old block before. */
static void a_part_and_the_whole_at_once(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct labio *part, *whole, *look;
	unsigned int i, k;
	bool part_first;

	for (i = 0; i < 16; i++) {
		bl_write(l, 8, 8, 50 + i, 0);
		bl_zero(l, REQ_OP_DISCARD, 8, 8);
		if (i & 1) {
			part = bl_start(l, REQ_OP_WRITE, 10, 2, 200 + i);
			whole = bl_start(l, REQ_OP_WRITE, 8, 8, 100 + i);
		} else {
			whole = bl_start(l, REQ_OP_WRITE, 8, 8, 100 + i);
			part = bl_start(l, REQ_OP_WRITE, 10, 2, 200 + i);
		}
		KUNIT_EXPECT_EQ(test, bl_wait(l, whole), 0);
		KUNIT_EXPECT_EQ(test, bl_wait(l, part), 0);
		for (k = 8; k < 16; k++)
			l->model[k] = 100 + i;
		look = bl_start(l, REQ_OP_READ, 10, 1, 200 + i);
		part_first = bl_wait(l, look) == -EILSEQ;
		l->model[10] = part_first ? 100 + i : 200 + i;	/* either order is one, but both sectors alike */
		l->model[11] = l->model[10];
		bl_verify(l);
	}
}

static void random_writes_and_discards(struct kunit *test)
{
	struct biolab *l = test->priv;
	unsigned int i, sector, sectors;
	struct lbk_disk *snap;
	u32 *then = NULL;
	u64 id = 0;

	for (i = 0; i < 200; i++) {
		sectors = 1 + bl_random(l, bl_random(l, 4) ? 24 : 300);
		sector = bl_random(l, BIOLAB_SECTORS - sectors);
		switch (bl_random(l, 8)) {
		case 0:
			bl_zero(l, REQ_OP_DISCARD, sector, sectors);
			break;
		case 1:
			bl_zero(l, REQ_OP_WRITE_ZEROES, sector, sectors);
			break;
		case 2:
			bl_flush(l);
			break;
		default:
			bl_write(l, sector, sectors, i + 1, bl_random(l, 10) ? 0 : REQ_FUA);
		}
		if (i == 90) {
			then = bl_model_copy(l);
			id = bl_snapshot(l, "s");
		}
		if (i % 50 == 49)
			bl_verify(l);
	}
	snap = bl_activate(l, id);
	bl_verify_on(l, snap, then);
	bl_deactivate(l, snap);
	bl_close(l);
	bl_open(l);
	bl_verify(l);
}

static void many_bios_at_once(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct labio *io[128];
	unsigned int i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(io); i++) {	/* each its own piece, so that the result is one */
			io[i] = bl_start(l, REQ_OP_WRITE, i * 61, 1 + i % 60, 1000 * round + i);
		}
		for (i = 0; i < ARRAY_SIZE(io); i++) {
			unsigned int k, n = io[i]->bytes >> SECTOR_SHIFT;

			KUNIT_EXPECT_EQ(test, bl_wait(l, io[i]), 0);
			for (k = 0; k < n; k++)
				l->model[i * 61 + k] = 1000 * round + i;
		}
		bl_verify(l);
		bl_snapshot(l, round == 0 ? "a" : round == 1 ? "b" : "c");
	}
}

/* ------------------------------------------------------------------ discard and write-zeroes */

static void a_discard_leaves_parts_of_blocks(struct kunit *test)
{
	struct biolab *l = test->priv;

	bl_write(l, 0, 128, 1, 0);
	bl_zero(l, REQ_OP_DISCARD, 3, 60);
	bl_zero(l, REQ_OP_DISCARD, 81, 3);		/* nothing whole in it */
	bl_verify(l);
}

static void write_zeroes_does_not(struct kunit *test)
{
	struct biolab *l = test->priv;

	bl_write(l, 0, 128, 1, 0);
	bl_zero(l, REQ_OP_WRITE_ZEROES, 3, 60);
	bl_zero(l, REQ_OP_WRITE_ZEROES, 81, 3);
	bl_zero(l, REQ_OP_WRITE_ZEROES, 1003, 2);	/* of a hole */
	bl_verify(l);
	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_WRITE_ZEROES | REQ_NOUNMAP, 0, 64, 0), -EOPNOTSUPP);
	bl_verify(l);
}

static void a_discard_hides_what_is_shared(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct lbk_disk *snap;
	u32 *then;
	u64 id;

	bl_write(l, 0, 1024, 1, 0);
	then = bl_model_copy(l);
	id = bl_snapshot(l, "s");
	bl_zero(l, REQ_OP_DISCARD, 100, 500);
	bl_zero(l, REQ_OP_WRITE_ZEROES, 700, 77);
	bl_verify(l);
	snap = bl_activate(l, id);
	bl_verify_on(l, snap, then);
	bl_deactivate(l, snap);
	bl_flush(l);
	bl_power_cut(l);
	bl_verify(l);
}

/* ------------------------------------------------------------------ what is refused */

static void a_read_only_disk_is_not_written_to(struct kunit *test)
{
	struct biolab *l = test->priv;
	struct lbk_disk *snap;

	bl_write(l, 0, 64, 1, 0);
	snap = bl_activate(l, bl_snapshot(l, "s"));
	KUNIT_EXPECT_TRUE(test, snap->read_only);
	KUNIT_EXPECT_NE(test, bl_io_on(l, snap, REQ_OP_DISCARD, 0, 64, 0), 0);
	KUNIT_EXPECT_NE(test, bl_io_on(l, snap, REQ_OP_WRITE_ZEROES, 0, 64, 0), 0);
	bl_verify_on(l, snap, l->model);
	bl_deactivate(l, snap);
}

static void what_is_unknown_is_refused(struct kunit *test)
{
	struct biolab *l = test->priv;

	KUNIT_EXPECT_EQ(test, bl_io(l, REQ_OP_SECURE_ERASE, 0, 8, 0), -EOPNOTSUPP);
	KUNIT_EXPECT_NE(test, bl_io(l, REQ_OP_READ, BIOLAB_SECTORS - 4, 8, 0), 0);
	KUNIT_EXPECT_NE(test, bl_io(l, REQ_OP_WRITE, BIOLAB_SECTORS, 8, 1), 0);
	bl_verify(l);
}

static struct kunit_case bio_cases[] = {
	KUNIT_CASE(a_hole_is_read_without_the_device),
	KUNIT_CASE(a_whole_block_is_one_write),
	KUNIT_CASE(one_bio_over_many_extents),
	KUNIT_CASE(a_bio_of_many_small_pieces),
	KUNIT_CASE(part_of_a_hole),
	KUNIT_CASE(part_of_an_owned_block),
	KUNIT_CASE(part_of_a_shared_block),
	KUNIT_CASE(two_parts_of_one_shared_block_at_once),
	KUNIT_CASE(a_part_and_the_whole_at_once),
	KUNIT_CASE(random_writes_and_discards),
	KUNIT_CASE(many_bios_at_once),
	KUNIT_CASE(a_discard_leaves_parts_of_blocks),
	KUNIT_CASE(write_zeroes_does_not),
	KUNIT_CASE(a_discard_hides_what_is_shared),
	KUNIT_CASE(a_read_only_disk_is_not_written_to),
	KUNIT_CASE(what_is_unknown_is_refused),
	{ }
};

/* Those in which something is in flight; test_cases holds results, so it cannot be one array. */
static struct kunit_case bio_irq_cases[] = {
	KUNIT_CASE(one_bio_over_many_extents),
	KUNIT_CASE(part_of_a_hole),
	KUNIT_CASE(part_of_a_shared_block),
	KUNIT_CASE(two_parts_of_one_shared_block_at_once),
	KUNIT_CASE(a_part_and_the_whole_at_once),
	KUNIT_CASE(random_writes_and_discards),
	KUNIT_CASE(many_bios_at_once),
	KUNIT_CASE(write_zeroes_does_not),
	KUNIT_CASE(a_discard_hides_what_is_shared),
	{ }
};

struct kunit_suite lbk_bio_suite = {
	.name		= "layerblk_bio",
	.init		= biolab_init,
	.exit		= biolab_exit,
	.test_cases	= bio_cases,
};

struct kunit_suite lbk_bio_irq_suite = {
	.name		= "layerblk_bio_irq",
	.init		= biolab_init_irq,
	.exit		= biolab_exit,
	.test_cases	= bio_irq_cases,
};
