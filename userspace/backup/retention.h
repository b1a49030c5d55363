/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which backups of a volume a policy keeps. */
#ifndef BACKUP_RETENTION_H
#define BACKUP_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct retention {
	uint64_t last;			/* the newest ones */
	uint64_t daily;			/* the newest of each of as many days that have one */
	uint64_t weekly;		/* likewise of weeks, which begin on Monday */
};

/*
 * times: seconds since 1970, the newest first. keep[i] becomes whether any of the three rules keeps it. The newest is
 * always kept: the next incremental backup builds on it. Days and weeks are those of UTC.
 */
void retention_apply(const struct retention *retention, const uint64_t *times, size_t count, bool *keep);

#endif
