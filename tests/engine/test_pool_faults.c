// SPDX-License-Identifier: GPL-2.0
/*
 * Failures at the worst moment: journal writes and superblocks that fail while others wait, power cuts in the middle of a
 * cut's commit, requests that run out of memory, a journal damaged behind its end. Each case here was wrong once.
 */
#include <pthread.h>

#include "check.h"
#include "poollab.h"
#include "pool_priv.h"

#define POOL_BLOCKS	8192ull
#define SUPER_BLOCKS	2ull		/* primary superblocks: the first of a commit's last writes */

static void nap(unsigned int ms)
{
	const struct timespec t = { .tv_nsec = ms * 1000000l };

	nanosleep(&t, NULL);
}

/* A pool as a crash left it: opened, and closed again with nothing found. */
static void after_crash(struct poollab *pl, struct port_dev *left)
{
	host_abandon(&pl->h);
	port_sim_free(pl->dev);
	pl->dev = left;
	pl->h.dev = left;
	pl_check(pl);
	assert_ok(host_open(&pl->h, 0));
	pl->pool = pl->h.pool;
}

/* ------------------------------------------------------------------ a request while a superblock, or the journal, is being written */

struct aside {
	struct poollab *pl;
	void (*run)(struct aside *a);
	bool armed;
	bool journal;			/* at the journal's first write, not the superblock's */
	pthread_t thread;
	bool done, early;		/* done: run() has returned; early: before that was written */
	struct port_dev *left;		/* what a power cut at that moment leaves */
	/* for run() */
	struct disk *disk;
	u64 id, found;
	int err;
};

static void *aside_main(void *arg)
{
	struct aside *a = arg;

	a->run(a);
	__atomic_store_n(&a->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static int aside_hook(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	struct aside *a = arg;
	unsigned int i;

	if (!a->armed || io->op != PORT_SIM_WRITE || a->journal != (io->block >= SUPER_BLOCKS))
		return 0;
	a->armed = false;
	pthread_create(&a->thread, NULL, aside_main, a);
	for (i = 0; i < 50 && !__atomic_load_n(&a->done, __ATOMIC_ACQUIRE); i++)
		nap(1);
	a->early = __atomic_load_n(&a->done, __ATOMIC_ACQUIRE);
	a->left = port_sim_crash_none(dev);
	return 0;
}

static void aside_arm(struct aside *a)
{
	a->armed = true;
	port_sim_set_hook(a->pl->dev, aside_hook, a);
}

static void aside_join(struct aside *a)
{
	assert_false(a->armed);
	pthread_join(a->thread, NULL);
	port_sim_set_hook(a->pl->dev, NULL, NULL);
}

static void find_snap(struct aside *a)
{
	a->err = lb_vol_find(a->pl->pool, name_of("snap"), &a->found);
}

static void run_remove(struct aside *a)
{
	find_snap(a);
	if (!a->err)
		a->err = lb_vol_remove(a->pl->pool, a->found, false, NULL);
}

static void run_rename(struct aside *a)
{
	const struct lb_vol_change ch = { .set = LB_SET_NAME, .name = name_of("other") };

	find_snap(a);
	if (!a->err)
		a->err = lb_vol_set(a->pl->pool, a->found, &ch, NULL);
}

static void run_attribute(struct aside *a)
{
	struct lb_attr_change ch = { .key = "k", .key_len = 1, .value = "x", .value_len = 1 };
	const struct lb_tx tx = { &ch, 1 };

	find_snap(a);
	ch.vol = a->found;
	if (!a->err)
		a->err = lb_vol_set(a->pl->pool, a->found, NULL, &tx);
}

static void run_child(struct aside *a)
{
	u64 id;

	find_snap(a);
	if (!a->err)
		a->err = lb_vol_snapshot(a->pl->pool, a->found, name_of("child"), false, 0, NULL, &id);
}

/*
 * A snapshot of a writable volume is seen from its cut on, and durable with its record. What is asked of it in between
 * must not be durable before it.
 */
static void what_is_asked_of_a_snapshot_waits_for_it(void **state)
{
	void (*const runs[])(struct aside *a) = { run_remove, run_rename, run_attribute };
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		struct poollab *pl = pl_new(POOL_BLOCKS);
		struct aside a = { .pl = pl, .run = runs[i], .journal = true };
		struct disk *d = pl_open(pl, pl_create(pl, "v", 100));
		struct lb_attr_change none;
		u64 id = d->id, snap, fresh;
		u32 len = sizeof(none);

		pl_write(d, 0, 10, 1);
		assert_ok(disk_flush(d));
		aside_arm(&a);
		assert_ok(lb_vol_snapshot(pl->pool, id, name_of("snap"), true, 0, NULL, &snap));
		aside_join(&a);
		assert_ok(a.err);
		assert_false(a.early);
		assert_int_equal(a.found, snap);
		free(d);
		after_crash(pl, a.left);
		assert_int_equal(lb_vol_find(pl->pool, name_of("snap"), &fresh), -ENOENT);
		pl_expect_vol(pl, id, 0, 10, 1);
		fresh = pl_create(pl, "fresh", 100);
		assert_int_equal(lb_attr_get(pl->pool, fresh, "k", 1, &none, &len), -ENOENT);
		pl_free(pl);
	}
}

/* A child needs the snapshot's map, so a commit comes first: it makes the snapshot durable before its record is. */
static void a_child_of_a_snapshot_brings_a_commit(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct aside a = { .pl = pl, .run = run_child, .journal = true };
	struct disk *d = pl_open(pl, pl_create(pl, "v", 100));
	u64 id = d->id, snap, child;

	(void)state;
	pl_write(d, 0, 10, 1);
	assert_ok(disk_flush(d));
	pl_write(d, 5, 10, 2);
	aside_arm(&a);
	assert_ok(lb_vol_snapshot(pl->pool, id, name_of("snap"), true, 0, NULL, &snap));
	aside_join(&a);
	assert_ok(a.err);
	assert_false(a.early);
	assert_ok(lb_vol_find(pl->pool, name_of("child"), &child));
	pl_expect_vol(pl, child, 0, 5, 1);
	pl_expect_vol(pl, child, 5, 10, 2);
	pl_write(d, 0, 1, 3);
	assert_ok(disk_flush(d));
	free(d);
	after_crash(pl, a.left);
	assert_int_equal(lb_vol_find(pl->pool, name_of("child"), &child), -ENOENT);
	pl_expect_vol(pl, id, 0, 5, 1);
	pl_free(pl);
}

static void run_flush(struct aside *a)
{
	a->err = disk_flush(a->disk);
}

static void a_shrink_is_found_whole_or_not_at_all(void **state)
{
	const struct lb_vol_change ch = { .set = LB_SET_SIZE | LB_SET_SHRINK, .size_blocks = 100 };
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct aside a = { .pl = pl, .run = run_flush };
	struct disk *d = pl_open(pl, pl_create(pl, "v", 1000));
	u64 id = d->id;

	(void)state;
	pl_write(d, 500, 10, 1);
	assert_ok(disk_flush(d));
	a.disk = d;
	aside_arm(&a);
	assert_ok(lb_vol_set(pl->pool, id, &ch, NULL));
	aside_join(&a);
	assert_ok(a.err);
	free(d);
	after_crash(pl, a.left);
	assert_int_equal(pl_stat(pl, id).size_blocks, 1000);
	pl_expect_vol(pl, id, 500, 10, 1);
	pl_free(pl);
}

/* ------------------------------------------------------------------ writes that fail */

struct failing {
	struct poollab *pl;
	bool armed;
	u64 first, last;		/* blocks whose write fails */
	struct disk *second;		/* who flushes while the first one's journal write fails */
	pthread_t thread;
	int err;
};

static void *second_flush(void *arg)
{
	struct failing *f = arg;

	f->err = disk_flush(f->second);
	return NULL;
}

static int failing_hook(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	struct failing *f = arg;
	u64 asked;

	(void)dev;
	if (!f->armed || io->op != PORT_SIM_WRITE || io->block < f->first || io->block > f->last)
		return 0;
	if (f->second) {
		f->armed = false;
		asked = f->pl->pool->journal.requested;
		pthread_create(&f->thread, NULL, second_flush, f);
		while (__atomic_load_n(&f->pl->pool->journal.requested, __ATOMIC_ACQUIRE) == asked)
			nap(1);
	}
	return -EIO;
}

static void a_flush_that_waits_while_the_journal_fails(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct disk *d = pl_open(pl, pl_create(pl, "v", 100));
	struct failing f = { .pl = pl, .armed = true, .last = ~0ull, .second = d };
	u64 id = d->id;

	(void)state;
	pl_write(d, 0, 1, 1);
	port_sim_set_hook(pl->dev, failing_hook, &f);
	assert_int_equal(disk_flush(d), -EIO);
	pthread_join(f.thread, NULL);
	assert_int_equal(f.err, -EIO);
	/* Nor does a write with FUA take the block for durable. */
	assert_true(lb_flush_needed(d->vol));
	port_sim_set_hook(pl->dev, NULL, NULL);
	free(d);
	pl_crash(pl);
	pl_expect_vol(pl, id, 0, 1, 0);
	pl_free(pl);
}

static void *waiting_writer(void *arg)
{
	struct failing *f = arg;

	f->err = pl_try_write(f->second, 0, 1, 2);
	return NULL;
}

/* The mirror fails: the primary superblock may be durable, and what it reaches must not be given to a writer. */
static void a_superblock_of_which_one_copy_failed(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct disk *d = pl_open(pl, pl_create(pl, "v", 1000));
	u64 mirror = le64_to_cpu(pl->pool->sb->mirror_block), count = 1, id = d->id;
	struct failing f = { .pl = pl, .armed = true, .first = mirror, .last = mirror + 1 };
	static const u8 zeros[LB_BLOCK_BYTES];
	struct disk_pending first;
	pthread_t thread;

	(void)state;
	pl_write(d, 500, 10, 1);
	assert_ok(disk_flush(d));
	/* Another write waits for the block that this one has locked, past all checks. */
	assert_ok(disk_write_begin(d, 0, &count, zeros, &first));
	f.second = d;
	assert_ok(pthread_create(&thread, NULL, waiting_writer, &f));
	while (!__atomic_load_n(&d->vol->lock_waiters, __ATOMIC_ACQUIRE))
		nap(1);
	f.second = NULL;
	port_sim_set_hook(pl->dev, failing_hook, &f);
	assert_int_equal(lb_commit(pl->pool, NULL), -EIO);
	disk_write_end(&first, -EIO);
	pthread_join(thread, NULL);
	assert_int_equal(f.err, -EROFS);
	port_sim_set_hook(pl->dev, NULL, NULL);
	free(d);
	after_crash(pl, port_sim_crash_all(pl->dev));
	pl_expect_vol(pl, id, 500, 10, 1);
	pl_free(pl);
}

/* ------------------------------------------------------------------ no memory */

static int try_remove(struct poollab *pl, u64 id)
{
	return lb_vol_remove(pl->pool, id, false, NULL);
}

static int try_shrink(struct poollab *pl, u64 id)
{
	const struct lb_vol_change ch = { .set = LB_SET_SIZE | LB_SET_SHRINK, .size_blocks = 100 };

	return lb_vol_set(pl->pool, id, &ch, NULL);
}

/* Every allocation of the request fails once: when it is refused, the volume is as it was, and can be used. */
static void a_request_without_memory_changes_nothing(void **state)
{
	int (*const tries[])(struct poollab *pl, u64 id) = { try_remove, try_shrink };
	unsigned int i, refused = 0;
	bool ran_dry;
	u64 n;

	(void)state;
	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		for (n = 1, ran_dry = true; ran_dry && n < 200; n++) {
			struct poollab *pl = pl_new(POOL_BLOCKS);
			u64 id = pl_create(pl, "v", 1000);
			int err;

			pl_fill(pl, id, 500, 10, 1);
			port_fault_alloc(n, 1);
			err = tries[i](pl, id);
			port_fault_alloc(0, 0);
			ran_dry = err == -ENOMEM;
			if (ran_dry && !pl->pool->failed) {
				refused++;
				assert_int_equal(pl_pool_stat(pl).volumes, 1);
				assert_int_equal(pl_stat(pl, id).size_blocks, 1000);
				pl_expect_vol(pl, id, 500, 10, 1);
				pl_reopen(pl);
				pl_expect_vol(pl, id, 500, 10, 1);
				assert_ok(tries[i](pl, id));
				pl_free(pl);
			} else {
				pl_crash(pl);
				pl_free(pl);
			}
		}
	}
	assert_true(refused > 10);
}

/* ------------------------------------------------------------------ the journal, damaged */

/* Five flushed writes, a record each; returns the first one's place. Then the power is cut. */
static u64 five_records(struct poollab *pl, u64 *id)
{
	struct disk *d = pl_open(pl, pl_create(pl, "v", 100));
	struct lb_journal *j = &pl->pool->journal;
	u64 first, i;

	assert_ok(lb_pool_commit(pl->pool));
	first = j->block + j->head.vpos % j->blocks;
	for (i = 0; i < 5; i++) {
		pl_write(d, i, 1, i + 1);
		assert_ok(disk_flush(d));
	}
	*id = d->id;
	free(d);
	host_abandon(&pl->h);
	return first;
}

static void a_damaged_record_is_not_passed_over(void **state)
{
	static const u8 noise[LB_BLOCK_BYTES] = { 1, 2, 3 };
	u8 saved[LB_BLOCK_BYTES];
	struct port_sim_fault fault = { .op = PORT_SIM_READ, .effect = PORT_SIM_ERROR, .times = 100 };
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 id, first = five_records(pl, &id), i;

	(void)state;
	/* All but the last: behind that one nothing says that it was ever whole. */
	for (i = 0; i < 4; i++) {
		fault.first = fault.last = first + i;
		port_sim_add_fault(pl->dev, &fault);
		assert_int_equal(host_open(&pl->h, 0), -EIO);
		port_sim_clear_faults(pl->dev);
		port_sim_peek(pl->dev, first + i, saved);
		port_sim_poke(pl->dev, first + i, noise);
		assert_int_equal(host_open(&pl->h, 0), -EIO);
		port_sim_poke(pl->dev, first + i, saved);
	}
	/* Readable again, nothing is lost: the refusals have written nothing. */
	assert_ok(host_open(&pl->h, LB_POOL_OPEN_RO));
	host_abandon(&pl->h);
	port_sim_poke(pl->dev, first + 2, noise);
	assert_int_equal(host_open(&pl->h, 0), -EIO);
	/* As asked, with what comes before the damage. */
	assert_ok(host_open(&pl->h, LB_POOL_OPEN_FALLBACK));
	pl->pool = pl->h.pool;
	for (i = 0; i < 5; i++)
		pl_expect_vol(pl, id, i, 1, i < 2 ? i + 1 : 0);
	pl_free(pl);
}

static void a_torn_last_record_is_the_end(void **state)
{
	static const u8 noise[LB_BLOCK_BYTES] = { 1, 2, 3 };
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 id, first = five_records(pl, &id), i;

	(void)state;
	port_sim_poke(pl->dev, first + 4, noise);
	assert_ok(host_open(&pl->h, 0));
	pl->pool = pl->h.pool;
	for (i = 0; i < 5; i++)
		pl_expect_vol(pl, id, i, 1, i < 4 ? i + 1 : 0);
	pl_free(pl);
}

/* ------------------------------------------------------------------ the seal */

/* A volume noted as dirty whose entry went with the seal before: it has nothing for this one, and gets no generation of it. */
static void a_volume_noted_with_nothing_new(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct disk *d = pl_open(pl, pl_create(pl, "v", 100));

	(void)state;
	pl_settle(pl);
	d->vol->on_dirty = true;
	lb_list_add_tail(&d->vol->dirty_link, &pl->pool->dirty);
	assert_ok(lb_commit(pl->pool, NULL));
	assert_false(d->vol->on_dirty);
	assert_false(d->vol->on_sealed);
	pl_write(d, 0, 1, 1);
	assert_int_equal(lb_vol_active(d->vol)->gen, pl->pool->active_gen);
	pl_close(d);
	pl_free(pl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_of_a_snapshot_waits_for_it),
		cmocka_unit_test(a_child_of_a_snapshot_brings_a_commit),
		cmocka_unit_test(a_shrink_is_found_whole_or_not_at_all),
		cmocka_unit_test(a_flush_that_waits_while_the_journal_fails),
		cmocka_unit_test(a_superblock_of_which_one_copy_failed),
		cmocka_unit_test(a_request_without_memory_changes_nothing),
		cmocka_unit_test(a_damaged_record_is_not_passed_over),
		cmocka_unit_test(a_torn_last_record_is_the_end),
		cmocka_unit_test(a_volume_noted_with_nothing_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
