// SPDX-License-Identifier: GPL-2.0-or-later
/* Foreign JSON; see json.h. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include "json.h"

#define JSON_DEPTH	64

static const char *json_type_word(enum json_type type)
{
	switch (type) {
	case json_type_object:
		return "object";
	case json_type_array:
		return "list";
	case json_type_string:
		return "text";
	default:
		return "number";
	}
}

int json_parse(const char *text, size_t length, enum json_type type, const char *subject, json_object **out,
	       struct layerblk_error *err)
{
	struct json_tokener *tokener;
	json_object *document;
	enum json_tokener_error why;
	size_t used;

	if (length > INT_MAX - 1)
		return layerblk_error_set(err, EBADMSG, "read", subject, "it is too large");
	tokener = json_tokener_new_ex(JSON_DEPTH);
	if (!tokener)
		return layerblk_error_set(err, ENOMEM, "read", subject, "no memory");
	document = json_tokener_parse_ex(tokener, text, (int)length);
	why = json_tokener_get_error(tokener);
	used = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	if (!document)
		return layerblk_error_set(err, EBADMSG, "read", subject, "it is not valid JSON (%s at byte %zu)",
					  why == json_tokener_continue ? "it ends too early" :
					  why == json_tokener_success ? "no value" : json_tokener_error_desc(why), used);
	while (used < length && strchr(" \t\r\n", text[used]) && text[used])
		used++;
	if (used < length) {
		json_object_put(document);
		return layerblk_error_set(err, EBADMSG, "read", subject, "something follows the JSON at byte %zu", used);
	}
	if (!json_object_is_type(document, type)) {
		json_object_put(document);
		return layerblk_error_set(err, EBADMSG, "read", subject, "it is not a JSON %s", json_type_word(type));
	}
	*out = document;
	return 0;
}

json_object *json_member(json_object *object, const char *key, enum json_type type)
{
	json_object *value;

	if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, type))
		return NULL;
	return value;
}

json_object *json_member_made(json_object *object, const char *key, enum json_type type)
{
	json_object *value = json_member(object, key, type);

	if (!value) {
		value = type == json_type_array ? json_object_new_array() : json_object_new_object();
		json_object_object_add(object, key, value);
	}
	return value;
}

const char *json_text(json_object *object, const char *key)
{
	json_object *value = json_member(object, key, json_type_string);
	const char *text = value ? json_object_get_string(value) : NULL;

	return text && strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

long long json_number(json_object *object, const char *key)
{
	json_object *value = json_member(object, key, json_type_int);
	long long number = value ? json_object_get_int64(value) : -1;

	return number < 0 ? -1 : number;
}

int json_need(json_object *object, const char *key, enum json_type type, const char *subject, json_object **out,
	      struct layerblk_error *err)
{
	json_object *value = json_member(object, key, type);

	if (!value)
		return layerblk_error_set(err, EBADMSG, "read", subject, "it has no %s \"%s\"", json_type_word(type), key);
	*out = value;
	return 0;
}
