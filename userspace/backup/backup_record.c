// SPDX-License-Identifier: GPL-2.0-or-later
/* See backup_record.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "backup_record.h"
#include "cleanup.h"
#include "json.h"
#include "show.h"

#define ID_DIGITS_MIN	8

bool is_label(const char *key)
{
	size_t len = strlen(USER_LABEL);

	return strncmp(key, USER_LABEL, len) == 0 && key[len];
}

bool backup_attr_travels(const char *key)
{
	return is_label(key) || strcmp(key, ATTR_VOLUME) == 0;
}

struct describing {
	const struct pool *pool;
	uint64_t volume;
	bool (*travels)(const char *key);
	struct volstream_volume *out;
	struct layerblk_error *err;
};

static int describe_attr(void *arg, const char *key, size_t value_len)
{
	const struct describing *describing = arg;
	cleanup_free char *value = NULL;
	int rc;

	if (!describing->travels(key))
		return 0;
	rc = layerblk_attr_get(describing->pool->lb, describing->pool->uuid, describing->volume, key, &value, &value_len, describing->err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	return volstream_attr_add(describing->out, key, value, value_len, describing->err);
}

int backup_attrs_describe(const struct pool *pool, uint64_t volume, bool (*travels)(const char *key), struct volstream_volume *out,
			  struct layerblk_error *err)
{
	struct describing describing = { pool, volume, travels, out, err };

	return layerblk_attr_each(pool->lb, pool->uuid, volume, "", describe_attr, &describing, err);
}

bool backup_is_full(const struct backup_record *record)
{
	static const uint8_t none[VOLSTREAM_ID];

	return memcmp(record->base, none, sizeof(none)) == 0;
}

int backup_record_store(struct layerblk_attrs *attrs, const struct backup_record *record, struct layerblk_error *err)
{
	cleanup_json json_object *json = json_object_new_object();
	char text[VOLSTREAM_ID_TEXT];

	if (!json)
		return layerblk_error_set(err, ENOMEM, "record the backup", record->snapshot, "no memory");
	json_object_object_add(json, "version", json_object_new_int(1));
	json_object_object_add(json, "backup", json_object_new_string(volstream_id_text(record->backup, text)));
	if (!backup_is_full(record))
		json_object_object_add(json, "base", json_object_new_string(volstream_id_text(record->base, text)));
	json_object_object_add(json, "volume", json_object_new_int64((int64_t)record->volume));
	json_object_object_add(json, "name", json_object_new_string(record->name));
	json_object_object_add(json, "time", json_object_new_int64((int64_t)record->time_s));
	json_object_object_add(json, "sent", json_object_new_int64((int64_t)record->sent));
	json_object_object_add(json, "data", json_object_new_int64((int64_t)record->data));
	layerblk_attrs_set_string(attrs, record->id, ATTR_BACKUP, json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN), 0);
	return 0;
}

static uint64_t number(json_object *json, const char *key)
{
	json_object *value;

	return json_object_object_get_ex(json, key, &value) ? (uint64_t)json_object_get_int64(value) : 0;
}

/* Whether the attribute is one of ours; it can have been written by hand. */
static bool take(json_object *json, struct backup_record *out)
{
	const char *backup = json_text(json, "backup"), *base = json_text(json, "base"), *name = json_text(json, "name");

	if (!backup || volstream_id_parse(backup, out->backup) != 0 || (base && volstream_id_parse(base, out->base) != 0))
		return false;
	snprintf(out->name, sizeof(out->name), "%s", name ? name : "");
	out->volume = number(json, "volume");
	out->time_s = number(json, "time");
	out->sent = number(json, "sent");
	out->data = number(json, "data");
	return true;
}

int backup_record_load(const struct pool *pool, const struct lb_vol_info *info, struct backup_record *out, struct layerblk_error *err)
{
	cleanup_json json_object *json = NULL;
	cleanup_free char *text = NULL;
	size_t size;
	int rc;

	memset(out, 0, sizeof(*out));
	if (!(info->flags & LB_VOL_FROZEN) || info->flags & LB_VOL_HIDDEN)
		return 0;
	rc = layerblk_attr_get(pool->lb, pool->uuid, info->id, ATTR_BACKUP, &text, &size, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	if (json_parse(text, size, json_type_object, ATTR_BACKUP, &json, NULL) != 0 || !take(json, out))
		return 0;
	out->id = info->id;
	out->owned = info->owned_blocks * LB_BLOCK_SIZE;
	snprintf(out->snapshot, sizeof(out->snapshot), "%s", info->name);
	return 1;
}

static int compare(const void *a, const void *b)
{
	const struct backup_record *left = a, *right = b;

	if (left->volume != right->volume)
		return left->volume < right->volume ? -1 : 1;
	return left->id > right->id ? -1 : left->id < right->id;	/* ids ascend in time, whatever the clock does */
}

int backup_record_list(const struct pool *pool, uint64_t volume, struct backup_record **out, size_t *count, struct layerblk_error *err)
{
	cleanup_free struct lb_vol_info *volumes = NULL;
	cleanup_free struct backup_record *all = NULL;
	size_t n, found = 0;
	int rc = layerblk_vol_list(pool->lb, pool->uuid, 0, &volumes, &n, err);

	if (rc)
		return rc;
	all = calloc(n ? n : 1, sizeof(*all));
	if (!all)
		return layerblk_error_set(err, ENOMEM, "list the backups", "", "no memory");
	for (size_t i = 0; i < n; i++) {
		rc = backup_record_load(pool, &volumes[i], &all[found], err);
		if (rc < 0 && rc != -ENOENT)		/* -ENOENT: removed meanwhile */
			return rc;
		if (rc > 0 && (!volume || all[found].volume == volume))
			found++;
	}
	qsort(all, found, sizeof(*all), compare);
	*out = take_ptr(all);
	*count = found;
	return 0;
}

static bool is_meant(const struct backup_record *record, const char *text)
{
	char id[VOLSTREAM_ID_TEXT];
	size_t len = strlen(text);

	if (strcmp(text, "last") == 0 || strcmp(text, record->snapshot) == 0)
		return true;
	return len >= ID_DIGITS_MIN && strncmp(text, volstream_id_text(record->backup, id), len) == 0;
}

int backup_record_find(const struct pool *pool, uint64_t volume, const char *text, struct backup_record *out, struct layerblk_error *err)
{
	cleanup_free struct backup_record *all = NULL;
	size_t count = 0;
	int rc = backup_record_list(pool, volume, &all, &count, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++) {
		if (is_meant(&all[i], text)) {
			*out = all[i];
			return 0;
		}
	}
	layerblk_error_set(err, ENOENT, "back up since", text, "the volume has no such backup in the pool");
	return layerblk_error_hint(err, "`layerctl volume backups` lists them");
}
