// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl diff: which files of a container are not as in its image. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "changes.h"
#include "cleanup.h"
#include "json.h"
#include "namespace.h"
#include "output.h"
#include "run_commands.h"
#include "view.h"

/* Where the runtime mounts things, it makes what is missing. */
static const char *const ignored[] = {
	"/dev", "/proc", "/sys", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/sbin/layerblk-init", NULL
};

struct diff {
	const struct pool *pool;
	const struct container *container;
	uint64_t parent;
	bool json;
	size_t count;
};

static int say(void *arg, char what, const char *path)
{
	struct diff *diff = arg;
	json_object *text;

	if (!diff->json)
		return printf("%c %s\n", what, path) < 0 ? -EPIPE : 0;
	text = output_string(path);
	printf("%s\n  { \"kind\": \"%c\", \"path\": %s }", diff->count++ ? "," : "", what,
	       json_object_to_json_string_ext(text, JSON_C_TO_STRING_PLAIN));
	json_object_put(text);
	return 0;
}

static int in_namespace(void *arg, struct layerblk_error *err)
{
	struct diff *diff = arg;
	struct view before, after;
	int rc = view_open(diff->pool, diff->container, false, &after, err);

	if (rc)
		return rc;
	rc = view_open_layer(diff->pool, diff->parent, &before, err);
	if (!rc && diff->json)
		printf("[");
	if (!rc)
		rc = changes_each(before.root, after.root, root_is_shared(diff->container), ignored, say, diff, err);
	if (diff->json)
		printf("%s]\n", diff->count ? "\n" : "");
	view_close(&before);
	view_close(&after);
	if (!rc && fflush(stdout) != 0)
		rc = layerblk_error_set(err, errno, "write", "the list", "%s", strerror(errno));
	return rc;
}

/* The image's top layer: below the snapshots that commits have made of it. */
static int find_parent(struct diff *diff, struct layerblk_error *err)
{
	struct lb_vol_info info;
	int rc = layerblk_vol_stat(diff->pool->lb, diff->pool->uuid, diff->container->volume, 0, &info, err);
	long long base = json_number(diff->container->record, "base");

	if (rc)
		return rc;
	diff->parent = base > 0 ? (uint64_t)base : info.parent;
	return 0;
}

int run_diff_run(struct command_call *call)
{
	struct container container;
	struct image_pool at;
	struct diff diff = { 0 };
	enum output_format format;
	int rc;

	if (output_format(call, &format))
		return 1;
	rc = container_argument(call, &at, &container);
	if (rc)
		return command_fail(call);
	diff = (struct diff){ .pool = &at.pool, .container = &container, .json = format == OUTPUT_JSON };
	rc = find_parent(&diff, &call->error);
	if (!rc)
		rc = namespace_run(in_namespace, &diff, &call->error);
	container_clear(&container);
	return rc ? command_fail(call) : 0;
}
