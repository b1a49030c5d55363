// SPDX-License-Identifier: GPL-2.0
/* Attributes of volumes and of the pool, and that all of a request happens or nothing of it. */
#include "poollab.h"

#define POOL_BLOCKS	8192ull

/* ------------------------------------------------------------------ attributes */

static int set_attr(struct poollab *pl, u64 vol, const char *key, const void *value, u32 len, unsigned int flags)
{
	const struct lb_attr_change change = {
		.vol = vol, .key = key, .key_len = (u32)strlen(key), .value = value, .value_len = len, .flags = flags,
	};
	const struct lb_tx tx = { .changes = &change, .count = 1 };

	return lb_vol_set(pl->pool, vol, NULL, &tx);
}

static void expect_attr(struct poollab *pl, u64 vol, const char *key, const void *value, u32 len)
{
	u8 *buf = malloc(len + 1);
	u32 got = 0;

	if (len) {
		assert_int_equal(lb_attr_get(pl->pool, vol, key, (u32)strlen(key), buf, &got), -ERANGE);
		assert_int_equal(got, len);
	}
	got = len;
	assert_ok(lb_attr_get(pl->pool, vol, key, (u32)strlen(key), buf, &got));
	assert_int_equal(got, len);
	assert_memory_equal(buf, value, len);
	free(buf);
}

static void expect_no_attr(struct poollab *pl, u64 vol, const char *key)
{
	u32 len = 0;

	assert_int_equal(lb_attr_get(pl->pool, vol, key, (u32)strlen(key), NULL, &len), -ENOENT);
}

static void attributes_of_every_length(void **state)
{
	static const u32 lengths[] = { 0, 1, 1000, 1016, 1020, 1024, 1025, 2044, 2048, 5000, 100000, 1 << 20, 3000, 5,
				       0 };
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 10);
	u8 *value = malloc(1 << 20);
	struct pl_used before;
	unsigned int i;
	u32 j;

	(void)state;
	before = pl_used(pl);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (j = 0; j < lengths[i]; j++)
			value[j] = (u8)(j * 7 + j / 256 + i);
		assert_ok(set_attr(pl, v, "k", value, lengths[i], 0));
		expect_attr(pl, v, "k", value, lengths[i]);
		if (i & 1)
			pl_reopen(pl);
		else
			pl_crash(pl);
		expect_attr(pl, v, "k", value, lengths[i]);
		expect_no_attr(pl, 0, "k");
	}
	assert_ok(set_attr(pl, v, "k", NULL, 0, LB_CHANGE_DELETE));
	expect_no_attr(pl, v, "k");
	pl_assert_used(pl, before);
	assert_int_equal(set_attr(pl, v, "k", value, (1 << 20) + 1, 0), -EINVAL);
	free(value);
	pl_free(pl);
}

static void attributes_are_listed_in_order_and_go_with_their_volume(void **state)
{
	static const char *const keys[] = { "label:a", "Z", "label", "label:b", "\xff" };
	static const char *const order[] = { "Z", "label", "label:a", "label:b", "\xff" };
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 10), w = pl_create(pl, "w", 10);
	struct pl_used before = pl_used(pl);
	u32 key_len = 0, value_len;
	unsigned int i, round;
	char key[256];
	u64 x;

	(void)state;
	x = pl_create(pl, "x", 10);
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		assert_ok(set_attr(pl, x, keys[i], "value", i, 0));
		assert_ok(set_attr(pl, w, keys[i], "other", 5, 0));
		assert_ok(set_attr(pl, 0, keys[i], "pool", 4, 0));
	}
	for (round = 0; round < 2; round++) {
		key_len = 0;
		for (i = 0; i < ARRAY_SIZE(order); i++) {
			assert_ok(lb_attr_next(pl->pool, x, key, &key_len, &value_len));
			assert_int_equal(key_len, strlen(order[i]));
			assert_memory_equal(key, order[i], key_len);
		}
		assert_int_equal(value_len, 4);
		assert_int_equal(lb_attr_next(pl->pool, x, key, &key_len, &value_len), -ENOENT);
		key_len = 0;
		assert_int_equal(lb_attr_next(pl->pool, v, key, &key_len, &value_len), -ENOENT);
		pl_reopen(pl);
	}
	pl_remove(pl, x);
	expect_no_attr(pl, x, "label");
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		expect_attr(pl, w, keys[i], "other", 5);
		assert_ok(set_attr(pl, w, keys[i], NULL, 0, LB_CHANGE_DELETE));
		expect_attr(pl, 0, keys[i], "pool", 4);
		assert_ok(set_attr(pl, 0, keys[i], NULL, 0, LB_CHANGE_DELETE));
	}
	pl_assert_used(pl, before);
	pl_free(pl);
}

static void attribute_changes_that_are_refused(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 10);
	char longest[257] = { 0 };
	struct lb_attr_change nul = { .vol = v, .key = "a\0b", .key_len = 3 }, many[5];
	struct lb_tx tx = { .changes = &nul, .count = 1 };
	void *value = calloc(1, 1 << 20);
	unsigned int i;
	u32 len = 0;

	(void)state;
	memset(longest, 'k', 256);
	assert_int_equal(set_attr(pl, v, "", "x", 1, 0), -EINVAL);
	assert_int_equal(set_attr(pl, v, longest, "x", 1, 0), -EINVAL);
	assert_int_equal(set_attr(pl, v, "k", "x", 1, 8), -EINVAL);
	assert_int_equal(lb_vol_set(pl->pool, v, NULL, &tx), -EINVAL);
	assert_int_equal(lb_attr_get(pl->pool, v, "", 0, NULL, &len), -EINVAL);
	assert_int_equal(lb_attr_get(pl->pool, v + 1, "k", 1, NULL, &len), -ENOENT);
	assert_int_equal(set_attr(pl, v + 1, "k", "x", 1, 0), -ENOENT);
	assert_int_equal(set_attr(pl, v, "k", NULL, 0, LB_CHANGE_MUST_EXIST), -ENOENT);
	assert_int_equal(set_attr(pl, v, "k", NULL, 0, LB_CHANGE_MUST_EXIST | LB_CHANGE_DELETE), -ENOENT);
	assert_ok(set_attr(pl, v, "k", NULL, 0, LB_CHANGE_DELETE));	/* nothing there: fine */
	assert_ok(set_attr(pl, v, "k", "1", 1, LB_CHANGE_EXCLUSIVE));
	assert_int_equal(set_attr(pl, v, "k", "2", 1, LB_CHANGE_EXCLUSIVE), -EEXIST);
	assert_ok(set_attr(pl, v, "k", "3", 1, LB_CHANGE_MUST_EXIST));
	expect_attr(pl, v, "k", "3", 1);
	longest[255] = 0;
	assert_ok(set_attr(pl, v, longest, "x", 1, 0));
	for (i = 0; i < 5; i++)
		many[i] = (struct lb_attr_change){ .vol = v, .key = &longest[i], .key_len = 10 + i,
						   .value = value, .value_len = 1 << 20 };
	tx = (struct lb_tx){ .changes = many, .count = 5 };
	assert_int_equal(lb_vol_set(pl->pool, v, NULL, &tx), -E2BIG);
	expect_no_attr(pl, v, "kkkkkkkkkk");
	free(value);
	pl_free(pl);
}

/* What a request says about attributes happens with it, or neither does. */
static void a_transaction_happens_whole_or_not_at_all(void **state)
{
	struct poollab *pl = pl_new(POOL_BLOCKS);
	u64 v = pl_create(pl, "v", 10), base = pl_create(pl, "base", 10), id = 0, writes;
	struct lb_attr_change changes[] = {
		{ .vol = LB_NEW_VOLUME, .key = "mine", .key_len = 4, .value = "new", .value_len = 3 },
		{ .vol = 0, .key = "tag", .key_len = 3, .value = "1", .value_len = 1, .flags = LB_CHANGE_EXCLUSIVE },
		{ .vol = v, .key = "seen", .key_len = 4, .value = "yes", .value_len = 3 },
	};
	const struct lb_tx tx = { .changes = changes, .count = 3 };
	struct lb_vol_change set = {
		.set = LB_SET_NAME | LB_SET_QUOTA | LB_SET_SIZE, .name = name_of("renamed"),
		.quota = 3, .size_blocks = 20,
	};

	(void)state;
	pl_freeze(pl, base);
	writes = pl_pool_stat(pl).journal_writes;
	assert_ok(lb_vol_create(pl->pool, name_of("new"), 10, 0, &tx, &id));
	assert_int_equal(pl_pool_stat(pl).journal_writes, writes + 1);
	expect_attr(pl, id, "mine", "new", 3);
	assert_ok(set_attr(pl, v, "seen", NULL, 0, LB_CHANGE_DELETE));
	assert_ok(set_attr(pl, id, "mine", NULL, 0, LB_CHANGE_DELETE));

	/* The tag is there now, so all of these fail at the second change and leave no trace of the first. */
	assert_int_equal(lb_vol_create(pl->pool, name_of("x"), 10, 0, &tx, &id), -EEXIST);
	assert_int_equal(lb_vol_snapshot(pl->pool, v, name_of("x"), false, 0, &tx, &id), -EEXIST);
	assert_int_equal(lb_vol_snapshot(pl->pool, base, name_of("x"), false, 0, &tx, &id), -EEXIST);
	changes[0].vol = v;
	assert_int_equal(lb_vol_freeze(pl->pool, v, name_of("x"), &tx), -EEXIST);
	assert_int_equal(lb_vol_remove(pl->pool, v, false, &tx), -EEXIST);
	assert_int_equal(lb_vol_set(pl->pool, v, &set, &tx), -EEXIST);
	assert_int_equal(lb_vol_find(pl->pool, name_of("x"), &id), -ENOENT);
	expect_no_attr(pl, v, "mine");
	expect_no_attr(pl, v, "seen");
	pl_reopen(pl);
	assert_string_equal(pl_stat(pl, v).name, "v");
	assert_int_equal(pl_stat(pl, v).size_blocks, 10);
	assert_int_equal(pl_stat(pl, v).quota, 0);
	assert_int_equal(pl_stat(pl, v).frozen, 0);
	expect_no_attr(pl, v, "mine");

	/* Two changes of one key, or of a new volume where none is made, have no meaning. */
	changes[1] = changes[0];
	assert_int_equal(lb_vol_set(pl->pool, v, &set, &tx), -EINVAL);
	changes[0].vol = LB_NEW_VOLUME;
	assert_int_equal(lb_vol_set(pl->pool, v, &set, &tx), -EINVAL);
	assert_int_equal(lb_vol_freeze(pl->pool, v, name_of(""), &tx), -EINVAL);

	/* All of it is durable on return. */
	changes[0].vol = v;
	changes[1].vol = 0;
	assert_ok(lb_vol_set(pl->pool, v, &set, &tx));
	pl_crash(pl);
	assert_string_equal(pl_stat(pl, v).name, "renamed");
	assert_int_equal(pl_stat(pl, v).size_blocks, 20);
	assert_int_equal(pl_stat(pl, v).quota, 3);
	expect_attr(pl, v, "mine", "new", 3);
	expect_attr(pl, v, "seen", "yes", 3);
	expect_attr(pl, 0, "mine", "new", 3);
	pl_free(pl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_of_every_length),
		cmocka_unit_test(attributes_are_listed_in_order_and_go_with_their_volume),
		cmocka_unit_test(attribute_changes_that_are_refused),
		cmocka_unit_test(a_transaction_happens_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
