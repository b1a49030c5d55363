// SPDX-License-Identifier: LGPL-2.1-or-later
/* Error objects: recording a failure and making a sentence of it. */
#include <stdarg.h>
#include <stdio.h>
#include "internal.h"

/* So that a hint can pass the code on when the caller wanted no object: both are called in one breath. */
static _Thread_local int last_code;

static void copy_cut(char *to, size_t size, const char *from)
{
	size_t len = from ? strnlen(from, size - 1) : 0;

	if (len)
		memcpy(to, from, len);
	to[len] = 0;
}

int layerblk_error_set(struct layerblk_error *err, int code, const char *what, const char *subject,
		       const char *why_format, ...)
{
	va_list args;

	last_code = code;
	if (!err)
		return -code;
	err->code = code;
	copy_cut(err->what, sizeof(err->what), what);
	copy_cut(err->subject, sizeof(err->subject), subject);
	va_start(args, why_format);
	vsnprintf(err->why, sizeof(err->why), why_format, args);
	va_end(args);
	err->hint[0] = 0;
	return -code;
}

int layerblk_error_hint(struct layerblk_error *err, const char *format, ...)
{
	va_list args;

	if (!err)
		return -last_code;
	va_start(args, format);
	vsnprintf(err->hint, sizeof(err->hint), format, args);
	va_end(args);
	return -err->code;
}

char *layerblk_error_format(const struct layerblk_error *err, char *buffer, size_t size)
{
	if (!size)
		return buffer;
	snprintf(buffer, size, "cannot %s%s%s: %s%s%s", err->what,
		 err->subject[0] ? " " : "", err->subject, err->why,
		 err->hint[0] ? ". " : "", err->hint);
	return buffer;
}
