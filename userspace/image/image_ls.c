// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl images. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "image_commands.h"
#include "json.h"
#include "output.h"
#include "template.h"

/* ------------------------------------------------------------------ rows */

static json_object *ls_row(const struct image_record *record, const char *name, uint64_t bytes)
{
	json_object *row = json_object_new_object();
	char repository[REFERENCE_MAX] = "<none>";
	const char *tag = "<none>";

	if (name)
		reference_split(name, repository, &tag);
	json_object_object_add(row, "repository", json_object_new_string(repository));
	json_object_object_add(row, "tag", json_object_new_string(tag));
	json_object_object_add(row, "id", json_object_new_string(record->id));
	json_object_object_add(row, "created", *record->created ? output_string(record->created) : NULL);
	json_object_object_add(row, "size", output_uint(bytes));
	json_object_object_add(row, "layers", output_uint(record->layer_count));
	json_object_object_add(row, "fs", json_object_new_string(record->fs));
	json_object_object_add(row, "digest", *record->manifest_digest ? json_object_new_string(record->manifest_digest) : NULL);
	json_object_object_add(row, "imported", output_time(record->imported_s));
	return row;
}

static json_object *ls_rows(const struct pool *pool, const struct catalogue *all)
{
	json_object *rows = json_object_new_array();

	for (size_t i = 0; i < all->record_count; i++) {
		const struct image_record *record = &all->records[i];
		uint64_t bytes = image_owned_bytes(pool, record);
		bool named = false;

		for (size_t j = 0; j < all->tag_count; j++) {
			if (!tag_is_of(&all->tags[j], record))
				continue;
			json_object_array_add(rows, ls_row(record, all->tags[j].name, bytes));
			named = true;
		}
		if (!named)
			json_object_array_add(rows, ls_row(record, NULL, bytes));
	}
	return rows;
}

/* ------------------------------------------------------------------ filters */

static const char *const filter_names[] = { "dangling", "label", "before", "since", "reference" };

struct filter {
	size_t name;			/* in filter_names */
	const char *value;
	char created[40];		/* of the image that before and since name */
};

struct filters {
	struct filter *items;
	size_t count;
	const char *only;		/* REPOSITORY[:TAG] */
};

static int take_filter(struct command_call *call, const struct pool *pool, const char *text, struct filter *out)
{
	const char *equals = strchr(text, '=');
	struct image_record record;
	int rc;

	for (out->name = 0; out->name < sizeof(filter_names) / sizeof(*filter_names); out->name++) {
		const char *name = filter_names[out->name];

		if (equals && strlen(name) == (size_t)(equals - text) && strncmp(name, text, strlen(name)) == 0)
			break;
	}
	if (out->name == sizeof(filter_names) / sizeof(*filter_names))
		return layerblk_error_set(&call->error, EINVAL, "use the filter", text,
					  "it is not one of dangling=, label=, before=, since=, reference=");
	out->value = equals + 1;
	if (out->name == 0 && strcmp(out->value, "true") != 0 && strcmp(out->value, "false") != 0)
		return layerblk_error_set(&call->error, EINVAL, "use the filter", text, "it is true or false");
	if (out->name != 2 && out->name != 3)
		return 0;
	rc = record_find(pool, out->value, &record, &call->error);
	if (rc)
		return rc;
	strcpy(out->created, record.created);
	record_clear(&record);
	return 0;
}

static int take_filters(struct command_call *call, const struct pool *pool, struct filters *out)
{
	const char *text;
	int rc = 0;

	out->only = call->argc ? call->argv[0] : NULL;
	for (size_t i = 0; !rc && (text = option_nth(call, "filter", i)) != NULL; i++) {
		struct filter *more = reallocarray(out->items, i + 1, sizeof(*more));

		if (!more)
			return layerblk_error_set(&call->error, ENOMEM, "list the images", "", "no memory");
		out->items = more;
		memset(&more[i], 0, sizeof(*more));
		rc = take_filter(call, pool, text, &more[i]);
		out->count = i + 1;
	}
	return rc;
}

/* A pattern is for the name with the tag or without. */
static bool name_matches(json_object *row, const char *pattern)
{
	const char *repository = json_text(row, "repository"), *tag = json_text(row, "tag");
	char name[REFERENCE_MAX + 160];

	if (strcmp(repository, "<none>") == 0)
		return false;
	snprintf(name, sizeof(name), "%s:%s", repository, tag);
	return fnmatch(pattern, repository, FNM_PATHNAME) == 0 || fnmatch(pattern, name, FNM_PATHNAME) == 0;
}

static bool label_matches(json_object *row, const char *wanted)
{
	json_object *labels = json_member(row, "labels", json_type_object);
	cleanup_free char *key = strndup(wanted, strcspn(wanted, "="));
	const char *value = labels && key ? json_text(labels, key) : NULL;

	return value && (!wanted[strlen(key)] || strcmp(wanted + strlen(key) + 1, value) == 0);
}

static bool row_matches(json_object *row, const struct filters *filters)
{
	const char *created = json_text(row, "created");
	bool dangling = strcmp(json_text(row, "repository"), "<none>") == 0;

	if (filters->only && !name_matches(row, filters->only))
		return false;
	for (size_t i = 0; i < filters->count; i++) {
		const struct filter *filter = &filters->items[i];
		int order = strcmp(created ? created : "", filter->created);
		bool fits = filter->name == 0 ? dangling == (strcmp(filter->value, "true") == 0) :
			    filter->name == 1 ? label_matches(row, filter->value) :
			    filter->name == 2 ? order < 0 : filter->name == 3 ? order > 0 : name_matches(row, filter->value);

		if (!fits)
			return false;
	}
	return true;
}

/* Labels are in the config, which is read only when they are asked for. */
static void add_labels(const struct pool *pool, const struct catalogue *all, json_object *rows)
{
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		json_object *row = json_object_array_get_idx(rows, i), *labels;
		const char *id = json_text(row, "id"), *fs = json_text(row, "fs");

		for (size_t j = 0; j < all->record_count; j++) {
			cleanup_json json_object *config = NULL;

			if (strcmp(all->records[j].id, id) != 0 || strcmp(all->records[j].fs, fs) != 0 ||
			    record_config(pool, &all->records[j], &config, NULL) != 0)
				continue;
			labels = json_member(json_member(config, "config", json_type_object), "Labels", json_type_object);
			if (labels)
				json_object_object_add(row, "labels", json_object_get(labels));
		}
	}
}

/* The image created last comes first, as Docker has it. Times in RFC 3339 of one zone sort as texts. */
static int by_created(const void *a, const void *b)
{
	json_object *const *left = a, *const *right = b;
	const char *first = json_text(*left, "created"), *second = json_text(*right, "created");

	return strcmp(second ? second : "", first ? first : "");
}

static json_object *chosen_rows(json_object *rows, const struct filters *filters)
{
	json_object *chosen = json_object_new_array();

	for (size_t i = 0; i < json_object_array_length(rows); i++)
		if (row_matches(json_object_array_get_idx(rows, i), filters))
			json_object_array_add(chosen, json_object_get(json_object_array_get_idx(rows, i)));
	json_object_array_sort(chosen, by_created);
	return chosen;
}

/* ------------------------------------------------------------------ the command */

#define COLUMN_REPOSITORY	{ "REPOSITORY", "repository", OUTPUT_TEXT }
#define COLUMN_TAG		{ "TAG", "tag", OUTPUT_TEXT }
#define COLUMN_DIGEST		{ "DIGEST", "digest", OUTPUT_TEXT }
#define COLUMN_ID		{ "IMAGE ID", "id", OUTPUT_SHORT_ID }
#define COLUMN_CREATED		{ "CREATED", "created", OUTPUT_AGE }
#define COLUMN_SIZE		{ "SIZE", "size", OUTPUT_SIZE }

static const struct template_field fields[] = {
	{ "Repository", COLUMN_REPOSITORY }, { "Tag", COLUMN_TAG }, { "Digest", COLUMN_DIGEST }, { "ID", COLUMN_ID },
	{ "CreatedSince", COLUMN_CREATED }, { "CreatedAt", { "CREATED AT", "created", OUTPUT_TEXT } }, { "Size", COLUMN_SIZE },
	{ 0 },
};

static int print(struct command_call *call, json_object *rows)
{
	static const struct output_column usual[] = { COLUMN_REPOSITORY, COLUMN_TAG, COLUMN_ID, COLUMN_CREATED, COLUMN_SIZE, { 0 } };
	static const struct output_column digests[] = {
		COLUMN_REPOSITORY, COLUMN_TAG, COLUMN_DIGEST, COLUMN_ID, COLUMN_CREATED, COLUMN_SIZE, { 0 }
	};
	static const struct output_column ids[] = { COLUMN_ID, { 0 } };
	const char *format = option_value(call, "format");

	if (option_is_set(call, "quiet"))
		return output_rows(call, ids, rows);
	if (template_is_one(format))
		return template_rows(call, format, fields, rows);
	return output_rows(call, option_is_set(call, "digests") ? digests : usual, rows);
}

int image_ls_run(struct command_call *call)
{
	cleanup_json json_object *rows = NULL, *chosen = NULL;
	struct filters filters = { .count = 0 };
	struct catalogue all;
	struct image_pool at;
	int rc = image_pool_open(call, &at);

	if (!rc)
		rc = take_filters(call, &at.pool, &filters);
	if (!rc)
		rc = catalogue_load(&at.pool, &all, &call->error);
	if (!rc) {
		rows = ls_rows(&at.pool, &all);
		if (filters.count)
			add_labels(&at.pool, &all, rows);
		chosen = chosen_rows(rows, &filters);
		catalogue_clear(&all);
	}
	free(filters.items);
	return rc ? command_fail(call) : print(call, chosen);
}
