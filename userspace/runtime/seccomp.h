/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filter of system calls that containers run under: a list of what is allowed. What is not on it fails with EPERM, and so does what needs
 * a capability that the container lacks; clone3, whose arguments a filter cannot see, with ENOSYS, upon which C libraries use clone.
 */
#ifndef RUNTIME_SECCOMP_H
#define RUNTIME_SECCOMP_H

#include <json-c/json.h>

/* As in the runtime's config (linux.seccomp), for a container's record. */
json_object *seccomp_build(json_object *record);

#endif
