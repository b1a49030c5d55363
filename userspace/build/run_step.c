// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RUN; see build.h. The command runs in the layer that is being made, by the container runtime (run_once.h). Its cache key is of its words, its
 * environment, its user and directory, and of the files that it has mounted.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "build.h"
#include "cleanup.h"
#include "config_change.h"
#include "copy.h"
#include "interrupt.h"
#include "json.h"
#include "network.h"
#include "run_mount.h"
#include "run_once.h"

#define HOSTNAME	"build"		/* the same each time, for it may get into files */

struct running {
	struct build_step *step;
	char **argv;
	char **env;
	char *script;			/* a heredoc that names its own interpreter; NULL: none */
	const char *network;
	struct run_mounts mounts;
};

static int wrong(int code, const char *why, struct layerblk_error *err)
{
	return layerblk_error_set(err, code, "use the instruction", "RUN", "%s", why);
}

/* ------------------------------------------------------------------ the command */

/* A heredoc that is all there is. */
static const char *heredoc_alone(const struct build_step *step)
{
	const struct instruction *instruction = step->instruction;
	size_t length = strcspn(step->text, " \t");

	if (instruction->heredoc_count != 1 || strncmp(step->text, "<<", 2) != 0 || step->text[length])
		return NULL;
	return instruction->heredocs[0].content;
}

/* The line with its heredocs, which the shell reads itself; one that is all there is, is the script. */
static char *shell_line(const struct build_step *step)
{
	const struct instruction *instruction = step->instruction;
	const char *alone = heredoc_alone(step);
	char *text = NULL;
	size_t size;
	FILE *out;

	if (alone)
		return strdup(alone);
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	fputs(step->text, out);
	for (size_t i = 0; i < instruction->heredoc_count; i++)
		fprintf(out, "\n%s%s", instruction->heredocs[i].content, instruction->heredocs[i].name);
	return fclose(out) == 0 ? text : NULL;
}

static char **strings_of(json_object *list, size_t room, size_t *count)
{
	size_t length = list ? json_object_array_length(list) : 0;
	char **strings = calloc(length + room + 1, sizeof(*strings));

	for (size_t i = 0; strings && i < length; i++)
		strings[i] = strdup(json_object_get_string(json_object_array_get_idx(list, i)));
	*count = length;
	return strings;
}

/* "#!/usr/bin/env python3": the interpreter with its one argument, and the script. */
static int take_script(struct running *running, const char *content, struct layerblk_error *err)
{
	size_t length = strcspn(content, "\n"), at = 0;
	cleanup_free char *line = strndup(content + 2, length - 2);
	char *rest;

	running->argv = calloc(4, sizeof(*running->argv));
	running->script = strdup(content);
	if (!line || !running->argv || !running->script)
		return wrong(ENOMEM, "no memory", err);
	for (size_t used = strlen(line); used && isspace((unsigned char)line[used - 1]); used--)
		line[used - 1] = '\0';
	rest = line + strspn(line, " \t");
	length = strcspn(rest, " \t");
	if (!length)
		return wrong(EINVAL, "the script's \"#!\" names no interpreter", err);
	running->argv[at++] = strndup(rest, length);
	rest += length + strspn(rest + length, " \t");
	if (*rest)
		running->argv[at++] = strdup(rest);
	running->argv[at] = strdup(RUN_ONCE_SCRIPT);
	return 0;
}

static int take_command(struct running *running, struct layerblk_error *err)
{
	struct build_step *step = running->step;
	cleanup_json json_object *list = config_exec_form(step->text);
	cleanup_json json_object *usual = json_tokener_parse("[\"/bin/sh\",\"-c\"]");
	json_object *shell = json_member(json_member(step->state->config, "config", json_type_object), "Shell", json_type_array);
	const char *alone = heredoc_alone(step);
	size_t count;

	if (alone && strncmp(alone, "#!", 2) == 0)
		return take_script(running, alone, err);
	running->argv = strings_of(list ? list : shell ? shell : usual, 1, &count);
	if (running->argv && !list)
		running->argv[count] = shell_line(step);
	return running->argv && *running->argv && **running->argv ? 0 : wrong(EINVAL, "it has no command", err);
}

/* ------------------------------------------------------------------ what it runs with */

static int take_environment(struct running *running, struct layerblk_error *err)
{
	struct variables variables = { 0 };
	int rc = state_variables(running->step->state, &variables);

	running->env = rc ? NULL : variables_list(&variables);
	variables_clear(&variables);
	return running->env ? 0 : wrong(ENOMEM, "no memory", err);
}

static int take_network(struct running *running, struct layerblk_error *err)
{
	const char *mode = instruction_flag(running->step->instruction, "network");

	running->network = running->step->build->network;
	if (!mode || strcmp(mode, "default") == 0)
		return 0;
	if (strcmp(mode, "none") != 0 && strcmp(mode, "host") != 0)
		return wrong(EINVAL, "--network is \"default\", \"none\" or \"host\"", err);
	running->network = mode;
	return 0;
}

/* Those that every build may be given, without an ARG, and that do not count for the cache: how the net is reached. */
static int add_proxies(struct running *running, struct layerblk_error *err)
{
	static const char *const names[] = {
		"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy",
	};
	struct variables variables = { 0 };
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(names) / sizeof(*names); i++) {
		const char *value = variables_get(running->step->build->args, names[i]);

		if (value)
			rc = variables_set(&variables, names[i], value);
	}
	if (!rc && variables.count) {
		rc = state_variables(running->step->state, &variables);
		config_words_free(running->env);
		running->env = rc ? NULL : variables_list(&variables);
	}
	variables_clear(&variables);
	return rc || !running->env ? wrong(ENOMEM, "no memory", err) : 0;
}

/* ------------------------------------------------------------------ running it */

static int say_status(const struct running *running, int status, struct layerblk_error *err)
{
	char command[160] = "";
	size_t used = 0;

	for (char **word = running->argv; *word && used < sizeof(command); word++)
		used += (size_t)snprintf(command + used, sizeof(command) - used, "%s%s", used ? " " : "", *word);
	if (used >= sizeof(command))
		strcpy(command + sizeof(command) - 4, "...");
	for (char *c = command; *c; c++)
		*c = iscntrl((unsigned char)*c) ? ' ' : *c;
	return layerblk_error_set(err, EIO, "run", command, "it ended with exit status %d", status);
}

static int do_run(void *arg, int root, const char *directory, struct layerblk_error *err)
{
	struct running *running = arg;
	struct build_step *step = running->step;
	const char *workdir = state_text(step->state, "WorkingDir");
	struct run_once run = {
		.pool = step->build->options.pool, .directory = directory, .argv = running->argv, .workdir = *workdir ? workdir : "/",
		.user = state_text(step->state, "User"), .hostname = HOSTNAME, .network = running->network, .script = running->script,
		.shares = &running->mounts.list, .said = step_said, .arg = &step->progress, .interrupted = &build_interrupted,
	};
	int status = 0, rc = copy_make_directory(root, run.workdir, 0, 0, err);

	if (!rc)
		rc = add_proxies(running, err);
	run.env = running->env;
	if (!rc)
		rc = run_once(&run, &status, err);
	return rc || !status ? rc : say_status(running, status, err);
}

static int add_to_key(const struct running *running)
{
	const struct build_step *step = running->step;
	char *key = step->state->key;
	const char *network = instruction_flag(step->instruction, "network");
	int rc = cache_key_add(key, "RUN", running->script ? running->script : "", network ? network : "", running->mounts.key,
			       state_text(step->state, "WorkingDir"), state_text(step->state, "User"), NULL);

	for (char **word = running->argv; !rc && *word; word++)
		rc = cache_key_add(key, *word, NULL);
	for (char **word = running->env; !rc && *word; word++)
		rc = cache_key_add(key, "env", *word, NULL);
	return rc;
}

int build_run(struct build_step *step, struct layerblk_error *err)
{
	struct running running = { .step = step };
	cleanup_free char *line = build_line(step);
	int rc = line ? take_command(&running, err) : wrong(ENOMEM, "no memory", err);

	if (!rc)
		rc = take_environment(&running, err);
	if (!rc)
		rc = take_network(&running, err);
	if (!rc)
		rc = run_mounts_take(step, &running.mounts, err);
	if (!rc && add_to_key(&running) != 0)
		rc = wrong(ENOMEM, "no memory", err);
	if (!rc)
		rc = state_change(step->state, line, do_run, &running, &step->cached, err);
	run_mounts_clear(&running.mounts);
	config_words_free(running.argv);
	config_words_free(running.env);
	free(running.script);
	return rc;
}
