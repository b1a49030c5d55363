// SPDX-License-Identifier: GPL-2.0
/*
 * A volume's I/O case by case: holes, parts of blocks, discards, sizes, what a flush and FUA cost, and that nobody is
 * ever shown what another has written.
 */
#include "poollab.h"

#define POOL_BLOCKS	8192ull

static u8 got[LB_BLOCK_BYTES], want[LB_BLOCK_BYTES], zeros[LB_BLOCK_BYTES];

/* ------------------------------------------------------------------ reads and writes */

static void unmapped_blocks_read_as_zeros_without_io(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 1 << 20);
	struct disk *d = pl_open(pl, v);
	struct lb_mapping m;
	int idx;

	(void)state;
	pl_io(pl);
	pl_expect(d, 0, 1000, 0);
	idx = lb_io_enter(d->vol);
	assert_ok(lb_read_map(d->vol, 0, 1 << 20, LB_NOWAIT, &m));
	assert_int_equal(m.pblk, LB_PBLK_HOLE);
	assert_int_equal(m.count, 1 << 20);
	lb_io_leave(d->vol, idx);
	assert_int_equal(pl_io(pl).reads, 0);
	/* Between two mapped blocks, before and after the commit. */
	pl_write(d, 100, 1, 1);
	pl_write(d, 200, 1, 1);
	pl_io(pl);
	pl_expect(d, 101, 99, 0);
	assert_int_equal(pl_io(pl).reads, 0);
	pl_settle(pl);
	pl_expect(d, 101, 99, 0);
	pl_io(pl);
	pl_expect(d, 101, 99, 0);
	pl_expect(d, 0, 100, 0);
	assert_int_equal(pl_io(pl).reads, 0);
	pl_close(d);
	pl_free(pl);
}

/* An aligned first write reads nothing, writes its data once and nothing else; a second one goes to the same place. */
static void an_aligned_write_is_one_write(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 base = pl_create(pl, "base", 1000), v;
	struct port_sim_stat io;
	struct disk *d;

	(void)state;
	pl_fill(pl, base, 0, 64, 1);
	pl_freeze(pl, base);
	v = pl_snapshot(pl, base, "v");
	d = pl_open(pl, v);
	pl_expect(d, 0, 1, 1);		/* the node is in the cache */
	pl_io(pl);
	pl_write(d, 0, 32, 2);		/* shared */
	io = pl_io(pl);
	assert_int_equal(io.reads, 0);
	assert_int_equal(io.writes, 1);
	assert_int_equal(io.write_blocks, 32);
	pl_write(d, 500, 32, 2);	/* unmapped */
	pl_write(d, 0, 32, 3);		/* owned, not yet committed */
	pl_settle(pl);
	pl_io(pl);
	pl_write(d, 0, 32, 4);		/* owned, committed */
	io = pl_io(pl);
	assert_int_equal(io.reads + io.flushes, 0);
	assert_int_equal(io.writes, 1);
	assert_int_equal(pl_pool_stat(pl).memtable_entries, 0);
	pl_expect(d, 0, 32, 4);
	pl_expect(d, 32, 32, 1);
	pl_expect(d, 500, 32, 2);
	pl_close(d);
	pl_free(pl);
}

/* 512 bytes at every place of a block that is unmapped, shared or owned: the rest is what it was. */
static void parts_of_blocks(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 base = pl_create(pl, "base", 100), v, block, i;
	u8 part[SECTOR_BYTES];
	struct disk *d;

	(void)state;
	pl_fill(pl, base, 8, 16, 1);
	pl_freeze(pl, base);
	v = pl_snapshot(pl, base, "v");
	d = pl_open(pl, v);
	pl_write(d, 16, 8, 2);
	/* Blocks 0 to 7 are unmapped, 8 to 15 shared, 16 to 23 owned. */
	for (block = 0; block < 24; block++) {
		u64 at = block % 8;

		assert_ok(disk_read(d, block * SECTORS, SECTORS, want));
		memset(part, 0xc0 + (int)block, sizeof(part));
		memcpy(want + at * SECTOR_BYTES, part, sizeof(part));
		assert_ok(disk_write(d, block * SECTORS + at, 1, part, 0));
		for (i = 0; i < 2; i++) {
			assert_ok(disk_read(d, block * SECTORS, SECTORS, got));
			assert_memory_equal(got, want, LB_BLOCK_BYTES);
			assert_ok(disk_read(d, block * SECTORS + at, 1, got));
			assert_memory_equal(got, part, SECTOR_BYTES);
			assert_ok(lb_pool_commit(pl->pool));
		}
	}
	/* From the middle of one block to the middle of another. */
	{
		u8 *run = malloc(20 * SECTOR_BYTES), *back = malloc(20 * SECTOR_BYTES);

		memset(run, 0x77, 20 * SECTOR_BYTES);
		assert_ok(disk_write(d, 40 * SECTORS + 5, 20, run, 0));
		assert_ok(disk_read(d, 40 * SECTORS + 5, 20, back));
		assert_memory_equal(run, back, 20 * SECTOR_BYTES);
		assert_ok(disk_read(d, 40 * SECTORS, 5, back));
		memset(run, 0, 5 * SECTOR_BYTES);
		assert_memory_equal(run, back, 5 * SECTOR_BYTES);
		free(run);
		free(back);
	}
	pl_close(d);
	pl_expect_vol(pl, base, 0, 8, 0);
	pl_expect_vol(pl, base, 8, 16, 1);
	pl_free(pl);
}

/* ------------------------------------------------------------------ discards */

/* Blocks 100 to 299 of v hold tag 1, as one extent; some way of making holes in it, committed or not in between. */
static void discard_case(bool shared, bool committed, u64 at, u64 count)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 base = pl_create(pl, "base", 1000), v = base, end = at + count;
	struct pl_used before;
	struct disk *d;

	pl_fill(pl, base, 100, 200, 1);
	if (shared) {
		pl_freeze(pl, base);
		v = pl_snapshot(pl, base, "v");
	}
	if (committed)
		pl_settle(pl);
	before = pl_used(pl);
	d = pl_open(pl, v);
	assert_ok(disk_discard(d, at, count));
	if (at > 100)
		pl_expect(d, 100, min_t(u64, at, 300) - 100, 1);
	pl_expect(d, at, count, 0);
	if (end < 300)
		pl_expect(d, max_t(u64, end, 100), 300 - max_t(u64, end, 100), 1);
	pl_close(d);
	if (shared) {
		assert_int_equal(pl_used(pl).data, before.data);
		pl_expect_vol(pl, base, 100, 200, 1);
	} else {
		u64 lo = max_t(u64, at, 100), hi = min_t(u64, end, 300);

		assert_int_equal(pl_used(pl).data, before.data - (hi > lo ? hi - lo : 0));
	}
	pl_reopen(pl);
	pl_expect_vol(pl, v, at, count, 0);
	pl_expect_vol(pl, v, 0, 100, 0);
	if (at > 100)
		pl_expect_vol(pl, v, 100, min_t(u64, at, 300) - 100, 1);
	if (end < 300)
		pl_expect_vol(pl, v, max_t(u64, end, 100), 300 - max_t(u64, end, 100), 1);
	pl_free(pl);
}

static void discards_at_every_edge(void **state)
{
	static const u64 cases[][2] = {
		{ 0, 1000 }, { 100, 200 }, { 100, 1 }, { 299, 1 }, { 200, 1 }, { 50, 100 }, { 250, 100 },
		{ 0, 100 }, { 300, 100 }, { 99, 2 }, { 299, 2 }, { 150, 100 },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases) * 4; i++)
		discard_case(i & 1, i & 2, cases[i / 4][0], cases[i / 4][1]);
}

/* Thousands of scattered blocks, in one go and over many steps; the space is there again, discarded on the device. */
static void discarding_all_of_a_volume(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", LB_LBLK_MAX / 2 + 1), keep = pl_create(pl, "keep", 10), i;
	struct pl_used before;
	struct disk *d;

	(void)state;
	pl_fill(pl, keep, 0, 10, 9);
	before = pl_used(pl);
	d = pl_open(pl, v);
	for (i = 0; i < 2000; i++)
		pl_write(d, i * 1000003, 1, 1);
	pl_settle(pl);
	for (i = 2000; i < 2100; i++)
		pl_write(d, i * 1000003, 1, 1);
	pl_io(pl);
	for (i = 0; i < 2100; i++)
		assert_ok(disk_discard(d, i * 1000003, 1));
	pl_assert_used(pl, before);
	assert_true(pl_io(pl).discard_blocks >= 2000);
	pl_write(d, 0, 1000, 2);
	pl_settle(pl);
	assert_ok(disk_discard(d, 0, 1 << 20));
	pl_expect(d, 0, 1000, 0);
	pl_assert_used(pl, before);
	pl_close(d);
	pl_reopen(pl);
	pl_expect_vol(pl, v, 0, 1000, 0);
	pl_free(pl);
}

/* A discard is durable with the next flush, by one journal write. Without, either may be found after a power cut. */
static void a_flushed_discard_survives_a_power_cut(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 1000);
	struct port_sim_stat io;
	struct disk *d = pl_open(pl, v);

	(void)state;
	pl_write(d, 0, 100, 1);
	pl_settle(pl);
	assert_ok(disk_discard(d, 10, 10));
	pl_io(pl);
	assert_true(lb_flush_needed(d->vol));
	assert_ok(disk_flush(d));
	io = pl_io(pl);
	assert_int_equal(io.writes, 1);
	assert_int_equal(io.fuas, 1);
	free(d);
	pl_crash(pl);
	pl_expect_vol(pl, v, 0, 10, 1);
	pl_expect_vol(pl, v, 10, 10, 0);
	pl_expect_vol(pl, v, 20, 80, 1);
	pl_free(pl);
}

/* ------------------------------------------------------------------ flushes */

static void a_flush_is_one_journal_write_and_no_commit(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 1 << 20), w = pl_create(pl, "w", 1000), i;
	struct disk *d = pl_open(pl, v), *e = pl_open(pl, w);
	struct lb_pool_stat before, after;
	struct port_sim_stat io;

	(void)state;
	pl_settle(pl);
	before = pl_pool_stat(pl);
	for (i = 0; i < 100; i++)
		pl_write(d, i * 1000, 1, 1);
	pl_write(e, 0, 1, 5);
	pl_io(pl);
	assert_ok(disk_flush(d));
	io = pl_io(pl);
	assert_int_equal(io.writes, 1);
	assert_int_equal(io.write_blocks, 2);	/* a hundred entries of 40 bytes and a header */
	assert_int_equal(io.flushes, 1);
	assert_int_equal(io.fuas, 1);
	assert_int_equal(io.reads, 0);
	/* With nothing new to tell, it is passed on. */
	pl_write(d, 0, 1, 2);
	assert_false(lb_flush_needed(d->vol));
	pl_io(pl);
	assert_ok(disk_flush(d));
	io = pl_io(pl);
	assert_int_equal(io.writes, 0);
	assert_int_equal(io.flushes, 1);
	after = pl_pool_stat(pl);
	assert_int_equal(after.commits, before.commits);
	assert_int_equal(after.journal_writes, before.journal_writes + 1);
	/* Another volume's entries are its own affair. */
	assert_true(lb_flush_needed(e->vol));
	free(d);
	free(e);
	pl_crash(pl);
	pl_expect_vol(pl, v, 0, 1, 2);
	for (i = 1; i < 100; i++)
		pl_expect_vol(pl, v, i * 1000, 1, 1);
	pl_expect_vol(pl, w, 0, 1, 0);
	pl_free(pl);
}

static void fua_writes_its_mapping_once(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 1000), commits;
	struct disk *d = pl_open(pl, v);
	struct port_sim_stat io;
	u8 buf[LB_BLOCK_BYTES];

	(void)state;
	pl_settle(pl);
	commits = pl_pool_stat(pl).commits;
	memset(buf, 0x11, sizeof(buf));
	pl_io(pl);
	assert_ok(disk_write(d, 0, SECTORS, buf, DISK_FUA));
	io = pl_io(pl);
	assert_int_equal(io.writes, 2);		/* the data, and the record */
	assert_int_equal(io.flushes, 1);
	memset(buf, 0x22, sizeof(buf));
	assert_ok(disk_write(d, 0, SECTORS, buf, DISK_FUA));
	io = pl_io(pl);
	assert_int_equal(io.writes, 1);		/* in place, its mapping being durable */
	/* Written without FUA first: the mapping is not durable when FUA meets it in place. */
	assert_ok(disk_write(d, 8, SECTORS, buf, 0));
	pl_io(pl);
	assert_ok(disk_write(d, 8, SECTORS, buf, DISK_FUA));
	io = pl_io(pl);
	assert_int_equal(io.writes, 2);
	assert_int_equal(io.fuas, 1);
	assert_int_equal(pl_pool_stat(pl).commits, commits);
	free(d);
	pl_crash(pl);
	d = pl_open(pl, v);
	assert_ok(disk_read(d, 0, SECTORS, buf));
	assert_int_equal(buf[0], 0x22);
	assert_ok(disk_read(d, 8, SECTORS, buf));
	assert_int_equal(buf[0], 0x22);
	pl_close(d);
	pl_free(pl);
}

/* The ring is a third full: a commit is due, and flushes go on meanwhile without waiting for one. */
static void many_flushes_go_round_the_ring(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 1 << 20), i;
	struct disk *d = pl_open(pl, v);

	(void)state;
	for (i = 0; i < 2000; i++) {
		pl_write(d, i * 37, 1, 1);
		assert_ok(disk_flush(d));
		if (i % 3 == 0)
			host_work(&pl->h);
	}
	assert_in_range(pl_pool_stat(pl).commits, 5, 40);
	free(d);
	pl_crash(pl);
	for (i = 0; i < 2000; i++)
		pl_expect_vol(pl, v, i * 37, 1, 1);
	pl_free(pl);
}

/* ------------------------------------------------------------------ sizes */

static int resize(struct poollab *pl, u64 id, u64 blocks, bool shrink)
{
	struct lb_vol_change ch = { .set = LB_SET_SIZE | (shrink ? LB_SET_SHRINK : 0), .size_blocks = blocks };

	return lb_vol_set(pl->pool, id, &ch, NULL);
}

/* What is cut off reads as zeros when it is there again; open or not, committed or not, before and after reopening. */
static void a_tail_that_was_cut_off_comes_back_as_zeros(void **state)
{
	unsigned int how;

	(void)state;
	for (how = 0; how < 8; how++) {
		struct poollab *pl = pl_new(POOL_BLOCKS);
		u64 v = pl_create(pl, "v", 1000), data;
		struct disk *d = pl_open(pl, v);

		pl_write(d, 0, 1000, 1);
		if (how & 1)
			pl_settle(pl);
		if (how & 2) {
			pl_close(d);
			d = NULL;
		}
		assert_int_equal(resize(pl, v, 333, false), -EINVAL);
		assert_ok(resize(pl, v, 333, true));
		if (d)
			assert_int_equal(lb_vol_blocks(d->vol), 333);
		if (how & 4) {
			if (d)
				pl_close(d);
			d = NULL;
			pl_reopen(pl);
		}
		assert_int_equal(pl_stat(pl, v).size_blocks, 333);
		data = pl_used(pl).data;
		assert_int_equal(data, 333);
		assert_ok(resize(pl, v, 2000, false));
		assert_int_equal(pl_stat(pl, v).size_blocks, 2000);
		if (!d)
			d = pl_open(pl, v);
		assert_int_equal(lb_vol_blocks(d->vol), 2000);
		pl_expect(d, 0, 333, 1);
		pl_expect(d, 333, 1667, 0);
		pl_write(d, 1990, 10, 2);
		pl_close(d);
		pl_crash(pl);
		pl_expect_vol(pl, v, 0, 333, 1);
		pl_expect_vol(pl, v, 333, 1000, 0);
		pl_free(pl);
	}
}

static void a_snapshot_keeps_the_tail_that_is_cut_off(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 1000), s, c;

	(void)state;
	pl_fill(pl, v, 0, 1000, 1);
	s = pl_snapshot(pl, v, "s");
	assert_ok(resize(pl, v, 10, true));
	assert_ok(resize(pl, v, 1000, false));
	pl_expect_vol(pl, v, 0, 10, 1);
	pl_expect_vol(pl, v, 10, 990, 0);
	c = pl_snapshot(pl, s, "c");
	assert_ok(resize(pl, c, 500, true));
	assert_ok(resize(pl, c, 501, false));
	pl_expect_vol(pl, c, 0, 500, 1);
	pl_expect_vol(pl, c, 500, 1, 0);
	pl_reopen(pl);
	pl_expect_vol(pl, s, 0, 1000, 1);
	pl_expect_vol(pl, v, 10, 990, 0);
	pl_expect_vol(pl, c, 500, 1, 0);
	pl_free(pl);
}

/* ------------------------------------------------------------------ nobody sees another's data */

static void expect_one_of(struct disk *d, u64 block, const u8 *one, const u8 *other)
{
	assert_ok(disk_read(d, block * SECTORS, SECTORS, got));
	if (memcmp(got, one, sizeof(got)))
		assert_memory_equal(got, other, sizeof(got));
}

/* A small pool that one volume fills and gives up, and another fills in parts of blocks: the rest of each is zeros. */
static void blocks_that_were_anothers_show_nothing_of_it(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", POOL_BLOCKS), w, i;
	u8 part[SECTOR_BYTES];
	unsigned int round;
	struct disk *d;

	(void)state;
	port_sim_set_discard(pl->dev, false);		/* which would hide what was there */
	for (round = 0; round < 3; round++) {
		d = pl_open(pl, v);
		assert_int_equal(pl_try_write(d, 0, POOL_BLOCKS, 0xbad), -ENOSPC);
		if (round == 2)
			assert_ok(disk_discard(d, 0, POOL_BLOCKS));
		pl_close(d);
		if (round == 0)
			pl_remove(pl, v);
		if (round == 1)
			assert_ok(resize(pl, v, 1, true));
		w = pl_create(pl, "w", POOL_BLOCKS);
		d = pl_open(pl, w);
		memset(part, 0x33, sizeof(part));
		memset(want, 0, sizeof(want));
		memcpy(want + 3 * SECTOR_BYTES, part, sizeof(part));
		for (i = 0; i < 4000; i++)
			assert_ok(disk_write(d, i * SECTORS + 3, 1, part, 0));
		for (i = 0; i < 4000; i++) {
			assert_ok(disk_read(d, i * SECTORS, SECTORS, got));
			assert_memory_equal(got, want, LB_BLOCK_BYTES);
		}
		/* Whole blocks, never flushed: after a power cut, nothing or what was written, never the other's. */
		pl_write(d, 4000, 500, 5);
		free(d);
		pl_crash(pl);
		port_sim_set_discard(pl->dev, false);
		d = pl_open(pl, w);
		for (i = 0; i < 4000; i++)
			expect_one_of(d, i, want, zeros);
		for (; i < 4500; i++) {
			test_fill(want, (5ull << 32) + i);
			expect_one_of(d, i, want, zeros);
		}
		pl_close(d);
		pl_remove(pl, w);
		if (round)
			pl_remove(pl, v);
		pl_settle(pl);
		v = pl_create(pl, "v", POOL_BLOCKS);
	}
	pl_free(pl);
}

/* What a discard frees is not written by others before the commit that frees it: a power cut finds the old. */
static void freed_blocks_wait_for_the_commit(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 3000), w = pl_create(pl, "w", 5000), commits;
	struct disk *d = pl_open(pl, v), *e;

	(void)state;
	pl_write(d, 0, 3000, 1);
	pl_settle(pl);
	commits = pl_pool_stat(pl).commits;
	assert_ok(disk_discard(d, 0, 3000));		/* not flushed */
	e = pl_open(pl, w);
	pl_write(e, 0, 2500, 2);
	assert_int_equal(pl_pool_stat(pl).commits, commits);
	free(d);
	free(e);
	pl_crash(pl);
	pl_expect_vol(pl, v, 0, 3000, 1);
	pl_expect_vol(pl, w, 0, 2500, 0);
	pl_free(pl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unmapped_blocks_read_as_zeros_without_io),
		cmocka_unit_test(an_aligned_write_is_one_write),
		cmocka_unit_test(parts_of_blocks),
		cmocka_unit_test(discards_at_every_edge),
		cmocka_unit_test(discarding_all_of_a_volume),
		cmocka_unit_test(a_flushed_discard_survives_a_power_cut),
		cmocka_unit_test(a_flush_is_one_journal_write_and_no_commit),
		cmocka_unit_test(fua_writes_its_mapping_once),
		cmocka_unit_test(many_flushes_go_round_the_ring),
		cmocka_unit_test(a_tail_that_was_cut_off_comes_back_as_zeros),
		cmocka_unit_test(a_snapshot_keeps_the_tail_that_is_cut_off),
		cmocka_unit_test(blocks_that_were_anothers_show_nothing_of_it),
		cmocka_unit_test(freed_blocks_wait_for_the_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
