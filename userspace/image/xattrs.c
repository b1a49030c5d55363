// SPDX-License-Identifier: GPL-2.0-or-later
/* Extended attributes of a file that an image keeps; see tree_changes.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include "tree_changes.h"
#include "cleanup.h"
#include "tarhead.h"

bool xattr_is_foreign(const char *name)
{
	return strncmp(name, "trusted.overlay.", 16) == 0 || strncmp(name, "user.overlay.", 13) == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct tar_xattr *)a)->name, ((const struct tar_xattr *)b)->name);
}

static int failed(const char *path, int error, struct layerblk_error *err)
{
	return layerblk_error_set(err, error, "read the attributes of", path, "%s", strerror(error));
}

static int read_one(const char *file, const char *name, const char *path, struct tar_xattr *out, struct layerblk_error *err)
{
	ssize_t size = lgetxattr(file, name, NULL, 0);

	if (size < 0)
		return failed(path, errno, err);
	out->name = strdup(name);
	out->value = malloc((size_t)size + 1);
	if (!out->name || !out->value)
		return failed(path, ENOMEM, err);
	size = lgetxattr(file, name, out->value, (size_t)size);
	if (size < 0)
		return failed(path, errno, err);
	out->size = (size_t)size;
	return 0;
}

static int read_names(const char *file, const char *names, size_t size, const char *path, struct tar_xattr **out,
		      size_t *count, struct layerblk_error *err)
{
	struct tar_xattr *more;
	int rc = 0;

	for (const char *name = names; !rc && name < names + size; name += strlen(name) + 1) {
		if (xattr_is_foreign(name) || strcmp(name, "security.selinux") == 0)
			continue;
		more = reallocarray(*out, *count + 1, sizeof(*more));
		if (!more)
			return failed(path, ENOMEM, err);
		*out = more;
		memset(&more[*count], 0, sizeof(*more));
		rc = read_one(file, name, path, &more[(*count)++], err);
	}
	return rc;
}

int xattrs_read(int directory, const char *name, const char *path, struct tar_xattr **out, size_t *count,
		struct layerblk_error *err)
{
	cleanup_free char *names = NULL;
	char file[NAME_MAX + 64];
	ssize_t size;
	int rc;

	*out = NULL;
	*count = 0;
	snprintf(file, sizeof(file), "/proc/self/fd/%d/%s", directory, name);
	size = llistxattr(file, NULL, 0);
	if (size < 0 && errno != EOPNOTSUPP)
		return failed(path, errno, err);
	if (size <= 0)
		return 0;
	names = malloc((size_t)size);
	if (!names)
		return failed(path, ENOMEM, err);
	size = llistxattr(file, names, (size_t)size);
	if (size < 0)
		return failed(path, errno, err);
	rc = read_names(file, names, (size_t)size, path, out, count, err);
	if (rc) {
		xattrs_free(*out, *count);
		*out = NULL;
		*count = 0;
		return rc;
	}
	if (*count > 1)
		qsort(*out, *count, sizeof(**out), by_name);
	return 0;
}

void xattrs_free(struct tar_xattr *xattrs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(xattrs[i].name);
		free(xattrs[i].value);
	}
	free(xattrs);
}
