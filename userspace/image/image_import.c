// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl image import. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "filesystem.h"
#include "image_commands.h"
#include "import.h"
#include "report.h"
#include "size.h"

#define SIZE_DEFAULT	(10ULL << 30)
#define SIZE_MIN	(16ULL << 20)

struct request {			/* what the command line asks for */
	struct import_options import;
	struct platform platform;
	bool platform_given;
	const char *chosen;
};

static void interrupt(int signal)
{
	(void)signal;
	import_interrupt();
}

static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = interrupt, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
}

static void request_clear(struct request *request)
{
	for (size_t i = 0; i < request->import.tag_count; i++)
		free(request->import.tags[i]);
	free(request->import.tags);
}

static int take_tags(struct command_call *call, struct request *request)
{
	char normal[REFERENCE_MAX], **more;
	const char *text;
	int rc;

	for (size_t i = 0; (text = option_nth(call, "tag", i)) != NULL; i++) {
		rc = reference_normalize(text, normal, &call->error);
		if (rc)
			return rc;
		more = reallocarray(request->import.tags, i + 1, sizeof(*more));
		if (!more)
			return layerblk_error_set(&call->error, ENOMEM, "import the image", "", "no memory");
		request->import.tags = more;
		more[i] = strdup(normal);
		if (!more[i])
			return layerblk_error_set(&call->error, ENOMEM, "import the image", "", "no memory");
		request->import.tag_count++;
	}
	return 0;
}

static int take_options(struct command_call *call, struct request *request)
{
	const char *fs = option_value(call, "fs"), *size = option_value(call, "size");
	const char *platform = option_value(call, "platform");
	int rc;

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
static void note_platform(const struct bundle_image *image, const struct request *request)
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

static void say_loaded(const struct image_record *record, const struct bundle_image *image, const struct request *request)
{
	char *const *names = request->import.tag_count ? request->import.tags : image->names;
	size_t count = request->import.tag_count ? request->import.tag_count : image->name_count;

	if (request->import.quiet) {
		printf("%s\n", record->id);
		return;
	}
	for (size_t i = 0; i < count; i++)
		printf("Loaded image: %s\n", names[i]);
	if (count == 0)
		printf("Loaded image ID: %s\n", record->id);
}

static int import_all(struct command_call *call, const struct pool *pool, struct source *source, const char *path,
		      const struct request *request)
{
	struct bundle bundle;
	int rc = bundle_read(source, path, &request->platform, request->chosen, &bundle, &call->error);

	if (rc)
		return rc;
	if (request->import.tag_count && bundle.count > 1) {
		rc = layerblk_error_set(&call->error, EINVAL, "name the image", request->import.tags[0],
					"%s holds %zu images", path, bundle.count);
		layerblk_error_hint(&call->error, "Choose one with --image");
	}
	for (size_t i = 0; !rc && i < bundle.count; i++) {
		struct image_record record = { 0 };

		note_platform(&bundle.images[i], request);
		rc = import_image(pool, source, &bundle.images[i], &request->import, &record, &call->error);
		if (!rc)
			say_loaded(&record, &bundle.images[i], request);
		record_clear(&record);
	}
	bundle_clear(&bundle);
	return rc;
}

int image_import_run(struct command_call *call)
{
	struct request request = { 0 };
	struct source *source = NULL;
	struct image_pool at;
	int rc = take_options(call, &request);

	if (!rc)
		rc = image_pool_open(call, &at);
	if (!rc)
		rc = source_open(call->argv[0], &source, &call->error);
	if (!rc)
		rc = mounts_make_private(&call->error);
	if (!rc) {
		catch_signals();
		rc = import_all(call, &at.pool, source, call->argv[0], &request);
	}
	source_close(source);
	request_clear(&request);
	if (rc)
		return command_fail(call);
	return fflush(stdout) == 0 ? 0 : 1;
}
