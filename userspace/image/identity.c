// SPDX-License-Identifier: GPL-2.0-or-later
/* See identity.h. A key whose layer has been removed by hand leads nowhere, and is passed over. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "identity.h"
#include "work.h"

static bool is_identity(const char *text)
{
	return strlen(text) == IDENTITY_TEXT - 1 && strspn(text, "0123456789abcdef") == IDENTITY_TEXT - 1;
}

static void identity_key(const char *text, char key[KEY_TEXT])
{
	snprintf(key, KEY_TEXT, KEY_IDENTITY "%.*s", IDENTITY_TEXT - 1, text);
}

int identity_load(const struct pool *pool, uint64_t volume, char text[IDENTITY_TEXT], struct layerblk_error *err)
{
	cleanup_free char *value = NULL;
	int rc = layerblk_attr_get(pool->lb, pool->uuid, volume, ATTR_IDENTITY, &value, NULL, err);

	*text = '\0';
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	if (is_identity(value))
		strcpy(text, value);
	return 0;
}

void identity_enter(struct layerblk_attrs *attrs, uint64_t volume, const char *text)
{
	char key[KEY_TEXT];

	identity_key(text, key);
	key_enter(attrs, key, volume);
	layerblk_attrs_set_string(attrs, volume, ATTR_IDENTITY, text, 0);
}

int identity_give(const struct pool *pool, uint64_t volume, char text[IDENTITY_TEXT], struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	cleanup_fd int lock = -1;
	int rc = pool_lock(pool, &lock, err);

	if (!rc)
		rc = identity_load(pool, volume, text, err);
	if (rc || *text)
		return rc;
	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "name the layer's blocks", "", "no memory");
	random_hex(text, IDENTITY_BYTES);
	identity_enter(attrs, volume, text);
	return layerblk_attrs_commit(pool->lb, pool->uuid, attrs, err);
}

int identity_find(const struct pool *pool, const char *text, uint64_t *volume, struct layerblk_error *err)
{
	cleanup_free char *value = NULL;
	char key[KEY_TEXT], its[IDENTITY_TEXT], *end;
	struct lb_vol_info info;
	uint64_t found;
	int rc;

	identity_key(text, key);
	rc = layerblk_attr_get(pool->lb, pool->uuid, 0, key, &value, NULL, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	found = strtoull(value, &end, 10);
	if (end == value || *end)
		return 0;
	rc = layerblk_vol_stat(pool->lb, pool->uuid, found, 0, &info, err);
	if (!rc)
		rc = identity_load(pool, found, its, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	if (!(info.flags & LB_VOL_FROZEN) || (info.flags & LB_VOL_HIDDEN) || strcmp(its, text) != 0)
		return 0;
	*volume = found;
	return 1;
}

void identity_drop(const struct pool *pool, struct layerblk_attrs *attrs, uint64_t volume)
{
	char text[IDENTITY_TEXT], key[KEY_TEXT];

	if (identity_load(pool, volume, text, NULL) != 0 || !*text)
		return;
	identity_key(text, key);
	key_drop_of(pool, attrs, key, volume);
}

struct walk {
	const struct pool *pool;
	identity_fn *each;
	void *arg;
	struct layerblk_error *err;
};

static int visit(void *arg, const char *key, size_t value_len)
{
	const char *text = key + strlen(KEY_IDENTITY);
	const struct walk *walk = arg;
	uint64_t volume;
	int rc;

	(void)value_len;
	rc = is_identity(text) ? identity_find(walk->pool, text, &volume, walk->err) : 0;
	return rc == 1 ? walk->each(walk->arg, text) : rc;
}

int identity_each(const struct pool *pool, identity_fn *each, void *arg, struct layerblk_error *err)
{
	struct walk walk = { pool, each, arg, err };

	return layerblk_attr_each(pool->lb, pool->uuid, 0, KEY_IDENTITY, visit, &walk, err);
}
