/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whom a container runs as: "USER[:GROUP]" with names or numbers, looked up in the container's own /etc/passwd and /etc/group,
 * which are read without ever leaving its root and are not trusted to be well-formed.
 */
#ifndef RUNTIME_USERS_H
#define RUNTIME_USERS_H

#include <stddef.h>
#include <stdint.h>
#include <layerblk.h>

#define GROUPS_MAX	256

struct user {
	uint32_t uid;
	uint32_t gid;
	uint32_t groups[GROUPS_MAX];	/* further ones */
	size_t group_count;
	char home[256];			/* "/" when nothing else is known */
};

/* root: the container's root directory. text NULL or "": root. A name that is not there is -ENOENT. */
int user_find(int root, const char *text, struct user *out, struct layerblk_error *err);

/* A file beneath root as text, at most `max` bytes of it, malloc()ed; links are followed as a process in it would. NULL: none. */
char *read_beneath(int root, const char *path, size_t max);

#endif
