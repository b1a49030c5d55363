// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The smaller parsers of what others have written: sizes, times, numbers, names of volumes, pools and images, platforms, digests, JSON; an image's config made into a container's
 * specification; the container's own /etc/passwd and /etc/group.
 *
 *   byte 0: which one. Texts end at a zero byte; what takes two of them is given the rest as the second.
 */
#include <stdio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "image/jail.h"
#include "ref.h"
#include "reference.h"
#include "share.h"
#include "size.h"
#include "spec.h"
#include "users.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SKIPPED		77

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (!jail_init(*argc, *argv))
		_exit(SKIPPED);
	return 0;
}

static void holds(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "text: %s\n", what);
	abort();
}

static void must_explain(const struct layerblk_error *err, int rc)
{
	char text[2048];

	layerblk_error_format(err, text, sizeof(text));
	holds(rc <= 0 && (!rc || (err->code == -rc && *text)), "a failure without an explanation");
}

/* ------------------------------------------------------------------ numbers, sizes */

static void try_sizes(const char *text)
{
	struct layerblk_error err = { 0 };
	char shown[SIZE_TEXT];
	uint64_t v = 0, again = 0;
	int rc;

	rc = size_parse(text, &v, "look at", &err);
	must_explain(&err, rc);
	if (!rc) {
		holds(v <= INT64_MAX, "a size beyond 2^63 - 1");
		holds(!size_parse(size_format(v, shown), &again, "look at", NULL), "what size_format() writes is no size");
	}
	memset(&err, 0, sizeof(err));
	rc = size_parse_volume(text, &v, "look at", &err);
	must_explain(&err, rc);
	holds(rc || (v && v <= LB_VOLUME_SIZE_MAX && v % LB_BLOCK_SIZE == 0), "a size that no volume can have");
	memset(&err, 0, sizeof(err));
	must_explain(&err, number_parse(text, 1000, &v, "look at", &err));
	memset(&err, 0, sizeof(err));
	must_explain(&err, duration_parse(text, &v, "look at", &err));
}

/* ------------------------------------------------------------------ names */

static void try_names(const char *text)
{
	struct layerblk_error err = { 0 };
	uint8_t uuid[LB_UUID_LEN] = { 0 };
	char shown[UUID_TEXT];
	struct ref ref = { 0 };
	int rc;

	rc = ref_parse(text, &ref, &err);
	must_explain(&err, rc);
	if (!rc)
		ref_clear(&ref);
	if (!uuid_from_text(text, uuid))
		holds(ref_matches_uuid(uuid_text(uuid, shown), uuid), "a UUID does not match itself");
	ref_matches_uuid(text, uuid);
	memset(&err, 0, sizeof(err));
	must_explain(&err, pool_label_check(text, &err));
	memset(&err, 0, sizeof(err));
	must_explain(&err, layerblk_name_check(text, &err));
}

static void try_images(const char *text)
{
	char normal[REFERENCE_MAX], again[REFERENCE_MAX], repository[REFERENCE_MAX];
	struct layerblk_error err = { 0 };
	struct platform platform;
	const char *tag;
	int rc;

	rc = reference_normalize(text, normal, &err);
	must_explain(&err, rc);
	if (!rc) {
		holds(!reference_normalize(normal, again, NULL) && !strcmp(normal, again), "a normal name has another normal form");
		reference_split(normal, repository, &tag);
		holds(*repository && *tag && reference_is_tag(tag), "a normal name without a tag");
	}
	reference_is_tag(text);
	reference_from_path(text, repository);
	memset(&err, 0, sizeof(err));
	must_explain(&err, platform_parse(text, &platform, &err));
	holds(!digest_valid(text) || strlen(digest_hex(text)) >= 64, "a digest that is too short");
	digest_is_sha256(text);
}

static void try_share(const char *text)
{
	struct layerblk_error err = { 0 };
	struct share share = { 0 };
	int rc = share_parse(text, &share, &err);

	must_explain(&err, rc);
	if (rc)
		return;
	holds(share.source && *share.source && share.target && share.target[0] == '/', "a share from nowhere or to nowhere");
	json_object_put(share_json(&share));
	share_clear(&share);
}

/* ------------------------------------------------------------------ containers */

/* The config, then /etc/passwd, then /etc/group, between zero bytes. */
static void try_container(const uint8_t *data, size_t size)
{
	static const char *const env[] = { "A=B", NULL };
	const char *config = (const char *)data, *passwd = config + strnlen(config, size), *group;
	size_t left = size - (size_t)(passwd - config), passwd_size;
	int root = open(JAIL_TARGET, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
	struct spec spec = { .id = "id", .name = "name", .hostname = "host", .bundle = JAIL_IN, .root = root, .env = env };
	struct layerblk_error err = { 0 };
	json_object *out = NULL;

	if (left)
		passwd++, left--;
	group = passwd + strnlen(passwd, left);
	passwd_size = (size_t)(group - passwd);
	left -= passwd_size;
	if (left)
		group++, left--;
	jail_write("../target/etc/passwd", passwd, passwd_size);
	jail_write("../target/etc/group", group, left);
	rc = json_parse(config, strnlen(config, size), json_type_object, "the config", &spec.config, &err);
	must_explain(&err, rc);
	if (!rc) {
		memset(&err, 0, sizeof(err));
		rc = spec_args(spec.config, NULL, 0, NULL, &spec.args, &err);
		must_explain(&err, rc);
	}
	if (spec.args) {
		memset(&err, 0, sizeof(err));
		rc = spec_build(&spec, &out, &err);
		must_explain(&err, rc);
		json_object_put(spec.args);
	}
	json_object_put(out);
	json_object_put(spec.config);
	close(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return -1;
	if (data[0] % 5 == 4) {
		jail_run(try_container, data + 1, size - 1, 1);
		return 0;
	}
	text = malloc(size);
	if (!text)
		abort();
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 5) {
	case 0:
		try_sizes(text);
		break;
	case 1:
		try_names(text);
		break;
	case 2:
		try_images(text);
		break;
	default:
		try_share(text);
		break;
	}
	free(text);
	return 0;
}
