/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is below the requests, for the module's files and for the fuzzer: force-included before each of the former, in place of kmod/compat.h, kmod/bio.h and kmod/trace.h, whose guards the
 * Makefile defines.
 */
#ifndef FUZZ_BELOW_H
#define FUZZ_BELOW_H

#include "kshim.h"
#include "disk.h"

/* bio.c, bio_room.c */
int lbk_bio_pools_init(struct lbk_pool *pool);
void lbk_bio_pools_exit(struct lbk_pool *pool);
void lbk_room_init(struct lbk_pool *pool);
void lbk_room_exit(struct lbk_pool *pool);
void lbk_room_done(struct lbk_pool *pool, u64 round);

/* ------------------------------------------------------------------ for the fuzzer */

#define BELOW_MAJOR	8u
#define BELOW_DISKS	6u

/* Block device BELOW_MAJOR:i is this disk from now on (NULL: none such). Not owned. */
void below_set(unsigned int i, struct port_dev *sim);
/* A way for requests to fail: what freezing the file system on a volume's disk returns. */
extern int below_freeze_error;
/* Somebody opens the disk of a volume, or closes all disks. */
void below_open_disk(const u8 uuid[16], u64 id);
void below_close_disks(void);
/* Every open pool is closed, whose disks are closed. */
void below_close_pools(void);

#endif /* FUZZ_BELOW_H */
