/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Image names as people write them: [DOMAIN[:PORT]/]PATH[:TAG], kept in Docker's short form with an explicit tag. */
#ifndef IMAGE_REFERENCE_H
#define IMAGE_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <layerblk.h>

#define REFERENCE_MAX	240		/* bytes with the terminating zero; with its prefix it fits an attribute's key */

/*
 * "debian" becomes "debian:latest", "docker.io/library/debian:12" becomes "debian:12". -EINVAL with the rule that is
 * broken.
 */
int reference_normalize(const char *text, char out[REFERENCE_MAX], struct layerblk_error *err);

/* Where the tag begins in a normal name: "debian" and "12" of "debian:12". */
void reference_split(const char *normal, char repository[REFERENCE_MAX], const char **tag);

/* A normal name with the registry that is meant: "docker.io/library/debian:12". */
void reference_full(const char *normal, char full[REFERENCE_MAX + 32]);

/* Whether text can only be a tag ("12", "latest"): no slash, no colon, and the characters of a tag. */
bool reference_is_tag(const char *text);

/* A name for an image that came without one: the file's base name, without .tar and the like, as a repository; "" if it gives none. */
void reference_from_path(const char *path, char repository[REFERENCE_MAX]);

#endif
