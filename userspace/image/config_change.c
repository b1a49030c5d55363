// SPDX-License-Identifier: GPL-2.0-or-later
/* See config_change.h. One function an instruction; the table at the end names them. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "cleanup.h"
#include "config_change.h"
#include "json.h"
#include "path.h"
#include "signals.h"
#include "size.h"

struct change_call {
	json_object *config;		/* the member "config" of the document */
	const char *keyword;		/* as it is written in errors: upper case */
	const char *text;		/* the arguments */
	char escape;
	struct layerblk_error *err;
};

static int wrong(const struct change_call *call, const char *why)
{
	return layerblk_error_set(call->err, EINVAL, "use the instruction", call->keyword, "%s", why);
}

/* ------------------------------------------------------------------ words */

void config_words_free(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

/*
 * The next word of *text, which is at its first character; NULL with errno EINVAL for a quote that stays open. whole: blanks do not end
 * it.
 */
static char *next_word(const char **text, char escape, bool whole)
{
	char *word = malloc(strlen(*text) + 1), *to = word;
	const char *at = *text;
	char quote = 0;

	if (!word)
		return NULL;
	for (; *at && (quote || whole || !isspace((unsigned char)*at)); at++) {
		if (*at == escape && at[1] && quote != '\'') {
			/* Within double quotes only what would mean something is escaped. */
			if (quote == '"' && !strchr("\"$", at[1]) && at[1] != escape)
				*to++ = *at;
			*to++ = *++at;
		} else if (quote ? *at == quote : (*at == '"' || *at == '\'')) {
			quote = quote ? 0 : *at;
		} else {
			*to++ = *at;
		}
	}
	*to = '\0';
	*text = at;
	if (!quote)
		return word;
	free(word);
	errno = EINVAL;
	return NULL;
}

int config_words(const char *text, char escape, char ***words, size_t *count, struct layerblk_error *err)
{
	char **list = calloc(1, sizeof(*list)), **more;
	size_t used = 0;

	for (;;) {
		text += strspn(text, " \t\r\n");
		if (!list || !*text)
			break;
		more = reallocarray(list, used + 2, sizeof(*more));
		if (more) {
			list = more;
			errno = ENOMEM;
			list[used] = next_word(&text, escape, false);
			list[used + 1] = NULL;
		}
		if (!more || !list[used]) {
			bool open = more && errno == EINVAL;

			config_words_free(list);
			return layerblk_error_set(err, open ? EINVAL : ENOMEM, "take apart", text,
						  open ? "a quote is not closed" : "no memory");
		}
		used++;
	}
	if (!list)
		return layerblk_error_set(err, ENOMEM, "take apart", text, "no memory");
	*words = list;
	*count = used;
	return 0;
}

json_object *config_exec_form(const char *text)
{
	json_object *list = NULL;

	if (text[strspn(text, " \t")] != '[' || json_parse(text, strlen(text), json_type_array, "", &list, NULL) != 0)
		return NULL;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		if (!json_object_is_type(json_object_array_get_idx(list, i), json_type_string)) {
			json_object_put(list);
			return NULL;
		}
	}
	return list;
}

/* ------------------------------------------------------------------ members of the config */

void config_set_env(json_object *list, const char *name, const char *value)
{
	cleanup_free char *text = NULL;
	size_t length = strlen(name);

	if (asprintf(&text, "%s=%s", name, value) < 0) {
		text = NULL;
		return;
	}
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *item = json_object_get_string(json_object_array_get_idx(list, i));

		if (item && strncmp(item, name, length) == 0 && item[length] == '=') {
			json_object_array_put_idx(list, i, json_object_new_string(text));
			return;
		}
	}
	json_object_array_add(list, json_object_new_string(text));
}

/* NAME=VALUE pairs, or the old form NAME VALUE with one of them; `set` is called for each. */
static int each_pair(const struct change_call *call, void (*set)(json_object *to, const char *name, const char *value),
		     json_object *to)
{
	size_t count, first = strcspn(call->text, " \t=");
	char **words;
	int rc = config_words(call->text, call->escape, &words, &count, call->err);

	if (rc)
		return rc;
	if (count == 0) {
		rc = wrong(call, "it needs NAME=VALUE");
	} else if (call->text[first] != '=' && *words[0] && !strchr(words[0], '=')) {
		const char *rest = call->text + first + strspn(call->text + first, " \t");
		cleanup_free char *value = *rest ? next_word(&rest, call->escape, true) : NULL;

		if (!value)
			rc = wrong(call, "it needs NAME=VALUE");
		else
			set(to, words[0], value);
	} else {
		for (size_t i = 0; !rc && i < count; i++)
			if (!strchr(words[i], '=') || *words[i] == '=')
				rc = wrong(call, "each of its words must be NAME=VALUE");
		for (size_t i = 0; !rc && i < count; i++) {
			char *equals = strchr(words[i], '=');

			*equals = '\0';
			set(to, words[i], equals + 1);
		}
	}
	config_words_free(words);
	return rc;
}

static void set_label(json_object *to, const char *name, const char *value)
{
	json_object_object_add(to, name, json_object_new_string(value));
}

/* Exec form, or what the shell is to run. */
static json_object *command_list(const struct change_call *call)
{
	json_object *list = config_exec_form(call->text), *shell;

	if (list)
		return list;
	list = json_object_new_array();
	shell = json_member(call->config, "Shell", json_type_array);
	if (!shell) {
		json_object_array_add(list, json_object_new_string("/bin/sh"));
		json_object_array_add(list, json_object_new_string("-c"));
	}
	for (size_t i = 0; shell && i < json_object_array_length(shell); i++)
		json_object_array_add(list, json_object_get(json_object_array_get_idx(shell, i)));
	json_object_array_add(list, json_object_new_string(call->text));
	return list;
}

/* ------------------------------------------------------------------ instructions */

static int change_cmd(const struct change_call *call)
{
	json_object_object_add(call->config, "Cmd", command_list(call));
	return 0;
}

/* A command of the image below was for its entrypoint; the one of this image stays (build sees to the order). */
static int change_entrypoint(const struct change_call *call)
{
	json_object_object_add(call->config, "Entrypoint", command_list(call));
	return 0;
}

static int change_env(const struct change_call *call)
{
	return each_pair(call, config_set_env, json_member_made(call->config, "Env", json_type_array));
}

static int change_label(const struct change_call *call)
{
	return each_pair(call, set_label, json_member_made(call->config, "Labels", json_type_object));
}

/* "80", "80/udp", "8000-8010": a key of ExposedPorts with its protocol. */
static int expose(const struct change_call *call, const char *word, json_object *ports)
{
	unsigned int from, to, used = 0, end = 0;
	char protocol[8] = "tcp", key[32];
	int parts = sscanf(word, "%5u%n-%5u%n", &from, &end, &to, &used);

	if (parts == 1)
		to = from;
	end = parts == 2 ? used : end;
	if (parts >= 1 && word[end] == '/') {
		snprintf(protocol, sizeof(protocol), "%.7s", word + end + 1);
		for (char *c = protocol; *c; c++)
			*c = (char)tolower((unsigned char)*c);
	} else if (parts >= 1 && word[end]) {
		parts = 0;
	}
	if (parts < 1 || from < 1 || to > 65535 || from > to ||
	    (strcmp(protocol, "tcp") != 0 && strcmp(protocol, "udp") != 0 && strcmp(protocol, "sctp") != 0))
		return wrong(call, "a port is 1 to 65535, or FROM-TO, with /tcp, /udp or /sctp behind it");
	for (unsigned int port = from; ports && port <= to; port++) {
		snprintf(key, sizeof(key), "%u/%s", port, protocol);
		json_object_object_add(ports, key, json_object_new_object());
	}
	return 0;
}

static int change_expose(const struct change_call *call)
{
	size_t count;
	char **words;
	int rc = config_words(call->text, call->escape, &words, &count, call->err);

	if (rc)
		return rc;
	if (count == 0)
		rc = wrong(call, "it needs a port");
	for (size_t i = 0; !rc && i < count; i++)
		rc = expose(call, words[i], NULL);
	for (size_t i = 0; !rc && i < count; i++)
		rc = expose(call, words[i], json_member_made(call->config, "ExposedPorts", json_type_object));
	config_words_free(words);
	return rc;
}

static int change_volume(const struct change_call *call)
{
	json_object *list = config_exec_form(call->text), *volumes;
	size_t count = list ? json_object_array_length(list) : 0;
	char **words = NULL;
	int rc = list ? 0 : config_words(call->text, call->escape, &words, &count, call->err);

	if (!rc && count == 0)
		rc = wrong(call, "it needs a path");
	for (size_t i = 0; !rc && i < count; i++)
		if (!*(list ? json_object_get_string(json_object_array_get_idx(list, i)) : words[i]))
			rc = wrong(call, "a path is empty");
	if (!rc) {
		volumes = json_member_made(call->config, "Volumes", json_type_object);
		for (size_t i = 0; i < count; i++)
			json_object_object_add(volumes, list ? json_object_get_string(json_object_array_get_idx(list, i)) : words[i],
					       json_object_new_object());
	}
	json_object_put(list);
	config_words_free(words);
	return rc;
}

/* The one word that there must be; free() it. */
static int one_word(const struct change_call *call, char **word)
{
	size_t count;
	char **words;
	int rc = config_words(call->text, call->escape, &words, &count, call->err);

	if (rc)
		return rc;
	if (count != 1 || !*words[0])
		rc = wrong(call, "it needs one word");
	else
		*word = strdup(words[0]);
	config_words_free(words);
	if (!rc && !*word)
		rc = layerblk_error_set(call->err, ENOMEM, "use the instruction", call->keyword, "no memory");
	return rc;
}

static int change_user(const struct change_call *call)
{
	cleanup_free char *word = NULL;
	int rc = one_word(call, &word);

	if (!rc)
		json_object_object_add(call->config, "User", json_object_new_string(word));
	return rc;
}

static int change_stopsignal(const struct change_call *call)
{
	cleanup_free char *word = NULL;
	int rc = one_word(call, &word), number;

	if (!rc && signal_parse(word, &number, NULL) != 0)
		rc = wrong(call, "a signal is a name, as SIGQUIT, or a number");
	if (!rc)
		json_object_object_add(call->config, "StopSignal", json_object_new_string(word));
	return rc;
}

/* A path without "." and ".." and doubled slashes; relative to what it was. */
static int change_workdir(const struct change_call *call)
{
	const char *before = json_text(call->config, "WorkingDir");
	cleanup_free char *word = NULL, *joined = NULL, *clean = NULL, *absolute = NULL;
	size_t count = 0;
	char **words = NULL;
	int rc = config_words(call->text, call->escape, &words, &count, call->err);

	if (rc)
		return rc;
	/* Blanks are part of the path, quotes are not. */
	word = strdup(count == 1 && words[0] ? words[0] : call->text);
	config_words_free(words);
	if (!word || !*word)
		return wrong(call, "it needs a path");
	if (asprintf(&joined, "%s/%s", *word == '/' || !before ? "" : before, word) < 0)
		joined = NULL;
	clean = joined ? path_clean(joined, NULL) : NULL;
	if (!clean || asprintf(&absolute, "/%s", clean) < 0) {
		absolute = NULL;
		return layerblk_error_set(call->err, ENOMEM, "use the instruction", call->keyword, "no memory");
	}
	json_object_object_add(call->config, "WorkingDir", json_object_new_string(absolute));
	return 0;
}

static int change_onbuild(const struct change_call *call)
{
	char word[16] = "";

	sscanf(call->text, "%15s", word);
	if (!*word)
		return wrong(call, "it needs an instruction");
	if (strcasecmp(word, "ONBUILD") == 0 || strcasecmp(word, "FROM") == 0 || strcasecmp(word, "MAINTAINER") == 0)
		return wrong(call, "ONBUILD, FROM and MAINTAINER cannot be its instruction");
	json_object_array_add(json_member_made(call->config, "OnBuild", json_type_array), json_object_new_string(call->text));
	return 0;
}

static int change_shell(const struct change_call *call)
{
	json_object *list = config_exec_form(call->text);

	if (!list || json_object_array_length(list) == 0) {
		json_object_put(list);
		return wrong(call, "it needs a JSON list of texts, as [\"/bin/bash\", \"-c\"]");
	}
	json_object_object_add(call->config, "Shell", list);
	return 0;
}

/* --interval=30s and the like, in nanoseconds as the config has them. Gives how far the text is read, or a negative errno. */
static int health_options(const struct change_call *call, json_object *health)
{
	static const char *const names[][2] = {
		{ "--interval=", "Interval" }, { "--timeout=", "Timeout" }, { "--start-period=", "StartPeriod" },
		{ "--start-interval=", "StartInterval" }, { "--retries=", "Retries" },
	};
	const char *at = call->text;

	while (strncmp(at, "--", 2) == 0) {
		size_t length = strcspn(at, " \t"), i;
		char value[32];
		uint64_t number;
		int rc;

		for (i = 0; i < sizeof(names) / sizeof(*names) && strncmp(at, names[i][0], strlen(names[i][0])) != 0; i++)
			;
		if (i == sizeof(names) / sizeof(*names))
			return wrong(call, "it has an option that is not known");
		snprintf(value, sizeof(value), "%.*s", (int)(length - strlen(names[i][0])), at + strlen(names[i][0]));
		rc = i == 4 ? number_parse(value, INT32_MAX, &number, "use the instruction", call->err) :
		     duration_parse(value, &number, "use the instruction", call->err);
		if (rc)
			return rc;
		json_object_object_add(health, names[i][1], json_object_new_int64((int64_t)(i == 4 ? number : number * 1000000)));
		at += length + strspn(at + length, " \t");
	}
	return (int)(at - call->text);
}

static int change_healthcheck(const struct change_call *call)
{
	cleanup_json json_object *health = json_object_new_object();
	json_object *test = json_object_new_array(), *list;
	int used = health_options(call, health);
	const char *rest = call->text + (used > 0 ? used : 0);

	json_object_object_add(health, "Test", test);
	if (used < 0)
		return used;
	if (strcasecmp(rest, "NONE") == 0) {
		json_object_array_add(test, json_object_new_string("NONE"));
	} else if (strncasecmp(rest, "CMD", 3) == 0 && (rest[3] == ' ' || rest[3] == '\t' || rest[3] == '[') &&
		   rest[3 + strspn(rest + 3, " \t")]) {
		rest += 3 + strspn(rest + 3, " \t");
		list = config_exec_form(rest);
		json_object_array_add(test, json_object_new_string(list ? "CMD" : "CMD-SHELL"));
		for (size_t i = 0; list && i < json_object_array_length(list); i++)
			json_object_array_add(test, json_object_get(json_object_array_get_idx(list, i)));
		if (!list)
			json_object_array_add(test, json_object_new_string(rest));
		json_object_put(list);
	} else {
		return wrong(call, "it needs NONE, or CMD and a command");
	}
	json_object_object_add(call->config, "Healthcheck", json_object_get(health));
	return 0;
}

/* ------------------------------------------------------------------ the table */

static const struct {
	const char *keyword;
	int (*change)(const struct change_call *call);
} instructions[] = {
	{ "CMD", change_cmd }, { "ENTRYPOINT", change_entrypoint }, { "ENV", change_env }, { "EXPOSE", change_expose },
	{ "HEALTHCHECK", change_healthcheck }, { "LABEL", change_label }, { "ONBUILD", change_onbuild }, { "SHELL", change_shell },
	{ "STOPSIGNAL", change_stopsignal }, { "USER", change_user }, { "VOLUME", change_volume }, { "WORKDIR", change_workdir },
};

#define INSTRUCTIONS	(sizeof(instructions) / sizeof(*instructions))

static size_t find(const char *keyword)
{
	size_t i = 0;

	while (i < INSTRUCTIONS && strcasecmp(instructions[i].keyword, keyword) != 0)
		i++;
	return i;
}

bool config_instruction_known(const char *keyword)
{
	return find(keyword) < INSTRUCTIONS;
}

int config_change(json_object *image, const char *keyword, const char *arguments, char escape, struct layerblk_error *err)
{
	size_t at = find(keyword);
	struct change_call call = { .escape = escape, .err = err };
	cleanup_free char *text = strdup(arguments + strspn(arguments, " \t\r\n"));
	size_t length;

	if (at == INSTRUCTIONS)
		return layerblk_error_set(err, EINVAL, "use the instruction", keyword, "it does not change an image's config");
	if (!text)
		return layerblk_error_set(err, ENOMEM, "use the instruction", keyword, "no memory");
	for (length = strlen(text); length > 0 && isspace((unsigned char)text[length - 1]); length--)
		text[length - 1] = '\0';
	call.keyword = instructions[at].keyword;
	call.text = text;
	if (!*text)
		return wrong(&call, "it has no arguments");
	call.config = json_member_made(image, "config", json_type_object);
	return instructions[at].change(&call);
}

int config_change_line(json_object *image, const char *line, struct layerblk_error *err)
{
	char keyword[32];
	size_t length;

	line += strspn(line, " \t");
	length = strcspn(line, " \t");
	if (length == 0 || length >= sizeof(keyword))
		return layerblk_error_set(err, EINVAL, "use the change", line, "it does not begin with an instruction");
	snprintf(keyword, sizeof(keyword), "%.*s", (int)length, line);
	return config_change(image, keyword, line + length, '\\', err);
}
