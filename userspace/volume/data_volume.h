/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data volumes: what containers mount besides their roots, and what outlives them. ATTR_VOLUME of the volume says how it came to be:
 *
 *	{"version":1, "fs":"ext4", "anonymous":true, "new":true, "driver":"local", "options":{"type":…, "device":…, "o":…}}
 *
 * A volume with a file system of ours is made under a working name (work.h) and gets its own in one transaction when the file system is
 * there. One that was made without is formatted when a container first uses it, unless somebody has written to it. One with `options` is storage
 * elsewhere: its own disk has one block and stays empty, and whoever uses it mounts `device` instead.
 */
#ifndef VOLUME_DATA_VOLUME_H
#define VOLUME_DATA_VOLUME_H

#include "record.h"

#define DATA_VOLUME_SIZE	(10ULL << 30)	/* unless something else is asked for; only what is written takes space */

struct data_volume {
	char *fs;			/* what we have formatted it with; NULL: nothing yet, or somebody else has */
	bool anonymous;			/* its name is made up: it goes with its container or with prune */
	bool is_new;			/* empty since it was formatted: the first container fills it from its image */
	bool formatting;		/* a crash has left half a file system */
	char *type, *device, *options;	/* as for mount -t TYPE -o OPTIONS DEVICE; device NULL: its own disk */
};

/* -ENODATA when it is no data volume of ours (err is not set then). data_volume_clear() it, also after a failure. */
int data_volume_load(const struct pool *pool, uint64_t id, struct data_volume *out, struct layerblk_error *err);
int data_volume_store(const struct pool *pool, uint64_t id, const struct data_volume *about, struct layerblk_error *err);
/* Adds it to a transaction. -ENOMEM. */
int data_volume_enter(struct layerblk_attrs *attrs, uint64_t id, const struct data_volume *about, struct layerblk_error *err);
void data_volume_clear(struct data_volume *about);

/* What a volume that is to be made shall be; zero-filled: the defaults. */
struct volume_request {
	uint64_t size;			/* bytes; 0: DATA_VOLUME_SIZE */
	uint64_t quota_blocks;		/* 0: none */
	struct data_volume about;
};

void volume_request_clear(struct volume_request *request);
/* One "KEY=VALUE" as of --opt: type, device, o, size, quota, fs. -EINVAL. */
int volume_request_option(struct volume_request *request, const char *text, struct layerblk_error *err);
/* -EINVAL unless the options go together. */
int volume_request_check(const struct volume_request *request, const char *name, struct layerblk_error *err);

/*
 * Makes a volume, with its file system if about.fs is set. attrs: what else it shall have (of LB_ATTR_NEW_VOLUME), may be NULL. -EEXIST when the
 * name is taken.
 */
int data_volume_make(const struct pool *pool, const char *name, const struct volume_request *request, struct layerblk_attrs *attrs,
		     uint64_t *id, struct layerblk_error *err);

/*
 * A volume that nobody has ever written to, and one whose formatting was cut short, gets a file system. *about is as data_volume_load() gives it
 * afterwards; zeros for a volume of somebody else's.
 */
int data_volume_ready(const struct pool *pool, uint64_t id, struct data_volume *about, struct layerblk_error *err);

/* Mounts what the volume stands for. read_only: a frozen one. The caller holds it (hold.h). */
int data_volume_mount(const struct pool *pool, uint64_t id, const char *directory, bool read_only, struct layerblk_error *err);

#endif
