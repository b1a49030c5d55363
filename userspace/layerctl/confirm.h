/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Are you sure?" of the commands that remove more than what is named. */
#ifndef LAYERCTL_CONFIRM_H
#define LAYERCTL_CONFIRM_H

#include "command.h"

/* True with --force, or when "y" is answered. what: a sentence, what is about to happen. */
bool confirmed(const struct command_call *call, const char *what);

#define OPTION_FORCE_PRUNE { .name = "force", .letter = 'f', .help = "Do not ask" }

#endif
