// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See root.h. Overlayfs keeps mounts of its own of what it was given: as soon as it is there, the layer and the volume beneath it are
 * unmounted, and the overlay is the only mount to be undone. They were mounted in a tmpfs, so that a command that is killed leaves no
 * directories.
 *
 * In the volume: "root" has the changes, and the owner, mode, times and attributes of the root directory; "work" is overlayfs's; "new" becomes
 * "root" when it is first mounted, with the metadata of the layer's root directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "cleanup.h"
#include "disk.h"
#include "filesystem.h"
#include "hold.h"
#include "json.h"
#include "root.h"
#include "tarhead.h"
#include "tree_changes.h"

#define STAGE		RUN_DIR "/root"		/* where the parts are mounted for a moment */
#define STAGE_LAYER	STAGE "/layer"
#define STAGE_OWN	STAGE "/own"

/*
 * index: a file with several names stays one file when it is changed. redirect_dir: directories of the layer can be renamed. xino: all files
 * are of one device, and inode numbers stay what they are when a file is changed. metacopy off: each file has its content in one place. All
 * are said, for the kernel's defaults are the distribution's choice, and what one mount has written another one has to understand.
 */
#define OVERLAY_OPTIONS	"lowerdir=" STAGE_LAYER ",upperdir=" STAGE_OWN "/root,workdir=" STAGE_OWN "/work," \
			"index=on,redirect_dir=on,xino=on,metacopy=off,nfs_export=off"

bool root_is_shared(const struct container *container)
{
	const char *root = container_text(container, "root");

	return root && strcmp(root, ROOT_SHARED) == 0;
}

uint64_t root_layer(const struct container *container)
{
	long long base = json_number(container->record, "base");

	return root_is_shared(container) && base > 0 ? (uint64_t)base : 0;
}

/* ------------------------------------------------------------------ the volume's directories */

static int failed(const char *what, const char *subject, struct layerblk_error *err)
{
	return layerblk_error_set(err, errno, what, subject, "%s", strerror(errno));
}

static int copy_xattrs(int from, int to, struct layerblk_error *err)
{
	struct tar_xattr *xattrs = NULL;
	size_t count = 0;
	int rc = xattrs_read(from, ".", "/", &xattrs, &count, err);

	for (size_t i = 0; !rc && i < count; i++)
		if (fsetxattr(to, xattrs[i].name, xattrs[i].value, xattrs[i].size, 0) != 0)
			rc = failed("take over the layer's attribute", xattrs[i].name, err);
	xattrs_free(xattrs, count);
	return rc;
}

/* The order counts: chown clears set-id bits, an ACL changes the mode. */
static int copy_metadata(int from, int to, struct layerblk_error *err)
{
	struct timespec times[2];
	struct stat st;
	int rc;

	if (fstat(from, &st) != 0 || fchown(to, st.st_uid, st.st_gid) != 0)
		return failed("take over the owner of", "the layer's root directory", err);
	rc = copy_xattrs(from, to, err);
	if (rc)
		return rc;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (fchmod(to, st.st_mode & 07777) != 0 || futimens(to, times) != 0 || fsync(to) != 0)
		return failed("take over the mode of", "the layer's root directory", err);
	return 0;
}

/* A crash leaves "new", with which it begins again, or "root", which is whole. */
static int prepare_directories(struct layerblk_error *err)
{
	cleanup_fd int own = open(STAGE_OWN, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int layer = open(STAGE_LAYER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int new = -1;
	int rc;

	if (own < 0 || layer < 0)
		return failed("open", own < 0 ? STAGE_OWN : STAGE_LAYER, err);
	if (faccessat(own, "root", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if ((mkdirat(own, "work", 0700) != 0 && errno != EEXIST) || (mkdirat(own, "new", 0755) != 0 && errno != EEXIST))
		return failed("make the directories of", "the container's volume", err);
	new = openat(own, "new", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (new < 0)
		return failed("open", STAGE_OWN "/new", err);
	rc = copy_metadata(layer, new, err);
	if (!rc && (renameat(own, "new", own, "root") != 0 || fsync(own) != 0))
		rc = failed("make the directories of", "the container's volume", err);
	return rc;
}

/* ------------------------------------------------------------------ mounting */

static int mount_stage(struct layerblk_error *err)
{
	int rc = directory_make(STAGE, err);

	if (rc)
		return rc;
	if (mount("tmpfs", STAGE, "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC, "size=64k,mode=700") != 0)
		return failed("mount a tmpfs on", STAGE, err);
	if (mkdir(STAGE_LAYER, 0700) == 0 && mkdir(STAGE_OWN, 0700) == 0)
		return 0;
	rc = failed("make the directories in", STAGE, err);
	umount2(STAGE, MNT_DETACH);
	return rc;
}

static int mount_overlay(const char *directory, struct layerblk_error *err)
{
	if (mount("layerblk", directory, "overlay", MS_NODEV, OVERLAY_OPTIONS) == 0)
		return 0;
	if (errno == ENODEV) {
		layerblk_error_set(err, ENODEV, "mount", directory, "the kernel has no overlayfs");
		return layerblk_error_hint(err, "Make the module \"overlay\" available, or use --root plain");
	}
	return failed("mount the container's changes over the layer at", directory, err);
}

/*
 * There is one of it for each container, and with a few files on it as a rule: inodes around theirs, and the bitmaps of all groups, which
 * the kernel reads ahead, are most of what it would have in memory.
 */
static const char *own_options(const char *fs)
{
	return strcmp(fs, "ext4") == 0 ? "nodev,inode_readahead_blks=1,no_prefetch_block_bitmaps" : "nodev";
}

/* Nothing is allocated in it. */
static const char *layer_options(const char *fs)
{
	return strcmp(fs, "ext4") == 0 ? "nodev,no_prefetch_block_bitmaps" : "nodev";
}

/* The disks are active. */
static int mount_parts(const char *layer, const char *own, const char *fs, const char *directory, struct layerblk_error *err)
{
	int rc = mount_stage(err);

	if (rc)
		return rc;
	rc = disk_mount(layer, STAGE_LAYER, fs, layer_options(fs), true, err);
	if (!rc)
		rc = disk_mount(own, STAGE_OWN, fs, own_options(fs), false, err);
	if (!rc)
		rc = prepare_directories(err);
	if (!rc)
		rc = mount_overlay(directory, err);
	umount2(STAGE, MNT_DETACH);
	return rc;
}

static int begin(const struct pool *pool, uint64_t volume, uint64_t layer, const char *directory, struct root *out,
		 struct layerblk_error *err)
{
	*out = (struct root){ .pool = pool, .volume = volume, .layer = layer, .hold = -1, .layer_hold = -1, .alone = -1 };
	if (snprintf(out->path, sizeof(out->path), "%s", directory) >= (int)sizeof(out->path))
		return layerblk_error_set(err, ENAMETOOLONG, "mount at", directory, "the path is too long");
	return 0;
}

static int mount_one(const struct pool *pool, uint64_t volume, const char *directory, bool frozen, struct root *out,
		     struct layerblk_error *err)
{
	char device[DISK_PATH];
	int rc = begin(pool, volume, 0, directory, out, err);

	if (!rc)
		rc = hold_take(pool, volume, &out->hold, err);
	if (!rc)
		rc = disk_activate(pool->lb, pool->uuid, volume, 0, device, err);
	if (!rc)
		rc = disk_mount(device, directory, NULL, "nodev", frozen, err);
	out->mounted = !rc;
	if (rc)
		root_unmount(out);
	return rc;
}

int root_mount_frozen(const struct pool *pool, uint64_t volume, const char *directory, struct root *out, struct layerblk_error *err)
{
	return mount_one(pool, volume, directory, true, out, err);
}

/* Image commands keep it as long as there is the container. */
static int activate_layer(const struct pool *pool, uint64_t layer, char device[DISK_PATH], struct layerblk_error *err)
{
	int rc = disk_activate(pool->lb, pool->uuid, layer, 0, device, err);
	char text[32];

	if (rc != -ENOENT)
		return rc;
	snprintf(text, sizeof(text), "id:%llu", (unsigned long long)layer);
	return layerblk_error_set(err, ENOENT, "mount the container's layer", text, "its volume has been removed");
}

int root_mount_over(const struct pool *pool, uint64_t volume, uint64_t layer, const char *fs, const char *directory, struct root *out,
		    struct layerblk_error *err)
{
	char own_device[DISK_PATH], layer_device[DISK_PATH];
	int rc = begin(pool, volume, layer, directory, out, err);

	if (!rc)
		rc = hold_alone(pool, volume, &out->alone, err);
	if (!rc)
		rc = hold_take(pool, volume, &out->hold, err);
	if (!rc)
		rc = hold_take(pool, layer, &out->layer_hold, err);
	if (!rc)
		rc = activate_layer(pool, layer, layer_device, err);
	if (!rc)
		rc = disk_activate(pool->lb, pool->uuid, volume, 0, own_device, err);
	if (!rc)
		rc = mount_parts(layer_device, own_device, fs, directory, err);
	out->mounted = !rc;
	if (rc)
		root_unmount(out);
	return rc;
}

int root_mount(const struct pool *pool, const struct container *container, const char *directory, struct root *out,
	       struct layerblk_error *err)
{
	uint64_t layer = root_layer(container);

	if (!root_is_shared(container))
		return mount_one(pool, container->volume, directory, false, out, err);
	if (!layer)
		return layerblk_error_set(err, EUCLEAN, "mount the root of", container->name, "its record does not say on which layer it is");
	return root_mount_over(pool, container->volume, layer, container_text(container, "fs"), directory, out, err);
}

void root_unmount(struct root *root)
{
	if (!root->pool)
		return;
	if (root->mounted)
		umount2(root->path, MNT_DETACH);
	hold_drop(root->pool, root->volume, &root->hold);
	hold_drop(root->pool, root->layer, &root->layer_hold);
	if (root->alone >= 0)
		close(root->alone);
	memset(root, 0, sizeof(*root));
}

void root_locks(const struct root *root, int locks[ROOT_LOCKS])
{
	locks[0] = root->hold;
	locks[1] = root->layer_hold;
	locks[2] = root->alone;
}

void root_let_go(const struct pool *pool, const struct container *container)
{
	uint64_t layer = root_layer(container);

	hold_let_go(pool, container->volume);
	if (layer)
		hold_let_go(pool, layer);
}

/* ------------------------------------------------------------------ of one that runs */

/*
 * Only a mount of one's own namespace can be cloned: we go there and come back. The clone is nowhere in any tree, and goes with the
 * descriptor.
 */
int root_open_running(pid_t pid, int *fd, struct layerblk_error *err)
{
	cleanup_fd int here = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), there = -1;
	struct stat ours, theirs;
	char path[64];
	int code;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	there = here < 0 || stat("/", &ours) != 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (there < 0)
		return layerblk_error_set(err, errno == ENOENT ? ESRCH : errno, "open", path, "%s", strerror(errno));
	*fd = -1;
	if (setns(there, CLONE_NEWNS) == 0)
		*fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	code = *fd < 0 ? errno : 0;
	if (setns(here, CLONE_NEWNS) != 0 || (!code && fstat(*fd, &theirs) != 0))
		code = errno;
	else if (!code && theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino)
		code = ESRCH;		/* it has not got its root yet */
	if (!code)
		return 0;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return layerblk_error_set(err, code, "open the root of", path, "%s", strerror(code));
}
