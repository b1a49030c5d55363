// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Digests through OpenSSL's EVP. A hasher remembers a failure of OpenSSL (no memory) and then gives a text that equals no
 * digest, so that a check after it fails; callers need not look at each step.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include "digest.h"

struct hasher {
	EVP_MD_CTX *ctx;
	const char *name;		/* "sha256" */
	bool failed;
};

static bool all_hex(const char *text, size_t length)
{
	return strspn(text, "0123456789abcdef") == length && text[length] == '\0';
}

bool digest_is_sha256(const char *text)
{
	return text && strncmp(text, "sha256:", 7) == 0 && all_hex(text + 7, 64);
}

bool digest_valid(const char *text)
{
	return digest_is_sha256(text) || (text && strncmp(text, "sha512:", 7) == 0 && all_hex(text + 7, 128));
}

const char *digest_hex(const char *text)
{
	const char *colon = strchr(text, ':');

	return colon ? colon + 1 : text;
}

struct hasher *hasher_new(const char *algorithm_of)
{
	bool sha512 = algorithm_of && strncmp(algorithm_of, "sha512:", 7) == 0;
	struct hasher *hasher = calloc(1, sizeof(*hasher));

	if (!hasher)
		return NULL;
	hasher->name = sha512 ? "sha512" : "sha256";
	hasher->ctx = EVP_MD_CTX_new();
	if (!hasher->ctx || EVP_DigestInit_ex(hasher->ctx, sha512 ? EVP_sha512() : EVP_sha256(), NULL) != 1) {
		hasher_free(hasher);
		return NULL;
	}
	return hasher;
}

void hasher_add(struct hasher *hasher, const void *data, size_t size)
{
	if (EVP_DigestUpdate(hasher->ctx, data, size) != 1)
		hasher->failed = true;
}

void hasher_text(struct hasher *hasher, char text[DIGEST_TEXT])
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	char *at = text;

	if (hasher->failed || EVP_DigestFinal_ex(hasher->ctx, raw, &length) != 1) {
		strcpy(text, "unknown");
		return;
	}
	at += sprintf(at, "%s:", hasher->name);
	for (unsigned int i = 0; i < length; i++)
		at += sprintf(at, "%02x", raw[i]);
}

void hasher_free(struct hasher *hasher)
{
	if (!hasher)
		return;
	EVP_MD_CTX_free(hasher->ctx);
	free(hasher);
}

static int digest_like(const char *algorithm_of, const void *data, size_t size, char text[DIGEST_TEXT])
{
	struct hasher *hasher = hasher_new(algorithm_of);

	if (!hasher)
		return -ENOMEM;
	hasher_add(hasher, data, size);
	hasher_text(hasher, text);
	hasher_free(hasher);
	return 0;
}

int digest_of(const void *data, size_t size, char text[DIGEST_TEXT])
{
	return digest_like(NULL, data, size, text);
}

int digest_check(const void *data, size_t size, const char *expected, long long expected_size, const char *subject,
		 struct layerblk_error *err)
{
	char found[DIGEST_TEXT];
	int rc;

	if (expected_size >= 0 && (unsigned long long)expected_size != size)
		return layerblk_error_set(err, EBADMSG, "verify", subject,
					  "it is %zu bytes long, its descriptor says %lld", size, expected_size);
	rc = digest_like(expected, data, size, found);
	if (rc)
		return layerblk_error_set(err, -rc, "verify", subject, "no memory");
	if (strcmp(found, expected) != 0)
		return layerblk_error_set(err, EBADMSG, "verify", subject, "its digest is %s, not %s", found, expected);
	return 0;
}

int chain_id(const char *parent, const char *diff_id, char text[DIGEST_TEXT])
{
	char both[2 * DIGEST_TEXT + 1];
	int length;

	if (!parent || !*parent) {
		snprintf(text, DIGEST_TEXT, "%s", diff_id);
		return 0;
	}
	length = snprintf(both, sizeof(both), "%s %s", parent, diff_id);
	return digest_of(both, (size_t)length, text);
}
