// SPDX-License-Identifier: GPL-2.0
/* See judge.h. With FUZZ_VERBOSE=1 in the environment it says what it sees. */
#include "check.h"
#include "exercise.h"
#include "guard.h"
#include "judge.h"
#include "port_user.h"

#define NOON_NS		3600000000000ull
#define TODAY_S		1700000000ull

static bool verbose;

static void no_log(void *arg, int level, const char *line)
{
	(void)arg;
	(void)level;
	if (verbose)
		fprintf(stderr, "log: %s\n", line);
}

void judge_init(void)
{
	const char *s = getenv("FUZZ_VERBOSE");

	verbose = s && *s == '1';
	port_log_set_sink(no_log, NULL);
}

#define HOLDS(condition, ...) do {		\
	if (!(condition)) {			\
		fprintf(stderr, "judge: " __VA_ARGS__);	\
		fputc('\n', stderr);		\
		abort();			\
	}					\
} while (0)

/* ------------------------------------------------------------------ the checker */

static void take_finding(void *arg, const struct lbck_finding *f)
{
	const char *when = arg;

	if (verbose)
		fprintf(stderr, "%s: LB-%04u %s: %s%s\n", when, f->id, f->what, f->text, f->remains ? " (remains)" : "");
}

struct looked {
	int err;
	struct lbck_summary sum;
	bool changed;			/* something was written */
};

static struct looked look(struct port_dev *disk, bool repair, bool fallback, const char *when)
{
	struct lbck_opts opts = { .repair = repair, .fallback = fallback };
	u64 before = port_alloc_live();
	struct looked l;
	struct guard g;

	guard_init(&g, disk);
	g.read_only = !repair;
	l.err = lbck_check(&g.dev, &opts, take_finding, (void *)(uintptr_t)when, &l.sum);
	l.changed = g.changes;
	HOLDS(port_alloc_live() == before, "%s: the checker leaves memory behind", when);
	if (verbose)
		fprintf(stderr, "%s: %d, %llu errors, %llu warnings, %llu notes, %llu remain%s\n", when, l.err,
			(unsigned long long)l.sum.errors, (unsigned long long)l.sum.warnings, (unsigned long long)l.sum.notes,
			(unsigned long long)l.sum.remaining, l.sum.repaired ? ", repaired" : "");
	return l;
}

/* Repairs the disk. Is it clean now? */
static bool repair(struct port_dev *disk, bool fallback, const struct looked *before)
{
	struct looked first = look(disk, true, fallback, "repair"), second;

	if (first.err)
		return false;
	HOLDS(before->sum.remaining || before->sum.notes || !first.changed, "the repair of a clean pool changed it");
	HOLDS(first.changed == first.sum.repaired, "a repair %s", first.changed ? "keeps quiet about what it wrote" : "wrote nothing");
	if (!first.changed)
		return !first.sum.remaining;
	second = look(disk, true, fallback, "second repair");
	HOLDS(!second.err, "after a repair the checker breaks off: %d", second.err);
	HOLDS(!second.changed, "a second repair changes something");
	HOLDS(second.sum.remaining == first.sum.remaining, "the repair left %llu findings, not %llu",
	      (unsigned long long)second.sum.remaining, (unsigned long long)first.sum.remaining);
	return !second.sum.remaining;
}

/* ------------------------------------------------------------------ the engine */

static void use(struct port_dev *disk, unsigned int flags, bool clean, const u8 *ops, size_t op_bytes)
{
	struct exercise x = { .flags = (flags & INPUT_READ_ONLY ? LB_POOL_OPEN_RO : 0) | (flags & INPUT_FALLBACK ? LB_POOL_OPEN_FALLBACK : 0) };
	u64 before = port_alloc_live();
	struct looked after;
	struct guard g;
	int err;

	guard_init(&g, disk);
	g.read_only = flags & INPUT_READ_ONLY;
	host_init(&x.h, &g.dev);
	x.h.impatient = true;
	err = host_open(&x.h, x.flags);
	if (err == -EOPNOTSUPP && clean) {	/* a feature that allows reading only */
		x.flags |= LB_POOL_OPEN_RO;
		flags |= INPUT_READ_ONLY;
		g.read_only = true;
		err = host_open(&x.h, x.flags);
	}
	if (verbose)
		fprintf(stderr, "open: %d\n", err);
	HOLDS(!err || !clean, "a pool that the checker finds clean does not open: %d", err);
	if (!err) {
		exercise_look(&x);
		err = exercise_run(&x, ops, op_bytes);
		HOLDS(!err || !clean, "a clean pool does not open again: %d", err);
	}
	if (!err) {
		err = host_close(&x.h);
		HOLDS(!err || !clean, "a clean pool does not close: %d", err);
	}
	HOLDS(port_alloc_live() == before, "the engine leaves memory behind");
	if (!clean || (flags & INPUT_READ_ONLY))
		return;
	after = look(disk, false, false, "after the close");
	HOLDS(!after.err && !after.sum.remaining, "a clean pool is not clean after its use");
}

static void probe(struct port_dev *disk)
{
	struct lb_super_info info;
	struct guard g;

	guard_init(&g, disk);
	g.read_only = true;
	lb_pool_probe(&g.dev, &info);
}

void judge_disk(struct port_dev *disk, unsigned int flags, const u8 *ops, size_t op_bytes)
{
	bool fallback = flags & INPUT_FALLBACK, clean;
	struct port_dev *mended;
	struct looked l;

	port_clock_fake(NOON_NS, TODAY_S);
	port_random_seed(1);
	probe(disk);
	l = look(disk, false, fallback, "look");
	clean = !l.err && !l.sum.remaining;
	if (!l.err && (flags & INPUT_REPAIR)) {
		clean = repair(disk, fallback, &l);
	} else if (!clean && !l.err) {
		mended = port_sim_clone(disk);
		repair(mended, fallback, &l);
		port_sim_free(mended);
	}
	use(disk, flags, clean, ops, op_bytes);
	port_sim_free(disk);
}
