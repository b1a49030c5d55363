/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registries, by skopeo: what it can reach, how it is configured, and the credentials it keeps are all its own. Images pass through a
 * temporary directory.
 */
#ifndef IMAGE_REGISTRY_H
#define IMAGE_REGISTRY_H

#include "bundle.h"

struct registry_options {
	const char *tls_verify;		/* "true", "false", NULL */
	const char *credentials;	/* USER[:PASSWORD], NULL; never on a command line that others can see */
	const char *authfile;		/* NULL: skopeo's own */
	bool quiet;
};

/* Copies the image that `name` ("docker.io/library/debian:12", or with @DIGEST) means into a directory, as "dir:". */
int registry_pull(const char *name, const struct platform *platform, const char *directory, const struct registry_options *options,
		  struct layerblk_error *err);

/* Copies the one image of an OCI layout. digest gets that of the manifest that the registry has, "" if skopeo does not say. */
int registry_push(const char *layout, const char *name, const struct registry_options *options, char digest[DIGEST_TEXT],
		  struct layerblk_error *err);

/* skopeo's login and logout. password NULL: skopeo asks for it. */
int registry_login(const char *registry, const char *user, const char *password, const struct registry_options *options,
		   struct layerblk_error *err);
int registry_logout(const char *registry, bool all, const struct registry_options *options, struct layerblk_error *err);

#endif
