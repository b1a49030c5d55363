// SPDX-License-Identifier: GPL-2.0-or-later
/* See words.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "words.h"

static void take(struct words *words, char *word)
{
	char **more = word ? reallocarray(words->list, words->count + 2, sizeof(*more)) : NULL;

	if (!more) {
		free(word);
		words->failed = true;
		return;
	}
	words->list = more;
	more[words->count++] = word;
	more[words->count] = NULL;
}

void words_add(struct words *words, const char *word)
{
	take(words, strdup(word));
}

void words_addf(struct words *words, const char *format, ...)
{
	char *word = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&word, format, args) < 0)
		word = NULL;
	va_end(args);
	take(words, word);
}

void words_add_all(struct words *words, const char *const *list)
{
	for (; *list; list++)
		words_add(words, *list);
}

void words_clear(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->list[i]);
	free(words->list);
	*words = (struct words){ 0 };
}
