// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A layer's tar: any bytes, plain or compressed, applied to a directory. Nothing is ever made, changed or removed outside of it; a failure says what is wrong.
 *
 *   byte 0: bit 0 headers get right checksums, bits 1-2 compression, bit 3 the directory is not empty, bit 4 the last quarter is missing
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"
#include "image/jail.h"
#include "image/tarball.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SKIPPED		77

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (!jail_init(*argc, *argv))
		_exit(SKIPPED);
	return 0;
}

static void must_explain(const struct layerblk_error *err, int rc)
{
	char text[2048];

	layerblk_error_format(err, text, sizeof(text));
	if (getenv("FUZZ_VERBOSE"))
		fprintf(stderr, "%d: %s\n", rc, text);
	if (rc > 0 || err->code != -rc || !*text)
		abort();
}

static void apply(const uint8_t *data, size_t size)
{
	struct bundle_layer layer = { .blob = (char *)"blob", .size = -1 };
	struct source *source = NULL;
	struct stream *stream = NULL;
	struct apply_result result = { 0 };
	struct layerblk_error err = { 0 };
	int root = open(JAIL_TARGET, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	jail_write("blob", data, size);
	rc = source_open(JAIL_IN, &source, &err);
	if (!rc)
		rc = stream_open(source, &layer, NULL, NULL, &stream, &err);
	if (!rc) {
		rc = apply_layer(root, stream, &result, &err);
		if (rc)
			must_explain(&err, rc);
		memset(&err, 0, sizeof(err));
		rc = stream_finish(stream, &err);	/* the diff_id, "", is never right */
	}
	must_explain(&err, rc);
	stream_close(stream);
	source_close(source);
	close(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *tar, *blob;
	size_t bytes;

	if (!size)
		return -1;
	tar = malloc(size);
	if (!tar)
		abort();
	memcpy(tar, data + 1, size - 1);
	if (data[0] & 1)
		tar_fix(tar, size - 1);
	blob = tar_compress(tar, size - 1, data[0] >> 1 & 3, &bytes);
	if (data[0] & 16)
		bytes -= bytes / 4;
	jail_run(apply, blob, bytes, data[0] & 8);
	free(blob);
	free(tar);
	return 0;
}
