// SPDX-License-Identifier: GPL-2.0
/* The bench for the engine: see lab.h. Whatever a test leaves open, englab_exit() closes. */
#include <linux/delay.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "lab.h"

#define RUN_BLOCKS	16u		/* of a device I/O */

/* ------------------------------------------------------------------ content */

static u64 pattern(u32 tag, u64 sector, unsigned int i)
{
	return (u64)tag << 40 ^ sector << 8 ^ i ^ 0x5a00000000000000ull;
}

void lab_fill(void *buf, u32 tag, u64 sector, unsigned int sectors)
{
	unsigned int i, per = SECTOR_SIZE / sizeof(u64);
	u64 *p = buf;

	for (; sectors; sectors--, sector++) {
		for (i = 0; i < per; i++)
			*p++ = tag ? pattern(tag, sector, i) : 0;
	}
}

int lab_mismatch(const void *buf, u32 tag, u64 sector, unsigned int sectors)
{
	unsigned int s, i, per = SECTOR_SIZE / sizeof(u64);
	const u64 *p = buf;

	for (s = 0; s < sectors; s++) {
		for (i = 0; i < per; i++) {
			if (*p++ != (tag ? pattern(tag, sector + s, i) : 0))
				return s;
		}
	}
	return -1;
}

struct lb_name lab_name(const char *s)
{
	return (struct lb_name){ .s = s, .len = strlen(s) };
}

/* ------------------------------------------------------------------ the engine's host */

static void host_kick(void *host, unsigned int what)
{
	struct englab *l = host;

	if (!l->wq)
		return;
	if (what & LB_KICK_COMMIT)
		queue_work(l->wq, &l->commit_work);
	if (what & LB_KICK_RECLAIM)
		queue_work(l->wq, &l->reclaim_work);
}

static void host_hold(void *host, void *vol_host)
{
	((struct englab *)host)->holds++;
}

static void host_resume(void *host, void *vol_host)
{
	((struct englab *)host)->resumes++;
}

static void host_room(void *host, u64 round)
{
	struct englab *l = host;

	if (round > READ_ONCE(l->room))
		WRITE_ONCE(l->room, round);
}

static void host_event(void *host, enum lb_event_type type, u64 vol, u64 arg, const char *name)
{
	struct englab *l = host;

	if (type < ARRAY_SIZE(l->events))
		l->events[type]++;
}

static const struct lb_host_ops host_ops = {
	.kick		= host_kick,
	.vol_hold	= host_hold,
	.vol_resume	= host_resume,
	.room		= host_room,
	.event		= host_event,
};

static void commit_work_fn(struct work_struct *work)
{
	lb_work_commit(container_of(work, struct englab, commit_work)->pool);
}

static void reclaim_work_fn(struct work_struct *work)
{
	lb_work_reclaim(container_of(work, struct englab, reclaim_work)->pool);
}

void el_workers(struct englab *l)
{
	struct workqueue_struct *wq = alloc_workqueue("lbk-kunit", WQ_UNBOUND, 0);

	KUNIT_ASSERT_NOT_NULL(l->test, wq);
	INIT_WORK(&l->commit_work, commit_work_fn);
	INIT_WORK(&l->reclaim_work, reclaim_work_fn);
	WRITE_ONCE(l->wq, wq);
}

static void workers_stop(struct englab *l)
{
	struct workqueue_struct *wq = l->wq;

	if (!wq)
		return;
	drain_workqueue(wq);
	l->wq = NULL;
	destroy_workqueue(wq);
}

/* ------------------------------------------------------------------ pools */

void el_device_open(struct englab *l)
{
	struct file *file = bdev_file_open_by_dev(memdisk_dev(l->md), BLK_OPEN_READ | BLK_OPEN_WRITE, l, NULL);

	KUNIT_ASSERT_FALSE(l->test, IS_ERR(file));
	l->file = file;
	KUNIT_ASSERT_EQ(l->test, port_dev_init(&l->dev, file_bdev(file)), 0);
}

void el_device_close(struct englab *l)
{
	if (!l->file)
		return;
	port_dev_exit(&l->dev);
	bdev_fput(l->file);
	l->file = NULL;
}

int el_try_open(struct englab *l, unsigned int flags)
{
	return lb_pool_open(&l->dev, flags, &host_ops, l, &l->pool);
}

void el_open(struct englab *l, unsigned int flags)
{
	KUNIT_ASSERT_EQ(l->test, el_try_open(l, flags), 0);
}

static void vols_close(struct englab *l)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(l->vols); i++) {
		if (l->vols[i])
			lb_vol_close(l->vols[i]);
		l->vols[i] = NULL;
	}
}

void el_close(struct englab *l)
{
	struct lb_pool *pool = l->pool;

	workers_stop(l);
	vols_close(l);
	l->pool = NULL;
	KUNIT_EXPECT_EQ(l->test, lb_pool_close(pool), 0);
	KUNIT_EXPECT_EQ(l->test, l->holds, l->resumes);
}

void el_reopen(struct englab *l)
{
	el_close(l);
	el_open(l, 0);
}

void el_power_cut(struct englab *l)
{
	memdisk_power_off(l->md, 0);
	workers_stop(l);
	vols_close(l);
	lb_pool_abandon(l->pool);
	l->pool = NULL;
	memdisk_power_cut(l->md);
	el_open(l, 0);
}

static int lab_init(struct kunit *test, u64 blocks, bool irq)
{
	struct memdisk_opts opts = { .blocks = blocks, .room = 2 * blocks, .irq = irq };
	struct englab *l = kunit_kzalloc(test, sizeof(*l), GFP_KERNEL);
	struct lb_format_opts format = { };
	u8 uuid[16];

	KUNIT_ASSERT_NOT_NULL(test, l);
	l->test = test;
	test->priv = l;
	l->md = memdisk_new(&opts);
	KUNIT_ASSERT_NOT_NULL(test, l->md);
	el_device_open(l);
	KUNIT_ASSERT_EQ(test, lb_pool_format(&l->dev, &format, uuid), 0);
	el_open(l, 0);
	return 0;
}

int englab_init(struct kunit *test)
{
	return lab_init(test, LAB_BLOCKS, true);
}

int englab_init_small(struct kunit *test)
{
	return lab_init(test, LAB_BLOCKS / 2, false);
}

void englab_exit(struct kunit *test)
{
	struct englab *l = test->priv;

	if (!l)
		return;
	if (l->md) {
		memdisk_keep(l->md, 0);
		memdisk_fail(l->md, 0, 0, 0, BLK_STS_OK);
	}
	if (l->pool) {
		workers_stop(l);
		vols_close(l);
		lb_pool_close(l->pool);
	}
	el_device_close(l);
	memdisk_free(l->md);
	test->priv = NULL;
}

void el_settle(struct englab *l)
{
	unsigned int rounds = 0;

	do {
		KUNIT_ASSERT_EQ(l->test, lb_pool_commit(l->pool), 0);
		lb_work_commit(l->pool);
		lb_work_reclaim(l->pool);
		KUNIT_ASSERT_LT(l->test, rounds++, 1000u);
	} while (lb_work_due_ms(l->pool) != ~0ULL);
}

struct lb_pool_stat *el_stat(struct englab *l)
{
	static struct lb_pool_stat st;		/* tests run one after the other */

	lb_pool_stat(l->pool, &st);
	return &st;
}

/* ------------------------------------------------------------------ volumes */

u64 el_create(struct englab *l, const char *name, u64 blocks)
{
	u64 id = 0;

	KUNIT_ASSERT_EQ(l->test, lb_vol_create(l->pool, lab_name(name), blocks, 0, NULL, &id), 0);
	KUNIT_ASSERT_NE(l->test, id, 0ULL);
	return id;
}

u64 el_snapshot(struct englab *l, u64 source, const char *name)
{
	u64 id = 0;

	KUNIT_ASSERT_EQ(l->test, lb_vol_snapshot(l->pool, source, lab_name(name), false, 0, NULL, &id), 0);
	KUNIT_ASSERT_NE(l->test, id, 0ULL);
	return id;
}

struct lb_vol *el_vol_open(struct englab *l, u64 id)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(l->vols); i++) {
		if (l->vols[i])
			continue;
		KUNIT_ASSERT_EQ(l->test, lb_vol_open(l->pool, id, l, &l->vols[i]), 0);
		return l->vols[i];
	}
	KUNIT_FAIL(l->test, "too many open volumes");
	return NULL;
}

void el_vol_close(struct englab *l, struct lb_vol *vol)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(l->vols); i++) {
		if (l->vols[i] == vol)
			l->vols[i] = NULL;
	}
	lb_vol_close(vol);
}

/* ------------------------------------------------------------------ data */

static void bufs_free(void **bufs)
{
	unsigned int i;

	for (i = 0; i < RUN_BLOCKS; i++)
		port_free_block(bufs[i]);
}

static int bufs_alloc(void **bufs)
{
	unsigned int i;

	memset(bufs, 0, RUN_BLOCKS * sizeof(*bufs));
	for (i = 0; i < RUN_BLOCKS; i++) {
		bufs[i] = port_alloc_block(PORT_WAIT);
		if (!bufs[i]) {
			bufs_free(bufs);
			return -ENOMEM;
		}
	}
	return 0;
}

/* One answer of the engine written; the number of blocks, or an error. */
static int write_run(struct englab *l, struct lb_vol *vol, u64 block, u64 count, u32 tag, void **bufs)
{
	int idx = lb_io_enter(vol), err, i;
	struct lb_write w;

	err = lb_write_begin(vol, block, min_t(u64, count, RUN_BLOCKS), 0, &w);
	if (!err) {
		for (i = 0; i < w.count; i++)
			lab_fill(bufs[i], tag, (block + i) * LBK_BLOCK_SECTORS, LBK_BLOCK_SECTORS);
		err = port_write(&l->dev, w.pblk, bufs, w.count, 0);
		lb_write_end(&w, err);
	}
	lb_io_leave(vol, idx);
	return err ?: w.count;
}

/* Ask for room, and do what makes it. */
static void make_room(struct englab *l, int err)
{
	u64 round = lb_request_room(l->pool, err);
	unsigned int tries;

	for (tries = 0; tries < 100 && READ_ONCE(l->room) < round; tries++) {
		if (l->wq) {
			msleep(20);
		} else {
			lb_work_commit(l->pool);
			lb_work_reclaim(l->pool);
		}
	}
}

static bool needs_room(int err)
{
	return err == -ENOSPC || err == -ENOBUFS;
}

int el_try_write(struct englab *l, struct lb_vol *vol, u64 block, u64 count, u32 tag)
{
	void *bufs[RUN_BLOCKS];
	bool asked = false;
	int err;

	if (bufs_alloc(bufs))
		return -ENOMEM;
	err = 0;
	while (count) {
		err = write_run(l, vol, block, count, tag, bufs);
		if (err > 0) {
			block += err;
			count -= err;
			asked = false;
			err = 0;
			continue;
		}
		if (!needs_room(err) || (err == -ENOSPC && asked))
			break;
		asked = true;
		make_room(l, err);
	}
	bufs_free(bufs);
	return err;
}

int el_try_read(struct englab *l, struct lb_vol *vol, u64 block, u64 count, u32 tag)
{
	void *buf = port_alloc_block(PORT_WAIT);
	struct lb_mapping m;
	int err = 0, idx;

	if (!buf)
		return -ENOMEM;
	for (; count && !err; block++, count--) {
		idx = lb_io_enter(vol);
		err = lb_read_map(vol, block, 1, 0, &m);
		if (!err && m.pblk == LB_PBLK_HOLE)
			memset(buf, 0, LB_BLOCK_BYTES);
		else if (!err)
			err = port_read(&l->dev, m.pblk, buf);
		lb_io_leave(vol, idx);
		if (!err && lab_mismatch(buf, tag, block * LBK_BLOCK_SECTORS, LBK_BLOCK_SECTORS) >= 0)
			err = -EILSEQ;
	}
	port_free_block(buf);
	return err;
}

int el_try_unmap(struct englab *l, struct lb_vol *vol, u64 block, u64 count)
{
	bool asked = false;
	int err = 0, idx;
	u64 done;

	while (count) {
		idx = lb_io_enter(vol);
		err = lb_unmap(vol, block, count, 0, &done);
		lb_io_leave(vol, idx);
		if (!err) {
			block += done;
			count -= done;
			continue;
		}
		if (!needs_room(err) || (err == -ENOSPC && asked))
			break;
		asked = true;
		make_room(l, err);
	}
	return err;
}

void el_write(struct englab *l, struct lb_vol *vol, u64 block, u64 count, u32 tag)
{
	KUNIT_ASSERT_EQ(l->test, el_try_write(l, vol, block, count, tag), 0);
}

void el_expect(struct englab *l, struct lb_vol *vol, u64 block, u64 count, u32 tag)
{
	KUNIT_ASSERT_EQ_MSG(l->test, el_try_read(l, vol, block, count, tag), 0, "volume %llu, blocks %llu + %llu, tag %u", lb_vol_id(vol),
			    block, count, tag);
}

void el_fill(struct englab *l, u64 id, u64 block, u64 count, u32 tag)
{
	struct lb_vol *vol = el_vol_open(l, id);

	el_write(l, vol, block, count, tag);
	el_vol_close(l, vol);
}

void el_expect_vol(struct englab *l, u64 id, u64 block, u64 count, u32 tag)
{
	struct lb_vol *vol = el_vol_open(l, id);

	el_expect(l, vol, block, count, tag);
	el_vol_close(l, vol);
}
