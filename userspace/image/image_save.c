// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl save and image export. What is written appears under its name only when it is whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "chosen.h"
#include "cleanup.h"
#include "filesystem.h"
#include "image_commands.h"
#include "save.h"

struct output {
	const char *path;		/* NULL: standard output */
	char *temporary;		/* its name until it is whole; NULL: it is written in place */
	bool directory;
	bool made;			/* the directory is ours */
	int fd;
};

static int failed(const char *path, struct layerblk_error *err)
{
	return layerblk_error_set(err, errno, "write the image to", path, "%s", strerror(errno));
}

/* ------------------------------------------------------------------ where it goes */

static int open_stdout(struct output *output, struct layerblk_error *err)
{
	if (isatty(STDOUT_FILENO)) {
		layerblk_error_set(err, EINVAL, "write the image to", "the terminal", "an archive is not for reading");
		return layerblk_error_hint(err, "Use -o FILE, or redirect it");
	}
	output->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return output->fd < 0 ? failed("standard output", err) : 0;
}

/* Something that is no file (a pipe, a device) is written as it is. */
static int open_archive(struct output *output, struct layerblk_error *err)
{
	mode_t mask = umask(0);
	struct stat st;

	umask(mask);
	if (stat(output->path, &st) == 0 && !S_ISREG(st.st_mode)) {
		output->fd = open(output->path, O_WRONLY | O_CLOEXEC);
		return output->fd < 0 ? failed(output->path, err) : 0;
	}
	if (asprintf(&output->temporary, "%s.XXXXXX", output->path) < 0) {
		output->temporary = NULL;
		errno = ENOMEM;
		return failed(output->path, err);
	}
	output->fd = mkostemp(output->temporary, O_CLOEXEC);
	if (output->fd < 0) {
		free(output->temporary);
		output->temporary = NULL;
		return failed(output->path, err);
	}
	fchmod(output->fd, 0666 & ~mask);
	return 0;
}

static int open_directory(struct output *output, struct layerblk_error *err)
{
	output->made = mkdir(output->path, 0755) == 0;
	if (!output->made && errno != EEXIST)
		return failed(output->path, err);
	if (!output->made && rmdir(output->path) != 0) {	/* an empty one will do */
		layerblk_error_set(err, errno == ENOTEMPTY ? EEXIST : errno, "write the image to", output->path, "%s",
				   errno == ENOTEMPTY ? "the directory is not empty" : strerror(errno));
		return -err->code;
	}
	if (!output->made && mkdir(output->path, 0755) != 0)
		return failed(output->path, err);
	output->made = true;
	output->fd = open(output->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return output->fd < 0 ? failed(output->path, err) : 0;
}

static void remove_layout(struct output *output)
{
	static const char *const blobs = "blobs/sha256";
	static const char *const names[] = { "index.json", "oci-layout", "manifest.json" };
	int fd = openat(output->fd, blobs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *item;

	while (stream && (item = readdir(stream)))
		unlinkat(dirfd(stream), item->d_name, 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unlinkat(output->fd, names[i], 0);
	unlinkat(output->fd, blobs, AT_REMOVEDIR);
	unlinkat(output->fd, "blobs", AT_REMOVEDIR);
	rmdir(output->path);
}

/* rc: whether it has worked. */
static int output_close(struct output *output, int rc, struct layerblk_error *err)
{
	if (!rc && output->temporary && (fsync(output->fd) != 0 || rename(output->temporary, output->path) != 0))
		rc = failed(output->path, err);
	if (rc && output->temporary)
		unlink(output->temporary);
	if (rc && output->made && output->fd >= 0)
		remove_layout(output);
	if (output->fd >= 0)
		close(output->fd);
	free(output->temporary);
	return rc;
}

/* ------------------------------------------------------------------ what is saved */

static int save_all(struct command_call *call, const struct pool *pool, struct layout_writer *layout, enum packing packing)
{
	struct save save = { .pool = pool, .layout = layout, .packing = packing, .quiet = option_is_set(call, "quiet") };
	struct chosen chosen;
	int rc = chosen_load(pool, call->argv, (size_t)call->argc, &chosen, &call->error);

	for (size_t i = 0; !rc && i < chosen.count; i++) {
		struct chosen_image *image = &chosen.images[i];

		rc = save_image(&save, &image->record, image->names, image->name_count, &call->error);
	}
	chosen_clear(&chosen);
	save_clear(&save);
	return rc ? rc : layout_finish(layout, &call->error);
}

/* Images that are not there are told before anything is written. */
static int check_arguments(struct command_call *call, const struct pool *pool)
{
	struct chosen chosen;
	int rc = chosen_load(pool, call->argv, (size_t)call->argc, &chosen, &call->error);

	chosen_clear(&chosen);
	return rc;
}

static int save_to(struct command_call *call, struct output *output, bool docker, enum packing packing)
{
	struct layout_writer *layout = NULL;
	struct image_pool at;
	int rc = image_pool_open(call, &at);

	output->fd = -1;
	if (!rc)
		rc = check_arguments(call, &at.pool);
	if (!rc)
		rc = mounts_make_private(&call->error);
	if (!rc) {
		image_catch_signals(save_interrupt);
		rc = output->directory ? open_directory(output, &call->error) :
		     output->path ? open_archive(output, &call->error) : open_stdout(output, &call->error);
	}
	if (!rc)
		rc = layout_new(output->fd, !output->directory, docker, &layout, &call->error);
	if (!rc)
		rc = save_all(call, &at.pool, layout, packing);
	layout_free(layout);
	rc = output_close(output, rc, &call->error);
	return rc ? command_fail(call) : 0;
}

static int take_packing(struct command_call *call, enum packing *packing)
{
	const char *word = option_value(call, "compress");

	*packing = PACKING_NONE;
	return word ? packing_parse(word, packing, &call->error) : 0;
}

int image_save_run(struct command_call *call)
{
	const char *format = option_value(call, "format");
	struct output output = { .path = option_value(call, "output") };
	enum packing packing;
	bool docker = !format || strcmp(format, "docker-archive") == 0;

	if (take_packing(call, &packing))
		return command_fail(call);
	output.directory = format && strcmp(format, "oci-dir") == 0;
	if (format && !docker && !output.directory && strcmp(format, "oci-archive") != 0)
		return command_usage_error(call, "--format is one of: %s", SAVE_FORMAT_WORDS);
	if (output.directory && !output.path)
		return command_usage_error(call, "a directory needs --output");
	return save_to(call, &output, docker, packing);
}

/* The last argument is the directory. */
int image_export_run(struct command_call *call)
{
	struct output output = { .path = call->argv[call->argc - 1], .directory = true };
	enum packing packing;

	if (take_packing(call, &packing))
		return command_fail(call);
	call->argc--;
	return save_to(call, &output, false, packing);
}
