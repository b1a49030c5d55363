// SPDX-License-Identifier: GPL-2.0
/*
 * The bench for bios: see lab.h. The pool is opened as a request would open it, and the disk is the one that /dev shows; so udev may
 * look at it at any time, and a test that counts what arrives below must come to terms with further reads.
 */
#include <linux/delay.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "lab.h"

#define PATIENCE	(60 * HZ)

/* ------------------------------------------------------------------ pool and disk */

struct lbk_disk *bl_activate(struct biolab *l, u64 id)
{
	struct lbk_disk *disk = NULL;
	int err;

	mutex_lock(&l->pool->disks_lock);
	err = lbk_disk_activate(l->pool, id, false, &disk);
	mutex_unlock(&l->pool->disks_lock);
	KUNIT_ASSERT_EQ(l->test, err, 0);
	return disk;
}

/* udev may have it open for a moment. */
static int deactivate(struct biolab *l, struct lbk_disk *disk)
{
	unsigned int tries;
	int err = -EBUSY;

	for (tries = 0; tries < 600 && err == -EBUSY; tries++) {
		if (tries)
			msleep(50);
		mutex_lock(&l->pool->disks_lock);
		err = lbk_disk_deactivate(disk);
		mutex_unlock(&l->pool->disks_lock);
	}
	return err;
}

void bl_deactivate(struct biolab *l, struct lbk_disk *disk)
{
	KUNIT_EXPECT_EQ(l->test, deactivate(l, disk), 0);
}

static int pool_open(struct biolab *l)
{
	int err;

	err = lbk_pool_open(memdisk_dev(l->md), false, false, l->uuid);
	if (err)
		return err;
	l->pool = lbk_pool_get(l->uuid);
	lbk_pool_put(l->pool);		/* a test is the only one who closes it */
	l->open = true;
	return 0;
}

void bl_open(struct biolab *l)
{
	KUNIT_ASSERT_EQ(l->test, pool_open(l), 0);
	l->disk = bl_activate(l, l->id);
	l->bdev = l->disk->gd->part0;
}

static int pool_close(struct biolab *l)
{
	unsigned int tries;
	int err = -EBUSY;

	for (tries = 0; tries < 600 && err == -EBUSY; tries++) {
		if (tries)
			msleep(50);
		err = lbk_pool_close(l->uuid);
	}
	l->open = false;
	l->disk = NULL;
	return err;
}

void bl_close(struct biolab *l)
{
	KUNIT_EXPECT_EQ(l->test, pool_close(l), 0);
}

void bl_power_cut(struct biolab *l)
{
	memdisk_power_off(l->md, 0);
	memdisk_keep(l->md, 0);
	pool_close(l);			/* with an error, if there was something to write */
	memdisk_power_cut(l->md);
	bl_open(l);
}

static int format(struct biolab *l)
{
	struct lb_format_opts opts = { };
	struct port_dev *dev = kunit_kzalloc(l->test, sizeof(*dev), GFP_KERNEL);
	struct file *file;
	int err;

	if (!dev)
		return -ENOMEM;
	file = bdev_file_open_by_dev(memdisk_dev(l->md), BLK_OPEN_READ | BLK_OPEN_WRITE, l, NULL);
	if (IS_ERR(file))
		return PTR_ERR(file);
	err = port_dev_init(dev, file_bdev(file));
	if (!err) {
		err = lb_pool_format(dev, &opts, l->uuid);
		port_dev_exit(dev);
	}
	bdev_fput(file);
	return err;
}

static int lab_init(struct kunit *test, bool irq)
{
	struct memdisk_opts opts = { .blocks = LAB_BLOCKS / 2, .room = LAB_BLOCKS, .irq = irq };
	struct biolab *l = kunit_kzalloc(test, sizeof(*l), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, l);
	l->test = test;
	l->seed = 1;
	test->priv = l;
	l->model = kunit_kcalloc(test, BIOLAB_SECTORS, sizeof(*l->model), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, l->model);
	l->md = memdisk_new(&opts);
	KUNIT_ASSERT_NOT_NULL(test, l->md);
	KUNIT_ASSERT_EQ(test, format(l), 0);
	KUNIT_ASSERT_EQ(test, pool_open(l), 0);
	KUNIT_ASSERT_EQ(test, lb_vol_create(l->pool->engine, lab_name("v"), BIOLAB_SECTORS / LBK_BLOCK_SECTORS, 0, NULL, &l->id), 0);
	l->disk = bl_activate(l, l->id);
	l->bdev = l->disk->gd->part0;
	return 0;
}

int biolab_init(struct kunit *test)
{
	return lab_init(test, false);
}

int biolab_init_irq(struct kunit *test)
{
	return lab_init(test, true);
}

void biolab_exit(struct kunit *test)
{
	struct biolab *l = test->priv;

	if (!l)
		return;
	if (l->md) {
		memdisk_fail(l->md, 0, 0, 0, BLK_STS_OK);
		memdisk_keep(l->md, 0);
	}
	if (l->open)
		pool_close(l);
	memdisk_free(l->md);
	test->priv = NULL;
}

/* ------------------------------------------------------------------ bios */

static void labio_end(struct bio *bio)
{
	struct labio *io = bio->bi_private;

	io->error = blk_status_to_errno(bio->bi_status);
	complete(&io->done);
}

static void labio_free(struct labio *io)
{
	bio_put(io->bio);
	kvfree(io->buf);
	kfree(io);
}

static struct labio *labio_new(struct biolab *l, struct lbk_disk *disk, blk_opf_t opf, unsigned int sectors)
{
	bool data = sectors && ((opf & REQ_OP_MASK) == REQ_OP_READ || (opf & REQ_OP_MASK) == REQ_OP_WRITE);
	struct labio *io = kzalloc(sizeof(*io), GFP_KERNEL);
	size_t done, n;

	KUNIT_ASSERT_NOT_NULL(l->test, io);
	init_completion(&io->done);
	io->bytes = data ? (size_t)sectors << SECTOR_SHIFT : 0;
	io->bio = bio_alloc(disk->gd->part0, min_t(size_t, io->bytes / PAGE_SIZE + 2, BIO_MAX_VECS), opf, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(l->test, io->bio);
	if (!data)
		return io;
	io->buf = kvzalloc(io->bytes + SECTOR_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(l->test, io->buf);
	for (done = 0; done < io->bytes; done += n) {
		n = min_t(size_t, io->bytes - done, PAGE_SIZE - offset_in_page(io->buf + done));
		bio_add_page(io->bio, is_vmalloc_addr(io->buf) ? vmalloc_to_page(io->buf + done) : virt_to_page(io->buf + done), n,
			     offset_in_page(io->buf + done));
	}
	return io;
}

struct labio *bl_start_on(struct biolab *l, struct lbk_disk *disk, blk_opf_t opf, u64 sector, unsigned int sectors, u32 tag)
{
	struct labio *io = labio_new(l, disk, opf, sectors);

	io->tag = tag;
	io->sector = sector;
	if (io->bytes && op_is_write(opf & REQ_OP_MASK))
		lab_fill(io->buf, tag, sector, sectors);
	io->bio->bi_iter.bi_sector = sector;
	io->bio->bi_iter.bi_size = sectors << SECTOR_SHIFT;
	io->bio->bi_end_io = labio_end;
	io->bio->bi_private = io;
	submit_bio(io->bio);
	return io;
}

bool bl_done(struct labio *io)
{
	return completion_done(&io->done);
}

int bl_wait(struct biolab *l, struct labio *io)
{
	int err;

	/* When it has not ended it is never freed: the disk still has it. */
	KUNIT_ASSERT_NE_MSG(l->test, wait_for_completion_timeout(&io->done, PATIENCE), 0ul, "a bio at %llu does not end", io->sector);
	err = io->error;
	if (!err && io->bytes && bio_op(io->bio) == REQ_OP_READ &&
	    lab_mismatch(io->buf, io->tag, io->sector, io->bytes >> SECTOR_SHIFT) >= 0)
		err = -EILSEQ;
	labio_free(io);
	return err;
}

int bl_io_on(struct biolab *l, struct lbk_disk *disk, blk_opf_t opf, u64 sector, unsigned int sectors, u32 tag)
{
	return bl_wait(l, bl_start_on(l, disk, opf, sector, sectors, tag));
}

/* ------------------------------------------------------------------ with the model */

static void model_set(struct biolab *l, u64 sector, unsigned int sectors, u32 tag)
{
	for (; sectors; sectors--)
		l->model[sector++] = tag;
}

void bl_write(struct biolab *l, u64 sector, unsigned int sectors, u32 tag, blk_opf_t flags)
{
	KUNIT_ASSERT_EQ(l->test, bl_io(l, REQ_OP_WRITE | flags, sector, sectors, tag), 0);
	model_set(l, sector, sectors, tag);
}

void bl_zero(struct biolab *l, enum req_op op, u64 sector, unsigned int sectors)
{
	u64 from = sector, to = sector + sectors;

	KUNIT_ASSERT_EQ(l->test, bl_io(l, op, sector, sectors, 0), 0);
	if (op == REQ_OP_DISCARD) {		/* of whole blocks */
		from = round_up(from, LBK_BLOCK_SECTORS);
		to = round_down(to, LBK_BLOCK_SECTORS);
	}
	if (from < to)
		model_set(l, from, to - from, 0);
}

void bl_flush(struct biolab *l)
{
	KUNIT_ASSERT_EQ(l->test, bl_io(l, REQ_OP_WRITE | REQ_PREFLUSH, 0, 0, 0), 0);
}

void bl_verify_on(struct biolab *l, struct lbk_disk *disk, const u32 *model)
{
	unsigned int chunk = 512, i, s;
	struct labio *io;

	for (s = 0; s < BIOLAB_SECTORS; s += chunk) {
		io = bl_start_on(l, disk, REQ_OP_READ, s, chunk, 0);
		KUNIT_ASSERT_NE(l->test, wait_for_completion_timeout(&io->done, PATIENCE), 0ul);
		KUNIT_EXPECT_EQ(l->test, io->error, 0);
		for (i = 0; i < chunk; i++) {
			if (lab_mismatch(io->buf + (i << SECTOR_SHIFT), model[s + i], s + i, 1) < 0)
				continue;
			KUNIT_FAIL(l->test, "sector %u is not as written (tag %u)", s + i, model[s + i]);
			break;
		}
		labio_free(io);
	}
}

void bl_verify(struct biolab *l)
{
	bl_verify_on(l, l->disk, l->model);
}

u32 *bl_model_copy(struct biolab *l)
{
	u32 *copy = kunit_kcalloc(l->test, BIOLAB_SECTORS, sizeof(*copy), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(l->test, copy);
	memcpy(copy, l->model, BIOLAB_SECTORS * sizeof(*copy));
	return copy;
}

u64 bl_snapshot(struct biolab *l, const char *name)
{
	u64 id = 0;

	KUNIT_ASSERT_EQ(l->test, lb_vol_snapshot(l->pool->engine, l->id, lab_name(name), false, 0, NULL, &id), 0);
	return id;
}

unsigned int bl_random(struct biolab *l, unsigned int below)
{
	l->seed = l->seed * 1103515245 + 12345;
	return (l->seed >> 8) % below;
}
