/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The volume commands that change a volume: volume_set.c. */
#ifndef LAYERCTL_VOLUME_H
#define LAYERCTL_VOLUME_H

#include "command.h"
#include "record.h"

int volume_resize(struct command_call *call);
int volume_set(struct command_call *call);
int volume_rollback(struct command_call *call);

/* A quota in blocks from "10G", or 0 from "none"; text NULL: 0. */
int volume_quota(const char *text, uint64_t *blocks, struct layerblk_error *err);

/* Whether a volume has a label: "KEY" or "KEY=VALUE". */
bool volume_has_label(const struct pool *pool, uint64_t id, const char *text);
/* Whether a volume passes a --filter that begins with "name=" or "label=". */
bool volume_matches(const struct pool *pool, const struct lb_vol_info *info, const char *filter);

/* What inspect prints of the volume that `text` means; *out is the caller's. */
int volume_describe(struct layerblk *lb, const char *text, json_object **out, struct layerblk_error *err);

#endif
