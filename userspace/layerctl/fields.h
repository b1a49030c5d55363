/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The templates of inspect --format, as Docker's users write them: "{{.State.Pid}}", "{{json .Mounts}}\t{{.Name}}",
 * "{{range .Mounts}}{{.Destination}} {{end}}". Of Go's templates:
 *
 *	.A.B  $  $v.A  "text"  7  (EXPRESSION)  FUNCTION ARGUMENT...  A | FUNCTION ...
 *	if, else, else if, range [$k, [$v :=]], with, end, {{- and -}}
 *	json index len join split upper lower title eq ne lt gt and or not println print
 *
 * Names of members are compared whatever their case. A member that is not there is "<no value>".
 */
#ifndef LAYERCTL_FIELDS_H
#define LAYERCTL_FIELDS_H

#include <stdbool.h>
#include <stdio.h>
#include <json-c/json.h>
#include "command.h"

#define OPTION_FIELDS { .name = "format", .letter = 'f', .value = "FORMAT", .complete = COMPLETE_WORDS, .words = "json", \
			.help = "Print as \"json\", or by a template like \"{{.Name}}\"" }

/* Whether a format is a template and not the name of one ("json"). */
bool fields_is_template(const char *format);

/*
 * Writes one object by a template, and a new line. Outside braces, \t and \n are a tab and a new line. -EINVAL: the template is not
 * understood, and err says which part.
 */
int fields_write(FILE *out, const char *format, json_object *object, struct layerblk_error *err);

/* Whether --format of OPTION_FIELDS can be used; if not, a usage error is reported. */
bool fields_option_is_right(struct command_call *call);
/* Prints an array as that --format says, each object by the template or all as JSON. Gives the exit status. */
int fields_output(struct command_call *call, json_object *array);

#endif
