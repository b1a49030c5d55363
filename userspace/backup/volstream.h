/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The format of backup streams and of streams of images, version 1 (docs/backup.md tells it in words). All numbers are little endian.
 *
 * A stream is a row of records: STREAM, then for each volume VOLUME, any number of BLOCKS, VOLUME_END, and at last STREAM_END. In a stream of
 * images, the volumes are layers, and before the first of them there is an IMAGE for each image.
 * Each record has a head with a checksum of its own, and one of the payload; heads are numbered, and each IMAGE, each VOLUME_END and the STREAM_END
 * carries the SHA-256 of all bytes of the stream before it. Nothing in it points backwards or forwards, so that it is written
 * and read in one pass, through any pipe. A stream may follow directly on another.
 *
 * Whatever is read is somebody else's: every length has a limit here, and is checked against it before memory is taken or a
 * byte of the payload is believed.
 */
#ifndef BACKUP_VOLSTREAM_H
#define BACKUP_VOLSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <layerblk.h>

#define VOLSTREAM_MAGIC		0x314b424cU	/* "LBK1" as the stream's first bytes */
#define VOLSTREAM_VERSION	1
#define VOLSTREAM_HEAD		32		/* bytes of a record's head */
#define VOLSTREAM_BLOCKS_MAX	256		/* blocks with data in one record */
#define VOLSTREAM_RANGES_MAX	512		/* ranges in one record */
#define VOLSTREAM_ATTRS_MAX	200
#define VOLSTREAM_TEXT_MAX	(1U << 20)	/* bytes of a VOLUME record */
#define VOLSTREAM_IMAGE_MAX	((2U << 20) + (128U << 10))	/* bytes of an IMAGE record */
#define VOLSTREAM_LAYERS_MAX	1024		/* of an image */
#define VOLSTREAM_NAMES_MAX	200		/* of an image */
#define VOLSTREAM_DIGEST	32
#define VOLSTREAM_ID		16		/* what a backup is known by: random bytes */
#define VOLSTREAM_FS		16
#define VOLSTREAM_DATA_MAX	(VOLSTREAM_BLOCKS_MAX * LB_BLOCK_SIZE)

enum volstream_type {
	VOLSTREAM_STREAM = 1,
	VOLSTREAM_VOLUME,
	VOLSTREAM_BLOCKS,
	VOLSTREAM_VOLUME_END,
	VOLSTREAM_STREAM_END,
	VOLSTREAM_IMAGE,
};

enum volstream_contents { VOLSTREAM_OF_VOLUMES, VOLSTREAM_OF_IMAGES };

#define VOLSTREAM_IMAGES	(1U << 0)	/* flag of a stream: it is one of images */

enum volstream_encoding { VOLSTREAM_RAW, VOLSTREAM_ZSTD };

#define VOLSTREAM_DATA		(1U << 0)	/* flag of a range: its blocks follow; without it they read as zeros */

struct volstream_head {				/* a record's head, in memory */
	uint16_t type;
	uint16_t encoding;			/* of the data of a BLOCKS record */
	uint32_t length;			/* of the payload, as it is in the stream */
	uint32_t count;				/* ranges of a BLOCKS record, otherwise 0 */
	uint64_t sequence;			/* 0 for STREAM, then one more each time */
	uint32_t payload_crc;			/* CRC32C */
};

void volstream_head_pack(const struct volstream_head *head, uint8_t wire[VOLSTREAM_HEAD]);
/* -EBADMSG: no record begins here, or it is damaged; -EPROTO: a whole one that this version must not have made. */
int volstream_head_unpack(const uint8_t wire[VOLSTREAM_HEAD], struct volstream_head *head, const char **why);

uint32_t volstream_crc(uint32_t crc, const void *data, size_t size);	/* begins with 0; goes on with what it gave */

struct volstream_range {
	uint64_t start;				/* block */
	uint32_t count;
	uint32_t flags;
};

#define VOLSTREAM_RANGE		16		/* bytes of a range in the stream */

void volstream_range_pack(const struct volstream_range *range, uint8_t wire[VOLSTREAM_RANGE]);
void volstream_range_unpack(const uint8_t wire[VOLSTREAM_RANGE], struct volstream_range *range);

/* ------------------------------------------------------------------ what is said of the stream and of a volume */

struct volstream_attr {
	char *key;				/* "label.owner"; zero terminated, as the value is */
	char *value;
	uint32_t value_len;
};

#define VOLSTREAM_FROZEN	(1U << 0)	/* flag of a volume: it was a frozen one */

struct volstream_volume {
	char name[LB_NAME_MAX + 1];		/* of the volume that was backed up, at that time */
	char fs[VOLSTREAM_FS + 1];		/* its file system, "" when it is not known: for people */
	uint8_t pool[LB_UUID_LEN];		/* where it comes from, for people */
	uint64_t id;
	uint8_t backup[VOLSTREAM_ID];		/* which state this is: that backup, or that layer */
	uint8_t base[VOLSTREAM_ID];		/* which one it is told against; zeros: an empty volume */
	uint64_t time_s;			/* of that state, seconds since 1970 */
	uint64_t size;				/* bytes */
	uint64_t quota_blocks;
	uint32_t flags;				/* VOLSTREAM_FROZEN */
	struct volstream_attr *attrs;
	size_t attr_count;
};

void volstream_volume_clear(struct volstream_volume *volume);
bool volstream_is_full(const struct volstream_volume *volume);
/* Adds an attribute. -E2BIG when there are too many. */
int volstream_attr_add(struct volstream_volume *volume, const char *key, const char *value, size_t value_len,
			struct layerblk_error *err);

/* The payload of a VOLUME record: malloc()ed. */
int volstream_volume_pack(const struct volstream_volume *volume, uint8_t **wire, size_t *size, struct layerblk_error *err);
/* -EPROTO and why; *volume is then empty. */
int volstream_volume_unpack(const uint8_t *wire, size_t size, struct volstream_volume *volume, const char **why);

/* ------------------------------------------------------------------ what is said of an image */

struct volstream_image {
	uint8_t id[VOLSTREAM_DIGEST];		/* the SHA-256 of its config */
	char fs[VOLSTREAM_FS + 1];
	uint8_t (*layers)[VOLSTREAM_ID];	/* their identities, the base first */
	size_t layer_count;
	char **names;				/* "debian:12" */
	size_t name_count;
	char *config;				/* these four zero terminated behind their sizes */
	size_t config_size;
	char *manifest;				/* NULL: none */
	size_t manifest_size;
	char *manifest_digest;			/* as text; NULL when there is no manifest */
};

void volstream_image_clear(struct volstream_image *image);
/* The payload of an IMAGE record: malloc()ed, with room for the SHA-256 at its end. */
int volstream_image_pack(const struct volstream_image *image, uint8_t **wire, size_t *size, struct layerblk_error *err);
/* -EPROTO and why; *image is then empty. What the texts say is for others to check. */
int volstream_image_unpack(const uint8_t *wire, size_t size, struct volstream_image *image, const char **why);

/* ------------------------------------------------------------------ ends */

struct volstream_totals {			/* of a VOLUME_END */
	uint64_t data_blocks;
	uint64_t cleared_blocks;
	uint64_t ranges;
};

#define VOLSTREAM_START_BYTES		64	/* payload of a STREAM record */
#define VOLSTREAM_VOLUME_END_BYTES	(24 + VOLSTREAM_DIGEST)
#define VOLSTREAM_STREAM_END_BYTES	(8 + VOLSTREAM_DIGEST)

#define VOLSTREAM_ID_TEXT	(2 * VOLSTREAM_ID + 1)
char *volstream_id_text(const uint8_t id[VOLSTREAM_ID], char text[VOLSTREAM_ID_TEXT]);	/* 32 hex digits */
int volstream_id_parse(const char *text, uint8_t id[VOLSTREAM_ID]);			/* -EINVAL */

#endif
