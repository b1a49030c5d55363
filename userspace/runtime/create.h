/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes a container: the snapshot, the record, the volumes. Nothing of it runs yet. */
#ifndef RUNTIME_CREATE_H
#define RUNTIME_CREATE_H

#include "container.h"
#include "share.h"

struct create_request {
	const char *image;		/* as it was named */
	const char *name;		/* NULL: invent one */
	const char *entrypoint;		/* NULL: the image's; "": none */
	json_object *settings;		/* what the record begins as; ours to change */
	struct share_list shares;
	json_object *volumes_from;	/* "CONTAINER[:ro]", or NULL */
	uint64_t quota_blocks;		/* of the container's volume; 0: none */
	int argc;			/* the command */
	char *const *argv;
};

void create_request_clear(struct create_request *request);

/* container_clear() it. On failure nothing of it is left but the named volumes that were made. */
int container_create(const struct pool *pool, struct create_request *request, struct container *out, struct layerblk_error *err);

#endif
