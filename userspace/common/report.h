/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a tool says on standard error: failures, notes, and progress when that is a terminal. */
#ifndef COMMON_REPORT_H
#define COMMON_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <layerblk.h>

/* "layerctl: cannot create the volume "web1": a volume of this name exists. Choose another name." Gives 1. */
int report_error(const struct layerblk_error *err);

/* A line that is no failure: "layerctl: ...". */
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The name in front of lines: program_invocation_short_name unless set. */
void report_set_program(const char *name);

/*
 * One line redrawn in place, at most 10 times a second: "Importing layer 2/3  45.2MiB / 120MiB  37%  20MiB/s". Nothing
 * is drawn unless standard error is a terminal (and TERM is not "dumb") and quiet is false.
 */
struct progress {
	char label[128];
	uint64_t total;			/* bytes; 0: not known */
	uint64_t done;
	uint64_t start_ns;
	uint64_t drawn_ns;
	bool enabled;
};

void progress_begin(struct progress *progress, uint64_t total, bool quiet, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void progress_update(struct progress *progress, uint64_t done);
/* Clears the line, so that what is printed next begins a clean one; progress_end() for good. */
void progress_clear(const struct progress *progress);
void progress_end(struct progress *progress);
/* The text of the line, for progress_update() and tests. */
char *progress_text(const struct progress *progress, uint64_t now_ns, char *buffer, size_t size);

#endif
