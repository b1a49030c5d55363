// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl image import and load. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cleanup.h"
#include "filesystem.h"
#include "image_commands.h"
#include "image_import.h"
#include "report.h"
#include "size.h"

#define SIZE_DEFAULT	(10ULL << 30)
#define SIZE_MIN	(16ULL << 20)

void image_request_clear(struct image_request *request)
{
	for (size_t i = 0; i < request->import.tag_count; i++)
		free(request->import.tags[i]);
	free(request->import.tags);
}

int image_request_add_tag(struct image_request *request, const char *text, struct layerblk_error *err)
{
	char normal[REFERENCE_MAX], **more;
	size_t count = request->import.tag_count;
	int rc = reference_normalize(text, normal, err);

	if (rc)
		return rc;
	more = reallocarray(request->import.tags, count + 1, sizeof(*more));
	if (more) {
		request->import.tags = more;
		more[count] = strdup(normal);
	}
	if (!more || !more[count])
		return layerblk_error_set(err, ENOMEM, "import the image", "", "no memory");
	request->import.tag_count++;
	return 0;
}

static int take_tags(struct command_call *call, struct image_request *request)
{
	const char *text;
	int rc = 0;

	for (size_t i = 0; !rc && (text = option_nth(call, "tag", i)) != NULL; i++)
		rc = image_request_add_tag(request, text, &call->error);
	return rc;
}

int image_request_take(struct command_call *call, struct image_request *request)
{
	const char *fs = option_value(call, "fs"), *size = option_value(call, "size");
	const char *platform = option_value(call, "platform");
	int rc;

	memset(request, 0, sizeof(*request));
	request->chosen = option_value(call, "image");
	request->platform_given = platform != NULL;
	request->import.quiet = option_is_set(call, "quiet");
	request->import.fs = fs ? fs : FILESYSTEM_DEFAULT;
	request->import.size = SIZE_DEFAULT;
	rc = filesystem_check(request->import.fs, &call->error);
	if (!rc && size)
		rc = size_parse_volume(size, &request->import.size, "use the size", &call->error);
	if (!rc && request->import.size < SIZE_MIN)
		rc = layerblk_error_set(&call->error, EINVAL, "use the size", size, "the least is 16M");
	if (!rc && platform)
		rc = platform_parse(platform, &request->platform, &call->error);
	else
		platform_host(&request->platform);
	return rc ? rc : take_tags(call, request);
}

/* An image for another machine is imported too, but not without a word. */
static void note_platform(const struct bundle_image *image, const struct image_request *request)
{
	cleanup_json json_object *config = NULL;
	char text[112];

	if (request->platform_given ||
	    json_parse(image->config, image->config_size, json_type_object, "config", &config, NULL) != 0 ||
	    !json_text(config, "architecture") || platform_matches(&request->platform, config))
		return;
	platform_text(config, text, sizeof(text));
	report_note("this image is for %s, not for this machine's %s/%s", text, request->platform.os,
		    request->platform.architecture);
}

void image_say_loaded(const char *id, char *const *names, size_t count, bool quiet)
{
	if (quiet) {
		printf("%s\n", id);
		return;
	}
	for (size_t i = 0; i < count; i++)
		printf("Loaded image: %s\n", names[i]);
	if (count == 0)
		printf("Loaded image ID: %s\n", id);
}

static void say_loaded(const struct image_record *record, const struct bundle_image *image, const struct image_request *request)
{
	bool own = !request->import.tag_count;

	image_say_loaded(record->id, own ? image->names : request->import.tags, own ? image->name_count : request->import.tag_count,
			 request->import.quiet);
}

int image_import_source(const struct pool *pool, struct source *source, const char *path, const struct image_request *request,
			bool silent, char id[DIGEST_TEXT], struct layerblk_error *err)
{
	struct bundle bundle;
	int rc = bundle_read(source, path, &request->platform, request->chosen, &bundle, err);

	if (rc)
		return rc;
	if (request->import.tag_count && bundle.count > 1) {
		rc = layerblk_error_set(err, EINVAL, "name the image", request->import.tags[0],
					"%s holds %zu images", path, bundle.count);
		layerblk_error_hint(err, "Choose one with --image");
	}
	for (size_t i = 0; !rc && i < bundle.count; i++) {
		struct image_record record = { 0 };

		note_platform(&bundle.images[i], request);
		rc = import_image(pool, source, &bundle.images[i], &request->import, &record, err);
		if (!rc && !silent)
			say_loaded(&record, &bundle.images[i], request);
		if (!rc && id)
			strcpy(id, record.id);
		record_clear(&record);
	}
	bundle_clear(&bundle);
	return rc;
}

static int import_from(struct command_call *call, const char *path)
{
	struct image_request request;
	struct source *source = NULL;
	struct image_pool at;
	int rc = image_request_take(call, &request);

	if (!rc)
		rc = image_pool_open(call, &at);
	if (!rc)
		rc = source_open(path, &source, &call->error);
	if (!rc)
		rc = mounts_make_private(&call->error);
	if (!rc) {
		image_catch_signals(import_interrupt);
		rc = image_import_source(&at.pool, source, path, &request, false, NULL, &call->error);
	}
	source_close(source);
	image_request_clear(&request);
	if (rc)
		return command_fail(call);
	return fflush(stdout) == 0 ? 0 : 1;
}

int image_import_run(struct command_call *call)
{
	return import_from(call, call->argv[0]);
}

int image_load_run(struct command_call *call)
{
	const char *path = option_value(call, "input");

	if (!path && isatty(STDIN_FILENO))
		return command_usage_error(call, "standard input is a terminal: name an archive with -i");
	return import_from(call, path ? path : "-");
}
