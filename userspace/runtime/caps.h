/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The capabilities of a container's processes. */
#ifndef RUNTIME_CAPS_H
#define RUNTIME_CAPS_H

#include <stdbool.h>
#include <json-c/json.h>
#include <layerblk.h>

/* "NET_ADMIN", "cap_net_admin" or "ALL" as the kernel's name of it; -EINVAL when there is no such. */
int caps_check(const char *text, const char **name, struct layerblk_error *err);

/* Whether a container of this record has it: the default ones, with "cap_add" and without "cap_drop"; all when it is privileged. */
bool caps_has(json_object *record, const char *name);

/* As in the runtime's config. A user other than root has them only as the bound of what a set-id program may get. */
json_object *caps_build(json_object *record, bool root, bool privileged);

#endif
