/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a stream is read from: a file, or standard input, with progress. */
#ifndef BACKUP_INPUT_H
#define BACKUP_INPUT_H

#include "report.h"

struct backup_input {
	const char *doing;		/* "restore from", in errors */
	const char *name;		/* what it is called */
	int fd;
	bool opened;
	struct progress progress;
	uint64_t done;			/* bytes */
};

/* path "-": standard input. It must be no terminal. label: of the progress, in front of the name. */
int backup_input_open(struct backup_input *input, const char *doing, const char *path, const char *label, bool quiet,
		      struct layerblk_error *err);
void backup_input_close(struct backup_input *input);
/* A volstream_read_fn: arg is the input. -EINTR when the command was interrupted (backup_interrupt()). */
ssize_t backup_input_read(void *arg, void *buffer, size_t size, struct layerblk_error *err);

#endif
