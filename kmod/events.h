/* SPDX-License-Identifier: GPL-2.0 */
/* Events: told to everyone who reads the control device. See events.c. */
#ifndef LBK_EVENTS_H
#define LBK_EVENTS_H

#include "pool.h"

struct file;
struct poll_table_struct;

/* Any context but with interrupts' locks held; does not sleep. name may be NULL. */
void lbk_event(const u8 uuid[16], u32 type, u64 volume, u64 arg, const char *name);
/* With the volume's name; sleeps. */
void lbk_event_volume(struct lbk_pool *pool, u32 type, u64 volume, u64 arg);

/* file_operations of the control device */
int lbk_events_open(struct file *file);
void lbk_events_release(struct file *file);
ssize_t lbk_events_read(struct file *file, char __user *buf, size_t count, loff_t *pos);
__poll_t lbk_events_poll(struct file *file, struct poll_table_struct *wait);

int lbk_events_init(void);
void lbk_events_exit(void);

#endif /* LBK_EVENTS_H */
