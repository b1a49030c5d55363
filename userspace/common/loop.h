/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loop devices under pools that live in files. They are set to clear themselves: whoever opened the device last (the
 * pool, as a rule) takes the loop device away by closing it, so that none is left behind, not even by a killed tool.
 */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <layerblk.h>

#define LOOP_PATH	64

struct loop {
	char path[LOOP_PATH];		/* /dev/loopN */
	int fd;				/* keeps it alive; close() when something else holds it */
	bool direct;			/* without the page cache below it */
};

/* A loop device of this very file, whole and writable: the one there is, or a new one. Direct I/O where the file system has it. */
int loop_attach(const char *file, bool read_only, struct loop *out, struct layerblk_error *err);

/* Whether a loop device has this file behind it. */
bool loop_backs(dev_t device, const struct stat *file);

/* The path of the file behind a loop device, malloc()ed; NULL when it is no loop device. */
char *loop_backing_file(dev_t device);

/* Makes the device take over a new size of its file. */
int loop_update_size(const char *device, struct layerblk_error *err);

/* After the last user has closed it: returns when the device has let go of its file, or after 2 s when somebody still has it open. */
void loop_wait_gone(dev_t device);

#endif
