/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One output, two forms: lines for people, JSON for programs. A value is written once, by name; text puts an object
 * within a list on one line.
 */
#ifndef LAYERCK_OUT_H
#define LAYERCK_OUT_H

#include <stdbool.h>
#include <stdio.h>

struct out {
	FILE *to;
	bool json;
	unsigned int depth, lists;	/* open objects and lists; of them, lists */
	bool first;			/* nothing in the innermost one yet */
};

void out_begin(struct out *o, FILE *to, bool json);
void out_end(struct out *o);			/* closes what is open */
void out_object(struct out *o, const char *name);	/* name NULL: in a list */
void out_list(struct out *o, const char *name);
void out_close_object(struct out *o);
void out_close_list(struct out *o);
void out_u64(struct out *o, const char *name, unsigned long long value);
void out_s64(struct out *o, const char *name, long long value);
void out_hex(struct out *o, const char *name, unsigned long long value);	/* a string in JSON */
void out_bool(struct out *o, const char *name, bool value);
void out_text(struct out *o, const char *name, const char *text);
/* Foreign bytes: what is not printable is escaped. */
void out_bytes(struct out *o, const char *name, const void *bytes, size_t len);
void out_raw(struct out *o, const char *name, const void *bytes, size_t len);	/* hex digits */

#endif /* LAYERCK_OUT_H */
