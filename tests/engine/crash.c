// SPDX-License-Identifier: GPL-2.0
/*
 * Power cuts. A cut leaves a new disk: what was durable, and of the rest any subset, torn or not. That disk must satisfy the checker as it is (journal and all), open without repair, hold what
 * the model allows, and satisfy the checker again. At times the power fails again during that recovery (replay, or a deletion or collapse that goes on), twice over, and at times a random workload goes on from
 * it: what recovery believes about space is only put to use by those who come after.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "pool_priv.h"
#include "workload_priv.h"

#define RECOVERIES	2u		/* cut one within the other */
#define RECOVERY_IOS	24u		/* the cut is at one of so many writes and flushes of opening and what follows it */
#define RESUME_STEPS	2u
#define GO_ON_OPS	12u

/* ------------------------------------------------------------------ what a cut left */

struct recovery {
	u64 countdown, seed;
	struct port_dev *crashed;
};

static int recovery_hook(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	struct recovery *r = arg;

	if (io->op != PORT_SIM_READ && !r->crashed && r->countdown && !--r->countdown)
		r->crashed = port_sim_crash_random(dev, r->seed);
	return 0;
}

/* A run that goes on from a crash state: a workload of its own, with no cut to come. */
static struct workload *go_on_new(const struct workload *w, struct model *m, struct port_dev *dev, u64 seed)
{
	struct workload *on = calloc(1, sizeof(*on));

	assert(on);
	on->opts = w->opts;
	on->res = w->res;
	on->m = m;
	on->state = seed;
	on->labels = w->labels + 1000000;
	host_init(&on->h, dev);
	return on;
}

static bool go_on_ops(struct workload *on)
{
	unsigned int i;

	for (i = 0; i < GO_ON_OPS; i++) {
		struct script_op op = workload_choose(on);

		/* Not a scrub each time, and no second recovery here. */
		if (op.kind == OP_SCRUB || op.kind == OP_REOPEN || op.kind == OP_GROW)
			continue;
		if (!workload_op(on, &op)) {
			size_t n = strlen(on->m->why);

			snprintf(on->m->why + n, MODEL_TEXT - n, "\n (%u operations after the power cut)", i + 1);
			return false;
		}
	}
	return workload_op(on, &(struct script_op){ .kind = OP_END }) && workload_op(on, &(struct script_op){ .kind = OP_BACKGROUND }) &&
	       model_verify(on->m, &on->h, MODEL_LIVE, false);
}

/* The time that passes meanwhile is no time in the run that was cut. */
static bool go_on(struct workload *on)
{
	u64 ns = port_now_ns(), wall = port_wall_s();
	bool ok = go_on_ops(on);

	port_clock_fake(ns, wall);
	return ok;
}

static bool recover(struct workload *w, struct workload *on, u64 seed, bool adopt)
{
	bool going_on = seed % 5 == 1;

	if (!model_verify(on->m, &on->h, MODEL_CRASHED, adopt || going_on))
		return false;
	if (adopt && !model_verify(on->m, &on->h, MODEL_LIVE, false))
		return false;
	if (going_on && !adopt && !go_on(on))
		return false;
	return workload_close(on, "after recovery");
}

/* Deletions and collapses go on from where they stood, in the smallest steps. The model sees nothing of it. */
static bool resume(struct workload *on)
{
	unsigned int i;

	on->h.pool->step_budget = 1;
	for (i = 0; i < RESUME_STEPS; i++)
		if (!workload_op(on, &(struct script_op){ .kind = OP_STEP }) ||
		    !workload_op(on, &(struct script_op){ .kind = OP_WORK, .flags = OPF_RECLAIM }))
			return false;
	return true;
}

/* Does this disk hold what the model allows? It is opened, which writes to it. */
static bool fits(struct workload *w, struct model *m, struct port_dev *dev, u64 seed, bool adopt, unsigned int depth)
{
	struct recovery r = { .countdown = depth && seed % 3 == 0 ? 1 + seed / 3 % RECOVERY_IOS : 0, .seed = seed / 7 };
	struct model *copy = adopt ? m : model_copy(m);
	struct workload *on;
	bool ok;

	w->res->crashes++;
	if (!model_check(m, dev, depth == RECOVERIES ? "after the power cut" : "after a power cut during recovery"))
		return false;
	on = go_on_new(w, copy, dev, seed / 13);
	port_sim_set_hook(dev, recovery_hook, &r);
	ok = workload_open(on);
	if (ok && r.countdown)
		ok = resume(on);
	port_sim_set_hook(dev, NULL, NULL);
	ok = ok && recover(w, on, seed, adopt);
	if (!ok && copy != m)
		memcpy(m->why, copy->why, sizeof(m->why));
	workload_abandon(on);
	free(on);
	if (copy != m)
		model_copy_free(copy);
	if (ok && r.crashed)
		ok = fits(w, m, r.crashed, seed / 11, false, depth - 1);
	if (r.crashed)
		port_sim_free(r.crashed);
	return ok;
}

bool workload_fits(struct workload *w, struct port_dev *dev, u64 seed)
{
	struct port_dev *second;
	char why[MODEL_TEXT];
	bool ok;

	if (!w->before)
		return fits(w, w->m, dev, seed, false, RECOVERIES);
	second = port_sim_clone(dev);
	ok = fits(w, w->m, dev, seed, false, RECOVERIES);
	if (!ok) {
		memcpy(why, w->m->why, sizeof(why));
		w->res->crashes--;
		ok = fits(w, w->before, second, seed, false, RECOVERIES);
		if (!ok)
			snprintf(w->m->why, sizeof(w->m->why), "a power cut within the operation (seed %llu)\n against the state after it: %.400s\n against the state before it: %.400s",
				 (unsigned long long)seed, why, w->before->why);
	}
	port_sim_free(second);
	return ok;
}

/* ------------------------------------------------------------------ a cut within an operation */

static int cut_hook(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	struct workload *w = arg;

	if (io->op != PORT_SIM_READ && w->countdown && !--w->countdown)
		w->crashed = port_sim_crash_random(dev, w->crash_seed);
	return 0;
}

void workload_arm(struct workload *w, u64 nth, u64 seed)
{
	w->before = model_copy(w->m);
	w->countdown = nth;
	w->crash_seed = seed;
	w->crashed = NULL;
	port_sim_set_hook(w->h.dev, cut_hook, w);
}

void workload_submit_too(struct workload *w, u64 vol, u64 sector, u64 count, u32 version)
{
	struct model_vol *v = w->before ? model_find(w->before, vol) : NULL;

	if (v)
		model_submit(v, sector, count, version, false);
}

bool workload_disarm(struct workload *w)
{
	bool ok = true;

	port_sim_set_hook(w->h.dev, NULL, NULL);
	w->countdown = 0;
	if (w->crashed) {
		ok = workload_fits(w, w->crashed, w->crash_seed / 5);
		port_sim_free(w->crashed);
		w->crashed = NULL;
	}
	model_copy_free(w->before);
	w->before = NULL;
	return ok;
}

/* ------------------------------------------------------------------ a cut from which the run goes on */

void workload_abandon(struct workload *w)
{
	unsigned int i;

	for (i = 0; i < w->half_count; i++) {
		disk_write_end(&w->half[i]->pending, -EIO);
		free(w->half[i]);
	}
	w->half_count = 0;
	for (i = 0; i < MODEL_VOLS; i++) {
		struct model_vol *v = &w->m->vols[i];

		if (!v->live || !v->disk)
			continue;
		disk_close(v->disk);
		free(v->disk);
		v->disk = NULL;
	}
	if (w->h.pool)
		host_abandon(&w->h);
}

bool workload_power_cut(struct workload *w, u64 seed)
{
	struct port_dev *left = port_sim_crash_random(w->h.dev, seed);
	bool ok;

	assert(left);
	workload_abandon(w);
	port_sim_free(w->h.dev);
	host_init(&w->h, left);
	ok = fits(w, w->m, left, seed / 5, true, RECOVERIES);
	return ok && workload_open(w);
}

void workload_drop(struct workload *w)
{
	workload_abandon(w);
	port_sim_free(w->h.dev);
	model_free(w->m);
}
