/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands about data volumes; their rows are in layerctl/volume.c. */
#ifndef VOLUME_VOLUME_COMMANDS_H
#define VOLUME_VOLUME_COMMANDS_H

#include "command.h"
#include "record.h"
#include "ref.h"

int volume_create_run(struct command_call *call);
int volume_clone_run(struct command_call *call);
int volume_rm_run(struct command_call *call);
int volume_prune_run(struct command_call *call);

/* Makes the volume's file system as large as the volume, mounted or not. */
int volume_grow(struct layerblk *lb, const struct found_volume *volume, struct layerblk_error *err);

/*
 * Removes the anonymous data volumes (`all`: every one) that no container has and the call's --filter takes, and says which; adds what they owned
 * to *bytes.
 */
int volumes_prune(const struct command_call *call, const struct pool *pool, bool all, uint64_t *bytes, struct layerblk_error *err);

#endif
