// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl ps. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "describe.h"
#include "json.h"
#include "output.h"
#include "root.h"
#include "run_commands.h"
#include "size.h"
#include "template.h"

struct listing {
	struct command_call *call;
	const struct pool *pool;
	json_object *rows;
	bool all;
	bool whole;			/* texts are not shortened */
	bool sizes;
};

/* ------------------------------------------------------------------ filters */

static bool has_label(const struct container *container, const char *text)
{
	cleanup_free char *key = strndup(text, strcspn(text, "="));
	json_object *labels = json_member(container->record, "labels", json_type_object);
	const char *value = key ? json_text(labels, key) : NULL;

	return value && (!strchr(text, '=') || strcmp(value, strchr(text, '=') + 1) == 0);
}

static bool mounts_it(const struct container *container, const char *text)
{
	json_object *mounts = json_member(container->record, "mounts", json_type_array);

	for (size_t i = 0; mounts && i < json_object_array_length(mounts); i++) {
		json_object *mount = json_object_array_get_idx(mounts, i);
		const char *source = json_text(mount, "source"), *target = json_text(mount, "target");

		if ((source && strcmp(source, text) == 0) || (target && strcmp(target, text) == 0))
			return true;
	}
	return false;
}

static bool is_ancestor(const struct container *container, const char *text)
{
	const char *image = container_text(container, "image"), *id = container_text(container, "image_id");
	const char *hex = id ? strchr(id, ':') : NULL;

	return (image && (strcmp(image, text) == 0 || (strncmp(image, text, strlen(text)) == 0 && image[strlen(text)] == ':'))) ||
	       (id && strcmp(id, text) == 0) || (hex && strlen(text) >= 4 && strncmp(hex + 1, text, strlen(text)) == 0);
}

static bool key_is(const char *filter, const char *key, const char **value)
{
	size_t length = strlen(key);

	if (strncmp(filter, key, length) != 0 || filter[length] != '=')
		return false;
	*value = filter + length + 1;
	return true;
}

static bool passes(const struct container *container, enum container_state state, const char *filter)
{
	const char *value, *network = container_text(container, "network");

	if (key_is(filter, "name", &value))
		return strstr(container->name, value) != NULL;
	if (key_is(filter, "id", &value))
		return strncmp(container->id, value, strlen(value)) == 0;
	if (key_is(filter, "status", &value))
		return strcmp(container_state_name(state), value) == 0;
	if (key_is(filter, "exited", &value))
		return state == CONTAINER_EXITED && json_number(container->record, "exit_code") == atoll(value);
	if (key_is(filter, "label", &value))
		return has_label(container, value);
	if (key_is(filter, "volume", &value))
		return mounts_it(container, value);
	if (key_is(filter, "network", &value))
		return network && strcmp(network, value) == 0;
	return key_is(filter, "ancestor", &value) && is_ancestor(container, value);
}

static const char *wrong_filter(const struct command_call *call)
{
	static const char *const keys[] = { "name", "id", "status", "exited", "label", "volume", "network", "ancestor", NULL };
	const char *filter, *value;

	for (size_t i = 0; (filter = option_nth(call, "filter", i)) != NULL; i++) {
		const char *const *key = keys;

		while (*key && !key_is(filter, *key, &value))
			key++;
		if (!*key)
			return filter;
	}
	return NULL;
}

/* Those by state are about all containers. */
static bool asks_for_ended(const struct command_call *call)
{
	const char *filter, *value;

	for (size_t i = 0; (filter = option_nth(call, "filter", i)) != NULL; i++)
		if (key_is(filter, "status", &value) || key_is(filter, "exited", &value))
			return true;
	return false;
}

/* Filters of one key are alternatives, as with Docker; those of different keys must all pass. */
static bool passes_all(const struct command_call *call, const struct container *container, enum container_state state)
{
	const char *filter, *other;

	for (size_t i = 0; (filter = option_nth(call, "filter", i)) != NULL; i++) {
		size_t length = strcspn(filter, "=") + 1;
		bool any = false;

		for (size_t k = 0; !any && (other = option_nth(call, "filter", k)) != NULL; k++)
			any = strncmp(filter, other, length) == 0 && passes(container, state, other);
		if (!any)
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------ rows */

static void copy_member(json_object *to, const struct container *container, const char *key)
{
	json_object *value;

	json_object_object_add(to, key, json_object_object_get_ex(container->record, key, &value) ? json_object_get(value) : NULL);
}

/* What a volume and all below it own. */
static uint64_t chain_bytes(const struct pool *pool, uint64_t volume)
{
	struct lb_vol_info info = { .parent = volume };
	uint64_t all = 0;

	while (info.parent && layerblk_vol_stat(pool->lb, pool->uuid, info.parent, 0, &info, NULL) == 0)
		all += info.owned_blocks * LB_BLOCK_SIZE;
	return all;
}

/* What it has written, and that with the image below it. */
static void add_sizes(json_object *row, const struct pool *pool, const struct container *container)
{
	char text[2 * SIZE_TEXT + 16], first[SIZE_TEXT], second[SIZE_TEXT];
	struct lb_vol_info info;
	uint64_t own = 0, all;

	if (layerblk_vol_stat(pool->lb, pool->uuid, container->volume, 0, &info, NULL) == 0)
		own = info.owned_blocks * LB_BLOCK_SIZE;
	all = chain_bytes(pool, container->volume);
	if (root_is_shared(container))
		all += chain_bytes(pool, root_layer(container));
	snprintf(text, sizeof(text), "%s (virtual %s)", size_format(own, first), size_format(all, second));
	json_object_object_add(row, "size", output_uint(own));
	json_object_object_add(row, "size_virtual", output_uint(all));
	json_object_object_add(row, "size_text", json_object_new_string(text));
}

static int add_row(void *arg, const struct container *container)
{
	static const char *const members[] = { "image", "created", "started", "finished", "network", "labels" };
	struct listing *listing = arg;
	enum container_state state = container_state(listing->pool, container);
	bool running = state == CONTAINER_RUNNING || state == CONTAINER_PAUSED;
	json_object *row;
	char status[96];

	if ((!running && !listing->all) || !passes_all(listing->call, container, state))
		return 0;
	row = json_object_new_object();
	json_object_object_add(row, "id", json_object_new_string(container->id));
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		copy_member(row, container, members[i]);
	json_object_object_add(row, "command", describe_command(container, listing->whole));
	describe_status(container, state, status, sizeof(status));
	json_object_object_add(row, "status", json_object_new_string(status));
	json_object_object_add(row, "state", json_object_new_string(container_state_name(state)));
	json_object_object_add(row, "running", json_object_new_boolean(running));
	if (state == CONTAINER_EXITED)
		copy_member(row, container, "exit_code");
	json_object_object_add(row, "ports", describe_ports(container, running));
	json_object_object_add(row, "mounts", describe_mounts(container));
	json_object_object_add(row, "labels_text", describe_labels(container));
	json_object_object_add(row, "name", output_string(container->name));
	if (listing->sizes)
		add_sizes(row, listing->pool, container);
	json_object_array_add(listing->rows, row);
	return 0;
}

/* The newest first. */
static int by_created(const void *a, const void *b)
{
	json_object *const *left = a, *const *right = b;
	const char *first = json_text(*left, "created"), *second = json_text(*right, "created");

	return strcmp(second ? second : "", first ? first : "");
}

#define COLUMN_ID	{ "CONTAINER ID", "id", OUTPUT_SHORT_ID }
#define COLUMN_IMAGE	{ "IMAGE", "image", OUTPUT_TEXT }
#define COLUMN_COMMAND	{ "COMMAND", "command", OUTPUT_TEXT }
#define COLUMN_CREATED	{ "CREATED", "created", OUTPUT_AGE }
#define COLUMN_STATUS	{ "STATUS", "status", OUTPUT_TEXT }
#define COLUMN_PORTS	{ "PORTS", "ports", OUTPUT_TEXT }
#define COLUMN_NAMES	{ "NAMES", "name", OUTPUT_TEXT }
#define COLUMN_SIZE	{ "SIZE", "size_text", OUTPUT_TEXT }

static const struct template_field fields[] = {
	{ "ID", COLUMN_ID }, { "Image", COLUMN_IMAGE }, { "Command", COLUMN_COMMAND }, { "RunningFor", COLUMN_CREATED },
	{ "CreatedAt", { "CREATED AT", "created", OUTPUT_TEXT } }, { "Status", COLUMN_STATUS }, { "Ports", COLUMN_PORTS },
	{ "Names", COLUMN_NAMES }, { "Size", COLUMN_SIZE }, { "State", { "STATE", "state", OUTPUT_TEXT } }, { "Mounts", { "MOUNTS", "mounts", OUTPUT_LIST } },
	{ "Networks", { "NETWORKS", "network", OUTPUT_TEXT } }, { "Labels", { "LABELS", "labels_text", OUTPUT_TEXT } },
	{ 0 },
};

/* --last or --latest; 0: no limit. */
static int take_last(struct command_call *call, uint64_t *last)
{
	const char *text = option_value(call, "last");

	*last = option_is_set(call, "latest") ? 1 : 0;
	return text ? number_parse(text, INT32_MAX, last, "list the last containers", &call->error) : 0;
}

int run_ps_run(struct command_call *call)
{
	static const struct output_column columns[] = {
		COLUMN_ID, COLUMN_IMAGE, COLUMN_COMMAND, COLUMN_CREATED, COLUMN_STATUS, COLUMN_PORTS, COLUMN_NAMES, { 0 },
	}, columns_with_sizes[] = {
		COLUMN_ID, COLUMN_IMAGE, COLUMN_COMMAND, COLUMN_CREATED, COLUMN_STATUS, COLUMN_PORTS, COLUMN_NAMES, COLUMN_SIZE, { 0 },
	};
	cleanup_json json_object *rows = json_object_new_array();
	struct listing listing = { .call = call, .rows = rows, .all = option_is_set(call, "all") || asks_for_ended(call) };
	const char *template = option_value(call, "format");
	enum output_format format = OUTPUT_TABLE;
	struct image_pool at;
	uint64_t last;

	template = template_is_one(template) ? template : NULL;
	if (!template && output_format(call, &format))
		return 1;
	if (wrong_filter(call))
		return command_usage_error(call, "\"%s\" is no filter", wrong_filter(call));
	if (take_last(call, &last))
		return command_fail(call);
	listing.sizes = option_is_set(call, "size") || (template && strstr(template, ".Size"));
	listing.all |= last > 0;
	listing.whole = format == OUTPUT_JSON || option_is_set(call, "no-trunc");
	if (container_pool_open(call, &at))
		return command_fail(call);
	listing.pool = &at.pool;
	if (container_each(&at.pool, add_row, &listing, &call->error))
		return command_fail(call);
	json_object_array_sort(rows, by_created);
	if (last && json_object_array_length(rows) > last)
		json_object_array_del_idx(rows, last, json_object_array_length(rows) - last);
	return template ? template_rows(call, template, fields, rows) : output_rows(call, listing.sizes ? columns_with_sizes : columns, rows);
}
