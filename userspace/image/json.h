/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Foreign JSON, read with suspicion: whole documents only, bounded depth, and members of the wrong type are errors that
 * name the document and the member. Members of objects are borrowed from the document.
 */
#ifndef IMAGE_JSON_H
#define IMAGE_JSON_H

#include <stddef.h>
#include <json-c/json.h>
#include <layerblk.h>

/* A document whose top is an object or array (`type`). -EBADMSG otherwise. subject names it in errors. */
int json_parse(const char *text, size_t length, enum json_type type, const char *subject, json_object **out,
	       struct layerblk_error *err);

/* object[key] when it is of the type; NULL when it is missing, null, or of another type. */
json_object *json_member(json_object *object, const char *key, enum json_type type);
/* The same of an object of ours, for a list or an object: put there, empty, when it is missing. */
json_object *json_member_made(json_object *object, const char *key, enum json_type type);
/* As json_member() for strings: NULL or the text (which holds no zero byte). */
const char *json_text(json_object *object, const char *key);
/* The same for numbers that are not negative; -1 when missing. */
long long json_number(json_object *object, const char *key);

/* As json_member(), but -EBADMSG with "<subject>: it has no list "layers"" when it is missing or of another type. */
int json_need(json_object *object, const char *key, enum json_type type, const char *subject, json_object **out,
	      struct layerblk_error *err);

#endif
