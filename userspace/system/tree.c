// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl tree: the layers of a pool, what they share, and what uses them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "forest.h"
#include "output.h"
#include "ref.h"
#include "system_commands.h"
#include "usage.h"

/* The names of the images that end in a layer; of those without one, the id. */
static void add_images(json_object *list, const struct usage *usage, uint64_t volume)
{
	for (size_t i = 0; i < usage->images.record_count; i++) {
		const struct image_record *image = &usage->images.records[i];
		size_t names = 0;

		if (!image->layer_count || record_top(image) != volume)
			continue;
		for (size_t k = 0; k < usage->images.tag_count; k++) {
			if (!tag_is_of(&usage->images.tags[k], image))
				continue;
			json_object_array_add(list, output_string(usage->images.tags[k].name));
			names++;
		}
		if (!names)
			json_object_array_add(list, output_string(image->id));
	}
}

static void add_containers(json_object *list, const struct usage *usage, uint64_t volume)
{
	size_t first, count = volume_uses_of(&usage->uses, volume, &first);

	for (size_t i = first; i < first + count; i++)
		json_object_array_add(list, output_string(usage->uses.list[i].container));
}

static void add_use(void *arg, json_object *object)
{
	const struct usage *usage = arg;
	json_object *list = json_object_new_array(), *id = NULL;
	const struct usage_item *item;
	uint64_t volume;

	json_object_object_get_ex(object, "id", &id);
	volume = json_object_get_uint64(id);
	item = usage_item(usage, volume);
	if (item) {
		bool running = item->kind == VOLUME_CONTAINER && item->in_use;

		add_images(list, usage, volume);
		add_containers(list, usage, volume);
		if (item->kind == VOLUME_CONTAINER)
			json_object_array_add(list, json_object_new_string(running ? "container (running)" : "container"));
		json_object_object_add(object, "kind", json_object_new_string(volume_kind_name(item->kind)));
		json_object_object_add(object, "images", output_uint(item->images));
		json_object_object_add(object, "running", json_object_new_boolean(running));
	}
	json_object_object_add(object, "used_by", list);
}

static int load(struct layerblk *lb, const char *name, struct usage *usage, json_object **roots, struct layerblk_error *err)
{
	cleanup_free struct lb_vol_info *volumes = NULL;
	struct lb_ioc_pool_status status;
	struct pool pool = { .lb = lb, .uuid = status.uuid };
	size_t n;
	int rc;

	rc = ref_find_pool(lb, name, &status, err);
	if (!rc)
		rc = layerblk_vol_list(lb, status.uuid, LB_STAT_HIDDEN, &volumes, &n, err);
	if (!rc)
		rc = usage_load(&pool, usage, err);
	if (rc)
		return rc;
	*roots = forest_build(volumes, n);
	if (!*roots || !forest_each(*roots, add_use, usage))
		return layerblk_error_set(err, ENOMEM, "show the tree", NULL, "out of memory");
	return 0;
}

/* JSON nests as deep as the chain; json-c prints any depth, and readers have limits of their own. */
int system_tree(struct command_call *call)
{
	cleanup_json json_object *roots = NULL;
	struct layerblk *lb = command_control(call);
	const char *word = option_value(call, "format");
	bool dot = word && strcmp(word, "dot") == 0;
	enum output_format format = OUTPUT_TABLE;
	struct usage usage = { 0 };
	int rc;

	if (!dot && output_format(call, &format))
		return 1;
	if (!lb)
		return command_fail(call);
	rc = load(lb, call->argv[0], &usage, &roots, &call->error);
	usage_clear(&usage);
	if (rc)
		return command_fail(call);
	if (format == OUTPUT_JSON)
		return output_json(roots);
	if (dot)
		forest_print_dot(stdout, roots);
	else
		forest_print(stdout, roots, option_is_set(call, "ascii"));
	return fflush(stdout) ? 1 : 0;
}
