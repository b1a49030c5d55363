/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The OCI runtime's config.json of a container, from its image's config and what the command line says. */
#ifndef RUNTIME_SPEC_H
#define RUNTIME_SPEC_H

#include <stdbool.h>
#include <json-c/json.h>
#include "share.h"

struct spec {
	json_object *config;		/* the image's config document */
	const char *id;
	const char *name;
	const char *hostname;
	const char *bundle;		/* its directory, for the files bound over /etc */
	int root;			/* the mounted root directory */
	json_object *args;		/* spec_args() */
	const char *user;		/* NULL: the image's */
	const char *workdir;
	const char *const *env;		/* "KEY=VALUE" or "KEY" (ours), on top of the image's; ends with NULL */
	bool tty;
	bool read_only;
	bool host_network;
	const struct share *shares;
	size_t share_count;
};

/*
 * What is run, an array of texts, as Docker merges it: the entrypoint, and the command line's words or else the image's Cmd; an
 * entrypoint from the command line drops the image's Cmd. -EINVAL when there is nothing to run.
 */
int spec_args(json_object *config, const char *entrypoint, int argc, char *const *argv, json_object **out,
	      struct layerblk_error *err);

int spec_build(const struct spec *spec, json_object **out, struct layerblk_error *err);

/* The file for /etc/hosts, malloc()ed. */
char *spec_hosts(const char *hostname);

#endif
