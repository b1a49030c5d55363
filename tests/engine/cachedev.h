/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A volatile write cache before another device: what is written stays in this process' memory until a flush, FUA, or chance brings it to the device below, in no order. A
 * process that is killed loses it, as a disk loses its cache with its power; one killed in the middle of a flush has brought some of it.
 */
#ifndef TEST_CACHEDEV_H
#define TEST_CACHEDEV_H

#include "port_user.h"

/* Over `below`, which stays the caller's. The seed decides what chance writes back. */
struct port_dev *cachedev_new(struct port_dev *below, u64 seed);
/* What is still in the cache is lost. */
void cachedev_free(struct port_dev *dev);

#endif /* TEST_CACHEDEV_H */
