// SPDX-License-Identifier: GPL-2.0-or-later
/* Sizes, numbers, durations: what is understood, what is refused and with which words. */
#include "test.h"
#include "size.h"

#define KIB 1024ULL
#define GIB (KIB * KIB * KIB)

static void reads_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 }, { "1", 1 }, { "4096", 4096 }, { "1k", KIB }, { "1K", KIB }, { "1kb", KIB }, { "1KiB", KIB },
		{ "512M", 512 * KIB * KIB }, { "1G", GIB }, { "1g", GIB }, { "1GiB", GIB }, { "1.5G", GIB + GIB / 2 },
		{ "0.5KiB", 512 }, { "2T", 2 * KIB * GIB }, { "1P", KIB * KIB * GIB }, { "7E", 7 * KIB * KIB * KIB * GIB },
		{ "10b", 10 }, { "9223372036854775807", INT64_MAX }, { "0.1G", 107374182 }, { "1.0000000001k", 1024 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t bytes = 42;

		assert_int_equal(size_parse(good[i].text, &bytes, "use", NULL), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void refuses_what_is_no_size(void **state)
{
	static const char *const bad[] = {
		"", " ", "-1", "+1", "G", "1X", "1GG", "1 G", "1.G", ".5G", "1..5G", "0x10", "1e3", "1GiBx", "ten", "1,5G", "nan",
	};
	struct layerblk_error err;
	uint64_t bytes = 42;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(size_parse(bad[i], &bytes, "use", &err), -EINVAL);
		assert_int_equal(err.code, EINVAL);
		assert_non_null(strstr(err.why, "no size"));
		assert_int_equal(bytes, 42);
	}
}

static void refuses_what_is_too_large(void **state)
{
	static const char *const bad[] = {
		"9223372036854775808", "8E", "18446744073709551616", "99999999999999999999999999", "8192P", "16777216T",
	};
	struct layerblk_error err;
	uint64_t bytes;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(size_parse(bad[i], &bytes, "use", &err), -ERANGE);
}

static void volume_sizes_are_exact(void **state)
{
	struct layerblk_error err;
	uint64_t bytes = 42;

	(void)state;
	assert_int_equal(size_parse_volume("4096", &bytes, "use", &err), 0);
	assert_int_equal(bytes, 4096);
	assert_int_equal(size_parse_volume("512P", &bytes, "use", &err), 0);
	assert_int_equal(bytes, LB_VOLUME_SIZE_MAX);
	assert_int_equal(size_parse_volume("0", &bytes, "use", &err), -EINVAL);
	assert_int_equal(size_parse_volume("4097", &bytes, "use", &err), -EINVAL);
	assert_non_null(strstr(err.hint, "8192"));
	assert_int_equal(size_parse_volume("513P", &bytes, "use", &err), -ERANGE);
	assert_int_equal(size_parse_volume("9223372036854775808", &bytes, "use", &err), -ERANGE);
	assert_int_equal(bytes, LB_VOLUME_SIZE_MAX);
}

static void writes_sizes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{ 0, "0B" }, { 1, "1B" }, { 1023, "1023B" }, { 1024, "1KiB" }, { 1536, "1.5KiB" }, { 4096, "4KiB" },
		{ 10 * KIB * KIB, "10MiB" }, { GIB + GIB / 4, "1.25GiB" }, { 100 * GIB, "100GiB" }, { GIB - 1, "1GiB" },
		{ 1023 * KIB, "1023KiB" }, { 1234 * KIB, "1.21MiB" }, { 12345 * KIB, "12.06MiB" }, { 123456 * KIB, "120.6MiB" },
		{ UINT64_MAX, "16EiB" },
	};
	char text[SIZE_TEXT];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_string_equal(size_format(sizes[i].bytes, text), sizes[i].text);
}

static void reads_numbers(void **state)
{
	uint64_t value = 7;

	(void)state;
	assert_int_equal(number_parse("0", 10, &value, "use", NULL), 0);
	assert_int_equal(value, 0);
	assert_int_equal(number_parse("18446744073709551615", UINT64_MAX, &value, "use", NULL), 0);
	assert_true(value == UINT64_MAX);
	assert_int_equal(number_parse("18446744073709551616", UINT64_MAX, &value, "use", NULL), -ERANGE);
	assert_int_equal(number_parse("11", 10, &value, "use", NULL), -ERANGE);
	assert_int_equal(number_parse("1.0", 10, &value, "use", NULL), -EINVAL);
	assert_int_equal(number_parse("1a", 10, &value, "use", NULL), -EINVAL);
	assert_int_equal(number_parse("", 10, &value, "use", NULL), -EINVAL);
}

static void reads_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {
		{ "0", 0 }, { "5", 5000 }, { "250ms", 250 }, { "1s", 1000 }, { "1.5s", 1500 }, { "10m", 600000 },
		{ "1h30m", 5400000 }, { "1d", 86400000 }, { "1m1s1ms", 61001 },
	};
	static const char *const bad[] = { "", "s", "1x", "1h30", "-1s", "1 s", "ms5" };
	uint64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(duration_parse(good[i].text, &ms, "use", NULL), 0);
		assert_int_equal(ms, good[i].ms);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(duration_parse(bad[i], &ms, bad[i], NULL), -EINVAL);
	assert_int_equal(duration_parse("999999999999999999d", &ms, "use", NULL), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_sizes), cmocka_unit_test(refuses_what_is_no_size),
		cmocka_unit_test(refuses_what_is_too_large), cmocka_unit_test(volume_sizes_are_exact),
		cmocka_unit_test(writes_sizes), cmocka_unit_test(reads_numbers), cmocka_unit_test(reads_durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
