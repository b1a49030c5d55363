/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where another program is. */
#ifndef RUNTIME_PROGRAM_H
#define RUNTIME_PROGRAM_H

#include <layerblk.h>

/* Its absolute path, malloc()ed, from PATH and then the usual directories. NULL (ENOENT): err says to install it. */
char *program_path(const char *name, struct layerblk_error *err);

#endif
