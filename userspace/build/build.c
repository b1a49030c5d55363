// SPDX-License-Identifier: GPL-2.0-or-later
/* See build.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "build.h"
#include "cleanup.h"
#include "config_change.h"
#include "json.h"
#include "layer_commit.h"

/* The error of something deeper, with the line that it comes from. */
static int at_line(const struct build *build, int line, int rc, struct layerblk_error *err)
{
	char text[1600];

	if (!rc || !err || rc == -EINTR)
		return rc;
	layerblk_error_format(err, text, sizeof(text));
	dockerfile_error(err, build->name, line, "%.480s", text);
	err->code = -rc;
	return rc;
}

/* ------------------------------------------------------------------ variables */

/* Variables that are known to ARG without a default. */
static const char *predefined(const struct build_state *state, const char *name)
{
	static const char *const members[][2] = {
		{ "TARGETARCH", "architecture" }, { "TARGETOS", "os" }, { "BUILDARCH", "architecture" }, { "BUILDOS", "os" },
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		if (strcmp(name, members[i][0]) == 0)
			return state ? json_text(state->config, members[i][1]) : NULL;
	return NULL;
}

/* ARG NAME, ARG NAME=default, several of them. to: what is set; expanded with `known`. */
static int take_arg(const struct build *build, const struct build_state *state, const struct variables *globals, const char *text,
		    struct variables *known, struct variables *to, struct layerblk_error *err)
{
	cleanup_free char *expanded = NULL;
	size_t count;
	char **words;
	int rc = expand(text, known, build->file->escape, EXPAND_QUOTED, &expanded, err);

	if (!rc)
		rc = config_words(expanded, build->file->escape, &words, &count, err);
	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < count; i++) {
		char *equals = strchr(words[i], '=');
		const char *value;

		if (equals)
			*equals = '\0';
		if (!*words[i]) {
			rc = layerblk_error_set(err, EINVAL, "use the instruction", "ARG", "a name is missing");
			break;
		}
		value = variables_get(build->args, words[i]);
		if (!value && equals)
			value = equals + 1;
		if (!value && globals)
			value = variables_get(globals, words[i]);
		if (!value)
			value = predefined(state, words[i]);
		if (value && variables_set(to, words[i], value) != 0)
			rc = layerblk_error_set(err, ENOMEM, "use the instruction", "ARG", "no memory");
	}
	config_words_free(words);
	return rc;
}

/* The ARGs before the first FROM. */
static int take_globals(const struct build *build, struct variables *out, struct layerblk_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < build->file->globals; i++)
		rc = at_line(build, build->file->instructions[i].line,
			     take_arg(build, NULL, NULL, build->file->instructions[i].text, out, out, err), err);
	return rc;
}

/* ------------------------------------------------------------------ instructions */

static bool is_one_of(const char *keyword, const char *words)
{
	char word[32];

	snprintf(word, sizeof(word), " %.28s ", keyword);
	return strstr(words, word) != NULL;
}

/* What a shell in the image expands is not expanded here. */
static int expand_arguments(struct build_step *step, struct layerblk_error *err)
{
	const struct instruction *instruction = step->instruction;
	struct variables variables = { 0 };
	int rc;

	if (is_one_of(instruction->keyword, " RUN CMD ENTRYPOINT SHELL HEALTHCHECK ONBUILD MAINTAINER ARG ")) {
		step->text = strdup(instruction->arguments);
		return step->text ? 0 : -ENOMEM;
	}
	rc = state_variables(step->state, &variables);
	if (!rc)
		rc = expand(instruction->arguments, &variables, step->build->file->escape, EXPAND_QUOTED, &step->text, err);
	variables_clear(&variables);
	return rc;
}

static int change_config(struct build_step *step, struct layerblk_error *err)
{
	const struct instruction *instruction = step->instruction;
	cleanup_free char *line = NULL;
	int rc;

	if (strcmp(instruction->keyword, "MAINTAINER") == 0)
		json_object_object_add(step->state->config, "author", json_object_new_string(step->text));
	else if ((rc = config_change(step->state->config, instruction->keyword, step->text, step->build->file->escape, err)) != 0)
		return rc;
	if (asprintf(&line, "%s %s", instruction->keyword, step->text) < 0)
		line = NULL;
	if (!line || cache_key_add(step->state->key, line, NULL) != 0)
		return layerblk_error_set(err, ENOMEM, "build the image", "", "no memory");
	history_add(step->state->config, line, NULL, NULL, true);
	return 0;
}

static int do_instruction(struct build_step *step, const struct variables *globals, struct layerblk_error *err)
{
	const char *keyword = step->instruction->keyword;
	struct variables known = { 0 };
	int rc = expand_arguments(step, err);

	if (rc)
		return rc;
	if (strcmp(keyword, "ARG") == 0) {
		rc = state_variables(step->state, &known);
		if (!rc)
			rc = take_arg(step->build, step->state, globals, step->text, &known, &step->state->args, err);
		variables_clear(&known);
		return rc;
	}
	if (strcmp(keyword, "COPY") == 0 || strcmp(keyword, "ADD") == 0)
		return build_copy(step, err);
	if (strcmp(keyword, "RUN") == 0)
		return build_run_command(step, err);
	rc = change_config(step, err);
	return !rc && strcmp(keyword, "WORKDIR") == 0 ? build_workdir(step, err) : rc;
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One instruction, with what is said of it. */
static int take_step(struct build *build, size_t stage, size_t at, const struct variables *globals, struct layerblk_error *err)
{
	const struct stage *of = &build->file->stages[stage];
	struct build_step step = { .build = build, .state = &build->states[stage],
				   .instruction = &build->file->instructions[of->first + at] };
	double began = seconds_now();
	int number = ++build->step, rc;

	if (!build->quiet)
		fprintf(stderr, "#%d [%s%s%zu/%zu] %s %.200s\n", number, of->name ? of->name : "", of->name ? " " : "", at + 1, of->count,
			step.instruction->keyword, step.instruction->text);
	rc = at_line(build, step.instruction->line, do_instruction(&step, globals, err), err);
	if (!build->quiet && !rc && step.cached)
		fprintf(stderr, "#%d CACHED\n", number);
	else if (!build->quiet)
		fprintf(stderr, "#%d %s %.1fs\n", number, rc ? "ERROR" : "DONE", seconds_now() - began);
	free(step.text);
	return rc;
}

/* ------------------------------------------------------------------ stages */

static int build_stage(struct build *build, size_t at, struct layerblk_error *err);

static int begin_image(struct build *build, const char *name, struct build_state *state, struct layerblk_error *err)
{
	struct image_record record = { 0 };
	int rc;

	if (strcmp(name, "scratch") == 0)
		return state_begin_scratch(state, &build->options, err);
	rc = record_find(build->options.pool, name, &record, err);
	if (rc == -ENOENT)
		layerblk_error_hint(err, "\"layerctl pull %s\" gets it, if a registry has it", name);
	if (!rc)
		rc = state_begin_image(state, &build->options, &record, err);
	record_clear(&record);
	return rc;
}

/* What FROM says. */
static int begin_stage(struct build *build, size_t at, const struct variables *globals, struct layerblk_error *err)
{
	const struct stage *stage = &build->file->stages[at];
	cleanup_free char *base = NULL;
	int rc = expand(stage->base, globals, build->file->escape, EXPAND_PLAIN, &base, err), other;

	if (rc)
		return rc;
	if (!*base)
		return layerblk_error_set(err, EINVAL, "use the instruction", "FROM", "the image's name \"%s\" is empty", stage->base);
	other = dockerfile_stage_find(build->file, base, at);
	if (other < 0 || strspn(base, "0123456789") == strlen(base))
		return begin_image(build, base, &build->states[at], err);
	rc = build_stage(build, (size_t)other, err);
	return rc ? rc : state_begin_stage(&build->states[at], &build->states[other], err);
}

static int check_onbuild(struct build_state *state, struct layerblk_error *err)
{
	json_object *config = json_member(state->config, "config", json_type_object);
	json_object *triggers = json_member(config, "OnBuild", json_type_array);

	if (triggers && json_object_array_length(triggers))
		return layerblk_error_set(err, ENOTSUP, "use the instruction", "FROM", "the image has ONBUILD instructions, which are not carried out");
	return 0;
}

static int build_stage(struct build *build, size_t at, struct layerblk_error *err)
{
	const struct stage *stage = &build->file->stages[at];
	struct variables globals = { 0 };
	int rc;

	if (build->states[at].config)
		return 0;
	rc = take_globals(build, &globals, err);
	if (!rc)
		rc = begin_stage(build, at, &globals, err);
	if (!rc)
		rc = check_onbuild(&build->states[at], err);
	rc = at_line(build, build->file->instructions[stage->first].line, rc, err);
	for (size_t i = 1; !rc && i < stage->count; i++)
		rc = take_step(build, at, i, &globals, err);
	variables_clear(&globals);
	return rc;
}

int build_find_stage(struct build *build, const char *text, size_t before, struct build_state **out, struct layerblk_error *err)
{
	int at = dockerfile_stage_find(build->file, text, before), rc;

	if (at < 0)
		return -ENOENT;
	rc = build_stage(build, (size_t)at, err);
	*out = &build->states[at];
	return rc;
}

int build_image(struct build *build, struct image_record *out, struct layerblk_error *err)
{
	size_t count = build->file->stage_count;
	int at = build->target ? dockerfile_stage_find(build->file, build->target, count) : (int)count - 1, rc;

	if (at < 0)
		return layerblk_error_set(err, ENOENT, "build the stage", build->target, "%s has no such stage", build->name);
	build->states = calloc(count, sizeof(*build->states));
	if (!build->states)
		return layerblk_error_set(err, ENOMEM, "build the image", "", "no memory");
	rc = build_stage(build, (size_t)at, err);
	if (!rc)
		rc = state_finish(&build->states[at], build->tags, build->tag_count, out, err);
	for (size_t i = 0; i < count; i++)
		state_clear(&build->states[i]);
	free(build->states);
	build->states = NULL;
	return rc;
}
