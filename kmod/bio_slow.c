// SPDX-License-Identifier: GPL-2.0
/*
 * Bios that sleep: metadata has to be read, a block lock waited for, or part of a block written for the first time.
 *
 * One work per bio, on the pool's slow_wq. A work never hands a block lock over to another one, and read-modify-write is done
 * within the work that holds the lock, synchronously: nothing that others wait for ever lies in the queue.
 */
#include <linux/highmem.h>
#include <linux/sched/mm.h>

#include "bio.h"
#include "compat.h"
#include "trace.h"

void lbk_slow_work(struct work_struct *work)
{
	struct lbk_job *job = container_of(work, struct lbk_job, work);
	unsigned int scope = memalloc_noio_save();
	struct lbk_disk *disk = job->disk;
	struct bio *bio = job->bio;
	struct blk_plug plug;
	int ret;

	blk_start_plug(&plug);
	for (;;) {
		ret = lbk_io_step(disk, bio, job);
		if (ret != LBK_MORE)
			break;
		job->asked = false;
		job->deadline = 0;
	}
	if (ret == LBK_GONE)
		lbk_job_free(job);
	else
		lbk_bio_stuck(disk, bio, ret, job);
	blk_finish_plug(&plug);
	memalloc_noio_restore(scope);
}

/* One synchronous transfer of [skip, skip + sectors) of a block, as part of what `like` does (NULL: of nothing). */
static int lbk_rmw_transfer(struct lbk_disk *disk, struct bio *like, struct page *page, blk_opf_t opf, u64 pblk, unsigned int skip,
			    unsigned int sectors)
{
	struct bio_vec vec;
	struct bio bio;
	int err;

	bio_init(&bio, disk->below, &vec, 1, opf);
	bio.bi_iter.bi_sector = pblk * LBK_BLOCK_SECTORS + skip;
	__bio_add_page(&bio, page, sectors << SECTOR_SHIFT, skip << SECTOR_SHIFT);
	if (like) {
		bio_clone_blkg_association(&bio, like);
		bio.bi_ioprio = like->bi_ioprio;
	}
	err = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return err;
}

/* The first `sectors` of a bio to a page, `skip` sectors into it. */
static void lbk_rmw_copy(struct page *page, struct bio *bio, unsigned int skip, unsigned int sectors)
{
	struct bvec_iter iter = bio->bi_iter;
	unsigned int at = skip << SECTOR_SHIFT;
	struct bio_vec bv;
	void *to;

	iter.bi_size = sectors << SECTOR_SHIFT;
	__bio_for_each_segment(bv, bio, iter, iter) {
		to = kmap_local_page(page);
		memcpy_from_bvec(to + at, &bv);
		kunmap_local(to);
		at += bv.bv_len;
	}
}

static int lbk_rmw_write(struct lbk_io *io, struct bio *bio, struct page *page, unsigned int skip, unsigned int sectors)
{
	struct lbk_disk *disk = io->disk;
	blk_opf_t opf = REQ_OP_WRITE;
	int err;

	if (bio)
		opf |= bio->bi_opf & (REQ_SYNC | REQ_META | REQ_PRIO | REQ_IDLE | REQ_BACKGROUND);
	if (!io->w.in_place && io->w.old_pblk != LB_PBLK_HOLE) {
		err = lbk_rmw_transfer(disk, bio, page, REQ_OP_READ | REQ_SYNC, io->w.old_pblk, 0, LBK_BLOCK_SECTORS);
		if (err)
			return err;
	} else {
		memzero_page(page, 0, LB_BLOCK_BYTES);
	}
	if (bio)
		lbk_rmw_copy(page, bio, skip, sectors);
	else
		memzero_page(page, skip << SECTOR_SHIFT, sectors << SECTOR_SHIFT);
	if (io->w.in_place)
		return lbk_rmw_transfer(disk, bio, page, opf, io->w.pblk, skip, sectors);
	return lbk_rmw_transfer(disk, bio, page, opf, io->w.pblk, 0, LBK_BLOCK_SECTORS);
}

int lbk_io_rmw(struct lbk_io *io, struct bio *bio, unsigned int skip, unsigned int sectors)
{
	bool zeros_on_hole = !bio && !io->w.in_place && io->w.old_pblk == LB_PBLK_HOLE;
	bool flush = bio && (bio->bi_opf & REQ_FUA);
	struct lbk_disk *disk = io->disk;
	struct page *page;
	int err;

	if (zeros_on_hole) {
		lb_write_end(&io->w, -EAGAIN);
		err = 0;
	} else {
		page = mempool_alloc(&disk->pool->pages, GFP_NOIO);
		compat_start_io_acct(disk->gd->part0, REQ_OP_WRITE, sectors, io->start);
		err = lbk_rmw_write(io, bio, page, skip, sectors);
		compat_end_io_acct(disk->gd->part0, REQ_OP_WRITE, sectors, io->start);
		mempool_free(page, &disk->pool->pages);
		lb_write_end(&io->w, err);
	}
	lb_io_leave(disk->vol, io->gate);
	lbk_io_free(io);
	percpu_ref_put(&disk->inflight);
	if (!err && flush)
		err = lb_flush(disk->vol);
	return err;
}
