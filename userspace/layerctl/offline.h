/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pools that are not open: made, recognised and wiped by the engine in this process, on a device or file. */
#ifndef LAYERCTL_OFFLINE_H
#define LAYERCTL_OFFLINE_H

#include <stdint.h>
#include <layerblk.h>

/* Makes an empty pool with an optional label. The caller has asked and holds the device. Gives its UUID. */
int offline_format(const char *path, const char *label, uint8_t uuid[LB_UUID_LEN], struct layerblk_error *err);

struct offline_pool {
	uint8_t uuid[LB_UUID_LEN];
	uint64_t total_blocks;
	uint64_t generation;
	uint64_t created_s;
};

/* -EMEDIUMTYPE: no pool is there. -EOPNOTSUPP, -EUCLEAN, -ESTALE, -EIO: as the UAPI header says. Reads only. */
int offline_probe(const char *path, struct offline_pool *out, struct layerblk_error *err);

/* The label of a closed pool: malloc()ed, or NULL when it has none. Reads only. */
int offline_label(const char *path, char **label, struct layerblk_error *err);

/* Overwrites every superblock, so that nothing takes it for a pool again. */
int offline_wipe(const char *path, struct layerblk_error *err);

#endif
