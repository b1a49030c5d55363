/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pools and volumes as JSON objects: what ls, status, inspect, tree and info show. */
#ifndef LAYERCTL_SHOW_H
#define LAYERCTL_SHOW_H

#include "output.h"

/* Attributes of volumes that people set with --label are kept under this prefix. */
#define USER_LABEL	"label."

extern const struct output_column show_pool_columns[];
extern const struct output_column show_volume_columns[];

/* An array of all open pools; the caller's. */
int show_open_pools(struct layerblk *lb, json_object **out, struct layerblk_error *err);
/* One pool, with all of its state when `whole`. NULL never. */
json_object *show_pool(struct layerblk *lb, const struct lb_ioc_pool_status *pool, bool whole);
/* "rw", "read-only", "failed, low space"... */
void show_pool_state(const struct lb_ioc_pool_status *pool, char *text, size_t size);
/* The path of a block device by number, or "M:m". */
void show_device(uint32_t major, uint32_t minor, char *text, size_t size);

/* One volume. parent_name NULL: the parent is hidden or there is none. */
json_object *show_volume(const struct lb_vol_info *info, const char *parent_name);
/* All user labels and all attribute keys of a volume are added to its object. */
int show_attributes(struct layerblk *lb, const uint8_t *uuid, uint64_t id, json_object *object,
		    struct layerblk_error *err);

#endif
