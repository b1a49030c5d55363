/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a pool knows of images, kept in its attributes (docs/images.md has the whole list):
 *
 *	image/FS/HEX		the record of an image: JSON
 *	image/FS/HEX/config	its config, byte for byte
 *	image/FS/HEX/manifest	its manifest, byte for byte (not for docker save)
 *	tag/NAME:TAG		"FS/HEX"
 *	chain/FS/HEX		the id of the frozen volume with this ChainID
 *	build/FS/HEX		the id of the frozen volume that was built from what this key stands for
 *	alias/FS/HEX		"FS/HEX": the id that an image has got instead of this one (finalize.h)
 *	identity/HEX		the id of the frozen volume that has this identity (identity.h)
 *
 * An image is a config digest on a file system: the same image imported for ext4 and for xfs is two.
 */
#ifndef IMAGE_RECORD_H
#define IMAGE_RECORD_H

#include <json-c/json.h>
#include "digest.h"
#include "reference.h"

#define KEY_IMAGE	"image/"
#define KEY_TAG		"tag/"
#define KEY_CHAIN	"chain/"
#define KEY_ALIAS	"alias/"
#define KEY_BUILD	"build/"
#define KEY_TEXT	(LB_KEY_MAX + 1)

#define ATTR_LAYER	"layerblk.layer"	/* of a volume: JSON about the layer it is */
#define ATTR_IMPORT	"layerblk.import"	/* of a volume: an import is working on it */
#define ATTR_VOLUME	"layerblk.volume"	/* of a volume: JSON; a data volume (data_volume.h) */

#define FS_TEXT		16

struct pool {				/* which pool; borrowed by everything */
	struct layerblk *lb;
	const uint8_t *uuid;
};

struct image_record {
	char fs[FS_TEXT];
	char id[DIGEST_TEXT];
	char manifest_digest[DIGEST_TEXT];	/* "" for docker save */
	char created[40];		/* RFC 3339 as the config has it, "" */
	uint64_t imported_s;
	uint64_t *layers;		/* volumes, the base first */
	size_t layer_count;
};

void record_clear(struct image_record *record);
uint64_t record_top(const struct image_record *record);

/* "FS/HEX", what a tag's value is. */
void record_target(const struct image_record *record, char target[KEY_TEXT]);

/* Adds the record, its config, manifest (may be NULL) to a transaction. */
int record_store(struct layerblk_attrs *attrs, const struct image_record *record, const char *config, size_t config_size,
		 const char *manifest, size_t manifest_size, struct layerblk_error *err);
/* Adds a tag that points to the record. */
void record_store_tag(struct layerblk_attrs *attrs, const struct image_record *record, const char *name);
/* Adds that the id of the first image means the second one from now on. */
void record_store_alias(struct layerblk_attrs *attrs, const struct image_record *from, const struct image_record *to);
/* Whether id is the image's, or was. */
bool record_has_id(const struct pool *pool, const struct image_record *record, const char *id);
/* Adds the removal of all its former ids. */
int record_drop_aliases(const struct pool *pool, struct layerblk_attrs *attrs, const struct image_record *record,
			struct layerblk_error *err);

/* Adds the removal of a tag, or of the record. */
void record_drop_tag(struct layerblk_attrs *attrs, const char *name);
void record_drop(struct layerblk_attrs *attrs, const struct image_record *record);

/* -ENOENT when there is no such image. */
int record_load(const struct pool *pool, const char *target, struct image_record *out, struct layerblk_error *err);
/* The config as JSON, or its bytes with record_document() and "config" or "manifest". */
int record_config(const struct pool *pool, const struct image_record *record, json_object **out,
		  struct layerblk_error *err);
int record_document(const struct pool *pool, const struct image_record *record, const char *which, char **data,
		    size_t *size, struct layerblk_error *err);

/* Every image and every tag of the pool. */
struct tag {
	char *name;			/* "debian:12" */
	char *target;			/* "ext4/HEX" */
};

struct catalogue {
	struct image_record *records;
	size_t record_count;
	struct tag *tags;		/* in the order of their names */
	size_t tag_count;
};

bool tag_is_of(const struct tag *tag, const struct image_record *record);
int catalogue_load(const struct pool *pool, struct catalogue *out, struct layerblk_error *err);
void catalogue_clear(struct catalogue *catalogue);

/* By name, "sha256:HEX" (of a former id, too) or the beginning of the HEX (at least 4 digits). Load a catalogue only when it is needed. */
int record_find(const struct pool *pool, const char *text, struct image_record *out, struct layerblk_error *err);

/* Only by name, a normal one. -ENOENT, without err set. */
int record_find_name(const struct pool *pool, const char *normal, struct image_record *out);

/* ------------------------------------------------------------------ layers */

/*
 * The frozen volume of a ChainID: 1 and *id when there is one, 0 when there is none (or the key points to a volume that
 * somebody has removed or changed by hand).
 */
int layer_find(const struct pool *pool, const char *fs, const char *chain, uint64_t *id, struct layerblk_error *err);
void layer_key(const char *fs, const char *chain, char key[KEY_TEXT]);
/*
 * Adds the key of a ChainID to the transaction that makes a layer, unless another layer has it, or unless the one below (0: none) has not the key
 * of its own, below_chain: so that layers which are found by the ChainIDs of one image always lie upon each other. The pool is locked.
 */
int layer_enter(const struct pool *pool, struct layerblk_attrs *attrs, const char *fs, const char *chain, uint64_t volume, uint64_t below,
		const char *below_chain, struct layerblk_error *err);
/* Adds the removal of a key of the pool whose value is this volume's id; nothing, if it is another's or missing. */
void key_drop_of(const struct pool *pool, struct layerblk_attrs *attrs, const char *key, uint64_t volume);
/* Adds a key of the pool with the id of a volume as its value. */
void key_enter(struct layerblk_attrs *attrs, const char *key, uint64_t volume);
void build_key(const char *fs, const char *key, char out[KEY_TEXT]);
/* What its volume is called: "layer-" and the first 16 digits of the ChainID, with ".FS" unless that is ext4. */
void layer_name(const char *fs, const char *chain, char name[LB_NAME_MAX + 1]);
/* The two ChainIDs that a layer can have, the first as it was made, the second final (""), from ATTR_LAYER. */
void layer_chains(json_object *attribute, const char **chain, const char **final);
/* The beginning of ATTR_LAYER for a layer that is being made; NULL: no memory. */
json_object *layer_attribute_new(const char *fs, const char *chain, const char *diff_id);
/* What ATTR_LAYER says of a volume, or NULL when it is no layer. json_object_put() it. */
json_object *layer_attribute(const struct pool *pool, uint64_t id);

#endif
