// SPDX-License-Identifier: GPL-2.0-or-later
/* A chained hash table; see entryset.h. It grows so that chains stay short, and never shrinks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "entryset.h"

struct entryset_item {
	struct entryset_item *next;
	uint64_t hash;
	uint64_t directory;
	char name[];
};

static uint64_t hash_of(uint64_t directory, const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ULL ^ (directory * 0x9e3779b97f4a7c15ULL);	/* FNV-1a, seeded */

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ULL;
	return hash ^ (hash >> 29);
}

/* The pointer to the item, or to the end of its chain. The set has buckets. */
static struct entryset_item **place_of(const struct entryset *set, uint64_t hash, uint64_t directory, const char *name)
{
	struct entryset_item **at = &set->buckets[hash & (set->bucket_count - 1)];

	while (*at && ((*at)->hash != hash || (*at)->directory != directory || strcmp((*at)->name, name) != 0))
		at = &(*at)->next;
	return at;
}

static int grow(struct entryset *set)
{
	size_t wanted = set->bucket_count ? 2 * set->bucket_count : 1024;
	struct entryset_item **buckets = calloc(wanted, sizeof(struct entryset_item *)), *item, *next;

	if (!buckets)
		return -ENOMEM;
	for (size_t i = 0; i < set->bucket_count; i++) {
		for (item = set->buckets[i]; item; item = next) {
			next = item->next;
			item->next = buckets[item->hash & (wanted - 1)];
			buckets[item->hash & (wanted - 1)] = item;
		}
	}
	free(set->buckets);
	set->buckets = buckets;
	set->bucket_count = wanted;
	return 0;
}

int entryset_add(struct entryset *set, uint64_t directory, const char *name)
{
	uint64_t hash = hash_of(directory, name);
	struct entryset_item **at, *item;
	size_t length = strlen(name) + 1;

	if (set->count >= set->bucket_count && grow(set) != 0)
		return -ENOMEM;
	at = place_of(set, hash, directory, name);
	if (*at)
		return 0;
	item = malloc(sizeof(*item) + length);
	if (!item)
		return -ENOMEM;
	item->next = NULL;
	item->hash = hash;
	item->directory = directory;
	memcpy(item->name, name, length);
	*at = item;
	set->count++;
	return 0;
}

bool entryset_has(const struct entryset *set, uint64_t directory, const char *name)
{
	return set->count > 0 && *place_of(set, hash_of(directory, name), directory, name);
}

void entryset_remove(struct entryset *set, uint64_t directory, const char *name)
{
	struct entryset_item **at, *item;

	if (set->count == 0)
		return;
	at = place_of(set, hash_of(directory, name), directory, name);
	item = *at;
	if (!item)
		return;
	*at = item->next;
	free(item);
	set->count--;
}

void entryset_clear(struct entryset *set)
{
	struct entryset_item *item, *next;

	for (size_t i = 0; i < set->bucket_count; i++) {
		for (item = set->buckets[i]; item; item = next) {
			next = item->next;
			free(item);
		}
	}
	free(set->buckets);
	memset(set, 0, sizeof(*set));
}
