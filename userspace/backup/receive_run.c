// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl receive. */
#include <errno.h>
#include <stdio.h>
#include "backup_commands.h"
#include "backup_output.h"
#include "identity.h"
#include "image_commands.h"
#include "image_import.h"
#include "receive.h"
#include "report.h"

static void say_layer(const char *diff_id, bool there)
{
	printf("%.12s: %s\n", digest_hex(diff_id), there ? "Already there" : "Received");
	fflush(stdout);
}

static void say_image(const struct bundle_image *image, bool quiet)
{
	image_say_loaded(image->id, image->names, image->name_count, quiet);
	fflush(stdout);
}

static void say_checked(const struct bundle_image *image, bool quiet)
{
	for (size_t i = 0; !quiet && i < image->name_count; i++)
		puts(image->names[i]);
	if (quiet || !image->name_count)
		puts(image->id);
}

static int receive_all(struct command_call *call, struct receive *receive)
{
	const char *name;
	int rc = 0;

	for (size_t i = 0; !rc && (name = option_nth(call, "input", i)) != NULL; i++)
		rc = receive_read(receive, name, &call->error);
	if (!rc && !option_is_set(call, "input"))
		rc = receive_read(receive, "-", &call->error);
	if (!rc && receive_left_out(receive) && !option_is_set(call, "quiet"))
		report_note("%zu layers are left out: the pool that this is for must have them", receive_left_out(receive));
	return rc;
}

static int print_identity(void *arg, const char *text)
{
	(void)arg;
	return puts(text) < 0 ? -EIO : 0;
}

static int print_have(struct command_call *call)
{
	struct image_pool at;
	int rc = image_pool_open(call, &at);

	if (!rc)
		rc = identity_each(&at.pool, print_identity, NULL, &call->error);
	if (rc)
		return command_fail(call);
	return fflush(stdout) ? 1 : 0;
}

int image_receive_run(struct command_call *call)
{
	bool check = option_is_set(call, "check");
	struct receive_options options = { .quiet = option_is_set(call, "quiet"), .said_layer = say_layer,
					   .said_image = check ? say_checked : say_image };
	struct receive *receive = NULL;
	struct image_pool at;
	int rc = 0;

	if (option_is_set(call, "have") && (check || option_is_set(call, "input")))
		return command_usage_error(call, "--have reads nothing: it is used by itself");
	if (option_is_set(call, "have"))
		return print_have(call);
	if (!check)
		rc = image_pool_open(call, &at);
	if (!rc)
		rc = receive_new(check ? NULL : &at.pool, &options, &receive, &call->error);
	if (!rc) {
		image_catch_signals(backup_interrupt);
		rc = receive_all(call, receive);
	}
	receive_free(receive);
	if (rc)
		return command_fail(call);
	return fflush(stdout) ? 1 : 0;
}
