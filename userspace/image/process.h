/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running another program to its end. */
#ifndef IMAGE_PROCESS_H
#define IMAGE_PROCESS_H

#include <layerblk.h>

/*
 * Runs argv (looked up in PATH, with the sbin directories added) with no input and waits for it. It dies with us. -EIO with
 * what it wrote last on standard error when it does not exit with 0; -ENOENT when it is not installed. what as in
 * layerblk_error_set(): "make the file system".
 */
int process_run(const char *const argv[], const char *what, const char *subject, struct layerblk_error *err);

/*
 * The same for a program that is to talk to the user: it has our standard input, or `input` (a text) when that is not NULL, its
 * standard output is our standard error, and its words are not kept for the error.
 */
int process_run_shown(const char *const argv[], const char *input, const char *what, const char *subject,
		      struct layerblk_error *err);

#endif
