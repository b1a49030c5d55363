/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the backup commands share. */
#ifndef BACKUP_BACKUP_COMMANDS_H
#define BACKUP_BACKUP_COMMANDS_H

#include "command.h"

#define BACKUP_SUFFIX	".lbk"		/* of the files that are made in a directory */

int backup_run(struct command_call *call);
int backup_restore_run(struct command_call *call);
int backup_ls_run(struct command_call *call);
int backup_prune_run(struct command_call *call);

#endif
