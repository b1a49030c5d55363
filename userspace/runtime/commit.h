/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes an image of a container: its volume as it is becomes a frozen layer, in one step, and the container goes on above it. */
#ifndef RUNTIME_COMMIT_H
#define RUNTIME_COMMIT_H

#include "container.h"

struct commit_request {
	const char *name;		/* NULL: the image gets none */
	const char *author;		/* NULL: none */
	const char *message;		/* NULL: none */
	const char *const *changes;	/* lines like "ENV A=b"; ends with NULL */
	bool pause;			/* hold a container that runs meanwhile */
};

/* id gets the image's. */
int container_commit(const struct pool *pool, const struct container *container, const struct commit_request *request,
		     char id[DIGEST_TEXT], struct layerblk_error *err);

#endif
