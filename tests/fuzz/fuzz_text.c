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
#include "container.h"
#include "image/jail.h"
#include "merge.h"
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

static void judge_share(int rc, struct share *share, struct layerblk_error *err)
{
	struct share again = { 0 };
	json_object *json;

	must_explain(err, rc);
	if (rc)
		return;
	holds(share->target && share->target[0] == '/', "a share to nowhere");
	holds(share->kind == SHARE_TMPFS || share->anonymous || (share->source && *share->source), "a share from nowhere");
	/* As it is when its volume has been found or made, which gives an anonymous one its name. */
	share->volume = 1;
	if (!share->source && share->kind != SHARE_TMPFS)
		share->source = strdup("name");
	json = share_json(share);
	holds(share_from_json(json, &again, NULL) == 0, "a share that cannot be read back");
	json_object_put(json);
	share_clear(&again);
	share_clear(share);
}

static void try_share(const char *text)
{
	static int (*const parsers[])(const char *, struct share *, struct layerblk_error *) = {
		share_parse, share_parse_mount, share_parse_tmpfs,
	};

	for (size_t i = 0; i < sizeof(parsers) / sizeof(*parsers); i++) {
		struct layerblk_error err = { 0 };
		struct share share = { 0 };
		int rc = parsers[i](text, &share, &err);

		judge_share(rc, &share, &err);
	}
}

/* ------------------------------------------------------------------ containers */

/* A container's record from an image's config, as `run` makes it. NULL: the config is refused. */
static json_object *record_from(const char *text, size_t size)
{
	json_object *config = NULL, *args = NULL, *record = NULL;
	struct layerblk_error err = { 0 };
	int rc = json_parse(text, size, json_type_object, "the config", &config, &err);

	must_explain(&err, rc);
	if (!rc) {
		memset(&err, 0, sizeof(err));
		rc = merge_args(config, NULL, 0, NULL, &args, &err);
		must_explain(&err, rc);
	}
	if (!rc) {
		record = json_object_new_object();
		json_object_object_add(record, "command", args);
		json_object_object_add(record, "hostname", json_object_new_string("host"));
		merge_words(record, config, NULL, 0, NULL);
		merge_config(record, config);
	}
	json_object_put(config);
	return record;
}

/* The config, then /etc/passwd, then /etc/group, between zero bytes. */
static void try_container(const uint8_t *data, size_t size)
{
	const char *config = (const char *)data, *passwd = config + strnlen(config, size), *group;
	size_t left = size - (size_t)(passwd - config), passwd_size;
	int root = open(JAIL_TARGET, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
	struct share_list none = { 0 };
	struct container container = { .name = "name", .id = "id", .record = record_from(config, strnlen(config, size)) };
	struct spec spec = { .container = &container, .bundle = JAIL_IN, .root = root, .shares = &none };
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
	if (container.record) {
		rc = spec_build(&spec, &out, &err);
		must_explain(&err, rc);
	}
	json_object_put(out);
	json_object_put(container.record);
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
