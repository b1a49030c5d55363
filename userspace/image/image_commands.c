// SPDX-License-Identifier: GPL-2.0-or-later
/* The rows of "layerctl image". */
#include <string.h>
#include "filesystem.h"
#include "image_commands.h"
#include "import.h"
#include "ref.h"
#include "work.h"

static const struct command_option import_options[] = {
	{ .name = "tag", .letter = 't', .value = "NAME[:TAG]",
	  .help = "Name the image so instead of as it is called (may be repeated)", .complete = COMPLETE_IMAGE },
	{ .name = "image", .value = "NAME", .help = "Only the image of this name, tag or digest" },
	{ .name = "platform", .value = "OS/ARCH[/VARIANT]", .help = "Choose from an image for several platforms (default: this machine's)" },
	{ .name = "fs", .value = "TYPE", .help = "File system of the layers: \"ext4\" (default) or \"xfs\"",
	  .complete = COMPLETE_WORDS, .words = FILESYSTEM_WORDS },
	{ .name = "size", .value = "SIZE", .help = "Size of the file system, taken only as it fills (default: 10G)" },
	OPTION_POOL,
	{ .name = "quiet", .letter = 'q', .help = "Print only the image's id" },
	{ 0 },
};

static const struct command_option ls_options[] = {
	OPTION_POOL,
	OPTION_FORMAT,
	OPTION_NO_TRUNC,
	{ .name = "quiet", .letter = 'q', .help = "Print only ids" },
	{ 0 },
};

static const struct command_option pool_options[] = {
	OPTION_POOL,
	{ 0 },
};

static const struct command_option history_options[] = {
	OPTION_POOL,
	OPTION_FORMAT,
	OPTION_NO_TRUNC,
	{ .name = "quiet", .letter = 'q', .help = "Print only ids" },
	{ 0 },
};

static const struct command_option rm_options[] = {
	{ .name = "force", .letter = 'f', .help = "Also when it has several names, or containers were made from it" },
	OPTION_POOL,
	{ 0 },
};

const struct command image_commands[] = {
	{ .path = "image import", .args = "PATH", .min_args = 1, .max_args = 1, .summary = "Import an image",
	  .details = "PATH is an OCI image layout (a directory or a tar of one) or an archive made by \"docker save\", also "
		     "compressed as a whole; \"-\" reads it from standard input. Each layer becomes a frozen volume, a child of "
		     "the layer below. Layers that the pool has already, from whatever image, are shared.\n\n"
		     "Everything is verified against its digest. After a failure or an interruption at any point nothing is "
		     "left but whole layers, which the next import takes up.\n\n"
		     "Examples:\n"
		     "  skopeo copy docker://debian:12 oci:debian:12 && layerctl image import debian\n"
		     "  docker save nginx | layerctl image import -",
	  .options = import_options, .complete = COMPLETE_FILE, .run = image_import_run },
	{ .path = "image ls", .args = "", .max_args = 0, .summary = "List images",
	  .details = "SIZE is what the layers take in the pool, shared ones included.",
	  .options = ls_options, .run = image_ls_run },
	{ .path = "image inspect", .args = "IMAGE...", .min_args = 1, .max_args = -1, .summary = "Show images in detail, as JSON",
	  .options = pool_options, .complete = COMPLETE_IMAGE, .run = image_inspect_run },
	{ .path = "image history", .args = "IMAGE", .min_args = 1, .max_args = 1,
	  .summary = "Show the instructions that an image was built by", .options = history_options,
	  .complete = COMPLETE_IMAGE, .run = image_history_run },
	{ .path = "image rm", .args = "IMAGE...", .min_args = 1, .max_args = -1, .summary = "Remove images",
	  .details = "A name is taken away; with the last one go the image and the layers that no other image and no container "
		     "uses.",
	  .options = rm_options, .complete = COMPLETE_IMAGE, .run = image_rm_run },
	{ .path = "image prune", .args = "", .max_args = 0, .summary = "Remove what no image's name leads to",
	  .details = "Images without a name that no container was made from, and layers that belong to no image: those that an "
		     "interrupted import had finished.",
	  .options = pool_options, .run = image_prune_run },
	{ 0 },
};

int image_pool_open(struct command_call *call, struct image_pool *out)
{
	struct layerblk *lb = command_control(call);
	struct lb_ioc_pool_status status;
	int rc;

	if (!lb)
		return -call->error.code;
	rc = ref_find_pool(lb, option_value(call, "pool"), &status, &call->error);
	if (rc)
		return rc;
	memcpy(out->uuid, status.uuid, sizeof(out->uuid));
	out->pool.lb = lb;
	out->pool.uuid = out->uuid;
	work_sweep(&out->pool, IMPORT_KIND, import_clean);
	return 0;
}

uint64_t layer_owned_bytes(const struct pool *pool, uint64_t id)
{
	struct lb_vol_info info;

	if (!id || layerblk_vol_stat(pool->lb, pool->uuid, id, 0, &info, NULL) != 0)
		return 0;
	return info.owned_blocks * LB_BLOCK_SIZE;
}

uint64_t image_owned_bytes(const struct pool *pool, const struct image_record *record)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < record->layer_count; i++)
		bytes += layer_owned_bytes(pool, record->layers[i]);
	return bytes;
}
