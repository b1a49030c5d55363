/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the library's files share; not installed. */
#ifndef LAYERBLK_INTERNAL_H
#define LAYERBLK_INTERNAL_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "layerblk.h"

#define EVENT_BUFFER	8192

struct layerblk {
	int fd;
	struct lb_ioc_version version;
	size_t event_begin;		/* events[] from here to event_end are read and not yet handed out */
	size_t event_end;
	_Alignas(8) unsigned char events[EVENT_BUFFER];
};

/* What a request is about, for its error. */
struct request_context {
	const char *what;		/* "create the volume" */
	const char *name;		/* a name in the request, or NULL */
	const uint8_t *uuid;		/* the pool, or NULL */
	uint64_t volume;		/* a volume by id, or 0; its name is looked up when there is an error to tell */
};

#define SUBJECT_TEXT	(LB_NAME_MAX + 64)

/*
 * ioctl(), again after EINTR, with a failure told by reasons.c. The struct begins with its size, set by the caller. May
 * run again with what it changed in the struct: only requests that the module undoes wholly on failure come here.
 */
int lbk_request(struct layerblk *lb, unsigned long request, void *argument, const struct request_context *context,
		struct layerblk_error *err);

/* Records why `request` failed with `code` (positive). Gives -code. */
int lbk_reason(struct layerblk_error *err, unsigned long request, int code, const struct request_context *context,
	       const char *subject);

/* Fills the part of a request that carries attribute changes; fails with what the list remembers. */
int lbk_attrs_fill(const struct layerblk_attrs *attrs, struct lb_attr_ops *ops, struct layerblk_error *err);

static inline uint64_t lbk_pointer(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

static inline void lbk_set_uuid(uint8_t *to, const uint8_t *uuid)
{
	memcpy(to, uuid, LB_UUID_LEN);
}

#endif
