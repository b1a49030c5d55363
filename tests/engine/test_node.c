// SPDX-License-Identifier: GPL-2.0
/* lb_node_check() against every kind of damage, and the accessors that rest on it. */
#include "node.h"
#include "support.h"

static struct lb_node *node_new(u8 kind, u8 level)
{
	struct lb_node *n = calloc(1, sizeof(*n));

	assert_non_null(n);
	n->header.kind = kind;
	n->header.level = level;
	n->header.gen = cpu_to_le64(100);
	return n;
}

static void set_extent(struct lb_node *n, unsigned int i, u64 lblk, u64 count, u64 pblk, u64 birth)
{
	struct lb_extent_cpu e = { .lblk = lblk, .count = count, .pblk = pblk, .birth = birth };

	n->extents[i] = lb_extent_encode(&e);
}

static struct lb_node *leaf_new(unsigned int count)
{
	struct lb_node *n = node_new(LB_TREE_MAP, 0);
	unsigned int i;

	for (i = 0; i < count; i++)
		set_extent(n, i, 10 + i * 10, 1 + i % 10, 5000 + i * 20, 1 + i % 100);
	n->header.count = cpu_to_le16(count);
	n->header.used = cpu_to_le16(count * sizeof(struct lb_extent));
	return n;
}

static struct lb_ptr some_ptr(unsigned int i, u8 level)
{
	struct lb_ref ref = { .addr = 7000 + i, .addr2 = i % 2 ? 9000 + i : 0, .gen = 1 + i % 100, .csum = i, .level = level };

	return lb_ref_encode(&ref);
}

static struct lb_node *upper_new(unsigned int count, u8 level)
{
	struct lb_node *n = node_new(LB_TREE_MAP, level);
	unsigned int i;

	for (i = 0; i < count; i++) {
		n->children[i].lblk = cpu_to_le64(10 + i * 1000);
		n->children[i].ptr = some_ptr(i, level - 1);
	}
	n->header.count = cpu_to_le16(count);
	n->header.used = cpu_to_le16(count * sizeof(struct lb_map_child));
	return n;
}

/* Item i: a key of 1 + i % 5 bytes; below the top a value of i % 7 bytes, else a pointer. */
static struct lb_node *catalog_new(unsigned int count, u8 level)
{
	struct lb_node *n = node_new(LB_TREE_CATALOG, level);
	unsigned int i, end = LB_PAYLOAD_BYTES;

	for (i = 0; i < count; i++) {
		u32 key_len = 2 + i % 5, value_len = level ? sizeof(struct lb_ptr) : i % 7;
		struct lb_item head = { .key_len = cpu_to_le16(key_len), .value_len = cpu_to_le16(value_len) };
		struct lb_ptr ptr = some_ptr(i, level - 1);

		end -= sizeof(head) + key_len + value_len;
		memcpy(n->bytes + end, &head, sizeof(head));
		memset(n->bytes + end + sizeof(head), 'k', key_len);
		n->bytes[end + sizeof(head)] = (u8)(i >> 8);
		n->bytes[end + sizeof(head) + 1] = (u8)i;
		if (level)
			memcpy(n->bytes + end + sizeof(head) + key_len, &ptr, sizeof(ptr));
		n->offsets[i] = cpu_to_le16(end);
	}
	n->header.count = cpu_to_le16(count);
	n->header.used = cpu_to_le16(LB_PAYLOAD_BYTES - end + 2 * count);
	return n;
}

static void expect_good(struct lb_node *n, u8 kind)
{
	const char *why = "?";
	int err = lb_node_check(n, kind, &why);

	if (err)
		fail_msg("refused: %s", why);
	assert_null(why);
}

/* Also frees the node. */
static void expect_bad(struct lb_node *n, u8 kind, const char *reason)
{
	const char *why = NULL;

	assert_int_equal(lb_node_check(n, kind, &why), -EUCLEAN);
	assert_string_equal(why, reason);
	free(n);
}

static void test_good(void **state)
{
	static const unsigned int counts[] = { 1, 2, 50, 101 };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		struct lb_node *n = leaf_new(counts[i]);

		expect_good(n, LB_TREE_MAP);
		free(n);
		n = upper_new(counts[i], 1 + i);
		expect_good(n, LB_TREE_MAP);
		free(n);
		n = catalog_new(counts[i], 0);
		expect_good(n, LB_TREE_CATALOG);
		free(n);
		n = catalog_new(counts[i] % 80, 1 + i);
		expect_good(n, LB_TREE_CATALOG);
		free(n);
	}
	struct lb_node *full = leaf_new(LB_MAP_LEAF_MAX);

	expect_good(full, LB_TREE_MAP);
	free(full);
}

static void test_bad_header(void **state)
{
	struct lb_node *n;

	(void)state;
	expect_bad(leaf_new(5), LB_TREE_CATALOG, "kind");
	n = leaf_new(5);
	n->header.kind = 7;
	expect_bad(n, 7, "kind");
	n = leaf_new(5);
	n->header.level = LB_TREE_MAX_LEVEL + 1;
	expect_bad(n, LB_TREE_MAP, "level");
	expect_bad(leaf_new(0), LB_TREE_MAP, "empty");
	expect_bad(upper_new(0, 1), LB_TREE_MAP, "empty");
	expect_bad(catalog_new(0, 0), LB_TREE_CATALOG, "empty");
	n = leaf_new(5);
	n->header.count = cpu_to_le16(LB_MAP_LEAF_MAX + 1);
	expect_bad(n, LB_TREE_MAP, "count");
	n = leaf_new(5);
	n->header.count = cpu_to_le16(0xffff);
	expect_bad(n, LB_TREE_MAP, "count");
	n = upper_new(5, 1);
	n->header.count = cpu_to_le16(LB_MAP_NODE_MAX + 1);
	expect_bad(n, LB_TREE_MAP, "count");
	n = catalog_new(5, 0);
	n->header.count = cpu_to_le16(LB_PAYLOAD_BYTES / 2 + 1);
	expect_bad(n, LB_TREE_CATALOG, "count");
	n = leaf_new(5);
	n->header.used = cpu_to_le16(4 * 24);
	expect_bad(n, LB_TREE_MAP, "used");
	n = upper_new(5, 3);
	n->header.used = cpu_to_le16(5 * 40 + 1);
	expect_bad(n, LB_TREE_MAP, "used");
	n = catalog_new(5, 0);
	n->header.used = cpu_to_le16(le16_to_cpu(n->header.used) + 1);
	expect_bad(n, LB_TREE_CATALOG, "used");
}

static void bad_extent(u64 lblk, u64 count, u64 pblk, u64 birth, const char *reason)
{
	struct lb_node *n = leaf_new(5);

	set_extent(n, 2, lblk, count, pblk, birth);
	expect_bad(n, LB_TREE_MAP, reason);
}

static void test_bad_leaf(void **state)
{
	struct lb_node *n;

	(void)state;
	/* Extent 1 is [20, 22), 2 is [30, 33), 3 is [40, 44). */
	bad_extent(30, 0, 6000, 5, "extent length");
	bad_extent(21, 3, 6000, 5, "extent order");
	bad_extent(20, 2, 6000, 5, "extent order");
	bad_extent(30, 11, 6000, 5, "extent order");
	bad_extent(5, 2, 6000, 5, "extent order");
	bad_extent(LB_LBLK_MAX, 2, 6000, 5, "extent length");
	bad_extent(30, 3, LB_PBLK_HOLE, 5, "extent address");
	bad_extent(30, 3, LB_POOL_MAX_BLOCKS, 5, "extent address");
	bad_extent(30, 3, LB_POOL_MAX_BLOCKS - 2, 5, "extent address");
	bad_extent(30, 3, ~0ULL, 5, "extent address");
	bad_extent(30, 3, 6000, 0, "extent birth");
	bad_extent(30, 3, 6000, 101, "extent birth");
	/* The very last block and address are fine. */
	n = leaf_new(5);
	set_extent(n, 4, LB_LBLK_MAX, 1, LB_POOL_MAX_BLOCKS - 1, 100);
	expect_good(n, LB_TREE_MAP);
	free(n);
}

static void test_bad_ptr(void **state)
{
	static const struct {
		u64 addr, addr2, gen;
		u8 level;
		const char *reason;
	} cases[] = {
		{ 0, 0, 5, 1, "child address" }, { LB_POOL_MAX_BLOCKS, 0, 5, 1, "child address" }, { 7, LB_POOL_MAX_BLOCKS, 5, 1, "child address" },
		{ 7, 7, 5, 1, "child address" }, { ~0ULL, 0, 5, 1, "child address" },
		{ 7, 0, 0, 1, "child generation" }, { 7, 0, 101, 1, "child generation" },
		{ 7, 0, 5, 0, "child level" }, { 7, 0, 5, 2, "child level" }, { 7, 0, 5, 255, "child level" },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lb_ref ref = { .addr = cases[i].addr, .addr2 = cases[i].addr2, .gen = cases[i].gen, .level = cases[i].level };
		struct lb_ptr ptr = lb_ref_encode(&ref);
		struct lb_node *n = upper_new(5, 2);

		n->children[3].ptr = ptr;
		expect_bad(n, LB_TREE_MAP, cases[i].reason);
		n = catalog_new(5, 2);
		memcpy(n->bytes + le16_to_cpu(n->offsets[3]) + 4 + 2 + 3, &ptr, sizeof(ptr));
		expect_bad(n, LB_TREE_CATALOG, cases[i].reason);
	}
}

static void test_bad_upper(void **state)
{
	struct lb_node *n = upper_new(5, 1);

	(void)state;
	n->children[2].lblk = n->children[1].lblk;
	expect_bad(n, LB_TREE_MAP, "key order");
	n = upper_new(5, 1);
	n->children[4].lblk = cpu_to_le64(11);
	expect_bad(n, LB_TREE_MAP, "key order");
	n = upper_new(5, 1);
	n->children[4].lblk = cpu_to_le64(LB_LBLK_MAX + 1);
	expect_bad(n, LB_TREE_MAP, "key");
}

/* Set the u16 at item i's head: 0 the key's length, 1 the value's. */
static struct lb_node *with_len(u8 level, unsigned int i, unsigned int which, u32 len)
{
	struct lb_node *n = catalog_new(20, level);
	__le16 v = cpu_to_le16(len);

	memcpy(n->bytes + le16_to_cpu(n->offsets[i]) + 2 * which, &v, sizeof(v));
	return n;
}

static struct lb_node *with_offset(unsigned int i, u32 offset)
{
	struct lb_node *n = catalog_new(20, 0);

	n->offsets[i] = cpu_to_le16(offset);
	return n;
}

static void test_bad_items(void **state)
{
	struct lb_node *n;
	u32 off;

	(void)state;
	expect_bad(with_len(0, 3, 0, 0), LB_TREE_CATALOG, "key length");
	expect_bad(with_len(0, 3, 0, LB_CAT_KEY_MAX + 1), LB_TREE_CATALOG, "key length");
	expect_bad(with_len(0, 3, 0, 0xffff), LB_TREE_CATALOG, "key length");
	expect_bad(with_len(0, 3, 0, 6), LB_TREE_CATALOG, "item offset");
	expect_bad(with_len(0, 3, 1, LB_CAT_VALUE_MAX + 1), LB_TREE_CATALOG, "value length");
	expect_bad(with_len(0, 3, 1, 4), LB_TREE_CATALOG, "item offset");
	expect_bad(with_len(0, 0, 1, 500), LB_TREE_CATALOG, "item offset");
	expect_bad(with_len(1, 3, 1, 31), LB_TREE_CATALOG, "value length");
	expect_bad(with_len(1, 3, 1, 0), LB_TREE_CATALOG, "value length");
	expect_bad(with_offset(3, 0), LB_TREE_CATALOG, "item offset");
	expect_bad(with_offset(3, 39), LB_TREE_CATALOG, "item offset");
	expect_bad(with_offset(3, LB_PAYLOAD_BYTES - 1), LB_TREE_CATALOG, "item offset");
	expect_bad(with_offset(3, LB_PAYLOAD_BYTES), LB_TREE_CATALOG, "item offset");
	expect_bad(with_offset(3, 0xffff), LB_TREE_CATALOG, "item offset");
	expect_bad(with_offset(19, 0xfff0), LB_TREE_CATALOG, "item offset");
	/* Two offsets the wrong way round. */
	n = catalog_new(20, 0);
	off = le16_to_cpu(n->offsets[4]);
	n->offsets[4] = n->offsets[5];
	n->offsets[5] = cpu_to_le16(off);
	expect_bad(n, LB_TREE_CATALOG, "item offset");
	/* A key not greater than the one before. */
	n = catalog_new(20, 0);
	n->bytes[le16_to_cpu(n->offsets[6]) + 4 + 1] = 4;
	expect_bad(n, LB_TREE_CATALOG, "key order");
}

static void read_all(const struct lb_node *n, u8 kind)
{
	unsigned int i, sum = 0;

	for (i = 0; i < lb_node_count(n); i++) {
		if (kind == LB_TREE_CATALOG) {
			struct lb_item_cpu it = lb_node_item(n, i);
			u32 k;

			for (k = 0; k < it.key_len; k++)
				sum += it.key[k];
			for (k = 0; k < it.value_len; k++)
				sum += it.value[k];
			assert_int_equal(lb_node_find_key(n, it.key, it.key_len), i + 1);
		} else if (!lb_node_level(n)) {
			struct lb_extent_cpu e = lb_extent_decode(&n->extents[i]);

			assert_int_equal(lb_node_find_extent(n, e.lblk), i);
		} else {
			assert_int_equal(lb_node_find_child(n, le64_to_cpu(n->children[i].lblk)), i);
		}
		if (lb_node_level(n))
			assert_int_equal(lb_node_child(n, kind, i).level, lb_node_level(n) - 1);
	}
	(void)sum;
}

/* Whatever passes the check can be read: under the address sanitizer this is the proof. */
static void test_fuzz(void **state)
{
	unsigned int round, flips, passed = 0;

	(void)state;
	srand(1);
	for (round = 0; round < 60000; round++) {
		u8 kind = round % 2 ? LB_TREE_MAP : LB_TREE_CATALOG, level = round % 3;
		struct lb_node *n;
		const char *why;

		if (kind == LB_TREE_CATALOG)
			n = catalog_new(1 + (unsigned int)rand() % 60, level);
		else
			n = level ? upper_new(1 + (unsigned int)rand() % 101, level) : leaf_new(1 + (unsigned int)rand() % 168);
		for (flips = (unsigned int)rand() % 4; flips; flips--) {
			unsigned int at = (unsigned int)rand() % (rand() % 2 ? 200 : LB_BLOCK_BYTES);

			((u8 *)n)[at] = (u8)((unsigned int)rand() % 3 ? rand() : (rand() % 2 ? 0xff : 0));
		}
		n->header.kind = kind;
		if (!lb_node_check(n, kind, &why)) {
			read_all(n, kind);
			passed++;
		} else {
			assert_non_null(why);
		}
		free(n);
	}
	assert_in_range(passed, 1000, 59000);
}

static void test_find(void **state)
{
	struct lb_node *n = leaf_new(20);

	(void)state;
	/* Extent i: [10 + 10 i, 10 + 10 i + 1 + i % 10). */
	assert_int_equal(lb_node_find_extent(n, 0), 0);
	assert_int_equal(lb_node_find_extent(n, 10), 0);
	assert_int_equal(lb_node_find_extent(n, 11), 1);
	assert_int_equal(lb_node_find_extent(n, 21), 1);
	assert_int_equal(lb_node_find_extent(n, 22), 2);
	assert_int_equal(lb_node_find_extent(n, 209), 19);
	assert_int_equal(lb_node_find_extent(n, 210), 20);
	assert_int_equal(lb_node_find_extent(n, ~0ULL), 20);
	assert_int_equal(lb_node_first_lblk(n), 10);
	free(n);
	n = upper_new(3, 1);
	assert_int_equal(lb_node_find_child(n, 0), 0);
	assert_int_equal(lb_node_find_child(n, 1009), 0);
	assert_int_equal(lb_node_find_child(n, 1010), 1);
	assert_int_equal(lb_node_find_child(n, ~0ULL), 2);
	assert_int_equal(lb_node_child_end(n, 0, 77777), 1010);
	assert_int_equal(lb_node_child_end(n, 2, 77777), 77777);
	free(n);
}

static void test_key_cmp(void **state)
{
	const u8 *a = (const u8 *)"abc", *b = (const u8 *)"abd", *z = (const u8 *)"\xff";

	(void)state;
	assert_int_equal(lb_key_cmp(a, 3, a, 3), 0);
	assert_true(lb_key_cmp(a, 2, a, 3) < 0);
	assert_true(lb_key_cmp(a, 3, a, 2) > 0);
	assert_true(lb_key_cmp(a, 3, b, 3) < 0);
	assert_true(lb_key_cmp(b, 3, a, 3) > 0);
	assert_true(lb_key_cmp(z, 1, a, 3) > 0);
	assert_true(lb_key_cmp(a, 0, a, 1) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good), cmocka_unit_test(test_bad_header), cmocka_unit_test(test_bad_leaf), cmocka_unit_test(test_bad_ptr),
		cmocka_unit_test(test_bad_upper), cmocka_unit_test(test_bad_items), cmocka_unit_test(test_fuzz), cmocka_unit_test(test_find),
		cmocka_unit_test(test_key_cmp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
