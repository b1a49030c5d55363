// SPDX-License-Identifier: GPL-2.0-or-later
/* See replaced.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "cleanup.h"
#include "disk.h"
#include "replaced.h"
#include "report.h"
#include "volume_users.h"
#include "working.h"

#define NAME_PART	160		/* bytes of its name in the one aside */

static const char doing[] = "replace the volume";

static int check(const struct pool *pool, const char *name, struct lb_vol_info *info, struct layerblk_error *err)
{
	int rc = layerblk_vol_find(pool->lb, pool->uuid, name, 0, info, err);
	enum volume_kind kind;

	if (rc)
		return rc;
	kind = volume_kind(pool, info);
	if (kind == VOLUME_CONTAINER)
		return layerblk_error_set(err, EBUSY, doing, name, "it is a container's root");
	if (kind == VOLUME_LAYER || kind == VOLUME_TEMPLATE || kind == VOLUME_WORKING)
		return layerblk_error_set(err, EBUSY, doing, name, "it belongs to images or containers, or another command is working on it");
	if (info->flags & LB_VOL_OPEN)
		return layerblk_error_set(err, EBUSY, doing, name, "it is in use");
	return 0;
}

int replaced_check(const struct pool *pool, const char *name, struct layerblk_error *err)
{
	struct lb_vol_info info;

	return check(pool, name, &info, err);
}

int replaced_begin(struct replaced *replaced, const struct pool *pool, const char *name, struct layerblk_error *err)
{
	char random[13], aside[NAME_PART + 32];
	struct layerblk_vol_change change = { .flags = LB_VOL_SET_NAME, .name = aside };
	struct lb_vol_info info;
	int rc = check(pool, name, &info, err);

	*replaced = (struct replaced){ .name = name, .work.lock = -1 };
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	random_hex(random, 6);
	snprintf(aside, sizeof(aside), "%.*s@replaced-%s", NAME_PART, name, random);
	rc = disk_deactivate(pool->lb, pool->uuid, info.id, err);
	if (!rc)
		rc = work_begin(pool, aside, &replaced->work, err);
	if (rc)
		return rc;
	rc = layerblk_vol_set(pool->lb, pool->uuid, info.id, &change, NULL, err);
	if (rc)
		work_end(&replaced->work);
	else
		replaced->id = info.id;
	return rc;
}

void replaced_enter(const struct replaced *replaced, struct layerblk_attrs *attrs)
{
	if (!replaced->id)
		return;
	work_enter(attrs, replaced->work.name, WORKING_KIND);
	layerblk_attrs_set_string(attrs, replaced->id, ATTR_IMPORT, "replaced", 0);
}

void replaced_end(struct replaced *replaced, const struct pool *pool, int rc)
{
	struct layerblk_vol_change change = { .flags = LB_VOL_SET_NAME, .name = replaced->name };
	struct layerblk_error err = { 0 };
	char text[1600];

	if (!replaced->id)
		return;
	if (rc && layerblk_vol_set(pool->lb, pool->uuid, replaced->id, &change, NULL, &err) != 0)
		report_note("the volume %s is called %s now: %s", replaced->name, replaced->work.name,
			    layerblk_error_format(&err, text, sizeof(text)));
	else if (!rc && working_clean(pool, replaced->work.name, &err) != 0)
		report_note("the replaced volume stays until the next command: %s", layerblk_error_format(&err, text, sizeof(text)));
	work_end(&replaced->work);
	replaced->id = 0;
}
