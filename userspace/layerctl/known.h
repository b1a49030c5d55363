/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where pools were last seen: KNOWN_DIRECTORY/UUID is a symbolic link to the device or file. It is a hint, never the truth:
 * whoever follows it looks for the pool's UUID there. A link is made by rename, so it is whole or not there.
 */
#ifndef LAYERCTL_KNOWN_H
#define LAYERCTL_KNOWN_H

#include <stdint.h>
#include <layerblk.h>

#define KNOWN_DIRECTORY	"/var/lib/layerblk/pools"

/* Failures are no one's concern: a hint that is missing costs a scan. */
void known_remember(const uint8_t uuid[LB_UUID_LEN], const char *path);
void known_forget(const uint8_t uuid[LB_UUID_LEN]);
/* Calls `each` with each place; ends at the first result that is not 0 and gives it. */
int known_each(int (*each)(void *arg, const char *uuid, const char *path), void *arg);

#endif
