/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a variable owns is released when its scope ends:
 *	cleanup_free char *text = NULL;
 * To hand the value on, use take_ptr() or take_fd().
 */
#ifndef COMMON_CLEANUP_H
#define COMMON_CLEANUP_H

#include <dirent.h>
#include <limits.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <json-c/json.h>
#include <layerblk.h>

#define CLEANUP_WITH(name, type, release)			\
static inline void cleanup_##name##_run(type *value)		\
{								\
	if (*value)						\
		release(*value);				\
}

static inline void cleanup_free_run(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_fd_run(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

CLEANUP_WITH(file, FILE *, fclose)
CLEANUP_WITH(dir, DIR *, closedir)
CLEANUP_WITH(json, json_object *, json_object_put)
CLEANUP_WITH(layerblk, struct layerblk *, layerblk_close)
CLEANUP_WITH(attrs, struct layerblk_attrs *, layerblk_attrs_free)

#define CLEANUP(name)	__attribute__((cleanup(cleanup_##name##_run)))
#define cleanup_free	CLEANUP(free)
#define cleanup_fd	CLEANUP(fd)		/* int, -1: none */
#define cleanup_file	CLEANUP(file)
#define cleanup_dir	CLEANUP(dir)
#define cleanup_json	CLEANUP(json)
#define cleanup_layerblk CLEANUP(layerblk)
#define cleanup_attrs	CLEANUP(attrs)

#define take_ptr(pointer) ({ __typeof__(pointer) taken_ = (pointer); (pointer) = NULL; taken_; })

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
