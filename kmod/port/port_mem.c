// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's port: memory, time, checksums, logging.
 *
 * Nothing here starts I/O to get memory: whoever calls may be writing back dirty pages under reclaim. That is said by a scope
 * (memalloc_noio_save) rather than by flags, because vmalloc's own allocations follow the scope only.
 *
 * The module's one piece of state is the cache of block buffers, made in port_kernel_init().
 */
#include <linux/crc32c.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/random.h>
#include <linux/ratelimit.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "format.h"
#include "port.h"
#include "port_kernel.h"

static struct kmem_cache *port_blocks;

/*
 * A counter for each CPU that goes up by the golden ratio of 2^64, mixed (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014);
 * where it begins nobody can guess. The kernel's own generator is made for secrets, and costs ten times as much.
 */
static DEFINE_PER_CPU(u64, port_random_state);

int port_kernel_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		per_cpu(port_random_state, cpu) = get_random_u64();
	/* Aligned to its size, so that a block is one segment of a bio whatever the page size is. */
	port_blocks = kmem_cache_create("layerblk_block", LB_BLOCK_BYTES, LB_BLOCK_BYTES, SLAB_RECLAIM_ACCOUNT, NULL);
	return port_blocks ? 0 : -ENOMEM;
}

void port_kernel_exit(void)
{
	kmem_cache_destroy(port_blocks);
}

void *port_alloc(size_t bytes, unsigned int how)
{
	unsigned int scope;
	void *p;

	if (how & PORT_NOWAIT)
		return kzalloc(bytes, GFP_NOWAIT | __GFP_NOWARN);
	scope = memalloc_noio_save();
	p = kvzalloc(bytes, GFP_KERNEL);
	memalloc_noio_restore(scope);
	return p;
}

void port_free(void *p)
{
	kvfree(p);
}

void *port_alloc_block(unsigned int how)
{
	return kmem_cache_alloc(port_blocks, how & PORT_NOWAIT ? GFP_NOWAIT | __GFP_NOWARN : GFP_NOIO);
}

void port_wait_memory(void)
{
	msleep(20);
}

void port_free_block(void *block)
{
	if (block)
		kmem_cache_free(port_blocks, block);
}

u32 port_crc32c(u32 seed, const void *data, size_t len)
{
	return crc32c(seed, data, len);
}

u64 port_now_ns(void)
{
	return ktime_get_ns();
}

u64 port_wall_s(void)
{
	return ktime_get_real_seconds();
}

void port_random(void *buf, size_t len)
{
	get_random_bytes(buf, len);
}

u32 port_random_u32(void)
{
	u64 x = this_cpu_add_return(port_random_state, 0x9e3779b97f4a7c15ULL);

	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdULL;
	return (u32)(x >> 32);
}

void port_log(int level, const char *fmt, ...)
{
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 40);
	struct va_format vaf;
	va_list args;

	if (!__ratelimit(&limit))
		return;
	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;
	if (level <= PORT_LOG_ERR)
		pr_err("layerblk: %pV\n", &vaf);
	else if (level <= PORT_LOG_WARN)
		pr_warn("layerblk: %pV\n", &vaf);
	else
		pr_info("layerblk: %pV\n", &vaf);
	va_end(args);
}
