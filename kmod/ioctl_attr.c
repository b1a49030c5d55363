// SPDX-License-Identifier: GPL-2.0
/*
 * Names, attributes and differences on their way in and out: everything that a request names by pointer and length. All lengths
 * are checked before anything is copied, and a copy is what is worked with: the caller may change its memory meanwhile.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "control.h"
#include "disk.h"

#define LBK_DIFF_MAX	4096u		/* ranges in one answer; a caller with more room asks again */

int lbk_text_get(struct lbk_text *t, u64 pointer, u32 len, bool optional)
{
	t->name.s = t->buf;
	t->name.len = len;
	if (!len)
		return optional && !pointer ? 0 : -EINVAL;
	if (len > LB_NAME_MAX)
		return -EINVAL;
	if (copy_from_user(t->buf, u64_to_user_ptr(pointer), len))
		return -EFAULT;
	t->buf[len] = '\0';
	return 0;
}

/* ------------------------------------------------------------------ changes that ride along */

static int lbk_attr_op_check(const struct lb_attr_op *op, bool new_volume)
{
	if (op->flags & ~(LB_ATTR_DELETE | LB_ATTR_EXCLUSIVE | LB_ATTR_MUST_EXIST) || op->pad)
		return -EINVAL;
	if ((op->flags & LB_ATTR_EXCLUSIVE) && (op->flags & (LB_ATTR_DELETE | LB_ATTR_MUST_EXIST)))
		return -EINVAL;
	if (!op->key_len || op->key_len > LB_KEY_MAX)
		return -EINVAL;
	if (op->value_len > LB_VALUE_MAX || ((op->flags & LB_ATTR_DELETE) && op->value_len))
		return -EINVAL;
	if (op->volume == LB_ATTR_NEW_VOLUME && !new_volume)
		return -EINVAL;
	return 0;
}

static int lbk_attr_copy(struct lb_attr_change *c, const struct lb_attr_op *op, char **at)
{
	if (copy_from_user(*at, u64_to_user_ptr(op->key), op->key_len))
		return -EFAULT;
	if (memchr(*at, '\0', op->key_len))
		return -EINVAL;
	c->vol = op->volume;
	c->key = *at;
	c->key_len = op->key_len;
	*at += op->key_len;
	if (op->value_len && copy_from_user(*at, u64_to_user_ptr(op->value), op->value_len))
		return -EFAULT;
	c->value = *at;
	c->value_len = op->value_len;
	c->flags = op->flags;
	*at += op->value_len;
	return 0;
}

static int lbk_attrs_copy(struct lbk_attrs *a, const struct lb_attr_op *ops, unsigned int count, bool new_volume)
{
	size_t bytes = 0;
	unsigned int i;
	char *at;
	int err;

	for (i = 0; i < count; i++) {
		err = lbk_attr_op_check(&ops[i], new_volume);
		if (err)
			return err;
		bytes += ops[i].key_len + ops[i].value_len;
	}
	if (bytes > LB_TX_MAX)
		return -E2BIG;
	a->changes = kvcalloc(count, sizeof(*a->changes), GFP_KERNEL_ACCOUNT);
	a->bytes = kvmalloc(bytes, GFP_KERNEL_ACCOUNT);
	if (!a->changes || !a->bytes)
		return -ENOMEM;
	at = a->bytes;
	for (i = 0; i < count; i++) {
		err = lbk_attr_copy(&a->changes[i], &ops[i], &at);
		if (err)
			return err;
	}
	a->tx.changes = a->changes;
	a->tx.count = count;
	return 0;
}

int lbk_attrs_get(struct lbk_attrs *a, const struct lb_attr_ops *from, bool new_volume)
{
	struct lb_attr_op *ops;
	int err;

	BUILD_BUG_ON(LB_CHANGE_DELETE != LB_ATTR_DELETE || LB_CHANGE_EXCLUSIVE != LB_ATTR_EXCLUSIVE ||
		     LB_CHANGE_MUST_EXIST != LB_ATTR_MUST_EXIST || LB_NEW_VOLUME != LB_ATTR_NEW_VOLUME);
	memset(a, 0, sizeof(*a));
	if (from->pad)
		return -EINVAL;
	if (!from->count)
		return 0;
	if (from->count > LB_ATTR_OPS_MAX)
		return -EINVAL;
	ops = vmemdup_user(u64_to_user_ptr(from->ops), array_size(from->count, sizeof(*ops)));
	if (IS_ERR(ops))
		return PTR_ERR(ops);
	err = lbk_attrs_copy(a, ops, from->count, new_volume);
	kvfree(ops);
	if (err)
		lbk_attrs_put(a);
	return err;
}

void lbk_attrs_put(struct lbk_attrs *a)
{
	kvfree(a->changes);
	kvfree(a->bytes);
	a->changes = NULL;
	a->bytes = NULL;
}

bool lbk_attrs_relabel(const struct lbk_attrs *a)
{
	unsigned int i;

	for (i = 0; i < a->tx.count; i++) {
		if (!a->changes[i].vol && a->changes[i].key_len == strlen(LBK_LABEL_KEY) &&
		    !memcmp(a->changes[i].key, LBK_LABEL_KEY, strlen(LBK_LABEL_KEY)))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ reading them */

int lbk_ioctl_attr_get(void *arg)
{
	struct lb_ioc_attr_get *r = arg;
	u32 room = min(r->value_len, LB_VALUE_MAX), len = room;
	struct lbk_text key;
	struct lbk_pool *pool;
	void *value;
	int err;

	err = lbk_text_get(&key, r->key, r->key_len, false);
	if (err)
		return err;
	value = kvmalloc(room ?: 1, GFP_KERNEL_ACCOUNT);
	if (!value)
		return -ENOMEM;
	err = -ENODEV;
	pool = lbk_pool_get(r->uuid);
	if (pool) {
		err = lb_attr_get(pool->engine, r->id, key.name.s, key.name.len, value, &len);
		lbk_pool_put(pool);
	}
	if (!err && copy_to_user(u64_to_user_ptr(r->value), value, len))
		err = -EFAULT;
	r->value_len = len;
	kvfree(value);
	return err;
}

int lbk_ioctl_attr_next(void *arg)
{
	struct lb_ioc_attr_next *r = arg;
	struct lbk_text key = { };
	struct lbk_pool *pool;
	u32 value_len = 0;
	int err;

	if (r->key_len) {
		err = lbk_text_get(&key, r->key, r->key_len, false);
		if (err)
			return err;
	}
	pool = lbk_pool_get(r->uuid);
	if (!pool)
		return -ENODEV;
	err = lb_attr_next(pool->engine, r->id, key.buf, &r->key_len, &value_len);
	lbk_pool_put(pool);
	if (err)
		return err;
	r->value_len = value_len;
	key.buf[r->key_len] = '\0';
	return copy_to_user(u64_to_user_ptr(r->key), key.buf, r->key_len + 1) ? -EFAULT : 0;
}

/* ------------------------------------------------------------------ differences */

static int lbk_diff_out(u64 pointer, const struct lb_diff_range *ranges, unsigned int n)
{
	struct lb_range __user *user = u64_to_user_ptr(pointer);
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct lb_range out = {
			.start = ranges[i].start,
			.count = ranges[i].count,
			.flags = ranges[i].mapped ? LB_RANGE_MAPPED : 0,
		};

		if (copy_to_user(&user[i], &out, sizeof(out)))
			return -EFAULT;
	}
	return 0;
}

int lbk_ioctl_diff(void *arg)
{
	struct lb_ioc_diff *r = arg;
	unsigned int n = min(r->count, LBK_DIFF_MAX);
	struct lb_diff_range *ranges;
	struct lbk_pool *pool;
	int err = -ENODEV;

	if (!n)
		return -EINVAL;
	ranges = kvcalloc(n, sizeof(*ranges), GFP_KERNEL_ACCOUNT);
	if (!ranges)
		return -ENOMEM;
	pool = lbk_pool_get(r->uuid);
	if (pool) {
		err = lb_diff(pool->engine, r->a, r->b, &r->cursor, ranges, &n);
		lbk_pool_put(pool);
	}
	if (!err)
		err = lbk_diff_out(r->ranges, ranges, n);
	r->count = n;
	kvfree(ranges);
	return err;
}
