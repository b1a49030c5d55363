// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding pools that are not open. */
#include <errno.h>
#include <string.h>
#include "cleanup.h"
#include "device.h"
#include "find.h"
#include "offline.h"
#include "known.h"
#include "ref.h"

struct search {
	find_fn *each;
	void *arg;
	uint8_t (*seen)[LB_UUID_LEN];
	size_t seen_count;
};

/* Notes the UUID; false when it was seen before (or there is no memory to note it). */
static bool is_new(struct search *search, const uint8_t *uuid)
{
	uint8_t (*larger)[LB_UUID_LEN];
	size_t i;

	for (i = 0; i < search->seen_count; i++) {
		if (!memcmp(search->seen[i], uuid, LB_UUID_LEN))
			return false;
	}
	larger = reallocarray(search->seen, search->seen_count + 1, sizeof(*larger));
	if (!larger)
		return false;
	search->seen = larger;
	memcpy(larger[search->seen_count++], uuid, LB_UUID_LEN);
	return true;
}

static int look(struct search *search, const char *path, const char *expected)
{
	cleanup_free char *label = NULL;
	struct found_pool found = { .path = path };
	struct offline_pool probe;
	char uuid[UUID_TEXT];

	if (offline_probe(path, &probe, NULL))
		return 0;
	if ((expected && strcmp(expected, uuid_text(probe.uuid, uuid)) != 0) || !is_new(search, probe.uuid))
		return 0;
	if (!offline_label(path, &label, NULL))
		found.label = label;
	memcpy(found.uuid, probe.uuid, LB_UUID_LEN);
	found.total_blocks = probe.total_blocks;
	return search->each(search->arg, &found);
}

static int look_at_known(void *arg, const char *uuid, const char *path)
{
	return look(arg, path, uuid);
}

static int look_at_device(void *arg, const char *path, dev_t number)
{
	(void)number;
	return look(arg, path, NULL);
}

int find_pools(find_fn *each, void *arg)
{
	struct search search = { .each = each, .arg = arg };
	int ret = known_each(look_at_known, &search);

	if (!ret)
		ret = device_scan(look_at_device, &search);
	free(search.seen);
	return ret;
}

struct wanted {
	const char *text;
	char *path;
	int matches;
};

static int match(void *arg, const struct found_pool *pool)
{
	struct wanted *wanted = arg;

	if (!ref_matches_uuid(wanted->text, pool->uuid) && !(pool->label && !strcmp(pool->label, wanted->text)))
		return 0;
	if (!wanted->matches++)
		wanted->path = strdup(pool->path);
	return 0;
}

int find_pool_path(const char *text, char **path, struct layerblk_error *err)
{
	static const char what[] = "find the pool";
	struct wanted wanted = { .text = text };

	find_pools(match, &wanted);
	if (wanted.matches == 1 && wanted.path) {
		*path = wanted.path;
		return 0;
	}
	free(wanted.path);
	if (wanted.matches > 1)
		return layerblk_error_set(err, ENOTUNIQ, what, text, "more than one pool is called so");
	layerblk_error_set(err, ENODEV, what, text, "no device or file of that name, and no pool of that UUID or label");
	return layerblk_error_hint(err, "`layerctl pool ls --all` shows the pools of this machine's devices");
}
