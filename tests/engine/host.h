/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A host for the engine in tests: what kmod/ is in the kernel. Opens pools, keeps their kicks and room rounds, and gives open volumes a bio path: sectors in, sectors out, split
 * into whole and partial blocks as the module does it, with FLUSH and FUA, holding, parking and trying again.
 *
 * Without workers (host_workers_start) everything happens in the calling thread: what has to wait for background work runs that work itself. With workers, three threads run
 * commits and reclaim as the module's workqueues do, and disks may be used by any number of threads.
 */
#ifndef TEST_HOST_H
#define TEST_HOST_H

#include "engine.h"
#include "port_sim.h"

#define SECTOR_BYTES	512u
#define SECTORS		8u		/* in a block */

struct host {
	struct port_dev *dev;
	struct lb_pool *pool;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int kicked;		/* LB_KICK_* since last looked at */
	u64 room;			/* the newest round told */
	u64 events[32];			/* how many of each type */
	u64 event_vol, event_arg;	/* of the last one */
	/* Without workers: called before something that may wait for I/O in flight, which nobody else would end. May be NULL. */
	void (*before_wait)(void *arg);
	void *before_wait_arg;
	bool impatient;			/* who has waited long gets ENOSPC, whatever the pool's policy says; else that ends the test */
	/* workers */
	bool workers, stop;
	pthread_t commit_thread, reclaim_thread;
};

/* A volume's disk. */
struct disk {
	struct host *host;
	struct lb_vol *vol;
	u64 id;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int in_flight;
	bool held;
};

extern const struct lb_host_ops host_ops;

void host_init(struct host *h, struct port_dev *dev);
int host_open(struct host *h, unsigned int flags);	/* LB_POOL_OPEN_* */
int host_close(struct host *h);
void host_abandon(struct host *h);
/* Run what was kicked, until nothing is due. Only without workers. */
void host_work(struct host *h);
void host_workers_start(struct host *h);
void host_workers_stop(struct host *h);

int disk_open(struct host *h, u64 id, struct disk *d);
void disk_close(struct disk *d);

#define DISK_PREFLUSH	1u
#define DISK_FUA	2u
/* Sectors from `sector` on; buf holds count sectors. 0 or a negative errno, as the bio would get. */
int disk_write(struct disk *d, u64 sector, u32 count, const void *buf, unsigned int flags);
int disk_read(struct disk *d, u64 sector, u32 count, void *buf);
int disk_discard(struct disk *d, u64 block, u64 count);
int disk_flush(struct disk *d);

/*
 * A write cut in two, to have others in between: after disk_write_begin() its data is on the device and its entry is not in. One run of one block or more, whole blocks;
 * *count: how many of those asked. Not with a hold in between (in flight!).
 */
struct disk_pending {
	struct disk *disk;
	struct lb_write w;
	int idx;
};
int disk_write_begin(struct disk *d, u64 block, u64 *count, const void *buf, struct disk_pending *p);
void disk_write_end(struct disk_pending *p, int error);

/* Names and bytes as the engine takes them. */
static inline struct lb_name name_of(const char *s) { return (struct lb_name){ .s = s, .len = (u32)strlen(s) }; }

#endif /* TEST_HOST_H */
