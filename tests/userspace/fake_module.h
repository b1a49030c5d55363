/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A module in this process: ioctl() is wrapped by the linker, and requests on FAKE_FD end here. It knows pools, volumes and
 * attributes as far as the tests need them, checks what the contract demands of every request, and can fail the next one.
 */
#ifndef TESTS_USERSPACE_FAKE_MODULE_H
#define TESTS_USERSPACE_FAKE_MODULE_H

#include <layerblk.h>

#define FAKE_FD 1000

struct layerblk *fake_open(void);		/* a library handle on the fake; fake_close() */
void fake_close(struct layerblk *lb);

void fake_reset(void);
void fake_add_pool(const uint8_t uuid[LB_UUID_LEN], const char *label);
void fake_add_volume(const uint8_t uuid[LB_UUID_LEN], uint64_t id, const char *name, uint64_t parent, uint64_t flags);
void fake_set_attr(const uint8_t uuid[LB_UUID_LEN], uint64_t volume, const char *key, const char *value);

/* The next request of this number fails so (positive errno). */
void fake_fail(unsigned long request, int code);
/* What the last request of a kind that makes or changes a volume carried. */
struct fake_last {
	unsigned long request;
	uint32_t flags;
	uint64_t id;
	uint64_t volume_size;
	char name[LB_NAME_MAX + 1];
	uint32_t attr_count;
	char attr_key[LB_KEY_MAX + 1];		/* of the first */
	char attr_value[256];
};
extern struct fake_last fake_last;

#endif
