/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command line that is put together word by word. Failures to add are remembered; ask `failed` once at the end. */
#ifndef COMMON_WORDS_H
#define COMMON_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct words {				/* zero-filled: empty */
	char **list;			/* ends with NULL, once a word is in it */
	size_t count;
	bool failed;
};

void words_add(struct words *words, const char *word);
void words_addf(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
void words_add_all(struct words *words, const char *const *list);	/* ends with NULL */
void words_clear(struct words *words);

#define cleanup_words	__attribute__((cleanup(words_clear)))

#endif
