/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a container has said, as conmon writes it: a line for each, "TIME STREAM F|P TEXT", where P says that the line goes on. */
#ifndef RUNTIME_LOGS_H
#define RUNTIME_LOGS_H

#include "container.h"

struct logs {
	bool follow;			/* until it ends */
	bool timestamps;
	int64_t tail;			/* the last lines only; -1: all */
	int64_t since_ns;		/* since 1970; 0: from the beginning */
	int64_t until_ns;		/* 0: to the end */
};

/* To standard output and error, as it was said. */
int logs_print(const struct pool *pool, const struct container *container, const struct logs *how, struct layerblk_error *err);

/* "10m" (before now), RFC 3339, "2024-05-01", or seconds since 1970; nanoseconds since 1970. -EINVAL. */
int logs_parse_time(const char *text, int64_t now_ns, int64_t *ns, struct layerblk_error *err);

/* The parts of a line (its end not included), which are cut from it. False when it is none. */
struct log_line {
	int64_t ns;
	const char *time;
	bool error;			/* standard error */
	bool partial;
	const char *text;
};

bool logs_parse_line(char *line, struct log_line *out);

#endif
