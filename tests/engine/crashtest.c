// SPDX-License-Identifier: GPL-2.0
/*
 * Crash enumeration (see enumerate.h for what a state is):
 *
 *   1. every sequence of up to three operations of the vocabulary below, on each of the pools below: all states of each sequence's last operation (those of the ones before it
 *      were looked at as shorter sequences);
 *   2. long random workloads with a power cut in every operation, until there are as many states as asked for.
 *
 *   crashtest [--states N] [--seed N] [--jobs N] [--length N] [--one-in N] [--pool NAME] [--script TEXT] [--no-reduce]
 *
 * --one-in takes that part of the sequences by chance; --script does one script on a pool and looks at all states of all its operations.
 * A failure ends the run: the script that does it, made as short as it goes (unless --no-reduce), is printed with the command that repeats it.
 */
#include <assert.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "enumerate.h"
#include "workload_priv.h"

#define TEXT		2000u
#define MAX_JOBS	64u
#define MAX_LENGTH	3u

/* ------------------------------------------------------------------ pools and vocabulary */

/*
 * What everything starts from: 1 is frozen, 2 its frozen child, 3 a writable child of that with blocks of its own (2, 3 and 8) and shared ones, 4 a writable
 * volume that has no parent.
 */
#define PLAIN "create to=1 blocks=24 quota=0; write vol=1 sector=0 count=128; freeze vol=1; snapshot vol=1 to=2; write vol=2 sector=32 count=40; " \
	"freeze vol=2; snapshot vol=2 to=3; write vol=3 sector=16 count=16; write vol=3 sector=64 count=8; attr vol=3 key=0 bytes=100 seed=7; " \
	"create to=4 blocks=16 quota=0; write vol=4 sector=0 count=32; attr key=1 bytes=60 seed=9; commit"

/* The same with large volumes, so that their trees have several leaves: 700 blocks, of which 2 owns 178, each an extent of its own. */
#define LARGE "create to=1 blocks=700 quota=0; write vol=1 sector=0 count=128; freeze vol=1; snapshot vol=1 to=2; scatter vol=2 seed=29; " \
	"freeze vol=2; snapshot vol=2 to=3; write vol=3 sector=16 count=16; write vol=3 sector=2400 count=64; discard vol=3 block=600 count=20; " \
	"create to=4 blocks=16 quota=0; write vol=4 sector=0 count=32; commit"

static const struct pool_kind {
	const char *name;
	const char *on_disk;		/* then the pool is closed and opened */
	const char *in_memory;		/* done after that, so not or only in part durable */
	unsigned int length;		/* sequences up to this long */
	unsigned int step_budget;
} pools[] = {
	{ "plain", PLAIN, "", 3, 0 },
	/* mappings in memory, some of them in the journal, and a write under way */
	{ "dirty", PLAIN, "write vol=3 sector=0 count=12; discard vol=3 block=8 count=1; flush vol=3; write vol=3 sector=40 count=16; write vol=4 sector=64 count=16; "
	  "begin vol=4 block=12 count=2", 2, 0 },
	/* a volume of several leaves is being freed */
	{ "deleting", PLAIN "; create to=9 blocks=700 quota=0; scatter vol=9 seed=29; commit; remove vol=9", "step; work ms=1000 reclaim", 2, 1 },
	/* a volume that is cut, and its snapshot deleted, before anything of that is in the trees */
	{ "cut", PLAIN, "write vol=3 sector=8 count=8; snapshot vol=3 to=7; write vol=3 sector=8 count=24; snapshot vol=2 to=6; write vol=6 sector=8 count=8", 2, 0 },
	/* a frozen parent of several leaves is going into its only child: the first leaf has */
	{ "collapsing", LARGE "; remove vol=2", "step", 2, 1 },
};

/* 5: made here; 6: a child of 2; 7: the snapshot of 3. */
static const char *const vocabulary[] = {
	"create to=5 blocks=12 quota=0",
	"snapshot vol=2 to=6 seed=3",
	"snapshot vol=3 to=7",
	"write vol=3 sector=0 count=16",		/* shared */
	"write vol=3 sector=16 count=8",		/* owned: in place */
	"write vol=3 sector=3 count=3",			/* part of a shared block */
	"write vol=3 sector=12 count=16",		/* shared, owned, and parts of both */
	"write vol=3 sector=64 count=16 fua",
	"write vol=4 sector=24 count=40",
	"write vol=5 sector=0 count=8 fua preflush",
	"write vol=6 sector=8 count=8",
	"begin vol=3 block=5 count=2",
	"write vol=3 sector=4004 count=20",		/* far from the others: only in large volumes */
	"discard vol=3 block=300 count=150",
	"discard vol=3 block=1 count=3",
	"discard vol=4 block=0 count=12",
	"zero vol=3 sector=4 count=32",
	"flush vol=3",
	"flush vol=4",
	"flush vol=6",
	"commit",
	"freeze vol=3",
	"freeze vol=4",
	"remove vol=2",					/* its child is 3: collapses */
	"remove vol=3",
	"remove vol=4",
	"remove vol=7",
	"rollback vol=3 to=2",
	"resize vol=3 blocks=32",
	"resize vol=3 blocks=3",
	"attr vol=3 key=0 bytes=5000 seed=2",
	"attr key=1 delete",
	"rename vol=3 to=8",
	"grow blocks=8900",
	"work ms=35000 commit reclaim",
	"step",
	"reopen",
};

static const struct workload_opts small = { .profile = "enumerated", .pool_blocks = 8192, .grow_blocks = 9000, .vol_blocks = 24 };
static const struct enumerate_opts thorough = { .all_up_to = 4, .samples = 6, .torn = 3 };

/* Random workloads, with a cut in each operation. */
static const struct workload_opts random_runs[] = {
	{ .profile = "tiny", .ops = 300, .pool_blocks = 8192, .grow_blocks = 41000, .vol_blocks = 24, .crash_permille = 1000, .reopen_permille = 20,
	  .step_budget = 1 },
	{ .profile = "roomy", .ops = 200, .pool_blocks = 40000, .grow_blocks = 60000, .vol_blocks = 100, .crash_permille = 1000, .reopen_permille = 10 },
	{ .profile = "full", .ops = 200, .pool_blocks = 8192, .grow_blocks = 9500, .vol_blocks = 2500, .crash_permille = 500, .reopen_permille = 10 },
};

/* ------------------------------------------------------------------ jobs, and what they share */

struct shared {
	struct {
		u64 sequences, operations, states, random_states;
		char script[TEXT];	/* under way */
	} jobs[MAX_JOBS];
	u64 next_random;		/* seed of the next random run, from 0 */
	unsigned int failed;
};

static struct {
	u64 seed, states, one_in;
	unsigned int jobs, length;
	const char *pool, *script;
	bool no_reduce;
} args = { .seed = 1, .states = 1000000, .one_in = 1, .length = MAX_LENGTH };

static struct shared *shared;

/* ------------------------------------------------------------------ one script */

/* A pool of a kind, built once in a job. */
struct built {
	const struct pool_kind *kind;
	struct workload_opts opts;
	struct port_dev *dev;
	struct model *m;
	struct script in_memory;
};

static struct workload *run_on(const struct built *b, struct workload_result *res, struct port_dev *dev, struct model *m)
{
	struct workload *w = calloc(1, sizeof(*w));

	assert(w);
	w->opts = &b->opts;
	w->res = res;
	w->m = m;
	w->labels = 100;
	host_init(&w->h, dev);
	return w;
}

static void built_make(struct built *b, const struct pool_kind *kind)
{
	struct lb_format_opts format = { .total_blocks = small.pool_blocks };
	struct workload_result res = { 0 };
	struct script s = { 0 };
	struct workload *w;
	u8 uuid[16];
	size_t i;

	memset(b, 0, sizeof(*b));
	b->kind = kind;
	b->opts = small;
	b->opts.step_budget = kind->step_budget;
	port_random_seed(1);
	port_clock_fake(1000000000, 1700000000);
	b->dev = port_sim_new(small.grow_blocks);
	b->m = model_new(small.pool_blocks);
	w = run_on(b, &res, b->dev, b->m);
	if (lb_pool_format(b->dev, &format, uuid) || !workload_open(w) || !script_parse(&s, kind->on_disk) || !script_parse(&b->in_memory, kind->in_memory))
		abort();
	for (i = 0; i < s.count; i++) {
		if (!workload_op(w, &s.ops[i])) {
			fprintf(stderr, "making the pool \"%s\": %s\n", kind->name, b->m->why);
			abort();
		}
	}
	lb_pool_stop(w->h.pool, true);
	if (!workload_close(w, "as made"))
		abort();
	script_clear(&s);
	free(w);
}

static void built_free(struct built *b)
{
	port_sim_free(b->dev);
	model_free(b->m);
	script_clear(&b->in_memory);
}

/* The script on the pool; states of the last operation, or of all. Why it failed: in b->m->why. */
static bool try_script(struct built *b, const struct script *s, bool all, struct workload_result *res)
{
	struct enumerate_opts how = thorough;
	u32 versions = b->m->versions->count;
	struct workload *w = run_on(b, res, port_sim_clone(b->dev), model_copy(b->m));
	size_t i;
	bool ok;

	port_random_seed(2);
	port_clock_fake(1000000000, 1700000000);
	ok = workload_open(w);
	for (i = 0; i < b->in_memory.count && ok; i++)
		ok = workload_op(w, &b->in_memory.ops[i]);
	for (i = 0; i < s->count && ok; i++) {
		how.seed = args.seed + i;
		ok = all || i == s->count - 1 ? enumerate_op(w, &s->ops[i], &how) : workload_op(w, &s->ops[i]);
	}
	if (!ok)
		memcpy(b->m->why, w->m->why, MODEL_TEXT);
	workload_abandon(w);
	port_sim_free(w->h.dev);
	model_copy_free(w->m);
	free(w);
	b->m->versions->count = versions;
	return ok;
}

static bool script_fails(void *arg, const struct script *s)
{
	struct workload_result res = { 0 };

	return !try_script(arg, s, true, &res);
}

static void tell(struct built *b, struct script *s, const char *why)
{
	char first[MODEL_TEXT];

	snprintf(first, sizeof(first), "%s", why);
	fprintf(stderr, "\npool \"%s\": ", b->kind->name);
	script_print(s, stderr);
	fprintf(stderr, "\n  %s\n", first);
	if (!args.no_reduce)
		script_reduce(s, 0, script_fails, b, 60);
	fprintf(stderr, "again: crashtest --seed %llu --pool %s --script '", (unsigned long long)args.seed, b->kind->name);
	script_print(s, stderr);
	fprintf(stderr, "'\n");
}

/* ------------------------------------------------------------------ sequences */

struct job {
	unsigned int index;
	struct built *b;
	u64 count;			/* sequences so far, of all jobs */
	u64 chance;
	struct script *words;		/* the vocabulary */
};

static void note_script(unsigned int job, const struct script *s)
{
	FILE *f = fmemopen(shared->jobs[job].script, TEXT - 1, "w");

	assert(f);
	script_print(s, f);
	fclose(f);
}

static bool one_sequence(struct job *j, struct script *s)
{
	struct workload_result res = { 0 };
	bool ok;

	note_script(j->index, s);
	ok = try_script(j->b, s, false, &res);
	shared->jobs[j->index].sequences++;
	shared->jobs[j->index].states += res.crashes;
	if (!ok) {
		shared->failed = 1;
		tell(j->b, s, j->b->m->why);
	}
	return ok;
}

/* All sequences of this length that begin with `s`; each job does every jobs-th. */
static bool sequences(struct job *j, struct script *s, unsigned int length)
{
	unsigned int i;
	bool ok = true;

	if (!length) {
		if (j->count++ % args.jobs != j->index || (args.one_in > 1 && workload_chance(&j->chance, args.one_in)))
			return true;
		return one_sequence(j, s);
	}
	for (i = 0; i < ARRAY_SIZE(vocabulary) && ok && !shared->failed; i++) {
		script_add(s, &j->words->ops[i]);
		ok = sequences(j, s, length - 1);
		if (!ok)
			break;		/* the script has been made shorter */
		s->count--;
	}
	return ok;
}

static bool all_sequences(unsigned int index)
{
	struct script words = { 0 }, s = { 0 };
	unsigned int i, length;
	bool ok = true;

	for (i = 0; i < ARRAY_SIZE(vocabulary); i++)
		if (!script_parse(&words, vocabulary[i]))
			abort();
	for (i = 0; i < ARRAY_SIZE(pools) && ok; i++) {
		struct built b;
		struct job j = { .index = index, .b = &b, .chance = args.seed + index, .words = &words };

		if (args.pool && strcmp(args.pool, pools[i].name))
			continue;
		built_make(&b, &pools[i]);
		for (length = 1; length <= min_t(unsigned int, args.length, pools[i].length) && ok; length++) {
			s.count = 0;
			ok = sequences(&j, &s, length);
		}
		built_free(&b);
	}
	script_clear(&words);
	script_clear(&s);
	return ok;
}

/* ------------------------------------------------------------------ random runs */

struct totals {
	u64 sequences, operations, states, random_states;
};

static struct totals totals(void)
{
	struct totals t = { 0 };
	unsigned int i;

	for (i = 0; i < args.jobs; i++) {
		t.sequences += shared->jobs[i].sequences;
		t.operations += shared->jobs[i].operations;
		t.states += shared->jobs[i].states;
		t.random_states += shared->jobs[i].random_states;
	}
	return t;
}

/* A fifth of the states at least are of random workloads. */
static bool enough(void)
{
	struct totals t = totals();

	return t.states >= args.states && t.random_states >= args.states / 5;
}

static bool random_until_enough(unsigned int job)
{
	bool ok = true;

	while (ok && !shared->failed && !enough()) {
		u64 n = __atomic_fetch_add(&shared->next_random, 1, __ATOMIC_RELAXED);
		struct workload_opts opts = random_runs[n % ARRAY_SIZE(random_runs)];
		struct workload_result res;

		opts.seed = args.seed * 1000003 + n;
		snprintf(shared->jobs[job].script, TEXT, "random workload, profile %s, seed %llu", opts.profile, (unsigned long long)opts.seed);
		opts.no_reduce = args.no_reduce;
		ok = workload_run(&opts, &res);
		shared->jobs[job].states += res.crashes;
		shared->jobs[job].random_states += res.crashes;
		shared->jobs[job].operations += res.done;
		if (!ok)
			shared->failed = 1;
	}
	return ok;
}

/* ------------------------------------------------------------------ the whole */

static int job_main(unsigned int index)
{
	bool ok = all_sequences(index) && random_until_enough(index);

	return ok ? 0 : 1;
}

static void progress(bool last)
{
	static bool tty, asked;
	struct totals t = totals();

	if (!asked) {
		tty = isatty(STDERR_FILENO);
		asked = true;
	}
	if (tty)
		fprintf(stderr, "\r%llu sequences, %llu random operations, %llu crash states%s", (unsigned long long)t.sequences,
			(unsigned long long)t.operations, (unsigned long long)t.states, last ? "\n" : "");
}

/* A job that died, as by an assertion, has failed. */
static void job_ended(const pid_t *pids, pid_t pid, int status)
{
	unsigned int i;

	for (i = 0; i < args.jobs && pids[i] != pid; i++)
		;
	if (!WIFSIGNALED(status) && WEXITSTATUS(status) <= 1) {
		if (status)
			shared->failed = 1;
		return;
	}
	fprintf(stderr, "\njob %u died (status %#x) in: %s\n", i, (unsigned int)status, i < args.jobs ? shared->jobs[i].script : "?");
	shared->failed = 1;
}

static void run_jobs(void)
{
	struct timespec pause = { .tv_nsec = 200000000 };
	unsigned int i, left = args.jobs;
	pid_t pids[MAX_JOBS], pid;
	int status;

	for (i = 0; i < args.jobs; i++) {
		pids[i] = fork();
		assert(pids[i] >= 0);
		if (!pids[i])
			exit(job_main(i));
	}
	while (left) {
		pid = waitpid(-1, &status, WNOHANG);
		if (pid > 0) {
			job_ended(pids, pid, status);
			left--;
			continue;
		}
		progress(false);
		nanosleep(&pause, NULL);
	}
	progress(true);
}

static int run_all(void)
{
	struct timespec from, to;
	struct totals t;

	clock_gettime(CLOCK_MONOTONIC, &from);
	run_jobs();
	clock_gettime(CLOCK_MONOTONIC, &to);
	t = totals();
	printf("crash states: %llu looked at (%llu of %llu sequences of up to %u operations, %llu of %llu random operations), seed %llu, %lld s, %s\n",
	       (unsigned long long)t.states, (unsigned long long)(t.states - t.random_states), (unsigned long long)t.sequences, args.length,
	       (unsigned long long)t.random_states, (unsigned long long)t.operations, (unsigned long long)args.seed,
	       (long long)(to.tv_sec - from.tv_sec), shared->failed ? "FAILED" : "no violation");
	return shared->failed ? 1 : 0;
}

static int run_one(void)
{
	struct workload_result res = { 0 };
	struct script s = { 0 };
	struct built b;
	unsigned int i;
	bool ok;

	for (i = 0; i < ARRAY_SIZE(pools) - 1 && args.pool && strcmp(args.pool, pools[i].name); i++)
		;
	if (!script_parse(&s, args.script))
		return 2;
	built_make(&b, &pools[i]);
	ok = try_script(&b, &s, true, &res);
	printf("%llu crash states, %s\n", (unsigned long long)res.crashes, ok ? "no violation" : "FAILED");
	if (!ok)
		tell(&b, &s, b.m->why);
	built_free(&b);
	script_clear(&s);
	return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "states", required_argument, NULL, 'n' }, { "seed", required_argument, NULL, 's' }, { "jobs", required_argument, NULL, 'j' },
		{ "length", required_argument, NULL, 'l' }, { "one-in", required_argument, NULL, 'o' }, { "pool", required_argument, NULL, 'p' },
		{ "script", required_argument, NULL, 'x' },
		{ "no-reduce", no_argument, NULL, 'r' }, { NULL, 0, NULL, 0 },
	};
	int c;

	args.jobs = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'n': args.states = strtoull(optarg, NULL, 0); break;
		case 's': args.seed = strtoull(optarg, NULL, 0); break;
		case 'j': args.jobs = (unsigned int)strtoul(optarg, NULL, 0); break;
		case 'l': args.length = (unsigned int)strtoul(optarg, NULL, 0); break;
		case 'o': args.one_in = strtoull(optarg, NULL, 0); break;
		case 'p': args.pool = optarg; break;
		case 'x': args.script = optarg; break;
		case 'r': args.no_reduce = true; break;
		default: return 2;
		}
	}
	args.jobs = min_t(unsigned int, args.jobs ? args.jobs : 1, MAX_JOBS);
	if (args.script)
		return run_one();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(shared != MAP_FAILED);
	return run_all();
}
