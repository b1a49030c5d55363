// SPDX-License-Identifier: GPL-2.0-or-later
/* See idset.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cleanup.h"
#include "idset.h"

bool idset_has(const struct idset *set, const uint8_t id[VOLSTREAM_ID])
{
	for (size_t i = 0; i < set->count; i++)
		if (memcmp(set->ids[i], id, VOLSTREAM_ID) == 0)
			return true;
	return false;
}

int idset_add(struct idset *set, const uint8_t id[VOLSTREAM_ID], struct layerblk_error *err)
{
	if (idset_has(set, id))
		return 0;
	if (set->count == set->room) {
		size_t room = set->room ? 2 * set->room : 64;
		void *more = reallocarray(set->ids, room, VOLSTREAM_ID);

		if (!more)
			return layerblk_error_set(err, ENOMEM, "list the layers", "", "no memory");
		set->ids = more;
		set->room = room;
	}
	memcpy(set->ids[set->count++], id, VOLSTREAM_ID);
	return 0;
}

void idset_clear(struct idset *set)
{
	free(set->ids);
	*set = (struct idset){ 0 };
}

static int read_lines(struct idset *set, FILE *file, const char *name, struct layerblk_error *err)
{
	uint8_t id[VOLSTREAM_ID];
	char line[128];
	int rc = 0;

	for (unsigned long number = 1; !rc && fgets(line, sizeof(line), file); number++) {
		line[strcspn(line, "\r\n")] = '\0';
		if (!*line)
			continue;
		if (volstream_id_parse(line, id) != 0) {
			layerblk_error_set(err, EINVAL, "read the list of layers in", name, "line %lu is no layer's identity", number);
			return layerblk_error_hint(err, "It is what `layerctl receive --have` prints where the images are to go");
		}
		rc = idset_add(set, id, err);
	}
	if (!rc && ferror(file))
		rc = layerblk_error_set(err, errno ? errno : EIO, "read the list of layers in", name, "%s", strerror(errno ? errno : EIO));
	return rc;
}

int idset_read(struct idset *set, const char *path, struct layerblk_error *err)
{
	cleanup_file FILE *file = NULL;

	if (strcmp(path, "-") != 0) {
		file = fopen(path, "re");
		return file ? read_lines(set, file, path, err) : layerblk_error_set(err, errno, "open", path, "%s", strerror(errno));
	}
	if (isatty(STDIN_FILENO))
		return layerblk_error_set(err, EINVAL, "read the list of layers in", "standard input", "it is a terminal");
	return read_lines(set, stdin, "standard input", err);
}
