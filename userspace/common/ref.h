/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pool and which volume a person means.
 *
 * A pool: at least 4 hex digits of its UUID (dashes allowed) or its label (pool attribute LABEL_KEY), or its device's path.
 * A volume: NAME (in the only open pool), POOL/NAME, id:N or POOL/id:N. Volume names hold no slash, so the last slash
 * is the border.
 */
#ifndef COMMON_REF_H
#define COMMON_REF_H

#include <stdint.h>
#include <layerblk.h>

#define LABEL_KEY	"layerblk.label"
#define UUID_TEXT	37			/* with the terminating zero */

struct ref {				/* the parts of a text; free with ref_clear() */
	char *pool;			/* NULL: the only one */
	char *name;			/* NULL: by id, or only the pool is meant */
	uint64_t id;
};

/* Takes "POOL/NAME" and so on apart; asks nobody. */
int ref_parse(const char *text, struct ref *out, struct layerblk_error *err);
void ref_clear(struct ref *ref);

/* Whether `text` is a prefix (>= 4 hex digits, dashes ignored) of this UUID. */
bool ref_matches_uuid(const char *text, const uint8_t uuid[LB_UUID_LEN]);

/* The open pool meant by text (NULL: the only open one). -ENODEV: none such; -ENOTUNIQ: several; each with a hint. */
int ref_find_pool(struct layerblk *lb, const char *text, struct lb_ioc_pool_status *out, struct layerblk_error *err);

struct found_volume {
	uint8_t uuid[LB_UUID_LEN];
	struct lb_vol_info info;
};

/* The volume meant by text; `what` is what is about to be done ("remove the volume"), for the error. */
int ref_find_volume(struct layerblk *lb, const char *text, const char *what, struct found_volume *out,
		    struct layerblk_error *err);

/*
 * The pool and name for a volume that is to be made from "NAME" or "POOL/NAME" (checked with layerblk_name_check()).
 * *name is malloc()ed. beside, when not NULL, is the pool meant by a bare NAME (that of a snapshot's source), and any other
 * is an error.
 */
int ref_new_volume(struct layerblk *lb, const char *text, const char *what, const uint8_t *beside,
		   uint8_t uuid[LB_UUID_LEN], char **name, struct layerblk_error *err);

/* Its label, malloc()ed, or NULL when it has none. */
char *pool_label(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN]);
/* 1 to 63 letters, digits, '.', '_' or '-', the first a letter or digit, and not what could be a UUID prefix. */
int pool_label_check(const char *label, struct layerblk_error *err);

char *uuid_text(const uint8_t uuid[LB_UUID_LEN], char text[UUID_TEXT]);
int uuid_from_text(const char *text, uint8_t uuid[LB_UUID_LEN]);	/* a whole one; -EINVAL */

#endif
