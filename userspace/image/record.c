// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Image records in a pool's attributes; see record.h and docs/images.md. Everything here only reads the pool, or adds to a
 * transaction that somebody else commits.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "json.h"
#include "record.h"

#define RECORD_VERSION	1
#define ID_PREFIX_MIN	4

void record_clear(struct image_record *record)
{
	free(record->layers);
	memset(record, 0, sizeof(*record));
}

uint64_t record_top(const struct image_record *record)
{
	return record->layer_count ? record->layers[record->layer_count - 1] : 0;
}

void record_target(const struct image_record *record, char target[KEY_TEXT])
{
	snprintf(target, KEY_TEXT, "%s/%s", record->fs, digest_hex(record->id));
}

static void image_key(const char *target, const char *which, char key[KEY_TEXT])
{
	snprintf(key, KEY_TEXT, KEY_IMAGE "%.*s%s%s", 120, target, which ? "/" : "", which ? which : "");
}

/* ------------------------------------------------------------------ storing */

int record_store(struct layerblk_attrs *attrs, const struct image_record *record, const char *config, size_t config_size,
		 const char *manifest, size_t manifest_size, struct layerblk_error *err)
{
	cleanup_json json_object *json = json_object_new_object();
	json_object *layers = json_object_new_array();
	char target[KEY_TEXT], key[KEY_TEXT];

	if (!json || !layers) {
		json_object_put(layers);
		return layerblk_error_set(err, ENOMEM, "record the image", record->id, "no memory");
	}
	json_object_object_add(json, "version", json_object_new_int(RECORD_VERSION));
	json_object_object_add(json, "id", json_object_new_string(record->id));
	json_object_object_add(json, "fs", json_object_new_string(record->fs));
	if (*record->manifest_digest)
		json_object_object_add(json, "manifest", json_object_new_string(record->manifest_digest));
	json_object_object_add(json, "created", json_object_new_string(record->created));
	json_object_object_add(json, "imported", json_object_new_int64((int64_t)record->imported_s));
	for (size_t i = 0; i < record->layer_count; i++)
		json_object_array_add(layers, json_object_new_int64((int64_t)record->layers[i]));
	json_object_object_add(json, "layers", layers);

	record_target(record, target);
	image_key(target, NULL, key);
	layerblk_attrs_set_string(attrs, 0, key, json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN), 0);
	image_key(target, "config", key);
	layerblk_attrs_set(attrs, 0, key, config, config_size, 0);
	if (manifest) {
		image_key(target, "manifest", key);
		layerblk_attrs_set(attrs, 0, key, manifest, manifest_size, 0);
	}
	return 0;
}

void record_store_tag(struct layerblk_attrs *attrs, const struct image_record *record, const char *name)
{
	char key[KEY_TEXT], target[KEY_TEXT];

	snprintf(key, sizeof(key), KEY_TAG "%s", name);
	record_target(record, target);
	layerblk_attrs_set_string(attrs, 0, key, target, 0);
}

void record_drop_tag(struct layerblk_attrs *attrs, const char *name)
{
	char key[KEY_TEXT];

	snprintf(key, sizeof(key), KEY_TAG "%s", name);
	layerblk_attrs_delete(attrs, 0, key, 0);
}

void record_drop(struct layerblk_attrs *attrs, const struct image_record *record)
{
	static const char *const parts[] = { NULL, "config", "manifest" };
	char key[KEY_TEXT], target[KEY_TEXT];

	record_target(record, target);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		image_key(target, parts[i], key);
		layerblk_attrs_delete(attrs, 0, key, 0);
	}
}

/* ------------------------------------------------------------------ former ids */

static void alias_key(const char *fs, const char *id, char key[KEY_TEXT])
{
	snprintf(key, KEY_TEXT, KEY_ALIAS "%s/%s", fs, digest_hex(id));
}

void record_store_alias(struct layerblk_attrs *attrs, const struct image_record *from, const struct image_record *to)
{
	char key[KEY_TEXT], target[KEY_TEXT];

	alias_key(from->fs, from->id, key);
	record_target(to, target);
	layerblk_attrs_set_string(attrs, 0, key, target, 0);
}

bool record_has_id(const struct pool *pool, const struct image_record *record, const char *id)
{
	cleanup_free char *now = NULL;
	char key[KEY_TEXT], target[KEY_TEXT];

	if (strcmp(record->id, id) == 0)
		return true;
	alias_key(record->fs, id, key);
	record_target(record, target);
	return layerblk_attr_get(pool->lb, pool->uuid, 0, key, &now, NULL, NULL) == 0 && strcmp(now, target) == 0;
}

struct dropping {
	const struct pool *pool;
	struct layerblk_attrs *attrs;
	char target[KEY_TEXT];
};

static int drop_alias(void *arg, const char *key, size_t value_len)
{
	struct dropping *dropping = arg;
	cleanup_free char *target = NULL;

	(void)value_len;
	if (layerblk_attr_get(dropping->pool->lb, dropping->pool->uuid, 0, key, &target, NULL, NULL) == 0 &&
	    strcmp(target, dropping->target) == 0)
		layerblk_attrs_delete(dropping->attrs, 0, key, 0);
	return 0;
}

int record_drop_aliases(const struct pool *pool, struct layerblk_attrs *attrs, const struct image_record *record,
			struct layerblk_error *err)
{
	struct dropping dropping = { .pool = pool, .attrs = attrs };

	record_target(record, dropping.target);
	return layerblk_attr_each(pool->lb, pool->uuid, 0, KEY_ALIAS, drop_alias, &dropping, err);
}

/* ------------------------------------------------------------------ loading */

static int take_layers(struct image_record *out, json_object *layers, const char *key, struct layerblk_error *err)
{
	size_t count = json_object_array_length(layers);

	out->layers = calloc(count ? count : 1, sizeof(*out->layers));
	if (!out->layers)
		return layerblk_error_set(err, ENOMEM, "read the image's record", key, "no memory");
	for (size_t i = 0; i < count; i++)
		out->layers[i] = (uint64_t)json_object_get_int64(json_object_array_get_idx(layers, i));
	out->layer_count = count;
	return 0;
}

int record_load(const struct pool *pool, const char *target, struct image_record *out, struct layerblk_error *err)
{
	cleanup_json json_object *json = NULL;
	cleanup_free char *text = NULL;
	const char *id, *fs, *manifest, *created;
	json_object *layers;
	char key[KEY_TEXT];
	size_t size;
	int rc;

	memset(out, 0, sizeof(*out));
	image_key(target, NULL, key);
	rc = layerblk_attr_get(pool->lb, pool->uuid, 0, key, &text, &size, err);
	if (rc)
		return rc;
	rc = json_parse(text, size, json_type_object, key, &json, err);
	if (!rc)
		rc = json_need(json, "layers", json_type_array, key, &layers, err);
	if (rc)
		return rc;
	id = json_text(json, "id");
	fs = json_text(json, "fs");
	manifest = json_text(json, "manifest");
	created = json_text(json, "created");
	if (json_number(json, "version") != RECORD_VERSION || !id || !digest_is_sha256(id) || !fs || strlen(fs) >= FS_TEXT)
		return layerblk_error_set(err, EUCLEAN, "read the image's record", key, "it is not of a form that is known");
	strcpy(out->id, id);
	strcpy(out->fs, fs);
	snprintf(out->manifest_digest, sizeof(out->manifest_digest), "%s", manifest ? manifest : "");
	snprintf(out->created, sizeof(out->created), "%s", created ? created : "");
	out->imported_s = (uint64_t)json_number(json, "imported");
	return take_layers(out, layers, key, err);
}

int record_document(const struct pool *pool, const struct image_record *record, const char *which, char **data,
		    size_t *size, struct layerblk_error *err)
{
	char target[KEY_TEXT], key[KEY_TEXT];

	record_target(record, target);
	image_key(target, which, key);
	return layerblk_attr_get(pool->lb, pool->uuid, 0, key, data, size, err);
}

int record_config(const struct pool *pool, const struct image_record *record, json_object **out,
		  struct layerblk_error *err)
{
	cleanup_free char *text = NULL;
	size_t size;
	int rc = record_document(pool, record, "config", &text, &size, err);

	return rc ? rc : json_parse(text, size, json_type_object, "the image's config", out, err);
}

/* ------------------------------------------------------------------ the catalogue */

struct loading {
	const struct pool *pool;
	struct catalogue *out;
	struct layerblk_error *err;
};

static int load_record(void *arg, const char *key, size_t value_len)
{
	struct loading *loading = arg;
	struct catalogue *out = loading->out;
	const char *target = key + strlen(KEY_IMAGE), *slash = strchr(target, '/');
	struct image_record *more;
	int rc;

	(void)value_len;
	if (!slash || strchr(slash + 1, '/'))
		return 0;		/* a config or manifest */
	more = reallocarray(out->records, out->record_count + 1, sizeof(*more));
	if (!more)
		return layerblk_error_set(loading->err, ENOMEM, "list the images", "", "no memory");
	out->records = more;
	rc = record_load(loading->pool, target, &more[out->record_count], loading->err);
	if (rc == -ENOENT)
		return 0;		/* removed meanwhile */
	if (!rc)
		out->record_count++;
	else
		record_clear(&more[out->record_count]);
	return rc;
}

static int load_tag(void *arg, const char *key, size_t value_len)
{
	struct loading *loading = arg;
	struct catalogue *out = loading->out;
	struct tag *more;
	char *target = NULL;
	int rc;

	(void)value_len;
	rc = layerblk_attr_get(loading->pool->lb, loading->pool->uuid, 0, key, &target, NULL, loading->err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	more = reallocarray(out->tags, out->tag_count + 1, sizeof(*more));
	if (more) {
		out->tags = more;
		more[out->tag_count].target = target;
		more[out->tag_count].name = strdup(key + strlen(KEY_TAG));
	}
	if (!more || !more[out->tag_count].name) {
		free(target);
		return layerblk_error_set(loading->err, ENOMEM, "list the images", "", "no memory");
	}
	out->tag_count++;
	return 0;
}

bool tag_is_of(const struct tag *tag, const struct image_record *record)
{
	char target[KEY_TEXT];

	record_target(record, target);
	return strcmp(tag->target, target) == 0;
}

int catalogue_load(const struct pool *pool, struct catalogue *out, struct layerblk_error *err)
{
	struct loading loading = { .pool = pool, .out = out, .err = err };
	int rc;

	memset(out, 0, sizeof(*out));
	rc = layerblk_attr_each(pool->lb, pool->uuid, 0, KEY_IMAGE, load_record, &loading, err);
	if (!rc)
		rc = layerblk_attr_each(pool->lb, pool->uuid, 0, KEY_TAG, load_tag, &loading, err);
	if (rc)
		catalogue_clear(out);
	return rc;
}

void catalogue_clear(struct catalogue *catalogue)
{
	for (size_t i = 0; i < catalogue->record_count; i++)
		record_clear(&catalogue->records[i]);
	for (size_t i = 0; i < catalogue->tag_count; i++) {
		free(catalogue->tags[i].name);
		free(catalogue->tags[i].target);
	}
	free(catalogue->records);
	free(catalogue->tags);
	memset(catalogue, 0, sizeof(*catalogue));
}

/* ------------------------------------------------------------------ finding */

static int not_found(const char *text, struct layerblk_error *err)
{
	layerblk_error_set(err, ENOENT, "find the image", text, "no such image");
	return layerblk_error_hint(err, "\"layerctl image ls\" shows what there is");
}

int record_find_name(const struct pool *pool, const char *normal, struct image_record *out)
{
	cleanup_free char *target = NULL;
	char key[KEY_TEXT];
	int rc;

	snprintf(key, sizeof(key), KEY_TAG "%s", normal);
	rc = layerblk_attr_get(pool->lb, pool->uuid, 0, key, &target, NULL, NULL);
	return rc ? rc : record_load(pool, target, out, NULL);
}

static int find_by_tag(const struct pool *pool, const char *text, struct image_record *out, struct layerblk_error *err)
{
	cleanup_free char *target = NULL;
	char normal[REFERENCE_MAX], key[KEY_TEXT];
	int rc;

	if (reference_normalize(text, normal, NULL) != 0)
		return -ENOENT;
	snprintf(key, sizeof(key), KEY_TAG "%s", normal);
	rc = layerblk_attr_get(pool->lb, pool->uuid, 0, key, &target, NULL, err);
	return rc ? rc : record_load(pool, target, out, err);
}

static int find_by_id(const struct pool *pool, const char *prefix, const char *text, struct image_record *out,
		      struct layerblk_error *err)
{
	struct catalogue all;
	const struct image_record *found = NULL;
	char target[KEY_TEXT];
	size_t matches = 0;
	int rc = catalogue_load(pool, &all, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < all.record_count; i++) {
		if (strncmp(digest_hex(all.records[i].id), prefix, strlen(prefix)) != 0)
			continue;
		found = &all.records[i];
		matches++;
	}
	if (matches == 1)
		record_target(found, target);
	catalogue_clear(&all);
	if (matches == 0)
		return not_found(text, err);
	if (matches > 1) {
		layerblk_error_set(err, ENOTUNIQ, "find the image", text, "%zu images begin so", matches);
		return layerblk_error_hint(err, "Give more digits, or a name");
	}
	return record_load(pool, target, out, err);
}

struct former {				/* an alias that is looked for */
	const struct pool *pool;
	const char *prefix;
	char *target;
	size_t matches;
};

static int try_alias(void *arg, const char *key, size_t value_len)
{
	struct former *former = arg;
	const char *hex = strrchr(key, '/') + 1;

	(void)value_len;
	if (strncmp(hex, former->prefix, strlen(former->prefix)) != 0)
		return 0;
	former->matches++;
	free(former->target);
	former->target = NULL;
	return layerblk_attr_get(former->pool->lb, former->pool->uuid, 0, key, &former->target, NULL, NULL);
}

/* By an id that the image had before it was finalized. */
static int find_by_former_id(const struct pool *pool, const char *prefix, struct image_record *out)
{
	struct former former = { .pool = pool, .prefix = prefix };
	int rc = layerblk_attr_each(pool->lb, pool->uuid, 0, KEY_ALIAS, try_alias, &former, NULL);

	if (!rc)
		rc = former.matches == 1 ? record_load(pool, former.target, out, NULL) : -ENOENT;
	free(former.target);
	return rc;
}

int record_find(const struct pool *pool, const char *text, struct image_record *out, struct layerblk_error *err)
{
	bool digest = strncmp(text, "sha256:", 7) == 0;
	const char *hex = digest ? text + 7 : text;
	struct layerblk_error why = { 0 };
	int rc = -ENOENT;

	memset(out, 0, sizeof(*out));
	if (!digest)
		rc = find_by_tag(pool, text, out, &why);
	if (rc != -ENOENT) {
		if (rc && err)
			*err = why;
		return rc;
	}
	if (strlen(hex) < ID_PREFIX_MIN || strspn(hex, "0123456789abcdef") != strlen(hex))
		return not_found(text, err);
	rc = find_by_id(pool, hex, text, out, &why);
	if (rc == -ENOENT && find_by_former_id(pool, hex, out) == 0)
		return 0;
	if (rc && err)
		*err = why;
	return rc;
}

/* ------------------------------------------------------------------ layers */

void layer_key(const char *fs, const char *chain, char key[KEY_TEXT])
{
	snprintf(key, KEY_TEXT, KEY_CHAIN "%s/%s", fs, digest_hex(chain));
}

void build_key(const char *fs, const char *key, char out[KEY_TEXT])
{
	snprintf(out, KEY_TEXT, KEY_BUILD "%s/%s", fs, digest_hex(key));
}

void layer_name(const char *fs, const char *chain, char name[LB_NAME_MAX + 1])
{
	bool plain = strcmp(fs, "ext4") == 0;

	snprintf(name, LB_NAME_MAX + 1, "layer-%.16s%s%s", digest_hex(chain), plain ? "" : ".", plain ? "" : fs);
}

json_object *layer_attribute_new(const char *fs, const char *chain, const char *diff_id)
{
	json_object *json = json_object_new_object();

	if (!json)
		return NULL;
	json_object_object_add(json, "version", json_object_new_int(1));
	json_object_object_add(json, "chain", json_object_new_string(chain));
	json_object_object_add(json, "diff_id", json_object_new_string(diff_id));
	json_object_object_add(json, "fs", json_object_new_string(fs));
	return json;
}

json_object *layer_attribute(const struct pool *pool, uint64_t id)
{
	cleanup_free char *text = NULL;
	json_object *json = NULL;
	size_t size;

	if (layerblk_attr_get(pool->lb, pool->uuid, id, ATTR_LAYER, &text, &size, NULL) != 0 ||
	    json_parse(text, size, json_type_object, ATTR_LAYER, &json, NULL) != 0)
		return NULL;
	return json;
}

void layer_chains(json_object *attribute, const char **chain, const char **final)
{
	*chain = json_text(attribute, "chain");
	*final = json_text(json_member(attribute, "final", json_type_object), "chain");
	if (!*chain)
		*chain = "";
	if (!*final)
		*final = "";
}

int layer_find(const struct pool *pool, const char *fs, const char *chain, uint64_t *id, struct layerblk_error *err)
{
	cleanup_json json_object *attribute = NULL;
	cleanup_free char *text = NULL;
	struct lb_vol_info info;
	const char *is, *final;
	char key[KEY_TEXT], *end;
	uint64_t found;
	int rc;

	layer_key(fs, chain, key);
	rc = layerblk_attr_get(pool->lb, pool->uuid, 0, key, &text, NULL, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	found = strtoull(text, &end, 10);
	if (end == text || *end)
		return 0;
	rc = layerblk_vol_stat(pool->lb, pool->uuid, found, 0, &info, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	attribute = layer_attribute(pool, found);
	layer_chains(attribute, &is, &final);
	if (!(info.flags & LB_VOL_FROZEN) || (info.flags & LB_VOL_HIDDEN) || (strcmp(is, chain) != 0 && strcmp(final, chain) != 0))
		return 0;
	*id = found;
	return 1;
}

void key_enter(struct layerblk_attrs *attrs, const char *key, uint64_t volume)
{
	char id[24];

	snprintf(id, sizeof(id), "%" PRIu64, volume);
	layerblk_attrs_set_string(attrs, 0, key, id, 0);
}

void key_drop_of(const struct pool *pool, struct layerblk_attrs *attrs, const char *key, uint64_t volume)
{
	cleanup_free char *text = NULL;

	if (layerblk_attr_get(pool->lb, pool->uuid, 0, key, &text, NULL, NULL) == 0 && strtoull(text, NULL, 10) == volume)
		layerblk_attrs_delete(attrs, 0, key, 0);
}

int layer_enter(const struct pool *pool, struct layerblk_attrs *attrs, const char *fs, const char *chain, uint64_t volume, uint64_t below,
		const char *below_chain, struct layerblk_error *err)
{
	uint64_t found = 0;
	char key[KEY_TEXT];
	int rc = layer_find(pool, fs, chain, &found, err);

	if (rc)
		return rc < 0 ? rc : 0;
	if (below) {
		rc = layer_find(pool, fs, below_chain, &found, err);
		if (rc < 0 || rc == 0 || found != below)
			return rc < 0 ? rc : 0;
	}
	layer_key(fs, chain, key);
	key_enter(attrs, key, volume);
	return 0;
}
