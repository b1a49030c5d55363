// SPDX-License-Identifier: LGPL-2.1-or-later
/* Attributes: lists of changes for a transaction, and reading. */
#include <stdio.h>
#include "internal.h"

struct layerblk_attrs {
	struct lb_attr_op *ops;		/* each op's key pointer begins an allocation that also holds its value */
	uint32_t count;
	uint32_t room;
	size_t bytes;			/* of keys and values together */
	struct layerblk_error failed;	/* the first addition that failed; code 0: none */
};

static const char adding[] = "change the attribute";

struct layerblk_attrs *layerblk_attrs_new(void)
{
	return calloc(1, sizeof(struct layerblk_attrs));
}

void layerblk_attrs_free(struct layerblk_attrs *attrs)
{
	uint32_t i;

	if (!attrs)
		return;
	for (i = 0; i < attrs->count; i++)
		free((void *)(uintptr_t)attrs->ops[i].key);
	free(attrs->ops);
	free(attrs);
}

size_t layerblk_attrs_count(const struct layerblk_attrs *attrs)
{
	return attrs->count;
}

static int check_addition(struct layerblk_attrs *attrs, const char *key, size_t key_len, size_t value_len)
{
	struct layerblk_error *err = &attrs->failed;

	if (!key_len)
		return layerblk_error_set(err, EINVAL, adding, NULL, "its key is empty");
	if (key_len > LB_KEY_MAX)
		return layerblk_error_set(err, ENAMETOOLONG, adding, key, "the key is longer than %d bytes", LB_KEY_MAX);
	if (value_len > LB_VALUE_MAX)
		return layerblk_error_set(err, EFBIG, adding, key, "the value is larger than %u bytes", LB_VALUE_MAX);
	if (attrs->count == LB_ATTR_OPS_MAX)
		return layerblk_error_set(err, E2BIG, adding, key, "more than %d changes in one transaction",
					  LB_ATTR_OPS_MAX);
	if (attrs->bytes + key_len + value_len > LB_TX_MAX)
		return layerblk_error_set(err, E2BIG, adding, key, "more than %u bytes in one transaction", LB_TX_MAX);
	return 0;
}

/* Room for one more op and its bytes; NULL: recorded. */
static char *make_room(struct layerblk_attrs *attrs, const char *key, size_t bytes)
{
	struct lb_attr_op *larger;
	char *copy;

	if (attrs->count == attrs->room) {
		larger = reallocarray(attrs->ops, attrs->room + 16, sizeof(*larger));
		if (!larger)
			goto no_memory;
		attrs->ops = larger;
		attrs->room += 16;
	}
	copy = malloc(bytes + 1);
	if (copy)
		return copy;
no_memory:
	layerblk_error_set(&attrs->failed, ENOMEM, adding, key, "out of memory");
	return NULL;
}

static void add(struct layerblk_attrs *attrs, uint64_t volume, const char *key, const void *value, size_t value_len,
		uint32_t flags)
{
	size_t key_len = strlen(key);
	char *copy;

	if (attrs->failed.code || check_addition(attrs, key, key_len, value_len))
		return;
	copy = make_room(attrs, key, key_len + value_len);
	if (!copy)
		return;
	memcpy(copy, key, key_len);
	if (value_len)
		memcpy(copy + key_len, value, value_len);
	attrs->ops[attrs->count++] = (struct lb_attr_op){
		.volume = volume, .key = lbk_pointer(copy),
		.value = value_len ? lbk_pointer(copy + key_len) : 0,
		.key_len = (uint32_t)key_len, .value_len = (uint32_t)value_len, .flags = flags,
	};
	attrs->bytes += key_len + value_len;
}

void layerblk_attrs_set(struct layerblk_attrs *attrs, uint64_t volume, const char *key, const void *value,
			size_t value_len, uint32_t flags)
{
	add(attrs, volume, key, value, value_len, flags);
}

void layerblk_attrs_set_string(struct layerblk_attrs *attrs, uint64_t volume, const char *key, const char *value,
			       uint32_t flags)
{
	add(attrs, volume, key, value, strlen(value), flags);
}

void layerblk_attrs_delete(struct layerblk_attrs *attrs, uint64_t volume, const char *key, uint32_t flags)
{
	add(attrs, volume, key, NULL, 0, flags | LB_ATTR_DELETE);
}

int lbk_attrs_fill(const struct layerblk_attrs *attrs, struct lb_attr_ops *ops, struct layerblk_error *err)
{
	if (!attrs)
		return 0;
	if (attrs->failed.code) {
		if (err)
			*err = attrs->failed;
		return -attrs->failed.code;
	}
	ops->ops = attrs->count ? lbk_pointer(attrs->ops) : 0;
	ops->count = attrs->count;
	return 0;
}

int layerblk_attrs_commit(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], const struct layerblk_attrs *attrs,
			  struct layerblk_error *err)
{
	return layerblk_vol_set(lb, uuid, 0, NULL, attrs, err);
}

int layerblk_attr_get(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t volume, const char *key,
		      char **value, size_t *value_len, struct layerblk_error *err)
{
	struct request_context context = { .what = "read the attribute", .name = key, .uuid = uuid };
	size_t room = 4096;
	char *buffer = NULL, *larger;
	int ret;

	for (;;) {
		struct lb_ioc_attr_get arg = { .size = sizeof(arg), .id = volume, .key = lbk_pointer(key),
					       .key_len = (uint32_t)strnlen(key, LB_KEY_MAX + 1) };

		larger = realloc(buffer, room + 1);
		if (!larger) {
			ret = layerblk_error_set(err, ENOMEM, context.what, key, "out of memory");
			break;
		}
		buffer = larger;
		arg.value = lbk_pointer(buffer);
		arg.value_len = (uint32_t)room;
		lbk_set_uuid(arg.uuid, uuid);
		ret = lbk_request(lb, LB_IOC_ATTR_GET, &arg, &context, err);
		if (ret == -ERANGE && room < LB_VALUE_MAX) {
			room = LB_VALUE_MAX;
			continue;
		}
		if (ret)
			break;
		buffer[arg.value_len] = 0;
		if (value_len)
			*value_len = arg.value_len;
		*value = buffer;
		return 0;
	}
	free(buffer);
	return ret;
}

/* A walk begins behind its first key, so a key that is the prefix itself is asked for by name. */
static int each_exact(struct layerblk *lb, const uint8_t *uuid, uint64_t volume, const char *key,
		      layerblk_attr_fn *each, void *arg, struct layerblk_error *err)
{
	size_t value_len;
	char *value;
	int ret = layerblk_attr_get(lb, uuid, volume, key, &value, &value_len, err);

	if (ret)
		return ret == -ENOENT ? 0 : ret;
	free(value);
	return each(arg, key, value_len);
}

int layerblk_attr_each(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t volume, const char *prefix,
		       layerblk_attr_fn *each, void *arg, struct layerblk_error *err)
{
	struct request_context context = { .what = "list the attributes", .uuid = uuid, .volume = volume };
	size_t prefix_len = prefix ? strlen(prefix) : 0;
	char key[LB_KEY_MAX + 1] = "";
	int ret = 0;

	if (prefix_len > LB_KEY_MAX)
		return 0;
	if (prefix_len) {
		memcpy(key, prefix, prefix_len + 1);
		ret = each_exact(lb, uuid, volume, key, each, arg, err);
	}
	while (!ret) {
		struct lb_ioc_attr_next next = { .size = sizeof(next), .id = volume, .key = lbk_pointer(key),
						 .key_len = (uint32_t)strlen(key) };

		lbk_set_uuid(next.uuid, uuid);
		ret = lbk_request(lb, LB_IOC_ATTR_NEXT, &next, &context, err);
		if (ret)
			return ret == -ENOENT ? 0 : ret;
		if (next.key_len > LB_KEY_MAX)
			return layerblk_error_set(err, EPROTO, context.what, NULL, "the module's answer is too long");
		key[next.key_len] = 0;
		if (prefix_len && strncmp(key, prefix, prefix_len))
			return 0;
		ret = each(arg, key, next.value_len);
	}
	return ret;
}
