// SPDX-License-Identifier: GPL-2.0-or-later
/* From what a person writes to a pool's UUID and a volume's id. */
#include <ctype.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <uuid/uuid.h>
#include "cleanup.h"
#include "loop.h"
#include "ref.h"
#include "size.h"

#define UUID_PREFIX_MIN	4
#define LABEL_MAX	63

static const char finding_pool[] = "find the pool";

static char *quote(const char *text, char *buffer, size_t size)
{
	snprintf(buffer, size, "\"%.255s\"", text);
	return buffer;
}

char *uuid_text(const uint8_t uuid[LB_UUID_LEN], char text[UUID_TEXT])
{
	uuid_unparse_lower(uuid, text);
	return text;
}

int uuid_from_text(const char *text, uint8_t uuid[LB_UUID_LEN])
{
	uuid_t parsed;

	if (uuid_parse(text, parsed))
		return -EINVAL;
	memcpy(uuid, parsed, LB_UUID_LEN);
	return 0;
}

/* How many hex digits `text` has when it is made of hex digits and dashes alone; else 0. */
static size_t hex_digits(const char *text)
{
	size_t digits = 0;

	for (; *text; text++) {
		if (isxdigit((unsigned char)*text))
			digits++;
		else if (*text != '-')
			return 0;
	}
	return digits;
}

bool ref_matches_uuid(const char *text, const uint8_t uuid[LB_UUID_LEN])
{
	char whole[UUID_TEXT];
	const char *u = uuid_text(uuid, whole);

	if (hex_digits(text) < UUID_PREFIX_MIN)
		return false;
	for (; *text; text++) {
		if (*text == '-')
			continue;
		while (*u == '-')
			u++;
		if (!*u || tolower((unsigned char)*text) != *u)
			return false;
		u++;
	}
	return true;
}

int pool_label_check(const char *label, struct layerblk_error *err)
{
	static const char what[] = "use the label";
	char subject[300];
	const char *c;

	quote(label, subject, sizeof(subject));
	if (!label[0] || strlen(label) > LABEL_MAX)
		return layerblk_error_set(err, EINVAL, what, subject, "a label has 1 to %d characters", LABEL_MAX);
	for (c = label; *c; c++) {
		if (!isascii((unsigned char)*c) ||
		    !(isalnum((unsigned char)*c) || (c > label && strchr("._-", *c))))
			return layerblk_error_set(err, EINVAL, what, subject,
						  "a label is made of letters, digits, '.', '_' and '-' and begins with a letter or digit");
	}
	if (hex_digits(label) >= UUID_PREFIX_MIN)
		return layerblk_error_set(err, EINVAL, what, subject, "it could be the beginning of a UUID");
	return 0;
}

char *pool_label(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN])
{
	char *label;

	if (layerblk_attr_get(lb, uuid, 0, LABEL_KEY, &label, NULL, NULL))
		return NULL;
	return label;
}

/* ------------------------------------------------------------------ taking a text apart */

/* "id:N" wholly. */
static bool parse_id(const char *text, uint64_t *id)
{
	return !strncmp(text, "id:", 3) && !number_parse(text + 3, UINT64_MAX - 1, id, "", NULL) && *id;
}

int ref_parse(const char *text, struct ref *out, struct layerblk_error *err)
{
	static const char what[] = "find the volume";
	const char *slash = strrchr(text, '/');
	const char *name = slash ? slash + 1 : text;
	char subject[300];
	struct ref ref = { 0 };

	quote(text, subject, sizeof(subject));
	if (!name[0] || slash == text) {
		layerblk_error_set(err, EINVAL, what, subject, "it names no volume");
		return layerblk_error_hint(err, "Write NAME, POOL/NAME or id:N");
	}
	if (!parse_id(name, &ref.id)) {
		int ret = layerblk_name_check(name, err);

		if (ret)
			return ret;
		ref.name = strdup(name);
	}
	if (slash)
		ref.pool = strndup(text, (size_t)(slash - text));
	if ((slash && !ref.pool) || (!ref.id && !ref.name)) {
		ref_clear(&ref);
		return layerblk_error_set(err, ENOMEM, what, subject, "out of memory");
	}
	*out = ref;
	return 0;
}

void ref_clear(struct ref *ref)
{
	free(ref->pool);
	free(ref->name);
	*ref = (struct ref){ 0 };
}

/* ------------------------------------------------------------------ finding */

/* Whether a path names the device of a pool, or the file behind its loop device. */
static bool matches_path(const struct lb_ioc_pool_status *pool, const struct stat *path)
{
	dev_t device = makedev(pool->dev_major, pool->dev_minor);

	if (S_ISBLK(path->st_mode))
		return path->st_rdev == device;
	return S_ISREG(path->st_mode) && loop_backs(device, path);
}

static bool matches(struct layerblk *lb, const struct lb_ioc_pool_status *pool, const char *text)
{
	cleanup_free char *label = NULL;
	struct stat path;

	if (text[0] == '/' || !strncmp(text, "./", 2) || !strncmp(text, "../", 3))
		return !stat(text, &path) && matches_path(pool, &path);
	if (ref_matches_uuid(text, pool->uuid))
		return true;
	label = pool_label(lb, pool->uuid);
	return label && !strcmp(label, text);
}

static int no_such_pool(const char *text, size_t open_pools, struct layerblk_error *err)
{
	char subject[300];

	if (!text) {
		layerblk_error_set(err, ENODEV, finding_pool, NULL, "no pool is open");
		return layerblk_error_hint(err, "Open one with `layerctl pool open`, or make one with `layerctl pool create`");
	}
	layerblk_error_set(err, ENODEV, finding_pool, quote(text, subject, sizeof(subject)), "no open pool is called so");
	if (!open_pools)
		return layerblk_error_hint(err, "No pool is open; `layerctl pool open` opens one");
	return layerblk_error_hint(err, "`layerctl pool ls` shows the open pools");
}

int ref_find_pool(struct layerblk *lb, const char *text, struct lb_ioc_pool_status *out, struct layerblk_error *err)
{
	cleanup_free struct lb_ioc_pool_status *pools = NULL;
	const struct lb_ioc_pool_status *found = NULL;
	char subject[300] = "";
	size_t count, i;
	int ret = layerblk_pool_list(lb, &pools, &count, err);

	if (ret)
		return ret;
	for (i = 0; i < count; i++) {
		if (text && !matches(lb, &pools[i], text))
			continue;
		if (found) {
			if (text)
				quote(text, subject, sizeof(subject));
			layerblk_error_set(err, ENOTUNIQ, finding_pool, subject, "%s",
					   text ? "more than one open pool is called so" : "more than one pool is open");
			return layerblk_error_hint(err, "Name the pool by a longer part of its UUID or by its label, as in POOL/NAME");
		}
		found = &pools[i];
	}
	if (!found)
		return no_such_pool(text, count, err);
	*out = *found;
	return 0;
}

int ref_find_volume(struct layerblk *lb, const char *text, const char *what, struct found_volume *out,
		    struct layerblk_error *err)
{
	struct lb_ioc_pool_status pool;
	struct ref ref;
	char subject[300];
	int ret = ref_parse(text, &ref, err);

	if (ret)
		return ret;
	ret = ref_find_pool(lb, ref.pool, &pool, err);
	if (!ret) {
		memcpy(out->uuid, pool.uuid, LB_UUID_LEN);
		if (ref.name)
			ret = layerblk_vol_find(lb, pool.uuid, ref.name, 0, &out->info, err);
		else
			ret = layerblk_vol_stat(lb, pool.uuid, ref.id, 0, &out->info, err);
	}
	ref_clear(&ref);
	if (ret == -ENOENT) {
		layerblk_error_set(err, ENOENT, what, quote(text, subject, sizeof(subject)), "no such volume");
		layerblk_error_hint(err, "`layerctl volume ls` shows what there is");
	}
	return ret;
}

/* A bare NAME's pool: that of `beside`, or the only one. A POOL/ must not contradict `beside`. */
static int choose_pool(struct layerblk *lb, const struct ref *ref, const char *text, const char *what,
		       const uint8_t *beside, uint8_t *uuid, struct layerblk_error *err)
{
	struct lb_ioc_pool_status pool;
	char subject[300];
	int ret;

	if (!ref->pool && beside) {
		memcpy(uuid, beside, LB_UUID_LEN);
		return 0;
	}
	ret = ref_find_pool(lb, ref->pool, &pool, err);
	if (ret)
		return ret;
	if (beside && memcmp(pool.uuid, beside, LB_UUID_LEN) != 0)
		return layerblk_error_set(err, EXDEV, what, quote(text, subject, sizeof(subject)),
					  "its pool is another one than the source's");
	memcpy(uuid, pool.uuid, LB_UUID_LEN);
	return 0;
}

int ref_new_volume(struct layerblk *lb, const char *text, const char *what, const uint8_t *beside,
		   uint8_t uuid[LB_UUID_LEN], char **name, struct layerblk_error *err)
{
	char subject[300];
	struct ref ref;
	int ret = ref_parse(text, &ref, err);

	if (ret)
		return ret;
	if (!ref.name)
		ret = layerblk_error_set(err, EINVAL, what, quote(text, subject, sizeof(subject)),
					 "a name of the form id:N is kept for ids");
	else
		ret = choose_pool(lb, &ref, text, what, beside, uuid, err);
	if (!ret)
		*name = take_ptr(ref.name);
	ref_clear(&ref);
	return ret;
}
