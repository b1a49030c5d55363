// SPDX-License-Identifier: GPL-2.0-or-later
/* Which backups a policy keeps. */
#include "test.h"
#include "retention.h"

#define HOUR	3600ULL
#define DAY	(24 * HOUR)
#define MONDAY	(20052 * DAY)		/* 2024-11-25, a Monday */

static void check(uint64_t last, uint64_t daily, uint64_t weekly, const uint64_t *times, size_t count, const char *expected)
{
	struct retention retention = { last, daily, weekly };
	bool keep[32];
	char got[33] = "";

	retention_apply(&retention, times, count, keep);
	for (size_t i = 0; i < count; i++)
		got[i] = keep[i] ? 'k' : '-';
	assert_string_equal(got, expected);
}

static void rules_keep_what_they_say(void **state)
{
	/* Wednesday 20:00, 10:00; Tuesday 23:59; Monday 00:00; Sunday 23:59; Saturday; Wednesday before; three weeks before. */
	const uint64_t times[] = {
		MONDAY + 2 * DAY + 20 * HOUR, MONDAY + 2 * DAY + 10 * HOUR, MONDAY + 2 * DAY - 60, MONDAY, MONDAY - 60, MONDAY - 2 * DAY,
		MONDAY - 5 * DAY, MONDAY - 19 * DAY,
	};

	(void)state;
	check(1, 0, 0, times, 8, "k-------");
	check(3, 0, 0, times, 8, "kkk-----");
	check(100, 0, 0, times, 8, "kkkkkkkk");
	check(0, 3, 0, times, 8, "k-kk----");
	check(0, 100, 0, times, 8, "k-kkkkkk");
	check(0, 0, 1, times, 8, "k-------");
	check(0, 0, 2, times, 8, "k---k---");
	check(0, 0, 3, times, 8, "k---k--k");
	check(2, 2, 3, times, 8, "kkk-k--k");
	check(UINT64_MAX, 0, 0, times, 8, "kkkkkkkk");
}

static void the_newest_always_stays(void **state)
{
	const uint64_t times[] = { MONDAY, MONDAY - DAY };

	(void)state;
	check(0, 0, 0, times, 2, "k-");
	check(0, 0, 0, times, 0, "");
}

static void a_clock_that_was_set_back_does_no_harm(void **state)
{
	const uint64_t times[] = { MONDAY, MONDAY + DAY, MONDAY, 0 };

	(void)state;
	check(0, 2, 0, times, 4, "kk--");
	check(0, 9, 0, times, 4, "kkkk");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_keep_what_they_say),
		cmocka_unit_test(the_newest_always_stays),
		cmocka_unit_test(a_clock_that_was_set_back_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
