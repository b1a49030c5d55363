/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Content digests as OCI writes them ("sha256:<64 hex>"), computed while bytes pass by, and ChainIDs. */
#ifndef IMAGE_DIGEST_H
#define IMAGE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <layerblk.h>

#define DIGEST_TEXT	136		/* the longest, "sha512:" and 128 hex digits, with the terminating zero */
#define DIGEST_HEX	65		/* the 64 hex digits of a sha256 with the terminating zero */

/* Whether text is "sha256:" or "sha512:" and the right number of lower-case hex digits: safe as a file name too. */
bool digest_valid(const char *text);
/* As digest_valid(), and it is a sha256. */
bool digest_is_sha256(const char *text);
/* What follows the colon. */
const char *digest_hex(const char *text);

struct hasher;				/* one digest under way */

/* algorithm_of is a digest whose algorithm is to be used, or NULL for sha256. NULL: no memory. */
struct hasher *hasher_new(const char *algorithm_of);
void hasher_add(struct hasher *hasher, const void *data, size_t size);
/* The digest of all that was added; only hasher_free() may follow. */
void hasher_text(struct hasher *hasher, char text[DIGEST_TEXT]);
void hasher_free(struct hasher *hasher);	/* takes NULL */

/* The sha256 of a whole buffer. -ENOMEM when OpenSSL fails. */
int digest_of(const void *data, size_t size, char text[DIGEST_TEXT]);

/*
 * -EBADMSG unless data has this digest (and is `size` bytes long, when expected_size is not negative). subject names the
 * thing in the error.
 */
int digest_check(const void *data, size_t size, const char *expected, long long expected_size, const char *subject,
		 struct layerblk_error *err);

/*
 * The ChainID of a layer: that of the first layer is its diff_id, that of each other the sha256 of "parent's ChainID,
 * a space, its diff_id". parent "" or NULL: the first layer.
 */
int chain_id(const char *parent, const char *diff_id, char text[DIGEST_TEXT]);

#endif
