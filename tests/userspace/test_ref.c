// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of pools and volumes: taken apart, checked, found. */
#include "test.h"
#include "fake_module.h"
#include "ref.h"

static const uint8_t one[LB_UUID_LEN] = { 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t two[LB_UUID_LEN] = { 0x12, 0x34, 0x99, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1, 2, 3, 4, 5, 6, 7, 9 };

static struct layerblk *lb;

static int one_pool(void **state)
{
	(void)state;
	fake_reset();
	fake_add_pool(one, "main");
	fake_add_volume(one, 1, "base", 0, LB_VOL_FROZEN);
	fake_add_volume(one, 3, "web", 1, 0);
	fake_add_volume(one, 5, "id:x", 0, 0);
	lb = fake_open();
	return 0;
}

static int two_pools(void **state)
{
	one_pool(state);
	fake_add_pool(two, NULL);
	fake_add_volume(two, 1, "other", 0, 0);
	return 0;
}

static int close_fake(void **state)
{
	(void)state;
	fake_close(lb);
	return 0;
}

static void takes_references_apart(void **state)
{
	struct ref ref;

	(void)state;
	assert_int_equal(ref_parse("web", &ref, NULL), 0);
	assert_null(ref.pool);
	assert_string_equal(ref.name, "web");
	ref_clear(&ref);
	assert_int_equal(ref_parse("main/web", &ref, NULL), 0);
	assert_string_equal(ref.pool, "main");
	assert_string_equal(ref.name, "web");
	ref_clear(&ref);
	assert_int_equal(ref_parse("/dev/vda/web", &ref, NULL), 0);
	assert_string_equal(ref.pool, "/dev/vda");
	ref_clear(&ref);
	assert_int_equal(ref_parse("id:17", &ref, NULL), 0);
	assert_null(ref.name);
	assert_int_equal(ref.id, 17);
	ref_clear(&ref);
	assert_int_equal(ref_parse("1234/id:17", &ref, NULL), 0);
	assert_string_equal(ref.pool, "1234");
	assert_int_equal(ref.id, 17);
	ref_clear(&ref);
	assert_int_equal(ref_parse("id:x", &ref, NULL), 0);	/* no number: a name like any other */
	assert_string_equal(ref.name, "id:x");
	ref_clear(&ref);
}

static void refuses_references(void **state)
{
	static const char *const bad[] = { "", "/", "main/", "/web", ".", "..", "main/..", "a\tb", "a\nb", "\x7f" };
	struct layerblk_error err;
	struct ref ref;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ref_parse(bad[i], &ref, &err), -EINVAL);
}

static void checks_names(void **state)
{
	char name[LB_NAME_MAX + 2];
	struct layerblk_error err;

	(void)state;
	memset(name, 'a', sizeof(name));
	name[LB_NAME_MAX] = 0;
	assert_int_equal(layerblk_name_check(name, &err), 0);
	name[LB_NAME_MAX] = 'a';
	name[LB_NAME_MAX + 1] = 0;
	assert_int_equal(layerblk_name_check(name, &err), -ENAMETOOLONG);
	assert_int_equal(layerblk_name_check("gr\xc3\xbc\xc3\x9f", &err), 0);
	assert_int_equal(layerblk_name_check("\xff\xfe", &err), 0);
	assert_int_equal(layerblk_name_check("a b", &err), 0);
	assert_int_equal(layerblk_name_check("-rf", &err), 0);
	assert_int_equal(layerblk_name_check("...", &err), 0);
	assert_int_equal(layerblk_name_check("a/b", &err), -EINVAL);
	assert_non_null(strstr(err.why, "'/'"));
	assert_int_equal(layerblk_name_check("", &err), -EINVAL);
	assert_int_equal(layerblk_name_check("\x1b[2J", &err), -EINVAL);
	assert_null(strchr(err.why, '\x1b'));
	assert_null(strchr(err.subject, '\x1b'));
}

static void checks_labels(void **state)
{
	static const char *const good[] = { "main", "a", "cab", "dead-end", "x.y_z", "01z" };
	static const char *const bad[] = { "", "cafe", "1234", "12-34", "a/b", "-a", ".a", "a b", "\xc3\xbc" };
	char label[80];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(pool_label_check(good[i], NULL), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(pool_label_check(bad[i], NULL), -EINVAL);
	memset(label, 'x', sizeof(label));
	label[63] = 0;
	assert_int_equal(pool_label_check(label, NULL), 0);
	label[63] = 'x';
	label[64] = 0;
	assert_int_equal(pool_label_check(label, NULL), -EINVAL);
}

static void matches_uuid_prefixes(void **state)
{
	char text[UUID_TEXT];
	uint8_t back[LB_UUID_LEN];

	(void)state;
	assert_true(ref_matches_uuid("1234", one));
	assert_true(ref_matches_uuid("123456789ABC", one));
	assert_true(ref_matches_uuid("12345678-9abc", one));
	assert_true(ref_matches_uuid(uuid_text(one, text), one));
	assert_false(ref_matches_uuid("123", one));
	assert_false(ref_matches_uuid("12345679", one));
	assert_false(ref_matches_uuid("1234x", one));
	assert_false(ref_matches_uuid("12345678-9abc-def0-0102-0304050607080", one));
	assert_int_equal(uuid_from_text(text, back), 0);
	assert_memory_equal(back, one, LB_UUID_LEN);
	assert_int_equal(uuid_from_text("12345678", back), -EINVAL);
}

static void finds_the_only_pool(void **state)
{
	struct lb_ioc_pool_status pool;
	struct layerblk_error err;

	(void)state;
	assert_int_equal(ref_find_pool(lb, NULL, &pool, &err), 0);
	assert_memory_equal(pool.uuid, one, LB_UUID_LEN);
	assert_int_equal(ref_find_pool(lb, "main", &pool, &err), 0);
	assert_int_equal(ref_find_pool(lb, "1234", &pool, &err), 0);
	assert_int_equal(ref_find_pool(lb, "nope", &pool, &err), -ENODEV);
	assert_non_null(strstr(err.hint, "pool ls"));
	assert_int_equal(ref_find_pool(lb, "123", &pool, &err), -ENODEV);
}

static void tells_pools_apart(void **state)
{
	struct lb_ioc_pool_status pool;
	struct layerblk_error err;

	(void)state;
	assert_int_equal(ref_find_pool(lb, NULL, &pool, &err), -ENOTUNIQ);
	assert_int_equal(ref_find_pool(lb, "1234", &pool, &err), -ENOTUNIQ);
	assert_int_equal(ref_find_pool(lb, "123499", &pool, &err), 0);
	assert_memory_equal(pool.uuid, two, LB_UUID_LEN);
	assert_int_equal(ref_find_pool(lb, "main", &pool, &err), 0);
	assert_memory_equal(pool.uuid, one, LB_UUID_LEN);
}

static void no_pool_is_a_clear_error(void **state)
{
	struct lb_ioc_pool_status pool;
	struct layerblk_error err;

	(void)state;
	fake_reset();
	assert_int_equal(ref_find_pool(lb, NULL, &pool, &err), -ENODEV);
	assert_string_equal(err.why, "no pool is open");
	assert_int_equal(ref_find_pool(lb, "main", &pool, &err), -ENODEV);
}

static void finds_volumes(void **state)
{
	struct found_volume found;
	struct layerblk_error err;

	(void)state;
	assert_int_equal(ref_find_volume(lb, "main/web", "look", &found, &err), 0);
	assert_int_equal(found.info.id, 3);
	assert_int_equal(ref_find_volume(lb, "123499/id:1", "look", &found, &err), 0);
	assert_string_equal(found.info.name, "other");
	assert_memory_equal(found.uuid, two, LB_UUID_LEN);
	assert_int_equal(ref_find_volume(lb, "main/id:x", "look", &found, &err), 0);
	assert_int_equal(found.info.id, 5);
	assert_int_equal(ref_find_volume(lb, "web", "look", &found, &err), -ENOTUNIQ);
	assert_int_equal(ref_find_volume(lb, "main/other", "look", &found, &err), -ENOENT);
	assert_string_equal(err.subject, "\"main/other\"");
	assert_int_equal(ref_find_volume(lb, "main/id:99", "look", &found, &err), -ENOENT);
}

static void names_new_volumes(void **state)
{
	struct layerblk_error err;
	uint8_t uuid[LB_UUID_LEN];
	char *name;

	(void)state;
	assert_int_equal(ref_new_volume(lb, "fresh", "make", one, uuid, &name, &err), 0);
	assert_string_equal(name, "fresh");
	assert_memory_equal(uuid, one, LB_UUID_LEN);
	free(name);
	assert_int_equal(ref_new_volume(lb, "main/fresh", "make", one, uuid, &name, &err), 0);
	free(name);
	assert_int_equal(ref_new_volume(lb, "123499/fresh", "make", one, uuid, &name, &err), -EXDEV);
	assert_int_equal(ref_new_volume(lb, "fresh", "make", NULL, uuid, &name, &err), -ENOTUNIQ);
	assert_int_equal(ref_new_volume(lb, "main/id:4", "make", NULL, uuid, &name, &err), -EINVAL);
	assert_int_equal(ref_new_volume(lb, "main/a\x01", "make", NULL, uuid, &name, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_references_apart), cmocka_unit_test(refuses_references),
		cmocka_unit_test(checks_names), cmocka_unit_test(checks_labels), cmocka_unit_test(matches_uuid_prefixes),
		cmocka_unit_test_setup_teardown(finds_the_only_pool, one_pool, close_fake),
		cmocka_unit_test_setup_teardown(tells_pools_apart, two_pools, close_fake),
		cmocka_unit_test_setup_teardown(no_pool_is_a_clear_error, one_pool, close_fake),
		cmocka_unit_test_setup_teardown(finds_volumes, two_pools, close_fake),
		cmocka_unit_test_setup_teardown(names_new_volumes, two_pools, close_fake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
