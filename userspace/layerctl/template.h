/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The templates of --format, as Docker's users write them: text with {{.Field}} and {{json .}} in it, \t and \n, and "table " in front
 * for columns under titles. Of Go's templates this is what people use on the command line; conditions and loops are not understood.
 */
#ifndef LAYERCTL_TEMPLATE_H
#define LAYERCTL_TEMPLATE_H

#include <json-c/json.h>
#include "output.h"

struct template_field {
	const char *name;		/* "Repository" */
	struct output_column column;	/* where its value is, how it is shown, its title in a table */
};

/* Whether the value of --format is a template: anything but "table" and "json". */
bool template_is_one(const char *format);

/*
 * Prints a row for each object of `rows`. fields ends with an empty one. Gives the exit status; a field that is not known is a usage
 * error.
 */
int template_rows(const struct command_call *call, const char *format, const struct template_field *fields, json_object *rows);

#endif
