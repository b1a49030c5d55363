// SPDX-License-Identifier: GPL-2.0-or-later
/* See interrupt.h. */
#include <errno.h>
#include "interrupt.h"

volatile sig_atomic_t build_interrupted;

void build_interrupt(void)
{
	build_interrupted = 1;
}

int build_go_on(struct layerblk_error *err)
{
	return build_interrupted ? layerblk_error_set(err, EINTR, "build the image", "", "interrupted") : 0;
}
