/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The OCI runtime's config.json of a container, from its record. */
#ifndef RUNTIME_SPEC_H
#define RUNTIME_SPEC_H

#include <json-c/json.h>
#include "container.h"
#include "share.h"

struct spec {
	const struct container *container;
	const char *bundle;		/* its directory, for the files bound over /etc */
	int root;			/* the mounted root directory */
	const char *rootfs;		/* its path; NULL: that in the bundle */
	const struct share_list *shares;
};

int spec_build(const struct spec *spec, json_object **out, struct layerblk_error *err);

/* What is executed in a container that runs; NULL and empty members: as the container itself. */
struct spec_exec {
	json_object *args;
	json_object *env;		/* on top of the container's */
	const char *user;
	const char *workdir;
	bool tty;
	bool privileged;
};

int spec_exec_build(const struct container *container, int root, const struct spec_exec *exec, json_object **out,
		    struct layerblk_error *err);

/* The file for /etc/hosts, malloc()ed. address NULL: none of its own. */
char *spec_hosts(const struct container *container, const char *address);

#endif
