// SPDX-License-Identifier: GPL-2.0-or-later
/* See chosen.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "chosen.h"

static bool is_name_of(const struct pool *pool, const char *text, const struct image_record *record, char normal[REFERENCE_MAX])
{
	struct image_record named = { 0 };
	bool same;

	if (strncmp(text, "sha256:", 7) == 0 || reference_normalize(text, normal, NULL) != 0 ||
	    record_find_name(pool, normal, &named) != 0)
		return false;
	same = strcmp(named.id, record->id) == 0;
	record_clear(&named);
	return same;
}

static bool has_name(const struct chosen_image *image, const char *name)
{
	for (size_t i = 0; i < image->name_count; i++)
		if (strcmp(image->names[i], name) == 0)
			return true;
	return false;
}

static int add(const struct pool *pool, const char *text, struct chosen *chosen, struct layerblk_error *err)
{
	struct chosen_image *image = NULL;
	struct image_record record;
	char normal[REFERENCE_MAX];
	int rc = record_find(pool, text, &record, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < chosen->count; i++)
		if (strcmp(chosen->images[i].record.id, record.id) == 0 && strcmp(chosen->images[i].record.fs, record.fs) == 0)
			image = &chosen->images[i];
	if (image) {
		record_clear(&record);
	} else {
		image = &chosen->images[chosen->count++];
		image->record = record;
	}
	if (image->name_count < CHOSEN_NAMES && is_name_of(pool, text, &image->record, normal) && !has_name(image, normal)) {
		image->names[image->name_count] = strdup(normal);
		image->name_count += image->names[image->name_count] != NULL;
	}
	return 0;
}

int chosen_load(const struct pool *pool, char *const *texts, size_t count, struct chosen *out, struct layerblk_error *err)
{
	int rc = 0;

	*out = (struct chosen){ .images = calloc(count + 1, sizeof(*out->images)) };
	if (!out->images)
		return layerblk_error_set(err, ENOMEM, "find the images", "", "no memory");
	for (size_t i = 0; !rc && i < count; i++)
		rc = add(pool, texts[i], out, err);
	return rc;
}

void chosen_clear(struct chosen *chosen)
{
	for (size_t i = 0; i < chosen->count; i++) {
		record_clear(&chosen->images[i].record);
		for (size_t j = 0; j < chosen->images[i].name_count; j++)
			free(chosen->images[i].names[j]);
	}
	free(chosen->images);
	*chosen = (struct chosen){ 0 };
}
