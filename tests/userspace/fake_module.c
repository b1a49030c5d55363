// SPDX-License-Identifier: GPL-2.0-or-later
/* See fake_module.h. Linked into every test program. */
#include <sys/ioctl.h>
#include "test.h"
#include "fake_module.h"
#include "../../userspace/lib/internal.h"

#define FAKE_MAX	64

struct fake_pool {
	uint8_t uuid[LB_UUID_LEN];
};

struct fake_volume {
	uint8_t uuid[LB_UUID_LEN];
	struct lb_vol_info info;
};

struct fake_attr {
	uint8_t uuid[LB_UUID_LEN];
	uint64_t volume;
	char key[LB_KEY_MAX + 1];
	char value[8192];
};

static struct fake_pool fake_pools[FAKE_MAX];
static struct fake_volume fake_volumes[FAKE_MAX];
static struct fake_attr fake_attrs[FAKE_MAX];
static size_t pools_n, volumes_n, attrs_n;
static unsigned long fail_request;
static int fail_code;
struct fake_last fake_last;

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, ...);

struct layerblk *fake_open(void)
{
	struct layerblk *lb = calloc(1, sizeof(*lb));

	assert_non_null(lb);
	lb->fd = FAKE_FD;
	lb->version.api_major = LB_API_MAJOR;
	return lb;
}

void fake_close(struct layerblk *lb)
{
	free(lb);
}

void fake_reset(void)
{
	pools_n = volumes_n = attrs_n = 0;
	fail_code = 0;
	memset(&fake_last, 0, sizeof(fake_last));
}

void fake_add_pool(const uint8_t uuid[LB_UUID_LEN], const char *label)
{
	assert_true(pools_n < FAKE_MAX);
	memcpy(fake_pools[pools_n++].uuid, uuid, LB_UUID_LEN);
	if (label)
		fake_set_attr(uuid, 0, "layerblk.label", label);
}

void fake_add_volume(const uint8_t uuid[LB_UUID_LEN], uint64_t id, const char *name, uint64_t parent, uint64_t flags)
{
	struct fake_volume *volume = &fake_volumes[volumes_n++];

	assert_true(volumes_n <= FAKE_MAX);
	memset(volume, 0, sizeof(*volume));
	memcpy(volume->uuid, uuid, LB_UUID_LEN);
	volume->info.id = id;
	volume->info.parent = parent;
	volume->info.flags = flags;
	volume->info.owned_blocks = id;
	volume->info.name_len = (uint32_t)strlen(name);
	strcpy(volume->info.name, name);
}

void fake_set_attr(const uint8_t uuid[LB_UUID_LEN], uint64_t volume, const char *key, const char *value)
{
	struct fake_attr *attr = &fake_attrs[attrs_n++];

	assert_true(attrs_n <= FAKE_MAX);
	memcpy(attr->uuid, uuid, LB_UUID_LEN);
	attr->volume = volume;
	strcpy(attr->key, key);
	strcpy(attr->value, value);
}

void fake_fail(unsigned long request, int code)
{
	fail_request = request;
	fail_code = code;
}

static int pool_next(struct lb_ioc_pool_status *arg)
{
	static const uint8_t zero[LB_UUID_LEN];
	const struct fake_pool *best = NULL;
	size_t i;

	assert_int_equal(arg->size, sizeof(*arg));
	for (i = 0; i < pools_n; i++) {
		if (memcmp(arg->uuid, zero, LB_UUID_LEN) && memcmp(fake_pools[i].uuid, arg->uuid, LB_UUID_LEN) <= 0)
			continue;
		if (!best || memcmp(fake_pools[i].uuid, best->uuid, LB_UUID_LEN) < 0)
			best = &fake_pools[i];
	}
	if (!best)
		return -ENOENT;
	memcpy(arg->uuid, best->uuid, LB_UUID_LEN);
	return 0;
}

static int vol_stat(struct lb_ioc_vol_stat *arg)
{
	const struct fake_volume *best = NULL;
	size_t i;

	assert_int_equal(arg->size, sizeof(*arg));
	for (i = 0; i < volumes_n; i++) {
		const struct fake_volume *v = &fake_volumes[i];

		if (memcmp(v->uuid, arg->uuid, LB_UUID_LEN))
			continue;
		if (arg->flags & LB_STAT_NEXT) {
			if (v->info.id > arg->id && (!best || v->info.id < best->info.id) &&
			    (!(v->info.flags & LB_VOL_HIDDEN) || (arg->flags & LB_STAT_HIDDEN)))
				best = v;
		} else if (arg->flags & LB_STAT_NAME) {
			if (v->info.name_len == arg->name_len &&
			    !memcmp(v->info.name, (const void *)(uintptr_t)arg->name, arg->name_len))
				best = v;
		} else if (v->info.id == arg->id) {
			best = v;
		}
	}
	if (!best)
		return -ENOENT;
	arg->info = best->info;
	return 0;
}

static int attr_get(struct lb_ioc_attr_get *arg)
{
	size_t i;

	assert_int_equal(arg->size, sizeof(*arg));
	for (i = 0; i < attrs_n; i++) {
		const struct fake_attr *a = &fake_attrs[i];

		if (memcmp(a->uuid, arg->uuid, LB_UUID_LEN) || a->volume != arg->id || strlen(a->key) != arg->key_len ||
		    memcmp(a->key, (const void *)(uintptr_t)arg->key, arg->key_len))
			continue;
		if (strlen(a->value) > arg->value_len)
			return -ERANGE;
		arg->value_len = (uint32_t)strlen(a->value);
		memcpy((void *)(uintptr_t)arg->value, a->value, arg->value_len);
		return 0;
	}
	return -ENOENT;
}

static int attr_next(struct lb_ioc_attr_next *arg)
{
	char *key = (char *)(uintptr_t)arg->key;
	const struct fake_attr *best = NULL;
	char from[LB_KEY_MAX + 1];
	size_t i;

	memcpy(from, key, arg->key_len);
	from[arg->key_len] = 0;
	for (i = 0; i < attrs_n; i++) {
		const struct fake_attr *a = &fake_attrs[i];

		if (!memcmp(a->uuid, arg->uuid, LB_UUID_LEN) && a->volume == arg->id && strcmp(a->key, from) > 0 &&
		    (!best || strcmp(a->key, best->key) < 0))
			best = a;
	}
	if (!best)
		return -ENOENT;
	arg->key_len = (uint32_t)strlen(best->key);
	arg->value_len = (uint32_t)strlen(best->value);
	memcpy(key, best->key, arg->key_len);
	return 0;
}

static void note(unsigned long request, uint32_t flags, uint64_t name, uint32_t name_len, const struct lb_attr_ops *ops)
{
	const struct lb_attr_op *op = (const struct lb_attr_op *)(uintptr_t)ops->ops;

	memset(&fake_last, 0, sizeof(fake_last));
	fake_last.request = request;
	fake_last.flags = flags;
	memcpy(fake_last.name, (const void *)(uintptr_t)name, name_len);
	fake_last.attr_count = ops->count;
	if (!ops->count)
		return;
	memcpy(fake_last.attr_key, (const void *)(uintptr_t)op->key, op->key_len);
	memcpy(fake_last.attr_value, (const void *)(uintptr_t)op->value, op->value_len);
}

/* Ranges 0+1, 10+1, 20+1 ... of 1500, at most `count` at a time. */
static int diff(struct lb_ioc_diff *arg)
{
	struct lb_range *ranges = (struct lb_range *)(uintptr_t)arg->ranges;
	uint64_t next = arg->cursor / 10;
	uint32_t n = 0;

	for (; next < 1500 && n < arg->count; next++)
		ranges[n++] = (struct lb_range){ .start = next * 10, .count = 1, .flags = next & 1 };
	arg->count = n;
	arg->cursor = next == 1500 ? ~0ULL : next * 10;
	return 0;
}

static int answer(unsigned long request, void *argument)
{
	struct lb_ioc_vol_create *create = argument;
	struct lb_ioc_vol_snapshot *snapshot = argument;
	struct lb_ioc_vol_set *set = argument;

	if (fail_code && fail_request == request) {
		int code = fail_code;

		fail_code = 0;
		return -code;
	}
	switch (request) {
	case LB_IOC_POOL_NEXT:
		return pool_next(argument);
	case LB_IOC_VOL_STAT:
		return vol_stat(argument);
	case LB_IOC_ATTR_GET:
		return attr_get(argument);
	case LB_IOC_ATTR_NEXT:
		return attr_next(argument);
	case LB_IOC_DIFF:
		return diff(argument);
	case LB_IOC_VOL_CREATE:
		note(request, create->flags, create->name, create->name_len, &create->attrs);
		fake_last.volume_size = create->volume_size;
		create->id = 77;
		return 0;
	case LB_IOC_VOL_SNAPSHOT:
		note(request, snapshot->flags, snapshot->name, snapshot->name_len, &snapshot->attrs);
		fake_last.id = snapshot->source;
		snapshot->id = 78;
		return 0;
	case LB_IOC_VOL_SET:
		note(request, set->flags, set->name, set->name_len, &set->attrs);
		fake_last.id = set->id;
		return 0;
	default:
		return -ENOTTY;
	}
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	void *argument;
	va_list args;
	int ret;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	if (fd != FAKE_FD)
		return __real_ioctl(fd, request, argument);
	ret = answer(request, argument);
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}
