// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl image inspect and history. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "fields.h"
#include "image_commands.h"
#include "json.h"
#include "output.h"

#define CREATED_BY_MAX	45		/* columns, as Docker shows it */

/* ------------------------------------------------------------------ inspect */

static json_object *inspect_layers(const struct pool *pool, const struct image_record *record)
{
	json_object *layers = json_object_new_array();
	struct lb_vol_info info;

	for (size_t i = 0; i < record->layer_count; i++) {
		json_object *layer = layer_attribute(pool, record->layers[i]);

		if (!layer)
			layer = json_object_new_object();
		json_object_object_del(layer, "version");
		json_object_object_add(layer, "volume_id", output_uint(record->layers[i]));
		if (layerblk_vol_stat(pool->lb, pool->uuid, record->layers[i], 0, &info, NULL) == 0) {
			json_object_object_add(layer, "volume", output_string(info.name));
			json_object_object_add(layer, "owned", output_uint(info.owned_blocks * LB_BLOCK_SIZE));
			json_object_object_add(layer, "children", output_uint(info.children));
		}
		json_object_array_add(layers, layer);
	}
	return layers;
}

static json_object *inspect_tags(const struct catalogue *all, const struct image_record *record)
{
	json_object *tags = json_object_new_array();

	for (size_t i = 0; i < all->tag_count; i++)
		if (tag_is_of(&all->tags[i], record))
			json_object_array_add(tags, output_string(all->tags[i].name));
	return tags;
}

static void copy_member(json_object *to, const char *name, json_object *from, const char *key)
{
	json_object *value;

	json_object_object_add(to, name, json_object_object_get_ex(from, key, &value) ? json_object_get(value) : NULL);
}

int image_describe(const struct pool *pool, const struct catalogue *all, const char *text, json_object **out, struct layerblk_error *err)
{
	static const char *const members[][2] = {
		{ "Created", "created" }, { "Author", "author" }, { "Architecture", "architecture" },
		{ "Variant", "variant" }, { "Os", "os" }, { "Config", "config" }, { "RootFS", "rootfs" },
	};
	cleanup_json json_object *config = NULL;
	struct image_record record;
	json_object *image;
	int rc;

	rc = record_find(pool, text, &record, err);
	if (!rc)
		rc = record_config(pool, &record, &config, err);
	if (rc) {
		record_clear(&record);
		return rc;
	}
	image = json_object_new_object();
	json_object_object_add(image, "Id", json_object_new_string(record.id));
	json_object_object_add(image, "RepoTags", inspect_tags(all, &record));
	json_object_object_add(image, "Digest", *record.manifest_digest ? json_object_new_string(record.manifest_digest) : NULL);
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		copy_member(image, members[i][0], config, members[i][1]);
	json_object_object_add(image, "Size", output_uint(image_owned_bytes(pool, &record)));
	json_object_object_add(image, "Imported", output_time(record.imported_s));
	json_object_object_add(image, "FileSystem", json_object_new_string(record.fs));
	json_object_object_add(image, "Layers", inspect_layers(pool, &record));
	*out = image;
	record_clear(&record);
	return 0;
}

int image_inspect_run(struct command_call *call)
{
	cleanup_json json_object *list = json_object_new_array();
	struct catalogue all;
	struct image_pool at;
	int status = 0, printed;

	if (!fields_option_is_right(call))
		return 1;
	if (image_pool_open(call, &at) || catalogue_load(&at.pool, &all, &call->error))
		return command_fail(call);
	for (int i = 0; i < call->argc; i++) {
		json_object *image;

		if (image_describe(&at.pool, &all, call->argv[i], &image, &call->error))
			status = command_fail(call);
		else
			json_object_array_add(list, image);
	}
	catalogue_clear(&all);
	printed = fields_output(call, list);
	return status ? status : printed;
}

/* ------------------------------------------------------------------ history */

/* One row an instruction; those that changed files take the layers in turn. */
static json_object *history_rows(const struct pool *pool, const struct image_record *record, json_object *config, bool whole)
{
	json_object *rows = json_object_new_array(), *history = json_member(config, "history", json_type_array);
	size_t count = history ? json_object_array_length(history) : 0, layer = 0;

	for (size_t i = 0; i < count || layer < record->layer_count; i++) {
		json_object *item = i < count ? json_object_array_get_idx(history, i) : NULL, *empty;
		const char *by = json_text(item, "created_by"), *created = json_text(item, "created");
		const char *comment = json_text(item, "comment");
		json_object *row = json_object_new_object();
		uint64_t bytes = 0;
		char cut[CREATED_BY_MAX + 4];

		empty = json_member(item, "empty_layer", json_type_boolean);
		if (!json_object_get_boolean(empty) && layer < record->layer_count) {
			bytes = layer_owned_bytes(pool, record->layers[layer]);
			json_object_object_add(row, "layer", output_uint(record->layers[layer]));
			layer++;
		}
		if (by && !whole && strlen(by) > CREATED_BY_MAX) {
			snprintf(cut, sizeof(cut), "%.*s...", CREATED_BY_MAX - 3, by);
			by = cut;
		}
		json_object_object_add(row, "created", created ? output_string(created) : NULL);
		json_object_object_add(row, "created_by", output_string(by ? by : ""));
		json_object_object_add(row, "size", output_uint(bytes));
		json_object_object_add(row, "comment", output_string(comment ? comment : ""));
		json_object_array_add(rows, row);
	}
	return rows;
}

/* The last instruction first; it is the only one whose image has an id. */
static json_object *newest_first(json_object *rows, const char *id)
{
	json_object *turned = json_object_new_array();

	for (size_t i = json_object_array_length(rows); i-- > 0;) {
		json_object *row = json_object_get(json_object_array_get_idx(rows, i));
		bool last = json_object_array_length(turned) == 0;

		json_object_object_add(row, "id", json_object_new_string(last ? id : "<missing>"));
		json_object_array_add(turned, row);
	}
	return turned;
}

int image_history_run(struct command_call *call)
{
	static const struct output_column columns[] = {
		{ "IMAGE", "id", OUTPUT_SHORT_ID }, { "CREATED", "created", OUTPUT_AGE },
		{ "CREATED BY", "created_by", OUTPUT_TEXT }, { "SIZE", "size", OUTPUT_SIZE },
		{ "COMMENT", "comment", OUTPUT_TEXT }, { 0 },
	};
	cleanup_json json_object *config = NULL, *rows = NULL, *turned = NULL;
	struct image_record record = { 0 };
	enum output_format format;
	struct image_pool at;
	bool whole;
	int rc;

	if (output_format(call, &format))
		return 1;
	rc = image_pool_open(call, &at);
	if (!rc)
		rc = record_find(&at.pool, call->argv[0], &record, &call->error);
	if (!rc)
		rc = record_config(&at.pool, &record, &config, &call->error);
	if (rc) {
		record_clear(&record);
		return command_fail(call);
	}
	whole = format == OUTPUT_JSON || option_is_set(call, "no-trunc");
	rows = history_rows(&at.pool, &record, config, whole);
	turned = newest_first(rows, record.id);
	record_clear(&record);
	return output_rows(call, columns, turned);
}
