// SPDX-License-Identifier: GPL-2.0
/*
 * Power cuts. A cut leaves a new disk: what was durable, and of the rest any subset, torn or not. That disk must satisfy the checker as it is (journal and all), open without repair, hold what
 * the model allows, and satisfy the checker again. At times the power fails again during that recovery.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "workload_priv.h"

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

/* Does this disk hold what the model allows? It is opened, which writes to it. */
static bool fits(struct model *m, struct port_dev *dev, u64 seed, bool adopt, unsigned int depth, u64 *states)
{
	struct recovery r = { .countdown = depth && seed % 3 == 0 ? 1 + seed / 3 % 12 : 0, .seed = seed / 7 };
	struct host h;
	bool ok;
	int err;

	(*states)++;
	if (!model_check(m, dev, depth ? "after the power cut" : "after a power cut during recovery"))
		return false;
	port_sim_set_hook(dev, recovery_hook, &r);
	host_init(&h, dev);
	err = host_open(&h, 0);
	port_sim_set_hook(dev, NULL, NULL);
	if (err) {
		snprintf(m->why, sizeof(m->why), "opening after the power cut: error %d", err);
		ok = false;
	} else {
		ok = model_verify(m, &h, MODEL_CRASHED, adopt);
		if (ok && adopt)
			ok = model_verify(m, &h, MODEL_LIVE, false);
		if (ok)
			ok = !host_close(&h) && model_check(m, dev, "after recovery");
		else
			host_abandon(&h);
	}
	if (ok && r.crashed)
		ok = fits(m, r.crashed, seed / 11, false, depth - 1, states);
	if (r.crashed)
		port_sim_free(r.crashed);
	return ok;
}

/* One of the two states. The disk is used up. */
static bool fits_either(struct workload *w, struct port_dev *dev, u64 seed)
{
	struct port_dev *second = port_sim_clone(dev);
	char why[MODEL_TEXT];
	bool ok;

	assert(second);
	ok = fits(w->m, dev, seed, false, 2, &w->res->crashes);
	if (!ok) {
		memcpy(why, w->m->why, sizeof(why));
		ok = fits(w->before, second, seed, false, 2, &w->res->crashes);
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
		ok = fits_either(w, w->crashed, w->crash_seed / 5);
		port_sim_free(w->crashed);
		w->crashed = NULL;
	}
	model_copy_free(w->before);
	w->before = NULL;
	return ok;
}

/* ------------------------------------------------------------------ a cut from which the run goes on */

/* The pool's memory goes; half-done writes never end. */
static void abandon(struct workload *w)
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
	snprintf(w->log[w->log_count++ % WORKLOAD_LOG], WORKLOAD_LINE, "%5u  power cut (seed %llu)", w->op, (unsigned long long)seed);
	abandon(w);
	port_sim_free(w->h.dev);
	host_init(&w->h, left);
	ok = fits(w->m, left, seed / 5, true, 2, &w->res->crashes);
	return ok && workload_open(w);
}

void workload_drop(struct workload *w)
{
	abandon(w);
	port_sim_free(w->h.dev);
	model_free(w->m);
}
