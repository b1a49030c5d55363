// SPDX-License-Identifier: GPL-2.0-or-later
/* See build.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "build.h"
#include "cleanup.h"
#include "bundle.h"
#include "config_change.h"
#include "interrupt.h"
#include "json.h"
#include "layer_commit.h"

/* The error of something deeper, with the line that it comes from. */
static int at_line(const struct build *build, int line, int rc, struct layerblk_error *err)
{
	char text[1600], subject[300];

	snprintf(subject, sizeof(subject), "%.250s:", build->name);
	if (!rc || !err || rc == -EINTR || strncmp(err->subject, subject, strlen(subject)) == 0)	/* it has one */
		return rc;
	layerblk_error_format(err, text, sizeof(text));
	dockerfile_error(err, build->name, line, "%.480s", text);
	err->code = -rc;
	return rc;
}

/* ------------------------------------------------------------------ variables */

/* The platform, which is the machine's: known to FROM, and to a stage that names them in an ARG. */
static int set_platform(struct variables *to)
{
	static const char *const sides[] = { "TARGET", "BUILD" };
	struct platform platform;
	char name[32], both[80];
	int rc = 0;

	platform_host(&platform);
	snprintf(both, sizeof(both), "%s/%s", platform.os, platform.architecture);
	for (size_t i = 0; !rc && i < 2; i++) {
		const char *const members[][2] = { { "OS", platform.os }, { "ARCH", platform.architecture }, { "PLATFORM", both }, { "VARIANT", "" } };

		for (size_t j = 0; !rc && j < sizeof(members) / sizeof(*members); j++) {
			snprintf(name, sizeof(name), "%s%s", sides[i], members[j][0]);
			rc = variables_set(to, name, members[j][1]);
		}
	}
	return rc;
}

/* ARG NAME, ARG NAME=default, several of them. to: what is set; expanded with `known`. */
static int take_arg(const struct build *build, const struct variables *globals, const char *text, struct variables *known,
		    struct variables *to, struct layerblk_error *err)
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
		if (value && variables_set(to, words[i], value) != 0)
			rc = layerblk_error_set(err, ENOMEM, "use the instruction", "ARG", "no memory");
	}
	config_words_free(words);
	return rc;
}

/* The ARGs before the first FROM. */
static int take_globals(const struct build *build, struct variables *out, struct layerblk_error *err)
{
	int rc = set_platform(out);

	for (size_t i = 0; !rc && i < build->file->globals; i++)
		rc = at_line(build, build->file->instructions[i].line,
			     take_arg(build, NULL, build->file->instructions[i].text, out, out, err), err);
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

/* An entrypoint takes away the command of the image below, which was for another one. */
static void settle_command(struct build_state *state, const char *keyword)
{
	if (strcmp(keyword, "CMD") == 0)
		state->own_cmd = true;
	else if (strcmp(keyword, "ENTRYPOINT") == 0 && !state->own_cmd)
		json_object_object_del(json_member(state->config, "config", json_type_object), "Cmd");
}

static int change_config(struct build_step *step, struct layerblk_error *err)
{
	const struct instruction *instruction = step->instruction;
	cleanup_free char *line = NULL;
	int rc = 0;

	if (strcmp(instruction->keyword, "MAINTAINER") == 0)
		json_object_object_add(step->state->config, "author", json_object_new_string(step->text));
	else
		rc = config_change(step->state->config, instruction->keyword, step->text, step->build->file->escape, err);
	if (rc)
		return rc;
	settle_command(step->state, instruction->keyword);
	if (asprintf(&line, "%s %s", instruction->keyword, step->text) < 0)
		line = NULL;
	if (!line || cache_key_add(step->state->key, line, NULL) != 0)
		return layerblk_error_set(err, ENOMEM, "build the image", "", "no memory");
	history_add(step->state->config, state_created(step->state), line, NULL, NULL, true);
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
			rc = take_arg(step->build, globals, step->text, &known, &step->state->args, err);
		variables_clear(&known);
		return rc;
	}
	if (strcmp(keyword, "COPY") == 0 || strcmp(keyword, "ADD") == 0)
		return build_copy(step, err);
	if (strcmp(keyword, "RUN") == 0)
		return build_run(step, err);
	rc = change_config(step, err);
	return !rc && strcmp(keyword, "WORKDIR") == 0 ? build_workdir(step, err) : rc;
}

static int build_stage(struct build *build, size_t at, struct layerblk_error *err);

/* "[name 2/5]", as BuildKit counts. */
static void begin_step(struct build *build, struct step_progress *progress, size_t stage, size_t at)
{
	const struct stage *of = &build->file->stages[stage];
	const struct instruction *instruction = &build->file->instructions[of->first + at];
	char name[160] = "";

	if (of->name)
		snprintf(name, sizeof(name), "%s ", of->name);
	else if (build->file->stage_count > 1)
		snprintf(name, sizeof(name), "stage-%zu ", stage);
	step_begin(progress, ++build->step, build->quiet, "[%s%zu/%zu] %s %.200s", name, at + 1, of->count, instruction->keyword, instruction->text);
}

/* One instruction, with what is said of it. */
static int take_step(struct build *build, size_t stage, size_t at, const struct variables *globals, struct layerblk_error *err)
{
	struct build_step step = { .build = build, .state = &build->states[stage],
				   .instruction = &build->file->instructions[build->file->stages[stage].first + at] };
	const char *from = instruction_flag(step.instruction, "from");
	int other = from ? dockerfile_stage_find(build->file, from, stage) : -1;
	int rc = other >= 0 ? build_stage(build, (size_t)other, err) : build_go_on(err);

	if (rc)
		return rc;
	begin_step(build, &step.progress, stage, at);
	rc = do_instruction(&step, globals, err);
	step_end(&step.progress, step.cached, rc ? err->why : NULL);
	free(step.text);
	return at_line(build, step.instruction->line, rc, err);
}

/* ------------------------------------------------------------------ stages */

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

static int check_onbuild(struct build_state *state, struct layerblk_error *err)
{
	json_object *config = json_member(state->config, "config", json_type_object);
	json_object *triggers = json_member(config, "OnBuild", json_type_array);

	if (triggers && json_object_array_length(triggers))
		return layerblk_error_set(err, ENOTSUP, "use the instruction", "FROM", "the image has ONBUILD instructions, which are not carried out");
	return 0;
}

/* --platform chooses nothing: an image here is for one, and the machine is one. */
static int check_platform(const struct build *build, size_t at, const struct variables *globals, struct layerblk_error *err)
{
	const struct stage *stage = &build->file->stages[at];
	cleanup_free char *text = NULL;
	struct platform wanted;
	int rc = stage->platform ? expand(stage->platform, globals, build->file->escape, EXPAND_PLAIN, &text, err) : 0;

	if (rc || !text || !*text)
		return rc;
	rc = platform_parse(text, &wanted, err);
	if (!rc && json_text(build->states[at].config, "architecture") && !platform_matches(&wanted, build->states[at].config))
		rc = layerblk_error_set(err, ENOTSUP, "use the platform", text, "the image is for another one");
	return rc;
}

/* What FROM says. *depends: it failed in another stage. */
static int begin_stage(struct build *build, size_t at, const struct variables *globals, bool *depends, struct layerblk_error *err)
{
	const struct stage *stage = &build->file->stages[at];
	cleanup_free char *base = NULL;
	int rc = expand(stage->base, globals, build->file->escape, EXPAND_PLAIN, &base, err), other;

	if (rc)
		return rc;
	if (!*base)
		return layerblk_error_set(err, EINVAL, "use the instruction", "FROM", "the image's name \"%s\" is empty", stage->base);
	other = dockerfile_stage_find(build->file, base, at);
	if (other < 0 || strspn(base, "0123456789") == strlen(base)) {
		rc = begin_image(build, base, &build->states[at], err);
	} else {
		rc = build_stage(build, (size_t)other, err);
		*depends = rc != 0;
		if (!rc)
			rc = state_begin_stage(&build->states[at], &build->states[other], err);
	}
	if (!rc)
		rc = check_platform(build, at, globals, err);
	return rc ? rc : check_onbuild(&build->states[at], err);
}

static int build_stage(struct build *build, size_t at, struct layerblk_error *err)
{
	const struct stage *stage = &build->file->stages[at];
	struct variables globals = { 0 };
	struct step_progress progress;
	bool depends = false;
	int rc;

	if (build->states[at].config)
		return 0;
	rc = take_globals(build, &globals, err);
	if (!rc) {
		rc = begin_stage(build, at, &globals, &depends, err);
		if (!depends) {
			begin_step(build, &progress, at, 0);
			step_end(&progress, false, rc ? err->why : NULL);
			rc = at_line(build, build->file->instructions[stage->first].line, rc, err);
		}
	}
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

/* KEY=VALUE, or KEY for an empty one. */
static int add_label(json_object *config, const char *text, struct layerblk_error *err)
{
	json_object *labels = json_member_made(json_member_made(config, "config", json_type_object), "Labels", json_type_object);
	cleanup_free char *key = strndup(text, strcspn(text, "="));
	const char *equals = strchr(text, '=');

	if (!key)
		return layerblk_error_set(err, ENOMEM, "label the image", text, "no memory");
	if (!*key)
		return layerblk_error_set(err, EINVAL, "label the image", text, "it is of the form KEY=VALUE");
	json_object_object_add(labels, key, json_object_new_string(equals ? equals + 1 : ""));
	return 0;
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
	for (size_t i = 0; !rc && build->labels && build->labels[i]; i++)
		rc = add_label(build->states[at].config, build->labels[i], err);
	if (!rc)
		rc = state_finish(&build->states[at], build->tags, build->tag_count, out, err);
	for (size_t i = 0; i < count; i++)
		state_clear(&build->states[i]);
	free(build->states);
	build->states = NULL;
	return rc;
}
