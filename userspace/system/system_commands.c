// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl df and system prune, and the rows of these, tree and inspect. */
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "confirm.h"
#include "fields.h"
#include "json.h"
#include "output.h"
#include "remove.h"
#include "root_template.h"
#include "run_commands.h"
#include "size.h"
#include "system_commands.h"
#include "usage.h"
#include "volume_commands.h"

/* ------------------------------------------------------------------ df */

static const char *const row_names[USAGE_ROWS] = {
	[USAGE_IMAGES] = "Images", [USAGE_CONTAINERS] = "Containers", [USAGE_VOLUMES] = "Local Volumes", [USAGE_SNAPSHOTS] = "Snapshots",
	[USAGE_CACHE] = "Build Cache",
};

static json_object *sum_row(const char *type, const struct usage_sum *sum)
{
	json_object *row = json_object_new_object();
	char size[SIZE_TEXT], text[SIZE_TEXT + 16];

	snprintf(text, sizeof(text), "%s (%d%%)", size_format(sum->idle_bytes, size), sum->bytes ? (int)(sum->idle_bytes * 100 / sum->bytes) : 0);
	json_object_object_add(row, "type", json_object_new_string(type));
	json_object_object_add(row, "total", output_uint(sum->total));
	json_object_object_add(row, "active", output_uint(sum->active));
	json_object_object_add(row, "size", output_uint(sum->bytes));
	json_object_object_add(row, "reclaimable", output_uint(sum->idle_bytes));
	json_object_object_add(row, "reclaimable_text", json_object_new_string(text));
	return row;
}

static json_object *item_row(const struct usage *usage, const struct usage_item *item)
{
	json_object *row = json_object_new_object();
	size_t first;

	json_object_object_add(row, "name", output_string(item->info->name));
	json_object_object_add(row, "kind", json_object_new_string(volume_kind_name(item->kind)));
	json_object_object_add(row, "size", output_uint(item->info->owned_blocks * LB_BLOCK_SIZE));
	json_object_object_add(row, "links", output_uint(volume_uses_of(&usage->uses, item->info->id, &first)));
	json_object_object_add(row, "in_use", json_object_new_boolean(item->in_use));
	json_object_object_add(row, "created", output_time(item->info->created_s));
	return row;
}

/* Of an image, what no other one has is "unique". */
static json_object *image_row(const struct usage *usage, const struct image_record *image)
{
	json_object *row = json_object_new_object(), *names = json_object_new_array();
	uint64_t all = 0, unique = 0;

	for (size_t i = 0; i < usage->images.tag_count; i++)
		if (tag_is_of(&usage->images.tags[i], image))
			json_object_array_add(names, output_string(usage->images.tags[i].name));
	for (size_t i = 0; i < image->layer_count; i++) {
		const struct usage_item *item = usage_item(usage, image->layers[i]);

		if (!item)
			continue;
		all += item->info->owned_blocks * LB_BLOCK_SIZE;
		unique += item->images > 1 ? 0 : item->info->owned_blocks * LB_BLOCK_SIZE;
	}
	json_object_object_add(row, "names", names);
	json_object_object_add(row, "id", json_object_new_string(image->id));
	json_object_object_add(row, "size", output_uint(all));
	json_object_object_add(row, "shared", output_uint(all - unique));
	json_object_object_add(row, "unique", output_uint(unique));
	json_object_object_add(row, "in_use", json_object_new_boolean(usage_image_active(usage, image)));
	return row;
}

static json_object *image_rows(const struct usage *usage)
{
	json_object *rows = json_object_new_array();

	for (size_t i = 0; i < usage->images.record_count; i++)
		json_object_array_add(rows, image_row(usage, &usage->images.records[i]));
	return rows;
}

static json_object *item_rows(const struct usage *usage)
{
	json_object *rows = json_object_new_array();

	for (size_t i = 0; i < usage->count; i++)
		if (!usage->items[i].images)
			json_object_array_add(rows, item_row(usage, &usage->items[i]));
	return rows;
}

static void print_df(json_object *answer)
{
	static const struct output_column columns[] = {
		{ "TYPE", "type", OUTPUT_TEXT }, { "TOTAL", "total", OUTPUT_NUMBER }, { "ACTIVE", "active", OUTPUT_NUMBER },
		{ "SIZE", "size", OUTPUT_SIZE }, { "RECLAIMABLE", "reclaimable_text", OUTPUT_TEXT }, { 0 },
	};
	static const struct output_column image_columns[] = {
		{ "IMAGE", "names", OUTPUT_LIST }, { "SIZE", "size", OUTPUT_SIZE }, { "SHARED", "shared", OUTPUT_SIZE },
		{ "UNIQUE", "unique", OUTPUT_SIZE }, { "IN USE", "in_use", OUTPUT_TEXT }, { 0 },
	};
	static const struct output_column item_columns[] = {
		{ "VOLUME", "name", OUTPUT_TEXT }, { "KIND", "kind", OUTPUT_TEXT }, { "SIZE", "size", OUTPUT_SIZE },
		{ "CONTAINERS", "links", OUTPUT_NUMBER }, { "IN USE", "in_use", OUTPUT_TEXT }, { 0 },
	};
	json_object *images, *items;

	output_table(stdout, columns, json_member(answer, "summary", json_type_array), 0, false);
	images = json_member(answer, "images", json_type_array);
	items = json_member(answer, "volumes", json_type_array);
	if (!images)
		return;			/* not --verbose */
	putchar('\n');
	output_table(stdout, image_columns, images, 0, false);
	putchar('\n');
	output_table(stdout, item_columns, items, 0, false);
}

static int df(struct command_call *call)
{
	cleanup_json json_object *answer = json_object_new_object();
	json_object *sums = json_object_new_array();
	bool verbose = option_is_set(call, "verbose");
	enum output_format format;
	struct usage usage = { 0 };
	struct image_pool at;
	int rc;

	json_object_object_add(answer, "summary", sums);
	if (output_format(call, &format))
		return 1;
	rc = container_pool_open(call, &at);
	if (!rc)
		rc = usage_load(&at.pool, &usage, &call->error);
	for (size_t i = 0; !rc && i < USAGE_ROWS; i++)
		json_object_array_add(sums, sum_row(row_names[i], &usage.sums[i]));
	if (!rc && verbose) {
		json_object_object_add(answer, "images", image_rows(&usage));
		json_object_object_add(answer, "volumes", item_rows(&usage));
	}
	usage_clear(&usage);
	if (rc)
		return command_fail(call);
	if (format == OUTPUT_JSON)
		return output_json(verbose ? answer : sums);
	print_df(answer);
	return fflush(stdout) ? 1 : 0;
}

/* ------------------------------------------------------------------ prune */

static void say(void *arg, const char *what, const char *name)
{
	size_t *count = arg;

	printf("%s%s: %s\n", (*count)++ ? "" : "Deleted Images:\n", what, name);
}

static void say_template(void *arg, const char *what, const char *name)
{
	size_t *count = arg;

	(void)what;
	printf("%s%s\n", (*count)++ ? "" : "Deleted Templates:\n", name);
}

static int prune_pool(struct command_call *call, const struct pool *pool, bool all)
{
	uint64_t bytes = 0, images = 0;
	size_t containers = 0, said = 0, templates = 0;
	char text[SIZE_TEXT];
	int rc = containers_prune(pool, &bytes, &containers, &call->error);

	if (containers)
		putchar('\n');
	if (!rc && option_is_set(call, "volumes"))
		rc = volumes_prune(call, pool, false, &bytes, &call->error);
	if (!rc)
		rc = image_prune(pool, all, &images, say, &said, &call->error);
	if (said)
		putchar('\n');
	if (!rc)
		rc = root_templates_prune(pool, &bytes, say_template, &templates, &call->error);
	if (templates)
		putchar('\n');
	if (rc)
		return rc;
	printf("Total reclaimed space: %s\n", size_format(bytes + images, text));
	return 0;
}

static int prune(struct command_call *call)
{
	bool all = option_is_set(call, "all");
	struct image_pool at;
	char text[512];

	snprintf(text, sizeof(text), "This will remove:\n  - all stopped containers\n%s  - %s\n  - layers that no image has (the build cache)\n"
		 "  - templates of shared roots that no container has\n",
		 option_is_set(call, "volumes") ? "  - all anonymous volumes that no container has\n" : "",
		 all ? "all images without a container" : "all images without a name");
	if (!confirmed(call, text))
		return 0;
	if (container_pool_open(call, &at) || prune_pool(call, &at.pool, all))
		return command_fail(call);
	return fflush(stdout) ? 1 : 0;
}

/* ------------------------------------------------------------------ rows */

static const struct command_option df_options[] = {
	{ .name = "verbose", .letter = 'v', .help = "Show each image and each volume" },
	OPTION_FORMAT,
	OPTION_POOL,
	{ 0 },
};

static const struct command_option prune_options[] = {
	{ .name = "all", .letter = 'a', .help = "Also images with a name, unless there is a container of them" },
	{ .name = "volumes", .help = "Also anonymous volumes that no container has" },
	OPTION_FORCE_PRUNE,
	OPTION_POOL,
	{ 0 },
};

static const struct command_option inspect_options[] = {
	OPTION_FIELDS,
	{ .name = "type", .value = "TYPE", .help = "Only look for a \"container\", \"image\" or \"volume\"",
	  .complete = COMPLETE_WORDS, .words = "container image volume" },
	OPTION_POOL,
	{ 0 },
};

static const struct command_option inspect_container_options[] = {
	OPTION_FIELDS,
	OPTION_POOL,
	{ 0 },
};

static const struct command_option tree_options[] = {
	{ .name = "ascii", .help = "Draw with plain characters" },
	{ .name = "format", .value = "FORMAT", .help = "Print as \"table\", \"json\", or \"dot\" for Graphviz",
	  .complete = COMPLETE_WORDS, .words = "table json dot" },
	{ 0 },
};

const struct command tree_commands[] = {
	{ .path = "tree", .args = "[POOL]", .max_args = 1, .summary = "Show layers, containers and volumes as trees",
	  .details = "OWN is what a volume's own data takes, TOTAL that and its ancestors' (what a volume shows may be less: "
		     "a layer can hide what is below it). USED BY has the images that end in a layer, and the containers that mount a volume.\n\n"
		     "  layerctl tree --format dot | dot -Tsvg >layers.svg",
	  .options = tree_options, .complete = COMPLETE_POOL, .run = system_tree },
	{ 0 },
};

#define DF .args = "", .max_args = 0, .summary = "Show what takes the space of a pool", \
	.details = "SIZE is what the volumes own, and would come back with them; RECLAIMABLE, of that, what is in no use: images without a container, " \
		   "containers that do not run, volumes that no container has. The build cache is layers of no image, and templates " \
		   "of shared roots.", .options = df_options, .run = df

const struct command system_commands[] = {
	{ .path = "df", DF },
	{ .path = "system df", DF },
	{ .path = "inspect", .args = "NAME...", .min_args = 1, .max_args = -1, .complete = COMPLETE_VOLUME,
	  .summary = "Show containers, images or volumes in detail, as JSON",
	  .details = "A name is looked for among containers, then images, then volumes. A template of --format is one of Go's, as with Docker:\n"
		     "  layerctl inspect -f '{{range .Mounts}}{{.Source}} {{.Destination}}{{println}}{{end}}' web",
	  .options = inspect_options, .run = system_inspect },
	{ .path = "container inspect", .args = "CONTAINER...", .min_args = 1, .max_args = -1, .complete = COMPLETE_VOLUME,
	  .summary = "Show containers in detail, as JSON", .options = inspect_container_options, .run = system_inspect_containers },
	{ .path = "system prune", .args = "", .max_args = 0, .summary = "Remove what is in no use",
	  .details = "Containers that do not run, images without a name, layers of no image, and templates of shared roots that no container has.",
	  .options = prune_options, .run = prune },
	{ 0 },
};
