/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where COPY and ADD take files from: the build context without what .dockerignore leaves out, or the root of another stage. Nothing
 * outside of it can be reached, by whatever name or symbolic link.
 */
#ifndef BUILD_CONTEXT_H
#define BUILD_CONTEXT_H

#include <sys/stat.h>
#include "digest.h"
#include "pattern.h"

struct context {
	int root;			/* the directory, open for reading; borrowed */
	const struct ignore *ignore;	/* NULL: nothing is left out */
};

/* Reads DIRECTORY/.dockerignore, if there is one (NAME.dockerignore of a Dockerfile NAME comes first). */
int context_ignore(int root, const char *dockerfile, struct ignore *out, struct layerblk_error *err);

struct found {				/* paths beneath the context, without a leading slash; "" is all of it */
	char **paths;
	size_t count;
};

/*
 * What a source names, with wildcards or without, in order; symbolic links above the last name are followed inside the root.
 * -ENOENT when it is nothing.
 */
int context_find(const struct context *context, const char *source, struct found *out, struct layerblk_error *err);
void found_clear(struct found *found);
/* Adds a copy of a path. -ENOMEM. */
int found_take(struct found *found, char *const *path);

/* The entry itself (`follow`: or what a link means). A descriptor for openat() and a name, as open_parent. -1 with errno. */
int context_open(const struct context *context, const char *path, int flags);

/*
 * Adds what a path is to a hash: names, kinds, modes, targets, contents, attributes of it and all beneath, in order. Not owners and
 * times, which COPY does not keep.
 */
int context_hash(const struct context *context, const char *path, struct hasher *hash, struct layerblk_error *err);

/* Names in a directory, sorted, without what is left out; ends with NULL; names_free() it. */
char **context_names(const struct context *context, int directory, const char *path, struct layerblk_error *err);
void names_free(char **names);

#endif
