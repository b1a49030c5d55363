// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events. read() gives whole records; each begins with its own size, so that a newer module's longer records are
 * understood as far as this library knows them.
 */
#include <poll.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"

static const char what[] = "read the next event";

static int take_record(struct layerblk *lb, struct lb_event *out, struct layerblk_error *err)
{
	const size_t least = offsetof(struct lb_event, name);
	size_t left = lb->event_end - lb->event_begin;
	const unsigned char *record = lb->events + lb->event_begin;
	uint32_t size = 0;

	if (left >= sizeof(size))
		memcpy(&size, record, sizeof(size));
	if (size < least || size > left) {
		lb->event_begin = lb->event_end = 0;
		return layerblk_error_set(err, EPROTO, what, NULL, "the module's record makes no sense");
	}
	memset(out, 0, sizeof(*out));
	memcpy(out, record, size < sizeof(*out) ? size : sizeof(*out));
	out->name[LB_NAME_MAX] = 0;
	lb->event_begin += size;
	return 1;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int layerblk_event_read(struct layerblk *lb, int timeout_ms, struct lb_event *out, struct layerblk_error *err)
{
	int64_t until = now_ms() + timeout_ms;
	struct pollfd fd = { .fd = lb->fd, .events = POLLIN };
	ssize_t got;
	int ret;

	if (lb->event_begin < lb->event_end)
		return take_record(lb, out, err);
	for (;;) {
		got = read(lb->fd, lb->events, sizeof(lb->events));
		if (got > 0)
			break;
		if (got == 0)
			return layerblk_error_set(err, ENODATA, what, NULL, "the module sends none");
		if (errno != EAGAIN && errno != EINTR)
			return layerblk_error_set(err, errno, what, NULL, "%s", strerror(errno));
		if (errno == EINTR)
			return layerblk_error_set(err, EINTR, what, NULL, "it was interrupted");
		if (timeout_ms >= 0) {
			int64_t left = until - now_ms();

			ret = poll(&fd, 1, left > 0 ? (int)left : 0);
		} else {
			ret = poll(&fd, 1, -1);
		}
		if (ret == 0)
			return 0;
		if (ret < 0)
			return layerblk_error_set(err, errno, what, NULL, "%s", strerror(errno));
	}
	lb->event_begin = 0;
	lb->event_end = (size_t)got;
	return take_record(lb, out, err);
}

const char *layerblk_event_name(uint32_t type)
{
	static const char *const names[] = {
		[LB_EVENT_POOL_OPEN] = "pool-open",
		[LB_EVENT_POOL_CLOSE] = "pool-close",
		[LB_EVENT_LOW_SPACE] = "low-space",
		[LB_EVENT_NO_SPACE] = "no-space",
		[LB_EVENT_POOL_FAILED] = "pool-failed",
		[LB_EVENT_POOL_GROWN] = "pool-grown",
		[LB_EVENT_VOL_CREATE] = "volume-create",
		[LB_EVENT_VOL_REMOVE] = "volume-remove",
		[LB_EVENT_VOL_CHANGE] = "volume-change",
		[LB_EVENT_VOL_FREEZE] = "volume-freeze",
		[LB_EVENT_VOL_SNAPSHOT] = "volume-snapshot",
		[LB_EVENT_VOL_ROLLBACK] = "volume-rollback",
		[LB_EVENT_VOL_ACTIVATE] = "volume-activate",
		[LB_EVENT_VOL_DEACTIVATE] = "volume-deactivate",
		[LB_EVENT_SPACE_FREED] = "space-freed",
		[LB_EVENT_SCRUB_DONE] = "scrub-done",
		[LB_EVENT_LOST] = "events-lost",
	};

	if (type >= sizeof(names) / sizeof(names[0]) || !names[type])
		return "unknown";
	return names[type];
}
