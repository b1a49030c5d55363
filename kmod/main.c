// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload. The control device comes last and goes first: with it gone nothing new begins, and an open pool keeps the
 * module from being unloaded at all.
 */
#include <linux/module.h>

#include "bio.h"
#include "control.h"
#include "events.h"
#include "version.h"

static int __init lbk_init(void)
{
	int err;

	err = port_kernel_init();
	if (err)
		return err;
	err = lbk_bio_init();
	if (err)
		goto err_port;
	err = lbk_events_init();
	if (err)
		goto err_bio;
	err = lbk_disk_init();
	if (err)
		goto err_events;
	err = lbk_sysfs_init();
	if (err)
		goto err_disk;
	err = lbk_pools_init();
	if (err)
		goto err_sysfs;
	err = lbk_control_init();
	if (err)
		goto err_pools;
	return 0;

err_pools:
	lbk_pools_exit();
err_sysfs:
	lbk_sysfs_exit();
err_disk:
	lbk_disk_exit();
err_events:
	lbk_events_exit();
err_bio:
	lbk_bio_exit();
err_port:
	port_kernel_exit();
	return err;
}

static void __exit lbk_exit(void)
{
	lbk_control_exit();
	lbk_pools_exit();
	lbk_sysfs_exit();
	lbk_disk_exit();
	lbk_events_exit();
	lbk_bio_exit();
	port_kernel_exit();
}

module_init(lbk_init);
module_exit(lbk_exit);

MODULE_DESCRIPTION("Snapshot-chained thin block devices");
MODULE_VERSION(LBK_VERSION);
MODULE_LICENSE("GPL");
