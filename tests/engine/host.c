// SPDX-License-Identifier: GPL-2.0
/*
 * The host of host.h.
 *
 * In flight: from disk_enter() to disk_leave(); a holder waits until nobody is, and new ones wait until it resumes. Whoever waits for room or flushes has left first, as engine.h asks.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "host.h"

#define ROOM_TRIES	100

/* ------------------------------------------------------------------ what the engine calls */

static void on_kick(void *host, unsigned int what)
{
	struct host *h = host;

	__atomic_fetch_or(&h->kicked, what, __ATOMIC_RELEASE);
}

static void on_hold(void *host, void *vol_host)
{
	struct disk *d = vol_host;

	(void)host;
	pthread_mutex_lock(&d->lock);
	assert(!d->held);
	d->held = true;
	while (d->in_flight)
		pthread_cond_wait(&d->changed, &d->lock);
	pthread_mutex_unlock(&d->lock);
}

static void on_resume(void *host, void *vol_host)
{
	struct disk *d = vol_host;

	(void)host;
	pthread_mutex_lock(&d->lock);
	assert(d->held);
	d->held = false;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

static void on_room(void *host, u64 round)
{
	struct host *h = host;

	pthread_mutex_lock(&h->lock);
	if (round > h->room)
		h->room = round;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

static void on_event(void *host, enum lb_event_type type, u64 vol, u64 arg, const char *name)
{
	struct host *h = host;

	(void)name;
	pthread_mutex_lock(&h->lock);
	h->events[type]++;
	h->event_vol = vol;
	h->event_arg = arg;
	pthread_mutex_unlock(&h->lock);
}

const struct lb_host_ops host_ops = {
	.kick = on_kick, .vol_hold = on_hold, .vol_resume = on_resume, .room = on_room, .event = on_event,
};

/* ------------------------------------------------------------------ pools */

void host_init(struct host *h, struct port_dev *dev)
{
	memset(h, 0, sizeof(*h));
	h->dev = dev;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->changed, NULL);
}

int host_open(struct host *h, unsigned int flags)
{
	int err;

	h->room = 0;		/* rounds are counted anew */
	err = lb_pool_open(h->dev, flags, &host_ops, h, &h->pool);
	if (err)
		h->pool = NULL;
	return err;
}

int host_close(struct host *h)
{
	int err = lb_pool_close(h->pool);

	h->pool = NULL;
	return err;
}

void host_abandon(struct host *h)
{
	lb_pool_abandon(h->pool);
	h->pool = NULL;
}

static unsigned int take_kicks(struct host *h)
{
	return __atomic_exchange_n(&h->kicked, 0, __ATOMIC_ACQUIRE);
}

void host_work(struct host *h)
{
	unsigned int what;

	while ((what = take_kicks(h))) {
		if (what & LB_KICK_COMMIT)
			lb_work_commit(h->pool);
		if (what & LB_KICK_RECLAIM)
			lb_work_reclaim(h->pool);
	}
}

/* ------------------------------------------------------------------ workers: polling, so that a kick needs no lock */

static void worker(struct host *h, unsigned int mine, void (*work)(struct lb_pool *pool))
{
	while (!__atomic_load_n(&h->stop, __ATOMIC_ACQUIRE)) {
		unsigned int had = __atomic_fetch_and(&h->kicked, ~mine, __ATOMIC_ACQ_REL);

		if (had & mine) {
			work(h->pool);
		} else {
			struct timespec t = { .tv_nsec = 200000 };

			nanosleep(&t, NULL);
		}
	}
}

static void *commit_worker(void *arg)
{
	worker(arg, LB_KICK_COMMIT, lb_work_commit);
	return NULL;
}

static void *reclaim_worker(void *arg)
{
	worker(arg, LB_KICK_RECLAIM, lb_work_reclaim);
	return NULL;
}

void host_workers_start(struct host *h)
{
	h->stop = false;
	h->workers = true;
	if (pthread_create(&h->commit_thread, NULL, commit_worker, h) || pthread_create(&h->reclaim_thread, NULL, reclaim_worker, h))
		abort();
}

void host_workers_stop(struct host *h)
{
	__atomic_store_n(&h->stop, true, __ATOMIC_RELEASE);
	pthread_join(h->commit_thread, NULL);
	pthread_join(h->reclaim_thread, NULL);
	h->workers = false;
}

/* Wait until round r is over. */
static void wait_room(struct host *h, u64 r)
{
	pthread_mutex_lock(&h->lock);
	while (h->room < r) {
		if (!h->workers) {
			pthread_mutex_unlock(&h->lock);
			if (h->before_wait)
				h->before_wait(h->before_wait_arg);
			lb_work_commit(h->pool);
			lb_work_reclaim(h->pool);
			pthread_mutex_lock(&h->lock);
			assert(h->room >= r);
			break;
		}
		pthread_cond_wait(&h->changed, &h->lock);
	}
	pthread_mutex_unlock(&h->lock);
}

/* After -ENOSPC or -ENOBUFS at try number `tries`: 0 try again, else the error that is final. */
static int make_room(struct host *h, int err, unsigned int tries)
{
	if (err != -ENOSPC && err != -ENOBUFS)
		return err;
	if (tries > ROOM_TRIES && h->impatient && err == -ENOSPC)
		return -ENOSPC;
	if (tries > ROOM_TRIES) {
		fprintf(stderr, "no room after %u rounds: error %d\n", tries, err);
		abort();
	}
	if (err == -ENOSPC && tries && !lb_nospc(h->pool))
		return -ENOSPC;
	wait_room(h, lb_request_room(h->pool, err));
	return 0;
}

/* ------------------------------------------------------------------ disks */

int disk_open(struct host *h, u64 id, struct disk *d)
{
	memset(d, 0, sizeof(*d));
	d->host = h;
	d->id = id;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->changed, NULL);
	return lb_vol_open(h->pool, id, d, &d->vol);
}

void disk_close(struct disk *d)
{
	lb_vol_close(d->vol);
	d->vol = NULL;
}

static void disk_enter(struct disk *d)
{
	pthread_mutex_lock(&d->lock);
	while (d->held)
		pthread_cond_wait(&d->changed, &d->lock);
	d->in_flight++;
	pthread_mutex_unlock(&d->lock);
}

static void disk_leave(struct disk *d)
{
	pthread_mutex_lock(&d->lock);
	if (!--d->in_flight)
		pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

/* ------------------------------------------------------------------ writes */

/* A buffer of the host's own: allocations that a test makes fail are the engine's. */
static void *host_block(void)
{
	void *p = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);

	assert(p);
	return p;
}

/* The device write of what was planned: data holds w->count blocks, or for a partial write the sectors [first, first + count) of one. */
static int write_data(struct port_dev *dev, const struct lb_write *w, const u8 *data, u32 first, u32 count)
{
	void *bufs[LB_RECORD_MAX_BLOCKS];
	u64 done, n, i;
	int err = 0;

	for (done = 0; done < w->count && !err; done += n) {
		n = min_t(u64, w->count - done, LB_RECORD_MAX_BLOCKS);
		for (i = 0; i < n; i++) {
			bufs[i] = host_block();
			if (count == SECTORS) {
				memcpy(bufs[i], data + (done + i) * LB_BLOCK_BYTES, LB_BLOCK_BYTES);
				continue;
			}
			/* In place, the module writes the sectors alone; this device takes whole blocks, so read what is around them. */
			memset(bufs[i], 0, LB_BLOCK_BYTES);
			if (w->in_place)
				err = port_read(dev, w->pblk, bufs[i]);
			else if (w->old_pblk != LB_PBLK_HOLE)
				err = port_read(dev, w->old_pblk, bufs[i]);
			memcpy((u8 *)bufs[i] + first * SECTOR_BYTES, data, count * SECTOR_BYTES);
		}
		if (!err)
			err = port_write(dev, w->pblk + done, bufs, (unsigned int)n, 0);
		for (i = 0; i < n; i++)
			free(bufs[i]);
	}
	return err;
}

/* One run: whole blocks [block, + *count), or sectors [first, + sectors) of one. *dirty: a FUA write must flush the mapping. */
static int write_run(struct disk *d, u64 block, u64 *count, const u8 *data, u32 first, u32 sectors, bool *dirty)
{
	unsigned int flags = sectors == SECTORS ? 0 : LB_PARTIAL;
	struct lb_write w;
	int err, idx = lb_io_enter(d->vol);

	/* As the module does: first without sleeping, then in a worker. */
	err = lb_write_begin(d->vol, block, *count, flags | LB_NOWAIT, &w);
	if (err == -EAGAIN)
		err = lb_write_begin(d->vol, block, *count, flags, &w);
	if (!err) {
		*count = w.count;
		*dirty |= w.unjournaled;
		err = write_data(d->host->dev, &w, data, first, sectors);
		lb_write_end(&w, err);
	}
	lb_io_leave(d->vol, idx);
	return err;
}

static int write_retry(struct disk *d, u64 block, u64 *count, const u8 *data, u32 first, u32 sectors, bool *dirty)
{
	unsigned int tries;
	int err;

	for (tries = 0; ; tries++) {
		disk_enter(d);
		err = write_run(d, block, count, data, first, sectors, dirty);
		disk_leave(d);
		if (!err)
			return 0;
		err = make_room(d->host, err, tries);
		if (err)
			return err;
	}
}

/*
 * FUA data that come with a flush, as the module writes them: into new blocks at once, for the record that names these has the flush. *done: they are; else
 * nothing is.
 */
static int write_new_run(struct disk *d, u64 block, u64 count, const void *buf, bool *done)
{
	struct lb_write w;
	int idx, err;

	disk_enter(d);
	idx = lb_io_enter(d->vol);
	err = lb_write_begin(d->vol, block, count, 0, &w);
	*done = !err && !w.in_place && w.count == count;
	if (*done)
		err = write_data(d->host->dev, &w, buf, 0, SECTORS);
	if (!err || *done)
		lb_write_end(&w, *done ? err : -EAGAIN);
	lb_io_leave(d->vol, idx);
	disk_leave(d);
	return *done && !err ? lb_flush(d->vol) : *done ? err : 0;
}

int disk_write(struct disk *d, u64 sector, u32 count, const void *buf, unsigned int flags)
{
	const u8 *data = buf;
	bool dirty = false, done = false;
	int err = 0;

	if ((flags & DISK_PREFLUSH) && (flags & DISK_FUA) && sector % SECTORS == 0 && count % SECTORS == 0)
		err = write_new_run(d, sector / SECTORS, count / SECTORS, buf, &done);
	if (done || err)
		return err;
	if (flags & DISK_PREFLUSH)
		err = disk_flush(d);
	while (count && !err) {
		u32 first = (u32)(sector % SECTORS), sectors = min_t(u32, count, SECTORS - first);
		u64 blocks = 1;

		if (!first && count >= SECTORS) {
			sectors = SECTORS;
			blocks = count / SECTORS;
		}
		err = write_retry(d, sector / SECTORS, &blocks, data, first, sectors, &dirty);
		sector += blocks * sectors;
		count -= (u32)(blocks * sectors);
		data += blocks * sectors * SECTOR_BYTES;
	}
	if (!err && (flags & DISK_FUA))
		err = dirty ? lb_flush(d->vol) : port_flush(d->host->dev);
	return err;
}

int disk_write_begin(struct disk *d, u64 block, u64 *count, const void *buf, struct disk_pending *p)
{
	int err;

	disk_enter(d);
	p->disk = d;
	p->idx = lb_io_enter(d->vol);
	err = lb_write_begin(d->vol, block, *count, 0, &p->w);
	if (!err) {
		*count = p->w.count;
		err = write_data(d->host->dev, &p->w, buf, 0, SECTORS);
		if (err)
			lb_write_end(&p->w, err);
	}
	if (err) {
		lb_io_leave(d->vol, p->idx);
		disk_leave(d);
	}
	return err;
}

void disk_write_end(struct disk_pending *p, int error)
{
	lb_write_end(&p->w, error);
	lb_io_leave(p->disk->vol, p->idx);
	disk_leave(p->disk);
}

/* ------------------------------------------------------------------ reads, discards, flushes */

static int read_run(struct disk *d, u64 block, u64 *count, u8 *data, u32 first, u32 sectors)
{
	u8 *buf = host_block();
	struct lb_mapping m;
	int err, idx = lb_io_enter(d->vol);
	u64 i;

	err = lb_read_map(d->vol, block, *count, LB_NOWAIT, &m);
	if (err == -EAGAIN)
		err = lb_read_map(d->vol, block, *count, 0, &m);
	for (i = 0; !err && i < m.count; i++) {
		memset(buf, 0, LB_BLOCK_BYTES);
		if (m.pblk != LB_PBLK_HOLE)
			err = port_read(d->host->dev, m.pblk + i, buf);
		memcpy(data + i * LB_BLOCK_BYTES, buf + first * SECTOR_BYTES, sectors * SECTOR_BYTES);
	}
	lb_io_leave(d->vol, idx);
	if (!err)
		*count = m.count;
	free(buf);
	return err;
}

int disk_read(struct disk *d, u64 sector, u32 count, void *buf)
{
	u8 *data = buf;
	int err = 0;

	while (count && !err) {
		u32 first = (u32)(sector % SECTORS), sectors = min_t(u32, count, SECTORS - first);
		u64 blocks = 1;

		if (!first && count >= SECTORS) {
			sectors = SECTORS;
			blocks = count / SECTORS;
		}
		disk_enter(d);
		err = read_run(d, sector / SECTORS, &blocks, data, first, sectors);
		disk_leave(d);
		sector += blocks * sectors;
		count -= (u32)(blocks * sectors);
		data += blocks * sectors * SECTOR_BYTES;
	}
	return err;
}

int disk_discard(struct disk *d, u64 block, u64 count)
{
	unsigned int tries = 0;
	u64 done;
	int err, idx;

	while (count) {
		disk_enter(d);
		idx = lb_io_enter(d->vol);
		err = lb_unmap(d->vol, block, count, 0, &done);
		lb_io_leave(d->vol, idx);
		disk_leave(d);
		if (err) {
			err = make_room(d->host, err, tries++);
			if (err)
				return err;
			continue;
		}
		assert(done && done <= count);
		block += done;
		count -= done;
		tries = 0;
	}
	return 0;
}

int disk_flush(struct disk *d)
{
	return lb_flush_needed(d->vol) ? lb_flush(d->vol) : port_flush(d->host->dev);
}
