/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Scripts: workloads written down. A script is a list of operations with all their arguments, so that it does the same each time, can be printed, read back and
 * shortened. Random workloads (workload.h) and enumerated ones (enumerate.h) are both made of them.
 *
 * As text, operations are separated by semicolons: a name, then arguments as key=value and flags as words, in any order:
 *
 *   snapshot vol=3 to=5; write vol=5 sector=8 count=16 fua; flush vol=5
 *
 * Volumes go by labels: the number that made them. An operation that makes no sense where it stands, as when the volume it names is not there, does nothing, so
 * that a script with some operations taken out is a script.
 */
#ifndef TEST_SCRIPT_H
#define TEST_SCRIPT_H

#include <stdio.h>

#include "format.h"
#include "port.h"

enum script_kind {
	OP_WRITE,		/* sectors, whole or partial blocks */
	OP_SCATTER,		/* single blocks all over the volume */
	OP_ZERO,		/* write-zeroes: sectors */
	OP_DISCARD,		/* blocks */
	OP_FLUSH,
	OP_BEGIN,		/* a write whose entry comes with the next OP_END, or when something would wait for it */
	OP_END,
	OP_READ,
	OP_CREATE,		/* blocks; a seed: with an attribute */
	OP_SNAPSHOT,		/* of a frozen or of a writable volume */
	OP_FREEZE,
	OP_REMOVE,
	OP_ROLLBACK,
	OP_RESIZE,
	OP_RENAME,
	OP_ATTR,		/* vol 0: the pool's */
	OP_COMMIT,
	OP_STEP,		/* one commit, not all that is due */
	OP_WORK,		/* time passes, and the background may work */
	OP_BACKGROUND,		/* the background does what it was kicked for */
	OP_GROW,
	OP_DIFF,
	OP_SCRUB,
	OP_SHRINK_CACHE,
	OP_VERIFY,
	OP_REOPEN,
	OP_POWER_CUT,		/* and the run goes on from what is left */
	OP_KINDS
};

#define OPF_FUA		1u	/* write */
#define OPF_PREFLUSH	2u	/* write */
#define OPF_FROZEN	1u	/* snapshot of a frozen volume: frozen too */
#define OPF_QUOTA	1u	/* rename: sets the quota, too */
#define OPF_DELETE	1u	/* attribute */
#define OPF_COMMIT	1u	/* work: commits */
#define OPF_RECLAIM	2u	/* work: reclaim */

struct script_op {
	enum script_kind kind;
	unsigned int flags;
	u32 vol, to;		/* labels */
	u64 at, count;		/* by kind: sector, block, size, key, milliseconds ... */
	u64 seed;		/* whatever else has to be decided */
	u64 cut, cut_seed;	/* not 0: the power also fails at the operation's nth write, flush or discard; that is looked at, and the run goes on */
};

struct script {
	struct script_op *ops;
	size_t count, room;
};

const char *script_kind_name(enum script_kind kind);
void script_add(struct script *s, const struct script_op *op);
void script_add_all(struct script *s, const struct script *more);
void script_clear(struct script *s);
/* One operation, as text; *n bytes at most. */
void script_op_text(const struct script_op *op, char *buf, size_t n);
void script_print(const struct script *s, FILE *to);
/* Append what the text says. False: it is no script, and stderr says why. */
bool script_parse(struct script *s, const char *text);
/*
 * Take out what is not needed for fails() to stay true, first in large pieces, then singly; from `fixed` on. At most `tries` calls.
 */
void script_reduce(struct script *s, size_t fixed, bool (*fails)(void *arg, const struct script *s), void *arg, unsigned int tries);

#endif /* TEST_SCRIPT_H */
