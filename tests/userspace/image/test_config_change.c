// SPDX-License-Identifier: GPL-2.0-or-later
/* Instructions of a Dockerfile that change an image's config. */
#include "../test.h"
#include "cleanup.h"
#include "config_change.h"

static struct layerblk_error error;

/* What the config is after one line, as JSON. */
static const char *after(const char *before, const char *line)
{
	static char text[4096];
	json_object *image = json_tokener_parse(before);

	memset(&error, 0, sizeof(error));
	if (config_change_line(image, line, &error) != 0)
		snprintf(text, sizeof(text), "error: %s", error.why);
	else
		snprintf(text, sizeof(text), "%s", json_object_to_json_string_ext(json_object_object_get(image, "config"),
										  JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(image);
	return text;
}

static void test_commands(void **state)
{
	(void)state;
	assert_string_equal(after("{}", "CMD [\"a\", \"b c\"]"), "{\"Cmd\":[\"a\",\"b c\"]}");
	assert_string_equal(after("{}", "cmd echo \"$HOME\" "), "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo \\\"$HOME\\\"\"]}");
	assert_string_equal(after("{}", "CMD [1]"), "{\"Cmd\":[\"/bin/sh\",\"-c\",\"[1]\"]}");
	assert_string_equal(after("{\"config\":{\"Shell\":[\"/bin/bash\",\"-ec\"]}}", "ENTRYPOINT run"),
			    "{\"Shell\":[\"/bin/bash\",\"-ec\"],\"Entrypoint\":[\"/bin/bash\",\"-ec\",\"run\"]}");
	assert_string_equal(after("{}", "SHELL [\"/bin/bash\", \"-c\"]"), "{\"Shell\":[\"/bin/bash\",\"-c\"]}");
	assert_non_null(strstr(after("{}", "SHELL /bin/sh"), "error: it needs a JSON list"));
	assert_non_null(strstr(after("{}", "CMD"), "error: it has no arguments"));
}

static void test_pairs(void **state)
{
	(void)state;
	assert_string_equal(after("{}", "ENV A=1 B=\"two words\" C='$x' D=a\\ b"),
			    "{\"Env\":[\"A=1\",\"B=two words\",\"C=$x\",\"D=a b\"]}");
	assert_string_equal(after("{}", "ENV A  the rest = of it"), "{\"Env\":[\"A=the rest = of it\"]}");
	assert_string_equal(after("{\"config\":{\"Env\":[\"PATH=/bin\",\"A=1\"]}}", "ENV A=2"), "{\"Env\":[\"PATH=/bin\",\"A=2\"]}");
	assert_string_equal(after("{}", "LABEL \"a.b\"=\"c\\\"d\" e="), "{\"Labels\":{\"a.b\":\"c\\\"d\",\"e\":\"\"}}");
	assert_non_null(strstr(after("{}", "ENV A"), "error:"));
	assert_non_null(strstr(after("{}", "ENV A=1 B"), "error: each of its words"));
	assert_non_null(strstr(after("{}", "ENV =1"), "error:"));
	assert_non_null(strstr(after("{}", "LABEL a=\"b"), "error: a quote"));
}

static void test_ports_and_paths(void **state)
{
	(void)state;
	assert_string_equal(after("{}", "EXPOSE 80 443/TCP 53/udp 8000-8002"),
			    "{\"ExposedPorts\":{\"80/tcp\":{},\"443/tcp\":{},\"53/udp\":{},\"8000/tcp\":{},\"8001/tcp\":{},\"8002/tcp\":{}}}");
	assert_non_null(strstr(after("{}", "EXPOSE 80 0"), "error:"));
	assert_non_null(strstr(after("{}", "EXPOSE 70000"), "error:"));
	assert_non_null(strstr(after("{}", "EXPOSE 80/icmp"), "error:"));
	assert_non_null(strstr(after("{}", "EXPOSE 80x"), "error:"));
	assert_string_equal(after("{}", "VOLUME /a /b"), "{\"Volumes\":{\"/a\":{},\"/b\":{}}}");
	assert_string_equal(after("{}", "VOLUME [\"/a b\"]"), "{\"Volumes\":{\"/a b\":{}}}");
	assert_non_null(strstr(after("{}", "VOLUME [\"\"]"), "error:"));
	assert_string_equal(after("{}", "WORKDIR /a//b/../c/."), "{\"WorkingDir\":\"/a/c\"}");
	assert_string_equal(after("{\"config\":{\"WorkingDir\":\"/a\"}}", "WORKDIR b c"), "{\"WorkingDir\":\"/a/b c\"}");
	assert_string_equal(after("{}", "WORKDIR \"/x y\""), "{\"WorkingDir\":\"/x y\"}");
	assert_string_equal(after("{}", "WORKDIR ../.."), "{\"WorkingDir\":\"/\"}");
	assert_string_equal(after("{}", "USER 1000:1000"), "{\"User\":\"1000:1000\"}");
	assert_non_null(strstr(after("{}", "USER a b"), "error: it needs one word"));
	assert_string_equal(after("{}", "STOPSIGNAL SIGINT"), "{\"StopSignal\":\"SIGINT\"}");
}

static void test_the_others(void **state)
{
	(void)state;
	assert_string_equal(after("{}", "HEALTHCHECK --interval=5m --timeout=3s --retries=4 CMD curl -f http://x"),
			    "{\"Healthcheck\":{\"Interval\":300000000000,\"Timeout\":3000000000,\"Retries\":4,"
			    "\"Test\":[\"CMD-SHELL\",\"curl -f http://x\"]}}");
	assert_string_equal(after("{}", "HEALTHCHECK CMD [\"a\"]"), "{\"Healthcheck\":{\"Test\":[\"CMD\",\"a\"]}}");
	assert_string_equal(after("{}", "HEALTHCHECK NONE"), "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}");
	assert_non_null(strstr(after("{}", "HEALTHCHECK echo"), "error: it needs NONE"));
	assert_non_null(strstr(after("{}", "HEALTHCHECK --often CMD x"), "error: it has an option"));
	assert_string_equal(after("{}", "ONBUILD RUN make"), "{\"OnBuild\":[\"RUN make\"]}");
	assert_non_null(strstr(after("{}", "ONBUILD FROM x"), "error:"));
	assert_non_null(strstr(after("{}", "RUN x"), "error: it does not change"));
	assert_non_null(strstr(after("{}", ""), "error:"));
	assert_true(config_instruction_known("env"));
	assert_false(config_instruction_known("COPY"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_ports_and_paths),
		cmocka_unit_test(test_the_others),
	};

	return cmocka_run_group_tests_name("config changes", tests, NULL, NULL);
}
