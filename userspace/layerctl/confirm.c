// SPDX-License-Identifier: GPL-2.0-or-later
/* See confirm.h. */
#include <stdio.h>
#include "confirm.h"

bool confirmed(const struct command_call *call, const char *what)
{
	char answer[8] = "";

	if (option_is_set(call, "force"))
		return true;
	printf("WARNING! %s\nAre you sure you want to continue? [y/N] ", what);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y');
}
