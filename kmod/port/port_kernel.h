/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's port as the module sees it: how a block device becomes a port_dev, and the port's own set-up. The engine does not
 * include this.
 *
 * A port_dev belongs to one pool and has its own bio sets, for a pool may lie on a loop device on a volume of another: a
 * set shared by the two could be emptied by the upper one while it waits for the lower one.
 */
#ifndef LB_PORT_KERNEL_H
#define LB_PORT_KERNEL_H

#include <linux/bio.h>

struct port_dev {
	struct block_device *bdev;
	struct bio_set bios;		/* of synchronous I/O and batches */
};

int port_dev_init(struct port_dev *dev, struct block_device *bdev);
void port_dev_exit(struct port_dev *dev);

int port_kernel_init(void);
void port_kernel_exit(void);

#endif /* LB_PORT_KERNEL_H */
