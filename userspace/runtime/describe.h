/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How containers are shown: texts for people, and the object that inspect prints. */
#ifndef RUNTIME_DESCRIBE_H
#define RUNTIME_DESCRIBE_H

#include "container.h"

/* "Up 3 minutes", "Up 3 minutes (Paused)", "Exited (0) 2 hours ago", "Created". */
void describe_status(const struct container *container, enum container_state state, char *text, size_t size);
/* "5 minutes", "About an hour", as Docker says it. */
void describe_time(int64_t seconds, char *text, size_t size);
/* Seconds since 1970 of a time in a record; 0 when there is none. */
int64_t describe_when(const struct container *container, const char *key);
/* The command's words in one text; shortened as Docker does unless `whole`. */
json_object *describe_command(const struct container *container, bool whole);
/* "0.0.0.0:8080->80/tcp, 443/tcp" */
json_object *describe_ports(const struct container *container, bool running);
/* "/data,cache" */
json_object *describe_mounts(const struct container *container);

/* "a=b,c=d" */
json_object *describe_labels(const struct container *container);

/* As docker inspect prints it. */
json_object *describe_container(const struct pool *pool, const struct container *container);

#endif
