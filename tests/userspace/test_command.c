// SPDX-License-Identifier: GPL-2.0-or-later
/* The command table: lookup, options, and what holds for every row. */
#include <fcntl.h>
#include <unistd.h>
#include "test.h"
#include "command.h"
#include "help.h"
#include "options.h"

#define ARGV(...) ((char *[]){ __VA_ARGS__, NULL })
#define ARGC(argv) (int)(sizeof(argv) / sizeof(char *) - 1)

static char s_x[] = "x", s_force[] = "--force", s_name[] = "--name", s_name_a[] = "--name=a", s_b[] = "b", s_f[] = "-f",
	    s_fnc[] = "-fnc", s_dd[] = "--", s_dash_q[] = "-q", s_bogus[] = "--bogus", s_help[] = "--help", s_h[] = "-h",
	    s_n[] = "-n";

static const struct command_option options[] = {
	{ .name = "force", .letter = 'f', .help = "F" },
	{ .name = "name", .letter = 'n', .value = "NAME", .help = "N" },
	{ 0 },
};
static const struct command sample = { .path = "sample", .args = "", .options = options, .max_args = -1 };
static const struct command first = { .path = "first", .args = "", .options = options, .max_args = -1,
				      .options_first = true };

/* Usage errors go to standard error, which is not what is tested here. */
static enum options_result parse(struct command_call *call, const struct command *command, int argc, char **argv)
{
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
	enum options_result result;

	*call = (struct command_call){ .command = command };
	fflush(stderr);
	dup2(null, STDERR_FILENO);
	result = options_parse(call, argc, argv);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(null);
	return result;
}

static void parses_options_anywhere(void **state)
{
	struct command_call call;

	(void)state;
	assert_int_equal(parse(&call, &sample, 5, ARGV(s_x, s_b, s_force, s_name, s_x)), OPTIONS_OK);
	assert_true(option_is_set(&call, "force"));
	assert_string_equal(option_value(&call, "name"), "x");
	assert_int_equal(call.argc, 1);
	assert_string_equal(call.argv[0], "b");
	options_free(&call);
	assert_int_equal(parse(&call, &sample, 3, ARGV(s_x, s_fnc, s_name_a)), OPTIONS_OK);
	assert_true(option_is_set(&call, "force"));
	assert_string_equal(option_nth(&call, "name", 0), "c");
	assert_string_equal(option_nth(&call, "name", 1), "a");
	assert_null(option_nth(&call, "name", 2));
	assert_string_equal(option_value(&call, "name"), "a");
	options_free(&call);
	assert_int_equal(parse(&call, &sample, 1, ARGV(s_x)), OPTIONS_OK);
	assert_false(option_is_set(&call, "force"));
	assert_null(option_value(&call, "name"));
	assert_int_equal(call.argc, 0);
	options_free(&call);
}

static void double_dash_ends_options(void **state)
{
	struct command_call call;

	(void)state;
	assert_int_equal(parse(&call, &sample, 3, ARGV(s_x, s_dd, s_force)), OPTIONS_OK);
	assert_false(option_is_set(&call, "force"));
	assert_string_equal(call.argv[0], "--force");
	options_free(&call);
}

/* `run IMAGE sh -c ...`: what follows the first argument is the command's own. */
static void first_argument_can_end_options(void **state)
{
	struct command_call call;

	(void)state;
	assert_int_equal(parse(&call, &first, 5, ARGV(s_x, s_f, s_b, s_force, s_bogus)), OPTIONS_OK);
	assert_true(option_is_set(&call, "force"));
	assert_int_equal(call.argc, 3);
	assert_string_equal(call.argv[1], "--force");
	options_free(&call);
}

static void wrong_options_are_refused(void **state)
{
	struct command_call call;

	(void)state;
	assert_int_equal(parse(&call, &sample, 2, ARGV(s_x, s_bogus)), OPTIONS_WRONG);
	options_free(&call);
	assert_int_equal(parse(&call, &sample, 2, ARGV(s_x, s_dash_q)), OPTIONS_WRONG);
	options_free(&call);
	assert_int_equal(parse(&call, &sample, 2, ARGV(s_x, s_n)), OPTIONS_WRONG);
	options_free(&call);
	assert_int_equal(parse(&call, &sample, 2, ARGV(s_x, s_name)), OPTIONS_WRONG);
	options_free(&call);
}

static void help_is_always_there(void **state)
{
	struct command_call call;

	(void)state;
	assert_int_equal(parse(&call, &sample, 2, ARGV(s_x, s_help)), OPTIONS_HELP);
	options_free(&call);
	assert_int_equal(parse(&call, &sample, 3, ARGV(s_x, s_b, s_h)), OPTIONS_HELP);
	options_free(&call);
}

static const struct command *find(const char *a, const char *b, int *used)
{
	char one[32], two[32];

	strcpy(one, a);
	strcpy(two, b);
	return command_find(2, ARGV(one, two), used);
}

static void finds_the_longest_path(void **state)
{
	int used;

	(void)state;
	assert_string_equal(find("pool", "create", &used)->path, "pool create");
	assert_int_equal(used, 2);
	assert_string_equal(find("tree", "create", &used)->path, "tree");
	assert_int_equal(used, 1);
	assert_null(find("pool", "nope", &used));
	assert_null(find("poo", "create", &used));
	assert_null(find("", "", &used));
	assert_true(help_is_group("pool"));
	assert_true(help_is_group("volume"));
	assert_false(help_is_group("tree"));
	assert_false(help_is_group("po"));
	assert_false(help_is_group(""));
}

struct rows {
	const struct command *seen[256];
	size_t n;
};

static void check_options(const struct command *command)
{
	size_t i, j, n = options_count(command);

	for (i = 0; i < n; i++) {
		const struct command_option *option = &command->options[i];

		assert_non_null(option->help);
		assert_true((option->help[0] >= 'A' && option->help[0] <= 'Z') || option->help[0] == '"');
		assert_true(option->help[strlen(option->help) - 1] != '.');
		assert_true(strcmp(option->name, "help") != 0);
		assert_int_equal(option->complete == COMPLETE_WORDS, option->words != NULL);
		for (j = 0; j < i; j++) {
			assert_true(strcmp(option->name, command->options[j].name) != 0);
			assert_true(!option->letter || option->letter != command->options[j].letter);
		}
	}
}

static int check_row(const struct command *command, void *arg)
{
	struct rows *rows = arg;
	size_t i;

	assert_non_null(command->run);
	assert_non_null(command->args);
	assert_non_null(command->summary);
	assert_true(command->summary[strlen(command->summary) - 1] != '.');
	assert_true(command->max_args < 0 || command->min_args <= command->max_args);
	assert_int_equal(command->args[0] != 0, command->max_args != 0);
	assert_int_equal(command->complete == COMPLETE_WORDS, command->words != NULL);
	for (i = 0; i < rows->n; i++)
		assert_true(strcmp(rows->seen[i]->path, command->path) != 0);
	assert_true(rows->n < 256);
	rows->seen[rows->n++] = command;
	check_options(command);
	return 0;
}

static void every_row_is_whole(void **state)
{
	static struct rows rows;

	(void)state;
	assert_int_equal(command_each(check_row, &rows), 0);
	assert_true(rows.n > 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_options_anywhere), cmocka_unit_test(double_dash_ends_options),
		cmocka_unit_test(first_argument_can_end_options), cmocka_unit_test(wrong_options_are_refused),
		cmocka_unit_test(help_is_always_there), cmocka_unit_test(finds_the_longest_path),
		cmocka_unit_test(every_row_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
