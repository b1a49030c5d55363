/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A place where layers can be applied that must not get out of their directory: one thread with a mount namespace and a root directory of its own, in which every input gets a new tmpfs.
 *
 *   /work/target   where the layer goes; already holds what a layer below could have left: links up, links to /work/guard, nodes
 *   /work/guard    files and directories that no layer has to do with
 *   /work/in       the input as files, and what the importer spools
 *
 * After each input all that lies outside of the target must be as it was: names, content, owners, modes, times, links. Aborts when it is not. Needs root, or the right to make a user namespace.
 */
#ifndef FUZZ_JAIL_H
#define FUZZ_JAIL_H

#include <stddef.h>
#include <stdint.h>

#define JAIL_TARGET	"/work/target"
#define JAIL_IN		"/work/in"

/* Once, with the program's arguments: where inputs that crash are written to is in the jail too. False: it cannot be made here; why has been said. */
int jail_init(int argc, char **argv);

/* Runs fn in the jail, in a new /work, and checks what is outside of the target. populated: the target is not empty. */
void jail_run(void (*fn)(const uint8_t *data, size_t size), const uint8_t *data, size_t size, int populated);

/* For fn: a file in the input's directory (directories above it are made). Aborts on failure. */
void jail_write(const char *name, const void *data, size_t size);

#endif
