// SPDX-License-Identifier: GPL-2.0-or-later
/* The tar that a recipe and the files of a layer make; see recipe.h. The recipe is read with suspicion, as all that comes from a disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <archive_entry.h>
#include "cleanup.h"
#include "recipe.h"
#include "recipe_format.h"
#include "source.h"
#include "spool.h"

#define WHAT		"rebuild the layer's tar"
#define CHUNK		(128U << 10)
#define HANDLE_MOST	MAX_HANDLE_SZ

struct replay {
	int fd;				/* where the recipe lies */
	off_t offset;
	uint64_t left;			/* compressed bytes that were not read yet */
	int io_error;
	char *chunk;
	struct archive *archive;
	const char *data;		/* decompressed, borrowed from the archive */
	size_t size;
	int mount;
	int file;			/* the current one, -1: none */
	const struct sink *to;
};

static int damaged(const char *why, struct layerblk_error *err)
{
	return layerblk_error_set(err, EBADMSG, WHAT, "", "the record of how it was made is damaged: %s", why);
}

static la_ssize_t read_callback(struct archive *archive, void *arg, const void **data)
{
	struct replay *replay = arg;
	size_t part = replay->left < CHUNK ? (size_t)replay->left : CHUNK;
	ssize_t got = read_all_at(replay->fd, replay->chunk, part, replay->offset);

	(void)archive;
	if (got < 0) {
		replay->io_error = (int)-got;
		return -1;
	}
	replay->offset += got;
	replay->left -= (uint64_t)got;
	*data = replay->chunk;
	return got;
}

/* More decompressed bytes; -EBADMSG at the end too, for the end is known by its mark. */
static int more(struct replay *replay, struct layerblk_error *err)
{
	const void *data;
	int64_t offset;
	int got;

	do {
		got = archive_read_data_block(replay->archive, &data, &replay->size, &offset);
	} while (got == ARCHIVE_OK && replay->size == 0);
	if (replay->io_error)
		return layerblk_error_set(err, replay->io_error, WHAT, "", "the record of how it was made cannot be read: %s",
					  strerror(replay->io_error));
	if (got != ARCHIVE_OK)
		return damaged(got == ARCHIVE_EOF ? "it ends too early" : archive_error_string(replay->archive), err);
	replay->data = data;
	return 0;
}

static int take(struct replay *replay, void *out, size_t size, struct layerblk_error *err)
{
	char *at = out;
	int rc = 0;

	while (size > 0) {
		size_t part = size < replay->size ? size : replay->size;

		if (part == 0) {
			rc = more(replay, err);
			if (rc)
				return rc;
			continue;
		}
		memcpy(at, replay->data, part);
		at += part;
		size -= part;
		replay->data += part;
		replay->size -= part;
	}
	return 0;
}

static int take_number(struct replay *replay, uint64_t *number, struct layerblk_error *err)
{
	unsigned char byte;
	int rc;

	*number = 0;
	for (unsigned int shift = 0; shift < 64; shift += 7) {
		rc = take(replay, &byte, 1, err);
		if (rc)
			return rc;
		*number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return 0;
	}
	return damaged("a number is too large", err);
}

static int replay_literal(struct replay *replay, struct layerblk_error *err)
{
	uint64_t length;
	int rc = take_number(replay, &length, err);

	while (!rc && length > 0) {
		size_t part = length < replay->size ? (size_t)length : replay->size;

		if (part == 0) {
			rc = more(replay, err);
			continue;
		}
		rc = sink_write(replay->to, replay->data, part, err);
		replay->data += part;
		replay->size -= part;
		length -= part;
	}
	return rc;
}

static int replay_file(struct replay *replay, struct layerblk_error *err)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + HANDLE_MOST];
	} file;
	uint64_t type, length;
	int rc = take_number(replay, &type, err);

	if (!rc)
		rc = take_number(replay, &length, err);
	if (rc)
		return rc;
	if (length > HANDLE_MOST || type > INT32_MAX)
		return damaged("a file's handle is too long", err);
	file.handle.handle_bytes = (unsigned int)length;
	file.handle.handle_type = (int)type;
	rc = take(replay, file.handle.f_handle, (size_t)length, err);
	if (rc)
		return rc;
	if (replay->file >= 0)
		close(replay->file);
	replay->file = open_by_handle_at(replay->mount, &file.handle, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (replay->file >= 0)
		return 0;
	if (errno == ESTALE)
		return layerblk_error_set(err, EBADMSG, WHAT, "", "a file of it is not in the layer any more");
	return layerblk_error_set(err, errno, WHAT, "", "a file of it cannot be opened: %s", strerror(errno));
}

static int replay_data(struct replay *replay, struct layerblk_error *err)
{
	uint64_t offset, length;
	int rc = take_number(replay, &offset, err);

	if (!rc)
		rc = take_number(replay, &length, err);
	if (rc)
		return rc;
	if (replay->file < 0 || offset > INT64_MAX || length > INT64_MAX - offset)
		return damaged("a part of a file is nowhere", err);
	return spool_copy(replay->file, (off_t)offset, length, replay->to, "a file of the layer", err);
}

static int replay_all(struct replay *replay, struct layerblk_error *err)
{
	char magic[RECIPE_MAGIC_SIZE], operation;
	int rc = take(replay, magic, sizeof(magic), err);

	if (!rc && memcmp(magic, RECIPE_MAGIC, sizeof(magic)) != 0)
		rc = damaged("it is of a form that is not known", err);
	while (!rc) {
		rc = take(replay, &operation, 1, err);
		if (rc || operation == RECIPE_END)
			return rc;
		switch (operation) {
		case RECIPE_LITERAL:
			rc = replay_literal(replay, err);
			break;
		case RECIPE_FILE:
			rc = replay_file(replay, err);
			break;
		case RECIPE_DATA:
			rc = replay_data(replay, err);
			break;
		default:
			rc = damaged("there is something in it that is not known", err);
		}
	}
	return rc;
}

int recipe_replay(int fd, off_t offset, uint64_t size, int mount, const struct sink *to, struct layerblk_error *err)
{
	struct replay replay = { .fd = fd, .offset = offset, .left = size, .mount = mount, .file = -1, .to = to };
	struct archive_entry *entry;
	int rc;

	replay.chunk = malloc(CHUNK);
	replay.archive = archive_new_raw();
	if (!replay.chunk || !replay.archive)
		rc = layerblk_error_set(err, ENOMEM, WHAT, "", "no memory");
	else if (archive_read_open(replay.archive, &replay, NULL, read_callback, NULL) != ARCHIVE_OK ||
		 archive_read_next_header(replay.archive, &entry) != ARCHIVE_OK)
		rc = damaged("it is no compressed data", err);
	else
		rc = replay_all(&replay, err);
	if (replay.archive)
		archive_read_free(replay.archive);
	if (replay.file >= 0)
		close(replay.file);
	free(replay.chunk);
	return rc;
}
