/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests: ioctls on the control device. control.c decodes them by one table; the handlers get a kernel copy of the struct, whose
 * size, flags and reserved fields are as they must be, and leave their answer in it.
 */
#ifndef LBK_CONTROL_H
#define LBK_CONTROL_H

#include "layerblk.h"
#include "pool.h"

/* ioctl_pool.c */
int lbk_ioctl_version(void *arg);
int lbk_ioctl_pool_open(void *arg);
int lbk_ioctl_pool_close(void *arg);
int lbk_ioctl_pool_status(void *arg);
int lbk_ioctl_pool_next(void *arg);
int lbk_ioctl_pool_set(void *arg);
int lbk_ioctl_pool_grow(void *arg);
int lbk_ioctl_pool_sync(void *arg);
int lbk_ioctl_pool_scrub(void *arg);

/* ioctl_vol.c */
int lbk_ioctl_vol_create(void *arg);
int lbk_ioctl_vol_snapshot(void *arg);
int lbk_ioctl_vol_freeze(void *arg);
int lbk_ioctl_vol_rm(void *arg);
int lbk_ioctl_vol_set(void *arg);
int lbk_ioctl_vol_rollback(void *arg);

/* ioctl_disk.c */
int lbk_ioctl_vol_stat(void *arg);
int lbk_ioctl_vol_activate(void *arg);
int lbk_ioctl_vol_deactivate(void *arg);

/* ioctl_attr.c */
int lbk_ioctl_attr_get(void *arg);
int lbk_ioctl_attr_next(void *arg);
int lbk_ioctl_diff(void *arg);

/* What a request names by pointer and length. */
struct lbk_text {
	struct lb_name name;
	char buf[LB_NAME_MAX + 1];
};

/* 1 to LB_NAME_MAX bytes (or none, if `optional`): -EINVAL, -EFAULT. Which bytes a name may hold is the engine's affair. */
int lbk_text_get(struct lbk_text *t, u64 pointer, u32 len, bool optional);

/* Attribute changes of a request: -EINVAL, -E2BIG, -EFAULT, -ENOMEM. */
struct lbk_attrs {
	struct lb_tx tx;
	struct lb_attr_change *changes;
	char *bytes;
};
int lbk_attrs_get(struct lbk_attrs *a, const struct lb_attr_ops *ops, bool new_volume);
void lbk_attrs_put(struct lbk_attrs *a);
bool lbk_attrs_relabel(const struct lbk_attrs *a);	/* one of them is the pool's label */

int lbk_control_init(void);
void lbk_control_exit(void);

#endif /* LBK_CONTROL_H */
