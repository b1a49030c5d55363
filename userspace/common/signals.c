// SPDX-License-Identifier: GPL-2.0-or-later
/* See signals.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include "signals.h"
#include "size.h"

int signal_parse(const char *text, int *number, struct layerblk_error *err)
{
	const char *bare = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	uint64_t value;

	if (number_parse(text, 64, &value, "use the signal", NULL) == 0 && value > 0) {
		*number = (int)value;
		return 0;
	}
	for (int i = 1; i < SIGRTMIN; i++) {
		const char *name = sigabbrev_np(i);

		if (name && strcasecmp(name, bare) == 0) {
			*number = i;
			return 0;
		}
	}
	if (strncasecmp(bare, "RTMIN", 5) == 0) {
		value = 0;
		if (!bare[5] || (bare[5] == '+' && number_parse(bare + 6, (uint64_t)(SIGRTMAX - SIGRTMIN), &value, "use the signal",
							       NULL) == 0)) {
			*number = SIGRTMIN + (int)value;
			return 0;
		}
	}
	return layerblk_error_set(err, EINVAL, "use the signal", text, "there is none of this name or number");
}
