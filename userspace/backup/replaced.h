/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A volume whose name, and place, a restored one takes.
 *
 * It is renamed aside, to NAME@replaced-RANDOM. The transaction that names the restored volume marks it as left over, as work.h has it, and
 * then it is removed. Killed before that transaction, it is still there under the other name; killed after it, the next command removes it.
 * So at no time is neither of the two there.
 */
#ifndef BACKUP_REPLACED_H
#define BACKUP_REPLACED_H

#include "work.h"

struct replaced {
	uint64_t id;			/* 0: none */
	const char *name;		/* what it was called */
	struct work work;		/* of its name aside */
};

/* Whether the volume may be replaced: it is in nobody's use, and no container's root or image's layer. */
int replaced_check(const struct pool *pool, const char *name, struct layerblk_error *err);
/* Renames it aside. That there is none is no error. name must stay. */
int replaced_begin(struct replaced *replaced, const struct pool *pool, const char *name, struct layerblk_error *err);
/* Adds to the transaction after which it is to go. */
void replaced_enter(const struct replaced *replaced, struct layerblk_attrs *attrs);
/* rc is the transaction's: 0 removes it, another gives it its name back. A failure is noted on standard error. */
void replaced_end(struct replaced *replaced, const struct pool *pool, int rc);

#endif
