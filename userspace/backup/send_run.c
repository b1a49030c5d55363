// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl send. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "backup_commands.h"
#include "backup_output.h"
#include "filesystem.h"
#include "image_commands.h"
#include "report.h"
#include "send.h"
#include "size.h"

static void say(const struct send *send, size_t images, uint64_t bytes)
{
	char size[SIZE_TEXT], left_out[64] = "";

	if (send->left_out)
		snprintf(left_out, sizeof(left_out), ", without %zu that are there already", send->left_out);
	report_note("%zu image%s, %zu layer%s%s: %s", images, images == 1 ? "" : "s", send->layers, send->layers == 1 ? "" : "s", left_out,
		    size_format(bytes, size));
}

static int write_stream(struct command_call *call, struct send *send, struct chosen *chosen, enum volstream_encoding encoding)
{
	struct volstream_writer *writer = NULL;
	struct backup_output output;
	struct sink sink = { backup_output_write, &output };
	uint64_t bytes = 0;
	int rc = backup_output_open(&output, "the images", option_value(call, "output"), &call->error);

	if (!rc)
		rc = send_prepare(send, chosen, &call->error);
	if (!rc)
		rc = volstream_writer_new(&sink, VOLSTREAM_OF_IMAGES, encoding, (uint64_t)time(NULL), &writer, &call->error);
	if (!rc)
		rc = send_images(send, chosen, writer, &call->error);
	if (!rc)
		rc = volstream_finish(writer, &call->error);
	if (!rc)
		bytes = volstream_written(writer);
	volstream_writer_free(writer);
	rc = backup_output_close(&output, rc, &call->error);
	if (!rc && !send->quiet)
		say(send, chosen->count, bytes);
	return rc;
}

static int read_have(struct command_call *call, struct idset *have)
{
	const char *path;
	int rc = 0;

	for (size_t i = 0; !rc && (path = option_nth(call, "have", i)) != NULL; i++)
		rc = idset_read(have, path, &call->error);
	return rc;
}

int image_send_run(struct command_call *call)
{
	const char *compress = option_value(call, "compress");
	enum volstream_encoding encoding;
	struct idset have = { 0 };
	struct send send = { .have = &have, .quiet = option_is_set(call, "quiet") };
	struct chosen chosen = { 0 };
	struct image_pool at;
	int rc;

	if (compress && strcmp(compress, "none") != 0 && strcmp(compress, "zstd") != 0)
		return command_usage_error(call, "--compress is one of: %s", COMPRESS_WORDS);
	encoding = compress && strcmp(compress, "zstd") == 0 ? VOLSTREAM_ZSTD : VOLSTREAM_RAW;
	send.pool = &at.pool;
	rc = image_pool_open(call, &at);
	if (!rc)
		rc = chosen_load(&at.pool, call->argv, (size_t)call->argc, &chosen, &call->error);
	if (!rc)
		rc = read_have(call, &have);
	if (!rc)
		rc = mounts_make_private(&call->error);
	if (!rc) {
		signal(SIGPIPE, SIG_IGN);	/* a reader that goes away is a failure like others */
		image_catch_signals(backup_interrupt);
		rc = write_stream(call, &send, &chosen, encoding);
	}
	chosen_clear(&chosen);
	idset_clear(&send.sent);
	idset_clear(&have);
	return rc ? command_fail(call) : 0;
}
