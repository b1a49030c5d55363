// SPDX-License-Identifier: GPL-2.0
/*
 * Where the parts of bios in flight (struct lbk_io) come from.
 *
 * Each CPU keeps a few that have been used, so that an I/O costs neither the allocator's time nor its locks; behind that is the slab, and behind
 * that the pool's reserve, without which no I/O could go on when memory is short. The reserve is filled up before anything is kept. What is kept
 * belongs to no pool.
 *
 * Locks: a CPU's stock is touched with interrupts off, by that CPU alone; at the end, when no pool is left, by lbk_ios_exit().
 */
#include <linux/percpu.h>
#include <linux/slab.h>

#include "bio.h"

#define LBK_MIN_IOS	64
/* None where use after free is looked for: it would not be seen. */
#define LBK_STOCK_MAX	(IS_ENABLED(CONFIG_KASAN) ? 0u : 64u)

struct lbk_stock {
	struct lbk_io *first;		/* by next */
	unsigned int count;
};

static DEFINE_PER_CPU(struct lbk_stock, lbk_stocks);
static struct kmem_cache *lbk_io_cache;

static struct lbk_io *lbk_stock_take(void)
{
	struct lbk_stock *stock;
	unsigned long flags;
	struct lbk_io *io;

	local_irq_save(flags);
	stock = this_cpu_ptr(&lbk_stocks);
	io = stock->first;
	if (io) {
		stock->first = io->next;
		stock->count--;
	}
	local_irq_restore(flags);
	return io;
}

static bool lbk_stock_put(struct lbk_io *io)
{
	struct lbk_stock *stock;
	unsigned long flags;
	bool room;

	local_irq_save(flags);
	stock = this_cpu_ptr(&lbk_stocks);
	room = stock->count < LBK_STOCK_MAX;
	if (room) {
		io->next = stock->first;
		stock->first = io;
		stock->count++;
	}
	local_irq_restore(flags);
	return room;
}

struct lbk_io *lbk_io_alloc(struct lbk_disk *disk, gfp_t gfp)
{
	struct lbk_io *io = lbk_stock_take();

	if (unlikely(!io))
		io = mempool_alloc(&disk->pool->ios, gfp);
	if (likely(io)) {
		io->disk = disk;
		io->write = false;
		io->withheld = 0;
	}
	return io;
}

void lbk_io_free(struct lbk_io *io)
{
	mempool_t *reserve = &io->disk->pool->ios;

	/* As in mempool_free(): whoever waits for the reserve has seen it empty before this io was handed out, or tries again. */
	smp_rmb();
	if (unlikely(READ_ONCE(reserve->curr_nr) < reserve->min_nr) || !lbk_stock_put(io))
		mempool_free(io, reserve);
}

int lbk_ios_reserve(mempool_t *reserve)
{
	return mempool_init_slab_pool(reserve, LBK_MIN_IOS, lbk_io_cache);
}

int lbk_ios_init(void)
{
	lbk_io_cache = KMEM_CACHE(lbk_io, 0);
	return lbk_io_cache ? 0 : -ENOMEM;
}

void lbk_ios_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct lbk_stock *stock = per_cpu_ptr(&lbk_stocks, cpu);

		while (stock->first) {
			struct lbk_io *io = stock->first;

			stock->first = io->next;
			kmem_cache_free(lbk_io_cache, io);
		}
		stock->count = 0;
	}
	kmem_cache_destroy(lbk_io_cache);
}
