/* SPDX-License-Identifier: GPL-2.0 */
/* What the userspace port offers beyond kmod/engine/port.h: devices over files, and the handles that tests turn. */
#ifndef LB_PORT_USER_H
#define LB_PORT_USER_H

#include <stdarg.h>

#include "format.h"
#include "port.h"

/* ------------------------------------------------------------------ devices */

/*
 * A device of the userspace port: port.h's functions check the caller's lock rules and call these. Ranges passed to write and discard were not
 * checked against the size. All return 0 or a negative errno.
 */
struct port_dev_ops {
	u64 (*blocks)(struct port_dev *dev);
	int (*read)(struct port_dev *dev, u64 block, void *buf);
	int (*write)(struct port_dev *dev, u64 block, void *const *bufs, unsigned int count, unsigned int flags);
	int (*flush)(struct port_dev *dev);
	int (*discard)(struct port_dev *dev, u64 block, u64 count);	/* NULL: cannot */
};

struct port_dev {
	const struct port_dev_ops *ops;
	bool check_batches;	/* abort when a caller changes a buffer that it has given to a batch */
};

#define PORT_FILE_DIRECT	1u	/* O_DIRECT, if the file system has it */

/*
 * Open a file or block device. read_only: every write fails with -EROFS. NULL with *err (negative errno) on failure: that of open(2), or -EINVAL for what is neither.
 * A regular file's size is read anew by each port_dev_blocks(), so that it can grow. Close with port_file_close; that does not flush.
 */
struct port_dev *port_file_open(const char *path, bool read_only, int *err);
struct port_dev *port_file_open_flags(const char *path, bool read_only, unsigned int flags, int *err);
void port_file_close(struct port_dev *dev);
int port_file_fd(struct port_dev *dev);

/* ------------------------------------------------------------------ log */

typedef void (*port_log_fn)(void *arg, int level, const char *line);
void port_log_set_sink(port_log_fn fn, void *arg);	/* NULL: back to standard error */
void port_log_set_level(int level);			/* lines above this level are dropped; -1: all, 0: none. Default: PORT_LOG_WARN */

/* ------------------------------------------------------------------ time and chance */

/* From now on time stands still at this value, until advanced. wall_s is port_wall_s()'s. */
void port_clock_fake(u64 now_ns, u64 wall_s);
void port_clock_advance(u64 ns);
void port_clock_real(void);

/* port_random() becomes a sequence that the seed decides; 0: the system's entropy again. */
void port_random_seed(u64 seed);

/* ------------------------------------------------------------------ memory: faults and leaks */

/*
 * The nth allocation from now on (1: the next one; port_alloc and port_alloc_block alike) and the count - 1 after it fail. nth 0: none. Counts all threads together.
 */
void port_fault_alloc(u64 nth, u64 count);
/* So many of 1000 allocations with PORT_NOWAIT fail, by a sequence of its own. */
void port_fault_nowait(unsigned int permille);
/* The same only for allocations by the calling thread: for tests with several. */
void port_fault_alloc_thread(u64 nth, u64 count);
/* Allocations ever made, and those alive now (blocks too): equal before and after means no leak. */
u64 port_alloc_total(void);
u64 port_alloc_live(void);

#endif /* LB_PORT_USER_H */
