// SPDX-License-Identifier: GPL-2.0-or-later
/* Dockerfiles taken apart, each mistake named with its line; variables; .dockerignore. */
#include "../test.h"
#include "dockerfile.h"
#include "expand.h"
#include "pattern.h"

static struct layerblk_error error;
static struct dockerfile file;

static void parse(const char *text)
{
	memset(&error, 0, sizeof(error));
	if (dockerfile_parse("Dockerfile", text, strlen(text), &file, &error) != 0)
		fail_msg("%s: %s", error.subject, error.why);
}

/* Must be refused, at this line, with a text that has `word`. */
static void wrong(const char *text, int line, const char *word)
{
	char subject[64];

	memset(&error, 0, sizeof(error));
	assert_int_equal(dockerfile_parse("Dockerfile", text, strlen(text), &file, &error), -EINVAL);
	snprintf(subject, sizeof(subject), "Dockerfile:%d", line);
	assert_string_equal(error.subject, subject);
	if (!strstr(error.why, word))
		fail_msg("\"%s\" has no \"%s\"", error.why, word);
}

static void test_lines(void **state)
{
	(void)state;
	parse("# a comment\n\nfrom  debian:12 as Base\nRUN apt-get update && \\\n  # not this\n\n  apt-get install \\  \n\tnginx\nCMD [\"nginx\", \"-g\"]\r\n");
	assert_int_equal(file.count, 3);
	assert_string_equal(file.instructions[0].keyword, "FROM");
	assert_int_equal(file.instructions[0].line, 3);
	assert_int_equal(file.instructions[1].line, 4);
	assert_string_equal(file.instructions[1].arguments, "apt-get update &&   apt-get install \tnginx");
	assert_int_equal(file.instructions[2].line, 9);
	assert_string_equal(file.instructions[2].arguments, "[\"nginx\", \"-g\"]");
	assert_string_equal(file.stages[0].name, "base");
	assert_string_equal(file.stages[0].base, "debian:12");
	dockerfile_clear(&file);
	parse("\xef\xbb\xbf# escape=`\nFROM scratch\nRUN dir `\n c:\\");
	assert_int_equal(file.escape, '`');
	assert_string_equal(file.instructions[1].arguments, "dir  c:\\");
	dockerfile_clear(&file);
	parse("FROM x\n# escape=`\nRUN a \\\n b");	/* too late: a comment */
	assert_string_equal(file.instructions[1].arguments, "a  b");
	dockerfile_clear(&file);
	parse("# syntax=docker/dockerfile:1\n# escape=\\\nFROM x");
	dockerfile_clear(&file);
}

static void test_flags_and_heredocs(void **state)
{
	const struct instruction *copy;

	(void)state;
	parse("FROM x\nCOPY --from=0 --chown=\"a b\":c --chmod=644 a b /c/\nRUN <<EOF cat >/x && <<-'E2' sh\n$one\n# kept\n\nEOF\n\ttwo\n\tE2\n"
	      "COPY <<a <<b /dest/\n1\na\n2\nb\nHEALTHCHECK --interval=1s CMD x\nRUN echo '<<NO' 1<<<2");
	copy = &file.instructions[1];
	assert_string_equal(instruction_flag(copy, "from"), "0");
	assert_string_equal(instruction_flag(copy, "chmod"), "644");
	assert_string_equal(instruction_flag(copy, "chown"), "\"a b\":c");
	assert_null(instruction_flag(copy, "link"));
	assert_string_equal(copy->arguments, "a b /c/");
	assert_int_equal(file.instructions[2].heredoc_count, 2);
	assert_string_equal(file.instructions[2].heredocs[0].content, "$one\n# kept\n\n");
	assert_true(file.instructions[2].heredocs[0].expand);
	assert_string_equal(file.instructions[2].heredocs[1].content, "two\n");
	assert_false(file.instructions[2].heredocs[1].expand);
	assert_int_equal(file.instructions[3].heredoc_count, 2);
	assert_string_equal(file.instructions[3].heredocs[1].content, "2\n");
	assert_string_equal(file.instructions[4].arguments, "--interval=1s CMD x");
	assert_int_equal(file.instructions[5].heredoc_count, 0);
	dockerfile_clear(&file);
}

static void test_stages(void **state)
{
	(void)state;
	parse("ARG V=12\nARG W\nFROM --platform=linux/arm64 debian:$V AS one\nRUN a\nFROM one AS two\nFROM scratch\nCOPY --from=one a b");
	assert_int_equal(file.globals, 2);
	assert_int_equal(file.stage_count, 3);
	assert_int_equal(file.stages[0].first, 2);
	assert_int_equal(file.stages[0].count, 2);
	assert_string_equal(file.stages[0].platform, "linux/arm64");
	assert_string_equal(file.stages[0].base, "debian:$V");
	assert_null(file.stages[2].name);
	assert_int_equal(dockerfile_stage_find(&file, "TWO", 3), 1);
	assert_int_equal(dockerfile_stage_find(&file, "two", 1), -1);
	assert_int_equal(dockerfile_stage_find(&file, "0", 2), 0);
	assert_int_equal(dockerfile_stage_find(&file, "2", 2), -1);
	dockerfile_clear(&file);
}

static void test_mistakes(void **state)
{
	(void)state;
	wrong("", 1, "no FROM");
	wrong("# only\n# this\n", 2, "no FROM");
	wrong("FROM x\n\nRUNN y\n", 3, "no instruction \"RUNN\"");
	wrong("FROM x\nRUN\n", 2, "RUN needs arguments");
	wrong("RUN x\nFROM y", 1, "before the first FROM");
	wrong("FROM x y", 1, "FROM is of the form");
	wrong("FROM x AS", 1, "FROM is of the form");
	wrong("FROM x IS y", 1, "FROM is of the form");
	wrong("FROM x AS a b", 1, "FROM is of the form");
	wrong("FROM x AS 1a", 1, "cannot name a stage");
	wrong("FROM x AS a\nFROM y AS A", 2, "already");
	wrong("FROM x\nCOPY --form=a b c", 2, "no flag \"--form=a\"");
	wrong("FROM x\nWORKDIR --x /", 2, "no flag");
	wrong("FROM x\nCOPY --from=a", 2, "no arguments");
	wrong("FROM x\nRUN <<EOF\nno end\n", 2, "a line \"EOF\", is missing");
	wrong("# escape=x\nFROM x", 1, "escape character");
	wrong("# escape=`\n# escape=`\nFROM x", 2, "more than one");
	assert_int_equal(dockerfile_parse("Dockerfile", "FROM\0x", 6, &file, &error), -EINVAL);
}

/* ------------------------------------------------------------------ variables */

static const char *expanded(const char *text, enum expand_way way)
{
	static char result[1024];
	struct variables variables = { 0 };
	char *out = NULL;

	variables_set(&variables, "x", "old");
	variables_set(&variables, "x", "X");
	variables_set(&variables, "two", "a b'\"");
	variables_set(&variables, "empty", "");
	memset(&error, 0, sizeof(error));
	if (expand(text, &variables, '\\', way, &out, &error) != 0)
		snprintf(result, sizeof(result), "error: %s", error.why);
	else
		snprintf(result, sizeof(result), "%s", out);
	free(out);
	variables_clear(&variables);
	return result;
}

static void test_expansion(void **state)
{
	(void)state;
	assert_string_equal(expanded("$x ${x} $xy. $x.y \\$x '$x' \"$x\" $", EXPAND_QUOTED), "X X . X.y \\$x '$x' \"X\" $");
	assert_string_equal(expanded("a$two \"$two\"", EXPAND_QUOTED), "aa\\ b\\'\\\" \"a b'\\\"\"");
	assert_string_equal(expanded("${x:-d} ${n:-d} ${n-d} ${empty-d} ${empty:-d} ${n:-${x}$x}", EXPAND_QUOTED), "X d d  d XX");
	assert_string_equal(expanded("${x:+d} ${n:+d} ${empty+d} ${empty:+d}.", EXPAND_QUOTED), "d  d .");
	assert_string_equal(expanded("${n:?is needed}", EXPAND_QUOTED), "error: is needed");
	assert_string_equal(expanded("${x:?is needed}", EXPAND_QUOTED), "X");
	assert_non_null(strstr(expanded("${x", EXPAND_QUOTED), "no \"}\""));
	assert_non_null(strstr(expanded("${}", EXPAND_QUOTED), "not followed"));
	assert_non_null(strstr(expanded("${x%y}", EXPAND_QUOTED), "operator"));
	assert_string_equal(expanded("'$x' \"$two\" \\$x \\\\ \\n", EXPAND_PLAIN), "'X' \"a b'\"\" $x \\ \\n");
	assert_string_equal(expanded("$1 $$x", EXPAND_QUOTED), "$1 $X");
}

/* ------------------------------------------------------------------ patterns */

static void test_patterns(void **state)
{
	(void)state;
	assert_true(pattern_matches("a*.c", "abc.c"));
	assert_false(pattern_matches("*", "a/b"));
	assert_true(pattern_matches("*/b", "a/b"));
	assert_true(pattern_matches("**/b", "b"));
	assert_true(pattern_matches("**/b", "x/y/b"));
	assert_true(pattern_matches("a/**", "a/x/y"));
	assert_true(pattern_matches("a/**/z", "a/z"));
	assert_true(pattern_matches("a/**/z", "a/b/c/z"));
	assert_false(pattern_matches("a/**/z", "b/z"));
	assert_true(pattern_matches("**.go", "x/y.go"));
	assert_true(pattern_matches("[a-c]?", "bz"));
	assert_false(pattern_matches("[^a-c]?", "bz"));
	assert_true(pattern_matches("\\*a", "*a"));
	assert_false(pattern_matches("?", "/"));
	assert_true(pattern_matches("[]]", "]"));
	assert_true(pattern_is_one("a?"));
	assert_false(pattern_is_one("a\\?"));
}

static void test_ignore(void **state)
{
	static const char text[] = "# comment\n/build\n*.o\n  \n!keep.o\n**/node_modules\ndocs/../tmp/\n!build/this/one\nsub/*.md\n!sub/README.md\r\n";
	struct ignore ignore;

	(void)state;
	assert_int_equal(ignore_parse(text, strlen(text), &ignore, &error), 0);
	assert_true(ignore_has(&ignore, "build"));
	assert_true(ignore_has(&ignore, "build/x/y"));
	assert_false(ignore_has(&ignore, "build/this/one"));
	assert_false(ignore_has(&ignore, "build/this/one/x"));
	assert_true(ignore_has(&ignore, "a.o"));
	assert_false(ignore_has(&ignore, "x/a.o"));
	assert_false(ignore_has(&ignore, "keep.o"));
	assert_true(ignore_has(&ignore, "x/node_modules/y"));
	assert_true(ignore_has(&ignore, "tmp/x"));
	assert_false(ignore_has(&ignore, "docs"));
	assert_true(ignore_has(&ignore, "sub/a.md"));
	assert_false(ignore_has(&ignore, "sub/README.md"));
	assert_false(ignore_has(&ignore, "# comment"));
	assert_false(ignore_prunes(&ignore, "build"));
	ignore_clear(&ignore);
	assert_int_equal(ignore_parse("a", 1, &ignore, &error), 0);
	assert_true(ignore_prunes(&ignore, "a"));
	assert_false(ignore_has(NULL, "a"));
	ignore_clear(&ignore);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_flags_and_heredocs),
		cmocka_unit_test(test_stages),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_expansion),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_ignore),
	};

	return cmocka_run_group_tests_name("Dockerfiles", tests, NULL, NULL);
}
