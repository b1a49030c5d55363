/* SPDX-License-Identifier: GPL-2.0 */
/* A pool's device, held so that nobody else opens it meanwhile. */
#ifndef LAYERCK_DEVICE_H
#define LAYERCK_DEVICE_H

#include "port_user.h"

struct held_device {
	struct port_dev *dev;
	int hold_fd;		/* open exclusively (a block device) or locked (a file); -1: not held */
	char path[4096];	/* what was opened: the loop device when a file is behind one */
};

/*
 * 0, or a negative errno: -EBUSY in use: an open pool, mounted, attached. exclusive false: only look, whoever else
 * uses it. A regular file that is attached to a loop device is used through that, so that both see the same.
 */
int device_open(struct held_device *d, const char *path, bool write, bool exclusive);
void device_close(struct held_device *d);

#endif /* LAYERCK_DEVICE_H */
