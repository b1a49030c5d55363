// SPDX-License-Identifier: GPL-2.0
/*
 * Discard and write-zeroes: whole blocks are unmapped, in the engine's bounded steps, on the pool's unmap_wq; a hold gets its turn
 * between two steps. What a discard covers of a block only in part stays as it is; of a write-zeroes it is written as zeros.
 *
 * The bio itself says how far it has come: it is advanced step by step.
 *
 * Write-zeroes with REQ_NOUNMAP wants its blocks allocated: the block layer is told that there is no such thing here, and writes zeros.
 */
#include <linux/sched/mm.h>

#include "bio.h"
#include "compat.h"
#include "trace.h"

/* Parts of blocks at the ends of a discard. False when nothing is left of it. */
static bool lbk_unmap_trim(struct bio *bio)
{
	sector_t first = bio->bi_iter.bi_sector, end = bio_end_sector(bio);
	sector_t from = round_up(first, LBK_BLOCK_SECTORS), to = round_down(end, LBK_BLOCK_SECTORS);

	if (from >= to)
		return false;
	bio->bi_iter.bi_sector = from;
	bio->bi_iter.bi_size = (to - from) << SECTOR_SHIFT;
	return true;
}

/* Zeros to part of a block. The part is in flight; ends it. */
static int lbk_unmap_edge(struct lbk_io *io, struct bio *bio, unsigned int skip, unsigned int sectors)
{
	struct lbk_disk *disk = io->disk;
	int err;

	err = lb_write_begin(disk->vol, bio->bi_iter.bi_sector / LBK_BLOCK_SECTORS, 1, LB_PARTIAL, &io->w);
	if (!err)
		return lbk_io_rmw(io, NULL, skip, sectors);
	lb_io_leave(disk->vol, io->gate);
	lbk_io_free(io);
	percpu_ref_put(&disk->inflight);
	return err;
}

static int lbk_unmap_whole(struct lbk_io *io, struct bio *bio, unsigned int *sectors)
{
	struct lbk_disk *disk = io->disk;
	u64 done = 0;
	int err;

	err = lb_unmap(disk->vol, bio->bi_iter.bi_sector / LBK_BLOCK_SECTORS, bio_sectors(bio) / LBK_BLOCK_SECTORS, 0, &done);
	lb_io_leave(disk->vol, io->gate);
	lbk_io_free(io);
	percpu_ref_put(&disk->inflight);
	*sectors = done * LBK_BLOCK_SECTORS;
	return err;
}

/* 0 and the bio is advanced, LBK_HELD, or an error. */
static int lbk_unmap_step(struct lbk_disk *disk, struct bio *bio, struct lbk_job *job)
{
	unsigned int skip = bio->bi_iter.bi_sector & (LBK_BLOCK_SECTORS - 1), sectors;
	struct lbk_io *io;
	int err;

	if (disk->read_only)
		return -EROFS;
	io = lbk_io_alloc(disk, GFP_NOIO);
	if (!percpu_ref_tryget_live(&disk->inflight)) {
		lbk_io_free(io);
		return LBK_HELD;
	}
	if (lbk_beyond(disk, bio)) {
		lbk_io_free(io);
		percpu_ref_put(&disk->inflight);
		return -EIO;
	}
	io->start = job->start;
	io->gate = lb_io_enter(disk->vol);
	if (skip || bio_sectors(bio) < LBK_BLOCK_SECTORS) {
		sectors = min(bio_sectors(bio), LBK_BLOCK_SECTORS - skip);
		err = lbk_unmap_edge(io, bio, skip, sectors);
	} else {
		err = lbk_unmap_whole(io, bio, &sectors);
	}
	if (err)
		return err;
	bio->bi_iter.bi_sector += sectors;
	bio->bi_iter.bi_size -= sectors << SECTOR_SHIFT;
	job->asked = false;
	job->deadline = 0;
	return 0;
}

static void lbk_unmap_end(struct lbk_job *job, int err)
{
	struct lbk_disk *disk = job->disk;
	struct bio *bio = job->bio;

	if (!err && (bio->bi_opf & REQ_FUA))
		err = lb_flush(disk->vol);
	compat_end_io_acct(disk->gd->part0, bio_op(bio), job->sectors, job->start);
	lbk_job_free(job);
	lbk_bio_end(bio, err);
}

static void lbk_unmap_work(struct work_struct *work)
{
	struct lbk_job *job = container_of(work, struct lbk_job, work);
	unsigned int scope = memalloc_noio_save();
	struct lbk_disk *disk = job->disk;
	int err = 0;

	while (!err && bio_sectors(job->bio)) {
		err = lbk_unmap_step(disk, job->bio, job);
		if (err == LBK_HELD) {		/* the job cannot be parked, and resuming waits for nothing here */
			lbk_wait_held(disk);
			err = 0;
		}
		cond_resched();
	}
	if (err == -ENOSPC || err == -ENOBUFS)
		lbk_room_wait(job, err);
	else
		lbk_unmap_end(job, err);
	memalloc_noio_restore(scope);
}

void lbk_bio_unmap(struct lbk_disk *disk, struct bio *bio)
{
	struct lbk_job *job;

	if (bio_op(bio) == REQ_OP_WRITE_ZEROES && (bio->bi_opf & REQ_NOUNMAP)) {
		lbk_bio_end(bio, -EOPNOTSUPP);
		return;
	}
	if (bio->bi_opf & REQ_NOWAIT) {
		bio_wouldblock_error(bio);
		return;
	}
	if (bio_op(bio) == REQ_OP_DISCARD && !lbk_unmap_trim(bio)) {
		lbk_bio_end(bio, 0);
		return;
	}
	job = lbk_job_alloc(disk, bio);
	job->sectors = bio_sectors(bio);
	job->fail = lbk_unmap_end;
	compat_start_io_acct(disk->gd->part0, bio_op(bio), job->sectors, job->start);
	lbk_job_queue(job, disk->pool->unmap_wq, lbk_unmap_work);
}
