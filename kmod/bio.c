// SPDX-License-Identifier: GPL-2.0
/*
 * The fast way of a bio: ask the engine where its blocks lie, redirect it to the pool device, clean up when it comes back.
 *
 * Everything here runs in submit_bio() or in a completion (but for lbk_io_step() with a job, which a worker calls). The engine
 * is asked with LB_NOWAIT; whatever would sleep goes to a worker as a job, or fails with BLK_STS_AGAIN when the bio says NOWAIT.
 *
 * In flight: from before the engine is asked until lb_write_end(), or the end of the read. The order at the end is lb_write_end(),
 * gate, accounting, io freed, in-flight count, the caller's end_io: after the count nothing of the disk is touched, for it may be gone.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <trace/events/block.h>

#include "bio.h"
#include "compat.h"
#include "trace.h"

#define LBK_MIN_JOBS	16
#define LBK_MIN_PAGES	4
#define LBK_MIN_CLONES	64

static struct kmem_cache *lbk_job_cache;

/* ------------------------------------------------------------------ parts in flight */

void lbk_io_release(struct lbk_io *io)
{
	if (io->sectors)
		compat_end_io_acct(io->disk->gd->part0, io->op, io->sectors, io->start);
	if (unlikely(io->withheld))
		io->bio->bi_opf |= io->withheld;
	lbk_io_free(io);
}

/*
 * bi_end_io must not be called directly: a clone's is bio_chain_endio(), which only bio_endio() knows what to do with. The first
 * bio_endio() has let go of all it found (chain count, integrity, cgroup, trace flag); the request queue's marks are left, and
 * would be taken for marks of this disk's queue.
 */
void lbk_part_end(struct bio *part)
{
	bio_clear_flag(part, BIO_QOS_THROTTLED);
	bio_clear_flag(part, BIO_QOS_MERGED);
	bio_endio(part);
}

static void lbk_io_end(struct bio *bio)
{
	struct lbk_io *io = bio->bi_private;
	struct lbk_disk *disk = io->disk;

	bio->bi_end_io = io->end_io;
	bio->bi_private = io->private;
	bio->bi_bdev = disk->gd->part0;
	if (io->write)
		lb_write_end(&io->w, blk_status_to_errno(bio->bi_status));
	lb_io_leave(disk->vol, io->gate);
	if (unlikely(io->withheld && !bio->bi_status)) {
		lbk_wait_begin(disk);
		percpu_ref_put(&disk->inflight);
		lbk_flush_io(io);
		return;
	}
	lbk_io_release(io);
	percpu_ref_put(&disk->inflight);
	lbk_part_end(bio);
}

void lbk_io_dispatch(struct lbk_io *io, struct bio *part, sector_t sector)
{
	struct lbk_disk *disk = io->disk;
	sector_t from = part->bi_iter.bi_sector;

	io->bio = part;
	io->end_io = part->bi_end_io;
	io->private = part->bi_private;
	io->sectors = bio_sectors(part);
	io->op = bio_op(part);
	if (io->sectors)
		compat_start_io_acct(disk->gd->part0, io->op, io->sectors, io->start);
	if (unlikely(io->withheld))
		part->bi_opf &= ~io->withheld;
	part->bi_end_io = lbk_io_end;
	part->bi_private = io;
	bio_set_dev(part, disk->below);
	part->bi_iter.bi_sector = sector;
	trace_block_bio_remap(part, disk_devt(disk->gd), from);
	submit_bio_noacct(part);
}

/*
 * The first `sectors` of a bio as a part of its own: the bio itself if it can be redirected, else a clone chained to it, and the
 * bio is advanced. NULL: no clone was to be had without sleeping, or the bio must not be split.
 */
static struct bio *lbk_part(struct lbk_disk *disk, struct bio *bio, unsigned int sectors, struct lbk_job *job)
{
	bool whole = sectors == bio_sectors(bio);
	struct bio *clone;

	if (likely(whole && !bio_flagged(bio, BIO_CHAIN)))
		return bio;
	if (!whole && (bio->bi_opf & REQ_NOWAIT))
		return NULL;
	if (job) {
		clone = job->clone;
		job->clone = NULL;
		clone->bi_iter = bio->bi_iter;
	} else {
		clone = bio_alloc_clone(bio->bi_bdev, bio, GFP_NOWAIT | __GFP_NOWARN, &disk->pool->clones);
		if (!clone)
			return NULL;
	}
	clone->bi_iter.bi_size = sectors << SECTOR_SHIFT;
	if (bio_flagged(bio, BIO_TRACE_COMPLETION))
		bio_set_flag(clone, BIO_TRACE_COMPLETION);
	bio_chain(clone, bio);
	if (!whole)
		bio_advance(bio, sectors << SECTOR_SHIFT);
	return clone;
}

/* Send off a part made by lbk_part(). */
static int lbk_send(struct lbk_io *io, struct bio *bio, struct bio *part, bool last, sector_t sector)
{
	lbk_io_dispatch(io, part, sector);
	if (part == bio)
		return LBK_GONE;
	if (!last)
		return LBK_MORE;
	bio_endio(bio);		/* ends with the last of its parts */
	return LBK_GONE;
}

/* ------------------------------------------------------------------ one step */

/* Zero the first `sectors` of a read. True when the bio goes on behind them. */
static bool lbk_read_hole(struct bio *bio, unsigned int sectors)
{
	struct bvec_iter iter = bio->bi_iter;
	struct bio_vec bv;

	if (sectors == bio_sectors(bio)) {
		zero_fill_bio(bio);
		return false;
	}
	iter.bi_size = sectors << SECTOR_SHIFT;
	__bio_for_each_segment(bv, bio, iter, iter)
		memzero_bvec(&bv);
	bio_advance(bio, sectors << SECTOR_SHIFT);
	return true;
}

/* A read that ends here, without I/O. */
static int lbk_read_done(struct lbk_io *io, struct bio *bio)
{
	struct lbk_disk *disk = io->disk;

	lb_io_leave(disk->vol, io->gate);
	compat_start_io_acct(disk->gd->part0, REQ_OP_READ, io->sectors, io->start);
	compat_end_io_acct(disk->gd->part0, REQ_OP_READ, io->sectors, io->start);
	lbk_io_free(io);
	percpu_ref_put(&disk->inflight);
	bio_endio(bio);
	return LBK_GONE;
}

static int lbk_read_step(struct lbk_io *io, struct bio *bio, struct lbk_job *job)
{
	struct lbk_disk *disk = io->disk;
	unsigned int skip, sectors, left;
	struct lb_mapping m;
	struct bio *part;
	sector_t sector;
	int err;

	io->sectors = bio_sectors(bio);
	for (;;) {
		sector = bio->bi_iter.bi_sector;
		skip = sector & (LBK_BLOCK_SECTORS - 1);
		left = bio_sectors(bio);
		err = lb_read_map(disk->vol, sector / LBK_BLOCK_SECTORS, DIV_ROUND_UP(skip + left, LBK_BLOCK_SECTORS),
				  job ? 0 : LB_NOWAIT, &m);
		if (unlikely(err))
			return err;
		sectors = min_t(u64, left, m.count * LBK_BLOCK_SECTORS - skip);
		if (likely(m.pblk != LB_PBLK_HOLE))
			break;
		if (!lbk_read_hole(bio, sectors))
			return lbk_read_done(io, bio);
	}
	part = lbk_part(disk, bio, sectors, job);
	if (unlikely(!part))
		return -EAGAIN;
	return lbk_send(io, bio, part, sectors == left, m.pblk * LBK_BLOCK_SECTORS + skip);
}

/* Part of a block that is not owned yet; in a worker. */
static int lbk_rmw_step(struct lbk_io *io, struct bio *bio, unsigned int skip, unsigned int sectors)
{
	int err = lbk_io_rmw(io, bio, skip, sectors);

	if (err || sectors == bio_sectors(bio)) {
		lbk_bio_end(bio, err);
		return LBK_GONE;
	}
	bio_advance(bio, sectors << SECTOR_SHIFT);
	return LBK_MORE;
}

/*
 * May data that come with a flush be written now? New blocks are nobody's to see until a journal record names them, and that record's write begins with
 * a flush: one of all that had been acknowledged when the data came. Where the old content is overwritten, only if there is nothing to flush but the
 * device's own cache, which the device does in the right order.
 */
static bool lbk_flush_can_follow(const struct lbk_io *io, const struct bio *bio)
{
	return (!io->w.in_place && (bio->bi_opf & REQ_FUA)) || !lb_flush_needed(io->disk->vol);
}

static blk_opf_t lbk_withhold(const struct lbk_io *io, const struct bio *part)
{
	if (!(part->bi_opf & REQ_FUA))
		return 0;
	if (!io->w.in_place)
		return part->bi_opf & (REQ_FUA | REQ_PREFLUSH);
	return io->w.unjournaled ? REQ_FUA : 0;
}

static int lbk_write_step(struct lbk_io *io, struct bio *bio, struct lbk_job *job)
{
	unsigned int flags = job ? 0 : LB_NOWAIT, left = bio_sectors(bio), sectors, skip;
	sector_t sector = bio->bi_iter.bi_sector;
	struct lbk_disk *disk = io->disk;
	struct bio *part;
	bool partial;
	int err;

	if (unlikely(disk->read_only))
		return -EROFS;
	skip = sector & (LBK_BLOCK_SECTORS - 1);
	partial = skip || left < LBK_BLOCK_SECTORS;
	err = lb_write_begin(disk->vol, sector / LBK_BLOCK_SECTORS, partial ? 1 : left / LBK_BLOCK_SECTORS,
			     partial ? flags | LB_PARTIAL : flags, &io->w);
	if (unlikely(err))
		return err;
	sectors = partial ? min(left, LBK_BLOCK_SECTORS - skip) : io->w.count * LBK_BLOCK_SECTORS;
	if (unlikely(partial && !io->w.in_place)) {
		if (!job)
			goto again;	/* the lock must not be held while it is queued: see pool.h */
		return lbk_rmw_step(io, bio, skip, sectors);
	}
	if (unlikely((bio->bi_opf & REQ_PREFLUSH) && (sectors != left || !lbk_flush_can_follow(io, bio))))
		goto again;
	part = lbk_part(disk, bio, sectors, job);
	if (unlikely(!part))
		goto again;
	io->write = true;
	io->withheld = lbk_withhold(io, part);
	return lbk_send(io, bio, part, sectors == left, io->w.pblk * LBK_BLOCK_SECTORS + skip);
again:
	lb_write_end(&io->w, -EAGAIN);
	return -EAGAIN;
}

int lbk_io_step(struct lbk_disk *disk, struct bio *bio, struct lbk_job *job)
{
	struct lbk_io *io;
	int ret;

	if (job && !job->clone)
		job->clone = bio_alloc_clone(bio->bi_bdev, bio, GFP_NOIO, &disk->pool->clones);
	io = lbk_io_alloc(disk, bio->bi_opf & REQ_NOWAIT ? GFP_NOWAIT | __GFP_NOWARN : GFP_NOIO);
	if (unlikely(!io))
		return -EAGAIN;
	if (unlikely(!percpu_ref_tryget_live(&disk->inflight))) {
		lbk_io_free(io);
		return LBK_HELD;
	}
	io->start = job ? job->start : jiffies;
	io->gate = lb_io_enter(disk->vol);
	if (unlikely(lbk_beyond(disk, bio)))
		ret = -EIO;
	else
		ret = op_is_write(bio_op(bio)) ? lbk_write_step(io, bio, job) : lbk_read_step(io, bio, job);
	if (likely(ret >= 0))
		return ret;
	lb_io_leave(disk->vol, io->gate);
	lbk_io_free(io);
	percpu_ref_put(&disk->inflight);
	return ret;
}

/* ------------------------------------------------------------------ what cannot go on */

static blk_status_t lbk_status(int error)
{
	return error == -EDQUOT ? BLK_STS_NOSPC : errno_to_blk_status(error);
}

void lbk_bio_end(struct bio *bio, int error)
{
	if (error)
		bio->bi_status = lbk_status(error);
	bio_endio(bio);
}

static void lbk_job_drop_clone(struct lbk_job *job)
{
	if (job->clone)
		bio_put(job->clone);
	job->clone = NULL;
}

void lbk_bio_stuck(struct lbk_disk *disk, struct bio *bio, int ret, struct lbk_job *job)
{
	bool may_wait = ret == LBK_HELD || ret == -EAGAIN || ret == -ENOSPC || ret == -ENOBUFS;

	if (!may_wait) {
		lbk_bio_end(bio, ret);
	} else if (bio->bi_opf & REQ_NOWAIT) {
		bio_wouldblock_error(bio);
	} else if (ret != LBK_HELD || !lbk_park(disk, bio)) {
		if (job)
			lbk_job_drop_clone(job);	/* nothing that others may wait for is kept while it waits */
		else
			job = lbk_job_alloc(disk, bio);
		trace_lbk_slow(disk, bio, ret);
		job->wq = disk->pool->slow_wq;
		INIT_WORK(&job->work, lbk_slow_work);
		if (ret == -ENOSPC || ret == -ENOBUFS)
			lbk_room_wait(job, ret);
		else
			queue_work(job->wq, &job->work);
		return;
	}
	if (job)
		lbk_job_free(job);
}

struct lbk_job *lbk_job_alloc(struct lbk_disk *disk, struct bio *bio)
{
	bool changes = op_is_write(bio_op(bio)) && bio_sectors(bio);
	mempool_t *from = changes ? &disk->pool->write_jobs : &disk->pool->jobs;
	struct lbk_job *job = mempool_alloc(from, GFP_NOIO);

	memset(job, 0, sizeof(*job));
	job->from = from;
	job->disk = disk;
	job->bio = bio;
	job->start = jiffies;
	lbk_wait_begin(disk);
	return job;
}

void lbk_job_free(struct lbk_job *job)
{
	struct lbk_disk *disk = job->disk;

	lbk_job_drop_clone(job);
	mempool_free(job, job->from);
	lbk_wait_end(disk);
}

void lbk_job_queue(struct lbk_job *job, struct workqueue_struct *wq, work_func_t fn)
{
	job->wq = wq;
	INIT_WORK(&job->work, fn);
	queue_work(wq, &job->work);
}

/* ------------------------------------------------------------------ the way in */

void lbk_bio_issue(struct lbk_disk *disk, struct bio *bio, struct lbk_job *job)
{
	int ret;

	do {
		ret = lbk_io_step(disk, bio, NULL);
		if (ret == LBK_MORE && current->bio_list) {
			submit_bio_noacct(bio);		/* one clone per submit_bio: what is below must get its turn first */
			ret = LBK_GONE;
		}
	} while (ret == LBK_MORE);
	if (unlikely(ret != LBK_GONE))
		lbk_bio_stuck(disk, bio, ret, job);
	else if (job)
		lbk_job_free(job);
}

void lbk_submit_bio(struct bio *bio)
{
	struct lbk_disk *disk = bio->bi_bdev->bd_disk->private_data;

	switch (bio_op(bio)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
		if (unlikely(bio->bi_opf & REQ_PREFLUSH))
			lbk_bio_flush(disk, bio);
		else
			lbk_bio_issue(disk, bio, NULL);
		break;
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		lbk_bio_unmap(disk, bio);
		break;
	default:
		lbk_bio_end(bio, -EOPNOTSUPP);
	}
}

/* ------------------------------------------------------------------ set-up */

int lbk_bio_pools_init(struct lbk_pool *pool)
{
	int err;

	err = lbk_ios_reserve(&pool->ios);
	if (!err)
		err = mempool_init_slab_pool(&pool->jobs, LBK_MIN_JOBS, lbk_job_cache);
	if (!err)
		err = mempool_init_slab_pool(&pool->write_jobs, LBK_MIN_JOBS, lbk_job_cache);
	if (!err)
		err = mempool_init_page_pool(&pool->pages, LBK_MIN_PAGES, 0);
	if (!err)
		err = bioset_init(&pool->clones, LBK_MIN_CLONES, 0, 0);
	if (err)
		lbk_bio_pools_exit(pool);
	return err;
}

/* All of these may be called on what was never initialised, as long as it is zero. */
void lbk_bio_pools_exit(struct lbk_pool *pool)
{
	bioset_exit(&pool->clones);
	mempool_exit(&pool->pages);
	mempool_exit(&pool->write_jobs);
	mempool_exit(&pool->jobs);
	mempool_exit(&pool->ios);
}

int lbk_bio_init(void)
{
	int err = lbk_ios_init();

	if (err)
		return err;
	lbk_job_cache = KMEM_CACHE(lbk_job, 0);
	if (lbk_job_cache)
		return 0;
	lbk_ios_exit();
	return -ENOMEM;
}

void lbk_bio_exit(void)
{
	kmem_cache_destroy(lbk_job_cache);
	lbk_ios_exit();
}
