// SPDX-License-Identifier: GPL-2.0
/*
 * The disk of memdisk.h.
 *
 * A bio is looked at when it comes (log, failure, whether it is kept) and carried out when it completes: a write that is kept is not
 * there yet. Pages for new blocks are taken with GFP_ATOMIC, since completing may be done in an interrupt.
 *
 * A block that is durable has one page in both tables; the first write after that gives `now` a page of its own.
 *
 * Locks: md->lock around the tables and all settings; bios end without it.
 */
#include <linux/highmem.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "format.h"
#include "memdisk.h"

#define BLOCK_SECTORS	(LB_BLOCK_BYTES >> SECTOR_SHIFT)

/* ------------------------------------------------------------------ blocks; with the lock held */

static void block_put(struct memdisk *md, struct page **table, u64 block, struct page *page)
{
	struct page *old = table[block];

	table[block] = page;
	if (old && md->now[block] != old && md->durable[block] != old)
		__free_page(old);
}

/* A page for a write to part of a block, with its content. */
static struct page *block_own(struct memdisk *md, u64 block)
{
	struct page *old = md->now[block], *page;

	if (old && old != md->durable[block])
		return old;
	page = alloc_page(GFP_ATOMIC | __GFP_NOWARN | __GFP_ZERO);
	if (!page)
		return NULL;
	if (old)
		copy_highpage(page, old);
	block_put(md, md->now, block, page);
	return page;
}

static void block_sync(struct memdisk *md, u64 block)
{
	if (md->durable[block] != md->now[block])
		block_put(md, md->durable, block, md->now[block]);
}

static void sync_all(struct memdisk *md)
{
	u64 i;

	for (i = 0; i < md->room; i++)
		block_sync(md, i);
}

/* ------------------------------------------------------------------ a bio's work */

static void transfer(struct memdisk *md, struct bio_vec *bv, sector_t sector, bool write, blk_status_t *status)
{
	unsigned int done = 0, skip, n;
	struct page *page;
	void *mem, *at;
	u64 block;

	mem = bvec_kmap_local(bv);
	while (done < bv->bv_len) {
		block = sector / BLOCK_SECTORS;
		skip = (sector % BLOCK_SECTORS) << SECTOR_SHIFT;
		n = min(bv->bv_len - done, LB_BLOCK_BYTES - skip);
		page = write ? block_own(md, block) : md->now[block];
		if (write && !page) {
			*status = BLK_STS_RESOURCE;
			break;
		}
		if (page) {
			at = page_address(page) + skip;
			memcpy(write ? at : mem + done, write ? mem + done : at, n);
		} else {
			memset(mem + done, 0, n);
		}
		done += n;
		sector += n >> SECTOR_SHIFT;
	}
	kunmap_local(mem);
}

static void discard(struct memdisk *md, struct bio *bio)
{
	u64 block = DIV_ROUND_UP(bio->bi_iter.bi_sector, BLOCK_SECTORS), end = bio_end_sector(bio) / BLOCK_SECTORS;

	for (; block < end; block++)
		block_put(md, md->now, block, NULL);
}

static blk_status_t carry_out(struct memdisk *md, struct bio *bio)
{
	sector_t sector = bio->bi_iter.bi_sector;
	blk_status_t status = BLK_STS_OK;
	struct bvec_iter iter;
	struct bio_vec bv;
	u64 block;

	if (bio->bi_opf & REQ_PREFLUSH)
		sync_all(md);
	if (bio_op(bio) == REQ_OP_DISCARD) {
		discard(md, bio);
		return status;
	}
	bio_for_each_segment(bv, bio, iter) {
		transfer(md, &bv, sector, op_is_write(bio_op(bio)), &status);
		sector += bv.bv_len >> SECTOR_SHIFT;
	}
	if (bio->bi_opf & REQ_FUA) {
		for (block = bio->bi_iter.bi_sector / BLOCK_SECTORS; block * BLOCK_SECTORS < bio_end_sector(bio); block++)
			block_sync(md, block);
	}
	return status;
}

static void finish(struct memdisk *md, struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&md->lock, flags);
	if (!bio->bi_status && md->off)
		bio->bi_status = BLK_STS_IOERR;
	if (!bio->bi_status)
		bio->bi_status = carry_out(md, bio);
	if (!md->irq) {
		spin_unlock_irqrestore(&md->lock, flags);
		bio_endio(bio);
		return;
	}
	bio_list_add(&md->ready, bio);
	spin_unlock_irqrestore(&md->lock, flags);
	irq_work_queue(&md->irq_work);
}

static void memdisk_irq(struct irq_work *work)
{
	struct memdisk *md = container_of(work, struct memdisk, irq_work);
	struct bio_list done;
	unsigned long flags;
	struct bio *bio;

	spin_lock_irqsave(&md->lock, flags);
	done = md->ready;
	bio_list_init(&md->ready);
	spin_unlock_irqrestore(&md->lock, flags);
	while ((bio = bio_list_pop(&done)))
		bio_endio(bio);
}

/* ------------------------------------------------------------------ as it comes; with the lock held */

static bool is_kind(unsigned int what, enum req_op op, blk_opf_t opf, unsigned int sectors)
{
	unsigned int kind;

	switch (op) {
	case REQ_OP_READ:
		kind = MEMDISK_READ;
		break;
	case REQ_OP_DISCARD:
		kind = MEMDISK_DISCARD;
		break;
	default:
		kind = sectors ? MEMDISK_WRITE : MEMDISK_FLUSH;
	}
	if (!(what & kind))
		return false;
	if (what & MEMDISK_META)
		return opf & REQ_META;
	return !(what & MEMDISK_DATA) || !(opf & REQ_META);
}

static void note(struct memdisk *md, struct bio *bio)
{
	struct memdisk_entry *e;

	if (md->logged == MEMDISK_LOG) {
		md->lost++;
		return;
	}
	e = &md->log[md->logged++];
	e->op = bio_op(bio);
	e->opf = bio->bi_opf;
	e->sector = bio->bi_iter.bi_sector;
	e->sectors = bio_sectors(bio);
}

static bool fails(struct memdisk *md, struct bio *bio)
{
	if (!md->fail_count || !is_kind(md->fail_what, bio_op(bio), bio->bi_opf, bio_sectors(bio)))
		return false;
	if (md->fail_skip) {
		md->fail_skip--;
		return false;
	}
	md->fail_count--;
	return true;
}

static void memdisk_submit(struct bio *bio)
{
	struct memdisk *md = bio->bi_bdev->bd_disk->private_data;
	unsigned long flags;
	bool kept;

	spin_lock_irqsave(&md->lock, flags);
	note(md, bio);
	if (fails(md, bio))
		bio->bi_status = md->fail_status;
	if (md->off_after && op_is_write(bio_op(bio)) && !--md->off_after)
		md->off = true;
	kept = is_kind(md->keep_what, bio_op(bio), bio->bi_opf, bio_sectors(bio));
	if (kept) {
		bio_list_add(&md->keep, bio);
		md->kept++;
	}
	spin_unlock_irqrestore(&md->lock, flags);
	if (!kept)
		finish(md, bio);
}

static const struct block_device_operations memdisk_ops = {
	.owner		= THIS_MODULE,
	.submit_bio	= memdisk_submit,
};

/* ------------------------------------------------------------------ what a test says */

void memdisk_fail(struct memdisk *md, unsigned int what, unsigned int skip, unsigned int count, blk_status_t status)
{
	spin_lock_irq(&md->lock);
	md->fail_what = what;
	md->fail_skip = skip;
	md->fail_count = what ? count : 0;
	md->fail_status = status;
	spin_unlock_irq(&md->lock);
}

void memdisk_keep(struct memdisk *md, unsigned int what)
{
	struct bio_list go = BIO_EMPTY_LIST;
	struct bio *bio;

	spin_lock_irq(&md->lock);
	md->keep_what = what;
	if (!what) {
		go = md->keep;
		bio_list_init(&md->keep);
		md->kept = 0;
	}
	spin_unlock_irq(&md->lock);
	while ((bio = bio_list_pop(&go)))
		finish(md, bio);
}

unsigned int memdisk_kept(struct memdisk *md)
{
	unsigned int n;

	spin_lock_irq(&md->lock);
	n = md->kept;
	spin_unlock_irq(&md->lock);
	return n;
}

void memdisk_power_off(struct memdisk *md, u64 writes)
{
	spin_lock_irq(&md->lock);
	md->off = !writes;
	md->off_after = writes;
	spin_unlock_irq(&md->lock);
}

void memdisk_power_cut(struct memdisk *md)
{
	u64 i;

	spin_lock_irq(&md->lock);
	for (i = 0; i < md->room; i++) {
		if (md->now[i] != md->durable[i])
			block_put(md, md->now, i, md->durable[i]);
	}
	md->off = false;
	md->off_after = 0;
	md->fail_count = 0;
	spin_unlock_irq(&md->lock);
}

void memdisk_log_clear(struct memdisk *md)
{
	spin_lock_irq(&md->lock);
	md->logged = 0;
	md->lost = 0;
	spin_unlock_irq(&md->lock);
}

int memdisk_log_find(struct memdisk *md, unsigned int what, unsigned int from)
{
	struct memdisk_entry *e;
	unsigned int i;
	int found = -1;

	spin_lock_irq(&md->lock);
	for (i = from; i < md->logged && found < 0; i++) {
		e = &md->log[i];
		if (is_kind(what, e->op, e->opf, e->sectors))
			found = i;
	}
	spin_unlock_irq(&md->lock);
	return found;
}

int memdisk_logged(struct memdisk *md, unsigned int what)
{
	int n = 0, i = -1;

	while ((i = memdisk_log_find(md, what, i + 1)) >= 0)
		n++;
	return READ_ONCE(md->lost) ? -1 : n;
}

void memdisk_damage(struct memdisk *md, u64 block, unsigned int at)
{
	struct page *page;

	spin_lock_irq(&md->lock);
	page = block_own(md, block);
	if (page)
		((u8 *)page_address(page))[at] ^= 0x40;
	spin_unlock_irq(&md->lock);
}

bool memdisk_block_is_zero(struct memdisk *md, u64 block)
{
	bool zero;

	spin_lock_irq(&md->lock);
	zero = !md->now[block] || !memchr_inv(page_address(md->now[block]), 0, LB_BLOCK_BYTES);
	spin_unlock_irq(&md->lock);
	return zero;
}

void memdisk_grow(struct memdisk *md, u64 blocks)
{
	set_capacity_and_notify(md->gd, min(blocks, md->room) * BLOCK_SECTORS);
}

dev_t memdisk_dev(struct memdisk *md)
{
	return disk_devt(md->gd);
}

/* ------------------------------------------------------------------ making and unmaking */

static int add_disk_of(struct memdisk *md, const struct memdisk_opts *opts)
{
	static atomic_t number = ATOMIC_INIT(0);
	struct queue_limits lim;
	int err;

	blk_set_stacking_limits(&lim);
	lim.logical_block_size = opts->sector_bytes ?: SECTOR_SIZE;
	lim.physical_block_size = LB_BLOCK_BYTES;
	lim.io_min = LB_BLOCK_BYTES;
	compat_limits_unmap(&lim, opts->no_discard ? 0 : UINT_MAX >> SECTOR_SHIFT, LB_BLOCK_BYTES);
	lim.max_write_zeroes_sectors = 0;
	md->gd = compat_alloc_disk(&lim, BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA | BLK_FEAT_NOWAIT, NUMA_NO_NODE);
	if (IS_ERR(md->gd))
		return PTR_ERR(md->gd);
	md->gd->flags |= GENHD_FL_NO_PART;
	md->gd->fops = &memdisk_ops;
	md->gd->private_data = md;
	snprintf(md->gd->disk_name, DISK_NAME_LEN, "lbkmem%d", atomic_inc_return(&number));
	set_capacity(md->gd, opts->blocks * BLOCK_SECTORS);
	/* Nobody is to be told: udev would read it, and be in the log. */
	dev_set_uevent_suppress(disk_to_dev(md->gd), 1);
	err = device_add_disk(NULL, md->gd, NULL);
	if (err)
		put_disk(md->gd);
	return err;
}

static void free_memory(struct memdisk *md)
{
	u64 i;

	for (i = 0; md->now && md->durable && i < md->room; i++) {
		block_put(md, md->now, i, NULL);
		block_put(md, md->durable, i, NULL);
	}
	vfree(md->now);
	vfree(md->durable);
	kvfree(md);
}

struct memdisk *memdisk_new(const struct memdisk_opts *opts)
{
	struct memdisk *md = kvzalloc(sizeof(*md), GFP_KERNEL);

	if (!md)
		return NULL;
	spin_lock_init(&md->lock);
	init_irq_work(&md->irq_work, memdisk_irq);
	bio_list_init(&md->keep);
	bio_list_init(&md->ready);
	md->irq = opts->irq;
	md->room = max(opts->room, opts->blocks);
	md->now = vzalloc(array_size(md->room, sizeof(*md->now)));
	md->durable = vzalloc(array_size(md->room, sizeof(*md->durable)));
	if (!md->now || !md->durable || add_disk_of(md, opts)) {
		free_memory(md);
		return NULL;
	}
	return md;
}

void memdisk_free(struct memdisk *md)
{
	if (!md)
		return;
	del_gendisk(md->gd);
	put_disk(md->gd);
	irq_work_sync(&md->irq_work);
	free_memory(md);
}
