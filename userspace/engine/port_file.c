// SPDX-License-Identifier: GPL-2.0
/*
 * A device over a regular file or a block device. No state of its own but the descriptor: every call is one or two system calls, from any thread.
 *
 * Durability: a write with FUA is a write followed by fdatasync(); PREFLUSH an fdatasync() before it. On a block device, fdatasync() writes the page cache back and
 * sends a flush.
 */
#include "port_user.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct file_dev {
	struct port_dev dev;
	int fd;
	bool read_only, is_block;
};

static struct file_dev *file_dev(struct port_dev *dev)
{
	return lb_container_of(dev, struct file_dev, dev);
}

static u64 file_blocks(struct port_dev *dev)
{
	struct file_dev *f = file_dev(dev);
	struct stat st;
	u64 bytes = 0;

	if (f->is_block) {
		if (ioctl(f->fd, BLKGETSIZE64, &bytes))
			return 0;
	} else {
		if (fstat(f->fd, &st) || st.st_size < 0)
			return 0;
		bytes = (u64)st.st_size;
	}
	return bytes >> LB_BLOCK_SHIFT;
}

static int file_read(struct port_dev *dev, u64 block, void *buf)
{
	struct file_dev *f = file_dev(dev);
	size_t done = 0;

	while (done < LB_BLOCK_BYTES) {
		ssize_t n = pread(f->fd, (char *)buf + done, LB_BLOCK_BYTES - done, (off_t)((block << LB_BLOCK_SHIFT) + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO;	/* beyond the end */
		done += (size_t)n;
	}
	return 0;
}

static int file_flush(struct port_dev *dev)
{
	struct file_dev *f = file_dev(dev);

	if (f->read_only)
		return 0;
	return fdatasync(f->fd) ? -errno : 0;
}

static int file_write(struct port_dev *dev, u64 block, void *const *bufs, unsigned int count, unsigned int flags)
{
	struct file_dev *f = file_dev(dev);
	struct iovec iov[LB_RECORD_MAX_BLOCKS];
	size_t done = 0, bytes = (size_t)count << LB_BLOCK_SHIFT;
	unsigned int i;
	int err;

	if (f->read_only)
		return -EROFS;
	if (block + count > file_blocks(dev))
		return -EIO;	/* never extend a file */
	if (flags & PORT_PREFLUSH) {
		err = file_flush(dev);
		if (err)
			return err;
	}
	while (done < bytes) {
		unsigned int first = (unsigned int)(done >> LB_BLOCK_SHIFT), cut = done & (LB_BLOCK_BYTES - 1);
		ssize_t n;

		for (i = first; i < count; i++) {
			iov[i].iov_base = (char *)bufs[i] + (i == first ? cut : 0);
			iov[i].iov_len = LB_BLOCK_BYTES - (i == first ? cut : 0);
		}
		n = pwritev(f->fd, iov + first, (int)(count - first), (off_t)((block << LB_BLOCK_SHIFT) + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return flags & PORT_FUA ? file_flush(dev) : 0;
}

static int file_discard(struct port_dev *dev, u64 block, u64 count)
{
	struct file_dev *f = file_dev(dev);
	u64 range[2] = { block << LB_BLOCK_SHIFT, count << LB_BLOCK_SHIFT };
	int err;

	if (f->read_only)
		return -EROFS;
	if (f->is_block)
		err = ioctl(f->fd, BLKDISCARD, range);
	else
		err = fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)range[0], (off_t)range[1]);
	return err ? -errno : 0;
}

static const struct port_dev_ops file_ops = {
	.blocks = file_blocks, .read = file_read, .write = file_write, .flush = file_flush, .discard = file_discard,
};

struct port_dev *port_file_open_flags(const char *path, bool read_only, unsigned int flags, int *err)
{
	int mode = (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;	/* a FIFO must not hang us */
	struct file_dev *f = calloc(1, sizeof(*f));
	struct stat st;

	*err = -ENOMEM;
	if (!f)
		return NULL;
	f->fd = flags & PORT_FILE_DIRECT ? open(path, mode | O_DIRECT) : -1;
	if (f->fd < 0)
		f->fd = open(path, mode);
	if (f->fd < 0) {
		*err = -errno;
		goto fail;
	}
	if (fstat(f->fd, &st)) {
		*err = -errno;
		goto fail_close;
	}
	f->is_block = S_ISBLK(st.st_mode);
	if (!f->is_block && !S_ISREG(st.st_mode)) {
		*err = -EINVAL;
		goto fail_close;
	}
	f->read_only = read_only;
	f->dev.ops = &file_ops;
	*err = 0;
	return &f->dev;

fail_close:
	close(f->fd);
fail:
	free(f);
	return NULL;
}

struct port_dev *port_file_open(const char *path, bool read_only, int *err)
{
	return port_file_open_flags(path, read_only, 0, err);
}

void port_file_close(struct port_dev *dev)
{
	if (!dev)
		return;
	close(file_dev(dev)->fd);
	free(file_dev(dev));
}

int port_file_fd(struct port_dev *dev)
{
	return file_dev(dev)->fd;
}
