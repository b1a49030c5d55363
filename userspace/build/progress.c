// SPDX-License-Identifier: GPL-2.0-or-later
/* See progress.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "progress.h"
#include "wait.h"

static double seconds(const struct step_progress *step)
{
	return (double)(wait_clock_ms() - step->began_ms) / 1000;
}

void step_begin(struct step_progress *step, int number, bool quiet, const char *format, ...)
{
	va_list args;

	step->number = number;
	step->quiet = quiet;
	step->began_ms = wait_clock_ms();
	step->used = step->tail_used = 0;
	if (quiet)
		return;
	fprintf(stderr, "#%d ", number);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* The end of what was said, as many whole lines as there is room for. */
static void keep(struct step_progress *step, const char *line, size_t length)
{
	while (step->tail_used && step->tail_used + length + 1 > PROGRESS_TAIL) {
		const char *end = memchr(step->tail, '\n', step->tail_used);
		size_t first = (size_t)(end - step->tail) + 1;

		memmove(step->tail, step->tail + first, step->tail_used - first);
		step->tail_used -= first;
	}
	memcpy(step->tail + step->tail_used, line, length);
	step->tail_used += length;
	step->tail[step->tail_used++] = '\n';
}

static void end_line(struct step_progress *step)
{
	size_t length = step->used;

	while (length && step->line[length - 1] == '\r')
		length--;
	if (step->quiet)
		keep(step, step->line, length);
	else
		fprintf(stderr, "#%d %.3f %.*s\n", step->number, seconds(step), (int)length, step->line);
	step->used = 0;
}

void step_said(void *arg, const char *text, size_t size)
{
	struct step_progress *step = arg;

	for (size_t i = 0; i < size; i++) {
		if (text[i] != '\n')
			step->line[step->used++] = text[i];
		if (text[i] == '\n' || step->used == PROGRESS_LINE)
			end_line(step);
	}
}

void step_end(struct step_progress *step, bool cached, const char *why)
{
	if (step->used)
		end_line(step);
	if (step->quiet && why)
		fwrite(step->tail, 1, step->tail_used, stderr);
	if (step->quiet)
		return;
	if (why)
		fprintf(stderr, "#%d ERROR: %s\n\n", step->number, why);
	else if (cached)
		fprintf(stderr, "#%d CACHED\n\n", step->number);
	else
		fprintf(stderr, "#%d DONE %.1fs\n\n", step->number, seconds(step));
}
