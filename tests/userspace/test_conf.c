// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration file: what is understood, and that mistakes are named with their line. */
#include "test.h"
#include "conf.h"

static char path[] = "/tmp/layerblk-conf-XXXXXX";

/* "root" of a file with this text; the error's subject and reason are in err. */
static int root_of(const char *text, char **value, struct layerblk_error *err)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	memset(err, 0, sizeof(*err));
	return conf_get(path, "root", value, err);
}

static void reads(void **state)
{
	static const struct {
		const char *text, *value;
	} good[] = {
		{ "", NULL }, { "root = shared", "shared" }, { "root=plain\n", "plain" }, { "# root = shared\n", NULL },
		{ "\n\t\n  # x\n \troot \t=\t shared \r\n\n", "shared" },
	};
	struct layerblk_error err;
	char *value;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		if (root_of(good[i].text, &value, &err) != 0)
			fail_msg("%s: %s", good[i].text, err.why);
		if (good[i].value)
			assert_string_equal(value, good[i].value);
		else
			assert_null(value);
		free(value);
	}
	unlink(path);
	assert_int_equal(conf_get(path, "root", &value, &err), 0);
	assert_null(value);
}

static void names_the_line(void **state)
{
	static const struct {
		const char *text, *line, *why;
	} bad[] = {
		{ "roots = shared", ":1", "roots" }, { "root = shared\n\nroot = shared\n", ":3", "twice" }, { "# x\nroot", ":2", "KEY = VALUE" },
		{ "root = plain\n= x\n", ":2", "KEY = VALUE" }, { "root =\n", ":1", "no value" }, { "root = Shared\n", ":1", "Shared" },
		{ "root = shared # always\n", ":1", "always" },
	};
	struct layerblk_error err;
	char *value, *colon;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(root_of(bad[i].text, &value, &err), -EINVAL);
		assert_null(value);
		colon = strrchr(err.subject, ':');
		assert_non_null(colon);
		assert_string_equal(colon, bad[i].line);
		assert_non_null(strstr(err.why, bad[i].why));
	}
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(names_the_line),
	};
	int fd = mkstemp(path);

	close(fd);
	return cmocka_run_group_tests_name("configuration", tests, NULL, NULL);
}
