// SPDX-License-Identifier: LGPL-2.1-or-later
/* The ranges in which two frozen volumes differ. */
#include <stdio.h>
#include "internal.h"

#define RANGES_AT_ONCE	1024

static int hand_out(const struct lb_range *ranges, uint32_t count, layerblk_range_fn *each, void *arg)
{
	uint32_t i;
	int ret;

	for (i = 0; i < count; i++) {
		ret = each(arg, &ranges[i]);
		if (ret)
			return ret;
	}
	return 0;
}

int layerblk_diff(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t a, uint64_t b,
		  layerblk_range_fn *each, void *arg, struct layerblk_error *err)
{
	struct request_context context = { .what = "compare with the volume", .uuid = uuid, .volume = b };
	struct lb_range *ranges = calloc(RANGES_AT_ONCE, sizeof(*ranges));
	uint64_t cursor = 0;
	int ret = 0;

	if (!ranges)
		return layerblk_error_set(err, ENOMEM, context.what, NULL, "out of memory");
	while (cursor != ~0ULL) {
		struct lb_ioc_diff diff = { .size = sizeof(diff), .a = a, .b = b, .cursor = cursor,
					    .ranges = lbk_pointer(ranges), .count = RANGES_AT_ONCE };

		lbk_set_uuid(diff.uuid, uuid);
		ret = lbk_request(lb, LB_IOC_DIFF, &diff, &context, err);
		if (ret)
			break;
		if (diff.count > RANGES_AT_ONCE || diff.cursor <= cursor) {
			ret = layerblk_error_set(err, EPROTO, context.what, NULL, "the module's answer makes no sense");
			break;
		}
		ret = hand_out(ranges, diff.count, each, arg);
		if (ret)
			break;
		cursor = diff.cursor;
	}
	free(ranges);
	return ret;
}
