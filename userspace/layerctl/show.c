// SPDX-License-Identifier: GPL-2.0-or-later
/* Pools and volumes as JSON. */
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include "cleanup.h"
#include "disk.h"
#include "loop.h"
#include "ref.h"
#include "show.h"

const struct output_column show_pool_columns[] = {
	{ "POOL", "short", OUTPUT_TEXT }, { "LABEL", "label", OUTPUT_TEXT }, { "DEVICE", "device", OUTPUT_TEXT },
	{ "SIZE", "size", OUTPUT_SIZE }, { "USED", "used", OUTPUT_SIZE }, { "FREE", "free", OUTPUT_SIZE },
	{ "VOLUMES", "volumes", OUTPUT_NUMBER }, { "STATE", "state", OUTPUT_TEXT }, { 0 },
};

const struct output_column show_volume_columns[] = {
	{ "NAME", "name", OUTPUT_TEXT }, { "ID", "id", OUTPUT_NUMBER }, { "SIZE", "size", OUTPUT_SIZE },
	{ "OWN", "own", OUTPUT_SIZE }, { "PARENT", "parent_name", OUTPUT_TEXT }, { "KIND", "kind", OUTPUT_TEXT },
	{ "STATE", "state", OUTPUT_TEXT }, { "DEVICE", "device", OUTPUT_TEXT }, { "CREATED", "created", OUTPUT_AGE }, { 0 },
};

static json_object *blocks(uint64_t n)
{
	return output_uint(n * LB_BLOCK_SIZE);
}

void show_device(uint32_t major, uint32_t minor, char *text, size_t size)
{
	char link[64], target[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major, minor);
	len = readlink(link, target, sizeof(target) - 1);
	if (len > 0) {
		target[len] = 0;
		snprintf(text, size, "/dev/%s", strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
	} else {
		snprintf(text, size, "%u:%u", major, minor);
	}
}

void show_pool_state(const struct lb_ioc_pool_status *pool, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s",
		 pool->state & LB_POOL_FAILED ? "failed (read-only)" :
		 pool->state & LB_POOL_READ_ONLY ? "read-only" : "online",
		 pool->state & LB_POOL_LOW_SPACE ? ", low space" : "",
		 pool->state & LB_POOL_NO_SPACE ? ", no space" : "");
}

static void add_device(json_object *object, const struct lb_ioc_pool_status *pool)
{
	cleanup_free char *file = loop_backing_file(makedev(pool->dev_major, pool->dev_minor));
	char device[300];

	show_device(pool->dev_major, pool->dev_minor, device, sizeof(device));
	json_object_object_add(object, "device", output_string(device));
	json_object_object_add(object, "file", file ? output_string(file) : NULL);
}

static void add_space(json_object *object, const struct lb_ioc_pool_status *pool)
{
	json_object *space = json_object_new_object();

	json_object_object_add(space, "data", blocks(pool->data_blocks));
	json_object_object_add(space, "metadata", blocks(pool->meta_blocks));
	json_object_object_add(space, "reserved", blocks(pool->reserved_blocks));
	json_object_object_add(space, "pending", blocks(pool->pending_blocks));
	json_object_object_add(space, "pinned", blocks(pool->pinned_blocks));
	json_object_object_add(object, "space", space);
}

static void add_settings(json_object *object, const struct lb_ioc_pool_status *pool)
{
	json_object *settings = json_object_new_object();
	bool queue = pool->state & LB_POOL_QUEUE_NOSPC;

	json_object_object_add(settings, "no_space", json_object_new_string(queue ? "queue" : "error"));
	json_object_object_add(settings, "no_space_timeout_ms", output_uint(pool->nospc_timeout_ms));
	json_object_object_add(settings, "low_water", blocks(pool->low_water_blocks));
	json_object_object_add(settings, "commit_interval_ms", output_uint(pool->commit_interval_ms));
	json_object_object_add(settings, "cache_limit", output_uint(pool->cache_limit_bytes));
	json_object_object_add(object, "settings", settings);
}

static void add_counters(json_object *object, const struct lb_ioc_pool_status *pool)
{
	json_object *counters = json_object_new_object();

	json_object_object_add(counters, "commits", output_uint(pool->commits));
	json_object_object_add(counters, "journal_writes", output_uint(pool->journal_writes));
	json_object_object_add(counters, "journal_blocks", output_uint(pool->journal_blocks));
	json_object_object_add(counters, "device_flushes", output_uint(pool->device_flushes));
	json_object_object_add(counters, "metadata_blocks_read", output_uint(pool->meta_reads));
	json_object_object_add(counters, "metadata_blocks_written", output_uint(pool->meta_writes));
	json_object_object_add(counters, "cache_bytes", output_uint(pool->cache_bytes));
	json_object_object_add(object, "counters", counters);
}

static void add_scrub(json_object *object, const struct lb_ioc_pool_status *pool)
{
	static const char *const states[] = {
		[LB_SCRUB_IDLE] = "never run", [LB_SCRUB_RUNNING] = "running", [LB_SCRUB_DONE] = "done",
		[LB_SCRUB_STOPPED] = "stopped",
	};
	json_object *scrub = json_object_new_object();
	const char *state = pool->scrub_state < sizeof(states) / sizeof(states[0]) ? states[pool->scrub_state] :
			    "unknown";

	json_object_object_add(scrub, "state", json_object_new_string(state));
	json_object_object_add(scrub, "blocks_read", output_uint(pool->scrub_done_blocks));
	json_object_object_add(scrub, "errors", output_uint(pool->scrub_errors));
	json_object_object_add(object, "scrub", scrub);
}

json_object *show_pool(struct layerblk *lb, const struct lb_ioc_pool_status *pool, bool whole)
{
	json_object *object = json_object_new_object();
	cleanup_free char *label = pool_label(lb, pool->uuid);
	char uuid[UUID_TEXT], state[64];

	uuid_text(pool->uuid, uuid);
	show_pool_state(pool, state, sizeof(state));
	json_object_object_add(object, "uuid", json_object_new_string(uuid));
	json_object_object_add(object, "short", json_object_new_string_len(uuid, 8));
	json_object_object_add(object, "label", label ? output_string(label) : NULL);
	add_device(object, pool);
	json_object_object_add(object, "state", json_object_new_string(state));
	json_object_object_add(object, "size", blocks(pool->total_blocks));
	json_object_object_add(object, "used", blocks(pool->total_blocks - pool->free_blocks));
	json_object_object_add(object, "free", blocks(pool->free_blocks));
	json_object_object_add(object, "volumes", output_uint(pool->volumes));
	json_object_object_add(object, "hidden_volumes", output_uint(pool->hidden_volumes));
	json_object_object_add(object, "active_volumes", output_uint(pool->active_volumes));
	if (!whole)
		return object;
	json_object_object_add(object, "generation", output_uint(pool->generation));
	json_object_object_add(object, "format_version", output_uint(pool->format_version));
	json_object_object_add(object, "created", output_time(pool->created_s));
	add_space(object, pool);
	add_settings(object, pool);
	add_counters(object, pool);
	add_scrub(object, pool);
	return object;
}

int show_open_pools(struct layerblk *lb, json_object **out, struct layerblk_error *err)
{
	cleanup_free struct lb_ioc_pool_status *pools = NULL;
	size_t i, n;
	int ret = layerblk_pool_list(lb, &pools, &n, err);

	if (ret)
		return ret;
	*out = json_object_new_array();
	for (i = 0; i < n; i++)
		json_object_array_add(*out, show_pool(lb, &pools[i], false));
	return 0;
}

/* ------------------------------------------------------------------ volumes */

static const char *volume_state(const struct lb_vol_info *info)
{
	if (info->flags & LB_VOL_HIDDEN)
		return "deleted";
	if (info->flags & LB_VOL_OPEN)
		return info->flags & LB_VOL_FROZEN ? "frozen, in use" : "in use";
	return info->flags & LB_VOL_FROZEN ? "frozen" : "writable";
}

json_object *show_volume(const struct lb_vol_info *info, const char *parent_name)
{
	json_object *object = json_object_new_object();
	bool active = info->flags & LB_VOL_ACTIVE;
	char device[40];

	snprintf(device, sizeof(device), "/dev/" LB_DISK_PREFIX "%u", info->disk_index);
	json_object_object_add(object, "id", output_uint(info->id));
	json_object_object_add(object, "name", output_string(info->name));
	json_object_object_add(object, "state", json_object_new_string(volume_state(info)));
	json_object_object_add(object, "size", output_uint(info->volume_size));
	json_object_object_add(object, "own", blocks(info->owned_blocks));
	json_object_object_add(object, "own_metadata", blocks(info->meta_blocks));
	json_object_object_add(object, "quota", info->quota_blocks ? blocks(info->quota_blocks) : NULL);
	json_object_object_add(object, "parent", info->parent ? output_uint(info->parent) : NULL);
	json_object_object_add(object, "parent_name", info->parent ? output_string(parent_name ? parent_name :
			       "(deleted)") : NULL);
	json_object_object_add(object, "children", output_uint(info->children));
	json_object_object_add(object, "frozen", json_object_new_boolean(info->flags & LB_VOL_FROZEN));
	json_object_object_add(object, "hidden", json_object_new_boolean(info->flags & LB_VOL_HIDDEN));
	json_object_object_add(object, "active", json_object_new_boolean(active));
	json_object_object_add(object, "open", json_object_new_boolean(info->flags & LB_VOL_OPEN));
	json_object_object_add(object, "device", active ? json_object_new_string(device) : NULL);
	json_object_object_add(object, "created", output_time(info->created_s));
	return object;
}

struct attributes {
	struct layerblk *lb;
	const uint8_t *uuid;
	uint64_t id;
	json_object *labels;
	json_object *keys;
	struct layerblk_error *err;
};

static int add_attribute(void *arg, const char *key, size_t value_len)
{
	struct attributes *attributes = arg;
	cleanup_free char *value = NULL;
	json_object *entry;
	int ret;

	if (strncmp(key, USER_LABEL, strlen(USER_LABEL)) != 0) {
		entry = json_object_new_object();
		json_object_object_add(entry, "key", output_string(key));
		json_object_object_add(entry, "bytes", output_uint(value_len));
		json_object_array_add(attributes->keys, entry);
		return 0;
	}
	ret = layerblk_attr_get(attributes->lb, attributes->uuid, attributes->id, key, &value, NULL, attributes->err);
	if (!ret)
		json_object_object_add(attributes->labels, key + strlen(USER_LABEL), output_string(value));
	return ret;
}

int show_attributes(struct layerblk *lb, const uint8_t *uuid, uint64_t id, json_object *object,
		    struct layerblk_error *err)
{
	struct attributes attributes = {
		.lb = lb, .uuid = uuid, .id = id, .labels = json_object_new_object(),
		.keys = json_object_new_array(), .err = err,
	};

	json_object_object_add(object, "labels", attributes.labels);
	json_object_object_add(object, "attributes", attributes.keys);
	return layerblk_attr_each(lb, uuid, id, NULL, add_attribute, &attributes, err);
}
