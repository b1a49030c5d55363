// SPDX-License-Identifier: GPL-2.0-or-later
/* Image names; see reference.h. The grammar is that of Docker's distribution references. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "reference.h"

#define TAG_MAX		128
#define LOWER_DIGITS	"abcdefghijklmnopqrstuvwxyz0123456789"

static bool tag_valid(const char *tag)
{
	size_t length = strlen(tag);

	if (length == 0 || length > TAG_MAX || (!isalnum((unsigned char)*tag) && *tag != '_'))
		return false;
	for (; *tag; tag++)
		if (!isalnum((unsigned char)*tag) && !strchr("_.-", *tag))
			return false;
	return true;
}

/* Runs of lower-case letters and digits, separated by one dot, one or two underscores, or any number of dashes. */
static bool component_valid(const char *at, size_t length)
{
	const char *end = at + length;
	size_t run;

	while (at < end) {
		run = strspn(at, LOWER_DIGITS);
		if (run == 0 || at + run > end)
			return false;
		at += run;
		if (at == end)
			return true;
		run = strspn(at, "-");
		if (run == 0)
			run = *at == '.' ? 1 : strspn(at, "_") <= 2 ? strspn(at, "_") : 0;
		if (run == 0)
			return false;
		at += run;
	}
	return false;
}

/* Letters and digits, with single dots, dashes and colons between them. */
static bool domain_valid(const char *at, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		bool between = i > 0 && i + 1 < length && isalnum((unsigned char)at[i - 1]);

		if (!isalnum((unsigned char)at[i]) && !(between && strchr(".-:", at[i])) &&
		    !(at[i] == '-' && i > 0 && at[i - 1] == '-'))
			return false;
	}
	return length > 0;
}

/* The first component is a domain when it has a dot or a colon, or is "localhost". */
static size_t domain_length(const char *name)
{
	size_t length = strcspn(name, "/");

	if (name[length] != '/')
		return 0;
	if (memchr(name, '.', length) || memchr(name, ':', length) || (length == 9 && memcmp(name, "localhost", 9) == 0))
		return length;
	return 0;
}

static bool path_valid(const char *path)
{
	for (;;) {
		size_t length = strcspn(path, "/");

		if (!component_valid(path, length))
			return false;
		if (path[length] == '\0')
			return true;
		path += length + 1;
	}
}

int reference_normalize(const char *text, char out[REFERENCE_MAX], struct layerblk_error *err)
{
	static const char what[] = "use the image name";
	char name[REFERENCE_MAX];
	const char *rest, *tag = "latest";
	char *colon, *slash;
	size_t domain;

	if (strlen(text) >= sizeof(name))
		return layerblk_error_set(err, EINVAL, what, text, "it is longer than %d bytes", REFERENCE_MAX - 1);
	strcpy(name, text);
	if (strchr(name, '@'))
		return layerblk_error_set(err, EINVAL, what, text, "a digest cannot be part of a name");
	colon = strrchr(name, ':');
	slash = strrchr(name, '/');
	if (colon && (!slash || colon > slash)) {
		*colon = '\0';
		tag = colon + 1;
	}
	if (!tag_valid(tag))
		return layerblk_error_set(err, EINVAL, what, text,
					  "the tag after the colon must have 1 to %d letters, digits, '_', '.' or '-'",
					  TAG_MAX);
	rest = name;
	while (strncmp(rest, "docker.io/", 10) == 0)	/* what is normal stays as it is when it is read again */
		rest += 10;
	if (rest != name && strncmp(rest, "library/", 8) == 0 && !strchr(rest + 8, '/'))
		rest += 8;
	domain = domain_length(rest);
	if ((domain && !domain_valid(rest, domain)) || !path_valid(rest + (domain ? domain + 1 : 0)))
		return layerblk_error_set(err, EINVAL, what, text,
					  "a name has lower-case letters and digits, separated by '/', '.', '_' or '-'");
	if (snprintf(out, REFERENCE_MAX, "%s:%s", rest, tag) >= REFERENCE_MAX)
		return layerblk_error_set(err, EINVAL, what, text, "with its tag it is longer than %d bytes", REFERENCE_MAX - 1);
	return 0;
}

void reference_split(const char *normal, char repository[REFERENCE_MAX], const char **tag)
{
	const char *colon = strrchr(normal, ':');
	size_t length = colon ? (size_t)(colon - normal) : strlen(normal);

	snprintf(repository, REFERENCE_MAX, "%.*s", (int)length, normal);
	*tag = colon ? colon + 1 : "latest";
}

void reference_full(const char *normal, char full[REFERENCE_MAX + 32])
{
	const char *prefix = domain_length(normal) ? "" : strchr(normal, '/') ? "docker.io/" : "docker.io/library/";

	snprintf(full, REFERENCE_MAX + 32, "%s%.*s", prefix, REFERENCE_MAX, normal);
}

bool reference_is_tag(const char *text)
{
	return tag_valid(text);
}

void reference_from_path(const char *path, char repository[REFERENCE_MAX])
{
	static const char *const suffixes[] = { ".gz", ".zst", ".xz", ".bz2", ".tar", ".tgz", ".oci", ".docker" };
	size_t length = strlen(path), out = 0;
	const char *base;
	char last = '-';

	while (length > 1 && path[length - 1] == '/')
		length--;
	for (base = path + length; base > path && base[-1] != '/'; base--)
		;
	length -= (size_t)(base - path);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		size_t n = strlen(suffixes[i]);

		if (length > n && memcmp(base + length - n, suffixes[i], n) == 0)
			length -= n;
	}
	for (size_t i = 0; i < length && out < REFERENCE_MAX - TAG_MAX - 2; i++) {
		char c = (char)tolower((unsigned char)base[i]);

		if (!strchr(LOWER_DIGITS, c))
			c = '-';
		if (c == '-' && last == '-')
			continue;
		repository[out++] = last = c;
	}
	while (out > 0 && repository[out - 1] == '-')
		out--;
	repository[out] = '\0';
}
