// SPDX-License-Identifier: GPL-2.0-or-later
/* liblayerblk against a module in this process: what requests carry, what failures say, lists and walks. */
#include <fcntl.h>
#include <unistd.h>
#include "test.h"
#include "fake_module.h"
#include "../../userspace/lib/internal.h"

static const uint8_t pool[LB_UUID_LEN] = { 1, 2, 3 };
static struct layerblk *lb;
static struct layerblk_error err;

static int open_fake(void **state)
{
	(void)state;
	fake_reset();
	fake_add_pool(pool, NULL);
	memset(&err, 0, sizeof(err));
	lb = fake_open();
	return 0;
}

static int close_fake(void **state)
{
	(void)state;
	fake_close(lb);
	return 0;
}

static void creates_with_attributes(void **state)
{
	struct layerblk_attrs *attrs = layerblk_attrs_new();
	uint64_t id = 0;

	(void)state;
	layerblk_attrs_set_string(attrs, LB_ATTR_NEW_VOLUME, "label.role", "web", 0);
	layerblk_attrs_delete(attrs, 0, "old", LB_ATTR_MUST_EXIST);
	assert_int_equal(layerblk_attrs_count(attrs), 2);
	assert_int_equal(layerblk_vol_create(lb, pool, "web1", 1 << 20, 0, attrs, &id, &err), 0);
	assert_int_equal(id, 77);
	assert_string_equal(fake_last.name, "web1");
	assert_int_equal(fake_last.volume_size, 1 << 20);
	assert_int_equal(fake_last.attr_count, 2);
	assert_string_equal(fake_last.attr_key, "label.role");
	assert_string_equal(fake_last.attr_value, "web");
	layerblk_attrs_free(attrs);
}

static void failed_additions_fail_the_request(void **state)
{
	struct layerblk_attrs *attrs = layerblk_attrs_new();
	char key[LB_KEY_MAX + 2];
	int i;

	(void)state;
	memset(key, 'k', sizeof(key));
	key[LB_KEY_MAX + 1] = 0;
	layerblk_attrs_set_string(attrs, 1, key, "v", 0);
	assert_int_equal(layerblk_attrs_commit(lb, pool, attrs, &err), -ENAMETOOLONG);
	assert_int_equal(fake_last.request, 0);
	layerblk_attrs_free(attrs);

	attrs = layerblk_attrs_new();
	for (i = 0; i <= LB_ATTR_OPS_MAX; i++)
		layerblk_attrs_set_string(attrs, 1, "key", "v", 0);
	assert_int_equal(layerblk_attrs_commit(lb, pool, attrs, &err), -E2BIG);
	layerblk_attrs_free(attrs);

	attrs = layerblk_attrs_new();
	layerblk_attrs_set(attrs, 1, "", "v", 1, 0);
	assert_int_equal(layerblk_attrs_commit(lb, pool, attrs, &err), -EINVAL);
	layerblk_attrs_free(attrs);
}

static void failures_say_what_why_and_what_next(void **state)
{
	char text[2048];

	(void)state;
	fake_fail(LB_IOC_VOL_CREATE, EEXIST);
	assert_int_equal(layerblk_vol_create(lb, pool, "web1", 4096, 0, NULL, NULL, &err), -EEXIST);
	assert_int_equal(err.code, EEXIST);
	assert_string_equal(layerblk_error_format(&err, text, sizeof(text)),
			    "cannot create the volume \"web1\": a volume of this name exists. Choose another name, or remove "
			    "that volume");
	fake_fail(LB_IOC_VOL_CREATE, ENOSPC);	/* by the general row */
	assert_int_equal(layerblk_vol_create(lb, pool, "web1", 4096, 0, NULL, NULL, &err), -ENOSPC);
	assert_string_equal(err.why, "the pool is full");
	fake_fail(LB_IOC_VOL_CREATE, EXFULL);	/* by no row */
	assert_int_equal(layerblk_vol_create(lb, pool, "web1", 4096, 0, NULL, NULL, &err), -EXFULL);
	assert_string_equal(err.why, strerror(EXFULL));
	fake_fail(LB_IOC_VOL_CREATE, EEXIST);
	assert_int_equal(layerblk_vol_create(lb, pool, "web1", 4096, 0, NULL, NULL, NULL), -EEXIST);
	assert_int_equal(layerblk_error_set(NULL, EINVAL, "do", "it", "%s", "no"), -EINVAL);
	assert_int_equal(layerblk_error_hint(NULL, "%s", "next"), -EINVAL);
}

static void failures_by_id_tell_the_name(void **state)
{
	(void)state;
	fake_add_volume(pool, 4, "web", 0, 0);
	assert_int_equal(layerblk_vol_rm(lb, pool, 4, 0, NULL, &err), -ENOTTY);
	assert_string_equal(err.subject, "\"web\"");
	assert_int_equal(layerblk_vol_rm(lb, pool, 5, 0, NULL, &err), -ENOTTY);
	assert_string_equal(err.subject, "id:5");
}

static void error_text_is_cut_not_overrun(void **state)
{
	char name[2000], text[64];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = 0;
	assert_int_equal(layerblk_error_set(&err, EINVAL, name, name, "%s", name), -EINVAL);
	layerblk_error_hint(&err, "%s", name);
	assert_int_equal(strlen(err.why), sizeof(err.why) - 1);
	assert_int_equal(strlen(layerblk_error_format(&err, text, sizeof(text))), sizeof(text) - 1);
	layerblk_error_format(&err, text, 1);
	assert_int_equal(text[0], 0);
}

static void lists_volumes_in_order(void **state)
{
	struct lb_vol_info *list;
	size_t n;
	int i;

	(void)state;
	assert_int_equal(layerblk_vol_list(lb, pool, 0, &list, &n, &err), 0);
	assert_int_equal(n, 0);
	free(list);
	for (i = 40; i > 0; i--)
		fake_add_volume(pool, (uint64_t)i, "v", 0, i % 2 ? LB_VOL_HIDDEN : 0);
	assert_int_equal(layerblk_vol_list(lb, pool, 0, &list, &n, &err), 0);
	assert_int_equal(n, 20);
	for (i = 0; i < 20; i++)
		assert_int_equal(list[i].id, 2 * i + 2);
	free(list);
	assert_int_equal(layerblk_vol_list(lb, pool, LB_STAT_HIDDEN, &list, &n, &err), 0);
	assert_int_equal(n, 40);
	free(list);
	fake_fail(LB_IOC_VOL_STAT, EUCLEAN);
	assert_int_equal(layerblk_vol_list(lb, pool, 0, &list, &n, &err), -EUCLEAN);
}

static void reads_attributes_of_any_length(void **state)
{
	char longer[6000], *value;
	size_t len;

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	fake_set_attr(pool, 7, "short", "abc");
	fake_set_attr(pool, 7, "long", longer);
	assert_int_equal(layerblk_attr_get(lb, pool, 7, "short", &value, &len, &err), 0);
	assert_string_equal(value, "abc");
	assert_int_equal(len, 3);
	free(value);
	assert_int_equal(layerblk_attr_get(lb, pool, 7, "long", &value, NULL, &err), 0);
	assert_string_equal(value, longer);
	free(value);
	assert_int_equal(layerblk_attr_get(lb, pool, 7, "none", &value, &len, &err), -ENOENT);
}

static int collect(void *arg, const char *key, size_t value_len)
{
	char *keys = arg;

	sprintf(keys + strlen(keys), "%s:%zu ", key, value_len);
	return !strcmp(key, "stop") ? 55 : 0;
}

static void walks_attributes_by_prefix(void **state)
{
	char keys[256] = "";

	(void)state;
	fake_set_attr(pool, 7, "b.2", "xx");
	fake_set_attr(pool, 7, "a", "1");
	fake_set_attr(pool, 7, "b.", "");
	fake_set_attr(pool, 7, "b.1", "x");
	fake_set_attr(pool, 7, "c", "1");
	fake_set_attr(pool, 8, "b.3", "1");
	assert_int_equal(layerblk_attr_each(lb, pool, 7, "b.", collect, keys, &err), 0);
	assert_string_equal(keys, "b.:0 b.1:1 b.2:2 ");
	keys[0] = 0;
	assert_int_equal(layerblk_attr_each(lb, pool, 7, NULL, collect, keys, &err), 0);
	assert_string_equal(keys, "a:1 b.:0 b.1:1 b.2:2 c:1 ");
	fake_set_attr(pool, 7, "stop", "1");
	assert_int_equal(layerblk_attr_each(lb, pool, 7, "s", collect, keys, &err), 55);
}

static int count_range(void *arg, const struct lb_range *range)
{
	uint64_t *next = arg;

	assert_int_equal(range->start, *next * 10);
	return ++*next == 1400 ? 9 : 0;
}

static int sum_ranges(void *arg, const struct lb_range *range)
{
	*(uint64_t *)arg += range->count;
	return 0;
}

static void diffs_in_several_requests(void **state)
{
	uint64_t sum = 0, next = 0;

	(void)state;
	assert_int_equal(layerblk_diff(lb, pool, 1, 2, sum_ranges, &sum, &err), 0);
	assert_int_equal(sum, 1500);
	assert_int_equal(layerblk_diff(lb, pool, 1, 2, count_range, &next, &err), 9);
	assert_int_equal(next, 1400);
}

/* Events come by read(), so a pipe serves. */
static void reads_events(void **state)
{
	struct lb_event event = { .size = sizeof(event), .type = LB_EVENT_VOL_CREATE, .volume = 3, .name = "web" }, got;
	unsigned char longer[sizeof(event) + 64] = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	lb->fd = fds[0];
	assert_int_equal(layerblk_event_read(lb, 0, &got, &err), 0);
	assert_int_equal(layerblk_event_read(lb, 20, &got, &err), 0);
	assert_int_equal(write(fds[1], &event, sizeof(event)), sizeof(event));
	event.volume = 4;
	event.size = sizeof(longer);		/* of a newer module */
	memcpy(longer, &event, sizeof(event));
	assert_int_equal(write(fds[1], longer, sizeof(longer)), sizeof(longer));
	assert_int_equal(layerblk_event_read(lb, -1, &got, &err), 1);
	assert_int_equal(got.volume, 3);
	assert_string_equal(got.name, "web");
	assert_int_equal(layerblk_event_read(lb, -1, &got, &err), 1);
	assert_int_equal(got.volume, 4);
	event.size = 4;
	assert_int_equal(write(fds[1], &event, sizeof(event)), sizeof(event));
	assert_int_equal(layerblk_event_read(lb, -1, &got, &err), -EPROTO);
	close(fds[1]);
	assert_int_equal(layerblk_event_read(lb, -1, &got, &err), -ENODATA);
	close(fds[0]);
	assert_string_equal(layerblk_event_name(LB_EVENT_VOL_CREATE), "volume-create");
	assert_string_equal(layerblk_event_name(LB_EVENT_LOST), "events-lost");
	assert_string_equal(layerblk_event_name(0), "unknown");
	assert_string_equal(layerblk_event_name(LB_EVENT_LOST + 1), "unknown");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fake, close_fake)
	const struct CMUnitTest tests[] = {
		TEST(creates_with_attributes), TEST(failed_additions_fail_the_request),
		TEST(failures_say_what_why_and_what_next), TEST(failures_by_id_tell_the_name),
		TEST(error_text_is_cut_not_overrun), TEST(lists_volumes_in_order), TEST(reads_attributes_of_any_length),
		TEST(walks_attributes_by_prefix), TEST(diffs_in_several_requests), TEST(reads_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
