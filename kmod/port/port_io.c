// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's port: I/O of metadata to the pool device, synchronous and in batches.
 *
 * Every bio comes from the pool's own set. A batch keeps its bios back and submits them together under a plug; because a bio
 * that is kept back does not make progress, it never waits for memory while it keeps any: it submits first, then waits.
 * Neighbouring blocks given in ascending order share a bio, also when two such runs alternate, as a node's first and second
 * copies do.
 *
 * A batch is used by one thread; completions touch only its counters.
 */
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "format.h"
#include "port.h"
#include "port_kernel.h"

#define PORT_BIO_RESERVE	16	/* bios that are there whatever happens */
#define PORT_BATCH_VECS		64	/* blocks in one bio of a batch: 256 KiB */
#define PORT_BATCH_KEEP		32	/* bios kept back before they are submitted */
#define PORT_DISCARD_BLOCKS	(1u << 18)	/* 1 GiB: bi_size has 32 bits */

int port_dev_init(struct port_dev *dev, struct block_device *bdev)
{
	dev->bdev = bdev;
	return bioset_init(&dev->bios, PORT_BIO_RESERVE, 0, BIOSET_NEED_BVECS);
}

void port_dev_exit(struct port_dev *dev)
{
	bioset_exit(&dev->bios);
}

u64 port_dev_blocks(struct port_dev *dev)
{
	return bdev_nr_bytes(dev->bdev) >> LB_BLOCK_SHIFT;
}

bool port_dev_can_discard(struct port_dev *dev)
{
	return bdev_max_discard_sectors(dev->bdev) != 0;
}

static sector_t port_sector(u64 block)
{
	return block << (LB_BLOCK_SHIFT - SECTOR_SHIFT);
}

static bool port_add(struct bio *bio, void *block)
{
	return bio_add_page(bio, virt_to_page(block), LB_BLOCK_BYTES, offset_in_page(block)) == LB_BLOCK_BYTES;
}

/*
 * A device has many words for its failures ("gone", "no space", "busy"). In an answer to a request they mean the pool, so here they
 * are all one.
 */
static int port_io_error(int err)
{
	return err ? -EIO : 0;
}

/* ------------------------------------------------------------------ synchronous */

int port_read(struct port_dev *dev, u64 block, void *buf)
{
	struct bio_vec vec;
	struct bio bio;
	int err;

	bio_init(&bio, dev->bdev, &vec, 1, REQ_OP_READ | REQ_META);
	bio.bi_iter.bi_sector = port_sector(block);
	port_add(&bio, buf);
	err = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return port_io_error(err);
}

int port_write(struct port_dev *dev, u64 block, void *const *bufs, unsigned int count, unsigned int flags)
{
	blk_opf_t opf = REQ_OP_WRITE | REQ_META | REQ_SYNC;
	struct bio *bio;
	unsigned int i;
	int err;

	if (flags & PORT_PREFLUSH)
		opf |= REQ_PREFLUSH;
	if (flags & PORT_FUA)
		opf |= REQ_FUA;
	bio = bio_alloc_bioset(dev->bdev, count, opf, GFP_NOIO, &dev->bios);
	if (!bio)
		return -ENOMEM;
	bio->bi_iter.bi_sector = port_sector(block);
	for (i = 0; i < count; i++) {
		if (!port_add(bio, bufs[i])) {
			bio_put(bio);
			return -EIO;
		}
	}
	err = submit_bio_wait(bio);
	bio_put(bio);
	return port_io_error(err);
}

int port_flush(struct port_dev *dev)
{
	return port_io_error(blkdev_issue_flush(dev->bdev));
}

/* ------------------------------------------------------------------ batches */

struct port_run {
	struct bio *bio;
	u64 next;			/* the block that follows on */
};

struct port_batch {
	struct port_dev *dev;
	struct bio_list kept;		/* built, not yet submitted */
	unsigned int kept_count;
	struct port_run open[2];	/* of kept: take further blocks if they follow on */
	unsigned int last;		/* the one that took the last block */
	atomic_t pending;		/* submitted and not completed, plus one held by the batch until wait */
	int error;			/* the first */
	struct completion done;
};

struct port_batch *port_batch_alloc(struct port_dev *dev)
{
	struct port_batch *b = kzalloc(sizeof(*b), GFP_NOIO);

	if (!b)
		return NULL;
	b->dev = dev;
	bio_list_init(&b->kept);
	atomic_set(&b->pending, 1);
	init_completion(&b->done);
	return b;
}

void port_batch_free(struct port_batch *b)
{
	if (!b)
		return;
	port_batch_wait(b);
	kfree(b);
}

static void port_batch_end_io(struct bio *bio)
{
	struct port_batch *b = bio->bi_private;

	if (bio->bi_status && bio_op(bio) != REQ_OP_DISCARD)
		cmpxchg(&b->error, 0, port_io_error(blk_status_to_errno(bio->bi_status)));
	bio_put(bio);
	if (atomic_dec_and_test(&b->pending))
		complete(&b->done);
}

static void port_batch_close_runs(struct port_batch *b)
{
	b->open[0].bio = NULL;
	b->open[1].bio = NULL;
}

static void port_batch_submit(struct port_batch *b)
{
	struct blk_plug plug;
	struct bio *bio;

	port_batch_close_runs(b);
	b->kept_count = 0;
	if (bio_list_empty(&b->kept))
		return;
	blk_start_plug(&plug);
	while ((bio = bio_list_pop(&b->kept)))
		submit_bio(bio);
	blk_finish_plug(&plug);
}

static struct bio *port_batch_bio(struct port_batch *b, unsigned int vecs, blk_opf_t opf, u64 block)
{
	struct bio *bio;

	if (b->kept_count >= PORT_BATCH_KEEP)
		port_batch_submit(b);
	bio = bio_alloc_bioset(b->dev->bdev, vecs, opf, GFP_NOWAIT | __GFP_NOWARN, &b->dev->bios);
	if (!bio) {
		port_batch_submit(b);
		bio = bio_alloc_bioset(b->dev->bdev, vecs, opf, GFP_NOIO, &b->dev->bios);
	}
	bio->bi_iter.bi_sector = port_sector(block);
	bio->bi_end_io = port_batch_end_io;
	bio->bi_private = b;
	atomic_inc(&b->pending);
	bio_list_add(&b->kept, bio);
	b->kept_count++;
	return bio;
}

void port_batch_write(struct port_batch *b, u64 block, void *buf)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (b->open[i].bio && b->open[i].next == block && port_add(b->open[i].bio, buf))
			break;
	}
	if (i == 2) {
		struct bio *bio = port_batch_bio(b, PORT_BATCH_VECS, REQ_OP_WRITE | REQ_META, block);

		i = b->last ^ 1;
		b->open[i].bio = bio;
		port_add(bio, buf);
	}
	b->open[i].next = block + 1;
	b->last = i;
}

void port_batch_discard(struct port_batch *b, u64 block, u64 count)
{
	u64 n;

	if (!port_dev_can_discard(b->dev))
		return;
	port_batch_close_runs(b);
	while (count) {
		n = min_t(u64, count, PORT_DISCARD_BLOCKS);
		port_batch_bio(b, 0, REQ_OP_DISCARD, block)->bi_iter.bi_size = n << LB_BLOCK_SHIFT;
		block += n;
		count -= n;
	}
}

int port_batch_wait(struct port_batch *b)
{
	int err;

	port_batch_submit(b);
	if (!atomic_dec_and_test(&b->pending))
		wait_for_completion_io(&b->done);
	err = b->error;
	b->error = 0;
	atomic_set(&b->pending, 1);
	reinit_completion(&b->done);
	return err;
}
