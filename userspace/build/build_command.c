// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl build. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "build.h"
#include "cleanup.h"
#include "filesystem.h"
#include "image_commands.h"
#include "image_import.h"
#include "spool.h"

#define DOCKERFILE_MAX	(16U << 20)

struct inputs {
	char *text;			/* of the Dockerfile */
	size_t size;
	char name[PATH_MAX];
	struct dockerfile file;
	struct ignore ignore;
	struct variables args;
	int context;
};

static int read_all(int fd, const char *name, struct inputs *inputs, struct layerblk_error *err)
{
	ssize_t got = 0;

	inputs->text = malloc(DOCKERFILE_MAX + 1);
	if (!inputs->text)
		return layerblk_error_set(err, ENOMEM, "read", name, "no memory");
	while (inputs->size <= DOCKERFILE_MAX && (got = read(fd, inputs->text + inputs->size, DOCKERFILE_MAX + 1 - inputs->size)) > 0)
		inputs->size += (size_t)got;
	if (got < 0)
		return layerblk_error_set(err, errno, "read", name, "%s", strerror(errno));
	if (inputs->size > DOCKERFILE_MAX)
		return layerblk_error_set(err, EFBIG, "read", name, "it has more than %u bytes", DOCKERFILE_MAX);
	return 0;
}

/* --file, beside us; else CONTEXT/Dockerfile; "-": standard input. */
static int read_dockerfile(struct command_call *call, struct inputs *inputs)
{
	const char *path = option_value(call, "file");
	cleanup_fd int fd = -1;

	snprintf(inputs->name, sizeof(inputs->name), "%s", path ? path : "Dockerfile");
	if (path && strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, "standard input", inputs, &call->error);
	fd = path ? open(path, O_RDONLY | O_CLOEXEC) : openat(inputs->context, "Dockerfile", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return layerblk_error_set(&call->error, errno, "read", inputs->name, "%s", strerror(errno));
	return read_all(fd, inputs->name, inputs, &call->error);
}

/* NAME=value, or NAME for what our environment says. */
static int take_build_args(struct command_call *call, struct inputs *inputs)
{
	const char *text, *value;

	for (size_t i = 0; (text = option_nth(call, "build-arg", i)) != NULL; i++) {
		cleanup_free char *name = strndup(text, strcspn(text, "="));

		if (!name || !*name)
			return layerblk_error_set(&call->error, EINVAL, "use --build-arg", text, "it is of the form NAME=VALUE");
		value = strchr(text, '=') ? strchr(text, '=') + 1 : getenv(name);
		if (value && variables_set(&inputs->args, name, value) != 0)
			return layerblk_error_set(&call->error, ENOMEM, "use --build-arg", text, "no memory");
	}
	return 0;
}

static int take_inputs(struct command_call *call, struct inputs *inputs)
{
	const char *base;
	int rc;

	inputs->context = open(call->argv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (inputs->context < 0) {
		layerblk_error_set(&call->error, errno, "build from the context", call->argv[0], "%s", strerror(errno));
		return layerblk_error_hint(&call->error, "It is a directory, as \".\"");
	}
	rc = read_dockerfile(call, inputs);
	if (!rc)
		rc = dockerfile_parse(inputs->name, inputs->text, inputs->size, &inputs->file, &call->error);
	base = strrchr(inputs->name, '/') ? strrchr(inputs->name, '/') + 1 : inputs->name;
	if (!rc)
		rc = context_ignore(inputs->context, base, &inputs->ignore, &call->error);
	return rc ? rc : take_build_args(call, inputs);
}

static int build_from(struct command_call *call, const struct pool *pool, struct inputs *inputs, const struct image_request *request)
{
	struct build build = {
		.options = { .pool = pool, .fs = request->import.fs, .size = request->import.size,
			     .no_cache = option_is_set(call, "no-cache") },
		.name = inputs->name, .file = &inputs->file, .context = { .root = inputs->context, .ignore = &inputs->ignore },
		.args = &inputs->args, .target = option_value(call, "target"), .tags = request->import.tags,
		.tag_count = request->import.tag_count, .quiet = request->import.quiet,
	};
	struct image_record record = { 0 };
	int rc = build_image(&build, &record, &call->error);

	if (!rc && !build.quiet) {
		fprintf(stderr, "#%d writing image %s\n", ++build.step, record.id);
		for (size_t i = 0; i < build.tag_count; i++)
			fprintf(stderr, "#%d naming to %s\n", build.step, build.tags[i]);
	} else if (!rc) {
		printf("%s\n", record.id);
	}
	record_clear(&record);
	return rc;
}

int image_build_run(struct command_call *call)
{
	struct inputs inputs = { .context = -1 };
	struct image_request request;
	struct image_pool at;
	int rc = image_request_take(call, &request);

	if (!rc)
		rc = take_inputs(call, &inputs);
	if (!rc)
		rc = image_pool_open(call, &at);
	if (!rc)
		rc = mounts_make_private(&call->error);
	if (!rc)
		rc = build_from(call, &at.pool, &inputs, &request);
	dockerfile_clear(&inputs.file);
	ignore_clear(&inputs.ignore);
	variables_clear(&inputs.args);
	free(inputs.text);
	if (inputs.context >= 0)
		close(inputs.context);
	image_request_clear(&request);
	if (rc)
		return command_fail(call);
	return fflush(stdout) == 0 ? 0 : 1;
}
