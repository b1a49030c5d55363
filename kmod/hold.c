// SPDX-License-Identifier: GPL-2.0
/*
 * Holding a volume: its new bios are parked, those in flight end, and for a moment nothing moves. A snapshot is cut in that moment.
 *
 * Holds nest: the first kills the in-flight count (new bios fail to take it, and park), the last to resume brings it back. A hold
 * returns when the count has reached zero. Parked bios are counted as waiting.
 *
 * Locks: disk->hold_lock around a whole hold or resume; disk->lock around holds and parked, so that a bio is either parked before
 * the resume that takes it out, or sees that there is no hold any more and tries again.
 */
#include <linux/sched/mm.h>

#include "bio.h"
#include "trace.h"

static void lbk_drained(struct percpu_ref *ref)
{
	/* A completion, not a wait queue: its waiter may free it at once. */
	complete(&container_of(ref, struct lbk_disk, inflight)->drained);
}

static void lbk_unpark_work(struct work_struct *work)
{
	struct lbk_disk *disk = container_of(work, struct lbk_disk, unpark);
	unsigned int scope = memalloc_noio_save();
	struct blk_plug plug;
	struct bio *bio;

	blk_start_plug(&plug);
	for (;;) {
		spin_lock_irq(&disk->lock);
		bio = disk->holds ? NULL : bio_list_pop(&disk->parked);
		spin_unlock_irq(&disk->lock);
		if (!bio)
			break;
		lbk_bio_issue(disk, bio, NULL);
		lbk_wait_end(disk);
	}
	blk_finish_plug(&plug);
	memalloc_noio_restore(scope);
}

int lbk_hold_init(struct lbk_disk *disk)
{
	spin_lock_init(&disk->lock);
	mutex_init(&disk->hold_lock);
	init_completion(&disk->drained);
	init_waitqueue_head(&disk->idle);
	init_waitqueue_head(&disk->resumed);
	bio_list_init(&disk->parked);
	INIT_WORK(&disk->unpark, lbk_unpark_work);
	return percpu_ref_init(&disk->inflight, lbk_drained, PERCPU_REF_ALLOW_REINIT, GFP_KERNEL);
}

void lbk_hold_exit(struct lbk_disk *disk)
{
	cancel_work_sync(&disk->unpark);
	percpu_ref_exit(&disk->inflight);
}

void lbk_hold(struct lbk_disk *disk)
{
	bool first;

	mutex_lock(&disk->hold_lock);
	spin_lock_irq(&disk->lock);
	first = !disk->holds++;
	spin_unlock_irq(&disk->lock);
	if (first) {
		reinit_completion(&disk->drained);
		percpu_ref_kill(&disk->inflight);
		wait_for_completion(&disk->drained);
	}
	mutex_unlock(&disk->hold_lock);
	trace_lbk_hold(disk);
}

void lbk_resume(struct lbk_disk *disk)
{
	bool last;

	mutex_lock(&disk->hold_lock);
	if (disk->holds == 1)		/* only changed under hold_lock */
		percpu_ref_reinit(&disk->inflight);
	spin_lock_irq(&disk->lock);
	last = !--disk->holds;
	spin_unlock_irq(&disk->lock);
	mutex_unlock(&disk->hold_lock);
	if (last) {
		wake_up_all(&disk->resumed);
		queue_work(disk->pool->unpark_wq, &disk->unpark);
	}
	trace_lbk_resume(disk);
}

void lbk_wait_held(struct lbk_disk *disk)
{
	wait_event(disk->resumed, !READ_ONCE(disk->holds));
}

bool lbk_park(struct lbk_disk *disk, struct bio *bio)
{
	unsigned long flags;
	bool held;

	spin_lock_irqsave(&disk->lock, flags);
	held = disk->holds;
	if (held) {
		disk->waiting++;
		bio_list_add(&disk->parked, bio);
	}
	spin_unlock_irqrestore(&disk->lock, flags);
	return held;
}

void lbk_fail_parked(struct lbk_disk *disk)
{
	struct bio *bio;

	for (;;) {
		spin_lock_irq(&disk->lock);
		bio = bio_list_pop(&disk->parked);
		spin_unlock_irq(&disk->lock);
		if (!bio)
			return;
		lbk_bio_end(bio, -EIO);
		lbk_wait_end(disk);
	}
}

void lbk_wait_begin(struct lbk_disk *disk)
{
	unsigned long flags;

	spin_lock_irqsave(&disk->lock, flags);
	disk->waiting++;
	spin_unlock_irqrestore(&disk->lock, flags);
}

void lbk_wait_end(struct lbk_disk *disk)
{
	unsigned long flags;

	spin_lock_irqsave(&disk->lock, flags);
	if (!--disk->waiting)
		wake_up_all(&disk->idle);	/* under the lock: see lbk_wait_idle() */
	spin_unlock_irqrestore(&disk->lock, flags);
}

void lbk_wait_idle(struct lbk_disk *disk)
{
	wait_event(disk->idle, !READ_ONCE(disk->waiting));
	/* Who brought it to zero has left the lock after this, and touches the disk no more: it may be freed. */
	spin_lock_irq(&disk->lock);
	spin_unlock_irq(&disk->lock);
}
