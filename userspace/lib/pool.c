// SPDX-License-Identifier: LGPL-2.1-or-later
/* Requests on pools. */
#include <stdio.h>
#include <sys/sysmacros.h>
#include "internal.h"

int layerblk_pool_open(struct layerblk *lb, dev_t device, uint32_t flags, uint8_t uuid[LB_UUID_LEN],
		       struct layerblk_error *err)
{
	struct lb_ioc_pool_open arg = { .size = sizeof(arg), .flags = flags,
					.dev_major = major(device), .dev_minor = minor(device) };
	struct request_context context = { .what = "open the pool" };
	int ret = lbk_request(lb, LB_IOC_POOL_OPEN, &arg, &context, err);

	if (!ret)
		lbk_set_uuid(uuid, arg.uuid);
	return ret;
}

static int pool_request(struct layerblk *lb, unsigned long request, const uint8_t *uuid, const char *what,
			struct layerblk_error *err)
{
	struct lb_ioc_pool_ref arg = { .size = sizeof(arg) };
	struct request_context context = { .what = what, .uuid = uuid };

	lbk_set_uuid(arg.uuid, uuid);
	return lbk_request(lb, request, &arg, &context, err);
}

int layerblk_pool_close(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], struct layerblk_error *err)
{
	return pool_request(lb, LB_IOC_POOL_CLOSE, uuid, "close the pool", err);
}

int layerblk_pool_sync(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], struct layerblk_error *err)
{
	return pool_request(lb, LB_IOC_POOL_SYNC, uuid, "commit the pool", err);
}

int layerblk_pool_status(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], struct lb_ioc_pool_status *out,
			 struct layerblk_error *err)
{
	struct lb_ioc_pool_status arg = { .size = sizeof(arg) };
	struct request_context context = { .what = "read the pool's status", .uuid = uuid };
	int ret;

	lbk_set_uuid(arg.uuid, uuid);
	ret = lbk_request(lb, LB_IOC_POOL_STATUS, &arg, &context, err);
	if (!ret)
		*out = arg;
	return ret;
}

int layerblk_pool_list(struct layerblk *lb, struct lb_ioc_pool_status **out, size_t *count,
		       struct layerblk_error *err)
{
	struct request_context context = { .what = "list the open pools" };
	struct lb_ioc_pool_status *list = NULL, *larger;
	uint8_t last[LB_UUID_LEN] = { 0 };
	size_t n = 0;
	int ret;

	for (;;) {
		struct lb_ioc_pool_status arg = { .size = sizeof(arg) };

		lbk_set_uuid(arg.uuid, last);
		ret = lbk_request(lb, LB_IOC_POOL_NEXT, &arg, &context, err);
		if (ret)
			break;
		larger = reallocarray(list, n + 1, sizeof(*list));
		if (!larger) {
			ret = layerblk_error_set(err, ENOMEM, context.what, NULL, "out of memory");
			break;
		}
		list = larger;
		list[n++] = arg;
		lbk_set_uuid(last, arg.uuid);
	}
	if (ret != -ENOENT) {
		free(list);
		return ret;
	}
	*out = list;
	*count = n;
	return 0;
}

int layerblk_pool_set(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], const struct lb_ioc_pool_set *set,
		      struct layerblk_error *err)
{
	struct request_context context = { .what = "change the pool's settings", .uuid = uuid };
	struct lb_ioc_pool_set arg = *set;

	arg.size = sizeof(arg);
	lbk_set_uuid(arg.uuid, uuid);
	return lbk_request(lb, LB_IOC_POOL_SET, &arg, &context, err);
}

int layerblk_pool_grow(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t total_blocks,
		       uint64_t *new_total_blocks, struct layerblk_error *err)
{
	struct request_context context = { .what = "grow the pool", .uuid = uuid };
	struct lb_ioc_pool_grow arg = { .size = sizeof(arg), .total_blocks = total_blocks };
	int ret;

	lbk_set_uuid(arg.uuid, uuid);
	ret = lbk_request(lb, LB_IOC_POOL_GROW, &arg, &context, err);
	if (!ret && new_total_blocks)
		*new_total_blocks = arg.total_blocks;
	return ret;
}

int layerblk_pool_scrub(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint32_t flags,
			struct layerblk_error *err)
{
	struct request_context context = { .what = flags & LB_SCRUB_STOP ? "stop the scrub" : "start a scrub",
					   .uuid = uuid };
	struct lb_ioc_pool_scrub arg = { .size = sizeof(arg), .flags = flags };

	lbk_set_uuid(arg.uuid, uuid);
	return lbk_request(lb, LB_IOC_POOL_SCRUB, &arg, &context, err);
}
