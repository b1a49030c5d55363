// SPDX-License-Identifier: GPL-2.0-or-later
/* See data_volume.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "data_fs.h"
#include "data_volume.h"
#include "disk.h"
#include "filesystem.h"
#include "json.h"
#include "size.h"
#include "working.h"

static int no_memory(const char *what, struct layerblk_error *err)
{
	return layerblk_error_set(err, ENOMEM, what, "", "no memory");
}

/* ------------------------------------------------------------------ the attribute */

void data_volume_clear(struct data_volume *about)
{
	free(about->fs);
	free(about->type);
	free(about->device);
	free(about->options);
	memset(about, 0, sizeof(*about));
}

/* false: no memory. */
static bool take(json_object *from, const char *key, char **out)
{
	const char *text = json_text(from, key);

	*out = text ? strdup(text) : NULL;
	return *out || !text;
}

static bool flag(json_object *from, const char *key)
{
	return json_object_get_boolean(json_member(from, key, json_type_boolean));
}

int data_volume_load(const struct pool *pool, uint64_t id, struct data_volume *out, struct layerblk_error *err)
{
	cleanup_free char *text = NULL;
	cleanup_json json_object *json = NULL;
	json_object *options;
	size_t size;
	int rc = layerblk_attr_get(pool->lb, pool->uuid, id, ATTR_VOLUME, &text, &size, NULL);

	memset(out, 0, sizeof(*out));
	if (rc)
		return rc == -ENOENT ? -ENODATA : rc;
	rc = json_parse(text, size, json_type_object, "what the pool knows of a volume", &json, err);
	if (rc)
		return rc;
	options = json_member(json, "options", json_type_object);
	out->anonymous = flag(json, "anonymous");
	out->is_new = flag(json, "new");
	out->formatting = flag(json, "formatting");
	if (take(json, "fs", &out->fs) && take(options, "type", &out->type) && take(options, "device", &out->device) &&
	    take(options, "o", &out->options))
		return 0;
	data_volume_clear(out);
	return no_memory("look at the volume", err);
}

static void put_text(json_object *to, const char *key, const char *text)
{
	if (text)
		json_object_object_add(to, key, json_object_new_string(text));
}

static void put_flag(json_object *to, const char *key, bool value)
{
	if (value)
		json_object_object_add(to, key, json_object_new_boolean(true));
}

int data_volume_enter(struct layerblk_attrs *attrs, uint64_t id, const struct data_volume *about, struct layerblk_error *err)
{
	cleanup_json json_object *json = json_object_new_object();
	json_object *options;

	if (!json || !attrs)
		return no_memory("note what the volume is", err);
	json_object_object_add(json, "version", json_object_new_int(1));
	put_text(json, "fs", about->fs);
	put_flag(json, "anonymous", about->anonymous);
	put_flag(json, "new", about->is_new);
	put_flag(json, "formatting", about->formatting);
	if (about->device) {
		options = json_object_new_object();
		put_text(json, "driver", "local");
		put_text(options, "type", about->type);
		put_text(options, "device", about->device);
		put_text(options, "o", about->options);
		json_object_object_add(json, "options", options);
	}
	layerblk_attrs_set_string(attrs, id, ATTR_VOLUME, json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN), 0);
	return 0;
}

int data_volume_store(const struct pool *pool, uint64_t id, const struct data_volume *about, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	int rc = data_volume_enter(attrs, id, about, err);

	return rc ? rc : layerblk_vol_set(pool->lb, pool->uuid, id, NULL, attrs, err);
}

/* ------------------------------------------------------------------ requests */

void volume_request_clear(struct volume_request *request)
{
	data_volume_clear(&request->about);
	memset(request, 0, sizeof(*request));
}

static int set_text(char **to, const char *value, struct layerblk_error *err)
{
	char *copy = *value ? strdup(value) : NULL;

	if (*value && !copy)
		return no_memory("make the volume", err);
	free(*to);
	*to = copy;
	return 0;
}

static int set_quota(struct volume_request *request, const char *value, struct layerblk_error *err)
{
	uint64_t bytes;
	int rc = size_parse(value, &bytes, "set the quota", err);

	request->quota_blocks = rc ? 0 : (bytes + LB_BLOCK_SIZE - 1) / LB_BLOCK_SIZE;
	return rc;
}

int volume_request_option(struct volume_request *request, const char *text, struct layerblk_error *err)
{
	const char *value = strchr(text, '=');
	size_t length = value ? (size_t)(value++ - text) : 0;
	struct { const char *key; char **to; } texts[] = {
		{ "type", &request->about.type }, { "device", &request->about.device }, { "o", &request->about.options },
		{ "fs", &request->about.fs },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (length == strlen(texts[i].key) && strncmp(text, texts[i].key, length) == 0)
			return set_text(texts[i].to, value, err);
	if (length == 4 && strncmp(text, "size", 4) == 0)
		return size_parse_volume(value, &request->size, "make a volume of size", err);
	if (length == 5 && strncmp(text, "quota", 5) == 0)
		return set_quota(request, value, err);
	layerblk_error_set(err, EINVAL, "use the volume's option", text, "it is none of type=, device=, o=, size=, quota= and fs=");
	return layerblk_error_hint(err, "For example: --opt type=nfs --opt device=:/export --opt o=addr=192.0.2.1,rw");
}

int volume_request_check(const struct volume_request *request, const char *name, struct layerblk_error *err)
{
	const struct data_volume *about = &request->about;

	if ((about->type || about->options) && !about->device)
		return layerblk_error_set(err, EINVAL, "make the volume", name, "the options \"type\" and \"o\" need a \"device\"");
	if (!about->device)
		return about->fs ? data_fs_check(about->fs, err) : 0;
	if (about->fs || request->size || request->quota_blocks)
		return layerblk_error_set(err, EINVAL, "make the volume", name, "storage elsewhere has its own file system and size");
	if (!about->type && !(about->options && strstr(about->options, "bind")))
		return layerblk_error_set(err, EINVAL, "make the volume", name, "the option \"device\" needs a \"type\"");
	return 0;
}

/* ------------------------------------------------------------------ making */

static int format(const struct pool *pool, uint64_t id, const char *fs, uint64_t size, struct layerblk_error *err)
{
	char device[DISK_PATH];
	int rc = disk_activate(pool->lb, pool->uuid, id, 0, device, err), other;

	if (rc)
		return rc;
	rc = data_fs_make(fs, device, size, err);
	other = disk_deactivate(pool->lb, pool->uuid, id, rc ? NULL : err);
	return rc ? rc : other;
}

/* The working volume gets its name. -EEXIST: somebody else was quicker. */
static int give_name(const struct pool *pool, const char *working, uint64_t id, const char *name, const struct data_volume *about,
		     struct layerblk_error *err)
{
	struct layerblk_vol_change change = { .flags = LB_VOL_SET_NAME, .name = name };
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct data_volume made = *about;
	int rc;

	made.is_new = true;
	rc = data_volume_enter(attrs, id, &made, err);
	if (rc)
		return rc;
	layerblk_attrs_delete(attrs, id, ATTR_IMPORT, 0);
	work_leave(attrs, working);
	return layerblk_vol_set(pool->lb, pool->uuid, id, &change, attrs, err);
}

static int make_formatted(const struct pool *pool, const char *name, const struct volume_request *request, struct layerblk_attrs *attrs,
			  uint64_t *id, struct layerblk_error *err)
{
	uint64_t size = request->size ? request->size : DATA_VOLUME_SIZE;
	struct layerblk_error ignored;
	struct work work = { .lock = -1 };
	char random[13], working[64];
	int rc;

	random_hex(random, 6);
	snprintf(working, sizeof(working), "volume-%s", random);
	rc = work_begin(pool, working, &work, err);
	if (rc)
		return rc;
	work_enter(attrs, working, WORKING_KIND);
	layerblk_attrs_set_string(attrs, LB_ATTR_NEW_VOLUME, ATTR_IMPORT, name, 0);
	rc = layerblk_vol_create(pool->lb, pool->uuid, working, size, request->quota_blocks, attrs, id, err);
	if (!rc)
		rc = format(pool, *id, request->about.fs, size, err);
	if (!rc)
		rc = give_name(pool, working, *id, name, &request->about, err);
	if (rc)
		working_clean(pool, working, &ignored);
	work_end(&work);
	return rc;
}

int data_volume_make(const struct pool *pool, const char *name, const struct volume_request *request, struct layerblk_attrs *attrs,
		     uint64_t *id, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *own = attrs ? NULL : layerblk_attrs_new();
	uint64_t size = request->about.device ? LB_BLOCK_SIZE : request->size ? request->size : DATA_VOLUME_SIZE;
	struct lb_vol_info info;
	int rc = volume_request_check(request, name, err);

	if (!attrs)
		attrs = own;
	if (!rc && !attrs)
		rc = no_memory("make the volume", err);
	if (rc)
		return rc;
	if (!request->about.fs) {
		rc = data_volume_enter(attrs, LB_ATTR_NEW_VOLUME, &request->about, err);
		return rc ? rc : layerblk_vol_create(pool->lb, pool->uuid, name, size, request->quota_blocks, attrs, id, err);
	}
	if (layerblk_vol_find(pool->lb, pool->uuid, name, 0, &info, NULL) == 0)	/* before the work of a file system */
		return layerblk_error_set(err, EEXIST, "create the volume", name, "there is one of this name");
	return make_formatted(pool, name, request, attrs, id, err);
}

/* ------------------------------------------------------------------ blank ones */

/* Whether nothing was ever written to the volume, or a formatting of ours was cut short. A negative errno. */
static int is_blank(const struct pool *pool, uint64_t id, const struct data_volume *about, struct lb_vol_info *info, struct layerblk_error *err)
{
	int rc = about->device ? 0 : layerblk_vol_stat(pool->lb, pool->uuid, id, LB_STAT_MAPPED, info, err);

	if (rc || about->device)
		return rc;
	if (info->flags & LB_VOL_FROZEN)
		return 0;
	return about->formatting || (info->mapped_blocks == 0 && !info->parent);
}

static int load(const struct pool *pool, uint64_t id, struct data_volume *out, struct layerblk_error *err)
{
	int rc;

	data_volume_clear(out);
	rc = data_volume_load(pool, id, out, err);
	return rc == -ENODATA ? 0 : rc;
}

static int format_noted(const struct pool *pool, uint64_t id, uint64_t size, struct data_volume *about, struct layerblk_error *err)
{
	int rc;

	free(about->fs);
	about->fs = strdup(FILESYSTEM_DEFAULT);
	if (!about->fs)
		return no_memory("make the volume's file system", err);
	about->formatting = true;
	rc = data_volume_store(pool, id, about, err);
	if (!rc)
		rc = format(pool, id, about->fs, size, err);
	about->formatting = false;
	about->is_new = true;
	return rc ? rc : data_volume_store(pool, id, about, err);
}

/* The mark makes a crash harmless, and the lock lets only one command look and mark; who finds the mark waits for its holder to be done. */
int data_volume_ready(const struct pool *pool, uint64_t id, struct data_volume *about, struct layerblk_error *err)
{
	struct work work = { .lock = -1 };
	struct lb_vol_info info;
	char name[48];
	int rc;

	memset(about, 0, sizeof(*about));
	rc = load(pool, id, about, err);
	if (!rc)
		rc = is_blank(pool, id, about, &info, err);
	if (rc <= 0)
		return rc;
	snprintf(name, sizeof(name), "@format.%" PRIu64, id);
	rc = work_wait(pool, name, &work, err);
	if (rc)
		return rc;
	rc = load(pool, id, about, err);
	if (!rc)
		rc = is_blank(pool, id, about, &info, err);	/* another command may have been quicker */
	if (rc > 0)
		rc = format_noted(pool, id, info.volume_size, about, err);
	work_end(&work);
	return rc;
}

int data_volume_mount(const struct pool *pool, uint64_t id, const char *directory, bool read_only, struct layerblk_error *err)
{
	struct data_volume about;
	char device[DISK_PATH];
	int rc = data_volume_load(pool, id, &about, err);

	if (!rc && about.device) {
		rc = mount_other(about.device, directory, about.type, about.options, err);
		data_volume_clear(&about);
		return rc;
	}
	data_volume_clear(&about);
	if (rc && rc != -ENODATA)
		return rc;
	rc = disk_activate(pool->lb, pool->uuid, id, 0, device, err);
	return rc ? rc : disk_mount(device, directory, NULL, "nodev", read_only, err);
}
