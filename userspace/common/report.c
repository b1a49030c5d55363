// SPDX-License-Identifier: GPL-2.0-or-later
/* Standard error: failures, notes, progress. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "report.h"
#include "size.h"

#define SECOND_NS	1000000000ULL
#define REDRAW_NS	(SECOND_NS / 10)

static const char *program;

void report_set_program(const char *name)
{
	program = name;
}

static const char *program_name(void)
{
	return program ? program : program_invocation_short_name;
}

int report_error(const struct layerblk_error *err)
{
	char text[sizeof(*err) + 32];

	fprintf(stderr, "%s: %s\n", program_name(), layerblk_error_format(err, text, sizeof(text)));
	return 1;
}

void report_note(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_name());
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND_NS + (uint64_t)time.tv_nsec;
}

static int terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col < 20)
		return 80;
	return size.ws_col;
}

char *progress_text(const struct progress *progress, uint64_t now_ns, char *buffer, size_t size)
{
	uint64_t elapsed_ms = (now_ns - progress->start_ns) / 1000000;
	char done[SIZE_TEXT], total[SIZE_TEXT], rate[SIZE_TEXT];
	int used;

	used = snprintf(buffer, size, "%s  %s", progress->label, size_format(progress->done, done));
	if (progress->total && used > 0 && (size_t)used < size)
		used += snprintf(buffer + used, size - (size_t)used, " / %s  %" PRIu64 "%%",
				 size_format(progress->total, total),
				 progress->done >= progress->total ? 100 :
				 (uint64_t)((unsigned __int128)progress->done * 100 / progress->total));
	if (elapsed_ms >= 500 && used > 0 && (size_t)used < size)
		snprintf(buffer + used, size - (size_t)used, "  %s/s",
			 size_format((uint64_t)((unsigned __int128)progress->done * 1000 / elapsed_ms), rate));
	return buffer;
}

static void draw(struct progress *progress, uint64_t time)
{
	char line[256];

	progress_text(progress, time, line, sizeof(line));
	fprintf(stderr, "\r%.*s\033[K", terminal_width() - 1, line);
	fflush(stderr);
	progress->drawn_ns = time;
}

void progress_begin(struct progress *progress, uint64_t total, bool quiet, const char *format, ...)
{
	const char *terminal = getenv("TERM");
	va_list args;

	*progress = (struct progress){ .total = total, .start_ns = now() };
	progress->enabled = !quiet && isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
	va_start(args, format);
	vsnprintf(progress->label, sizeof(progress->label), format, args);
	va_end(args);
	if (progress->enabled)
		draw(progress, progress->start_ns);
}

void progress_update(struct progress *progress, uint64_t done)
{
	uint64_t time;

	progress->done = done;
	if (!progress->enabled)
		return;
	time = now();
	if (time - progress->drawn_ns >= REDRAW_NS)
		draw(progress, time);
}

void progress_clear(const struct progress *progress)
{
	if (!progress->enabled)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
}

void progress_end(struct progress *progress)
{
	progress_clear(progress);
	progress->enabled = false;
}
