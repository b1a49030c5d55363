// SPDX-License-Identifier: GPL-2.0
/*
 * The engine against its model: random workloads with power cuts, in a few profiles. Without arguments a fixed list of seeds as a test; with arguments one run:
 *
 *   test_model --seed N [--ops N] [--profile NAME] [--count N]
 *   test_model --seed N [--profile NAME] --script TEXT
 *
 * LB_TEST_ROUNDS multiplies the number of seeds, LB_TEST_SEED moves them.
 */
#include <getopt.h>

#include "support.h"
#include "workload.h"

static const struct workload_opts profiles[] = {
	/* room for everything, some power cuts */
	{ .profile = "roomy", .ops = 400, .pool_blocks = 40000, .grow_blocks = 60000, .vol_blocks = 400, .crash_permille = 2500,
	  .reopen_permille = 8 },
	/* the smallest pool: full most of the time */
	{ .profile = "full", .ops = 500, .pool_blocks = 8192, .grow_blocks = 9500, .vol_blocks = 2500, .crash_permille = 200,
	  .reopen_permille = 6 },
	/* deletion and collapse in the smallest steps, so that cursors stand in the middle of busy volumes */
	{ .profile = "steps", .ops = 500, .pool_blocks = 12000, .grow_blocks = 14000, .vol_blocks = 1500, .crash_permille = 250,
	  .reopen_permille = 6, .step_budget = 1 },
	/* small volumes, many requests, allocation failures where sleeping is not allowed */
	{ .profile = "tiny", .ops = 700, .pool_blocks = 8192, .grow_blocks = 41000, .vol_blocks = 24, .crash_permille = 400,
	  .reopen_permille = 12, .nowait_permille = 100, .step_budget = 1 },
};

static u64 total_crashes, total_ops;

static bool run(const struct workload_opts *profile, u64 seed, u32 ops)
{
	struct workload_opts opts = *profile;
	struct workload_result res;
	bool ok;

	opts.seed = seed;
	if (ops)
		opts.ops = ops;
	ok = workload_run(&opts, &res);
	total_crashes += res.crashes;
	total_ops += res.done;
	return ok;
}

static void run_profile(const struct workload_opts *profile, u64 count)
{
	u64 first = test_seed(1), seed;

	count = test_rounds(count);
	for (seed = first; seed < first + count; seed++)
		if (!run(profile, seed, 0))
			fail_msg("profile %s, seed %llu", profile->profile, (unsigned long long)seed);
}

static void test_roomy(void **state)
{
	(void)state;
	run_profile(&profiles[0], 12);
}

static void test_full(void **state)
{
	(void)state;
	run_profile(&profiles[1], 8);
}

static void test_steps(void **state)
{
	(void)state;
	run_profile(&profiles[2], 10);
}

static void test_tiny(void **state)
{
	(void)state;
	run_profile(&profiles[3], 12);
}

static const struct workload_opts *find_profile(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(profiles); i++)
		if (!strcmp(profiles[i].profile, name))
			return &profiles[i];
	fprintf(stderr, "no such profile: %s\n", name);
	exit(2);
}

static int run_script(const struct workload_opts *profile, u64 seed, const char *text)
{
	struct workload_opts opts = *profile;
	struct workload_result res;
	struct script s = { 0 };
	char why[MODEL_TEXT];
	bool ok;

	if (!script_parse(&s, text))
		return 2;
	opts.seed = seed;
	ok = workload_run_script(&opts, &s, &res, why);
	printf("%zu operations, %llu crash states: %s\n", s.count, (unsigned long long)res.crashes, ok ? "no violation" : why);
	script_clear(&s);
	return ok ? 0 : 1;
}

static int run_arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' }, { "ops", required_argument, NULL, 'o' },
		{ "profile", required_argument, NULL, 'p' }, { "count", required_argument, NULL, 'c' },
		{ "script", required_argument, NULL, 'x' }, { NULL, 0, NULL, 0 },
	};
	const struct workload_opts *profile = &profiles[0];
	u64 seed = 1, count = 1, i, failed = 0;
	const char *script = NULL;
	u32 ops = 0;
	int c;

	while ((c = getopt_long(argc, argv, "s:o:p:c:", options, NULL)) != -1) {
		switch (c) {
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'o': ops = (u32)strtoul(optarg, NULL, 0); break;
		case 'p': profile = find_profile(optarg); break;
		case 'c': count = strtoull(optarg, NULL, 0); break;
		case 'x': script = optarg; break;
		default: return 2;
		}
	}
	if (script)
		return run_script(profile, seed, script);
	for (i = 0; i < count; i++)
		failed += !run(profile, seed + i, ops);
	printf("%llu runs from seed %llu, profile %s: %llu operations, %llu crash states, %llu runs failed\n", (unsigned long long)count,
	       (unsigned long long)seed, profile->profile, (unsigned long long)total_ops, (unsigned long long)total_crashes,
	       (unsigned long long)failed);
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roomy), cmocka_unit_test(test_full), cmocka_unit_test(test_steps), cmocka_unit_test(test_tiny),
	};
	int failed;

	if (argc > 1)
		return run_arguments(argc, argv);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	printf("%llu operations, %llu crash states\n", (unsigned long long)total_ops, (unsigned long long)total_crashes);
	return failed;
}
