// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What an errno of the module means to a person, for each request: one table. A row with request 0 holds for
 * every request that has no row of its own for that errno.
 */
#include "internal.h"

struct reason {
	unsigned long request;
	int code;
	const char *why;
	const char *hint;
};

static const struct reason reasons[] = {
	{ LB_IOC_POOL_OPEN, EBUSY, "the device is in use",
	  "It may be mounted, be part of another pool, or belong to device mapper or RAID; lsblk shows it" },
	{ LB_IOC_POOL_OPEN, EEXIST, "a pool with the same UUID is open",
	  "A copy of a pool's device cannot be opened beside the original" },
	{ LB_IOC_POOL_OPEN, EMEDIUMTYPE, "the device holds no layerblk pool", "`layerctl pool create` makes one" },
	{ LB_IOC_POOL_OPEN, EOPNOTSUPP, "the pool needs a feature that this module does not have",
	  "Load a newer layerblk module" },
	{ LB_IOC_POOL_OPEN, ESTALE, "the newest superblock is damaged and only an older one is intact",
	  "Check the device with layerck; `layerctl pool open --force-fallback` goes back to the older state "
	  "and loses what came after it" },
	{ LB_IOC_POOL_OPEN, EIO, "the device does not give a block that is needed, or a journal record is damaged",
	  "Check the device with layerck, the kernel's log tells more; `layerctl pool open --force-fallback` goes on "
	  "without what follows a damaged journal record" },
	{ LB_IOC_POOL_OPEN, ENOENT, "no such block device", NULL },
	{ LB_IOC_POOL_OPEN, ENXIO, "no such block device", NULL },
	{ LB_IOC_POOL_OPEN, EROFS, "the device is read-only", "Open the pool with --read-only" },
	{ LB_IOC_POOL_OPEN, ENOTBLK, "it is no block device", NULL },
	{ LB_IOC_POOL_CLOSE, EBUSY, "one of its volumes is mounted or open",
	  "`layerctl volume ls` shows which are active; unmount them first" },
	{ LB_IOC_POOL_GROW, ENOSPC, "the device has not so many blocks", "Enlarge the device first" },
	{ LB_IOC_POOL_GROW, EINVAL, "the size is not larger than the pool, or larger than its device",
	  "A pool cannot shrink" },
	{ LB_IOC_POOL_SCRUB, EBUSY, "a scrub is running", "`layerctl scrub --status` shows how far it is" },
	{ LB_IOC_POOL_SET, EINVAL, "a setting is out of its range",
	  "The commit interval is 100ms to 1h, the cache limit at least 1MiB, the low-water mark less than the pool" },
	{ LB_IOC_VOL_CREATE, EEXIST, "a volume of this name exists", "Choose another name, or remove that volume" },
	{ LB_IOC_VOL_SNAPSHOT, EEXIST, "a volume of this name exists", "Choose another name, or remove that volume" },
	{ LB_IOC_VOL_SNAPSHOT, ENOENT, "no such source volume", NULL },
	{ LB_IOC_VOL_SNAPSHOT, EBUSY, "its file system cannot be frozen now, something else has frozen it",
	  "Thaw it (fsfreeze -u) and try again" },
	{ LB_IOC_VOL_FREEZE, EBUSY, "its disk is open", "Unmount it first, with `layerctl umount`" },
	{ LB_IOC_VOL_FREEZE, EROFS, "it is frozen already, or the pool is read-only", NULL },
	{ LB_IOC_VOL_FREEZE, EEXIST, "a volume of the new name exists", "Choose another name" },
	{ LB_IOC_VOL_RM, EBUSY, "it is in use: its disk is open, or it has children",
	  "Unmount it with `layerctl umount`; `layerctl tree` shows children" },
	{ LB_IOC_VOL_SET, EBUSY, "it cannot change while its disk is open", "Unmount it first" },
	{ LB_IOC_VOL_SET, EEXIST, "the name, or an attribute meant to be new, is there already", NULL },
	{ LB_IOC_VOL_SET, EROFS, "it is frozen, or the pool is read-only", "A frozen volume keeps its size" },
	{ LB_IOC_VOL_ROLLBACK, EBUSY, "its disk is open", "Unmount it first, with `layerctl umount`" },
	{ LB_IOC_VOL_ROLLBACK, EINVAL, "the snapshot is no ancestor of the volume",
	  "`layerctl tree` shows what it descends from" },
	{ LB_IOC_VOL_ROLLBACK, EROFS, "it is frozen, or the pool is read-only",
	  "Take a snapshot of the ancestor instead" },
	{ LB_IOC_VOL_ACTIVATE, ENOSPC, "no free disk number is left", "Deactivate volumes that are not used" },
	{ LB_IOC_VOL_ACTIVATE, EBUSY, "it is being removed or changed", "Try again" },
	{ LB_IOC_VOL_DEACTIVATE, EBUSY, "its disk is open", "Something has it mounted or open; lsof can tell" },
	{ LB_IOC_ATTR_GET, ENOENT, "no such volume or attribute", NULL },
	{ LB_IOC_DIFF, EROFS, "a volume is not frozen", "Compare frozen volumes or snapshots" },
	{ LB_IOC_DIFF, EINVAL, "a volume is not frozen", "Compare frozen volumes or snapshots" },
	{ LB_IOC_DIFF, EBUSY, "a volume is not frozen", "Compare frozen volumes or snapshots" },

	{ 0, ENOENT, "no such volume", "`layerctl volume ls` shows what there is" },
	{ 0, ENODEV, "the pool is not open", "`layerctl pool open` opens it" },
	{ 0, EEXIST, "it exists already", NULL },
	{ 0, EBUSY, "it is in use", NULL },
	{ 0, EROFS, "the pool or the volume is read-only", "`layerctl pool status` tells the pool's state" },
	{ 0, ENOSPC, "the pool is full", "Remove volumes or grow the pool" },
	{ 0, EDQUOT, "its quota is used up", "`layerctl volume set --quota` changes it" },
	{ 0, EUCLEAN, "the pool's metadata is damaged", "Close the pool and check its device with layerck" },
	{ 0, EIO, "the pool's device failed", "The kernel log says more" },
	{ 0, EPERM, "it needs CAP_SYS_ADMIN", "Run it as root" },
	{ 0, EACCES, "permission denied", "Run it as root" },
	{ 0, ENOTTY, "the loaded module does not know this request", "Load a newer layerblk module" },
	{ 0, EOPNOTSUPP, "the loaded module cannot do this", "Load a newer layerblk module" },
	{ 0, EINVAL, "the module refuses the request as not valid", "The kernel log may say more" },
	{ 0, E2BIG, "the loaded module is older than this tool", "Load a newer layerblk module" },
	{ 0, ENOMEM, "the kernel has no memory for it", "Try again when memory is free" },
	{ 0, ENAMETOOLONG, "the name is too long", NULL },
	{ 0, EINTR, "it was interrupted", NULL },
};

static const struct reason *find_reason(unsigned long request, int code)
{
	const struct reason *general = NULL;
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].code != code)
			continue;
		if (reasons[i].request == request)
			return &reasons[i];
		if (!reasons[i].request)
			general = &reasons[i];
	}
	return general;
}

int lbk_reason(struct layerblk_error *err, unsigned long request, int code, const struct request_context *context,
	       const char *subject)
{
	const struct reason *reason = find_reason(request, code);

	if (!reason)
		return layerblk_error_set(err, code, context->what, subject, "%s", strerror(code));
	layerblk_error_set(err, code, context->what, subject, "%s", reason->why);
	if (reason->hint)
		layerblk_error_hint(err, "%s", reason->hint);
	return -code;
}
