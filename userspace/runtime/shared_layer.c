// SPDX-License-Identifier: GPL-2.0-or-later
/* See shared_layer.h. The difference goes as a layer's tar through a pipe, from a process that reads the overlay to one that applies it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "apply.h"
#include "cleanup.h"
#include "filesystem.h"
#include "layer_tar.h"
#include "namespace.h"
#include "root.h"
#include "shared_layer.h"
#include "spool.h"
#include "view.h"

#define BLOB	"the container's changes"

struct ends {
	int before, after;		/* directories */
	int pipes[2];
};

/* ------------------------------------------------------------------ copying */

static int write_changes(void *arg, struct layerblk_error *err)
{
	struct ends *ends = arg;
	struct sink sink = { spool_sink, &ends->pipes[1] };

	close(ends->pipes[0]);
	return layer_tar_write(ends->before, ends->after, TREES_OVERLAID, &sink, err);
}

/* Takes over the pipe's end. */
static int apply_changes(int pipe, int target, struct layerblk_error *err)
{
	struct bundle_layer layer = { .blob = (char *)(uintptr_t)BLOB, .size = -1 };
	struct source *source = NULL;
	struct stream *stream = NULL;
	int rc = source_open_pipe(pipe, BLOB, &source, err);

	if (!rc)
		rc = stream_open(source, &layer, NULL, NULL, &stream, err);
	if (!rc)
		rc = apply_layer(target, stream, NULL, err);
	stream_close(stream);
	source_close(source);
	return rc;
}

/* To its end, so that the writer's error, if it has one, is its own. */
static void drain(int pipe)
{
	char buffer[65536];
	ssize_t got;

	do
		got = read(pipe, buffer, sizeof(buffer));
	while (got > 0 || (got < 0 && errno == EINTR));
}

/* The writer needs our /proc, and follows no link: its root is ours. */
static int copy(int before, int after, int target, struct layerblk_error *err)
{
	cleanup_fd int ours = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ends ends = { .before = before, .after = after };
	struct layerblk_error why = { 0 };
	struct child writer;
	int rc, other;

	if (ours < 0 || pipe2(ends.pipes, O_CLOEXEC) != 0)
		return layerblk_error_set(err, errno, "copy", BLOB, "no pipe: %s", strerror(errno));
	rc = child_start_in(ours, write_changes, &ends, &writer, err);
	close(ends.pipes[1]);
	if (rc) {
		close(ends.pipes[0]);
		return rc;
	}
	rc = apply_changes(fcntl(ends.pipes[0], F_DUPFD_CLOEXEC, 3), target, err);
	drain(ends.pipes[0]);
	close(ends.pipes[0]);
	other = child_wait(&writer, &why);
	if (other && err)
		*err = why;
	return other ? other : rc;
}

static int copy_to_target(struct shared_layer *layer, int before, int after, struct layerblk_error *err)
{
	struct working *target = &layer->target;
	cleanup_fd int root = -1;
	int rc = working_mount(target, layer->fs, false, 0, filesystem_import_options(layer->fs), err);

	if (rc)
		return rc;
	root = open(target->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		rc = layerblk_error_set(err, errno, "open", target->directory, "%s", strerror(errno));
	if (!rc)
		rc = copy(before, after, root, err);
	if (root >= 0)
		close(take_fd(&root));
	if (!rc)
		rc = working_unmount(target, err);
	if (!rc)
		rc = working_deactivate(target, err);
	rmdir(target->directory);
	return rc;
}

static int in_namespace(void *arg, struct layerblk_error *err)
{
	struct shared_layer *layer = arg;
	struct view before, after;
	int rc = view_open_layer(layer->pool, layer->base, &before, err);

	if (rc)
		return rc;
	rc = view_open_over(layer->pool, layer->own.id, layer->base, layer->fs, &after, err);
	if (!rc) {
		rc = copy_to_target(layer, before.root, after.root, err);
		view_close(&after);
	}
	view_close(&before);
	return rc;
}

/* ------------------------------------------------------------------ the volumes */

static int take_snapshots(const struct container *container, struct shared_layer *layer, struct layerblk_error *err)
{
	const struct pool *pool = layer->pool;
	char random[13], name[64];
	int rc;

	random_hex(random, 6);
	snprintf(name, sizeof(name), "commit-%s", random);
	rc = working_begin(pool, name, layer->below, 0, container->id, &layer->target, err);
	snprintf(name, sizeof(name), "commit-%s-cut", random);
	if (!rc)
		rc = working_cut(pool, name, container->volume, container->id, &layer->cut, err);
	snprintf(name, sizeof(name), "commit-%s-own", random);
	if (!rc)
		rc = working_begin(pool, name, layer->cut.id, 0, container->id, &layer->own, err);
	return rc;
}

int shared_layer_begin(const struct pool *pool, const struct container *container, uint64_t below, struct shared_layer *out,
		       struct layerblk_error *err)
{
	int rc;

	*out = (struct shared_layer){ .pool = pool, .fs = container_text(container, "fs"), .base = root_layer(container), .below = below,
				      .cut.work.lock = -1, .own.work.lock = -1, .target.work.lock = -1 };
	rc = take_snapshots(container, out, err);
	if (rc)
		shared_layer_end(out, false);
	return rc;
}

int shared_layer_fill(struct shared_layer *layer, struct layerblk_error *err)
{
	return namespace_run(in_namespace, layer, err);
}

static void discard(struct working *working)
{
	if (working->work.lock >= 0)
		working_discard(working);
}

/* A volume before that which it descends from: nothing of it has to be moved. */
void shared_layer_end(struct shared_layer *layer, bool made)
{
	discard(&layer->own);
	discard(&layer->cut);
	if (made)
		working_done(&layer->target);
	else
		discard(&layer->target);
}
