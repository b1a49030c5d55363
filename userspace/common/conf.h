/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration file: defaults of options, one "KEY = VALUE" a line; empty lines and what follows a '#' at the beginning of a line count for
 * nothing. A file that is not there has no lines. An unknown key, a wrong value or a key that is there twice is an error that
 * names file and line: nothing of the file is used then.
 *
 *	root = plain|shared	run and create: --root
 */
#ifndef COMMON_CONF_H
#define COMMON_CONF_H

#include <layerblk.h>

#define CONF_PATH	"/etc/layerblk/layerblk.conf"

/* *value is malloc()ed; NULL: it is not set. path NULL: CONF_PATH. */
int conf_get(const char *path, const char *key, char **value, struct layerblk_error *err);

#endif
