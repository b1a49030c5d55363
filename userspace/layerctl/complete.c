// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Shell completion. The shells' functions only ask `layerctl __complete WORD...`, whose last word is the one being typed
 * and which prints one candidate a line; ":file" and ":directory" ask the shell for its own.
 */
#include <string.h>
#include "cleanup.h"
#include "complete.h"
#include "help.h"
#include "options.h"
#include "ref.h"
#include "../image/record.h"

static const char bash_script[] =
	"# bash completion for layerctl\n"
	"_layerctl() {\n"
	"\tlocal cur words line\n"
	"\tCOMPREPLY=()\n"
	"\twords=(\"${COMP_WORDS[@]:1:COMP_CWORD}\")\n"
	"\tcur=${COMP_WORDS[COMP_CWORD]}\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tcase $line in\n"
	"\t\t:file) compopt -o filenames; mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
	"\t\t:directory) compopt -o filenames; mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
	"\t\t*) COMPREPLY+=(\"$(printf '%q' \"$line\")\") ;;\n"
	"\t\tesac\n"
	"\tdone < <(layerctl __complete \"${words[@]}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _layerctl layerctl\n";

static const char zsh_script[] =
	"#compdef layerctl\n"
	"_layerctl() {\n"
	"\tlocal -a found\n"
	"\tlocal line\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tcase $line in\n"
	"\t\t:file) _files ;;\n"
	"\t\t:directory) _files -/ ;;\n"
	"\t\t*) found+=(\"$line\") ;;\n"
	"\t\tesac\n"
	"\tdone < <(layerctl __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
	"\t(( $#found )) && compadd -a found\n"
	"}\n"
	"compdef _layerctl layerctl\n";

static bool begins_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

static void offer(const char *candidate, const char *prefix)
{
	if (begins_with(candidate, prefix))
		puts(candidate);
}

/* ------------------------------------------------------------------ what the table knows */

struct typed {
	int argc;			/* the words before the one being typed */
	char **argv;
	const char *prefix;
	char seen[512];			/* the words offered already, each with a space behind it */
};

/* Offers the word of a path that follows the words typed so far, once. */
static int offer_next_word(const struct command *command, void *arg)
{
	struct typed *typed = arg;
	const char *path = command->path;
	char word[64];
	size_t len;
	int i;

	if (command->hidden)
		return 0;
	for (i = 0; i < typed->argc; i++) {
		len = strcspn(path, " ");
		if (strlen(typed->argv[i]) != len || strncmp(path, typed->argv[i], len) != 0 || !path[len])
			return 0;
		path += len + 1;
	}
	len = strcspn(path, " ");
	if (len + 2 > sizeof(word))
		return 0;
	snprintf(word, sizeof(word), " %.*s ", (int)len, path);
	if (!strstr(typed->seen, word) && strlen(typed->seen) + len + 2 < sizeof(typed->seen)) {
		strcat(typed->seen, word);
		word[len + 1] = 0;
		offer(word + 1, typed->prefix);
	}
	return 0;
}

static void offer_words(const char *words, const char *prefix)
{
	cleanup_free char *copy = strdup(words);
	char *rest = copy, *word;

	while (rest && (word = strsep(&rest, " ")))
		offer(word, prefix);
}

static void offer_options(const struct command *command, const char *prefix)
{
	size_t i;
	char text[80];

	for (i = 0; i < options_count(command); i++) {
		snprintf(text, sizeof(text), "--%s", command->options[i].name);
		offer(text, prefix);
	}
	offer("--help", prefix);
}

/* ------------------------------------------------------------------ what the module knows */

static void offer_pools(struct layerblk *lb, const char *prefix)
{
	cleanup_free struct lb_ioc_pool_status *pools = NULL;
	char uuid[UUID_TEXT];
	size_t i, n;

	if (layerblk_pool_list(lb, &pools, &n, NULL))
		return;
	for (i = 0; i < n; i++) {
		cleanup_free char *label = pool_label(lb, pools[i].uuid);

		offer(label ? label : uuid_text(pools[i].uuid, uuid), prefix);
	}
}

static void offer_volumes_of(struct layerblk *lb, const uint8_t *uuid, const char *pool, const char *prefix)
{
	cleanup_free struct lb_vol_info *volumes = NULL;
	char text[512];
	size_t i, n;

	if (layerblk_vol_list(lb, uuid, 0, &volumes, &n, NULL))
		return;
	for (i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%s%s%s", pool ? pool : "", pool ? "/" : "", volumes[i].name);
		offer(text, prefix);
	}
}

/* Bare names while one pool is open, POOL/NAME otherwise. */
static void offer_volumes(struct layerblk *lb, const char *prefix)
{
	cleanup_free struct lb_ioc_pool_status *pools = NULL;
	char uuid[UUID_TEXT];
	size_t i, n;

	if (layerblk_pool_list(lb, &pools, &n, NULL))
		return;
	for (i = 0; i < n; i++) {
		cleanup_free char *label = pool_label(lb, pools[i].uuid);
		const char *pool = label ? label : uuid_text(pools[i].uuid, uuid);

		offer_volumes_of(lb, pools[i].uuid, n == 1 && !strchr(prefix, '/') ? NULL : pool, prefix);
	}
}

static int offer_tag(void *arg, const char *key, size_t value_len)
{
	(void)value_len;
	offer(key + strlen(KEY_TAG), arg);
	return 0;
}

/* Names of images, which are attributes of their pool. */
static void offer_images(struct layerblk *lb, const char *prefix)
{
	cleanup_free struct lb_ioc_pool_status *pools = NULL;
	cleanup_free char *arg = strdup(prefix);
	size_t i, n;

	if (!arg || layerblk_pool_list(lb, &pools, &n, NULL))
		return;
	for (i = 0; i < n; i++)
		layerblk_attr_each(lb, pools[i].uuid, 0, KEY_TAG, offer_tag, arg, NULL);
}

static void offer_kind(enum command_complete kind, const char *words, const char *prefix)
{
	cleanup_layerblk struct layerblk *lb = NULL;
	struct typed commands = { .prefix = prefix };

	switch (kind) {
	case COMPLETE_NOTHING:
		break;
	case COMPLETE_FILE:
		puts(":file");
		break;
	case COMPLETE_DIRECTORY:
		puts(":directory");
		break;
	case COMPLETE_COMMAND:
		command_each(offer_next_word, &commands);
		break;
	case COMPLETE_WORDS:
		offer_words(words, prefix);
		break;
	case COMPLETE_POOL:
		if (!layerblk_open(&lb, NULL))
			offer_pools(lb, prefix);
		break;
	case COMPLETE_VOLUME:
		if (!layerblk_open(&lb, NULL))
			offer_volumes(lb, prefix);
		break;
	case COMPLETE_IMAGE:
		if (!layerblk_open(&lb, NULL))
			offer_images(lb, prefix);
		break;
	}
}

/* The option whose value is being typed, when the word before is an option that takes one. */
static const struct command_option *option_waiting(const struct command *command, const char *word)
{
	size_t i;

	for (i = 0; i < options_count(command); i++) {
		const struct command_option *option = &command->options[i];

		if (!option->value)
			continue;
		if (word[0] == '-' && word[1] == '-' && !strcmp(word + 2, option->name))
			return option;
		if (word[0] == '-' && option->letter && word[1] == option->letter && !word[2])
			return option;
	}
	return NULL;
}

int complete_words(struct command_call *call)
{
	struct typed typed = { .argc = call->argc ? call->argc - 1 : 0, .argv = call->argv,
			       .prefix = call->argc ? call->argv[call->argc - 1] : "" };
	const struct command_option *option = NULL;
	const struct command *command;
	int used;

	command = command_find(typed.argc, typed.argv, &used);
	if (!command) {
		command_each(offer_next_word, &typed);
		return 0;
	}
	if (typed.argc > used)
		option = option_waiting(command, typed.argv[typed.argc - 1]);
	if (option)
		offer_kind(option->complete, option->words, typed.prefix);
	else if (typed.prefix[0] == '-')
		offer_options(command, typed.prefix);
	else
		offer_kind(command->complete, command->words, typed.prefix);
	return 0;
}

int complete_script(struct command_call *call)
{
	if (!strcmp(call->argv[0], "bash"))
		fputs(bash_script, stdout);
	else if (!strcmp(call->argv[0], "zsh"))
		fputs(zsh_script, stdout);
	else
		return command_usage_error(call, "the shell is \"bash\" or \"zsh\", not \"%s\"", call->argv[0]);
	return fflush(stdout) ? 1 : 0;
}
