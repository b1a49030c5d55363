/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands `completion SHELL` and `__complete WORD...`. */
#ifndef LAYERCTL_COMPLETE_H
#define LAYERCTL_COMPLETE_H

#include "command.h"

int complete_script(struct command_call *call);
int complete_words(struct command_call *call);

#endif
