/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes use a mounted file system. */
#ifndef COMMON_HOLDERS_H
#define COMMON_HOLDERS_H

/*
 * "bash (pid 12), tail (pid 34) and 3 more" of those with an open file, the working directory, the root or a mapped file on the
 * mount at `directory`; malloc()ed, NULL when none is seen.
 */
char *holders_of_mount(const char *directory);

#endif
