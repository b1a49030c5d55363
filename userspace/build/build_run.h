/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What RUN needs of a container runtime: a command in a mounted root, with the limits, devices and network that containers have, to its
 * end. The build mounts the root in its own private mount namespace, and unmounts it afterwards.
 */
#ifndef BUILD_BUILD_RUN_H
#define BUILD_BUILD_RUN_H

#include <layerblk.h>

struct build_run {
	const char *directory;		/* where the root is mounted */
	char *const *argv;		/* ends with NULL; argv[0] is looked up in the root by env's PATH */
	char *const *env;		/* "NAME=value", ends with NULL: ENV of the image and the stage's ARGs */
	const char *workdir;		/* absolute; exists */
	const char *user;		/* as in the image's config; "" is root */
	const char *network;		/* of --network: "default", "none", "host"; NULL: default */
	int output;			/* a descriptor for its standard output and error */
};

/*
 * 0 when it has run, whatever *status it ended with (128 + N after signal N). A negative errno with err set when it could not be
 * run. Nothing of it is left when the function returns: no process, no mount beneath the directory.
 */
typedef int build_run_fn(void *arg, const struct build_run *run, int *status, struct layerblk_error *err);

#endif
