// SPDX-License-Identifier: GPL-2.0
/*
 * Space against its model: random allocation, commits, aborts, power cuts, growth; full pools; the region table at all its depths; failing memory and I/O; placement.
 */
#include <pthread.h>

#include "space_priv.h"
#include "spacelab.h"

#define R ((u64)LB_REGION_BLOCKS)

static u64 hint_for(struct slab *l)
{
	struct run *x;

	if (!l->alloc.n || dice_below(&l->d, 2))
		return 0;
	x = &l->alloc.v[dice_below(&l->d, l->alloc.n)];
	return dice_below(&l->d, 20) ? x->start + x->len : dice_below(&l->d, l->room);
}

static void random_alloc(struct slab *l, u64 large)
{
	u64 want = dice_below(&l->d, 4) ? 1 + dice_below(&l->d, 20) : 1 + dice_below(&l->d, large);
	int err = slab_alloc(l, want, hint_for(l), dice_below(&l->d, 2) ? LB_NOWAIT : 0);

	assert_true(!err || err == -EAGAIN || (err == -ENOSPC && !lb_space_free_blocks(l->space)));
}

/* The reserve as the engine would keep it: enough for the table and the metadata of one commit. */
static bool room_for_commit(struct slab *l, u64 meta)
{
	return lb_space_free_blocks(l->space) >= lb_space_table_worst(l->space) + meta;
}

static void random_commit(struct slab *l, unsigned int changes)
{
	unsigned int i, n = (unsigned int)dice_below(&l->d, changes);

	if (!room_for_commit(l, 40))
		n = min_t(unsigned int, n, 3);
	slab_begin(l);
	for (i = 0; i < n; i++) {
		switch (dice_below(&l->d, 8)) {
		case 0: case 1: case 2:
			slab_use(l);
			break;
		case 3: case 4:
			slab_release(l);
			break;
		case 5:
			slab_drop(l);
			break;
		case 6:
			if (room_for_commit(l, 4))
				assert_ok(slab_meta(l, dice_below(&l->d, 2)));
			break;
		default:	/* writers go on meanwhile */
			if (room_for_commit(l, 2000))
				random_alloc(l, 300);
			break;
		}
	}
	slab_check(l);
	if (!dice_below(&l->d, 6)) {
		slab_abort(l);
	} else if (!dice_below(&l->d, 12)) {
		port_sim_add_fault(l->dev, &(struct port_sim_fault){ .op = PORT_SIM_WRITE, .first = 0, .skip = dice_below(&l->d, 3), .times = 1 });
		i = (unsigned int)port_sim_fault_hits(l->dev);
		lb_space_table_worst(l->space);
		if (room_for_commit(l, 0)) {
			struct lb_space_root root;
			int err = lb_space_commit_write(l->space, le64_to_cpu(l->sb->header.gen) + 1, l->batch, &root);

			assert_true(!err || err == -EIO);
		}
		port_sim_clear_faults(l->dev);
		slab_abort(l);
	} else if (!dice_below(&l->d, 12) && room_for_commit(l, 0)) {
		/* the power goes after the writes, before the superblock */
		struct lb_space_root root;

		assert_ok(lb_space_commit_write(l->space, le64_to_cpu(l->sb->header.gen) + 1, l->batch, &root));
		slab_crash(l);
	} else if (room_for_commit(l, 0)) {
		assert_ok(slab_commit(l));
	} else {
		slab_abort(l);
	}
}

static void random_life(u64 total, u64 room, u64 seed, unsigned int rounds, u64 large)
{
	struct slab *l = slab_new(total, room, seed);
	unsigned int i, k;
	u64 live;

	for (i = 0; i < rounds; i++) {
		unsigned int op = (unsigned int)dice_below(&l->d, 100);

		if (op < 60 && room_for_commit(l, 500))
			random_alloc(l, large);
		else if (op < 70)
			slab_unalloc(l);
		else if (op < 85 && l->nlists < LISTS)
			random_commit(l, 60);
		else if (op < 96 && l->nlists)
			slab_reclaim(l, (unsigned int)dice_below(&l->d, l->nlists));
		else if (op == 96)
			slab_crash(l);
		else if (op == 97 && l->total < l->room)
			slab_grow(l, l->total + dice_below(&l->d, min_t(u64, l->room - l->total, R / 2 + 100) + 1));
		else if (op == 98 && l->commits)
			slab_verify(l);
		slab_check(l);
		for (k = 0; k < 3; k++) {
			u64 at = dice_below(&l->d, l->total);
			int in = lb_space_in_image(l->space, at);
			u8 st = l->state[at];

			assert_true(in >= 0);
			if (st == B_IMAGE || st == B_TABLE)
				assert_int_equal(in, 1);
		}
	}
	assert_true(l->commits > rounds / 40);
	slab_verify(l);
	slab_free(l);
	live = port_alloc_live();
	assert_int_equal(live, 0);
}

static void random_one_region(void **state)
{
	u64 seed;

	for (seed = 0; seed < test_rounds(10); seed++)
		random_life(LB_POOL_MIN_BLOCKS, LB_POOL_MIN_BLOCKS, test_seed(seed), 1500, 300);
}

static void random_few_regions(void **state)
{
	u64 seed;

	for (seed = 0; seed < test_rounds(6); seed++)
		random_life(3 * R + 100 + 40 * seed, 3 * R + 5000, test_seed(100 + seed), 1500, 9000);
}

static void random_split_regions(void **state)
{
	u64 seed;

	for (seed = 0; seed < test_rounds(5); seed++)
		random_life(12 * R + 30 * seed, 20 * R, test_seed(200 + seed), 1500, 30000);
}

static void random_growing(void **state)
{
	u64 seed;

	/* from one region over the split, with ends of all sizes */
	for (seed = 0; seed < test_rounds(5); seed++)
		random_life(LB_POOL_MIN_BLOCKS, 30 * R, test_seed(300 + seed), 2500, 5000);
}

static void random_depth_1(void **state)
{
	random_life(300 * R, 700 * R, test_seed(400), 1200, 30000);
}

static void random_depth_2(void **state)
{
	random_life((253ull * 126 + 5) * R, (253ull * 126 + 100) * R, test_seed(500), 800, 30000);
}

/* ------------------------------------------------------------------ the table */

/* Touch one block in each of many far regions, so that every table block is relocated and the table lies all over the place. */
static void table_fixpoint(void **state)
{
	struct slab *l = slab_new(600 * R, 600 * R, 7);
	u64 r, round, at;

	for (round = 0; round < 6; round++) {
		slab_begin(l);
		for (r = round * 7; r < 600; r += 1 + round * 13) {
			at = r * R + 5000 + round;
			assert_ok(lb_space_mark(l->space, at, 1));
			if (l->state[at] == B_FREE) {
				l->state[at] = B_ALLOC;
				l->nonfree++;
				runs_add(&l->alloc, at, 1, false);
				runs_add(&l->c_alloc, at, 1, false);
			}
		}
		while (l->alloc.n)
			slab_use(l);
		while (round & 1 && l->image.n > 300)
			slab_release(l);
		assert_ok(slab_commit(l));
		slab_reclaim(l, 0);
		slab_verify(l);
		slab_crash(l);
	}
	slab_free(l);
}

static void growth_through_all_depths(void **state)
{
	struct slab *l = slab_new(LB_POOL_MIN_BLOCKS, (253ull * 126 + 300) * R, 8);
	u64 sizes[] = { R, R + 63, R + 64, 7 * R, 8 * R + 1, 253 * R, 253 * R + 70, 254 * R, 400 * R, 253ull * 126 * R, (253ull * 126 + 1) * R,
			(253ull * 126 + 299) * R + 9 };
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		slab_grow(l, sizes[i]);
		assert_int_equal(lb_space_grow(l->space, sizes[i] - 1), -EINVAL);
		slab_check(l);		/* nothing to be seen yet */
		slab_begin(l);
		for (k = 0; k < 5; k++)
			assert_ok(slab_meta(l, true));
		slab_abort(l);		/* the wish stands */
		slab_begin(l);
		assert_ok(slab_commit(l));
		assert_int_equal(l->total, sizes[i]);
		slab_reclaim(l, 0);
		slab_verify(l);
		for (k = 0; k < 20; k++)
			assert_ok(slab_alloc(l, 1 + dice_below(&l->d, l->total / 100), dice_below(&l->d, l->total), 0));
		slab_begin(l);
		for (k = 0; k < 10; k++)
			slab_use(l);
		assert_ok(slab_commit(l));
		slab_crash(l);
	}
	assert_int_equal(lb_space_grow(l->space, LB_POOL_MAX_BLOCKS + 1), -EINVAL);
	slab_free(l);
}

static void huge_pool_opens_cheaply(void **state)
{
	struct slab *l = slab_new(1ull << 32, 1ull << 32, 9);	/* 16 TiB */
	struct port_sim_stat st;
	unsigned int i;

	for (i = 0; i < 2000; i++)
		assert_ok(slab_alloc(l, 1 + dice_below(&l->d, 100), dice_below(&l->d, 1ull << 32), 0));
	slab_begin(l);
	while (l->alloc.n)
		slab_use(l);
	assert_ok(slab_commit(l));
	slab_reclaim(l, 0);
	slab_crash(l);
	lb_space_close(l->space);
	port_sim_reset_stat(l->dev);
	assert_ok(lb_space_open(l->dev, l->sb, &l->space));
	port_sim_get_stat(l->dev, &st);
	assert_true(st.reads <= 540);
	slab_free(l);
}

static void bitmaps_are_unloaded(void **state)
{
	struct slab *l = slab_new(3000 * R, 3000 * R, 10);
	u64 r;

	for (r = 0; r < 3000; r++)
		assert_ok(lb_space_mark(l->space, r * R + 20000, 1));
	for (r = 0; r < 3000; r++)
		lb_space_unalloc(l->space, r * R + 20000, 1);
	for (r = 0; r < 3000; r++)
		assert_int_equal(lb_space_in_image(l->space, r * R + 20000), 0);
	for (r = 0; r < 2; r++) {	/* the second time, none has been touched since the first */
		slab_begin(l);
		slab_abort(l);
	}
	assert_true(l->space->loaded <= LB_LOADED_MAX + 4);	/* what is loaded ahead */
	for (r = 0; r < 3000; r++)
		assert_int_equal(lb_space_in_image(l->space, r * R + 20000), 0);
	assert_true(l->space->loaded <= LB_LOADED_MAX + 16);
	slab_check(l);
	slab_free(l);
}

/* ------------------------------------------------------------------ power cuts at every I/O of a commit, that of the superblock included */

struct cuts {
	struct slab *l;
	u64 seed, older, newer;
};

static int cut_hook(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	struct cuts *c = arg;
	unsigned int i;

	if (io->op == PORT_SIM_READ)
		return 0;
	for (i = 0; i < 6; i++) {
		struct port_dev *after = i == 0 ? port_sim_crash_none(dev) : i == 1 ? port_sim_crash_all(dev) :
									     port_sim_crash_random(dev, c->seed++);

		if (slab_verify_cut(c->l, after))
			c->newer++;
		else
			c->older++;
		port_sim_free(after);
	}
	return 0;
}

static void power_cut_at_every_write(u64 total, u64 step, unsigned int commits, u64 seed)
{
	struct slab *l = slab_new(total, total + commits * step, seed);
	struct cuts c = { .l = l, .seed = seed };
	unsigned int i, k;

	for (i = 0; i < commits; i++) {
		if (step)
			slab_grow(l, l->total + step);
		for (k = 0; k < 30; k++)
			slab_alloc(l, 1 + dice_below(&l->d, 200), hint_for(l), 0);
		slab_begin(l);
		for (k = 0; k < 15; k++) {
			slab_use(l);
			if (k % 2)
				slab_release(l);
			if (k % 5 == 0)
				slab_drop(l);
			assert_ok(slab_meta(l, k & 1));
		}
		port_sim_set_hook(l->dev, cut_hook, &c);
		assert_ok(slab_commit(l));
		port_sim_set_hook(l->dev, NULL, NULL);
		while (l->nlists > 1)
			slab_reclaim(l, 0);
		if (i % 4 == 3)
			slab_crash(l);
	}
	assert_true(c.older && c.newer);
	slab_free(l);
}

static void power_cuts(void **state)
{
	power_cut_at_every_write(LB_POOL_MIN_BLOCKS, 0, 12, 31);
	power_cut_at_every_write(R + 70, 500, 8, 32);		/* growing each time */
	power_cut_at_every_write(252 * R, R / 2, 8, 33);	/* ... to another depth */
}

/* ------------------------------------------------------------------ full */

static void full_to_the_last_block(void **state)
{
	u64 totals[] = { LB_POOL_MIN_BLOCKS, 2 * R + 77, 9 * R };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(totals); i++) {
		struct slab *l = slab_new(totals[i], totals[i], 11 + i);
		u64 a, b, got;
		int err;

		while (lb_space_free_blocks(l->space) > lb_space_table_worst(l->space) + 8) {
			u64 left = lb_space_free_blocks(l->space) - lb_space_table_worst(l->space) - 7;

			err = slab_alloc(l, 1 + dice_below(&l->d, min_t(u64, left, 500)), 0, dice_below(&l->d, 2) ? LB_NOWAIT : 0);
			assert_true(!err || err == -EAGAIN);
		}
		/* the last ones are for metadata: all of them can be had */
		slab_begin(l);
		while (l->alloc.n > 1)
			slab_use(l);
		while (lb_space_free_blocks(l->space) > lb_space_table_worst(l->space))
			assert_ok(slab_meta(l, false));
		assert_ok(slab_commit(l));
		while (lb_space_free_blocks(l->space))
			assert_ok(slab_alloc(l, 5, 0, 0));
		assert_int_equal(lb_space_alloc(l->space, 1, 0, 0, &a, &got), -ENOSPC);
		assert_int_equal(lb_space_alloc(l->space, 1, 1000, LB_NOWAIT, &a, &got), -ENOSPC);
		assert_int_equal(lb_space_alloc_meta(l->space, false, &a, &b), -ENOSPC);
		slab_check(l);
		slab_crash(l);
		/* one block left: a pair does not fit, and gives back what it had */
		while (lb_space_free_blocks(l->space) > 1)
			assert_ok(slab_alloc(l, 1, 0, 0));
		assert_int_equal(lb_space_alloc_meta(l->space, true, &a, &b), -ENOSPC);
		assert_int_equal(lb_space_free_blocks(l->space), 1);
		slab_free(l);
	}
}

static void charges(void **state)
{
	struct slab *l = slab_new(LB_POOL_MIN_BLOCKS, LB_POOL_MIN_BLOCKS, 20);
	u64 free = lb_space_free_blocks(l->space);
	struct lb_space_stat st;

	lb_space_set_reserve(l->space, 400);
	assert_int_equal(lb_space_charge(l->space, free - 399, false), -ENOSPC);
	assert_ok(lb_space_charge(l->space, free - 400, false));
	assert_int_equal(lb_space_charge(l->space, 1, false), -ENOSPC);
	assert_ok(lb_space_charge(l->space, 0, false));
	assert_int_equal(lb_space_charge(l->space, 301, true), -ENOSPC);
	assert_ok(lb_space_charge(l->space, 300, true));
	assert_int_equal(lb_space_charge(l->space, ~0ull, true), -ENOSPC);
	lb_space_get_stat(l->space, &st);
	assert_int_equal(st.charged, free - 100);
	lb_space_uncharge(l->space, free - 100);
	assert_ok(lb_space_charge(l->space, 1, false));
	lb_space_uncharge(l->space, 1);
	slab_free(l);
}

/* ------------------------------------------------------------------ wrong calls, damage, failures */

static void wrong_blocks_are_refused(void **state)
{
	struct slab *l = slab_new(2 * R, 2 * R, 21);
	u64 bad[] = { 0, 1, 2, 3, 4, 100, LB_MIRROR_BLOCK_LARGE, R, R + 1, 2 * R, 1ull << 40, ~0ull };
	u64 free = lb_space_free_blocks(l->space);
	unsigned int i;

	slab_begin(l);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(lb_space_mark(l->space, bad[i], 1), -EUCLEAN);
		assert_int_equal(lb_space_use(l->space, bad[i], 1), -EUCLEAN);
		assert_int_equal(lb_space_release(l->space, bad[i], 1), -EUCLEAN);
		assert_int_equal(lb_space_drop(l->space, bad[i], 1), -EUCLEAN);
		lb_space_unalloc(l->space, bad[i], 1);
	}
	assert_int_equal(lb_space_mark(l->space, R - 5, 10), -EUCLEAN);		/* over a bitmap */
	assert_int_equal(lb_space_mark(l->space, LB_MIRROR_BLOCK_LARGE - 1, 2), -EUCLEAN);
	assert_int_equal(lb_space_mark(l->space, 5000, 0), -EUCLEAN);
	assert_int_equal(lb_space_use(l->space, 5000, 1), -EUCLEAN);		/* not handed out */
	assert_int_equal(lb_space_release(l->space, 5000, 1), -EUCLEAN);
	assert_int_equal(lb_space_drop(l->space, 5000, 1), -EUCLEAN);
	lb_space_unalloc(l->space, 5000, 1);
	assert_ok(lb_space_mark(l->space, 5000, 4));
	assert_ok(lb_space_mark(l->space, 5002, 4));
	assert_int_equal(lb_space_free_blocks(l->space), free - 6);
	assert_int_equal(lb_space_use(l->space, 5005, 2), -EUCLEAN);
	lb_space_unalloc(l->space, 5000, 6);
	slab_abort(l);
	slab_verify(l);
	slab_free(l);
}

static void damaged_bitmap(void **state)
{
	struct slab *l = slab_new(3 * R, 3 * R, 22);
	u64 free, at, got, b;
	u8 buf[LB_BLOCK_BYTES];
	unsigned int i, bad = 0;

	for (i = 0; i < 3; i++)
		assert_ok(slab_alloc(l, 100, i * R + 10000, 0));
	slab_begin(l);
	while (l->alloc.n)
		slab_use(l);
	assert_ok(slab_commit(l));
	slab_reclaim(l, 0);
	slab_crash(l);
	port_sim_peek(l->dev, LB_BITMAP_BLOCK(1, 0), buf);
	buf[3000] ^= 1;
	port_sim_poke(l->dev, LB_BITMAP_BLOCK(1, 0), buf);
	assert_ok(lb_space_scrub_region(l->space, 1, &bad));
	assert_int_equal(bad, 1);
	assert_ok(lb_space_scrub_region(l->space, 0, &bad));
	assert_ok(lb_space_scrub_table(l->space, &bad));
	assert_int_equal(bad, 1);
	free = lb_space_free_blocks(l->space);
	slab_begin(l);
	assert_int_equal(lb_space_release(l->space, R + 10000, 1), -EUCLEAN);
	assert_true(lb_space_free_blocks(l->space) < free - 30000);	/* it promises nothing any more */
	assert_int_equal(lb_space_in_image(l->space, R + 10000), -EUCLEAN);
	while (lb_space_free_blocks(l->space)) {
		if (dice_below(&l->d, 100)) {
			assert_ok(lb_space_alloc(l->space, 1000, 0, 0, &at, &got));
		} else {
			assert_ok(lb_space_alloc_meta(l->space, false, &at, &b));
		}
		assert_true(at / R != 1);
	}
	/* the disk comes back: the region, too */
	buf[3000] ^= 1;
	port_sim_poke(l->dev, LB_BITMAP_BLOCK(1, 0), buf);
	assert_ok(lb_space_release(l->space, R + 10000, 1));
	assert_ok(lb_space_alloc(l->space, 1, 0, 0, &at, &got));
	assert_int_equal(at / R, 1);
	lb_space_commit_abort(l->space, false);
	slab_free(l);
}

static void damaged_table(void **state)
{
	struct slab *l = slab_new(300 * R, 300 * R, 23);
	struct lb_space *s = NULL;
	u8 zero[LB_BLOCK_BYTES] = { 0 };
	unsigned int i, bad = 0;
	u64 first, second;

	slab_begin(l);
	for (i = 0; i < 10; i++)
		assert_ok(slab_meta(l, true));
	assert_ok(slab_commit(l));
	first = le64_to_cpu(l->sb->region_root.addr);
	second = le64_to_cpu(l->sb->region_root.addr2);
	port_sim_poke(l->dev, first, zero);
	assert_ok(lb_space_open(l->dev, l->sb, &s));	/* from the second copy */
	assert_int_equal(lb_space_free_blocks(s), lb_space_free_blocks(l->space));
	assert_ok(lb_space_scrub_table(s, &bad));
	assert_int_equal(bad, 1);
	lb_space_close(s);
	port_sim_poke(l->dev, second, zero);
	assert_int_equal(lb_space_open(l->dev, l->sb, &s), -EUCLEAN);
	assert_null(s);
	port_sim_add_fault(l->dev, &(struct port_sim_fault){ .op = PORT_SIM_READ });
	assert_int_equal(lb_space_open(l->dev, l->sb, &s), -EIO);
	l->sb->region_depth = 0;
	assert_int_equal(lb_space_open(l->dev, l->sb, &s), -EUCLEAN);
	slab_free(l);
}

/* Every allocation of a commit fails once: it aborts, nothing is lost, and the next one works. */
static void failing_memory(void **state)
{
	struct slab *l = slab_new(300 * R, 400 * R, 24);
	unsigned int n, i, failures = 0;
	u64 at, got;

	for (i = 0; i < 40; i++)
		assert_ok(slab_alloc(l, 100, dice_below(&l->d, l->total), 0));
	slab_begin(l);
	for (i = 0; i < 30; i++)
		slab_use(l);
	assert_ok(slab_commit(l));
	slab_reclaim(l, 0);
	slab_crash(l);
	slab_grow(l, 350 * R + 100);
	for (n = 1;; n++) {
		struct lb_space_root root;
		int err = 0;
		u64 b;

		lb_space_commit_begin(l->space);
		port_fault_alloc(n, 1);
		for (i = 0; i < l->image.n && !err; i += 2)
			err = lb_space_release(l->space, l->image.v[i].start, l->image.v[i].len);
		for (i = 0; i < 5 && !err; i++) {
			err = lb_space_alloc_meta(l->space, true, &at, &b);
			if (!err)
				err = lb_space_use(l->space, at, 1);
			if (!err)
				err = lb_space_use(l->space, b, 1);
		}
		if (!err)
			err = lb_space_commit_write(l->space, le64_to_cpu(l->sb->header.gen) + 1, l->batch, &root);
		port_fault_alloc(0, 0);
		lb_space_commit_abort(l->space, false);
		slab_check(l);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		failures++;
		if (n % 5 == 0) {	/* start cold again */
			slab_crash(l);
			slab_grow(l, 350 * R + 100);
		}
	}
	assert_true(failures > 20);
	slab_begin(l);
	assert_ok(slab_commit(l));
	assert_int_equal(l->total, 350 * R + 100);
	slab_verify(l);
	/* and opening */
	for (n = 1;; n++) {
		struct lb_space *s = NULL;
		u64 live = port_alloc_live();
		int err;

		port_fault_alloc(n, 1);
		err = lb_space_open(l->dev, l->sb, &s);
		port_fault_alloc(0, 0);
		if (!err) {
			lb_space_close(s);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(port_alloc_live(), live);
	}
	port_fault_nowait(500);
	for (i = 0; i < 300; i++) {
		int err = lb_space_alloc(l->space, 10000, 0, LB_NOWAIT, &at, &got);

		assert_true(!err || err == -EAGAIN);
	}
	port_fault_nowait(0);
	slab_free(l);
}

/* ------------------------------------------------------------------ placement */

static void placement_of_data(void **state)
{
	struct slab *l = slab_new(20 * R, 20 * R, 25);
	u64 a, b, got, i;

	assert_ok(lb_space_alloc(l->space, 1, 0, LB_NOWAIT, &a, &got));	/* virgin regions need no sleep */
	assert_int_equal(a % 16, 0);
	assert_ok(lb_space_alloc(l->space, 1, 0, LB_NOWAIT, &b, &got));
	assert_int_equal(b, a + 16);
	for (i = 1; i < 16; i++) {
		u64 x;

		assert_ok(lb_space_alloc(l->space, 1, a + i, LB_NOWAIT, &x, &got));
		assert_int_equal(x, a + i);
	}
	/* the hint is taken: on to the next cluster */
	assert_ok(lb_space_alloc(l->space, 8, a + 3, LB_NOWAIT, &b, &got));
	assert_int_equal(b, a + 32);
	assert_int_equal(got, 8);
	/* large runs come whole while there are any */
	assert_ok(lb_space_alloc(l->space, 20000, 0, 0, &b, &got));
	assert_true(got > 10000);
	slab_free(l);
}

static void placement_of_metadata(void **state)
{
	struct slab *l = slab_new(20 * R, 20 * R, 26);
	u64 a, b, pa, pb, x, got, i;

	assert_ok(lb_space_alloc(l->space, 100, 0, 0, &x, &got));
	assert_ok(lb_space_alloc_meta(l->space, true, &pa, &pb));
	assert_true(pa / R != pb / R && pa / R != x / R && pb / R != x / R);
	for (i = 0; i < 1000; i++) {
		assert_ok(lb_space_alloc_meta(l->space, true, &a, &b));
		assert_int_equal(a, pa + 1);
		assert_int_equal(b, pb + 1);
		pa = a;
		pb = b;
		assert_ok(lb_space_alloc(l->space, 50, 0, 0, &x, &got));
		assert_true(x / R != a / R && x / R != b / R);
	}
	slab_free(l);
	/* one region: from the end and from the middle, data from the beginning */
	l = slab_new(LB_POOL_MIN_BLOCKS, LB_POOL_MIN_BLOCKS, 27);
	assert_ok(lb_space_alloc_meta(l->space, true, &a, &b));
	assert_ok(lb_space_alloc(l->space, 1, 0, 0, &x, &got));
	assert_true(a > LB_POOL_MIN_BLOCKS - 32);
	assert_true(b < LB_POOL_MIN_BLOCKS / 2 && b > LB_POOL_MIN_BLOCKS / 2 - 32);
	assert_true(x < 1000);
	slab_free(l);
}

static void discards_are_coalesced(void **state)
{
	struct slab *l = slab_new(LB_POOL_MIN_BLOCKS, LB_POOL_MIN_BLOCKS, 28);
	struct port_sim_stat st;
	u64 at, got, i;

	assert_ok(lb_space_alloc(l->space, 1000, 0, 0, &at, &got));
	assert_int_equal(got, 1000);
	lb_space_commit_begin(l->space);
	for (i = 0; i < 1000; i++)	/* in an order that no run list joins by itself */
		assert_ok(lb_space_drop(l->space, at + i * 7 % 1000, 1));
	lb_space_get_stat(l->space, &(struct lb_space_stat){ 0 });
	{
		struct lb_freed *f;
		struct lb_space_root root;

		assert_ok(lb_space_commit_write(l->space, 2, l->batch, &root));
		f = lb_space_commit_done(l->space);
		assert_int_equal(lb_freed_blocks(f), 1000);
		lb_space_reclaim(l->space, f);
	}
	port_sim_get_stat(l->dev, &st);
	assert_int_equal(st.discards, 1);
	assert_int_equal(st.discard_blocks, 1000);
	slab_free(l);
}

/* ------------------------------------------------------------------ threads */

#define THREADS 3u
#define TAKES 20000u

static struct lb_space *shared;
static u8 *owner;

static void *taker(void *arg)
{
	struct dice d = { (u64)(uintptr_t)arg };
	u64 at, got, hint = 0, k;
	unsigned int i;

	for (i = 0; i < TAKES; i++) {
		int err = lb_space_alloc(shared, 1 + dice_below(&d, 30), hint, dice_below(&d, 4) ? LB_NOWAIT : 0, &at, &got);

		if (err == -EAGAIN)
			continue;
		if (err)
			abort();
		for (k = at; k < at + got; k++)
			if (__atomic_exchange_n(&owner[k], 1, __ATOMIC_RELAXED))
				abort();
		hint = at + got;
		if (dice_below(&d, 2))
			continue;
		for (k = at; k < at + got; k++)
			__atomic_store_n(&owner[k], 0, __ATOMIC_RELAXED);
		lb_space_unalloc(shared, at, got);
	}
	return NULL;
}

static void many_writers_and_a_committer(void **state)
{
	struct slab *l = slab_new(300 * R, 300 * R, 29);
	pthread_t t[THREADS];
	unsigned int i, k;

	shared = l->space;
	owner = calloc(1, 300 * R);
	for (i = 0; i < THREADS; i++)
		assert_ok(pthread_create(&t[i], NULL, taker, (void *)(uintptr_t)(i + 1)));
	for (i = 0; i < 100; i++) {
		struct lb_space_root root;
		u64 a, b;

		lb_space_commit_begin(l->space);
		for (k = 0; k < 20; k++) {
			assert_ok(lb_space_alloc_meta(l->space, true, &a, &b));
			assert_ok(lb_space_use(l->space, a, 1));
			assert_ok(lb_space_use(l->space, b, 1));
			if (k & 1) {
				assert_ok(lb_space_release(l->space, a, 1));
				assert_ok(lb_space_release(l->space, b, 1));
			}
			assert_false(owner[a] || owner[b]);
		}
		assert_ok(lb_space_commit_write(l->space, i + 2, l->batch, &root));
		if (i & 1)
			lb_space_reclaim(l->space, lb_space_commit_done(l->space));
		else
			lb_space_commit_abort(l->space, false);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	free(owner);
	slab_free(l);
}

static void index_next(void **state)
{
	u64 sizes[] = { 1, 63, 64, 65, 4096, 4097, 300000 }, i, k, got, want;
	struct dice d = { 3 };
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(sizes); n++) {
		struct lb_index x, y;
		u8 *in = calloc(1, sizes[n]);

		assert_ok(lb_index_init(&x, sizes[n]));
		for (i = 0; i < 2000; i++) {
			k = dice_below(&d, sizes[n]);
			in[k] = dice_below(&d, 3) == 0;
			lb_index_set(&x, k, in[k]);
			k = dice_below(&d, sizes[n] + 2);
			got = lb_index_next(&x, k);
			for (want = k; want < sizes[n] && !in[want]; want++)
				;
			assert_int_equal(got, want < sizes[n] ? want : LB_NONE);
		}
		assert_ok(lb_index_init(&y, sizes[n] * 70));
		lb_index_copy(&y, &x);
		for (k = lb_index_next(&x, 0); k != LB_NONE; k = lb_index_next(&x, k + 1))
			assert_int_equal(lb_index_next(&y, k), k);
		lb_index_free(&x);
		lb_index_free(&y);
		free(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(index_next),
		cmocka_unit_test(random_one_region), cmocka_unit_test(random_few_regions), cmocka_unit_test(random_split_regions),
		cmocka_unit_test(random_growing), cmocka_unit_test(random_depth_1), cmocka_unit_test(random_depth_2),
		cmocka_unit_test(table_fixpoint), cmocka_unit_test(growth_through_all_depths), cmocka_unit_test(huge_pool_opens_cheaply),
		cmocka_unit_test(bitmaps_are_unloaded), cmocka_unit_test(power_cuts), cmocka_unit_test(full_to_the_last_block), cmocka_unit_test(charges),
		cmocka_unit_test(wrong_blocks_are_refused), cmocka_unit_test(damaged_bitmap), cmocka_unit_test(damaged_table),
		cmocka_unit_test(failing_memory), cmocka_unit_test(placement_of_data), cmocka_unit_test(placement_of_metadata),
		cmocka_unit_test(discards_are_coalesced), cmocka_unit_test(many_writers_and_a_committer),
	};

	port_log_set_level(getenv("LB_TEST_LOG") ? -1 : 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
