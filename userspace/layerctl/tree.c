// SPDX-License-Identifier: GPL-2.0-or-later
/* tree: the layers of a pool. */
#include "cleanup.h"
#include "command.h"
#include "forest.h"
#include "output.h"
#include "ref.h"

/* JSON nests as deep as the chain; json-c prints any depth, and readers have limits of their own. */
static int tree(struct command_call *call)
{
	cleanup_free struct lb_vol_info *volumes = NULL;
	cleanup_json json_object *roots = NULL;
	struct layerblk *lb = command_control(call);
	struct lb_ioc_pool_status pool;
	enum output_format format;
	size_t n;

	if (output_format(call, &format))
		return 1;
	if (!lb || ref_find_pool(lb, call->argv[0], &pool, &call->error) ||
	    layerblk_vol_list(lb, pool.uuid, LB_STAT_HIDDEN, &volumes, &n, &call->error))
		return command_fail(call);
	roots = forest_build(volumes, n);
	if (!roots) {
		layerblk_error_set(&call->error, ENOMEM, "show the tree", NULL, "out of memory");
		return command_fail(call);
	}
	if (format == OUTPUT_JSON)
		return output_json(roots);
	forest_print(stdout, roots, option_is_set(call, "ascii"));
	return fflush(stdout) ? 1 : 0;
}

static const struct command_option tree_options[] = {
	{ .name = "ascii", .help = "Draw with plain characters" },
	OPTION_FORMAT,
	{ 0 },
};

const struct command tree_commands[] = {
	{ .path = "tree", .args = "[POOL]", .max_args = 1, .summary = "Show volumes as trees of layers",
	  .details = "OWN is what a volume's own data takes, TOTAL that and its ancestors' (what a volume shows may be less: "
		     "a layer can hide what is below it).",
	  .options = tree_options, .complete = COMPLETE_POOL, .run = tree },
	{ 0 },
};
