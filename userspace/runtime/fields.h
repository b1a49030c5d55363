/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts like "{{.State.Pid}} {{json .Mounts}}\t{{.Name}}", of which Docker's users write --format. */
#ifndef RUNTIME_FIELDS_H
#define RUNTIME_FIELDS_H

#include <stdbool.h>
#include <stdio.h>
#include <json-c/json.h>
#include <layerblk.h>

/* Whether a format is a template and not the name of one ("json"). */
bool fields_is_template(const char *format);

/*
 * Writes the text with each {{.PATH}} replaced by that member of the object (a text as it is, anything else as JSON), each {{json .PATH}} by its
 * JSON, "{{.}}" being the object itself; \t and \n are a tab and a new line. And a new line at the end. -EINVAL for anything else
 * in braces; a member that is not there is "<no value>".
 */
int fields_write(FILE *out, const char *format, json_object *object, struct layerblk_error *err);

#endif
