// SPDX-License-Identifier: GPL-2.0-or-later
/* events: what happens in the pools, as it happens. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include "cleanup.h"
#include "command.h"
#include "output.h"
#include "ref.h"
#include "size.h"

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	(void)signal_number;
	stopped = 1;
}

/* What `arg` of an event is called and how it is shown; NULL: it has none. */
static const char *argument_name(uint32_t type)
{
	switch (type) {
	case LB_EVENT_LOW_SPACE:
	case LB_EVENT_NO_SPACE:
	case LB_EVENT_SPACE_FREED:
		return "free";
	case LB_EVENT_POOL_FAILED:
		return "error";
	case LB_EVENT_POOL_GROWN:
		return "size";
	case LB_EVENT_VOL_CREATE:
		return "parent";
	case LB_EVENT_VOL_SNAPSHOT:
		return "source";
	case LB_EVENT_VOL_ROLLBACK:
		return "snapshot";
	case LB_EVENT_VOL_ACTIVATE:
		return "device";
	case LB_EVENT_SCRUB_DONE:
		return "errors";
	case LB_EVENT_LOST:
		return "count";
	default:
		return NULL;
	}
}

static json_object *argument_json(const struct lb_event *event)
{
	char device[40];

	switch (event->type) {
	case LB_EVENT_LOW_SPACE:
	case LB_EVENT_NO_SPACE:
	case LB_EVENT_SPACE_FREED:
	case LB_EVENT_POOL_GROWN:
		return output_uint(event->arg * LB_BLOCK_SIZE);
	case LB_EVENT_POOL_FAILED:
		return json_object_new_string(strerror((int)event->arg));
	case LB_EVENT_VOL_ACTIVATE:
		snprintf(device, sizeof(device), "/dev/" LB_DISK_PREFIX "%" PRIu64, (uint64_t)event->arg);
		return json_object_new_string(device);
	default:
		return output_uint(event->arg);
	}
}

static json_object *event_json(const struct lb_event *event)
{
	json_object *object = json_object_new_object();
	const char *argument = argument_name(event->type);
	time_t seconds = (time_t)(event->time_ns / 1000000000U);
	char uuid[UUID_TEXT], date[32], whole[64];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(whole, sizeof(whole), "%s.%09uZ", date, (unsigned int)(event->time_ns % 1000000000U));
	json_object_object_add(object, "time", json_object_new_string(whole));
	json_object_object_add(object, "sequence", output_uint(event->sequence));
	json_object_object_add(object, "type", json_object_new_string(layerblk_event_name(event->type)));
	json_object_object_add(object, "pool", json_object_new_string(uuid_text(event->uuid, uuid)));
	if (event->volume)
		json_object_object_add(object, "volume", output_uint(event->volume));
	if (event->name[0])
		json_object_object_add(object, "name", output_string(event->name));
	if (argument)
		json_object_object_add(object, argument, argument_json(event));
	return object;
}

static int print_event(const struct lb_event *event, enum output_format format)
{
	cleanup_json json_object *object = event_json(event);
	static const char *const shown[] = { "time", "sequence", "type", "pool" };
	json_object *value = NULL;
	size_t i;

	if (format == OUTPUT_JSON)
		return output_json_line(object);
	json_object_object_get_ex(object, "time", &value);
	printf("%s %s pool=%s", json_object_get_string(value), layerblk_event_name(event->type),
	       (json_object_object_get_ex(object, "pool", &value), json_object_get_string(value)));
	json_object_object_foreach(object, key, field) {
		bool done = false;

		for (i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
			done |= !strcmp(key, shown[i]);
		if (!done)
			printf(" %s=%s", key, json_object_get_string(field));
	}
	putchar('\n');
	return fflush(stdout) ? 1 : 0;
}

static bool is_wanted(const struct command_call *call, const struct lb_event *event, const uint8_t *uuid)
{
	const char *type;
	size_t i;

	if (uuid && memcmp(uuid, event->uuid, LB_UUID_LEN) != 0)
		return false;
	for (i = 0; (type = option_nth(call, "type", i)); i++) {
		if (!strcmp(type, layerblk_event_name(event->type)))
			return true;
	}
	return !i;
}

static int follow(struct command_call *call, struct layerblk *lb, const uint8_t *uuid, uint64_t count)
{
	struct lb_event event;
	enum output_format format;
	uint64_t printed = 0;
	int ret;

	if (output_format(call, &format))
		return 1;
	while (!stopped && (!count || printed < count)) {
		ret = layerblk_event_read(lb, -1, &event, &call->error);
		if (ret == -EINTR)
			continue;
		if (ret < 0)
			return command_fail(call);
		if (!ret || !is_wanted(call, &event, uuid))
			continue;
		if (print_event(&event, format))
			return 1;
		printed++;
	}
	return 0;
}

static const char *unknown_type(const struct command_call *call)
{
	const char *type;
	uint32_t known;
	size_t i;

	for (i = 0; (type = option_nth(call, "type", i)); i++) {
		for (known = 1; known <= LB_EVENT_LOST && strcmp(type, layerblk_event_name(known)); known++)
			;
		if (known > LB_EVENT_LOST)
			return type;
	}
	return NULL;
}

static int events(struct command_call *call)
{
	struct sigaction action = { .sa_handler = stop };
	const char *count_text = option_value(call, "count");
	struct lb_ioc_pool_status pool;
	uint64_t count = 0;
	struct layerblk *lb;

	if (unknown_type(call))
		return command_usage_error(call, "no event is called \"%s\"", unknown_type(call));
	if (count_text && number_parse(count_text, UINT32_MAX, &count, "print that many events", &call->error))
		return command_fail(call);
	lb = command_control(call);
	if (!lb || (call->argc && ref_find_pool(lb, call->argv[0], &pool, &call->error)))
		return command_fail(call);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return follow(call, lb, call->argc ? pool.uuid : NULL, count);
}

static const struct command_option event_options[] = {
	{ .name = "type", .letter = 't', .value = "TYPE", .help = "Only events of this type; may be repeated",
	  .complete = COMPLETE_WORDS,
	  .words = "pool-open pool-close low-space no-space pool-failed pool-grown volume-create volume-remove volume-change "
		   "volume-freeze volume-snapshot volume-rollback volume-activate volume-deactivate space-freed scrub-done "
		   "events-lost" },
	{ .name = "count", .letter = 'n', .value = "N", .help = "End after N events" },
	OPTION_FORMAT,
	{ 0 },
};

const struct command event_commands[] = {
	{ .path = "events", .args = "[POOL]", .max_args = 1, .summary = "Show what happens, as it happens",
	  .details = "Runs until it is interrupted. With --format json, each line is an object.",
	  .options = event_options, .complete = COMPLETE_POOL, .run = events },
	{ 0 },
};
