// SPDX-License-Identifier: GPL-2.0
/*
 * The crash states of one operation. States are made while it runs, in the disk's hook, and looked at when it is over: only then is it known
 * what the model says after it. They share all blocks, so that hundreds cost little.
 */
#include <assert.h>
#include <stdlib.h>

#include "enumerate.h"
#include "workload_priv.h"

#define SINGLES	12u	/* at most so many states with one write less, or one alone */

struct collector {
	const struct enumerate_opts *opts;
	struct port_dev **states;
	size_t count, room;
	u64 chance;
	/* what is chosen of the pending writes, by index */
	u8 *sectors;
	u64 pending;
};

/* ------------------------------------------------------------------ choosing */

static u8 pick(void *arg, const struct port_sim_write *w)
{
	struct collector *c = arg;

	return c->sectors[w->index];
}

/* The state in which the disk holds what c->sectors says. */
static void take(struct collector *c, struct port_dev *dev)
{
	if (c->count == c->room) {
		c->room = c->room ? c->room * 2 : 64;
		c->states = realloc(c->states, c->room * sizeof(*c->states));
		assert(c->states);
	}
	c->states[c->count++] = port_sim_crash(dev, pick, c);
}

static void choose(struct collector *c, u64 from, u64 to, u8 sectors)
{
	memset(c->sectors + from, sectors, to - from);
}

static void choose_random(struct collector *c, u64 from, u64 to)
{
	u64 percent = workload_chance(&c->chance, 5) * 25, i;

	for (i = from; i < to; i++)
		c->sectors[i] = workload_chance(&c->chance, 100) < percent ? 0xff : 0;
}

/* All subsets; with `newest` > 0, those with at least one of the newest. */
static void take_all(struct collector *c, struct port_dev *dev, u64 newest)
{
	u64 mask, i;

	for (mask = 0; mask < 1ull << c->pending; mask++) {
		if (newest && !(mask >> (c->pending - newest)))
			continue;
		for (i = 0; i < c->pending; i++)
			c->sectors[i] = mask >> i & 1 ? 0xff : 0;
		take(c, dev);
	}
}

/* One of [from, to) differs from all the rest: at up to SINGLES places. */
static void take_singles(struct collector *c, struct port_dev *dev, u64 from, u64 to, u8 one, u8 rest)
{
	u64 n = to - from, i, at;

	for (i = 0; i < n && i < SINGLES; i++) {
		at = from + (n <= SINGLES ? i : workload_chance(&c->chance, n));
		choose(c, 0, c->pending, rest);
		c->sectors[at] = one;
		take(c, dev);
	}
}

static void take_some(struct collector *c, struct port_dev *dev, u64 newest)
{
	u64 old = c->pending - newest;
	unsigned int i;

	choose(c, 0, c->pending, 0xff);
	take(c, dev);
	choose(c, 0, old, 0);
	take(c, dev);
	take_singles(c, dev, 0, c->pending, 0, 0xff);
	if (!newest || newest > 1)
		take_singles(c, dev, newest ? old : 0, c->pending, 0xff, 0);
	for (i = 0; i < c->opts->samples; i++) {
		choose_random(c, 0, c->pending);
		if (newest)
			c->sectors[old + workload_chance(&c->chance, newest)] = 0xff;
		take(c, dev);
	}
}

/* A block of the newest is torn: cut off after some sectors, or any of them. */
static void take_torn(struct collector *c, struct port_dev *dev, u64 newest)
{
	u64 at = c->pending - newest + workload_chance(&c->chance, newest);
	u8 sectors = workload_chance(&c->chance, 2) ? (u8)((1u << (1 + workload_chance(&c->chance, 7))) - 1) : (u8)(1 + workload_chance(&c->chance, 254));

	if (workload_chance(&c->chance, 3))
		choose(c, 0, c->pending, workload_chance(&c->chance, 2) ? 0xff : 0);
	else
		choose_random(c, 0, c->pending);
	c->sectors[at] = sectors;
	take(c, dev);
}

static void take_states(struct collector *c, struct port_dev *dev, u64 newest)
{
	unsigned int i;

	c->pending = port_sim_pending(dev, NULL, 0);
	c->sectors = realloc(c->sectors, c->pending + 1);
	assert(c->sectors);
	if (c->pending <= c->opts->all_up_to)
		take_all(c, dev, newest);
	else
		take_some(c, dev, newest);
	for (i = 0; i < c->opts->torn && newest; i++)
		take_torn(c, dev, newest);
}

/* Of how many blocks the newest write is. */
static u64 newest_of(struct port_dev *dev, u64 serial)
{
	u64 n = port_sim_pending(dev, NULL, 0), newest = 0;
	struct port_sim_write *list = malloc((n + 1) * sizeof(*list));

	assert(list);
	port_sim_pending(dev, list, n);
	while (newest < n && list[n - 1 - newest].serial == serial)
		newest++;
	free(list);
	return newest;
}

static int hook(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	u64 newest;

	/* A flush that has not happened leaves nothing that was not there before it. */
	if (io->op != PORT_SIM_WRITE && io->op != PORT_SIM_DISCARD)
		return 0;
	newest = newest_of(dev, io->serial);
	if (newest)
		take_states(arg, dev, newest);
	return 0;
}

/* ------------------------------------------------------------------ looking at them */

static bool judge(struct workload *w, struct collector *c)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < c->count; i++) {
		if (ok)
			ok = workload_fits(w, c->states[i], workload_chance(&c->chance, ~0ULL));
		port_sim_free(c->states[i]);
	}
	c->count = 0;
	return ok;
}

bool enumerate_op(struct workload *w, const struct script_op *op, const struct enumerate_opts *opts)
{
	struct collector c = { .opts = opts, .chance = opts->seed };
	bool ok;

	w->before = model_copy(w->m);
	port_sim_set_hook(w->h.dev, hook, &c);
	ok = workload_op(w, op);
	if (w->h.dev)
		port_sim_set_hook(w->h.dev, NULL, NULL);
	if (ok) {
		ok = judge(w, &c);
	} else {
		while (c.count)
			port_sim_free(c.states[--c.count]);
	}
	model_copy_free(w->before);
	w->before = NULL;
	/* Acknowledged: from here on, nothing but the state after it will do. */
	if (ok) {
		take_states(&c, w->h.dev, 0);
		ok = judge(w, &c);
	}
	free(c.states);
	free(c.sectors);
	return ok;
}
