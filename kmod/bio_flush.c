// SPDX-License-Identifier: GPL-2.0
/*
 * Flushes.
 *
 * When the volume has mappings that are not durable, a flush is a journal write (lb_flush(), which sleeps): it runs on the pool's
 * flush_wq, one work per bio, and the engine lets concurrent ones share a write. Otherwise it is passed on to the pool device.
 * A FUA write of a block whose mapping is not durable is written without FUA, then flushed by the engine, then acknowledged. Data that
 * come with a flush wait for it, then go their usual way; but FUA data in new blocks need not wait, for the flush at their end does for both.
 *
 * Nothing here is in flight while it waits for the engine: a flush can wait for a commit, and a commit can be a snapshot's that
 * waits for what is in flight.
 */
#include <linux/part_stat.h>
#include <linux/sched/mm.h>

#include "bio.h"
#include "compat.h"
#include "trace.h"

static void lbk_flush_account(struct lbk_disk *disk, unsigned long start)
{
	struct block_device *part = disk->gd->part0;

	part_stat_lock();
	part_stat_inc(part, ios[STAT_FLUSH]);
	part_stat_add(part, nsecs[STAT_FLUSH], jiffies_to_nsecs(jiffies - start));
	part_stat_unlock();
}

static int lbk_flush_now(struct lbk_disk *disk)
{
	bool needed = lb_flush_needed(disk->vol);
	int err = needed ? lb_flush(disk->vol) : blkdev_issue_flush(disk->below);

	trace_lbk_flush(disk, needed, err);
	return err;
}

/* ------------------------------------------------------------------ a bio with REQ_PREFLUSH */

static void lbk_flush_work(struct work_struct *work)
{
	struct lbk_job *job = container_of(work, struct lbk_job, work);
	unsigned int scope = memalloc_noio_save();
	struct lbk_disk *disk = job->disk;
	struct bio *bio = job->bio;
	int err;

	err = lbk_flush_now(disk);
	if (err || !bio_sectors(bio)) {
		lbk_flush_account(disk, job->start);
		lbk_bio_end(bio, err);
		lbk_job_free(job);
	} else {
		bio->bi_opf &= ~REQ_PREFLUSH;
		lbk_bio_issue(disk, bio, job);
	}
	memalloc_noio_restore(scope);
}

static void lbk_flush_queue(struct lbk_disk *disk, struct bio *bio)
{
	if (bio->bi_opf & REQ_NOWAIT)
		bio_wouldblock_error(bio);
	else
		lbk_job_queue(lbk_job_alloc(disk, bio), disk->pool->flush_wq, lbk_flush_work);
}

/* Nothing of the volume's is volatile but in the device's own cache: a flush without data is the device's affair. */
static int lbk_flush_down(struct lbk_disk *disk, struct bio *bio)
{
	struct lbk_io *io;

	if (bio_flagged(bio, BIO_CHAIN))
		return -EAGAIN;
	io = lbk_io_alloc(disk, bio->bi_opf & REQ_NOWAIT ? GFP_NOWAIT | __GFP_NOWARN : GFP_NOIO);
	if (!io)
		return -EAGAIN;
	if (!percpu_ref_tryget_live(&disk->inflight)) {
		lbk_io_free(io);
		return LBK_HELD;
	}
	io->gate = lb_io_enter(disk->vol);
	io->start = jiffies;
	lbk_flush_account(disk, io->start);
	lbk_io_dispatch(io, bio, 0);
	return LBK_GONE;
}

void lbk_bio_flush(struct lbk_disk *disk, struct bio *bio)
{
	struct lb_vol *vol = READ_ONCE(disk->vol);
	int ret = -EAGAIN;

	if (!vol) {		/* set aside: nobody has the disk open, so nothing that is to be kept has been written */
		lbk_bio_end(bio, -EIO);
		return;
	}
	if (bio_sectors(bio))
		ret = lbk_io_step(disk, bio, NULL);
	else if (!lb_flush_needed(vol))
		ret = lbk_flush_down(disk, bio);
	if (ret == LBK_GONE)
		return;
	if (ret == LBK_MORE) {		/* cannot be: a flush is not passed on with a part of its data */
		WARN_ON_ONCE(1);
		lbk_bio_end(bio, -EIO);
		return;
	}
	lbk_flush_queue(disk, bio);
}

/* ------------------------------------------------------------------ FUA */

static void lbk_flush_io_work(struct work_struct *work)
{
	struct lbk_io *io = container_of(work, struct lbk_io, work);
	unsigned int scope = memalloc_noio_save();
	struct lbk_disk *disk = io->disk;
	struct bio *part = io->bio;
	int err;

	err = lb_flush(disk->vol);
	if (err)
		part->bi_status = errno_to_blk_status(err);
	lbk_io_release(io);
	lbk_wait_end(disk);
	lbk_part_end(part);
	memalloc_noio_restore(scope);
}

void lbk_flush_io(struct lbk_io *io)
{
	INIT_WORK(&io->work, lbk_flush_io_work);
	queue_work(io->disk->pool->flush_wq, &io->work);
}
