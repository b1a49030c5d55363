// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl image rm and prune. */
#include <stdio.h>
#include <unistd.h>
#include "confirm.h"
#include "image_commands.h"
#include "remove.h"
#include "size.h"

static void say(void *arg, const char *what, const char *name)
{
	(void)arg;
	printf("%s: %s\n", what, name);
}

int image_rm_run(struct command_call *call)
{
	struct image_pool at;
	int status = 0;

	if (image_pool_open(call, &at))
		return command_fail(call);
	for (int i = 0; i < call->argc; i++) {
		if (image_remove(&at.pool, call->argv[i], option_is_set(call, "force"), say, NULL, &call->error))
			status = command_fail(call);
	}
	return fflush(stdout) == 0 ? status : 1;
}

int image_prune_run(struct command_call *call)
{
	struct image_pool at;
	bool all = option_is_set(call, "all");
	char text[SIZE_TEXT];
	uint64_t bytes;

	if (isatty(STDIN_FILENO) && !confirmed(call, all ? "This will remove all images that no container was made from." :
					       "This will remove all images without a name."))
		return 0;
	if (image_pool_open(call, &at) || image_prune(&at.pool, all, &bytes, say, NULL, &call->error))
		return command_fail(call);
	printf("Total reclaimed space: %s\n", size_format(bytes, text));
	return fflush(stdout) == 0 ? 0 : 1;
}
