// SPDX-License-Identifier: GPL-2.0
/* The random workload: choosing operations that make sense where they stand, deciding when the power fails, and making a script that went wrong shorter. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "workload_priv.h"

/* Runs of the shortened script, at most. */
#define REDUCE_TRIES	400u

/* ------------------------------------------------------------------ chance */

/* splitmix64 */
u64 workload_chance(u64 *state, u64 n)
{
	u64 z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31)) % n;
}

static u64 chance(struct workload *w, u64 n)
{
	return workload_chance(&w->state, n);
}

static bool permille(struct workload *w, u32 n)
{
	return chance(w, 1000) < n;
}

/* Not 0. */
static u64 seed(struct workload *w)
{
	return 1 + chance(w, ~0ULL);
}

static struct model_vol *some_volume(struct workload *w, bool (*fits)(const struct model_vol *v))
{
	struct model_vol *list[MODEL_VOLS];
	unsigned int i, n = 0;

	for (i = 0; i < MODEL_VOLS; i++)
		if (w->m->vols[i].live && (!fits || fits(&w->m->vols[i])))
			list[n++] = &w->m->vols[i];
	return n ? list[chance(w, n)] : NULL;
}

static bool is_writable(const struct model_vol *v) { return !v->frozen; }
static bool is_frozen(const struct model_vol *v) { return v->frozen; }

/* ------------------------------------------------------------------ arguments by chance; a volume that is not there makes the operation do nothing */

static void some_blocks(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	op->at = chance(w, v->blocks);
	op->count = 1 + chance(w, chance(w, 4) ? 4 : 100);
}

static void in_sectors(struct script_op *op)
{
	op->at *= SECTORS;
	op->count *= SECTORS;
}

static void choose_write(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	some_blocks(w, op, v);
	in_sectors(op);
}

/* Few places, often: what lies under the same memtable entries, and in place. */
static void choose_hot(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	op->at = chance(w, min_t(u64, v->blocks, 12));
	op->count = 1 + chance(w, 3);
	in_sectors(op);
}

static void choose_partial(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	op->at = chance(w, v->blocks * SECTORS);
	op->count = 1 + chance(w, chance(w, 3) ? 7 : 40);
	op->flags = permille(w, 200) ? OPF_FUA : 0;
}

static void choose_fua(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	op->at = chance(w, v->blocks);
	op->count = 1 + chance(w, 8);
	op->flags = OPF_FUA | (permille(w, 300) ? OPF_PREFLUSH : 0);
	in_sectors(op);
}

static void choose_scatter(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	(void)v;
	op->seed = seed(w);
}

static void choose_discard(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	op->at = chance(w, v->blocks);
	op->count = 1 + chance(w, chance(w, 3) ? 20 : v->blocks);
}

static void choose_begin(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	op->at = chance(w, v->blocks);
	op->count = 1 + chance(w, 6);
}

static void choose_create(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	(void)v;
	op->to = ++w->labels;
	op->at = 1 + chance(w, w->opts->vol_blocks);
	op->count = chance(w, 6) ? 0 : 1 + chance(w, op->at);
	op->seed = chance(w, 2) ? seed(w) : 0;
}

static void choose_child(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	(void)v;
	op->to = ++w->labels;
	op->flags = chance(w, 6) ? 0 : OPF_FROZEN;
	op->seed = chance(w, 2) ? seed(w) : 0;
}

static void choose_snapshot(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	(void)v;
	op->to = ++w->labels;
}

static void choose_rollback(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	const struct model_vol *s = model_find(w->m, v->parent);
	unsigned int up;

	if (!s)
		return;
	for (up = (unsigned int)chance(w, 3); up && s->parent; up--)
		s = model_find(w->m, s->parent);
	op->to = s->label;
}

static void choose_resize(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	(void)v;
	op->at = 1 + chance(w, w->opts->vol_blocks);
}

static void choose_rename(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	op->to = ++w->labels;
	if (!v->frozen && chance(w, 2)) {
		op->flags = OPF_QUOTA;
		op->count = chance(w, 2) ? 0 : 1 + chance(w, v->blocks);
	}
}

static void choose_attr(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	if (v && !chance(w, 4))
		op->vol = 0;		/* the pool's */
	op->at = chance(w, MODEL_ATTRS);
	if (!chance(w, 4)) {
		op->flags = OPF_DELETE;
		return;
	}
	op->count = chance(w, chance(w, 8) ? 200 : chance(w, 8) ? 6000 : 600000);
	op->seed = chance(w, 100000);
}

static void choose_work(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	(void)v;
	/* One commit, not all that is due: with small steps, deletion stands still in the middle between two of these. */
	if (w->opts->step_budget && chance(w, 30)) {
		op->kind = OP_STEP;
		return;
	}
	op->at = chance(w, 40000);
	op->flags = (chance(w, 4) ? OPF_COMMIT : 0) | (chance(w, 3) ? OPF_RECLAIM : 0);
}

static void choose_grow(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	(void)v;
	op->at = w->m->total_blocks + 1 + chance(w, 3000);
}

static void choose_diff(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	(void)v;
	op->to = some_volume(w, is_frozen)->label;
}

static void choose_shrink_cache(struct workload *w, struct script_op *op, const struct model_vol *v)
{
	(void)v;
	op->count = chance(w, 2) ? 0 : 3;
}

/* ------------------------------------------------------------------ choosing */

enum whose { NOBODY, ANY, WRITABLE, FROZEN };

static const struct {
	enum script_kind kind;
	unsigned int weight;
	enum whose whose;
	void (*choose)(struct workload *w, struct script_op *op, const struct model_vol *v);
} choices[] = {
	{ OP_WRITE, 14, WRITABLE, choose_write }, { OP_WRITE, 10, WRITABLE, choose_hot }, { OP_WRITE, 10, WRITABLE, choose_partial },
	{ OP_WRITE, 6, WRITABLE, choose_fua }, { OP_SCATTER, 2, WRITABLE, choose_scatter }, { OP_DISCARD, 7, WRITABLE, choose_discard },
	{ OP_ZERO, 3, WRITABLE, choose_partial }, { OP_FLUSH, 7, WRITABLE, NULL }, { OP_BEGIN, 8, WRITABLE, choose_begin }, { OP_END, 3, NOBODY, NULL },
	{ OP_CREATE, 5, NOBODY, choose_create }, { OP_SNAPSHOT, 8, FROZEN, choose_child }, { OP_SNAPSHOT, 6, WRITABLE, choose_snapshot },
	{ OP_FREEZE, 3, WRITABLE, NULL }, { OP_REMOVE, 7, ANY, NULL }, { OP_ROLLBACK, 3, WRITABLE, choose_rollback },
	{ OP_RESIZE, 4, WRITABLE, choose_resize }, { OP_RENAME, 2, ANY, choose_rename }, { OP_ATTR, 4, ANY, choose_attr },
	{ OP_COMMIT, 4, NOBODY, NULL }, { OP_WORK, 10, NOBODY, choose_work }, { OP_GROW, 1, NOBODY, choose_grow }, { OP_DIFF, 2, FROZEN, choose_diff },
	{ OP_SCRUB, 1, NOBODY, NULL }, { OP_SHRINK_CACHE, 2, NOBODY, choose_shrink_cache }, { OP_VERIFY, 1, NOBODY, NULL },
	{ OP_READ, 4, ANY, NULL }, { OP_REOPEN, 1, NOBODY, NULL },
};

static unsigned int weigh(struct workload *w)
{
	unsigned int i, sum = 0;
	u64 at;

	for (i = 0; i < ARRAY_SIZE(choices); i++)
		sum += choices[i].weight;
	at = chance(w, sum);
	for (i = 0; at >= choices[i].weight; i++)
		at -= choices[i].weight;
	return i;
}

struct script_op workload_choose(struct workload *w)
{
	static bool (*const fits[])(const struct model_vol *v) = { [WRITABLE] = is_writable, [FROZEN] = is_frozen };
	unsigned int i = weigh(w);
	struct script_op op = { .kind = choices[i].kind };
	struct model_vol *v = NULL;

	if (choices[i].whose != NOBODY) {
		v = some_volume(w, fits[choices[i].whose]);
		if (!v)
			return op;
		op.vol = v->label;
	}
	if (choices[i].choose)
		choices[i].choose(w, &op, v);
	return op;
}

/* ------------------------------------------------------------------ the run */

/* Do it and write it down. */
static bool step(struct workload *w, struct script *done, const struct script_op *op)
{
	script_add(done, op);
	return workload_do(w, op);
}

static bool one_op(struct workload *w, struct script *done)
{
	struct script_op op = workload_choose(w);

	if (permille(w, w->opts->crash_permille)) {
		op.cut = 1 + chance(w, chance(w, 2) ? 4 : 40);
		op.cut_seed = seed(w);
	}
	if (!step(w, done, &op))
		return false;
	if (permille(w, w->opts->reopen_permille) && !step(w, done, &(struct script_op){ .kind = OP_POWER_CUT, .seed = seed(w) }))
		return false;
	/* The background comes when it was kicked, at times late. */
	if (chance(w, 3) && (!w->opts->step_budget || !chance(w, 30)))
		return step(w, done, &(struct script_op){ .kind = OP_BACKGROUND });
	return true;
}

static bool all_ops(struct workload *w, struct script *done)
{
	u32 i;

	for (i = 1; i <= w->opts->ops; i++) {
		if (!one_op(w, done))
			return false;
		w->res->done = i;
	}
	return true;
}

static bool finish(struct workload *w)
{
	return workload_op(w, &(struct script_op){ .kind = OP_REOPEN }) && workload_delete_all(w);
}

static struct workload *run_new(const struct workload_opts *opts, struct workload_result *res)
{
	struct workload *w = calloc(1, sizeof(*w));

	assert(w);
	memset(res, 0, sizeof(*res));
	w->opts = opts;
	w->res = res;
	w->state = opts->seed * 0x2545f4914f6cdd1dULL + 1;
	port_random_seed(opts->seed + 1);
	port_clock_fake(1000000000, 1700000000);
	port_fault_nowait(opts->nowait_permille);
	w->m = model_new(opts->pool_blocks);
	host_init(&w->h, port_sim_new(opts->grow_blocks));
	return w;
}

static void run_free(struct workload *w)
{
	workload_drop(w);
	port_fault_nowait(0);
	port_clock_real();
	free(w);
}

static bool run_format(struct workload *w)
{
	struct lb_format_opts format = { .total_blocks = w->opts->pool_blocks };
	u8 uuid[16];

	return !lb_pool_format(w->h.dev, &format, uuid) && workload_open(w);
}

bool workload_run_script(const struct workload_opts *opts, const struct script *script, struct workload_result *res, char *why)
{
	struct workload *w = run_new(opts, res);
	bool ok = run_format(w);
	size_t i;

	for (i = 0; i < script->count && ok; i++)
		ok = workload_do(w, &script->ops[i]);
	ok = ok && finish(w);
	if (!ok && why)
		memcpy(why, w->m->why, MODEL_TEXT);
	run_free(w);
	return ok;
}

static bool script_fails(void *arg, const struct script *s)
{
	struct workload_result res;

	return !workload_run_script(arg, s, &res, NULL);
}

static void tell_failure(const struct workload_opts *opts, struct script *script, const char *first)
{
	struct workload_opts copy = *opts;
	struct workload_result res;
	char why[MODEL_TEXT];
	size_t before = script->count;

	fprintf(stderr, "seed %llu, profile %s, operation %zu: %s\n", (unsigned long long)opts->seed, opts->profile, before, first);
	if (opts->no_reduce)
		return;
	fprintf(stderr, "making it shorter ...\n");
	script_reduce(script, 0, script_fails, &copy, REDUCE_TRIES);
	if (workload_run_script(opts, script, &res, why))
		snprintf(why, sizeof(why), "not when run again (is it the same build?)");
	fprintf(stderr, "%zu of %zu operations do: %s\nagain: test_model --profile %s --seed %llu --script '", script->count, before, why, opts->profile,
		(unsigned long long)opts->seed);
	script_print(script, stderr);
	fprintf(stderr, "'\n");
}

bool workload_run(const struct workload_opts *opts, struct workload_result *res)
{
	struct workload *w = run_new(opts, res);
	struct script done = { 0 };
	char why[MODEL_TEXT];
	bool ok = run_format(w) && all_ops(w, &done) && finish(w);

	memcpy(why, w->m->why, sizeof(why));
	run_free(w);
	if (!ok)
		tell_failure(opts, &done, why);
	script_clear(&done);
	return ok;
}
