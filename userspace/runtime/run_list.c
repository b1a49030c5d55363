// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl ps and rm. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "container.h"
#include "json.h"
#include "oci.h"
#include "output.h"
#include "run_commands.h"

/* ------------------------------------------------------------------ ps */

struct listing {
	const struct pool *pool;
	json_object *rows;
	bool all;
	bool whole;			/* texts are not shortened */
};

/* The command's words in one text, shortened as Docker does. */
static json_object *command_text(json_object *words, bool whole)
{
	cleanup_free char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; out && words && i < json_object_array_length(words); i++)
		fprintf(out, "%s%s", i ? " " : "", json_object_get_string(json_object_array_get_idx(words, i)));
	if (!out || fclose(out) != 0)
		return NULL;
	if (!whole && strlen(text) > 20)
		strcpy(text + 17, "...");
	return output_string(text);
}

static int add_row(void *arg, const struct container *container)
{
	static const char *const members[] = { "image", "created", "started", "finished", "network", "mounts" };
	struct listing *listing = arg;
	bool running = work_is_alive(listing->pool, container->name);
	json_object *row, *value;
	char status[64] = "Up";

	if (!running && !listing->all)
		return 0;
	if (!running)
		snprintf(status, sizeof(status), "Exited (%lld)", json_number(container->record, "exit_code"));
	row = json_object_new_object();
	json_object_object_add(row, "id", json_object_new_string(container->id));
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		json_object_object_add(row, members[i],
				       json_object_object_get_ex(container->record, members[i], &value) ? json_object_get(value) :
				       NULL);
	json_object_object_add(row, "command", command_text(json_member(container->record, "command", json_type_array),
							    listing->whole));
	json_object_object_add(row, "status", json_object_new_string(status));
	json_object_object_add(row, "running", json_object_new_boolean(running));
	if (!running)
		json_object_object_add(row, "exit_code", json_object_new_int64(json_number(container->record, "exit_code")));
	json_object_object_add(row, "name", output_string(container->name));
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

int run_ps_run(struct command_call *call)
{
	static const struct output_column columns[] = {
		{ "CONTAINER ID", "id", OUTPUT_SHORT_ID }, { "IMAGE", "image", OUTPUT_TEXT },
		{ "COMMAND", "command", OUTPUT_TEXT }, { "CREATED", "created", OUTPUT_AGE },
		{ "STATUS", "status", OUTPUT_TEXT }, { "NAMES", "name", OUTPUT_TEXT }, { 0 },
	};
	cleanup_json json_object *rows = json_object_new_array();
	struct listing listing = { .rows = rows, .all = option_is_set(call, "all") };
	enum output_format format;
	struct image_pool at;

	if (output_format(call, &format))
		return 1;
	listing.whole = format == OUTPUT_JSON || option_is_set(call, "no-trunc");
	if (container_pool_open(call, &at))
		return command_fail(call);
	listing.pool = &at.pool;
	if (container_each(&at.pool, add_row, &listing, &call->error))
		return command_fail(call);
	json_object_array_sort(rows, by_created);
	return output_rows(call, columns, rows);
}

/* ------------------------------------------------------------------ rm */

/*
 * The lock of a running container is its command's. With force the container is killed; its command then ends, and clears
 * up, or is waited for.
 */
static int take_over(const struct pool *pool, const struct container *container, bool force, struct work *work,
		     struct layerblk_error *err)
{
	int rc = work_begin(pool, container->name, work, err);

	if (rc != -EBUSY)
		return rc;
	if (!force) {
		layerblk_error_set(err, EBUSY, "remove the container", container->name, "it is running");
		return layerblk_error_hint(err, "End it first, or use --force");
	}
	oci_delete(container->id);
	return work_wait(pool, container->name, work, err);
}

static int remove_one(const struct pool *pool, const char *text, bool force, struct layerblk_error *err)
{
	struct work work = { .lock = -1 };
	struct container container;
	struct layerblk_error why = { 0 };
	uint64_t volume;
	int rc = container_find(pool, text, &container, err);

	if (rc)
		return rc;
	volume = container.volume;
	rc = take_over(pool, &container, force, &work, err);
	container_clear(&container);
	if (rc)
		return rc;
	rc = container_load(pool, volume, &container, &why);	/* as it is now */
	if (!rc) {
		rc = container_remove(pool, &container, err);
		container_clear(&container);
	} else if (rc == -ENOENT) {
		rc = 0;			/* it was one with --rm */
	} else {
		*err = why;
	}
	work_end(&work);
	return rc;
}

int run_rm_run(struct command_call *call)
{
	struct image_pool at;
	int status = 0;

	if (container_pool_open(call, &at))
		return command_fail(call);
	for (int i = 0; i < call->argc; i++) {
		if (remove_one(&at.pool, call->argv[i], option_is_set(call, "force"), &call->error))
			status = command_fail(call);
		else
			printf("%s\n", call->argv[i]);
	}
	return fflush(stdout) == 0 ? status : 1;
}
