/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User labels ("--label KEY=VALUE") of volumes, as attribute changes. */
#ifndef LAYERCTL_LABELS_H
#define LAYERCTL_LABELS_H

#include "command.h"

#define OPTION_LABEL { .name = "label", .letter = 'l', .value = "KEY=VALUE", .help = "Set a label; may be repeated" }

/* Adds every --label (and --label-rm, where the command has it) of a call to attrs, for this volume. */
int labels_add(struct command_call *call, struct layerblk_attrs *attrs, uint64_t volume);

#endif
