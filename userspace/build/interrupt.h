/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether somebody wants the build to end: it then ends as after a failure. */
#ifndef BUILD_INTERRUPT_H
#define BUILD_INTERRUPT_H

#include <signal.h>
#include <layerblk.h>

extern volatile sig_atomic_t build_interrupted;

/* For image_catch_signals(). */
void build_interrupt(void);
/* -EINTR, with err set, when it is to end. */
int build_go_on(struct layerblk_error *err);

#endif
