/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signals by name. */
#ifndef COMMON_SIGNALS_H
#define COMMON_SIGNALS_H

#include <layerblk.h>

/* "TERM", "SIGTERM", "sigterm", "15", "RTMIN+3". -EINVAL. */
int signal_parse(const char *text, int *number, struct layerblk_error *err);

#endif
