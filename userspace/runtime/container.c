// SPDX-License-Identifier: GPL-2.0-or-later
/* See container.h. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include "cleanup.h"
#include "conmon.h"
#include "container.h"
#include "disk.h"
#include "hold.h"
#include "json.h"
#include "oci.h"
#include "root.h"
#include "share.h"

#define ID_PREFIX_MIN	1

void container_clear(struct container *container)
{
	if (container->record)
		json_object_put(container->record);
	memset(container, 0, sizeof(*container));
}

/* ------------------------------------------------------------------ names */

int container_name_check(const char *name, struct layerblk_error *err)
{
	size_t length = strlen(name);
	bool good = length > 1 && length <= WORK_NAME_MAX && isalnum((unsigned char)*name);

	for (const char *at = name; good && *at; at++)
		good = isalnum((unsigned char)*at) || strchr("_.-", *at);
	if (good)
		return 0;
	return layerblk_error_set(err, EINVAL, "name the container", name,
				  "a name has 2 to %d letters, digits, '_', '.' or '-' and begins with a letter or digit",
				  WORK_NAME_MAX);
}

int container_name_taken(const char *name, const char *what, struct layerblk_error *err)
{
	layerblk_error_set(err, EEXIST, what, name, "a container or volume of this name exists");
	return layerblk_error_hint(err, "Choose another name, or remove that one");
}

void container_name_invent(char *name, size_t size)
{
	static const char *const first[] = {
		"amber", "brisk", "calm", "clear", "crisp", "dapper", "eager", "fair", "gentle", "golden", "happy", "keen",
		"light", "lucid", "merry", "mild", "nimble", "plain", "proud", "quick", "quiet", "ready", "sharp", "silver",
		"smart", "solid", "steady", "sunny", "swift", "tidy", "warm", "wise",
	};
	static const char *const second[] = {
		"alder", "aspen", "badger", "beech", "birch", "cedar", "crane", "dune", "falcon", "fern", "finch", "fjord",
		"heron", "juniper", "lark", "maple", "marten", "meadow", "otter", "pebble", "pine", "plover", "quartz", "reed",
		"river", "rowan", "sparrow", "spruce", "thistle", "tundra", "willow", "wren",
	};
	unsigned int random[3] = { 0 };

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		random[0] = (unsigned int)time(NULL);
	snprintf(name, size, "%s_%s%u", first[random[0] % 32], second[random[1] % 32], random[2] % 1000);
}

/* ------------------------------------------------------------------ finding */

int container_load(const struct pool *pool, uint64_t volume, struct container *out, struct layerblk_error *err)
{
	cleanup_free char *text = NULL;
	struct lb_vol_info info;
	const char *id;
	size_t size;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = layerblk_vol_stat(pool->lb, pool->uuid, volume, 0, &info, err);
	if (!rc)
		rc = layerblk_attr_get(pool->lb, pool->uuid, volume, ATTR_CONTAINER, &text, &size, err);
	if (!rc)
		rc = json_parse(text, size, json_type_object, ATTR_CONTAINER, &out->record, err);
	if (rc)
		return rc;
	id = json_text(out->record, "id");
	if (!id || strlen(id) != CONTAINER_ID - 1) {
		container_clear(out);
		return layerblk_error_set(err, EUCLEAN, "read the container's record", info.name, "it has no id");
	}
	out->volume = volume;
	strcpy(out->name, info.name);
	strcpy(out->id, id);
	return 0;
}

static int load_named(const struct pool *pool, const char *name, struct container *out, struct layerblk_error *err)
{
	struct lb_vol_info info;
	int rc = layerblk_vol_find(pool->lb, pool->uuid, name, 0, &info, err);

	return rc ? rc : container_load(pool, info.id, out, err);
}

struct walk {
	const struct pool *pool;
	container_fn *each;
	void *arg;
	struct layerblk_error *err;
	char *name;			/* of the only one found, by container_find() */
	size_t found;
};

static int walk_one(void *arg, const char *key, size_t value_len)
{
	cleanup_free char *name = NULL;
	struct walk *walk = arg;
	struct container container;
	int rc;

	(void)value_len;
	rc = layerblk_attr_get(walk->pool->lb, walk->pool->uuid, 0, key, &name, NULL, walk->err);
	if (!rc)
		rc = load_named(walk->pool, name, &container, walk->err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;	/* removed meanwhile, or by hand */
	rc = walk->each(walk->arg, &container);
	container_clear(&container);
	return rc;
}

int container_each(const struct pool *pool, container_fn *each, void *arg, struct layerblk_error *err)
{
	struct walk walk = { .pool = pool, .each = each, .arg = arg, .err = err };

	return layerblk_attr_each(pool->lb, pool->uuid, 0, KEY_CONTAINER, walk_one, &walk, err);
}

static int note_name(void *arg, const char *key, size_t value_len)
{
	struct walk *walk = arg;

	(void)value_len;
	free(walk->name);
	walk->name = NULL;
	walk->found++;
	return layerblk_attr_get(walk->pool->lb, walk->pool->uuid, 0, key, &walk->name, NULL, walk->err);
}

static int find_by_id(const struct pool *pool, const char *text, struct container *out, struct layerblk_error *err)
{
	struct walk walk = { .pool = pool, .err = err };
	char prefix[KEY_TEXT];
	int rc;

	snprintf(prefix, sizeof(prefix), KEY_CONTAINER "%.64s", text);
	rc = layerblk_attr_each(pool->lb, pool->uuid, 0, prefix, note_name, &walk, err);
	if (!rc && walk.found > 1)
		rc = layerblk_error_set(err, ENOTUNIQ, "find the container", text, "%zu containers begin so", walk.found);
	else if (!rc)
		rc = walk.found ? load_named(pool, walk.name, out, err) : -ENOENT;
	free(walk.name);
	return rc;
}

int container_find(const struct pool *pool, const char *text, struct container *out, struct layerblk_error *err)
{
	size_t length = strlen(text);
	int rc = layerblk_name_check(text, NULL) == 0 ? load_named(pool, text, out, err) : -ENOENT;

	if (rc == -ENOENT && length >= ID_PREFIX_MIN && length < CONTAINER_ID &&
	    strspn(text, "0123456789abcdef") == length)
		rc = find_by_id(pool, text, out, err);
	if (rc != -ENOENT)
		return rc;
	layerblk_error_set(err, ENOENT, "find the container", text, "no such container");
	return layerblk_error_hint(err, "\"layerctl ps -a\" shows what there is");
}

/* ------------------------------------------------------------------ records */

void container_update(struct layerblk_attrs *attrs, const struct container *container)
{
	layerblk_attrs_set_string(attrs, container->volume, ATTR_CONTAINER,
				  json_object_to_json_string_ext(container->record, JSON_C_TO_STRING_PLAIN), 0);
}

void container_enter(struct layerblk_attrs *attrs, const struct container *container)
{
	char key[KEY_TEXT];

	snprintf(key, sizeof(key), KEY_CONTAINER "%s", container->id);
	layerblk_attrs_set_string(attrs, 0, key, container->name, LB_ATTR_EXCLUSIVE);
	container_update(attrs, container);
}

void container_leave(struct layerblk_attrs *attrs, const struct container *container)
{
	char key[KEY_TEXT];

	snprintf(key, sizeof(key), KEY_CONTAINER "%s", container->id);
	layerblk_attrs_delete(attrs, 0, key, 0);
}

void container_set_text(struct container *container, const char *key, const char *value)
{
	json_object_object_add(container->record, key, value ? json_object_new_string(value) : NULL);
}

void container_set_number(struct container *container, const char *key, int64_t value)
{
	json_object_object_add(container->record, key, json_object_new_int64(value));
}

void container_set_time(struct container *container, const char *key)
{
	struct timespec now;
	char text[64], nanoseconds[16];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(nanoseconds, sizeof(nanoseconds), ".%09ldZ", now.tv_nsec);
	strcat(text, nanoseconds);
	container_set_text(container, key, text);
}

bool container_flag(const struct container *container, const char *key)
{
	return json_object_get_boolean(json_member(container->record, key, json_type_boolean));
}

const char *container_text(const struct container *container, const char *key)
{
	return json_text(container->record, key);
}

int container_save(const struct pool *pool, const struct container *container, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "write the record of", container->name, "no memory");
	container_update(attrs, container);
	return layerblk_vol_set(pool->lb, pool->uuid, container->volume, NULL, attrs, err);
}

/* ------------------------------------------------------------------ state */

enum container_state container_state(const struct pool *pool, const struct container *container)
{
	const char *status = container_text(container, "status");

	if (status && strcmp(status, "created") == 0)
		return CONTAINER_CREATED;
	if (!status || strcmp(status, "running") != 0)
		return CONTAINER_EXITED;
	if (oci_is_alive(container->id))
		return oci_is_paused(container->id) ? CONTAINER_PAUSED : CONTAINER_RUNNING;
	/* Between conmon, which lets go of the lock, and its exit command, which takes it, too. */
	return work_is_alive(pool, container->id) || conmon_lives(container->id) ? CONTAINER_RUNNING : CONTAINER_EXITED;
}

const char *container_state_name(enum container_state state)
{
	static const char *const names[] = { "created", "running", "paused", "exited" };

	return names[state];
}

/* ------------------------------------------------------------------ removal */

int container_remove(const struct pool *pool, const struct container *container, bool volumes, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	const char *log = container_text(container, "log");
	int rc;

	if (!attrs)
		return layerblk_error_set(err, ENOMEM, "remove the container", container->name, "no memory");
	container_leave(attrs, container);
	work_leave(attrs, container->id);
	rc = disk_deactivate(pool->lb, pool->uuid, container->volume, err);
	if (!rc)
		rc = layerblk_vol_rm(pool->lb, pool->uuid, container->volume, 0, attrs, err);
	if (rc)
		return rc;
	root_let_go(pool, container);
	hold_forget(pool, container->volume);
	if (volumes)
		share_remove_anonymous(pool, container->record);
	if (log)
		unlink(log);
	return 0;
}
