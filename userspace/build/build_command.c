// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl build: what the command line says, and where the Dockerfile and the context come from. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "build.h"
#include "cleanup.h"
#include "copy.h"
#include "filesystem.h"
#include "image_commands.h"
#include "image_import.h"
#include "interrupt.h"
#include "network.h"
#include "run_commands.h"
#include "spool.h"
#include "tempdir.h"

#define DOCKERFILE_MAX	(16U << 20)
#define NAME_DEFAULT	"Dockerfile"

struct inputs {
	char *text;			/* of the Dockerfile; NULL: not yet read */
	size_t size;
	char name[PATH_MAX];
	struct dockerfile file;
	struct ignore ignore;
	struct variables args;
	char **labels;
	const char *network;
	int context;
	struct tempdir unpacked;	/* what came as a tar */
};

/* ------------------------------------------------------------------ files */

static int read_text(int fd, const char *name, struct inputs *inputs, struct layerblk_error *err)
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

/* --file, beside us or in the context; else CONTEXT/Dockerfile; "-": standard input. */
static int read_dockerfile(struct command_call *call, struct inputs *inputs)
{
	const char *path = option_value(call, "file");
	cleanup_fd int fd = -1;

	if (inputs->text)
		return 0;
	snprintf(inputs->name, sizeof(inputs->name), "%s", path ? path : NAME_DEFAULT);
	if (path && strcmp(path, "-") == 0) {
		strcpy(inputs->name, NAME_DEFAULT);
		return read_text(STDIN_FILENO, "standard input", inputs, &call->error);
	}
	if (path && !*inputs->unpacked.path)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (!path || *path != '/'))
		fd = openat(inputs->context, path ? path : NAME_DEFAULT, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		layerblk_error_set(&call->error, errno, "read", inputs->name, "%s", strerror(errno));
		return path ? -call->error.code : layerblk_error_hint(&call->error, "It is to be in the context, or is named with --file");
	}
	return read_text(fd, inputs->name, inputs, &call->error);
}

/* Standard input as a file that can be read twice. */
static int spool_input(int *fd, struct layerblk_error *err)
{
	char part[65536];
	ssize_t got;

	*fd = spool_open();
	if (*fd < 0)
		return layerblk_error_set(err, errno, "read", "standard input", "no temporary file: %s", strerror(errno));
	while ((got = read(STDIN_FILENO, part, sizeof(part))) > 0) {
		int rc = write_all(*fd, part, (size_t)got);

		if (rc)
			return layerblk_error_set(err, -rc, "read", "standard input", "%s", strerror(-rc));
	}
	if (got < 0 || lseek(*fd, 0, SEEK_SET) != 0)
		return layerblk_error_set(err, errno, "read", "standard input", "%s", strerror(errno));
	return 0;
}

/* "-": the tar of a context, or a Dockerfile that needs none. */
static int take_piped_context(struct command_call *call, struct inputs *inputs)
{
	const char *path = option_value(call, "file");
	cleanup_fd int fd = -1;
	int rc;

	if (path && strcmp(path, "-") == 0)
		return layerblk_error_set(&call->error, EINVAL, "build from", "standard input", "it can be the context or the Dockerfile, not both");
	rc = spool_input(&fd, &call->error);
	if (!rc) {
		image_catch_signals(build_interrupt);	/* what is unpacked goes again */
		rc = tempdir_make(&inputs->unpacked, &call->error);
	}
	if (rc)
		return rc;
	inputs->context = open(inputs->unpacked.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (inputs->context < 0)
		return layerblk_error_set(&call->error, errno, "open", inputs->unpacked.path, "%s", strerror(errno));
	if (copy_is_tar(fd)) {
		rc = lseek(fd, 0, SEEK_SET) == 0 ? copy_unpack(inputs->context, fd, &call->error) : -errno;
		return rc;
	}
	if (path)
		return layerblk_error_set(&call->error, EBADMSG, "build from", "standard input", "it is no tar");
	strcpy(inputs->name, NAME_DEFAULT);
	return lseek(fd, 0, SEEK_SET) == 0 ? read_text(fd, "standard input", inputs, &call->error) : -errno;
}

static int take_context(struct command_call *call, struct inputs *inputs)
{
	const char *path = call->argv[0];

	if (strcmp(path, "-") == 0)
		return take_piped_context(call, inputs);
	if (strstr(path, "://") || strncmp(path, "git@", 4) == 0)
		return layerblk_error_set(&call->error, ENOTSUP, "build from the context", path, "nothing is fetched from the net");
	inputs->context = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (inputs->context >= 0)
		return 0;
	layerblk_error_set(&call->error, errno, "build from the context", path, "%s", strerror(errno));
	return layerblk_error_hint(&call->error, "It is a directory, as \".\", or \"-\" for a tar on standard input");
}

/* ------------------------------------------------------------------ options */

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

/* The values stay the command line's. */
static int take_labels(struct command_call *call, struct inputs *inputs)
{
	const char *text;

	for (size_t i = 0; (text = option_nth(call, "label", i)) != NULL; i++) {
		char **more = reallocarray(inputs->labels, i + 2, sizeof(*more));

		if (!more)
			return layerblk_error_set(&call->error, ENOMEM, "use --label", text, "no memory");
		inputs->labels = more;
		more[i] = (char *)(uintptr_t)text;
		more[i + 1] = NULL;
		if (!*text || *text == '=')
			return layerblk_error_set(&call->error, EINVAL, "use --label", text, "it is of the form KEY=VALUE");
	}
	return 0;
}

static int take_network(struct command_call *call, struct inputs *inputs)
{
	const char *mode = option_value(call, "network");

	inputs->network = mode;
	if (!mode || strcmp(mode, "default") == 0)
		inputs->network = network_default();
	else if (strcmp(mode, "bridge") != 0 && strcmp(mode, "none") != 0 && strcmp(mode, "host") != 0)
		return layerblk_error_set(&call->error, EINVAL, "use the network", mode, "it is \"default\", \"bridge\", \"none\" or \"host\"");
	return 0;
}

static int take_inputs(struct command_call *call, struct inputs *inputs)
{
	const char *base;
	int rc = take_build_args(call, inputs);

	if (!rc)
		rc = take_labels(call, inputs);
	if (!rc)
		rc = take_network(call, inputs);
	if (!rc)
		rc = take_context(call, inputs);
	if (!rc)
		rc = read_dockerfile(call, inputs);
	if (!rc)
		rc = dockerfile_parse(inputs->name, inputs->text, inputs->size, &inputs->file, &call->error);
	base = strrchr(inputs->name, '/') ? strrchr(inputs->name, '/') + 1 : inputs->name;
	return rc ? rc : context_ignore(inputs->context, base, &inputs->ignore, &call->error);
}

static void clear_inputs(struct inputs *inputs)
{
	dockerfile_clear(&inputs->file);
	ignore_clear(&inputs->ignore);
	variables_clear(&inputs->args);
	free(inputs->text);
	free(inputs->labels);
	if (inputs->context >= 0)
		close(inputs->context);
	tempdir_remove(&inputs->unpacked);
}

/* ------------------------------------------------------------------ the command */

/* As docker has it: the id without a line's end. */
static int write_id(struct command_call *call, const char *id)
{
	const char *path = option_value(call, "iidfile");
	cleanup_fd int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
	int rc;

	if (!path)
		return 0;
	rc = fd < 0 ? -errno : write_all(fd, id, strlen(id));
	return rc ? layerblk_error_set(&call->error, -rc, "write the image's id to", path, "%s", strerror(-rc)) : 0;
}

static int build_from(struct command_call *call, const struct pool *pool, struct inputs *inputs, const struct image_request *request)
{
	struct build build = {
		.options = { .pool = pool, .fs = request->import.fs, .size = request->import.size,
			     .no_cache = option_is_set(call, "no-cache") },
		.name = inputs->name, .file = &inputs->file, .context = { .root = inputs->context, .ignore = &inputs->ignore },
		.args = &inputs->args, .target = option_value(call, "target"), .network = inputs->network, .labels = inputs->labels,
		.tags = request->import.tags, .tag_count = request->import.tag_count, .quiet = request->import.quiet,
	};
	struct image_record record = { 0 };
	int rc = build_image(&build, &record, &call->error);

	if (!rc)
		rc = write_id(call, record.id);
	if (!rc && !build.quiet) {
		fprintf(stderr, "#%d exporting to image\n#%d writing image %s done\n", build.step + 1, build.step + 1, record.id);
		for (size_t i = 0; i < build.tag_count; i++)
			fprintf(stderr, "#%d naming to %s done\n", build.step + 1, build.tags[i]);
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
		rc = container_pool_open(call, &at);
	if (!rc)
		rc = mounts_make_private(&call->error);
	if (!rc) {
		image_catch_signals(build_interrupt);
		rc = build_from(call, &at.pool, &inputs, &request);
	}
	clear_inputs(&inputs);
	image_request_clear(&request);
	if (rc)
		return command_fail(call);
	return fflush(stdout) == 0 ? 0 : 1;
}
