// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl import: an image of one layer from the tar of a file tree. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "cleanup.h"
#include "config_change.h"
#include "filesystem.h"
#include "image_commands.h"
#include "image_import.h"
#include "report.h"
#include "stream.h"


struct rooted {				/* the import under way */
	struct progress progress;
	struct bundle_layer layer;
	struct bundle_image image;
};

static volatile sig_atomic_t interrupted;

static void interrupt(void)
{
	interrupted = 1;
	import_interrupt();
}

static int show_progress(void *arg, uint64_t done)
{
	struct rooted *rooted = arg;

	progress_update(&rooted->progress, done);
	return interrupted ? -EINTR : 0;
}

static void add_time(json_object *to, const char *key)
{
	time_t now = time(NULL);
	char text[40];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_object_object_add(to, key, json_object_new_string(text));
}

/* The config, without what --change says of it. */
static json_object *make_config(const struct platform *platform, const char *diff_id, const char *comment)
{
	json_object *image = json_object_new_object(), *rootfs = json_object_new_object(), *ids = json_object_new_array();
	json_object *history = json_object_new_array(), *item = json_object_new_object();

	json_object_object_add(image, "architecture", json_object_new_string(platform->architecture));
	if (*platform->variant)
		json_object_object_add(image, "variant", json_object_new_string(platform->variant));
	json_object_object_add(image, "os", json_object_new_string(platform->os));
	add_time(image, "created");
	json_object_object_add(image, "config", json_object_new_object());
	json_object_object_add(rootfs, "type", json_object_new_string("layers"));
	json_object_array_add(ids, json_object_new_string(diff_id));
	json_object_object_add(rootfs, "diff_ids", ids);
	json_object_object_add(image, "rootfs", rootfs);
	add_time(item, "created");
	json_object_object_add(item, "comment", json_object_new_string(comment));
	json_object_array_add(history, item);
	json_object_object_add(image, "history", history);
	return image;
}

static int change_config(struct command_call *call, json_object *image)
{
	const char *line;
	int rc = 0;

	for (size_t i = 0; !rc && (line = option_nth(call, "change", i)) != NULL; i++)
		rc = config_change_line(image, line, &call->error);
	return rc;
}

/* Wrong changes are told before anything is read. */
static int check_changes(struct command_call *call)
{
	cleanup_json json_object *image = json_object_new_object();

	return change_config(call, image);
}

static int take_config(struct command_call *call, struct rooted *rooted, const struct platform *platform, const char *path)
{
	const char *message = option_value(call, "message"), *text;
	cleanup_json json_object *config = NULL;
	cleanup_free char *comment = NULL;
	int rc;

	if (asprintf(&comment, "Imported from %s", path) < 0)
		comment = NULL;
	config = make_config(platform, rooted->layer.diff_id, message ? message : comment ? comment : "");
	rc = change_config(call, config);
	if (rc)
		return rc;
	text = json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	rooted->image.config = strdup(text);
	rooted->image.config_size = strlen(text);
	if (!rooted->image.config || digest_of(text, strlen(text), rooted->image.id) != 0)
		return layerblk_error_set(&call->error, ENOMEM, "import the file tree", path, "no memory");
	return 0;
}

static int import_tree(struct command_call *call, const struct pool *pool, const char *path, const struct image_request *request)
{
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;	/* as errors call it */
	struct rooted rooted = { .layer = { .blob = (char *)(uintptr_t)name, .size = -1 } };
	struct image_record record = { 0 };
	struct source *source = NULL;
	int rc = source_open_single(path, name, &source, &call->error);

	rooted.image.layers = &rooted.layer;
	rooted.image.layer_count = 1;
	if (!rc) {
		progress_begin(&rooted.progress, 0, request->import.quiet, "Reading");
		rc = stream_measure(source, &rooted.layer, show_progress, &rooted, rooted.layer.diff_id, &call->error);
		progress_end(&rooted.progress);
	}
	strcpy(rooted.layer.chain, rooted.layer.diff_id);
	if (!rc)
		rc = take_config(call, &rooted, &request->platform, path);
	if (!rc)
		rc = import_image(pool, source, &rooted.image, &request->import, &record, &call->error);
	if (!rc)
		printf("%s\n", record.id);
	record_clear(&record);
	source_close(source);
	free(rooted.image.config);
	return rc;
}

int image_import_root_run(struct command_call *call)
{
	struct image_request request;
	struct image_pool at;
	int rc = image_request_take(call, &request);

	if (strstr(call->argv[0], "://")) {
		image_request_clear(&request);
		return command_usage_error(call, "it is read from a file or from standard input, not from the net: try \"curl %s | layerctl import -\"",
					   call->argv[0]);
	}
	if (!rc && call->argc > 1)
		rc = image_request_add_tag(&request, call->argv[1], &call->error);
	if (!rc)
		rc = check_changes(call);
	if (!rc)
		rc = image_pool_open(call, &at);
	if (!rc)
		rc = mounts_make_private(&call->error);
	if (!rc) {
		image_catch_signals(interrupt);
		rc = import_tree(call, &at.pool, call->argv[0], &request);
	}
	image_request_clear(&request);
	if (rc)
		return command_fail(call);
	return fflush(stdout) == 0 ? 0 : 1;
}
