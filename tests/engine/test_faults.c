// SPDX-License-Identifier: GPL-2.0
/*
 * Every fault once: each operation of faultops.c with each kind of fault at each place where it can be, by number, on a pool made for it. See faultlab.h for what
 * must hold.
 *
 *   test_faults                     a part, spread over all operations and places (also: LB_FAULT_SHARE=n, 0 for all)
 *   test_faults --all               every place
 *   test_faults --op NAME [--kind KIND [--place N]]      of one operation, every place or this one
 */
#include <getopt.h>

#include "faultlab.h"
#include "support.h"

#define SHARE	6u		/* places of one kind and operation that the short run tries */

static struct {
	const char *op, *kind;
	u64 place, share;
	unsigned int variants;
} args = { .share = SHARE, .variants = 1 };

static u64 cases[FAULT_KINDS], all_places, failures;

static bool try_case(const struct fault_op *op, enum fault_kind kind, u64 nth, unsigned int variant)
{
	char why[FLAB_TEXT + 40];

	cases[kind]++;
	if (flab_case(op, kind, nth, variant, why))
		return true;
	print_error("%s, %s %llu, variant %u: %s\n", op->name, fault_kind_names[kind], (unsigned long long)nth, variant, why);
	print_error("again: test_faults --op %s --kind %s --place %llu\n", op->name, fault_kind_names[kind], (unsigned long long)nth);
	failures++;
	return false;
}

/* Up to `share` of so many places, the first, the last and others as they come; 0: all. */
static void try_places(const struct fault_op *op, enum fault_kind kind, u64 places, u64 seed)
{
	u64 nth = 1, step = args.share && places > args.share ? places / args.share : 1;
	unsigned int v, bad = 0;

	all_places += places;
	for (; nth <= places && bad < 5; nth += step + (step > 1 ? seed % step / 2 : 0), seed = seed * 5 + 1)
		for (v = 0; v < args.variants; v++)
			bad += !try_case(op, kind, nth, args.variants > 1 ? v : (unsigned int)(nth + seed) % 6);
}

static void run_kind(enum fault_kind kind)
{
	u64 before = failures, places[FAULT_KINDS];
	unsigned int i, v;

	for (i = 0; i < fault_op_count; i++) {
		const struct fault_op *op = &fault_ops[i];

		if ((args.op && strcmp(args.op, op->name)) || (args.kind && strcmp(args.kind, fault_kind_names[kind])))
			continue;
		flab_count(op, places);
		if (!args.place)
			try_places(op, kind, places[kind], i * 7 + kind);
		for (v = 0; args.place && v < 6; v++)
			try_case(op, kind, args.place, v);
	}
	assert_int_equal(failures, before);
}

#define KIND_TEST(name, kind) static void name(void **state) { (void)state; run_kind(kind); }

KIND_TEST(an_allocation_fails, FAULT_ALLOC)
KIND_TEST(memory_stays_short, FAULT_NOMEM)
KIND_TEST(a_read_fails, FAULT_READ)
KIND_TEST(a_write_fails, FAULT_WRITE)
KIND_TEST(a_flush_fails, FAULT_FLUSH)
KIND_TEST(a_discard_fails, FAULT_DISCARD)
KIND_TEST(the_disk_dies, FAULT_DEAD)
KIND_TEST(the_disk_becomes_read_only, FAULT_RDONLY)

/* ------------------------------------------------------------------ making a pool, which has no pool to begin with */

/* Format under a fault, over an old pool or on a blank device; 0, or the error; *places: how many there are. */
static int format_once(struct port_dev *dev, enum fault_kind kind, u64 nth, u64 *places)
{
	const enum port_sim_op op = kind == FAULT_WRITE ? PORT_SIM_WRITE : PORT_SIM_FLUSH;
	const struct port_sim_fault f = { .op = op, .skip = nth - 1, .times = 1 };
	struct lb_format_opts opts = { .total_blocks = FLAB_POOL_BLOCKS };
	struct port_sim_stat st;
	u64 allocs = port_alloc_total();
	u8 uuid[16];
	int err;

	port_sim_reset_stat(dev);
	if (nth && kind == FAULT_ALLOC)
		port_fault_alloc(nth, 1);
	else if (nth)
		port_sim_add_fault(dev, &f);
	err = lb_pool_format(dev, &opts, uuid);
	port_fault_alloc(0, 0);
	port_sim_clear_faults(dev);
	port_sim_get_stat(dev, &st);
	*places = kind == FAULT_ALLOC ? port_alloc_total() - allocs : kind == FAULT_WRITE ? st.write_blocks : st.flushes;
	return err;
}

/* An error, and what is there then is no pool, or is one; the next try makes one. */
static void format_case(enum fault_kind kind, u64 nth, bool old)
{
	struct port_dev *dev = port_sim_new(FLAB_DEVICE_BLOCKS), *left;
	struct host h;
	u64 places;
	int err;

	if (old)
		assert_ok(format_once(dev, kind, 0, &places));
	assert_int_equal(format_once(dev, kind, nth, &places), kind == FAULT_ALLOC ? -ENOMEM : -EIO);
	left = port_sim_crash_random(dev, nth);
	host_init(&h, left);
	err = host_open(&h, 0);
	if (!err)
		host_abandon(&h);
	else
		assert_true(err == -EMEDIUMTYPE || err == -ESTALE || err == -EUCLEAN);
	port_sim_free(left);
	assert_ok(format_once(dev, kind, 0, &places));
	host_init(&h, dev);
	assert_ok(host_open(&h, 0));
	assert_ok(host_close(&h));
	port_sim_free(dev);
	cases[kind]++;
}

static void making_a_pool_fails(void **state)
{
	static const enum fault_kind kinds[] = { FAULT_ALLOC, FAULT_WRITE, FAULT_FLUSH };
	struct port_dev *dev;
	u64 places, nth;
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(kinds) && !args.op; i++) {
		dev = port_sim_new(FLAB_DEVICE_BLOCKS);
		assert_ok(format_once(dev, kinds[i], 0, &places));
		port_sim_free(dev);
		assert_true(places);
		all_places += places;
		for (nth = 1; nth <= places; nth++) {
			format_case(kinds[i], nth, false);
			format_case(kinds[i], nth, true);
		}
	}
}

static int set_up(void **state)
{
	(void)state;
	port_log_set_level(0);
	fault_scenes_make();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fault_scenes_free();
	port_log_set_level(PORT_LOG_WARN);
	return 0;
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' }, { "op", required_argument, NULL, 'o' }, { "kind", required_argument, NULL, 'k' },
		{ "place", required_argument, NULL, 'p' }, { NULL, 0, NULL, 0 },
	};
	const char *share = getenv("LB_FAULT_SHARE");
	int c;

	if (share)
		args.share = strtoull(share, NULL, 0);
	while ((c = getopt_long(argc, argv, "ao:k:p:", options, NULL)) != -1) {
		switch (c) {
		case 'a': args.share = 0; args.variants = 6; break;
		case 'o': args.op = optarg; args.share = 0; break;
		case 'k': args.kind = optarg; break;
		case 'p': args.place = strtoull(optarg, NULL, 0); break;
		default: return 2;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allocation_fails), cmocka_unit_test(memory_stays_short), cmocka_unit_test(a_read_fails),
		cmocka_unit_test(a_write_fails), cmocka_unit_test(a_flush_fails), cmocka_unit_test(a_discard_fails),
		cmocka_unit_test(the_disk_dies), cmocka_unit_test(the_disk_becomes_read_only), cmocka_unit_test(making_a_pool_fails),
	};
	u64 sum = 0;
	int failed = parse(argc, argv);
	unsigned int i;

	if (failed)
		return failed;
	failed = cmocka_run_group_tests(tests, set_up, tear_down);
	for (i = 0; i < FAULT_KINDS; i++) {
		printf("%s %llu, ", fault_kind_names[i], (unsigned long long)cases[i]);
		sum += cases[i];
	}
	printf("in all %llu faults tried in %u operations with %llu places\n", (unsigned long long)sum, fault_op_count, (unsigned long long)all_places);
	return failed;
}
