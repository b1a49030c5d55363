/* SPDX-License-Identifier: GPL-2.0 */
/* kmod/port/port_kernel.h for programs: a port_dev over what host.c calls a block device. */
#ifndef LB_PORT_KERNEL_H
#define LB_PORT_KERNEL_H

#include "kshim.h"
#include "port_user.h"

int port_dev_init(struct port_dev *dev, struct block_device *bdev);
void port_dev_exit(struct port_dev *dev);

#endif /* LB_PORT_KERNEL_H */
