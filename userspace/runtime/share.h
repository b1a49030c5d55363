/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a container mounts besides its root: data volumes (with a file system, they outlive it), directories of the host, tmpfs.
 *
 * One volume may be in several containers at once. Each mounts it in its own mount namespace (the kernel gives all of them the same file
 * system) and holds it (hold.h).
 *
 * How they are written is in share_parse.c; how they are found, mounted and let go of in share.c. Volumes are made by data_volume.h.
 */
#ifndef RUNTIME_SHARE_H
#define RUNTIME_SHARE_H

#include <json-c/json.h>
#include "data_volume.h"

#define SHARE_DIR	"/run/layerblk/volumes"

enum share_kind { SHARE_VOLUME, SHARE_BIND, SHARE_TMPFS };

struct share {
	enum share_kind kind;
	char *source;			/* the volume's name, or an absolute path of the host; NULL for tmpfs */
	char *target;			/* absolute, in the container */
	char *options;			/* of mounting, separated by commas; may be NULL */
	bool read_only;
	bool anonymous;			/* a volume of a name that we made up: it goes with the container */
	bool no_copy;			/* a new volume is not filled from the image */
	bool must_exist;		/* --mount type=bind: a missing directory is an error */
	struct volume_request wanted;	/* of a volume that is made because it is missing */
	bool made;			/* by share_prepare() */
	bool is_new;			/* empty: volumes_fill() fills it from the image */
	uint64_t volume;
	int lock;			/* -1: none */
	char path[64];			/* where the volume is mounted */
};

struct share_list {			/* in the order of targets, so that what lies within another comes after it */
	struct share *shares;
	size_t count;
};

/* [NAME:|/host:]/path[:ro|rw|nocopy|...], the value of --mount, and that of --tmpfs. -EINVAL. share_clear() it. */
int share_parse(const char *text, struct share *out, struct layerblk_error *err);
int share_parse_mount(const char *text, struct share *out, struct layerblk_error *err);
int share_parse_tmpfs(const char *text, struct share *out, struct layerblk_error *err);
void share_clear(struct share *share);

/* As in a container's record, and back. */
json_object *share_json(const struct share *share);
int share_from_json(json_object *json, struct share *out, struct layerblk_error *err);

/* Takes over *share. -EINVAL: another has its target. */
int shares_add(struct share_list *list, struct share *share, struct layerblk_error *err);
bool shares_have(const struct share_list *list, const char *target);
void shares_clear(struct share_list *list);
json_object *shares_json(const struct share_list *list);
int shares_from_json(json_object *array, struct share_list *out, struct layerblk_error *err);

/*
 * Finds the volume, or makes it as it is wanted, with an ext4 if nothing is said; one that nothing was ever written to gets an ext4 too. For
 * a path of the host, makes a missing directory, as Docker does.
 */
int share_prepare(const struct pool *pool, struct share *share, struct layerblk_error *err);
/*
 * For a record's list: a volume that has been removed since, while another has got its name (a backup was restored in its place), becomes that
 * one. One that is only gone stays as it is, for share_mount() to tell.
 */
void shares_find_again(const struct pool *pool, struct share_list *list);
/* Holds, activates and mounts it, in a private mount namespace. */
int share_mount(const struct pool *pool, struct share *share, struct layerblk_error *err);
/* Lets go of it: in a namespace that is about to end, after namespace_unmount_all(). */
void share_release(const struct pool *pool, struct share *share);
/* Lets go of the disks of what a container's record lists, as far as nobody uses them. */
void share_release_all(const struct pool *pool, json_object *record);
/* Removes the anonymous volumes that a container's record lists; one that is in use, or has a snapshot, stays. */
void share_remove_anonymous(const struct pool *pool, json_object *record);

#endif
