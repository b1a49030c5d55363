// SPDX-License-Identifier: GPL-2.0
/* Output for people and for programs: see out.h. */
#include <string.h>

#include "out.h"

static void indent(struct out *o)
{
	unsigned int i;

	for (i = 1; i < o->depth; i++)
		fputs("  ", o->to);
}

/* In text, everything within a list's object stands on its line. */
static bool one_line(const struct out *o)
{
	return !o->json && o->lists;
}

static void begin_value(struct out *o, const char *name)
{
	if (o->json) {
		fprintf(o->to, "%s\n", o->first || !o->depth ? "" : ",");
		indent(o);
		fputs(o->depth ? "  " : "", o->to);
		if (name)
			fprintf(o->to, "\"%s\": ", name);
	} else if (one_line(o)) {
		fprintf(o->to, "%s%s%s", o->first ? "" : ", ", name ? name : "", name ? " " : "");
	} else {
		indent(o);
		fprintf(o->to, "%s: ", name ? name : "-");
	}
	o->first = false;
}

static void end_value(struct out *o)
{
	if (!o->json && !o->lists)
		fputc('\n', o->to);
}

void out_begin(struct out *o, FILE *to, bool json)
{
	*o = (struct out){ .to = to, .json = json, .first = true };
	if (json) {
		fputc('{', to);
		o->depth = 1;
	} else {
		o->depth = 1;
	}
}

void out_end(struct out *o)
{
	if (o->json)
		fputs("\n}\n", o->to);
}

void out_object(struct out *o, const char *name)
{
	if (o->json) {
		begin_value(o, name);
		fputc('{', o->to);
	} else if (o->lists == 1 && !name) {
		indent(o);
		fputs("- ", o->to);
	} else if (name && !o->lists) {
		indent(o);
		fprintf(o->to, "%s:\n", name);
	} else {
		begin_value(o, name);
	}
	o->depth++;
	o->first = true;
}

void out_list(struct out *o, const char *name)
{
	if (o->json) {
		begin_value(o, name);
		fputc('[', o->to);
	} else {
		indent(o);
		fprintf(o->to, "%s:\n", name);
	}
	o->depth++;
	o->lists++;
	o->first = true;
}

static void close_any(struct out *o, char end)
{
	bool empty = o->first;

	o->depth--;
	if (o->json) {
		if (!empty) {
			fputc('\n', o->to);
			indent(o);
			fputs("  ", o->to);
		}
		fputc(end, o->to);
	}
	o->first = false;
}

void out_close_object(struct out *o)
{
	close_any(o, '}');
	if (one_line(o))
		fputc('\n', o->to);
}

void out_close_list(struct out *o)
{
	o->lists--;
	close_any(o, ']');
}

void out_u64(struct out *o, const char *name, unsigned long long value)
{
	begin_value(o, name);
	fprintf(o->to, "%llu", value);
	end_value(o);
}

void out_s64(struct out *o, const char *name, long long value)
{
	begin_value(o, name);
	fprintf(o->to, "%lld", value);
	end_value(o);
}

void out_hex(struct out *o, const char *name, unsigned long long value)
{
	begin_value(o, name);
	fprintf(o->to, o->json ? "\"0x%llx\"" : "0x%llx", value);
	end_value(o);
}

void out_bool(struct out *o, const char *name, bool value)
{
	begin_value(o, name);
	if (o->json)
		fputs(value ? "true" : "false", o->to);
	else
		fputs(value ? "yes" : "no", o->to);
	end_value(o);
}

/* A string that any parser takes: what is no plain ASCII is escaped, in JSON as a code point of the byte's value. */
static void put_escaped(struct out *o, const unsigned char *p, size_t len)
{
	size_t i;

	fputc('"', o->to);
	for (i = 0; i < len; i++) {
		if (p[i] == '"' || p[i] == '\\')
			fprintf(o->to, "\\%c", p[i]);
		else if (p[i] >= 0x20 && p[i] < 0x7f)
			fputc(p[i], o->to);
		else
			fprintf(o->to, o->json ? "\\u%04x" : "\\x%02x", p[i]);
	}
	fputc('"', o->to);
}

void out_text(struct out *o, const char *name, const char *text)
{
	begin_value(o, name);
	if (o->json)
		put_escaped(o, (const unsigned char *)text, strlen(text));
	else
		fputs(text, o->to);
	end_value(o);
}

void out_bytes(struct out *o, const char *name, const void *bytes, size_t len)
{
	begin_value(o, name);
	put_escaped(o, bytes, len);
	end_value(o);
}

void out_raw(struct out *o, const char *name, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t i;

	begin_value(o, name);
	if (o->json)
		fputc('"', o->to);
	for (i = 0; i < len; i++)
		fprintf(o->to, "%02x", p[i]);
	if (o->json)
		fputc('"', o->to);
	end_value(o);
}
