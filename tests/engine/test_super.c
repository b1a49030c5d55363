// SPDX-License-Identifier: GPL-2.0
/* Superblocks: what is chosen after every combination of damage, after every power cut, and what is refused. */
#include "geometry.h"
#include "super.h"
#include "support.h"

#define BLOCKS (40000ull)

static const u64 places[4] = { 0, 1, LB_MIRROR_BLOCK_LARGE, LB_MIRROR_BLOCK_LARGE + 1 };

/* A pool whose newest generation is gen. created carries it too, so that content is told apart. */
static struct port_dev *make(u64 blocks, u64 gen)
{
	struct port_dev *dev = port_sim_new(blocks);
	struct lb_super *sb = test_super(blocks);
	u64 g;

	for (g = 1; g <= gen; g++) {
		sb->created = cpu_to_le64(g);
		assert_ok(lb_super_write(dev, sb, g));
	}
	free(sb);
	return dev;
}

static int read_gen(struct port_dev *dev, bool fallback, u64 *gen, struct lb_super_state *st)
{
	struct lb_super *sb = port_alloc_block(PORT_WAIT);
	int err = lb_super_read(dev, fallback, sb, st);

	*gen = err ? 0 : le64_to_cpu(sb->header.gen);
	if (!err && *gen)
		assert_int_equal(le64_to_cpu(sb->created), *gen);
	port_free_block(sb);
	return err;
}

static void damage(struct port_dev *dev, u64 block, unsigned int how)
{
	u8 buf[LB_BLOCK_BYTES];

	port_sim_peek(dev, block, buf);
	if (how == 0)
		memset(buf, 0, sizeof(buf));
	else if (how == 1)
		memset(buf, 0xa5, sizeof(buf));
	else
		buf[100 + how] ^= 4;
	port_sim_poke(dev, block, buf);
}

static void every_combination_of_damage(void **state)
{
	struct lb_super_state st;
	unsigned int mask, how, i;
	u64 gen, newest;
	int err;

	(void)state;
	for (newest = 1; newest <= 4; newest++) {
		for (mask = 0; mask < 16; mask++) {
			for (how = 0; how < 3; how++) {
				struct port_dev *dev = make(BLOCKS, newest);
				unsigned int slot = newest & 1;
				bool lost_new, lost_old;

				for (i = 0; i < 4; i++)
					if (mask & (1u << i))
						damage(dev, places[i], how);
				lost_new = (mask & (5u << slot)) == 5u << slot;
				lost_old = (mask & (5u << !slot)) == 5u << !slot;
				err = read_gen(dev, false, &gen, &st);
				if (lost_new && lost_old) {
					/* the primaries tell whether it was ever ours */
					assert_int_equal(err, how == 2 ? -EUCLEAN : -EMEDIUMTYPE);
				} else if (lost_new || lost_old) {
					assert_int_equal(err, -ESTALE);
					assert_ok(read_gen(dev, true, &gen, &st));
					assert_int_equal(gen, lost_new ? newest - 1 : newest);
					assert_true(st.fallback);
				} else {
					assert_ok(err);
					assert_int_equal(gen, newest);
					assert_false(st.fallback);
					assert_int_equal(st.bad_copies, !!(mask & (5u << slot)));
				}
				port_sim_free(dev);
			}
		}
	}
}

static void unreadable_copies(void **state)
{
	struct port_dev *dev = make(BLOCKS, 3);
	struct lb_super_state st;
	unsigned int i;
	u64 gen;

	(void)state;
	for (i = 0; i < 4; i++) {
		port_sim_clear_faults(dev);
		port_sim_add_fault(dev, &(struct port_sim_fault){ .op = PORT_SIM_READ, .first = places[i], .last = places[i] + !places[i] });
		if (i == 0)
			continue;	/* last 0 means "all": two primaries then, below */
		assert_ok(read_gen(dev, false, &gen, &st));
		assert_int_equal(gen, 3);
	}
	port_sim_clear_faults(dev);
	port_sim_add_fault(dev, &(struct port_sim_fault){ .op = PORT_SIM_READ, .first = 0, .last = 1 });
	assert_ok(read_gen(dev, false, &gen, &st));
	assert_int_equal(gen, 3);
	port_sim_clear_faults(dev);
	port_sim_add_fault(dev, &(struct port_sim_fault){ .op = PORT_SIM_READ });
	assert_int_equal(read_gen(dev, true, &gen, &st), -EIO);
	port_sim_free(dev);
}

/* ------------------------------------------------------------------ power cuts */

struct cut {
	u64 writing;		/* generation being written; the one before is durable */
	unsigned int tried, saw_old, saw_new;
};

static int cut_hook(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	struct cut *c = arg;
	struct lb_super_state st;
	u64 seed, gen;

	(void)io;
	for (seed = 0; seed < 40; seed++) {
		struct port_dev *after = seed == 0 ? port_sim_crash_none(dev) : seed == 1 ? port_sim_crash_all(dev) :
										port_sim_crash_random(dev, seed);

		assert_ok(read_gen(after, false, &gen, &st));
		assert_true(gen == c->writing || gen + 1 == c->writing);
		c->tried++;
		c->saw_new += gen == c->writing;
		c->saw_old += gen != c->writing;
		/* and the pool goes on from there: another write, another cut */
		if (seed < 4) {
			struct lb_super *sb = test_super(BLOCKS);

			sb->created = cpu_to_le64(gen + 1);
			assert_ok(lb_super_write(after, sb, gen + 1));
			free(sb);
			assert_ok(read_gen(after, false, &gen, &st));
			assert_int_equal(st.bad_copies, 0);
		}
		port_sim_free(after);
	}
	return 0;
}

static void power_cuts_while_writing(void **state)
{
	struct lb_super *sb = test_super(BLOCKS);
	struct port_dev *dev = make(BLOCKS, 1);
	struct cut c = { 0 };
	u64 g;

	(void)state;
	for (g = 2; g < 8; g++) {
		c.writing = g;
		port_sim_set_hook(dev, cut_hook, &c);
		sb->created = cpu_to_le64(g);
		assert_ok(lb_super_write(dev, sb, g));
		port_sim_set_hook(dev, NULL, NULL);
	}
	assert_true(c.tried > 500 && c.saw_old && c.saw_new);
	free(sb);
	port_sim_free(dev);
}

static int heal_hook(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	struct lb_super_state st;
	u64 seed, gen;

	for (seed = 0; io->op == PORT_SIM_WRITE && seed < 20; seed++) {
		struct port_dev *after = port_sim_crash_random(dev, seed);

		assert_ok(read_gen(after, false, &gen, &st));
		assert_int_equal(gen, *(u64 *)arg);
		port_sim_free(after);
	}
	return 0;
}

static void bad_copies_are_healed(void **state)
{
	struct lb_super *sb = port_alloc_block(PORT_WAIT);
	struct lb_super_state st;
	struct port_sim_stat stat;
	unsigned int i;
	u64 gen;

	for (gen = 4; gen < 6; gen++) {
		for (i = gen & 1; i < 4; i += 2) {
			struct port_dev *dev = make(BLOCKS, gen);

			damage(dev, places[i], 2);
			assert_ok(lb_super_read(dev, false, sb, &st));
			assert_int_equal(st.bad_copies, 1);
			port_sim_set_hook(dev, heal_hook, &gen);
			assert_ok(lb_super_heal(dev, sb));
			port_sim_set_hook(dev, NULL, NULL);
			assert_ok(lb_super_read(dev, false, sb, &st));
			assert_int_equal(st.bad_copies, 0);
			port_sim_reset_stat(dev);
			assert_ok(lb_super_heal(dev, sb));
			port_sim_get_stat(dev, &stat);
			assert_int_equal(stat.writes, 0);
			port_sim_free(dev);
		}
	}
	port_free_block(sb);
}

static void order_of_writes(void **state)
{
	struct lb_super *sb = test_super(BLOCKS);
	struct port_dev *dev = make(BLOCKS, 1);
	struct port_sim_stat st;
	void *buf = port_alloc_block(PORT_WAIT);

	(void)state;
	test_fill(buf, 1);
	assert_ok(port_write(dev, 100, &buf, 1, 0));
	port_sim_reset_stat(dev);
	assert_ok(lb_super_write(dev, sb, 2));
	port_sim_get_stat(dev, &st);
	assert_int_equal(st.writes, 2);
	assert_int_equal(st.fuas, 2);
	assert_int_equal(st.flushes, 1);
	assert_true(port_sim_is_durable(dev, 100));
	/* an error of either write is told */
	port_sim_add_fault(dev, &(struct port_sim_fault){ .op = PORT_SIM_WRITE, .first = LB_MIRROR_BLOCK_LARGE + 1 });
	assert_int_equal(lb_super_write(dev, sb, 3), -EIO);
	port_free_block(buf);
	free(sb);
	port_sim_free(dev);
}

static void format_over_an_older_pool(void **state)
{
	struct port_dev *dev = make(BLOCKS, 9);
	struct lb_super *sb = test_super(10000);
	struct lb_super_state st;
	u64 gen;

	(void)state;
	/* a new, smaller pool with its mirrors elsewhere: nothing of the old one is believed */
	memset(sb->uuid, 0x77, sizeof(sb->uuid));
	sb->created = cpu_to_le64(1);
	assert_ok(lb_super_write(dev, sb, 1));
	assert_ok(read_gen(dev, false, &gen, &st));
	assert_int_equal(gen, 1);
	damage(dev, 0, 0);
	damage(dev, 1, 0);
	assert_ok(read_gen(dev, false, &gen, &st));
	assert_int_equal(gen, 1);
	assert_ok(lb_super_wipe(dev));
	assert_int_equal(read_gen(dev, true, &gen, &st), -EMEDIUMTYPE);
	free(sb);
	port_sim_free(dev);
}

/* A guest that writes a superblock into its volume must not be believed. */
static void forged_mirror(void **state)
{
	struct port_dev *dev = make(BLOCKS, 4), *other = make(20000, 50);
	struct lb_super_state st;
	u8 buf[LB_BLOCK_BYTES];
	u64 gen;

	(void)state;
	port_sim_peek(other, LB_MIRROR_BLOCK_SMALL, buf);
	((struct lb_super *)buf)->uuid[0] ^= 1;
	lb_block_seal(buf, LB_MAGIC_SUPER, LB_MIRROR_BLOCK_SMALL, 50, 0);
	port_sim_poke(dev, LB_MIRROR_BLOCK_SMALL, buf);
	assert_ok(read_gen(dev, false, &gen, &st));
	assert_int_equal(gen, 4);
	damage(dev, 0, 1);
	damage(dev, 1, 1);
	assert_int_equal(read_gen(dev, true, &gen, &st), -EUCLEAN);	/* two answers are none */
	port_sim_free(other);
	port_sim_free(dev);
}

/* ------------------------------------------------------------------ what is refused */

struct refusal {
	const char *what;
	void (*edit)(struct lb_super *sb);
	int want;
};

static void ed_version(struct lb_super *sb) { sb->version = cpu_to_le32(2); }
static void ed_incompat(struct lb_super *sb) { sb->incompat = cpu_to_le64(1ull << 40); }
static void ed_ro_compat(struct lb_super *sb) { sb->ro_compat = cpu_to_le64(1); }
static void ed_compat(struct lb_super *sb) { sb->compat = cpu_to_le64(1); }
static void ed_block_size(struct lb_super *sb) { sb->block_size = cpu_to_le32(8192); }
static void ed_tiny(struct lb_super *sb) { sb->total_blocks = cpu_to_le64(100); }
static void ed_huge(struct lb_super *sb) { sb->total_blocks = cpu_to_le64(1ull << 40); }
static void ed_larger(struct lb_super *sb) { sb->total_blocks = cpu_to_le64(BLOCKS + 1); }
static void ed_journal_zero(struct lb_super *sb) { sb->journal_block = 0; }
static void ed_journal_far(struct lb_super *sb) { sb->journal_block = cpu_to_le64(~0ull - 5); }
static void ed_journal_long(struct lb_super *sb) { sb->journal_blocks = cpu_to_le64(1 << 20); }
static void ed_journal_mirror(struct lb_super *sb) { sb->journal_block = cpu_to_le64(LB_MIRROR_BLOCK_LARGE - 5); }
static void ed_journal_pos(struct lb_super *sb) { sb->journal_pos = cpu_to_le64(LB_JOURNAL_MIN_BLOCKS); }
static void ed_depth(struct lb_super *sb)
{
	sb->region_root.addr = cpu_to_le64(600);
	sb->region_root.addr2 = cpu_to_le64(601);
	sb->region_depth = cpu_to_le32(1);
}
static void ed_depth_no_root(struct lb_super *sb) { sb->region_depth = cpu_to_le32(1); }
static void ed_root(struct lb_super *sb) { sb->catalog_root.addr = cpu_to_le64(BLOCKS); }
static void ed_root_gen(struct lb_super *sb)
{
	sb->region_root.addr = cpu_to_le64(600);
	sb->region_root.addr2 = cpu_to_le64(601);
	sb->region_root.gen = cpu_to_le64(3);
}
static void ed_same_copies(struct lb_super *sb)
{
	sb->region_root.addr = cpu_to_le64(600);
	sb->region_root.addr2 = cpu_to_le64(600);
}
static void ed_counts(struct lb_super *sb) { sb->data_blocks = cpu_to_le64(BLOCKS + 1); }

static void reseal(struct port_dev *dev, void (*edit)(struct lb_super *sb), bool seal)
{
	struct lb_super *sb = port_alloc_block(PORT_WAIT);
	unsigned int i;

	for (i = 0; i < 4; i++) {
		port_sim_peek(dev, places[i], sb);
		edit(sb);
		if (seal)
			lb_block_seal(sb, LB_MAGIC_SUPER, places[i], le64_to_cpu(sb->header.gen), 0);
		port_sim_poke(dev, places[i], sb);
	}
	port_free_block(sb);
}

static void fields_are_validated(void **state)
{
	static const struct refusal list[] = {
		{ "version", ed_version, -EOPNOTSUPP }, { "incompat", ed_incompat, -EOPNOTSUPP }, { "ro_compat", ed_ro_compat, 0 },
		{ "compat", ed_compat, 0 }, { "block size", ed_block_size, -EUCLEAN }, { "tiny", ed_tiny, -EUCLEAN },
		{ "huge", ed_huge, -EUCLEAN }, { "larger", ed_larger, -EFBIG }, { "journal 0", ed_journal_zero, -EUCLEAN },
		{ "journal far", ed_journal_far, -EUCLEAN }, { "journal long", ed_journal_long, -EUCLEAN },
		{ "journal on mirror", ed_journal_mirror, -EUCLEAN }, { "journal pos", ed_journal_pos, -EUCLEAN },
		{ "depth", ed_depth, -EUCLEAN }, { "depth without a root", ed_depth_no_root, 0 }, { "root", ed_root, -EUCLEAN }, { "root gen", ed_root_gen, -EUCLEAN },
		{ "same copies", ed_same_copies, -EUCLEAN }, { "counts", ed_counts, -EUCLEAN },
	};
	struct lb_super_state st;
	unsigned int i;
	u64 gen;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(list); i++) {
		struct port_dev *dev = make(BLOCKS, 2);

		reseal(dev, list[i].edit, true);
		if (read_gen(dev, true, &gen, &st) != list[i].want)
			fail_msg("%s", list[i].what);
		port_sim_free(dev);
	}
}

static void future_version_with_another_checksum(void **state)
{
	struct port_dev *dev = make(BLOCKS, 2);
	struct lb_super *sb = port_alloc_block(PORT_WAIT);
	struct lb_super_state st;
	u64 gen;

	(void)state;
	/* the newest slot alone has been written by a newer program */
	port_sim_peek(dev, 0, sb);
	ed_version(sb);
	port_sim_poke(dev, 0, sb);
	port_sim_poke(dev, LB_MIRROR_BLOCK_LARGE, sb);
	assert_int_equal(read_gen(dev, true, &gen, &st), -EOPNOTSUPP);
	reseal(dev, ed_version, false);
	assert_int_equal(read_gen(dev, true, &gen, &st), -EOPNOTSUPP);
	port_free_block(sb);
	port_sim_free(dev);
}

static void device_shrank_or_is_nothing(void **state)
{
	struct lb_super_state st;
	struct port_dev *dev;
	u64 gen, sizes[] = { 0, 1, 2, 100, LB_MIRROR_BLOCK_SMALL, LB_MIRROR_BLOCK_LARGE + 1, BLOCKS - 1 };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		dev = make(BLOCKS, 3);
		port_sim_resize(dev, sizes[i]);
		if (sizes[i] > 1)
			assert_int_equal(read_gen(dev, true, &gen, &st), -EFBIG);
		else
			assert_true(read_gen(dev, true, &gen, &st) < 0);
		port_sim_free(dev);
	}
	dev = port_sim_new(BLOCKS);
	assert_int_equal(read_gen(dev, true, &gen, &st), -EMEDIUMTYPE);
	damage(dev, 0, 1);
	assert_int_equal(read_gen(dev, true, &gen, &st), -EMEDIUMTYPE);
	port_sim_free(dev);
}

static void small_pool(void **state)
{
	struct port_dev *dev = make(LB_POOL_MIN_BLOCKS, 5);
	struct lb_super_state st;
	u64 gen;

	(void)state;
	damage(dev, 0, 0);
	damage(dev, 1, 0);
	assert_ok(read_gen(dev, false, &gen, &st));
	assert_int_equal(gen, 5);
	port_sim_free(dev);
}

static void geometry(void **state)
{
	u64 r = LB_REGION_BLOCKS;

	(void)state;
	assert_int_equal(lb_region_count(LB_POOL_MIN_BLOCKS), 1);
	assert_int_equal(lb_region_count(r), 1);
	assert_int_equal(lb_region_count(r + LB_REGION_TAIL_MIN - 1), 1);
	assert_int_equal(lb_region_count(r + LB_REGION_TAIL_MIN), 2);
	assert_int_equal(lb_region_size(r + 100, 1), 100);
	assert_int_equal(lb_table_depth(253), 0);
	assert_int_equal(lb_table_depth(254), 1);
	assert_int_equal(lb_table_depth(253 * 126), 1);
	assert_int_equal(lb_table_depth(253 * 126 + 1), 2);
	assert_int_equal(lb_table_depth(lb_region_count(LB_POOL_MAX_BLOCKS)), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_combination_of_damage), cmocka_unit_test(unreadable_copies),
		cmocka_unit_test(power_cuts_while_writing), cmocka_unit_test(bad_copies_are_healed), cmocka_unit_test(order_of_writes),
		cmocka_unit_test(format_over_an_older_pool), cmocka_unit_test(forged_mirror), cmocka_unit_test(fields_are_validated),
		cmocka_unit_test(future_version_with_another_checksum), cmocka_unit_test(device_shrank_or_is_nothing),
		cmocka_unit_test(small_pool), cmocka_unit_test(geometry),
	};

	port_log_set_level(getenv("LB_TEST_LOG") ? -1 : 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
