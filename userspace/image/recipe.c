// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See recipe.h; reading is in recipe_replay.c.
 *
 * What has passed and is not decided upon waits in `pending`, which begins at `base` in the tar: the unpacker reads ahead by some
 * buffers. What waits longer than that (the contents of an entry that the unpacker passes over) becomes literal bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "packer.h"
#include "recipe.h"
#include "recipe_format.h"
#include "spool.h"

#define PENDING_MOST	(8U << 20)
#define PENDING_LEAST	(4U << 20)	/* what is left when it was too much */

struct recipe {
	int fd;				/* the compressed recipe */
	struct sink to_fd;
	struct packer *packer;
	char *pending;
	size_t room;
	size_t begin;			/* of what counts in pending */
	size_t end;
	uint64_t base;			/* position in the tar of pending[begin] */
	uint64_t next;			/* position of the current file's next part */
	bool file;			/* a file is being claimed */
	uint64_t part_offset;		/* a part that the next one may continue */
	uint64_t part_length;
	int failed;			/* a negative errno */
	struct layerblk_error error;
};

static void put(struct recipe *recipe, const void *data, size_t size)
{
	if (!recipe->failed && size)
		recipe->failed = packer_write(recipe->packer, data, size, &recipe->error);
}

static void put_number(struct recipe *recipe, uint64_t number)
{
	unsigned char bytes[10];
	size_t used = 0;

	for (; number >= 0x80; number >>= 7)
		bytes[used++] = (unsigned char)(number | 0x80);
	bytes[used++] = (unsigned char)number;
	put(recipe, bytes, used);
}

static void put_operation(struct recipe *recipe, char operation)
{
	put(recipe, &operation, 1);
}

int recipe_new(struct recipe **out, struct layerblk_error *err)
{
	struct recipe *recipe = calloc(1, sizeof(*recipe));
	int rc;

	if (!recipe)
		return layerblk_error_set(err, ENOMEM, "record the layer's tar", "", "no memory");
	recipe->fd = spool_open();
	if (recipe->fd < 0) {
		rc = layerblk_error_set(err, errno, "make a temporary file for", "the layer's tar", "%s", strerror(errno));
		recipe_free(recipe);
		return rc;
	}
	recipe->to_fd = (struct sink){ spool_sink, &recipe->fd };
	rc = packer_new(PACKING_ZSTD, &recipe->to_fd, &recipe->packer, err);
	if (rc) {
		recipe_free(recipe);
		return rc;
	}
	put(recipe, RECIPE_MAGIC, RECIPE_MAGIC_SIZE);
	*out = recipe;
	return 0;
}

void recipe_free(struct recipe *recipe)
{
	if (!recipe)
		return;
	packer_free(recipe->packer);
	if (recipe->fd >= 0)
		close(recipe->fd);
	free(recipe->pending);
	free(recipe);
}

static void put_part(struct recipe *recipe)
{
	if (!recipe->part_length)
		return;
	put_operation(recipe, RECIPE_DATA);
	put_number(recipe, recipe->part_offset);
	put_number(recipe, recipe->part_length);
	recipe->part_length = 0;
}

/* The first `size` bytes of what is pending are decided upon. */
static void drop(struct recipe *recipe, size_t size)
{
	recipe->begin += size;
	recipe->base += size;
	if (recipe->begin == recipe->end)
		recipe->begin = recipe->end = 0;
}

static void put_literal(struct recipe *recipe, size_t size)
{
	if (!size)
		return;
	put_part(recipe);
	put_operation(recipe, RECIPE_LITERAL);
	put_number(recipe, size);
	put(recipe, recipe->pending + recipe->begin, size);
	drop(recipe, size);
}

static int make_room(struct recipe *recipe, size_t size)
{
	size_t used = recipe->end - recipe->begin, room = recipe->room ? recipe->room : 1U << 20;
	char *larger;

	if (recipe->room - recipe->end >= size)
		return 0;
	if (used && recipe->begin)
		memmove(recipe->pending, recipe->pending + recipe->begin, used);
	recipe->begin = 0;
	recipe->end = used;
	while (room - used < size)
		room *= 2;
	if (room == recipe->room)
		return 0;
	larger = realloc(recipe->pending, room);
	if (!larger)
		return layerblk_error_set(&recipe->error, ENOMEM, "record the layer's tar", "", "no memory");
	recipe->pending = larger;
	recipe->room = room;
	return 0;
}

void recipe_pass(struct recipe *recipe, const void *data, size_t size)
{
	if (recipe->failed || !size)
		return;
	recipe->failed = make_room(recipe, size);
	if (recipe->failed)
		return;
	memcpy(recipe->pending + recipe->end, data, size);
	recipe->end += size;
	if (recipe->end - recipe->begin > PENDING_MOST)
		put_literal(recipe, recipe->end - recipe->begin - PENDING_LEAST);
}

static bool put_handle(struct recipe *recipe, int fd)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} file = { .handle.handle_bytes = MAX_HANDLE_SZ };
	int mount;

	if (name_to_handle_at(fd, "", &file.handle, &mount, AT_EMPTY_PATH) != 0)
		return false;
	put_operation(recipe, RECIPE_FILE);
	put_number(recipe, (uint64_t)file.handle.handle_type);
	put_number(recipe, file.handle.handle_bytes);
	put(recipe, file.handle.f_handle, file.handle.handle_bytes);
	return true;
}

void recipe_file(struct recipe *recipe, int fd, uint64_t position)
{
	uint64_t end = recipe->base + (recipe->end - recipe->begin);

	recipe->file = false;
	if (recipe->failed || position < recipe->base || position > end)
		return;
	put_literal(recipe, (size_t)(position - recipe->base));
	put_part(recipe);
	recipe->file = put_handle(recipe, fd);
	recipe->next = position;
}

void recipe_data(struct recipe *recipe, const void *data, size_t size, uint64_t offset)
{
	const char *passed = recipe->pending + recipe->begin;

	if (recipe->failed || !recipe->file || !size)
		return;
	if (recipe->next != recipe->base || recipe->end - recipe->begin < size || memcmp(passed, data, size) != 0) {
		recipe->file = false;	/* the rest of this file is kept as it is */
		return;
	}
	if (recipe->part_length && recipe->part_offset + recipe->part_length != offset)
		put_part(recipe);
	if (!recipe->part_length)
		recipe->part_offset = offset;
	recipe->part_length += size;
	recipe->next += size;
	drop(recipe, size);
}

int recipe_finish(struct recipe *recipe, int *fd, uint64_t *size, struct layerblk_error *err)
{
	off_t end;

	put_literal(recipe, recipe->end - recipe->begin);
	put_part(recipe);
	put_operation(recipe, RECIPE_END);
	if (!recipe->failed)
		recipe->failed = packer_finish(recipe->packer, &recipe->error);
	if (recipe->failed) {
		if (err)
			*err = recipe->error;
		return recipe->failed;
	}
	end = lseek(recipe->fd, 0, SEEK_END);
	if (end < 0)
		return layerblk_error_set(err, errno, "record the layer's tar", "", "%s", strerror(errno));
	*fd = recipe->fd;
	*size = (uint64_t)end;
	return 0;
}
