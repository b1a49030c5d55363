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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_volume_that_is_used_before_its_creation_is_durable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
