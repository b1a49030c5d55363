// SPDX-License-Identifier: GPL-2.0-or-later
/* See fields.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "cleanup.h"
#include "fields.h"

bool fields_is_template(const char *format)
{
	return strstr(format, "{{") != NULL;
}

/* Names are those of Docker's structures, whatever their case. */
static json_object *member(json_object *object, const char *name, size_t length)
{
	if (!json_object_is_type(object, json_type_object))
		return NULL;
	json_object_object_foreach(object, key, value)
		if (strlen(key) == length && strncasecmp(key, name, length) == 0)
			return value;
	return NULL;
}

/* "." or ".A.B"; false when it is no path. */
static bool find(json_object *object, const char *path, json_object **out)
{
	if (*path != '.')
		return false;
	for (path++; *path; path += *path == '.') {
		size_t length = strcspn(path, ".");

		if (!length)
			return false;
		object = member(object, path, length);
		path += length;
	}
	*out = object;
	return true;
}

static void write_value(FILE *out, json_object *value, bool json)
{
	if (json)
		fputs(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), out);
	else if (!value)
		fputs("<no value>", out);
	else if (json_object_is_type(value, json_type_string))
		fputs(json_object_get_string(value), out);
	else
		fputs(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), out);
}

/* What is between the braces. */
static int write_action(FILE *out, const char *text, size_t length, json_object *object, const char *format, struct layerblk_error *err)
{
	cleanup_free char *copy = strndup(text, length);
	char *path = copy, *end;
	json_object *value;
	bool json = false;

	if (!copy)
		return layerblk_error_set(err, ENOMEM, "use the format", format, "no memory");
	path += strspn(path, " \t");
	if (strncmp(path, "json ", 5) == 0) {
		json = true;
		path += 5 + strspn(path + 5, " \t");
	}
	end = path + strcspn(path, " \t");
	if (end[strspn(end, " \t")])
		return layerblk_error_set(err, EINVAL, "use the format", format, "only {{.NAME}} and {{json .NAME}} are understood");
	*end = '\0';
	if (!find(object, path, &value))
		return layerblk_error_set(err, EINVAL, "use the format", format, "only {{.NAME}} and {{json .NAME}} are understood");
	write_value(out, value, json);
	return 0;
}

int fields_write(FILE *out, const char *format, json_object *object, struct layerblk_error *err)
{
	for (const char *at = format; *at; at++) {
		const char *end;
		int rc;

		if (at[0] == '\\' && (at[1] == 't' || at[1] == 'n')) {
			fputc(*++at == 't' ? '\t' : '\n', out);
			continue;
		}
		if (strncmp(at, "{{", 2) != 0) {
			fputc(*at, out);
			continue;
		}
		end = strstr(at, "}}");
		if (!end)
			return layerblk_error_set(err, EINVAL, "use the format", format, "a \"{{\" is not closed");
		rc = write_action(out, at + 2, (size_t)(end - at) - 2, object, format, err);
		if (rc)
			return rc;
		at = end + 1;
	}
	fputc('\n', out);
	return 0;
}
