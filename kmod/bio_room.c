// SPDX-License-Identifier: GPL-2.0
/*
 * Bios that wait for room.
 *
 * The engine said -ENOBUFS (the memtables are full) or -ENOSPC (no space). The job asks for a round and waits until it is over; then it
 * tries again. -ENOSPC again after a round is final, as far as the engine goes: the pool's policy says whether the bio fails or goes
 * on trying, a few times a second, until its time is up.
 *
 * A job here is not in flight, holds no lock and no gate. Should a round never be heard of (it cannot be, but a writer that hangs
 * for ever is the worst way to learn of a mistake), the timer has the job try again after LBK_ROOM_PATIENCE.
 *
 * Locks: pool->room.lock around both lists and done.
 */
#include "bio.h"
#include "trace.h"

#define LBK_ROOM_RETRY		(HZ / 4)
#define LBK_ROOM_PATIENCE	(10 * HZ)

/* With room->lock held: while a job is in a list its disk is there, and lbk_room_exit() has not been called. */
static void lbk_room_arm(struct lbk_room *room)
{
	lockdep_assert_held(&room->lock);
	/* Any queue for reclaim will do: the timer does not sleep. */
	queue_delayed_work(container_of(room, struct lbk_pool, room)->flush_wq, &room->timer, LBK_ROOM_RETRY);
}

static void lbk_room_go(struct list_head *jobs)
{
	struct lbk_job *job, *next;

	list_for_each_entry_safe(job, next, jobs, link) {
		list_del(&job->link);
		queue_work(job->wq, &job->work);
	}
}

static void lbk_room_timer(struct work_struct *work)
{
	struct lbk_room *room = container_of(work, struct lbk_room, timer.work);
	struct lbk_job *job, *next;
	LIST_HEAD(go);

	spin_lock_irq(&room->lock);
	list_splice_init(&room->later, &go);
	list_for_each_entry_safe(job, next, &room->rounds, link) {
		if (time_after64(get_jiffies_64(), job->since + LBK_ROOM_PATIENCE))
			list_move_tail(&job->link, &go);
	}
	if (!list_empty(&room->rounds))
		lbk_room_arm(room);
	spin_unlock_irq(&room->lock);
	lbk_room_go(&go);
}

void lbk_room_init(struct lbk_pool *pool)
{
	spin_lock_init(&pool->room.lock);
	INIT_LIST_HEAD(&pool->room.rounds);
	INIT_LIST_HEAD(&pool->room.later);
	INIT_DELAYED_WORK(&pool->room.timer, lbk_room_timer);
}

/* No job is left: the disks are gone. */
void lbk_room_exit(struct lbk_pool *pool)
{
	cancel_delayed_work_sync(&pool->room.timer);
}

void lbk_room_done(struct lbk_pool *pool, u64 round)
{
	struct lbk_room *room = &pool->room;
	struct lbk_job *job, *next;
	unsigned long flags;
	LIST_HEAD(go);

	spin_lock_irqsave(&room->lock, flags);
	if (round > room->done)
		room->done = round;
	list_for_each_entry_safe(job, next, &room->rounds, link) {
		if (job->round <= round)
			list_move_tail(&job->link, &go);
	}
	spin_unlock_irqrestore(&room->lock, flags);
	lbk_room_go(&go);
}

/* The engine has no space, and a round has not helped: 0, and the job is in `later`, or the error for the bio. */
static int lbk_room_final(struct lbk_job *job)
{
	struct lbk_room *room = &job->disk->pool->room;
	u64 now = get_jiffies_64(), ms;
	unsigned long flags;

	ms = lb_nospc(job->disk->pool->engine);
	if (!ms)
		return -ENOSPC;
	if (!job->deadline)
		job->deadline = ms == ~0ULL ? ~0ULL : now + msecs_to_jiffies(min_t(u64, ms, INT_MAX)) + 1;
	else if (job->deadline != ~0ULL && time_after64(now, job->deadline))
		return -ENOSPC;
	job->asked = false;
	spin_lock_irqsave(&room->lock, flags);
	list_add_tail(&job->link, &room->later);
	lbk_room_arm(room);
	spin_unlock_irqrestore(&room->lock, flags);
	return 0;
}

static void lbk_room_fail(struct lbk_job *job, int error)
{
	struct bio *bio = job->bio;

	if (job->fail) {
		job->fail(job, error);
		return;
	}
	lbk_job_free(job);
	lbk_bio_end(bio, error);
}

void lbk_room_wait(struct lbk_job *job, int error)
{
	struct lbk_pool *pool = job->disk->pool;
	struct lbk_room *room = &pool->room;
	unsigned long flags;
	bool wait;
	int err;

	trace_lbk_room(job->disk, job->bio, error);
	if (error == -ENOSPC && job->asked) {
		err = lbk_room_final(job);
		if (err)
			lbk_room_fail(job, err);
		return;
	}
	if (error == -ENOSPC)
		job->asked = true;
	job->round = lb_request_room(pool->engine, error);
	job->since = get_jiffies_64();
	spin_lock_irqsave(&room->lock, flags);
	wait = job->round > room->done;
	if (wait) {
		list_add_tail(&job->link, &room->rounds);
		lbk_room_arm(room);
	}
	spin_unlock_irqrestore(&room->lock, flags);
	if (!wait)
		queue_work(job->wq, &job->work);
}
