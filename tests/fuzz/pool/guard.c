// SPDX-License-Identifier: GPL-2.0
/* See guard.h. Not for several threads. */
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"

static struct guard *guard_of(struct port_dev *dev)
{
	return lb_container_of(dev, struct guard, dev);
}

static void die(const char *what, u64 block, u64 count)
{
	fprintf(stderr, "guard: %s: block %llu, count %llu\n", what, (unsigned long long)block, (unsigned long long)count);
	abort();
}

static void spend(struct guard *g)
{
	if (!g->left--)
		die("more I/O than any bounded work needs", 0, 0);
}

static void check_change(struct guard *g, const char *what, u64 block, u64 count)
{
	u64 blocks = g->sim->ops->blocks(g->sim);

	spend(g);
	g->changes++;
	if (g->read_only)
		die("a write to a device opened for reading", block, count);
	if (block >= blocks || count > blocks - block)
		die(what, block, count);
}

static u64 guard_blocks(struct port_dev *dev)
{
	struct guard *g = guard_of(dev);

	return g->sim->ops->blocks(g->sim);
}

static int guard_read(struct port_dev *dev, u64 block, void *buf)
{
	struct guard *g = guard_of(dev);

	spend(g);
	return g->sim->ops->read(g->sim, block, buf);
}

static int guard_write(struct port_dev *dev, u64 block, void *const *bufs, unsigned int count, unsigned int flags)
{
	struct guard *g = guard_of(dev);

	check_change(g, "a write outside of the device", block, count);
	return g->sim->ops->write(g->sim, block, bufs, count, flags);
}

static int guard_flush(struct port_dev *dev)
{
	struct guard *g = guard_of(dev);

	spend(g);
	return g->sim->ops->flush(g->sim);
}

static int guard_discard(struct port_dev *dev, u64 block, u64 count)
{
	struct guard *g = guard_of(dev);

	check_change(g, "a discard outside of the device", block, count);
	return g->sim->ops->discard(g->sim, block, count);
}

static const struct port_dev_ops guard_ops = {
	.blocks = guard_blocks, .read = guard_read, .write = guard_write, .flush = guard_flush, .discard = guard_discard,
};

void guard_init(struct guard *g, struct port_dev *sim)
{
	*g = (struct guard){
		.dev = { .ops = &guard_ops, .check_batches = true }, .sim = sim, .left = GUARD_IO_LIMIT,
	};
}
