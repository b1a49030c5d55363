// SPDX-License-Identifier: GPL-2.0-or-later
/* The rows of the pool commands, and those that only show. */
#include <string.h>
#include <time.h>
#include "cleanup.h"
#include "command.h"
#include "find.h"
#include "output.h"
#include "pool.h"
#include "ref.h"
#include "show.h"
#include "size.h"

/* ------------------------------------------------------------------ ls */

struct closed_rows {
	json_object *rows;
	const struct lb_ioc_pool_status *open;
	size_t open_count;
};

static bool is_open(const struct closed_rows *closed, const uint8_t *uuid)
{
	size_t i;

	for (i = 0; i < closed->open_count; i++) {
		if (!memcmp(closed->open[i].uuid, uuid, LB_UUID_LEN))
			return true;
	}
	return false;
}

static int add_closed(void *arg, const struct found_pool *found)
{
	struct closed_rows *closed = arg;
	char uuid[UUID_TEXT];
	json_object *row;

	if (is_open(closed, found->uuid))
		return 0;
	row = json_object_new_object();
	uuid_text(found->uuid, uuid);
	json_object_object_add(row, "uuid", json_object_new_string(uuid));
	json_object_object_add(row, "short", json_object_new_string_len(uuid, 8));
	json_object_object_add(row, "label", found->label ? output_string(found->label) : NULL);
	json_object_object_add(row, "device", output_string(found->path));
	json_object_object_add(row, "size", output_uint(found->total_blocks * LB_BLOCK_SIZE));
	json_object_object_add(row, "state", json_object_new_string("closed"));
	json_object_array_add(closed->rows, row);
	return 0;
}

static int ls(struct command_call *call)
{
	cleanup_free struct lb_ioc_pool_status *open = NULL;
	cleanup_json json_object *rows = json_object_new_array();
	struct closed_rows closed = { .rows = rows };
	struct layerblk *lb = command_control(call);
	size_t i;

	if (!lb || layerblk_pool_list(lb, &open, &closed.open_count, &call->error))
		return command_fail(call);
	closed.open = open;
	for (i = 0; i < closed.open_count; i++)
		json_object_array_add(rows, show_pool(lb, &open[i], false));
	if (option_is_set(call, "all"))
		find_pools(add_closed, &closed);
	return output_rows(call, show_pool_columns, rows);
}

/* ------------------------------------------------------------------ status */

/* "key: value" lines, a nested object under its own key; sizes for people. */
static void print_object(json_object *object, int indent)
{
	static const char sizes[] = " size used free data metadata reserved pending pinned low_water cache_limit cache_bytes ";

	json_object_object_foreach(object, key, value) {
		char word[64], size[SIZE_TEXT];

		snprintf(word, sizeof(word), " %s ", key);
		printf("%*s%s:", indent, "", key);
		if (json_object_is_type(value, json_type_object)) {
			putchar('\n');
			print_object(value, indent + 2);
			continue;
		}
		if (!value)
			puts(" -");
		else if (strstr(sizes, word))
			printf(" %s\n", size_format(json_object_get_uint64(value), size));
		else
			printf(" %s\n", json_object_get_string(value));
	}
}

static int status(struct command_call *call)
{
	struct layerblk *lb = command_control(call);
	cleanup_json json_object *object = NULL;
	struct lb_ioc_pool_status pool;
	enum output_format format;

	if (output_format(call, &format))
		return 1;
	if (!lb || ref_find_pool(lb, call->argv[0], &pool, &call->error))
		return command_fail(call);
	object = show_pool(lb, &pool, true);
	if (format == OUTPUT_JSON)
		return output_json(object);
	print_object(object, 0);
	return fflush(stdout) ? 1 : 0;
}

/* ------------------------------------------------------------------ rows */

static const struct command_option create_options[] = {
	{ .name = "size", .letter = 's', .value = "SIZE", .help = "Make the file with SIZE bytes, as 10G" },
	{ .name = "label", .letter = 'L', .value = "LABEL", .help = "A name for the pool, as in LABEL/VOLUME" },
	{ .name = "force", .letter = 'f', .help = "Overwrite what the device holds" },
	{ .name = "no-open", .help = "Do not open the pool afterwards" },
	{ 0 },
};

static const struct command_option open_options[] = {
	{ .name = "all", .letter = 'a', .help = "Open every pool that is found" },
	{ .name = "read-only", .letter = 'r', .help = "Write nothing to the pool's device" },
	{ .name = "force-fallback", .help = "Go back to an older state when the newest superblock or the journal is damaged" },
	{ 0 },
};

static const struct command_option close_options[] = {
	{ .name = "all", .letter = 'a', .help = "Close every open pool" },
	{ .name = "force", .letter = 'f', .help = "Unmount its volumes first, though they are in use" },
	{ 0 },
};

static const struct command_option ls_options[] = {
	{ .name = "all", .letter = 'a', .help = "Show closed pools on this machine's devices too" },
	{ .name = "quiet", .letter = 'q', .help = "Print only the beginnings of UUIDs" },
	OPTION_FORMAT,
	{ 0 },
};

static const struct command_option status_options[] = {
	OPTION_FORMAT,
	{ 0 },
};

static const struct command_option set_options[] = {
	{ .name = "no-space", .value = "WHAT", .help = "When the pool is full, writers get an \"error\" or \"queue\"",
	  .complete = COMPLETE_WORDS, .words = "error queue" },
	{ .name = "no-space-timeout", .value = "TIME", .help = "How long writers queue, as 60s; 0: for ever" },
	{ .name = "low-water", .value = "SIZE", .help = "Free space below which an event is sent; a size or a percentage" },
	{ .name = "commit-interval", .value = "TIME", .help = "Longest time between commits, 100ms to 1h" },
	{ .name = "cache", .value = "SIZE", .help = "Memory for cached metadata, until the pool is closed" },
	{ .name = "label", .letter = 'L', .value = "LABEL", .help = "The pool's name; \"\" removes it" },
	{ 0 },
};

static const struct command_option destroy_options[] = {
	{ .name = "force", .letter = 'f', .help = "Though the pool is open (never when a volume is mounted or in use)" },
	{ 0 },
};

const struct command pool_commands[] = {
	{ .path = "pool create", .args = "DEVICE|FILE", .min_args = 1, .max_args = 1,
	  .summary = "Make a pool and open it",
	  .details = "The pool takes all of DEVICE. A FILE that does not exist is made, sparse, with the size that --size "
		     "says, and serves through a loop device with direct I/O, which goes away when the pool is closed.\n\n"
		     "What is formatted, partitioned or a pool is overwritten only with --force; what is mounted or in use never "
		     "is. Prints the pool's UUID.",
	  .options = create_options, .complete = COMPLETE_FILE, .run = pool_create },
	{ .path = "pool open", .args = "DEVICE|FILE|UUID|LABEL...", .max_args = -1,
	  .summary = "Open pools",
	  .details = "By device or file, or by UUID (4 or more of its hex digits) or label, for which block devices and the "
		     "places where pools were seen before are searched. Prints the UUIDs.",
	  .options = open_options, .complete = COMPLETE_FILE, .run = pool_open },
	{ .path = "pool close", .args = "[POOL...]", .max_args = -1, .summary = "Close pools",
	  .details = "Disks that nobody has open go away; a pool with a mounted volume stays. Without POOL: the only open one.",
	  .options = close_options, .complete = COMPLETE_POOL, .run = pool_close },
	{ .path = "pool ls", .args = "", .summary = "List pools", .options = ls_options, .run = ls },
	{ .path = "pool status", .args = "[POOL]", .max_args = 1, .summary = "Show everything about a pool",
	  .options = status_options, .complete = COMPLETE_POOL, .run = status },
	{ .path = "pool grow", .args = "[POOL] [SIZE]", .max_args = 2, .summary = "Make a pool larger, online",
	  .details = "To SIZE, or by it when it begins with '+'; without SIZE, to all of its device. A file behind a loop "
		     "device is enlarged first. A pool never shrinks.",
	  .complete = COMPLETE_POOL, .run = pool_grow },
	{ .path = "pool set", .args = "[POOL]", .max_args = 1, .summary = "Change a pool's settings",
	  .options = set_options, .complete = COMPLETE_POOL, .run = pool_set },
	{ .path = "pool destroy", .args = "POOL|DEVICE|FILE", .min_args = 1, .max_args = 1,
	  .summary = "Destroy a pool with all its volumes",
	  .details = "Overwrites its superblocks; an open pool is closed first, which takes --force. A file stays, empty, with its size.",
	  .options = destroy_options, .complete = COMPLETE_POOL, .run = pool_destroy },
	{ 0 },
};
