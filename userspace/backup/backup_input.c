// SPDX-License-Identifier: GPL-2.0-or-later
/* See backup_input.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "backup_input.h"
#include "backup_output.h"

int backup_input_open(struct backup_input *input, const char *doing, const char *path, const char *label, bool quiet,
		      struct layerblk_error *err)
{
	bool standard = strcmp(path, "-") == 0;
	struct stat st;

	*input = (struct backup_input){ .doing = doing, .name = standard ? "standard input" : path, .opened = !standard };
	input->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (input->fd < 0)
		return layerblk_error_set(err, errno, "open", path, "%s", strerror(errno));
	if (isatty(input->fd)) {
		backup_input_close(input);
		layerblk_error_set(err, EINVAL, doing, input->name, "it is a terminal");
		return layerblk_error_hint(err, "Name a file with -i FILE");
	}
	progress_begin(&input->progress, fstat(input->fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0, quiet, "%s %.100s",
		       label, input->name);
	return 0;
}

void backup_input_close(struct backup_input *input)
{
	progress_end(&input->progress);
	if (input->opened)
		close(input->fd);
	input->opened = false;
}

ssize_t backup_input_read(void *arg, void *buffer, size_t size, struct layerblk_error *err)
{
	struct backup_input *input = arg;
	ssize_t got;

	do {
		if (backup_interrupted())
			return layerblk_error_set(err, EINTR, input->doing, input->name, "interrupted");
		got = read(input->fd, buffer, size);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return layerblk_error_set(err, errno, "read", input->name, "%s", strerror(errno));
	input->done += (uint64_t)got;
	progress_update(&input->progress, input->done);
	return got;
}
