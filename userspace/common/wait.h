/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trying again with a growing pause until a time is over. */
#ifndef COMMON_WAIT_H
#define COMMON_WAIT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct wait {
	int64_t until_ms;
	int64_t pause_ms;
};

static inline int64_t wait_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline struct wait wait_begin(int64_t limit_ms)
{
	return (struct wait){ .until_ms = wait_clock_ms() + limit_ms, .pause_ms = 2 };
}

/* Pauses (2 ms, 4 ms, ... 250 ms); false, without a pause, when the time is over. */
static inline bool wait_again(struct wait *wait)
{
	struct timespec pause = { .tv_sec = 0, .tv_nsec = wait->pause_ms * 1000000 };

	if (wait_clock_ms() >= wait->until_ms)
		return false;
	nanosleep(&pause, NULL);
	wait->pause_ms = wait->pause_ms > 125 ? 250 : 2 * wait->pause_ms;
	return true;
}

#endif
