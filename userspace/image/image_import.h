/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands that bring images in have in common: import, load, pull. */
#ifndef IMAGE_IMAGE_IMPORT_H
#define IMAGE_IMAGE_IMPORT_H

#include "command.h"
#include "import.h"

struct image_request {			/* what the command line asks for */
	struct import_options import;
	struct platform platform;
	bool platform_given;
	const char *chosen;		/* only this image of several */
};

/* From --tag, --fs, --size, --platform, --image and --quiet, as far as the command has them. image_request_clear() it. */
int image_request_take(struct command_call *call, struct image_request *out);
int image_request_add_tag(struct image_request *request, const char *text, struct layerblk_error *err);
void image_request_clear(struct image_request *request);

/*
 * Imports all images of a source that are asked for and, unless `silent`, says which. path is the source's, from which images without a name are
 * called. id, when not NULL, gets the last one's.
 */
int image_import_source(const struct pool *pool, struct source *source, const char *path, const struct image_request *request,
			bool silent, char id[DIGEST_TEXT], struct layerblk_error *err);

/* "Loaded image: NAME" for each name, or the id; quiet: the id alone. */
void image_say_loaded(const char *id, char *const *names, size_t count, bool quiet);

#endif
