/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said of a build while it goes on, on standard error, in the plain form of BuildKit: each line begins with the step's number. */
#ifndef BUILD_PROGRESS_H
#define BUILD_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_LINE	2048		/* a longer one is cut in two */
#define PROGRESS_TAIL	4096

struct step_progress {
	int number;
	bool quiet;			/* nothing is said, but what a command said last is kept */
	int64_t began_ms;
	char line[PROGRESS_LINE];	/* a command's, not yet ended */
	size_t used;
	char tail[PROGRESS_TAIL];
	size_t tail_used;
};

void step_begin(struct step_progress *step, int number, bool quiet, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A run_once_said_fn: what a command writes, line by line with the time. */
void step_said(void *arg, const char *text, size_t size);
/* why NULL: it is done. Of a step that failed quietly, what its command said last. */
void step_end(struct step_progress *step, bool cached, const char *why);

#endif
