// SPDX-License-Identifier: GPL-2.0
/* The bench of poollab.h. */
#include "check.h"
#include "poollab.h"

#define HOUR_NS		3600000000000ull
#define RUN_BLOCKS	64u

/* ------------------------------------------------------------------ pools */

static void open_pool(struct poollab *pl)
{
	assert_ok(host_open(&pl->h, 0));
	pl->pool = pl->h.pool;
}

struct poollab *pl_new(u64 blocks)
{
	struct lb_format_opts opts = { .total_blocks = blocks };
	struct poollab *pl = calloc(1, sizeof(*pl));
	u8 uuid[16];

	assert_non_null(pl);
	port_clock_fake(HOUR_NS, 1700000000);
	port_random_seed(1);
	pl->allocations = port_alloc_live();
	pl->dev = port_sim_new(blocks);
	assert_ok(lb_pool_format(pl->dev, &opts, uuid));
	host_init(&pl->h, pl->dev);
	open_pool(pl);
	return pl;
}

void pl_free(struct poollab *pl)
{
	assert_ok(host_close(&pl->h));
	pl_check(pl);
	port_sim_free(pl->dev);
	assert_int_equal(port_alloc_live(), pl->allocations);
	free(pl);
	port_random_seed(0);
	port_clock_real();
}

void pl_reopen(struct poollab *pl)
{
	assert_ok(host_close(&pl->h));
	pl_check(pl);
	open_pool(pl);
}

void pl_crash(struct poollab *pl)
{
	struct port_dev *left = port_sim_crash_none(pl->dev);

	host_abandon(&pl->h);
	port_sim_free(pl->dev);
	pl->dev = left;
	pl->h.dev = left;
	pl_check(pl);
	open_pool(pl);
}

static void take_finding(void *arg, const struct lbck_finding *f)
{
	(void)arg;
	if (f->severity != LBCK_NOTE)
		print_error("LB-%04u %s: %s\n", f->id, f->what, f->text);
}

void pl_check(struct poollab *pl)
{
	struct lbck_opts opts = { .limit = 10 };
	struct lbck_summary sum;

	assert_ok(lbck_check(pl->dev, &opts, take_finding, NULL, &sum));
	assert_int_equal(sum.remaining, 0);
}

void pl_settle(struct poollab *pl)
{
	unsigned int rounds = 0;

	do {
		port_clock_advance(HOUR_NS);
		lb_work_commit(pl->pool);
		lb_work_reclaim(pl->pool);
		assert_true(++rounds < 1000);
	} while (lb_work_due_ms(pl->pool) != ~0ull);
	lb_work_reclaim(pl->pool);
}

struct pl_used pl_used(struct poollab *pl)
{
	struct lb_pool_stat st;

	pl_settle(pl);
	st = pl_pool_stat(pl);
	assert_int_equal(st.pending_blocks, 0);
	assert_int_equal(st.data_blocks + st.meta_blocks + st.free_blocks + st.reserved_blocks, st.total_blocks);
	return (struct pl_used){ .data = st.data_blocks, .meta = st.meta_blocks };
}

/* ------------------------------------------------------------------ requests */

u64 pl_create(struct poollab *pl, const char *name, u64 blocks)
{
	u64 id = 0;

	assert_ok(lb_vol_create(pl->pool, name_of(name), blocks, 0, NULL, &id));
	assert_true(id);
	return id;
}

u64 pl_snapshot(struct poollab *pl, u64 source, const char *name)
{
	u64 id = 0;

	assert_ok(lb_vol_snapshot(pl->pool, source, name_of(name), false, 0, NULL, &id));
	assert_true(id);
	return id;
}

void pl_freeze(struct poollab *pl, u64 id)
{
	assert_ok(lb_vol_freeze(pl->pool, id, name_of(""), NULL));
}

void pl_remove(struct poollab *pl, u64 id)
{
	assert_ok(lb_vol_remove(pl->pool, id, false, NULL));
}

struct lb_vol_stat pl_stat(struct poollab *pl, u64 id)
{
	struct lb_vol_stat st;

	assert_ok(lb_vol_stat(pl->pool, id, false, &st));
	return st;
}

struct lb_pool_stat pl_pool_stat(struct poollab *pl)
{
	struct lb_pool_stat st;

	lb_pool_stat(pl->pool, &st);
	return st;
}

struct disk *pl_open(struct poollab *pl, u64 id)
{
	struct disk *d = malloc(sizeof(*d));

	assert_non_null(d);
	assert_ok(disk_open(&pl->h, id, d));
	return d;
}

void pl_close(struct disk *d)
{
	disk_close(d);
	free(d);
}

/* ------------------------------------------------------------------ content */

static void fill_block(u8 *buf, u64 block, u64 tag)
{
	if (tag)
		test_fill(buf, (tag << 32) + block);
	else
		memset(buf, 0, LB_BLOCK_BYTES);
}

int pl_try_write(struct disk *d, u64 block, u64 count, u64 tag)
{
	u8 *buf = malloc(RUN_BLOCKS * LB_BLOCK_BYTES);
	int err = 0;
	u64 n, i;

	assert_non_null(buf);
	for (; count && !err; block += n, count -= n) {
		n = min_t(u64, count, RUN_BLOCKS);
		for (i = 0; i < n; i++)
			fill_block(buf + i * LB_BLOCK_BYTES, block + i, tag);
		err = disk_write(d, block * SECTORS, (u32)(n * SECTORS), buf, 0);
	}
	free(buf);
	return err;
}

void pl_write(struct disk *d, u64 block, u64 count, u64 tag)
{
	assert_ok(pl_try_write(d, block, count, tag));
}

void pl_expect_at(struct disk *d, u64 block, u64 count, u64 tag, const char *file, int line)
{
	u8 *buf = malloc(RUN_BLOCKS * LB_BLOCK_BYTES), want[LB_BLOCK_BYTES];
	u64 n, i;

	assert_non_null(buf);
	for (; count; block += n, count -= n) {
		n = min_t(u64, count, RUN_BLOCKS);
		if (disk_read(d, block * SECTORS, (u32)(n * SECTORS), buf))
			_fail(file, line);
		for (i = 0; i < n; i++) {
			fill_block(want, block + i, tag);
			if (!memcmp(buf + i * LB_BLOCK_BYTES, want, LB_BLOCK_BYTES))
				continue;
			print_error("volume %llu, block %llu does not hold what tag %llu put there\n",
				    (unsigned long long)d->id, (unsigned long long)(block + i),
				    (unsigned long long)tag);
			_fail(file, line);
		}
	}
	free(buf);
}

void pl_fill(struct poollab *pl, u64 id, u64 block, u64 count, u64 tag)
{
	struct disk *d = pl_open(pl, id);

	pl_write(d, block, count, tag);
	pl_close(d);
}

void pl_expect_vol_at(struct poollab *pl, u64 id, u64 block, u64 count, u64 tag, const char *file, int line)
{
	struct disk *d = pl_open(pl, id);

	pl_expect_at(d, block, count, tag, file, line);
	pl_close(d);
}

struct port_sim_stat pl_io(struct poollab *pl)
{
	struct port_sim_stat st;

	port_sim_get_stat(pl->dev, &st);
	port_sim_reset_stat(pl->dev);
	return st;
}
