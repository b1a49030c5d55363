// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl tag. */
#include <errno.h>
#include "cleanup.h"
#include "image_commands.h"
#include "work.h"

static int tag(const struct pool *pool, const char *source, const char *name, struct layerblk_error *err)
{
	cleanup_attrs struct layerblk_attrs *attrs = layerblk_attrs_new();
	struct image_record record = { 0 };
	char normal[REFERENCE_MAX];
	cleanup_fd int lock = -1;
	int rc = reference_normalize(name, normal, err);

	if (!rc && !attrs)
		rc = layerblk_error_set(err, ENOMEM, "name the image", source, "no memory");
	if (!rc)
		rc = pool_lock(pool, &lock, err);
	if (!rc)
		rc = record_find(pool, source, &record, err);
	if (!rc) {
		record_store_tag(attrs, &record, normal);
		rc = layerblk_attrs_commit(pool->lb, pool->uuid, attrs, err);
	}
	record_clear(&record);
	return rc;
}

int image_tag_run(struct command_call *call)
{
	struct image_pool at;

	if (image_pool_open(call, &at) || tag(&at.pool, call->argv[0], call->argv[1], &call->error))
		return command_fail(call);
	return 0;
}
