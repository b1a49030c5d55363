// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's port: that it keeps the promises of engine/port.h. Everything that does I/O runs twice, with completions in
 * submit_bio() and in an interrupt.
 */
#include <linux/delay.h>
#include <linux/kthread.h>

#include "lab.h"

#define BUFS	80u

struct portlab {
	struct englab l;		/* the device only */
	void *bufs[BUFS];
};

static int lab_init(struct kunit *test, bool irq)
{
	struct memdisk_opts opts = { .blocks = 1024, .room = 2048, .irq = irq };
	struct portlab *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	test->priv = &p->l;
	p->l.test = test;
	p->l.md = memdisk_new(&opts);
	KUNIT_ASSERT_NOT_NULL(test, p->l.md);
	el_device_open(&p->l);
	for (i = 0; i < BUFS; i++) {
		p->bufs[i] = port_alloc_block(PORT_WAIT);
		KUNIT_ASSERT_NOT_NULL(test, p->bufs[i]);
		lab_fill(p->bufs[i], i + 1, 0, LBK_BLOCK_SECTORS);
	}
	return 0;
}

static int port_init(struct kunit *test)
{
	return lab_init(test, false);
}

static int port_init_irq(struct kunit *test)
{
	return lab_init(test, true);
}

static void port_exit(struct kunit *test)
{
	struct portlab *p = test->priv ? container_of(test->priv, struct portlab, l) : NULL;
	unsigned int i;

	for (i = 0; p && i < BUFS; i++)
		port_free_block(p->bufs[i]);
	englab_exit(test);
}

static struct portlab *lab(struct kunit *test)
{
	return container_of(test->priv, struct portlab, l);
}

static void expect_block(struct kunit *test, u64 block, u32 tag)
{
	struct portlab *p = lab(test);
	void *buf = port_alloc_block(PORT_WAIT);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_EXPECT_EQ(test, port_read(&p->l.dev, block, buf), 0);
	KUNIT_EXPECT_EQ_MSG(test, lab_mismatch(buf, tag, 0, LBK_BLOCK_SECTORS), -1, "block %llu", block);
	port_free_block(buf);
}

/* ------------------------------------------------------------------ memory */

static void alloc_gives_zeroed_memory(struct kunit *test)
{
	static const size_t sizes[] = { 1, 8, 100, 4096, 5000, 65536, 1 << 20, 4 << 20 };
	unsigned int i, round;
	void *p;

	for (round = 0; round < 2; round++) {		/* the second time it may be what was freed */
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			p = port_alloc(sizes[i], PORT_WAIT);
			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, sizes[i]));
			memset(p, 0xff, sizes[i]);
			port_free(p);
		}
	}
	port_free(NULL);
	port_free_block(NULL);
}

static void alloc_that_may_not_sleep_does_not(struct kunit *test)
{
	port_spinlock_t lock;
	unsigned long flags;
	void *p, *b;

	port_spin_init(&lock);
	flags = port_spin_lock(&lock);
	p = port_alloc(2048, PORT_NOWAIT);
	b = port_alloc_block(PORT_NOWAIT);
	port_free(p);
	port_free_block(b);
	port_spin_unlock(&lock, flags);
}

static void blocks_are_aligned(struct kunit *test)
{
	struct portlab *p = lab(test);
	unsigned int i;

	for (i = 0; i < BUFS; i++) {
		KUNIT_EXPECT_EQ(test, (unsigned long)p->bufs[i] % LB_BLOCK_BYTES, 0ul);
		KUNIT_EXPECT_EQ(test, lab_mismatch(p->bufs[i], i + 1, 0, LBK_BLOCK_SECTORS), -1);	/* none is two */
	}
}

/* ------------------------------------------------------------------ small things */

static void crc_is_castagnoli(struct kunit *test)
{
	static const char digits[] = "123456789";
	u32 whole;

	KUNIT_EXPECT_EQ(test, port_crc32c(~0u, digits, 9), ~0xe3069283u);
	KUNIT_EXPECT_EQ(test, port_crc32c(~0u, digits, 0), ~0u);
	whole = port_crc32c(port_crc32c(~0u, digits, 4), digits + 4, 5);
	KUNIT_EXPECT_EQ(test, whole, ~0xe3069283u);
}

static void bits_are_counted(struct kunit *test)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(test, port_fls64(0), 0u);
	KUNIT_EXPECT_EQ(test, port_popcount64(0), 0u);
	for (i = 0; i < 64; i++) {
		KUNIT_EXPECT_EQ(test, port_ctz64(1ULL << i), i);
		KUNIT_EXPECT_EQ(test, port_fls64(1ULL << i), i + 1);
		KUNIT_EXPECT_EQ(test, port_popcount64(~0ULL << i), 64 - i);
		KUNIT_EXPECT_EQ(test, port_ctz64(~0ULL << i), i);
	}
}

static void clocks_go_forward(struct kunit *test)
{
	u64 a = port_now_ns();

	msleep(20);
	KUNIT_EXPECT_GE(test, port_now_ns() - a, 10000000ULL);
	KUNIT_EXPECT_GT(test, port_wall_s(), 1577836800ULL);		/* 2020 */
}

static void random_bytes_differ(struct kunit *test)
{
	u64 a[4] = { }, b[4] = { };

	port_random(a, sizeof(a));
	port_random(b, sizeof(b));
	KUNIT_EXPECT_NE(test, memcmp(a, b, sizeof(a)), 0);
}

static void spinlock_keeps_interrupts_out(struct kunit *test)
{
	unsigned long outer, inner;
	port_spinlock_t a, b;

	port_spin_init(&a);
	port_spin_init(&b);
	outer = port_spin_lock(&a);
	inner = port_spin_lock(&b);
	port_assert_held(&a);
	KUNIT_EXPECT_TRUE(test, irqs_disabled());
	port_spin_unlock(&b, inner);
	KUNIT_EXPECT_TRUE(test, irqs_disabled());
	port_spin_unlock(&a, outer);
	KUNIT_EXPECT_FALSE(test, irqs_disabled());
}

/* ------------------------------------------------------------------ waiting */

struct waiter {
	port_gate_t gate;
	port_wait_t wait;
	int idx;
	bool go, passed;
	struct completion done;
};

static int wait_fn(void *arg)
{
	struct waiter *w = arg;

	port_wait_event(&w->wait, READ_ONCE(w->go));
	WRITE_ONCE(w->passed, true);
	complete(&w->done);
	return 0;
}

static void wait_ends_when_its_condition_holds(struct kunit *test)
{
	struct waiter w = { .go = false };
	struct task_struct *task;

	port_wait_init(&w.wait);
	init_completion(&w.done);
	task = kthread_run(wait_fn, &w, "lbk-kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	msleep(50);
	port_wake_all(&w.wait);			/* without the condition: it goes on waiting */
	msleep(50);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(w.passed));
	WRITE_ONCE(w.go, true);
	port_wake_all(&w.wait);
	wait_for_completion(&w.done);
	KUNIT_EXPECT_TRUE(test, w.passed);
}

static int sync_fn(void *arg)
{
	struct waiter *w = arg;

	port_gate_sync(&w->gate);
	WRITE_ONCE(w->passed, true);
	complete(&w->done);
	return 0;
}

static void gate_waits_for_those_inside(struct kunit *test)
{
	struct waiter *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	struct task_struct *task;
	int late;

	KUNIT_ASSERT_NOT_NULL(test, w);
	KUNIT_ASSERT_EQ(test, port_gate_init(&w->gate), 0);
	init_completion(&w->done);
	w->idx = port_gate_enter(&w->gate);
	task = kthread_run(sync_fn, w, "lbk-kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	msleep(100);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(w->passed));
	late = port_gate_enter(&w->gate);	/* who comes later is not waited for */
	port_gate_leave(&w->gate, w->idx);
	wait_for_completion(&w->done);
	KUNIT_EXPECT_TRUE(test, w->passed);
	port_gate_leave(&w->gate, late);
	port_gate_destroy(&w->gate);
}

/* ------------------------------------------------------------------ I/O of single blocks */

static void a_block_is_written_and_read(struct kunit *test)
{
	struct portlab *p = lab(test);

	KUNIT_EXPECT_EQ(test, port_write(&p->l.dev, 7, &p->bufs[3], 1, 0), 0);
	expect_block(test, 7, 4);
	expect_block(test, 6, 0);
	expect_block(test, 8, 0);
	KUNIT_EXPECT_EQ(test, port_dev_blocks(&p->l.dev), 1024ULL);
}

static void blocks_in_a_row_are_one_write(struct kunit *test)
{
	struct portlab *p = lab(test);
	unsigned int i;

	memdisk_log_clear(p->l.md);
	KUNIT_EXPECT_EQ(test, port_write(&p->l.dev, 100, p->bufs, 40, PORT_PREFLUSH | PORT_FUA), 0);
	KUNIT_EXPECT_EQ(test, memdisk_logged(p->l.md, MEMDISK_ALL), 1);
	KUNIT_EXPECT_EQ(test, p->l.md->log[0].sectors, 40 * LBK_BLOCK_SECTORS);
	KUNIT_EXPECT_TRUE(test, p->l.md->log[0].opf & REQ_PREFLUSH);
	KUNIT_EXPECT_TRUE(test, p->l.md->log[0].opf & REQ_FUA);
	for (i = 0; i < 40; i++)
		expect_block(test, 100 + i, i + 1);
}

static void what_is_flushed_survives_a_power_cut(struct kunit *test)
{
	struct portlab *p = lab(test);

	KUNIT_EXPECT_EQ(test, port_write(&p->l.dev, 1, &p->bufs[0], 1, 0), 0);
	KUNIT_EXPECT_EQ(test, port_flush(&p->l.dev), 0);
	KUNIT_EXPECT_EQ(test, port_write(&p->l.dev, 2, &p->bufs[1], 1, 0), 0);
	KUNIT_EXPECT_EQ(test, port_write(&p->l.dev, 3, &p->bufs[2], 1, PORT_FUA), 0);
	KUNIT_EXPECT_EQ(test, port_write(&p->l.dev, 1, &p->bufs[3], 1, 0), 0);
	memdisk_power_cut(p->l.md);
	expect_block(test, 1, 1);
	expect_block(test, 2, 0);		/* this is what makes the other tests of power cuts worth something */
	expect_block(test, 3, 3);
}

static void preflush_makes_earlier_writes_durable(struct kunit *test)
{
	struct portlab *p = lab(test);

	KUNIT_EXPECT_EQ(test, port_write(&p->l.dev, 1, &p->bufs[0], 1, 0), 0);
	KUNIT_EXPECT_EQ(test, port_write(&p->l.dev, 2, &p->bufs[1], 1, PORT_PREFLUSH), 0);
	memdisk_power_cut(p->l.md);
	expect_block(test, 1, 1);
	expect_block(test, 2, 0);
}

static void errors_are_told(struct kunit *test)
{
	struct portlab *p = lab(test);

	memdisk_fail(p->l.md, MEMDISK_READ, 0, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, port_read(&p->l.dev, 5, p->bufs[0]), -EIO);
	memdisk_fail(p->l.md, MEMDISK_WRITE, 0, 1, BLK_STS_NOSPC);
	KUNIT_EXPECT_EQ(test, port_write(&p->l.dev, 5, p->bufs, 2, 0), -EIO);
	memdisk_fail(p->l.md, MEMDISK_FLUSH, 0, 1, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, port_flush(&p->l.dev), -EIO);
	KUNIT_EXPECT_EQ(test, port_flush(&p->l.dev), 0);
	expect_block(test, 5, 0);
}

static void beyond_the_end_is_an_error(struct kunit *test)
{
	struct portlab *p = lab(test);

	KUNIT_EXPECT_NE(test, port_read(&p->l.dev, 1024, p->bufs[0]), 0);
	memdisk_grow(p->l.md, 2048);
	KUNIT_EXPECT_EQ(test, port_dev_blocks(&p->l.dev), 2048ULL);
	KUNIT_EXPECT_EQ(test, port_read(&p->l.dev, 1024, p->bufs[0]), 0);
}

/* ------------------------------------------------------------------ batches */

static void batch_joins_neighbours(struct kunit *test)
{
	struct portlab *p = lab(test);
	struct port_batch *b = port_batch_alloc(&p->l.dev);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, b);
	memdisk_log_clear(p->l.md);
	for (i = 0; i < BUFS; i++)
		port_batch_write(b, 200 + i, p->bufs[i]);
	KUNIT_EXPECT_EQ(test, port_batch_wait(b), 0);
	KUNIT_EXPECT_EQ(test, memdisk_logged(p->l.md, MEMDISK_WRITE), 2);	/* 64 in one, the rest in another */
	port_batch_free(b);
	for (i = 0; i < BUFS; i++)
		expect_block(test, 200 + i, i + 1);
}

static void batch_joins_two_runs_at_once(struct kunit *test)
{
	struct portlab *p = lab(test);
	struct port_batch *b = port_batch_alloc(&p->l.dev);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, b);
	memdisk_log_clear(p->l.md);
	for (i = 0; i < 20; i++) {
		port_batch_write(b, 200 + i, p->bufs[i]);
		port_batch_write(b, 600 + i, p->bufs[i]);
	}
	KUNIT_EXPECT_EQ(test, port_batch_wait(b), 0);
	KUNIT_EXPECT_EQ(test, memdisk_logged(p->l.md, MEMDISK_WRITE), 2);
	port_batch_free(b);
	for (i = 0; i < 20; i++) {
		expect_block(test, 200 + i, i + 1);
		expect_block(test, 600 + i, i + 1);
	}
}

static void batch_of_scattered_blocks(struct kunit *test)
{
	struct portlab *p = lab(test);
	struct port_batch *b = port_batch_alloc(&p->l.dev);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, b);
	memdisk_log_clear(p->l.md);
	for (i = 0; i < BUFS; i++)			/* more than are kept back, and than the reserve has */
		port_batch_write(b, (i * 397) % 1024, p->bufs[i]);
	KUNIT_EXPECT_EQ(test, port_batch_wait(b), 0);
	KUNIT_EXPECT_EQ(test, memdisk_logged(p->l.md, MEMDISK_WRITE), (int)BUFS);
	port_batch_free(b);
	for (i = 0; i < BUFS; i++)
		expect_block(test, (i * 397) % 1024, i + 1);
}

static void batch_tells_an_error_once(struct kunit *test)
{
	struct portlab *p = lab(test);
	struct port_batch *b = port_batch_alloc(&p->l.dev);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, b);
	memdisk_fail(p->l.md, MEMDISK_WRITE, 3, 1, BLK_STS_IOERR);
	for (i = 0; i < 8; i++)
		port_batch_write(b, 100 + 2 * i, p->bufs[i]);
	KUNIT_EXPECT_EQ(test, port_batch_wait(b), -EIO);
	port_batch_write(b, 300, p->bufs[0]);
	KUNIT_EXPECT_EQ(test, port_batch_wait(b), 0);
	KUNIT_EXPECT_EQ(test, port_batch_wait(b), 0);		/* of nothing */
	port_batch_free(b);
	expect_block(test, 300, 1);
}

static void batch_waits_for_the_slow(struct kunit *test)
{
	struct portlab *p = lab(test);
	struct port_batch *b = port_batch_alloc(&p->l.dev);

	KUNIT_ASSERT_NOT_NULL(test, b);
	port_batch_write(b, 10, p->bufs[0]);
	port_batch_write(b, 20, p->bufs[1]);
	KUNIT_EXPECT_EQ(test, memdisk_logged(p->l.md, MEMDISK_WRITE), 0);	/* kept back, that neighbours may join them */
	port_batch_free(b);							/* waits */
	expect_block(test, 10, 1);
	expect_block(test, 20, 2);
}

static void batch_discards(struct kunit *test)
{
	struct portlab *p = lab(test);
	struct port_batch *b = port_batch_alloc(&p->l.dev);

	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_EXPECT_TRUE(test, port_dev_can_discard(&p->l.dev));
	KUNIT_EXPECT_EQ(test, port_write(&p->l.dev, 50, p->bufs, 10, PORT_FUA), 0);
	port_batch_discard(b, 52, 3);
	memdisk_fail(p->l.md, MEMDISK_DISCARD, 1, 1, BLK_STS_NOTSUPP);
	port_batch_discard(b, 57, 1);				/* fails, which is no error: a hint */
	KUNIT_EXPECT_EQ(test, port_batch_wait(b), 0);
	KUNIT_EXPECT_EQ(test, memdisk_logged(p->l.md, MEMDISK_DISCARD), 2);
	port_batch_free(b);
	expect_block(test, 51, 2);
	expect_block(test, 52, 0);
	expect_block(test, 54, 0);
	expect_block(test, 55, 6);
	expect_block(test, 57, 8);
}

static struct kunit_case port_cases[] = {
	KUNIT_CASE(alloc_gives_zeroed_memory),
	KUNIT_CASE(alloc_that_may_not_sleep_does_not),
	KUNIT_CASE(blocks_are_aligned),
	KUNIT_CASE(crc_is_castagnoli),
	KUNIT_CASE(bits_are_counted),
	KUNIT_CASE(clocks_go_forward),
	KUNIT_CASE(random_bytes_differ),
	KUNIT_CASE(spinlock_keeps_interrupts_out),
	KUNIT_CASE(wait_ends_when_its_condition_holds),
	KUNIT_CASE(gate_waits_for_those_inside),
	KUNIT_CASE(a_block_is_written_and_read),
	KUNIT_CASE(blocks_in_a_row_are_one_write),
	KUNIT_CASE(what_is_flushed_survives_a_power_cut),
	KUNIT_CASE(preflush_makes_earlier_writes_durable),
	KUNIT_CASE(errors_are_told),
	KUNIT_CASE(beyond_the_end_is_an_error),
	KUNIT_CASE(batch_joins_neighbours),
	KUNIT_CASE(batch_joins_two_runs_at_once),
	KUNIT_CASE(batch_of_scattered_blocks),
	KUNIT_CASE(batch_tells_an_error_once),
	KUNIT_CASE(batch_waits_for_the_slow),
	KUNIT_CASE(batch_discards),
	{ }
};

static struct kunit_case port_irq_cases[] = {
	KUNIT_CASE(a_block_is_written_and_read),
	KUNIT_CASE(blocks_in_a_row_are_one_write),
	KUNIT_CASE(what_is_flushed_survives_a_power_cut),
	KUNIT_CASE(preflush_makes_earlier_writes_durable),
	KUNIT_CASE(errors_are_told),
	KUNIT_CASE(beyond_the_end_is_an_error),
	KUNIT_CASE(batch_joins_neighbours),
	KUNIT_CASE(batch_joins_two_runs_at_once),
	KUNIT_CASE(batch_of_scattered_blocks),
	KUNIT_CASE(batch_tells_an_error_once),
	KUNIT_CASE(batch_waits_for_the_slow),
	KUNIT_CASE(batch_discards),
	{ }
};

struct kunit_suite lbk_port_suite = {
	.name		= "layerblk_port",
	.init		= port_init,
	.exit		= port_exit,
	.test_cases	= port_cases,
};

struct kunit_suite lbk_port_irq_suite = {
	.name		= "layerblk_port_irq",
	.init		= port_init_irq,
	.exit		= port_exit,
	.test_cases	= port_irq_cases,
};
