// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * layerctl cp and export. What reads or writes in the container has the container's root as its own, so that links in it lead nowhere else;
 * the other end is on the host. Both are processes, with a tar between them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cleanup.h"
#include "namespace.h"
#include "run_commands.h"
#include "tree_tar.h"
#include "view.h"

struct copy {
	const struct pool *pool;
	const struct container *container;
	char *inside;			/* absolute, in the container */
	char *outside;			/* absolute, on the host; NULL: our standard streams */
	bool into;			/* from the host into the container */
	bool follow;
	bool archive;			/* keeps owners */
	bool whole;			/* export: the root without what is mounted in it */
};

struct end {				/* one of the two */
	struct tree_pack pack;
	struct tree_unpack unpack;
	bool packs;
	int close;			/* the other's descriptor */
};

static int run_end(void *arg, struct layerblk_error *err)
{
	struct end *end = arg;

	if (end->close >= 0)
		close(end->close);
	return end->packs ? tree_pack(&end->pack, err) : tree_unpack(&end->unpack, err);
}

/* The end in the container, which is a process of its own, and the one out here. */
static void make_ends(const struct copy *copy, int pipes[2], struct end *in, struct end *out)
{
	bool streams = !copy->outside;

	*in = (struct end){ .packs = !copy->into, .close = streams ? -1 : copy->into ? pipes[1] : pipes[0] };
	*out = (struct end){ .packs = copy->into, .close = copy->into ? pipes[0] : pipes[1] };
	in->pack = (struct tree_pack){ .path = copy->inside, .follow = copy->follow, .whole = copy->whole,
				       .one_file_system = copy->whole, .fd = streams ? STDOUT_FILENO : pipes[1] };
	in->unpack = (struct tree_unpack){ .path = copy->inside, .as_it_is = streams, .keep_owner = copy->archive || streams,
					   .fd = streams ? STDIN_FILENO : pipes[0] };
	out->pack = (struct tree_pack){ .path = copy->outside, .follow = copy->follow, .fd = pipes[1] };
	out->unpack = (struct tree_unpack){ .path = copy->outside, .keep_owner = copy->archive, .fd = pipes[0] };
}

static int run_both(const struct copy *copy, int root, struct layerblk_error *err)
{
	struct layerblk_error why = { 0 };
	struct end in, out;
	struct child child;
	int pipes[2] = { -1, -1 }, rc, other = 0;

	if (copy->outside && pipe2(pipes, O_CLOEXEC) != 0)
		return layerblk_error_set(err, errno, "copy", copy->inside, "no pipe: %s", strerror(errno));
	make_ends(copy, pipes, &in, &out);
	rc = child_start_in(root, run_end, &in, &child, err);
	if (copy->outside) {
		if (!rc)
			other = run_end(&out, &why);
		close(copy->into ? pipes[1] : pipes[0]);
		if (rc)
			close(copy->into ? pipes[0] : pipes[1]);
	}
	if (!rc)
		rc = child_wait(&child, err);
	/* Whoever writes the tar knows best why there is none. */
	if (other && (!rc || out.packs)) {
		if (err)
			*err = why;
		rc = other;
	}
	return rc;
}

static int in_namespace(void *arg, struct layerblk_error *err)
{
	const struct copy *copy = arg;
	struct view view;
	int rc;

	signal(SIGPIPE, SIG_IGN);
	rc = view_open(copy->pool, copy->container, !copy->whole, &view, err);
	if (rc)
		return rc;
	rc = run_both(copy, view.root, err);
	view_close(&view);
	return rc;
}

/* ------------------------------------------------------------------ cp */

/* "NAME:/path", unless it begins like a path of the host; NULL otherwise. */
static char *container_of(const char *text)
{
	const char *colon = strchr(text, ':');

	if (!colon || *text == '/' || *text == '.' || colon == text)
		return NULL;
	return strndup(text, (size_t)(colon - text));
}

/* The absolute path, malloc()ed; what it ends with stays. */
static char *absolute(const char *path, const char *from)
{
	char *text = NULL;

	if (*path == '/')
		return strdup(path);
	return asprintf(&text, "%s%s%s", from, strcmp(from, "/") == 0 ? "" : "/", path) < 0 ? NULL : text;
}

static int take_paths(struct command_call *call, struct copy *copy, char **name)
{
	const char *source = call->argv[0], *target = call->argv[1], *outside;
	char *from = container_of(source), *to = container_of(target);
	char cwd[PATH_MAX];

	if (!from == !to) {
		layerblk_error_set(&call->error, EINVAL, "copy", source,
				   from ? "both ends are in containers" : "neither end is in a container");
		free(from);
		free(to);
		return layerblk_error_hint(&call->error, "One of them is CONTAINER:/path");
	}
	copy->into = to != NULL;
	*name = from ? from : to;
	outside = copy->into ? source : target;
	copy->inside = absolute(strchr(copy->into ? target : source, ':') + 1, "/");
	if (strcmp(outside, "-") != 0)
		copy->outside = getcwd(cwd, sizeof(cwd)) ? absolute(outside, cwd) : NULL;
	if (copy->inside && (copy->outside || strcmp(outside, "-") == 0))
		return 0;
	return layerblk_error_set(&call->error, ENOMEM, "copy", source, "no memory");
}

int run_cp_run(struct command_call *call)
{
	struct copy copy = { .follow = option_is_set(call, "follow-link"), .archive = option_is_set(call, "archive") };
	cleanup_free char *name = NULL;
	struct container container;
	struct image_pool at;
	int rc = take_paths(call, &copy, &name);

	if (!rc && !copy.outside && !copy.into && isatty(STDOUT_FILENO))
		rc = layerblk_error_set(&call->error, EINVAL, "copy", copy.inside, "a tar is not written to a terminal");
	if (!rc)
		rc = container_pool_open(call, &at);
	if (!rc)
		rc = container_find(&at.pool, name, &container, &call->error);
	if (!rc) {
		copy.pool = &at.pool;
		copy.container = &container;
		rc = namespace_run(in_namespace, &copy, &call->error);
		container_clear(&container);
	}
	free(copy.inside);
	free(copy.outside);
	return rc ? command_fail(call) : 0;
}

/* ------------------------------------------------------------------ export */

int run_export_run(struct command_call *call)
{
	const char *output = option_value(call, "output");
	char root[] = "/.";
	struct container container;
	struct image_pool at;
	struct copy copy = { .inside = root, .whole = true };
	cleanup_fd int fd = -1;
	int rc = 0;

	if (!output && isatty(STDOUT_FILENO)) {
		layerblk_error_set(&call->error, EINVAL, "export", call->argv[0], "a tar is not written to a terminal");
		layerblk_error_hint(&call->error, "Use --output, or redirect it");
		return command_fail(call);
	}
	rc = container_argument(call, &at, &container);
	if (rc)
		return command_fail(call);
	if (output) {
		fd = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
			rc = layerblk_error_set(&call->error, errno, "write", output, "%s", strerror(errno));
	}
	copy.pool = &at.pool;
	copy.container = &container;
	if (!rc)
		rc = namespace_run(in_namespace, &copy, &call->error);
	container_clear(&container);
	if (rc && output)
		unlink(output);
	return rc ? command_fail(call) : 0;
}
