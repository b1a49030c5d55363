// SPDX-License-Identifier: GPL-2.0-or-later
/* scrub: reads and checks all metadata of a pool, in the background. */
#include <errno.h>
#include <inttypes.h>
#include <time.h>
#include "cleanup.h"
#include "command.h"
#include "output.h"
#include "ref.h"
#include "report.h"
#include "show.h"
#include "size.h"

static const char *state_text(uint64_t state)
{
	switch (state) {
	case LB_SCRUB_IDLE:
		return "never run";
	case LB_SCRUB_RUNNING:
		return "running";
	case LB_SCRUB_DONE:
		return "done";
	case LB_SCRUB_STOPPED:
		return "stopped";
	default:
		return "unknown";
	}
}

/* Exit status 1 when errors were found. */
static int print(struct command_call *call, const struct lb_ioc_pool_status *pool)
{
	cleanup_json json_object *answer = NULL;
	enum output_format format;
	char size[SIZE_TEXT];
	int status;

	if (output_format(call, &format))
		return 1;
	if (format == OUTPUT_JSON) {
		answer = json_object_new_object();
		json_object_object_add(answer, "state", json_object_new_string(state_text(pool->scrub_state)));
		json_object_object_add(answer, "read", output_uint(pool->scrub_done_blocks * LB_BLOCK_SIZE));
		json_object_object_add(answer, "errors", output_uint(pool->scrub_errors));
		status = output_json(answer);
	} else {
		printf("%s: %s of metadata read, %" PRIu64 " errors\n", state_text(pool->scrub_state),
		       size_format(pool->scrub_done_blocks * LB_BLOCK_SIZE, size), (uint64_t)pool->scrub_errors);
		status = fflush(stdout) ? 1 : 0;
	}
	return pool->scrub_errors ? 1 : status;
}

static int wait_for_end(struct layerblk *lb, struct lb_ioc_pool_status *pool, struct layerblk_error *err)
{
	struct timespec pause = { .tv_nsec = 200000000 };
	struct progress progress;
	int ret;

	progress_begin(&progress, pool->meta_blocks * LB_BLOCK_SIZE, false, "Scrubbing");
	while (!(ret = layerblk_pool_status(lb, pool->uuid, pool, err)) && pool->scrub_state == LB_SCRUB_RUNNING) {
		progress_update(&progress, pool->scrub_done_blocks * LB_BLOCK_SIZE);
		nanosleep(&pause, NULL);
	}
	progress_end(&progress);
	return ret;
}

static int start(struct command_call *call, struct layerblk *lb, struct lb_ioc_pool_status *pool)
{
	int ret = layerblk_pool_scrub(lb, pool->uuid, LB_SCRUB_START, &call->error);

	if (ret == -EBUSY && option_is_set(call, "wait"))
		ret = 0;		/* the one that runs is waited for */
	if (!ret && option_is_set(call, "wait"))
		ret = wait_for_end(lb, pool, &call->error);
	if (ret)
		return command_fail(call);
	return option_is_set(call, "wait") ? print(call, pool) : 0;
}

static int scrub(struct command_call *call)
{
	struct layerblk *lb;
	struct lb_ioc_pool_status pool;
	enum output_format format;

	if (option_is_set(call, "stop") + option_is_set(call, "status") + option_is_set(call, "wait") > 1)
		return command_usage_error(call, "--wait, --stop and --status exclude each other");
	if (output_format(call, &format))
		return 1;
	lb = command_control(call);
	if (!lb || ref_find_pool(lb, call->argv[0], &pool, &call->error))
		return command_fail(call);
	if (option_is_set(call, "status"))
		return print(call, &pool);
	if (!option_is_set(call, "stop"))
		return start(call, lb, &pool);
	return layerblk_pool_scrub(lb, pool.uuid, LB_SCRUB_STOP, &call->error) ? command_fail(call) : 0;
}

static const struct command_option scrub_options[] = {
	{ .name = "wait", .letter = 'w', .help = "Wait until it is done, and tell what it found" },
	{ .name = "stop", .help = "Stop the one that runs" },
	{ .name = "status", .help = "Tell how far it is and what it found" },
	OPTION_FORMAT,
	{ 0 },
};

const struct command scrub_commands[] = {
	{ .path = "scrub", .args = "[POOL]", .max_args = 1, .summary = "Read and check all metadata of a pool",
	  .details = "It runs in the background and slows writers little. Data has no checksums; layerblk leaves it to the file "
		     "system. The exit status of --wait and --status is 1 when errors were found.",
	  .options = scrub_options, .complete = COMPLETE_POOL, .run = scrub },
	{ 0 },
};
