// SPDX-License-Identifier: GPL-2.0-or-later
/* See run_mount.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "cleanup.h"
#include "expand.h"
#include "path.h"
#include "run_mount.h"

struct wish {				/* one --mount */
	char *text;			/* what the others point into */
	const char *type;
	const char *target;
	const char *source;
	const char *from;
	const char *size;		/* of a tmpfs */
	bool writable;
};

static int wrong(const struct wish *wish, int code, const char *why, struct layerblk_error *err)
{
	return layerblk_error_set(err, code, "use --mount", wish->type, "%s", why);
}

/* ------------------------------------------------------------------ one flag */

static const char **member_of(struct wish *wish, const char *key)
{
	static const char *const keys[][2] = { { "type", "type" }, { "target", "target" }, { "dst", "target" }, { "destination", "target" },
					       { "source", "source" }, { "src", "source" }, { "from", "from" }, { "size", "size" } };
	const char *name = "";

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (strcmp(keys[i][0], key) == 0)
			name = keys[i][1];
	return strcmp(name, "type") == 0 ? &wish->type : strcmp(name, "target") == 0 ? &wish->target :
	       strcmp(name, "source") == 0 ? &wish->source : strcmp(name, "from") == 0 ? &wish->from :
	       strcmp(name, "size") == 0 ? &wish->size : NULL;
}

static int take_switch(struct wish *wish, const char *key, const char *value, struct layerblk_error *err)
{
	bool reading = strcmp(key, "readonly") == 0 || strcmp(key, "ro") == 0;
	bool on = !value || strcmp(value, "true") == 0;

	if (!reading && strcmp(key, "readwrite") != 0 && strcmp(key, "rw") != 0)
		return layerblk_error_set(err, EINVAL, "use --mount", wish->type, "it has no member \"%s\"", key);
	wish->writable = reading != on;
	return 0;
}

/* "type=bind,source=a,target=/b"; what is not for this type is found later. */
static int take_members(struct wish *wish, struct layerblk_error *err)
{
	char *rest = wish->text, *item;
	int rc = 0;

	wish->type = "bind";
	while (!rc && (item = strsep(&rest, ",")) != NULL) {
		char *value = strchr(item, '=');
		const char **member;

		if (value)
			*value++ = '\0';
		member = value ? member_of(wish, item) : NULL;
		if (member)
			*member = value;
		else if (strcmp(wish->type, "bind") == 0 || strcmp(wish->type, "tmpfs") == 0)
			rc = take_switch(wish, item, value, err);
	}
	if (!rc && strcmp(wish->type, "bind") != 0 && strcmp(wish->type, "tmpfs") != 0)
		rc = wrong(wish, ENOTSUP, "only mounts of type bind and tmpfs are understood", err);
	if (!rc && (!wish->target || !*wish->target))
		rc = wrong(wish, EINVAL, "it needs a target", err);
	if (!rc && strcmp(wish->type, "bind") == 0 && wish->writable)
		rc = wrong(wish, ENOTSUP, "it can only be read-only", err);
	return rc;
}

static char *absolute(const struct build_step *step, const char *target)
{
	cleanup_free char *joined = NULL, *clean = NULL;
	char *path;

	if (asprintf(&joined, "%s/%s", *target == '/' ? "" : state_text(step->state, "WorkingDir"), target) < 0) {
		joined = NULL;
		return NULL;
	}
	clean = path_clean(joined, NULL);
	return clean && asprintf(&path, "/%s", clean) >= 0 ? path : NULL;
}

/* ------------------------------------------------------------------ binds */

/* What the file is and what is in it counts for the cache. */
static int add_contents(struct run_mounts *mounts, const struct build_source *source, const char *path, struct layerblk_error *err)
{
	struct hasher *hash = hasher_new(NULL);
	char digest[DIGEST_TEXT];
	int rc;

	if (!hash)
		return layerblk_error_set(err, ENOMEM, "use --mount", path, "no memory");
	rc = context_hash(&source->context, path, hash, err);
	hasher_text(hash, digest);
	hasher_free(hash);
	if (!rc && cache_key_add(mounts->key, digest, NULL) != 0)
		rc = layerblk_error_set(err, ENOMEM, "use --mount", path, "no memory");
	return rc;
}

/* Programs of another stage may be run; volume_mount() is for looking only. */
static int let_run(const struct build_source *source, struct layerblk_error *err)
{
	const char *directory = source->mount.directory;

	if (!source->mount.mounted || mount(NULL, directory, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV | MS_NOSUID, NULL) == 0)
		return 0;
	return layerblk_error_set(err, errno, "mount", directory, "%s", strerror(errno));
}

/* Where the file is, as a path of ours: links in the source lead nowhere out of it. */
static int find_path(const struct build_source *source, const char *path, char **out, struct layerblk_error *err)
{
	cleanup_fd int fd = context_open(&source->context, path, O_PATH);
	char self[32], found[PATH_MAX];
	ssize_t length;

	if (fd < 0)
		return layerblk_error_set(err, errno, "use --mount", *path ? path : ".", "%s",
					  errno == ENOENT ? "there is no such file" : strerror(errno));
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	length = readlink(self, found, sizeof(found) - 1);
	if (length < 0)
		return layerblk_error_set(err, errno, "use --mount", path, "%s", strerror(errno));
	found[length] = '\0';
	*out = strdup(found);
	return *out ? 0 : layerblk_error_set(err, ENOMEM, "use --mount", path, "no memory");
}

static int add_bind(struct build_step *step, const struct wish *wish, struct run_mounts *mounts, struct share *share, struct layerblk_error *err)
{
	struct build_source *more = reallocarray(mounts->sources, mounts->source_count + 1, sizeof(*more));
	cleanup_free char *path = path_clean(wish->source ? wish->source : "", NULL);
	int rc;

	if (more)
		mounts->sources = more;
	if (!more || !path)
		return wrong(wish, ENOMEM, "no memory", err);
	more += mounts->source_count++;
	rc = build_source_open(step, wish->from, more, err);
	if (!rc)
		rc = let_run(more, err);
	share->kind = SHARE_BIND;
	share->read_only = true;
	if (!rc)
		rc = find_path(more, path, &share->source, err);
	return rc ? rc : add_contents(mounts, more, path, err);
}

/* ------------------------------------------------------------------ all of them */

static int tmpfs_options(const struct wish *wish, struct share *share, struct layerblk_error *err)
{
	if (asprintf(&share->options, "exec%s%s", wish->size ? ",size=" : "", wish->size ? wish->size : "") >= 0)
		return 0;
	share->options = NULL;
	return wrong(wish, ENOMEM, "no memory", err);
}

static int add(struct build_step *step, const struct wish *wish, struct run_mounts *mounts, struct layerblk_error *err)
{
	struct share share = { .kind = SHARE_TMPFS, .lock = -1, .target = absolute(step, wish->target) };
	int rc = share.target ? 0 : wrong(wish, ENOMEM, "no memory", err);

	if (!rc && cache_key_add(mounts->key, wish->type, share.target, wish->size ? wish->size : "", NULL) != 0)
		rc = wrong(wish, ENOMEM, "no memory", err);
	if (!rc && strcmp(wish->type, "bind") == 0)
		rc = add_bind(step, wish, mounts, &share, err);
	else if (!rc)
		rc = tmpfs_options(wish, &share, err);
	if (rc)
		share_clear(&share);
	return rc ? rc : shares_add(&mounts->list, &share, err);
}

int run_mounts_take(struct build_step *step, struct run_mounts *out, struct layerblk_error *err)
{
	char *const *flags = step->instruction->flags;
	struct variables variables = { 0 };
	int rc = state_variables(step->state, &variables);

	for (size_t i = 0; !rc && flags[i]; i++) {
		struct wish wish = { .type = "bind" };

		if (strncmp(flags[i], "--mount", 7) != 0)
			continue;
		rc = expand(flags[i] + 7 + (flags[i][7] == '='), &variables, step->build->file->escape, EXPAND_PLAIN, &wish.text, err);
		if (!rc)
			rc = take_members(&wish, err);
		if (!rc)
			rc = add(step, &wish, out, err);
		free(wish.text);
	}
	variables_clear(&variables);
	return rc;
}

void run_mounts_clear(struct run_mounts *mounts)
{
	shares_clear(&mounts->list);
	for (size_t i = 0; i < mounts->source_count; i++)
		build_source_close(&mounts->sources[i]);
	free(mounts->sources);
	memset(mounts, 0, sizeof(*mounts));
}
