// SPDX-License-Identifier: GPL-2.0-or-later
/* pool grow and pool set. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "cleanup.h"
#include "disk.h"
#include "loop.h"
#include "pool.h"
#include "ref.h"
#include "size.h"

/* ------------------------------------------------------------------ grow */

/* Enlarges the file behind a loop device and lets the device know. */
static int enlarge_file(const struct lb_ioc_pool_status *pool, const char *file, uint64_t size,
			struct layerblk_error *err)
{
	static const char what[] = "enlarge";
	char device[DISK_PATH];
	struct stat st;
	int ret = disk_path(pool->dev_major, pool->dev_minor, device, err);

	if (ret)
		return ret;
	if (stat(file, &st) || !loop_backs(makedev(pool->dev_major, pool->dev_minor), &st))
		return layerblk_error_set(err, ENOENT, what, file, "it is no longer the file behind %s", device);
	if ((uint64_t)st.st_size < size && truncate(file, (off_t)size))
		return layerblk_error_set(err, errno, what, file, "%s", strerror(errno));
	return loop_update_size(device, err);
}

/* "10G", or "+1G" on top of what there is; never less than there is. */
static int target_size(const char *text, uint64_t now, uint64_t *size, struct layerblk_error *err)
{
	static const char what[] = "grow the pool to";
	bool relative = text[0] == '+';
	char has[SIZE_TEXT];
	int ret = size_parse(text + relative, size, what, err);

	if (!ret && relative && (__builtin_add_overflow(*size, now, size) || *size > INT64_MAX))
		ret = layerblk_error_set(err, ERANGE, what, text, "it is too large");
	if (!ret && *size <= now && !(relative && *size > now)) {
		layerblk_error_set(err, EINVAL, what, text, "it has %s already", size_format(now, has));
		ret = layerblk_error_hint(err, "A pool never shrinks");
	}
	if (!ret && *size % LB_BLOCK_SIZE)
		ret = layerblk_error_set(err, EINVAL, what, text, "it is no multiple of %d bytes", LB_BLOCK_SIZE);
	return ret;
}

static int grow(struct layerblk *lb, const struct lb_ioc_pool_status *pool, const char *text,
		struct layerblk_error *err)
{
	cleanup_free char *file = loop_backing_file(makedev(pool->dev_major, pool->dev_minor));
	uint64_t size = 0, blocks;
	char now[SIZE_TEXT];
	int ret = 0;

	if (text)
		ret = target_size(text, pool->total_blocks * LB_BLOCK_SIZE, &size, err);
	if (!ret && file)
		ret = enlarge_file(pool, file, size, err);
	if (!ret)
		ret = layerblk_pool_grow(lb, pool->uuid, size / LB_BLOCK_SIZE, &blocks, err);
	if (!ret)
		printf("%s\n", size_format(blocks * LB_BLOCK_SIZE, now));
	return ret;
}

/* One argument alone is a size when it looks like one and no pool is called so. */
int pool_grow(struct command_call *call)
{
	struct layerblk *lb = command_control(call);
	const char *name = call->argv[0], *size = call->argc > 1 ? call->argv[1] : NULL;
	struct lb_ioc_pool_status pool;
	uint64_t ignored;
	int ret;

	if (!lb)
		return command_fail(call);
	ret = ref_find_pool(lb, name, &pool, &call->error);
	if (ret == -ENODEV && call->argc == 1 && !size_parse(name + (name[0] == '+'), &ignored, "", NULL)) {
		size = name;
		ret = ref_find_pool(lb, NULL, &pool, &call->error);
	}
	if (!ret)
		ret = grow(lb, &pool, size, &call->error);
	return ret ? command_fail(call) : 0;
}

/* ------------------------------------------------------------------ set */

/* A size, or a percentage of the pool. */
static int low_water(const char *text, const struct lb_ioc_pool_status *pool, uint64_t *blocks,
		     struct layerblk_error *err)
{
	static const char what[] = "set the low-water mark";
	size_t len = strlen(text);
	uint64_t value = 0;
	int ret;

	if (len && text[len - 1] == '%') {
		cleanup_free char *number = strndup(text, len - 1);

		ret = number ? number_parse(number, 99, &value, what, err) :
			       layerblk_error_set(err, ENOMEM, what, NULL, "out of memory");
		value = ret ? 0 : pool->total_blocks * value / 100;
	} else {
		ret = size_parse(text, &value, what, err);
		value /= LB_BLOCK_SIZE;
	}
	if (!ret && value >= pool->total_blocks)
		ret = layerblk_error_set(err, EINVAL, what, text, "it is not less than the pool");
	*blocks = value;
	return ret;
}

static int set_no_space(struct command_call *call, const struct lb_ioc_pool_status *pool, struct lb_ioc_pool_set *set)
{
	const char *text = option_value(call, "no-space"), *timeout = option_value(call, "no-space-timeout");
	uint64_t value = pool->nospc_timeout_ms;
	int ret;

	if (!text && !timeout)
		return 0;
	set->flags |= LB_POOL_SET_QUEUE;
	set->queue_nospc = !!(pool->state & LB_POOL_QUEUE_NOSPC);
	if (text && strcmp(text, "error") && strcmp(text, "queue"))
		return layerblk_error_set(&call->error, EINVAL, "set what happens without space to", text,
					  "it is \"error\" or \"queue\"");
	if (text)
		set->queue_nospc = !strcmp(text, "queue");
	ret = timeout ? duration_parse(timeout, &value, "set the time-out", &call->error) : 0;
	set->nospc_timeout_ms = value;
	return ret;
}

static int read_settings(struct command_call *call, const struct lb_ioc_pool_status *pool, struct lb_ioc_pool_set *set)
{
	const char *text;
	uint64_t value = 0;
	int ret = set_no_space(call, pool, set);

	text = option_value(call, "low-water");
	if (!ret && text) {
		ret = low_water(text, pool, &value, &call->error);
		set->flags |= LB_POOL_SET_LOW_WATER;
		set->low_water_blocks = value;
	}
	text = option_value(call, "commit-interval");
	if (!ret && text) {
		ret = duration_parse(text, &value, "set the commit interval", &call->error);
		set->flags |= LB_POOL_SET_INTERVAL;
		set->commit_interval_ms = value;
	}
	text = option_value(call, "cache");
	if (!ret && text) {
		ret = size_parse(text, &value, "set the cache limit", &call->error);
		set->flags |= LB_POOL_SET_CACHE;
		set->cache_limit_bytes = value;
	}
	return ret;
}

static int set_label(struct layerblk *lb, const struct lb_ioc_pool_status *pool, const char *label,
		     struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	int ret = label[0] ? pool_label_check(label, err) : 0;

	if (ret)
		return ret;
	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "set the label", label, "out of memory");
	if (label[0])
		layerblk_attrs_set_string(attrs, 0, LABEL_KEY, label, 0);
	else
		layerblk_attrs_delete(attrs, 0, LABEL_KEY, 0);
	return layerblk_attrs_commit(lb, pool->uuid, attrs, err);
}

int pool_set(struct command_call *call)
{
	struct layerblk *lb = command_control(call);
	const char *label = option_value(call, "label");
	struct lb_ioc_pool_set set = { 0 };
	struct lb_ioc_pool_status pool;
	int ret;

	if (!call->value_count)
		return command_usage_error(call, "nothing to set");
	if (!lb || ref_find_pool(lb, call->argv[0], &pool, &call->error))
		return command_fail(call);
	ret = read_settings(call, &pool, &set);
	if (!ret && label && label[0])
		ret = pool_label_check(label, &call->error);
	if (!ret && set.flags)
		ret = layerblk_pool_set(lb, pool.uuid, &set, &call->error);
	if (!ret && label)
		ret = set_label(lb, &pool, label, &call->error);
	return ret ? command_fail(call) : 0;
}
