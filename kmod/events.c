// SPDX-License-Identifier: GPL-2.0
/*
 * Events. One ring for all; a reader is a place in it, so that a thousand readers cost a thousand places and one that is slow delays
 * nobody: it learns by an LB_EVENT_LOST how many it has missed.
 *
 * Position p (counted from the module's load) is in slot p % LBK_RING. A reader sees what was told since it opened the device; its
 * sequence numbers count what is delivered or lost since then.
 *
 * Locks: lbk_ring_lock (spin, a leaf) around the ring; a reader's mutex around its place, for two threads may share a file.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "events.h"
#include "layerblk.h"

#define LBK_RING	1024u

struct lbk_reader {
	struct mutex lock;
	u64 next;		/* position */
	u64 sequence;
};

static struct lb_event *lbk_ring;
static u64 lbk_ring_end;		/* the next position */
static DEFINE_SPINLOCK(lbk_ring_lock);
static DECLARE_WAIT_QUEUE_HEAD(lbk_ring_wait);

void lbk_event(const u8 uuid[16], u32 type, u64 volume, u64 arg, const char *name)
{
	u64 now = ktime_get_real_ns();
	unsigned long flags;
	struct lb_event *e;

	spin_lock_irqsave(&lbk_ring_lock, flags);
	e = &lbk_ring[lbk_ring_end++ % LBK_RING];
	memset(e, 0, sizeof(*e));
	e->size = sizeof(*e);
	e->type = type;
	e->time_ns = now;
	memcpy(e->uuid, uuid, sizeof(e->uuid));
	e->volume = volume;
	e->arg = arg;
	if (name)
		e->name_len = strscpy_pad(e->name, name, sizeof(e->name)) < 0 ? sizeof(e->name) - 1 : strlen(e->name);
	spin_unlock_irqrestore(&lbk_ring_lock, flags);
	wake_up_interruptible_all(&lbk_ring_wait);
}

void lbk_event_volume(struct lbk_pool *pool, u32 type, u64 volume, u64 arg)
{
	struct lb_vol_stat *st = kzalloc(sizeof(*st), GFP_KERNEL);

	if (st && lb_vol_stat(pool->engine, volume, false, st))
		st->name[0] = '\0';
	lbk_event(pool->uuid, type, volume, arg, st ? st->name : NULL);
	kfree(st);
}

/* ------------------------------------------------------------------ readers */

int lbk_events_open(struct file *file)
{
	struct lbk_reader *r = kzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return -ENOMEM;
	mutex_init(&r->lock);
	spin_lock_irq(&lbk_ring_lock);
	r->next = lbk_ring_end;
	spin_unlock_irq(&lbk_ring_lock);
	file->private_data = r;
	return 0;
}

void lbk_events_release(struct file *file)
{
	kfree(file->private_data);
}

static bool lbk_events_pending(struct lbk_reader *r)
{
	bool pending;

	spin_lock_irq(&lbk_ring_lock);
	pending = READ_ONCE(r->next) != lbk_ring_end;
	spin_unlock_irq(&lbk_ring_lock);
	return pending;
}

/* The reader's next event, or what it has lost. False: none. The place moves on only with lbk_events_took(). */
static bool lbk_events_peek(struct lbk_reader *r, struct lb_event *e, u64 *next)
{
	u64 lost = 0;
	bool any;

	spin_lock_irq(&lbk_ring_lock);
	any = r->next != lbk_ring_end;
	if (lbk_ring_end - r->next > LBK_RING)
		lost = lbk_ring_end - LBK_RING - r->next;
	else if (any)
		*e = lbk_ring[r->next % LBK_RING];
	spin_unlock_irq(&lbk_ring_lock);
	*next = r->next + (lost ?: 1);
	if (lost) {
		memset(e, 0, sizeof(*e));
		e->size = sizeof(*e);
		e->type = LB_EVENT_LOST;
		e->time_ns = ktime_get_real_ns();
		e->arg = lost;
	}
	e->sequence = r->sequence;
	return any;
}

static ssize_t lbk_events_copy(struct lbk_reader *r, char __user *buf, size_t count)
{
	struct lb_event e = { };
	size_t done = 0;
	u64 next;

	while (count - done >= sizeof(e) && lbk_events_peek(r, &e, &next)) {
		if (copy_to_user(buf + done, &e, sizeof(e)))
			return done ?: -EFAULT;
		r->sequence++;
		WRITE_ONCE(r->next, next);
		done += sizeof(e);
	}
	return done;
}

ssize_t lbk_events_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	struct lbk_reader *r = file->private_data;
	ssize_t ret;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (count < sizeof(struct lb_event))
		return -EINVAL;
	for (;;) {
		if (mutex_lock_interruptible(&r->lock))
			return -ERESTARTSYS;
		ret = lbk_events_copy(r, buf, count);
		mutex_unlock(&r->lock);
		if (ret)
			return ret;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(lbk_ring_wait, lbk_events_pending(r)))
			return -ERESTARTSYS;
	}
}

__poll_t lbk_events_poll(struct file *file, struct poll_table_struct *wait)
{
	struct lbk_reader *r = file->private_data;

	poll_wait(file, &lbk_ring_wait, wait);
	return lbk_events_pending(r) ? EPOLLIN | EPOLLRDNORM : 0;
}

int lbk_events_init(void)
{
	lbk_ring = vzalloc(array_size(LBK_RING, sizeof(*lbk_ring)));
	return lbk_ring ? 0 : -ENOMEM;
}

void lbk_events_exit(void)
{
	vfree(lbk_ring);
}
