/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a stream is written: standard output, a pipe or device, or a file that has its name only when it is whole. */
#ifndef BACKUP_OUTPUT_H
#define BACKUP_OUTPUT_H

#include "sink.h"

struct backup_output {
	const char *what;		/* "the backup", in errors */
	const char *path;		/* NULL: standard output */
	char *temporary;		/* its name on the way to its own; NULL: it is written in place */
	bool named;			/* it has the temporary name */
	int fd;
};

/* path NULL or "-": standard output, which must be no terminal. A file is readable by its owner alone. */
int backup_output_open(struct backup_output *output, const char *what, const char *path, struct layerblk_error *err);
/* Ends it: with rc 0 it is durable under its name, or the failure is returned; otherwise nothing stays, and rc is returned. */
int backup_output_close(struct backup_output *output, int rc, struct layerblk_error *err);
/* A sink_fn: arg is the output. -EINTR when the command was interrupted. */
int backup_output_write(void *arg, const void *data, size_t size, struct layerblk_error *err);

/* SIGINT and so on: what is under way ends as after a failure. */
void backup_interrupt(void);
bool backup_interrupted(void);

#endif
