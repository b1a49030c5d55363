/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work that a killed command leaves unfinished: volumes that exist only while a process looks after them.
 *
 * Such a volume is entered in the pool under work/NAME, in the transaction that makes it, and its process holds a lock on a
 * file in RUN_DIR from before that until after the entry is gone. An entry whose lock nobody holds (the process died, the
 * machine was started anew, the pool was moved) is left over, and the next command clears it away. No process id is compared,
 * none can be mistaken.
 */
#ifndef IMAGE_WORK_H
#define IMAGE_WORK_H

#include <stdbool.h>
#include "record.h"

#define RUN_DIR		"/run/layerblk"
#define KEY_WORK	"work/"
#define WORK_NAME_MAX	200		/* bytes of a volume's name that can be looked after */

struct work {				/* zero-filled: none; lock is then -1 after work_begin() failed */
	char name[WORK_NAME_MAX + 1];
	int lock;
	char path[sizeof(RUN_DIR) + 64 + WORK_NAME_MAX];
};

/*
 * A short exclusive lock over what images and containers of a pool are made of, from looking to changing. Never held while
 * data is copied. *fd is to be closed.
 */
int pool_lock(const struct pool *pool, int *fd, struct layerblk_error *err);

/* Takes the lock of a volume that is about to be made. -EBUSY when another process holds it. */
int work_begin(const struct pool *pool, const char *name, struct work *work, struct layerblk_error *err);
/* As work_begin(), but waits (about 15 s) for the process that holds it to let go. */
int work_wait(const struct pool *pool, const char *name, struct work *work, struct layerblk_error *err);
/* Adds the entry, or its removal, to a transaction. kind: which clean function it is for. */
void work_enter(struct layerblk_attrs *attrs, const char *name, const char *kind);
void work_leave(struct layerblk_attrs *attrs, const char *name);
/* Lets go of the lock; the entry is gone, or stays for the next command. */
void work_end(struct work *work);

/* Whether some process holds the lock of this volume. */
bool work_is_alive(const struct pool *pool, const char *name);

/*
 * Calls clean for every left-over entry of the kind, with the entry's lock held. It removes the volume and the entry.
 * Failures are noted on standard error and tried again by the next command.
 */
typedef int work_clean_fn(const struct pool *pool, const char *name, struct layerblk_error *err);
void work_sweep(const struct pool *pool, const char *kind, work_clean_fn *clean);

/* `bytes` random bytes (up to 32) as hex digits. */
void random_hex(char *text, size_t bytes);

#endif
