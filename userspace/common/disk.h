/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A volume's disk from activation to unmounting: /dev/layerblkN, which file system is on it, mount, unmount, let go.
 *
 * None of it depends on udev: nodes are found through sysfs and devtmpfs. Others (udev, blkid, a desktop) open new disks
 * for a moment; whatever meets EBUSY here waits for them with a growing pause before it gives up.
 */
#ifndef COMMON_DISK_H
#define COMMON_DISK_H

#include <stdint.h>
#include <layerblk.h>

#define DISK_PATH	64

/* The node of a block device by number, as "/dev/NAME" by sysfs; waits up to 2 s for it to appear. */
int disk_path(uint32_t major, uint32_t minor, char path[DISK_PATH], struct layerblk_error *err);

/* Activates (flags LB_ACTIVATE_*) and gives the node that can be opened. */
int disk_activate(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id, uint32_t flags,
		  char path[DISK_PATH], struct layerblk_error *err);

/*
 * Deactivates; EBUSY is tried again for about 10 s. 0 too when it has no disk. A disk that stays open is reported with
 * its mount points.
 */
int disk_deactivate(struct layerblk *lb, const uint8_t uuid[LB_UUID_LEN], uint64_t id, struct layerblk_error *err);

/* The file system on a device by libblkid: malloc()ed, e.g. "ext4"; -ENODATA when it has none that is known. */
int disk_filesystem(const char *device, char **type, struct layerblk_error *err);

/*
 * Mounts by libmount. type NULL: asks disk_filesystem(), and takes the kernel's own driver for ntfs. options NULL or as in mount -o. A second
 * ext4 or xfs with the same UUID is what snapshots bring: xfs gets nouuid. read_only also passes what lets a frozen volume with a dirty log be
 * mounted (noload, norecovery).
 */
int disk_mount(const char *device, const char *directory, const char *type, const char *options, bool read_only,
	       struct layerblk_error *err);

/* Mounts what is no disk of ours: `mount -t type -o options device directory`; type and options may be NULL. */
int mount_other(const char *device, const char *directory, const char *type, const char *options, struct layerblk_error *err);

/*
 * Unmounts a directory and waits out short-lived users (about 10 s). -EBUSY then, with the processes that hold it in the
 * error's text; with `lazy`, it is detached instead (MNT_DETACH), and disk_deactivate() must expect the disk to be open
 * until its last user ends.
 */
int disk_umount(const char *directory, bool lazy, struct layerblk_error *err);

/* Every mount of a block device in this mount namespace: malloc()ed array of malloc()ed paths, the newest first. */
int disk_mounts(uint32_t major, uint32_t minor, char ***paths, size_t *count, struct layerblk_error *err);
void disk_mounts_free(char **paths, size_t count);

/* syncfs() on each mount of the device: written back before a snapshot holds it, which shortens the hold. */
void disk_sync_mounts(uint32_t major, uint32_t minor);

#endif
