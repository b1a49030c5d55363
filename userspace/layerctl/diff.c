// SPDX-License-Identifier: GPL-2.0-or-later
/* volume diff: which blocks of two frozen volumes differ. */
#include <inttypes.h>
#include <string.h>
#include "cleanup.h"
#include "command.h"
#include "output.h"
#include "ref.h"
#include "size.h"

struct diff {
	enum output_format format;
	bool summary;
	json_object *ranges;		/* of JSON */
	uint64_t written;		/* bytes */
	uint64_t cleared;
	uint64_t count;
};

static int add_range(void *arg, const struct lb_range *range)
{
	struct diff *diff = arg;
	uint64_t start = range->start * LB_BLOCK_SIZE, length = (uint64_t)range->count * LB_BLOCK_SIZE;
	bool mapped = range->flags & LB_RANGE_MAPPED;
	json_object *row;

	diff->count++;
	*(mapped ? &diff->written : &diff->cleared) += length;
	if (diff->summary)
		return 0;
	if (diff->format == OUTPUT_TABLE) {
		printf("%c %" PRIu64 " %" PRIu64 "\n", mapped ? 'C' : 'D', start, length);
		return ferror(stdout) ? -EIO : 0;
	}
	row = json_object_new_object();
	json_object_object_add(row, "start", output_uint(start));
	json_object_object_add(row, "length", output_uint(length));
	json_object_object_add(row, "data", json_object_new_boolean(mapped));
	json_object_array_add(diff->ranges, row);
	return 0;
}

static int print(const struct diff *diff)
{
	cleanup_json json_object *answer = NULL;
	char written[SIZE_TEXT], cleared[SIZE_TEXT];

	if (diff->format == OUTPUT_TABLE) {
		if (diff->summary)
			printf("%s changed, %s cleared, in %" PRIu64 " ranges\n", size_format(diff->written, written),
			       size_format(diff->cleared, cleared), diff->count);
		return fflush(stdout) ? 1 : 0;
	}
	answer = json_object_new_object();
	json_object_object_add(answer, "changed", output_uint(diff->written));
	json_object_object_add(answer, "cleared", output_uint(diff->cleared));
	if (!diff->summary)
		json_object_object_add(answer, "ranges", json_object_get(diff->ranges));
	return output_json(answer);
}

/* The two ids; a lone argument is compared with its parent. */
static int find_both(struct command_call *call, struct layerblk *lb, struct found_volume *b, uint64_t *a_id)
{
	struct found_volume a;
	int ret = ref_find_volume(lb, call->argv[call->argc - 1], "compare the volume", b, &call->error);

	if (ret)
		return ret;
	*a_id = b->info.parent;
	if (call->argc == 1)
		return 0;
	ret = ref_find_volume(lb, call->argv[0], "compare the volume", &a, &call->error);
	if (ret)
		return ret;
	*a_id = a.info.id;
	if (memcmp(a.uuid, b->uuid, LB_UUID_LEN) != 0)
		return layerblk_error_set(&call->error, EXDEV, "compare the volumes", NULL, "they are in two pools");
	return 0;
}

static int diff_run(struct command_call *call)
{
	cleanup_json json_object *ranges = json_object_new_array();
	struct diff diff = { .summary = option_is_set(call, "summary"), .ranges = ranges };
	struct layerblk *lb;
	struct found_volume b;
	uint64_t a;

	if (output_format(call, &diff.format))
		return 1;
	lb = command_control(call);
	if (!lb || find_both(call, lb, &b, &a) || layerblk_diff(lb, b.uuid, a, b.info.id, add_range, &diff, &call->error))
		return command_fail(call);
	return print(&diff);
}

static const struct command_option diff_options[] = {
	{ .name = "summary", .letter = 's', .help = "Print only how much differs" },
	OPTION_FORMAT,
	{ 0 },
};

const struct command diff_commands[] = {
	{ .path = "volume diff", .args = "[A] B", .min_args = 1, .max_args = 2, .summary = "Show which ranges of two frozen volumes differ",
	  .details = "Each line is 'C' (B has data there) or 'D' (B reads as zeros there), where the range starts, and its length, "
		     "in bytes. Without A, B is compared with its parent. A range that was rewritten with equal bytes counts "
		     "as different.",
	  .options = diff_options, .complete = COMPLETE_VOLUME, .run = diff_run },
	{ 0 },
};
