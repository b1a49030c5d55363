// SPDX-License-Identifier: GPL-2.0-or-later
/* See cache.h. An entry whose layer has been removed is no entry; who removes a layer removes its entry too. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cache.h"
#include "cleanup.h"
#include "json.h"

int cache_key_add(char key[DIGEST_TEXT], ...)
{
	struct hasher *hash = hasher_new(NULL);
	const char *text;
	va_list args;

	if (!hash)
		return -ENOMEM;
	hasher_add(hash, key, strlen(key) + 1);
	va_start(args, key);
	while ((text = va_arg(args, const char *)) != NULL)
		hasher_add(hash, text, strlen(text) + 1);
	va_end(args);
	hasher_text(hash, key);
	hasher_free(hash);
	return 0;
}

int cache_find(const struct pool *pool, const char *fs, const char *key, const struct built *below, struct built *out,
	       struct layerblk_error *err)
{
	cleanup_json json_object *layer = NULL;
	cleanup_free char *text = NULL;
	char name[KEY_TEXT], chain[DIGEST_TEXT];
	const char *built, *diff_id;
	struct lb_vol_info info;
	int rc;

	build_key(fs, key, name);
	rc = layerblk_attr_get(pool->lb, pool->uuid, 0, name, &text, NULL, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	out->volume = strtoull(text, NULL, 10);
	rc = layerblk_vol_stat(pool->lb, pool->uuid, out->volume, 0, &info, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	layer = layer_attribute(pool, out->volume);
	built = json_text(layer, "build");
	diff_id = json_text(layer, "diff_id");
	/* The same layer can be there twice, imported and received: its volume has to be that very one. */
	if (info.parent != (below ? below->volume : 0))
		return 0;
	if (!(info.flags & LB_VOL_FROZEN) || !built || strcmp(built, key) != 0 || !diff_id || !json_text(layer, "chain") ||
	    chain_id(below ? below->chain : "", diff_id, chain) != 0 || strcmp(chain, json_text(layer, "chain")) != 0)
		return 0;
	strcpy(out->diff_id, diff_id);
	strcpy(out->chain, chain);
	return 1;
}

void cache_enter(struct layerblk_attrs *attrs, const char *fs, const char *key, uint64_t volume)
{
	char name[KEY_TEXT];

	build_key(fs, key, name);
	key_enter(attrs, name, volume);
}
