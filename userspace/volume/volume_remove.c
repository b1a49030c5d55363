// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl volume rm and prune. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "confirm.h"
#include "container.h"
#include "data_volume.h"
#include "hold.h"
#include "image_commands.h"
#include "labels.h"
#include "release.h"
#include "run_commands.h"
#include "size.h"
#include "volume.h"
#include "volume_commands.h"
#include "volume_users.h"

/* ------------------------------------------------------------------ rm */

static int remove_found(struct layerblk *lb, struct found_volume *volume, uint32_t flags, struct layerblk_error *err)
{
	struct pool pool = { .lb = lb, .uuid = volume->uuid };
	struct volume_uses uses;
	int rc = volume_uses_load(&pool, &uses, err);

	if (rc)
		return rc;
	rc = volume_check_unused(&pool, &uses, &volume->info, "remove the volume", err);
	volume_uses_clear(&uses);
	if (!rc)
		rc = release_disk(lb, volume, err);
	if (rc)
		return rc;
	rc = layerblk_vol_rm(lb, volume->uuid, volume->info.id, flags, NULL, err);
	if (rc)
		restore_disk(lb, volume, NULL);
	else
		hold_forget(&pool, volume->info.id);
	return rc;
}

static int rm_one(struct command_call *call, struct layerblk *lb, const char *text)
{
	struct found_volume volume;
	uint32_t flags = option_is_set(call, "no-children") ? LB_RM_IF_NO_CHILDREN : 0;
	int rc = ref_find_volume(lb, text, "remove the volume", &volume, &call->error);

	if (rc == -ENOENT && option_is_set(call, "force"))
		return 0;
	if (!rc)
		rc = remove_found(lb, &volume, flags, &call->error);
	if (!rc)
		puts(text);
	return rc;
}

int volume_rm_run(struct command_call *call)
{
	struct layerblk *lb = command_control(call);
	int status = 0;

	if (!lb)
		return command_fail(call);
	for (int i = 0; i < call->argc; i++) {
		if (rm_one(call, lb, call->argv[i]))
			status = command_fail(call);
	}
	return fflush(stdout) ? 1 : status;
}

/* ------------------------------------------------------------------ prune */

struct prune {
	const struct command_call *call;
	const struct pool *pool;
	struct volume_uses uses;
	bool all;
	uint64_t bytes;
	size_t count;
};

/* "label=KEY[=VALUE]" and "label!=KEY[=VALUE]"; all of them must hold. */
static bool label_passes(const struct prune *prune, uint64_t id, const char *filter)
{
	bool wanted = strncmp(filter, "label!=", 7) != 0;

	return volume_has_label(prune->pool, id, filter + (wanted ? 6 : 7)) == wanted;
}

static const char *wrong_filter(const struct command_call *call)
{
	const char *filter;

	for (size_t i = 0; (filter = option_nth(call, "filter", i)) != NULL; i++)
		if (strncmp(filter, "label=", 6) != 0 && strncmp(filter, "label!=", 7) != 0 && strcmp(filter, "all=true") != 0 &&
		    strcmp(filter, "all=1") != 0)
			return filter;
	return NULL;
}

static bool asks_for_all(const struct command_call *call)
{
	const char *filter;

	for (size_t i = 0; (filter = option_nth(call, "filter", i)) != NULL; i++)
		if (strncmp(filter, "all=", 4) == 0)
			return true;
	return option_is_set(call, "all");
}

/* Only what layerctl made as a data volume; never one that somebody has open, a snapshot, or one with a disk that was activated by hand. */
static bool goes(const struct prune *prune, const struct lb_vol_info *info)
{
	struct data_volume about;
	const char *filter;
	bool named;
	size_t first;

	if ((info->flags & (LB_VOL_FROZEN | LB_VOL_ACTIVE | LB_VOL_HIDDEN)) || volume_uses_of(&prune->uses, info->id, &first) ||
	    data_volume_load(prune->pool, info->id, &about, NULL) != 0)
		return false;
	named = !about.anonymous;
	data_volume_clear(&about);
	if ((named && !prune->all) || volume_kind(prune->pool, info) != VOLUME_DATA)
		return false;
	for (size_t i = 0; (filter = option_nth(prune->call, "filter", i)) != NULL; i++)
		if (strncmp(filter, "label", 5) == 0 && !label_passes(prune, info->id, filter))
			return false;
	return true;
}

static int remove_one(struct prune *prune, const struct lb_vol_info *info, struct layerblk_error *err)
{
	int rc = layerblk_vol_rm(prune->pool->lb, prune->pool->uuid, info->id, 0, NULL, err);

	if (rc == -ENOENT || rc == -EBUSY)	/* somebody was quicker, or uses it now */
		return 0;
	if (rc)
		return rc;
	hold_forget(prune->pool, info->id);
	printf("%s%s\n", prune->count++ ? "" : "Deleted Volumes:\n", info->name);
	prune->bytes += info->owned_blocks * LB_BLOCK_SIZE;
	return 0;
}

/* Under the pool's lock, so that no container takes one of them meanwhile. */
int volumes_prune(const struct command_call *call, const struct pool *pool, bool all, uint64_t *bytes, struct layerblk_error *err)
{
	struct prune prune = { .call = call, .pool = pool, .all = all };
	cleanup_free struct lb_vol_info *volumes = NULL;
	cleanup_fd int lock = -1;
	size_t count;
	int rc = pool_lock(pool, &lock, err);

	if (!rc)
		rc = volume_uses_load(pool, &prune.uses, err);
	if (!rc)
		rc = layerblk_vol_list(pool->lb, pool->uuid, 0, &volumes, &count, err);
	for (size_t i = 0; !rc && i < count; i++)
		if (goes(&prune, &volumes[i]))
			rc = remove_one(&prune, &volumes[i], err);
	if (prune.count)
		putchar('\n');
	*bytes += prune.bytes;
	volume_uses_clear(&prune.uses);
	return rc;
}

int volume_prune_run(struct command_call *call)
{
	bool all = asks_for_all(call);
	struct image_pool at;
	char text[SIZE_TEXT];
	uint64_t bytes = 0;

	if (wrong_filter(call))
		return command_usage_error(call, "the filter \"%s\" is none of label=KEY[=VALUE], label!=KEY[=VALUE] and all=true", wrong_filter(call));
	if (!confirmed(call, all ? "This will remove all data volumes that no container uses." :
		       "This will remove anonymous volumes that no container uses."))
		return 0;
	if (container_pool_open(call, &at) || volumes_prune(call, &at.pool, all, &bytes, &call->error))
		return command_fail(call);
	printf("Total reclaimed space: %s\n", size_format(bytes, text));
	return fflush(stdout) ? 1 : 0;
}
