// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl stop, restart, kill, pause, unpause, wait, rm, rename, logs, and what conmon calls. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cleanup.h"
#include "confirm.h"
#include "end.h"
#include "exec.h"
#include "json.h"
#include "logs.h"
#include "oci.h"
#include "run_commands.h"
#include "signals.h"
#include "size.h"
#include "start.h"
#include "stop.h"

/* ------------------------------------------------------------------ stop, restart, kill */

static int stop_seconds(struct command_call *call, int *seconds)
{
	const char *text = option_value(call, "time");
	uint64_t value = 0;
	int rc;

	*seconds = -1;
	if (!text)
		return 0;
	rc = number_parse(text, 86400, &value, "wait for the container", &call->error);
	*seconds = (int)value;
	return rc;
}

static int stop_one(struct command_call *call, const struct pool *pool, struct container *container)
{
	int seconds, rc = stop_seconds(call, &seconds);

	return rc ? rc : container_stop(pool, container, seconds, &call->error);
}

int run_stop_run(struct command_call *call)
{
	return container_arguments(call, stop_one, false);
}

static int restart_one(struct command_call *call, const struct pool *pool, struct container *container)
{
	int status, rc = stop_one(call, pool, container);

	return rc ? rc : container_start(pool, container, NULL, NULL, &status, &call->error);
}

int run_restart_run(struct command_call *call)
{
	return container_arguments(call, restart_one, false);
}

static int kill_one(struct command_call *call, const struct pool *pool, struct container *container)
{
	const char *text = option_value(call, "signal");
	int number = SIGKILL, rc = text ? signal_parse(text, &number, &call->error) : 0;

	return rc ? rc : container_kill(pool, container, number, &call->error);
}

int run_kill_run(struct command_call *call)
{
	return container_arguments(call, kill_one, false);
}

/* ------------------------------------------------------------------ pause, wait, rm */

static int pause_one(struct command_call *call, const struct pool *pool, struct container *container)
{
	switch (container_state(pool, container)) {
	case CONTAINER_RUNNING:
		return oci_pause(container->id, &call->error);
	case CONTAINER_PAUSED:
		return layerblk_error_set(&call->error, EALREADY, "pause the container", container->name, "it is paused");
	default:
		return layerblk_error_set(&call->error, ESRCH, "pause the container", container->name, "it is not running");
	}
}

int run_pause_run(struct command_call *call)
{
	return container_arguments(call, pause_one, false);
}

static int unpause_one(struct command_call *call, const struct pool *pool, struct container *container)
{
	if (container_state(pool, container) != CONTAINER_PAUSED)
		return layerblk_error_set(&call->error, EINVAL, "unpause the container", container->name, "it is not paused");
	return oci_resume(container->id, &call->error);
}

int run_unpause_run(struct command_call *call)
{
	return container_arguments(call, unpause_one, false);
}

static int wait_one(struct command_call *call, const struct pool *pool, struct container *container)
{
	int status = 0, rc = container_wait(pool, container, &status, &call->error);

	if (!rc)
		printf("%d\n", status);
	return rc;
}

int run_wait_run(struct command_call *call)
{
	return container_arguments(call, wait_one, true);
}

static int rm_one(struct command_call *call, const struct pool *pool, struct container *container)
{
	return container_destroy(pool, container, option_is_set(call, "force"), option_is_set(call, "volumes"), &call->error);
}

int run_rm_run(struct command_call *call)
{
	return container_arguments(call, rm_one, false);
}

/* ------------------------------------------------------------------ prune */

struct pruned {
	const struct pool *pool;
	char (*ids)[CONTAINER_ID];
	size_t count;
};

static int note_ended(void *arg, const struct container *container)
{
	struct pruned *pruned = arg;
	enum container_state state = container_state(pruned->pool, container);
	char (*more)[CONTAINER_ID];

	if (state == CONTAINER_RUNNING || state == CONTAINER_PAUSED)
		return 0;
	more = reallocarray(pruned->ids, pruned->count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	pruned->ids = more;
	memcpy(more[pruned->count++], container->id, CONTAINER_ID);
	return 0;
}

int containers_prune(const struct pool *pool, uint64_t *bytes, size_t *count, struct layerblk_error *err)
{
	struct pruned pruned = { .pool = pool };
	struct layerblk_error why = { 0 };
	struct container container;
	int result = container_each(pool, note_ended, &pruned, err);

	for (size_t i = 0; i < pruned.count; i++) {
		int rc = container_find(pool, pruned.ids[i], &container, &why);
		struct lb_vol_info info = { 0 };

		if (!rc) {
			layerblk_vol_stat(pool->lb, pool->uuid, container.volume, 0, &info, NULL);
			rc = container_destroy(pool, &container, false, false, &why);
			container_clear(&container);
		}
		if (!rc) {
			printf("%s%s\n", (*count)++ ? "" : "Deleted Containers:\n", pruned.ids[i]);
			*bytes += info.owned_blocks * LB_BLOCK_SIZE;
		} else if (rc != -ENOENT && !result) {
			result = rc;
			if (err)
				*err = why;
		}
	}
	free(pruned.ids);
	return result;
}

int run_prune_run(struct command_call *call)
{
	char text[SIZE_TEXT];
	struct image_pool at;
	uint64_t bytes = 0;
	size_t count = 0;

	if (!confirmed(call, "This will remove all stopped containers."))
		return 0;
	if (container_pool_open(call, &at) || containers_prune(&at.pool, &bytes, &count, &call->error))
		return command_fail(call);
	printf("%sTotal reclaimed space: %s\n", count ? "\n" : "", size_format(bytes, text));
	return fflush(stdout) ? 1 : 0;
}

/* ------------------------------------------------------------------ rename */

int run_rename_run(struct command_call *call)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct layerblk_vol_change change = { .flags = LB_VOL_SET_NAME, .name = call->argv[1] };
	struct container container;
	struct image_pool at;
	char key[KEY_TEXT];
	int rc = container_name_check(call->argv[1], &call->error);

	if (!rc)
		rc = container_argument(call, &at, &container);
	if (rc || !attrs)
		return command_fail(call);
	snprintf(key, sizeof(key), KEY_CONTAINER "%s", container.id);
	layerblk_attrs_set_string(attrs, 0, key, call->argv[1], 0);
	rc = layerblk_vol_set(at.pool.lb, at.pool.uuid, container.volume, &change, attrs, &call->error);
	if (rc == -EEXIST)
		container_name_taken(call->argv[1], "rename the container", &call->error);
	container_clear(&container);
	return rc ? command_fail(call) : 0;
}

/* ------------------------------------------------------------------ logs */

static int take_logs(struct command_call *call, struct logs *how)
{
	const char *tail = option_value(call, "tail"), *since = option_value(call, "since"), *until = option_value(call, "until");
	struct timespec now;
	int64_t now_ns;
	uint64_t lines;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	*how = (struct logs){ .follow = option_is_set(call, "follow"), .timestamps = option_is_set(call, "timestamps"), .tail = -1 };
	if (tail && strcmp(tail, "all") != 0) {
		rc = number_parse(tail, INT32_MAX, &lines, "show the last lines", &call->error);
		how->tail = rc ? -1 : (int64_t)lines;
	}
	if (!rc && since)
		rc = logs_parse_time(since, now_ns, &how->since_ns, &call->error);
	if (!rc && until)
		rc = logs_parse_time(until, now_ns, &how->until_ns, &call->error);
	return rc;
}

int run_logs_run(struct command_call *call)
{
	struct container container;
	struct image_pool at;
	struct logs how;
	int rc = take_logs(call, &how);

	if (!rc)
		rc = container_argument(call, &at, &container);
	if (rc)
		return command_fail(call);
	rc = logs_print(&at.pool, &container, &how, &call->error);
	container_clear(&container);
	return rc ? command_fail(call) : 0;
}

/* ------------------------------------------------------------------ conmon's exit command */

int run_ended_run(struct command_call *call)
{
	const char *session = option_value(call, "exec"), *id = call->argv[0];
	struct image_pool at;

	if (session) {
		exec_ended(id, session);
		return 0;
	}
	if (image_pool_open(call, &at) || container_ended(&at.pool, id, &call->error))
		return command_fail(call);
	return 0;
}
