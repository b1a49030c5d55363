/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys that detach from a container's terminal. */
#ifndef RUNTIME_KEYS_H
#define RUNTIME_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <layerblk.h>

#define KEYS_DEFAULT	"ctrl-p,ctrl-q"
#define KEYS_MAX	16

struct keys {
	unsigned char sequence[KEYS_MAX];
	size_t length;
	size_t matched;			/* how many of them were the last that came */
};

/* A list like "ctrl-p,ctrl-q" or "ctrl-@,x": single characters, or ctrl- and a letter or one of @[\]^_. -EINVAL. */
int keys_parse(const char *text, struct keys *out, struct layerblk_error *err);

/*
 * Passes input on to out (with room for size + KEYS_MAX bytes): *out_size. Keys of a sequence that is begun are held back until it is
 * told from other input. True when it is complete: what followed is dropped.
 */
bool keys_filter(struct keys *keys, const unsigned char *in, size_t size, unsigned char *out, size_t *out_size);

#endif
