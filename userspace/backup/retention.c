// SPDX-License-Identifier: GPL-2.0-or-later
/* See retention.h. */
#include "retention.h"

#define DAY_S		86400
#define MONDAY_SHIFT	3		/* 1970-01-01 was a Thursday */

static uint64_t day_of(uint64_t time_s)
{
	return time_s / DAY_S;
}

static uint64_t week_of(uint64_t time_s)
{
	return (time_s / DAY_S + MONDAY_SHIFT) / 7;
}

/* The newest of each of `limit` periods. Those of one period stand together, unless the clock was set back: then they are two. */
static void keep_newest(const uint64_t *times, size_t count, uint64_t limit, uint64_t period_of(uint64_t), bool *keep)
{
	uint64_t periods = 0, last = 0;

	for (size_t i = 0; i < count && periods < limit; i++) {
		uint64_t period = period_of(times[i]);

		if (periods && period == last)
			continue;
		keep[i] = true;
		last = period;
		periods++;
	}
}

void retention_apply(const struct retention *retention, const uint64_t *times, size_t count, bool *keep)
{
	for (size_t i = 0; i < count; i++)
		keep[i] = i == 0 || i < retention->last;
	keep_newest(times, count, retention->daily, day_of, keep);
	keep_newest(times, count, retention->weekly, week_of, keep);
}
