// SPDX-License-Identifier: GPL-2.0-or-later
/* The instructions of a Dockerfile that change files: COPY, ADD, WORKDIR; see build.h, and run_step.c for RUN. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "build.h"
#include "cleanup.h"
#include "config_change.h"
#include "copy.h"
#include "json.h"
#include "users.h"

static int wrong(const struct build_step *step, int code, const char *why, struct layerblk_error *err)
{
	return layerblk_error_set(err, code, "use the instruction", step->instruction->keyword, "%s", why);
}

char *build_line(const struct build_step *step)
{
	char *line;

	return asprintf(&line, "%s %s", step->instruction->keyword, step->instruction->text) < 0 ? NULL : line;
}

/* ------------------------------------------------------------------ COPY and ADD */

struct copying {
	struct build_step *step;
	char **words;			/* sources, then the destination */
	size_t count;
	char *destination;		/* absolute */
	char *chown;			/* "": none */
	int mode;
	struct build_source from;
	struct found found;
};

/* A flag's value with its variables; *out stays NULL when it is not given. */
static int flag_value(struct build_step *step, const char *name, char **out, struct layerblk_error *err)
{
	const char *raw = instruction_flag(step->instruction, name);
	cleanup_free char *expanded = NULL;
	struct variables variables = { 0 };
	size_t count;
	char **words;
	int rc;

	if (!raw)
		return 0;
	rc = state_variables(step->state, &variables);
	if (!rc)
		rc = expand(raw, &variables, step->build->file->escape, EXPAND_QUOTED, &expanded, err);
	variables_clear(&variables);
	if (!rc)
		rc = config_words(expanded, step->build->file->escape, &words, &count, err);
	if (rc)
		return rc;
	if (count == 1)
		*out = strdup(words[0]);
	config_words_free(words);
	return *out ? 0 : wrong(step, EINVAL, "a flag has no value", err);
}

static int take_mode(struct build_step *step, int *mode, struct layerblk_error *err)
{
	cleanup_free char *text = NULL;
	char *end;
	int rc = flag_value(step, "chmod", &text, err);

	*mode = -1;
	if (rc || !text)
		return rc;
	*mode = (int)strtoul(text, &end, 8);
	return *end || !*text || *mode < 0 || *mode > 07777 ? wrong(step, EINVAL, "--chmod takes a mode like 755", err) : 0;
}

/* JSON form or words; heredocs are words too. */
static int take_words(struct copying *copying, struct layerblk_error *err)
{
	struct build_step *step = copying->step;
	cleanup_json json_object *list = config_exec_form(step->text);
	int rc = 0;

	if (!list) {
		rc = config_words(step->text, step->build->file->escape, &copying->words, &copying->count, err);
		if (rc)
			return rc;
	} else {
		size_t count = json_object_array_length(list);

		copying->words = calloc(count + 1, sizeof(*copying->words));
		for (; copying->words && copying->count < count; copying->count++)
			copying->words[copying->count] = strdup(json_object_get_string(json_object_array_get_idx(list, copying->count)));
	}
	for (size_t i = 0; copying->words && i < copying->count; i++)
		if (!copying->words[i])
			rc = -ENOMEM;
	if (rc || !copying->words)
		return wrong(step, ENOMEM, "no memory", err);
	if (copying->count >= 2)
		return 0;
	wrong(step, EINVAL, "it needs at least a source and a destination", err);
	return -EINVAL;
}

static int take_destination(struct copying *copying, struct layerblk_error *err)
{
	const char *word = copying->words[copying->count - 1], *workdir = state_text(copying->step->state, "WorkingDir");

	if (asprintf(&copying->destination, "%s%s%s", *word == '/' ? "" : workdir, *word == '/' ? "" : "/", word) < 0) {
		copying->destination = NULL;
		return wrong(copying->step, ENOMEM, "no memory", err);
	}
	if (strcmp(word, ".") == 0 || strcmp(word, "./") == 0)
		copying->destination[strlen(copying->destination) - strlen(word)] = '\0';	/* "workdir/" */
	return 0;
}

/* The top layer of a stage, which is built if it is not yet, or of an image. */
static int find_top(struct build_step *step, const char *name, uint64_t *top, char fs[FS_TEXT], struct layerblk_error *err)
{
	size_t stage = (size_t)(step->state - step->build->states);
	struct image_record record = { 0 };
	struct build_state *other = NULL;
	int rc = build_find_stage(step->build, name, stage, &other, err);

	*top = 0;
	if (!rc && other->count) {
		*top = other->layers[other->count - 1].volume;
		strcpy(fs, other->fs);
	} else if (rc == -ENOENT && !other) {
		rc = record_find(step->build->options.pool, name, &record, err);
		if (!rc) {
			*top = record_top(&record);
			strcpy(fs, record.fs);
		}
		record_clear(&record);
	}
	return !rc && !*top ? wrong(step, ENOENT, "what it takes files from has none", err) : rc;
}

int build_source_open(struct build_step *step, const char *name, struct build_source *out, struct layerblk_error *err)
{
	char fs[FS_TEXT];
	uint64_t top;
	int rc;

	*out = (struct build_source){ .context = step->build->context, .mount.root = -1 };
	if (!name)
		return 0;
	rc = find_top(step, name, &top, fs, err);
	if (!rc)
		rc = volume_mount(step->build->options.pool, top, fs, &out->mount, err);
	out->context = (struct context){ .root = out->mount.root };
	return rc;
}

void build_source_close(struct build_source *source)
{
	volume_release(&source->mount);
}

/* Where the sources are: the context, a stage, an image. */
static int take_from(struct copying *copying, struct layerblk_error *err)
{
	cleanup_free char *name = NULL;
	int rc = flag_value(copying->step, "from", &name, err);

	return rc ? rc : build_source_open(copying->step, name, &copying->from, err);
}

static const struct heredoc *heredoc_of(const struct instruction *instruction, const char *word)
{
	const char *name = strstr(word, "<<");

	for (size_t i = 0; name && i < instruction->heredoc_count; i++) {
		size_t length = strlen(instruction->heredocs[i].name);
		const char *at = name + 2 + (name[2] == '-');

		if (strncmp(at, instruction->heredocs[i].name, length) == 0 && !at[length])
			return &instruction->heredocs[i];
	}
	return NULL;
}

static int heredoc_text(struct build_step *step, const struct heredoc *heredoc, char **out, struct layerblk_error *err)
{
	struct variables variables = { 0 };
	int rc;

	if (!heredoc->expand) {
		*out = strdup(heredoc->content);
		return *out ? 0 : wrong(step, ENOMEM, "no memory", err);
	}
	rc = state_variables(step->state, &variables);
	if (!rc)
		rc = expand(heredoc->content, &variables, step->build->file->escape, EXPAND_PLAIN, out, err);
	variables_clear(&variables);
	return rc;
}

static int find_sources(struct copying *copying, struct hasher *hash, struct layerblk_error *err)
{
	struct build_step *step = copying->step;
	int rc = 0;

	for (size_t i = 0; !rc && i + 1 < copying->count; i++) {
		const struct heredoc *heredoc = heredoc_of(step->instruction, copying->words[i]);
		cleanup_free char *text = NULL;
		struct found one = { 0 };

		if (heredoc) {
			rc = heredoc_text(step, heredoc, &text, err);
			if (!rc)
				hasher_add(hash, text, strlen(text) + 1);
			continue;
		}
		if (strstr(copying->words[i], "://") || strncmp(copying->words[i], "git@", 4) == 0)
			return wrong(step, ENOTSUP, "files are not fetched from the net", err);
		rc = context_find(&copying->from.context, copying->words[i], &one, err);
		for (size_t j = 0; !rc && j < one.count; j++) {
			const char *base = strrchr(one.paths[j], '/');

			hasher_add(hash, base ? base + 1 : one.paths[j], strlen(base ? base + 1 : one.paths[j]) + 1);
			rc = context_hash(&copying->from.context, one.paths[j], hash, err);
			if (!rc)
				rc = found_take(&copying->found, &one.paths[j]) ? wrong(step, ENOMEM, "no memory", err) : 0;
		}
		found_clear(&one);
	}
	return rc;
}

/* "user:group"; without a group, the group has the user's number. */
static int take_owner(const char *text, int root, struct copy *copy, struct layerblk_error *err)
{
	struct user *user;
	int rc;

	if (!text || !*text)
		return 0;
	user = calloc(1, sizeof(*user));
	if (!user)
		return layerblk_error_set(err, ENOMEM, "find the owner", text, "no memory");
	rc = user_find(root, text, user, err);
	copy->uid = user->uid;
	copy->gid = strchr(text, ':') ? user->gid : user->uid;
	free(user);
	return rc;
}

static int do_copy(void *arg, int root, const char *directory, struct layerblk_error *err)
{
	struct copying *copying = arg;
	struct build_step *step = copying->step;
	struct copy copy = { .from = &copying->from.context, .root = root, .destination = copying->destination, .mode = copying->mode,
			     .unpack = strcmp(step->instruction->keyword, "ADD") == 0 };
	int rc = take_owner(copying->chown, root, &copy, err);

	(void)directory;
	if (!rc && copying->found.count)
		rc = copy_files(&copy, &copying->found, err);
	for (size_t i = 0; !rc && i + 1 < copying->count; i++) {
		const struct heredoc *heredoc = heredoc_of(step->instruction, copying->words[i]);
		cleanup_free char *text = NULL;

		if (!heredoc)
			continue;
		rc = heredoc_text(step, heredoc, &text, err);
		if (!rc)
			rc = copy_text(&copy, heredoc->name, text, strlen(text), err);
	}
	return rc;
}

static int copy_layer(struct copying *copying, struct layerblk_error *err)
{
	struct build_step *step = copying->step;
	struct hasher *hash = hasher_new(NULL);
	cleanup_free char *line = build_line(step);
	char digest[DIGEST_TEXT], mode[16];
	int rc = hash && line ? find_sources(copying, hash, err) : wrong(step, ENOMEM, "no memory", err);

	if (hash)
		hasher_text(hash, digest);
	hasher_free(hash);
	snprintf(mode, sizeof(mode), "%o", (unsigned int)copying->mode);
	if (!rc && cache_key_add(step->state->key, step->instruction->keyword, copying->destination, copying->chown ? copying->chown : "", mode,
				 digest, NULL) != 0)
		rc = wrong(step, ENOMEM, "no memory", err);
	return rc ? rc : state_change(step->state, line, do_copy, copying, &step->cached, err);
}

int build_copy(struct build_step *step, struct layerblk_error *err)
{
	struct copying copying = { .step = step, .from.mount.root = -1 };
	int rc = take_words(&copying, err);

	if (!rc)
		rc = take_destination(&copying, err);
	if (!rc)
		rc = flag_value(step, "chown", &copying.chown, err);
	if (!rc)
		rc = take_mode(step, &copying.mode, err);
	if (!rc)
		rc = take_from(&copying, err);
	if (!rc)
		rc = copy_layer(&copying, err);
	build_source_close(&copying.from);
	found_clear(&copying.found);
	config_words_free(copying.words);
	free(copying.destination);
	free(copying.chown);
	return rc;
}

/* ------------------------------------------------------------------ WORKDIR */

static int do_workdir(void *arg, int root, const char *directory, struct layerblk_error *err)
{
	(void)directory;
	return copy_make_directory(root, arg, 0, 0, err);
}

/* The directory is made at once, so that it is there whoever comes next. */
int build_workdir(struct build_step *step, struct layerblk_error *err)
{
	cleanup_free char *path = strdup(state_text(step->state, "WorkingDir")), *line = build_line(step);
	json_object *history = json_member(step->state->config, "history", json_type_array);

	if (!path || !line)
		return wrong(step, ENOMEM, "no memory", err);
	/* The instruction has a layer, so that it is not an empty one. */
	json_object_array_del_idx(history, json_object_array_length(history) - 1, 1);
	return state_change(step->state, line, do_workdir, path, &step->cached, err);
}
