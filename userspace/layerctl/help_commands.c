// SPDX-License-Identifier: GPL-2.0-or-later
/* help, version, info and completion: what layerctl says of itself and of the module. */
#include <string.h>
#include <sys/utsname.h>
#include "cleanup.h"
#include "command.h"
#include "complete.h"
#include "help.h"
#include "output.h"
#include "show.h"

static int finish(void)
{
	return fflush(stdout) ? 1 : 0;
}

static int help(struct command_call *call)
{
	const struct command *command;
	int used;

	if (option_is_set(call, "man-list")) {
		help_man_list(stdout);
		return finish();
	}
	if (!call->argc) {
		help_overview(stdout);
		return finish();
	}
	command = command_find(call->argc, call->argv, &used);
	if (command && used == call->argc)
		help_command(stdout, command);
	else if (call->argc == 1 && help_is_group(call->argv[0]))
		help_group(stdout, call->argv[0]);
	else
		return command_usage_error(call, "\"%s\" is no command", call->argv[call->argc - 1]);
	return finish();
}

static json_object *module_json(const struct lb_ioc_version *version)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} features[] = {
		{ LB_FEATURE_EVENTS, "events" }, { LB_FEATURE_SCRUB, "scrub" }, { LB_FEATURE_DIFF, "diff" },
	};
	json_object *module = json_object_new_object(), *list = json_object_new_array();
	char api[24];
	size_t i;

	snprintf(api, sizeof(api), "%u.%u", version->api_major, version->api_minor);
	json_object_object_add(module, "version", output_string(version->module_version));
	json_object_object_add(module, "api", json_object_new_string(api));
	for (i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if (version->features & features[i].bit)
			json_object_array_add(list, json_object_new_string(features[i].name));
	}
	json_object_object_add(module, "features", list);
	return module;
}

static json_object *tool_json(void)
{
	json_object *tool = json_object_new_object();
	char api[24];

	snprintf(api, sizeof(api), "%d.%d", LB_API_MAJOR, LB_API_MINOR);
	json_object_object_add(tool, "version", json_object_new_string(LAYERBLK_RELEASE));
	json_object_object_add(tool, "library", json_object_new_string(layerblk_library_version()));
	json_object_object_add(tool, "api", json_object_new_string(api));
	return tool;
}

/* Prints though the module is not there: the tools' own version needs none. The status then is that of a failure. */
static int version(struct command_call *call)
{
	cleanup_json json_object *answer = json_object_new_object();
	struct layerblk *lb = command_control(call);
	enum output_format format;
	int status;

	if (output_format(call, &format))
		return 1;
	json_object_object_add(answer, "layerctl", tool_json());
	if (lb)
		json_object_object_add(answer, "module", module_json(layerblk_module_version(lb)));
	if (format == OUTPUT_JSON) {
		status = output_json(answer);
	} else {
		printf("layerctl %s (library %s, API %d.%d)\n", LAYERBLK_RELEASE, layerblk_library_version(),
		       LB_API_MAJOR, LB_API_MINOR);
		if (lb)
			printf("module   %s (API %u.%u)\n", layerblk_module_version(lb)->module_version,
			       layerblk_module_version(lb)->api_major, layerblk_module_version(lb)->api_minor);
		status = finish();
	}
	return lb ? status : command_fail(call);
}

static void print_features(json_object *list)
{
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++)
		printf("%s%s", i ? ", " : "", json_object_get_string(json_object_array_get_idx(list, i)));
	putchar('\n');
}

static int print_info(json_object *answer, json_object *pools)
{
	struct utsname system;
	json_object *module = NULL, *value = NULL;

	json_object_object_get_ex(answer, "module", &module);
	uname(&system);
	json_object_object_get_ex(module, "version", &value);
	printf("layerctl:  %s\nmodule:    %s\n", LAYERBLK_RELEASE, json_object_get_string(value));
	json_object_object_get_ex(module, "api", &value);
	printf("interface: %s\nfeatures:  ", json_object_get_string(value));
	json_object_object_get_ex(module, "features", &value);
	print_features(value);
	printf("kernel:    %s %s\n", system.release, system.machine);
	printf("pools:     %zu open\n", json_object_array_length(pools));
	if (json_object_array_length(pools)) {
		putchar('\n');
		output_table(stdout, show_pool_columns, pools, 0, false);
	}
	return finish();
}

static int info(struct command_call *call)
{
	cleanup_json json_object *answer = json_object_new_object();
	struct layerblk *lb = command_control(call);
	enum output_format format;
	struct utsname system;
	json_object *pools;

	if (output_format(call, &format))
		return 1;
	if (!lb || show_open_pools(lb, &pools, &call->error))
		return command_fail(call);
	uname(&system);
	json_object_object_add(answer, "layerctl", tool_json());
	json_object_object_add(answer, "module", module_json(layerblk_module_version(lb)));
	json_object_object_add(answer, "kernel", json_object_new_string(system.release));
	json_object_object_add(answer, "architecture", json_object_new_string(system.machine));
	json_object_object_add(answer, "pools", pools);
	return format == OUTPUT_JSON ? output_json(answer) : print_info(answer, pools);
}

static const struct command_option help_options[] = {
	{ .name = "man-list", .help = "Print all commands as roff, for the man page" },
	{ 0 },
};

static const struct command_option format_options[] = {
	OPTION_FORMAT,
	{ 0 },
};

const struct command help_commands[] = {
	{ .path = "info", .args = "", .summary = "Show the module, its features and the open pools",
	  .options = format_options, .run = info },
	{ .path = "version", .args = "", .summary = "Show the versions of layerctl and of the module",
	  .options = format_options, .run = version },
	{ .path = "completion", .args = "bash|zsh", .min_args = 1, .max_args = 1,
	  .summary = "Print a shell's completion script",
	  .details = "For bash: source <(layerctl completion bash). For zsh: write it to a file _layerctl in a "
		     "directory of $fpath.",
	  .complete = COMPLETE_WORDS, .words = "bash zsh", .run = complete_script },
	{ .path = "help", .args = "[COMMAND]", .max_args = 2, .summary = "Show help on layerctl or on a command",
	  .complete = COMPLETE_COMMAND, .options = help_options, .run = help },
	{ .path = "__complete", .args = "[WORD...]", .max_args = -1, .summary = "Print completions", .hidden = true,
	  .options_first = true, .run = complete_words },
	{ 0 },
};
