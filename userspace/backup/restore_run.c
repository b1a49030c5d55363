// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl volume restore. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include "backup_commands.h"
#include "backup_output.h"
#include "image_commands.h"
#include "restore.h"

static void say(void *arg, const struct volstream_volume *volume, const char *name)
{
	(void)arg;
	(void)volume;
	puts(name);
	fflush(stdout);
}

static int restore_all(struct command_call *call, struct restore *restore)
{
	const char *name;
	int rc = 0;

	for (size_t i = 0; !rc && (name = option_nth(call, "input", i)) != NULL; i++)
		rc = restore_read(restore, name, &call->error);
	if (!rc && !option_is_set(call, "input"))
		rc = restore_read(restore, "-", &call->error);
	return rc ? rc : restore_finish(restore, say, NULL, &call->error);
}

int backup_restore_run(struct command_call *call)
{
	struct restore_options options = {
		.name = option_value(call, "name"), .only = call->argv, .only_count = (size_t)call->argc,
		.replace = option_is_set(call, "replace"), .quiet = option_is_set(call, "quiet"),
	};
	bool check = option_is_set(call, "check");
	struct restore *restore = NULL;
	struct image_pool at;
	int rc = 0;

	if (options.name)
		rc = layerblk_name_check(options.name, &call->error);
	if (!rc && !check)
		rc = image_pool_open(call, &at);
	if (!rc)
		rc = restore_new(check ? NULL : &at.pool, &options, &restore, &call->error);
	if (!rc) {
		image_catch_signals(backup_interrupt);
		rc = restore_all(call, restore);
	}
	restore_free(restore);
	if (rc)
		return command_fail(call);
	return fflush(stdout) ? 1 : 0;
}
