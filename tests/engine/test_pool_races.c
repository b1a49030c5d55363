// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that meet at one certain moment: one is stopped in the middle of an I/O, the other comes, the first goes on.
 * Each case here was wrong once, or is easily made so.
 */
#include <pthread.h>

#include "poollab.h"
#include "pool_priv.h"

#define POOL_BLOCKS	8192ull

/* ------------------------------------------------------------------ stopping a thread at an I/O of its own */

struct stop {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool armed, reached, go;
	pthread_t who;
	enum port_sim_op op;
	u64 block;		/* 0: any */
	unsigned int skip;	/* so many of them pass first */
};

struct job {
	struct poollab *pl;
	struct stop *stop;	/* NULL: runs through */
	enum port_sim_op op;
	u64 block;
	unsigned int skip;
	void (*run)(struct job *job);
	pthread_t thread;
	bool done;
	/* what run() works on, and finds */
	u64 id;
	struct disk *disk;
	int err;
	u64 found;
};

static struct stop the_stop = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int stop_hook(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	struct stop *s = arg;

	(void)dev;
	pthread_mutex_lock(&s->lock);
	if (s->armed && pthread_equal(s->who, pthread_self()) && io->op == s->op &&
	    (!s->block || s->block == io->block) && !s->skip--) {
		s->armed = false;
		s->reached = true;
		pthread_cond_broadcast(&s->changed);
		while (!s->go)
			pthread_cond_wait(&s->changed, &s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static void *job_main(void *arg)
{
	struct job *job = arg;

	if (job->stop) {
		pthread_mutex_lock(&job->stop->lock);
		job->stop->who = pthread_self();
		job->stop->op = job->op;
		job->stop->block = job->block;
		job->stop->skip = job->skip;
		job->stop->reached = job->stop->go = false;
		job->stop->armed = true;
		pthread_mutex_unlock(&job->stop->lock);
	}
	job->run(job);
	__atomic_store_n(&job->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool job_done(struct job *job)
{
	return __atomic_load_n(&job->done, __ATOMIC_ACQUIRE);
}

static void nap(void)
{
	const struct timespec t = { .tv_nsec = 1000000 };

	nanosleep(&t, NULL);
}

/* Until it stands at its stop. */
static void job_start_to_stop(struct job *job)
{
	bool reached = false;

	port_sim_set_hook(job->pl->dev, stop_hook, &the_stop);
	job->stop = &the_stop;
	the_stop.reached = false;
	assert_ok(pthread_create(&job->thread, NULL, job_main, job));
	while (!reached) {
		assert_false(job_done(job));	/* it never came there: the case has lost its point */
		pthread_mutex_lock(&the_stop.lock);
		reached = the_stop.reached;
		pthread_mutex_unlock(&the_stop.lock);
		nap();
	}
}

/* It runs, and has either ended or had the time to come where it has to wait. */
static void job_start(struct job *job)
{
	unsigned int i;

	assert_ok(pthread_create(&job->thread, NULL, job_main, job));
	for (i = 0; i < 50 && !job_done(job); i++)
		nap();
}

static void stop_release(void)
{
	pthread_mutex_lock(&the_stop.lock);
	the_stop.go = true;
	pthread_cond_broadcast(&the_stop.changed);
	pthread_mutex_unlock(&the_stop.lock);
}

static void job_join(struct job *job)
{
	pthread_join(job->thread, NULL);
	assert_ok(job->err);
}

/* ------------------------------------------------------------------ what the jobs do */

static void run_flush(struct job *job)
{
	job->err = disk_flush(job->disk);
}

static void run_create(struct job *job)
{
	job->err = lb_vol_create(job->pl->pool, name_of("new"), 100, 0, NULL, &job->id);
}

static void run_snapshot(struct job *job)
{
	job->err = lb_vol_snapshot(job->pl->pool, job->id, name_of("s"), false, 0, NULL, &job->found);
}

static void run_commit(struct job *job)
{
	job->err = lb_pool_commit(job->pl->pool);
}

static void run_work(struct job *job)
{
	lb_work_commit(job->pl->pool);
}

static void run_gate_sync(struct job *job)
{
	port_gate_sync(&job->pl->pool->gate);
}

static void run_reclaim(struct job *job)
{
	lb_work_reclaim(job->pl->pool);
}

static void run_close(struct job *job)
{
	pl_close(job->disk);
}

/* Open the volume, write one block, leave it. */
static void run_write(struct job *job)
{
	struct disk d;

	job->err = disk_open(&job->pl->h, job->id, &d);
	if (job->err)
		return;
	job->err = pl_try_write(&d, 0, 1, 9);
	disk_close(&d);
}

static void run_open(struct job *job)
{
	job->err = disk_open(&job->pl->h, job->id, job->disk);
}

/* Open the volume of this name and tell the first word of its first block. */
static void run_read_s(struct job *job)
{
	u8 buf[LB_BLOCK_BYTES];
	struct disk d;

	job->err = lb_vol_find(job->pl->pool, name_of("s"), &job->id);
	if (!job->err)
		job->err = disk_open(&job->pl->h, job->id, &d);
	if (job->err)
		return;
	job->err = disk_read(&d, 0, SECTORS, buf);
	memcpy(&job->found, buf, sizeof(job->found));
	disk_close(&d);
}

/* ------------------------------------------------------------------ the journal */

/*
 * Somebody finds a volume's name before its creation is durable, writes and flushes: one journal write takes both. The
 * record that makes the volume comes before those that are about it.
 */
static void a_volume_that_is_used_before_its_creation_is_durable(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct disk *x = pl_open(pl, pl_create(pl, "x", 100)), *v;
	struct job blocker = { .pl = pl, .run = run_flush, .disk = x, .op = PORT_SIM_WRITE };
	struct job create = { .pl = pl, .run = run_create }, flush = { .pl = pl, .run = run_flush };
	u64 id;

	(void)state;
	pl_write(x, 0, 1, 1);
	job_start_to_stop(&blocker);
	job_start(&create);
	assert_ok(lb_vol_find(pl->pool, name_of("new"), &id));
	v = pl_open(pl, id);
	pl_write(v, 0, 10, 2);
	flush.disk = v;
	job_start(&flush);
	stop_release();
	job_join(&blocker);
	job_join(&create);
	job_join(&flush);
	free(x);
	free(v);
	pl_crash(pl);
	pl_expect_vol(pl, id, 0, 10, 2);
	pl_free(pl);
}

/* ------------------------------------------------------------------ volumes opened while a commit runs */

/* A volume with a tree of its own, changes over it, and nothing of the tree in the cache: its merge reads `root`. */
static struct disk *dirty_volume(struct poollab *pl, const char *name, u64 tag, u64 *root)
{
	struct disk *d = pl_open(pl, pl_create(pl, name, 100));

	pl_write(d, 0, 100, tag);
	pl_settle(pl);
	assert_ok(disk_discard(d, 0, 10));
	pl_write(d, 0, 10, tag + 1);
	*root = lb_vol_lookup(pl->pool, d->id)->root.addr;
	return d;
}

/* What a snapshot holds, and the volume above it, while a commit merges both. */
static void a_snapshot_opened_while_its_commit_runs(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct job commit = { .pl = pl, .run = run_commit, .op = PORT_SIM_READ }, read = { .pl = pl, .run = run_read_s };
	u8 want[LB_BLOCK_BYTES];
	struct disk *v;
	u64 snap;

	(void)state;
	v = dirty_volume(pl, "v", 1, &commit.block);
	assert_ok(lb_vol_snapshot(pl->pool, v->id, name_of("s"), false, 0, NULL, &snap));
	pl_write(v, 5, 5, 3);
	lb_cache_shrink(pl->pool, ~0ull);
	job_start_to_stop(&commit);
	job_start(&read);
	pl_write(v, 0, 1, 4);		/* of the next generation */
	stop_release();
	job_join(&commit);
	job_join(&read);
	assert_int_equal(read.id, snap);
	test_fill(want, 2ull << 32);
	assert_memory_equal(&read.found, want, sizeof(read.found));
	pl_expect(v, 0, 1, 4);
	pl_expect(v, 1, 4, 2);
	pl_expect(v, 5, 5, 3);
	pl_close(v);
	pl_expect_vol(pl, snap, 0, 10, 2);
	pl_reopen(pl);
	pl_expect_vol(pl, snap, 0, 10, 2);
	pl_expect_vol(pl, snap, 10, 90, 1);
	pl_free(pl);
}

/* It was not open at the cut: who opens it then finds that nothing in it is its own any more. */
static void a_volume_opened_while_its_snapshot_is_made(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct job cut = { .pl = pl, .run = run_snapshot, .op = PORT_SIM_WRITE }, write = { .pl = pl, .run = run_write };

	(void)state;
	cut.id = write.id = pl_create(pl, "v", 100);
	pl_fill(pl, cut.id, 0, 100, 1);
	pl_settle(pl);
	job_start_to_stop(&cut);
	job_start(&write);
	stop_release();
	job_join(&cut);
	job_join(&write);
	pl_expect_vol(pl, cut.found, 0, 100, 1);
	pl_expect_vol(pl, cut.id, 0, 1, 9);
	pl_expect_vol(pl, cut.id, 1, 99, 1);
	pl_reopen(pl);
	pl_expect_vol(pl, cut.found, 0, 100, 1);
	pl_expect_vol(pl, cut.id, 0, 1, 9);
	pl_free(pl);
}

/* What a collapse gives a volume is counted once, also when it is opened between the step and the end of its commit. */
static void a_volume_opened_while_its_parent_goes_into_it(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 base = pl_create(pl, "base", 100), v;
	struct job work = { .pl = pl, .run = run_work, .op = PORT_SIM_FLUSH }, open = { .pl = pl, .run = run_open };
	struct disk d;

	(void)state;
	pl_fill(pl, base, 0, 100, 1);
	pl_freeze(pl, base);
	v = pl_snapshot(pl, base, "v");
	pl_settle(pl);
	pl_remove(pl, base);
	port_clock_advance(3000000000);
	job_start_to_stop(&work);
	open.id = v;
	open.disk = &d;
	job_start(&open);
	stop_release();
	job_join(&work);
	job_join(&open);
	assert_int_equal(pl_stat(pl, v).owned_blocks, 100);
	pl_write(&d, 0, 50, 2);
	disk_close(&d);
	pl_settle(pl);
	assert_int_equal(pl_stat(pl, v).parent, 0);
	assert_int_equal(pl_stat(pl, v).owned_blocks, 100);
	pl_free(pl);
}

/* ------------------------------------------------------------------ scrub and commits */

/* Nodes of a commit under way are not on the disk yet: a scrub does not look for them there. */
static void a_scrub_does_not_meet_what_is_not_written_yet(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct job commit = { .pl = pl, .run = run_commit, .op = PORT_SIM_READ }, scrub = { .pl = pl, .run = run_work };
	struct lb_pool_stat st;
	struct disk *v, *w;
	u64 root;

	(void)state;
	v = dirty_volume(pl, "v", 1, &root);
	w = dirty_volume(pl, "w", 3, &root);
	pl_settle(pl);
	/* The first of them has been merged when the second is read. */
	assert_ok(disk_discard(v, 20, 1));
	assert_ok(disk_discard(w, 20, 1));
	commit.block = lb_vol_lookup(pl->pool, w->id)->root.addr;
	lb_cache_shrink(pl->pool, ~0ull);
	job_start_to_stop(&commit);
	assert_ok(lb_pool_scrub(pl->pool, true));
	pl->pool->scrub.restart = false;
	pl->pool->scrub.phase = 3;		/* it has come to the volumes */
	job_start(&scrub);
	stop_release();
	job_join(&commit);
	job_join(&scrub);
	st = pl_pool_stat(pl);
	assert_int_equal(st.scrub_state, 2);
	assert_int_equal(st.scrub_errors, 0);
	pl_close(v);
	pl_close(w);
	pl_free(pl);
}

/* While it waits for a commit, a scrub is no reader: that commit may have to wait until all readers have left. */
static void a_scrub_that_waits_for_a_commit_is_no_reader(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct job commit = { .pl = pl, .run = run_commit, .op = PORT_SIM_FLUSH };
	struct job scrub = { .pl = pl, .run = run_work };
	struct job sync = { .pl = pl, .run = run_gate_sync };
	bool passed;

	(void)state;
	pl_fill(pl, pl_create(pl, "v", 100), 0, 100, 1);
	job_start_to_stop(&commit);
	assert_ok(lb_pool_scrub(pl->pool, true));
	job_start(&scrub);
	assert_false(job_done(&scrub));
	job_start(&sync);
	passed = job_done(&sync);
	stop_release();
	job_join(&commit);
	job_join(&scrub);
	job_join(&sync);
	assert_true(passed);
	assert_int_equal(pl_pool_stat(pl).scrub_errors, 0);
	pl_free(pl);
}

/* ------------------------------------------------------------------ closing */

/* A request holds the volume's I/O by its host: the volume is not closed before the host has been told to let it go. */
static void a_volume_is_not_closed_while_it_is_held(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct job cut = { .pl = pl, .run = run_snapshot, .op = PORT_SIM_READ, .skip = 2 };
	struct job close = { .pl = pl, .run = run_close };
	char name[16];
	unsigned int i;
	bool early;

	(void)state;
	cut.id = pl_create(pl, "v", 100);
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "v%u", i);
		pl_create(pl, name, 10);
	}
	close.disk = pl_open(pl, cut.id);
	pl_write(close.disk, 0, 100, 1);
	pl_settle(pl);
	lb_cache_shrink(pl->pool, ~0ull);
	/* Two reads of the catalog find the source; then it is held, and a third one is for its map's record. */
	job_start_to_stop(&cut);
	assert_true(close.disk->held);
	job_start(&close);
	early = job_done(&close);
	stop_release();
	job_join(&cut);
	job_join(&close);
	assert_false(early);
	pl_expect_vol(pl, cut.found, 0, 100, 1);
	pl_free(pl);
}

/* ------------------------------------------------------------------ readers */

/* Who was told where a block lies has it until he is done, whatever has become of it meanwhile. */
static void what_is_freed_waits_for_its_readers(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	struct disk *d = pl_open(pl, pl_create(pl, "v", 100));
	struct lb_vol *v = lb_vol_lookup(pl->pool, d->id);
	struct job reclaim = { .pl = pl, .run = run_reclaim };
	struct lb_mapping m;
	int idx;

	(void)state;
	pl_write(d, 0, 100, 1);
	pl_settle(pl);
	idx = lb_io_enter(v);
	assert_ok(lb_read_map(v, 0, 1, 0, &m));
	assert_ok(disk_discard(d, 0, 100));
	assert_ok(lb_pool_commit(pl->pool));
	job_start(&reclaim);
	assert_false(job_done(&reclaim));
	lb_io_leave(v, idx);
	job_join(&reclaim);
	pl_close(d);
	pl_free(pl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_freed_waits_for_its_readers),
		cmocka_unit_test(a_volume_that_is_used_before_its_creation_is_durable),
		cmocka_unit_test(a_snapshot_opened_while_its_commit_runs),
		cmocka_unit_test(a_volume_opened_while_its_snapshot_is_made),
		cmocka_unit_test(a_volume_opened_while_its_parent_goes_into_it),
		cmocka_unit_test(a_scrub_does_not_meet_what_is_not_written_yet),
		cmocka_unit_test(a_scrub_that_waits_for_a_commit_is_no_reader),
		cmocka_unit_test(a_volume_is_not_closed_while_it_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
