/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The checker's core: judges a pool by what docs/format.md promises, with its own walk and its own memory of what
 * it saw. It shares with the engine format.h, ref.h (checksums) and the port, and nothing that decides anything.
 *
 * Reads the device only; with opts.repair it writes what can be put right without guessing. The pool must not be
 * open anywhere. Memory: one bit a block of the pool for regions that hold anything, some 300 bytes a volume, and a
 * node cache of some MiB.
 */
#ifndef LAYERCK_CHECK_H
#define LAYERCK_CHECK_H

#include "format.h"
#include "port.h"

enum lbck_severity {
	LBCK_NOTE,		/* what a power cut or a busy life leaves behind; nothing is wrong */
	LBCK_WARNING,		/* redundancy or tidiness is lost, no data */
	LBCK_ERROR,		/* a promise of the format is broken */
};

#define LBCK_TEXT	400

struct lbck_finding {
	unsigned int id;	/* 102 is LB-0102; never reused, see findings.def */
	enum lbck_severity severity;
	const char *name;	/* its name in findings.def */
	const char *what;	/* what it means, one line */
	u64 block;		/* 0: none in particular */
	u64 volume;		/* 0: none in particular */
	bool repairable;
	bool remains;		/* found by the second look, after a repair */
	char text[LBCK_TEXT];	/* this very case */
};

typedef void (*lbck_report)(void *arg, const struct lbck_finding *finding);

struct lbck_opts {
	bool repair;
	bool fallback;		/* judge an older superblock when the newest is damaged */
	u64 limit;		/* report at most so many of one id (counted on); 0: all */
	/* may be NULL: called now and then with blocks seen so far and those in use by the superblock's counters */
	void (*progress)(void *arg, u64 done, u64 total);
	void *progress_arg;
};

struct lbck_summary {
	u64 notes, warnings, errors;	/* of the first look */
	u64 repairable;
	u64 remaining;			/* warnings and errors left: after the repair, or of the first look */
	bool repaired;			/* something was written */
	u64 generation, total_blocks, used_blocks, data_blocks, meta_blocks;
	u64 volumes, hidden_volumes, nodes, journal_records, journal_entries;
};

/* ------------------------------------------------------------------ salvage */

enum lbck_loss_kind {
	LBCK_LOSS_RANGE,	/* of a volume: blocks lblk to lblk + count are not known any more and read as zeros */
	LBCK_LOSS_NAME,		/* a volume has lost its record: it gets another one, and maybe another name */
	LBCK_LOSS_VOLUME,	/* nothing is left of a volume but its name */
	LBCK_LOSS_ATTR,		/* an attribute is incomplete and goes */
	LBCK_LOSS_CATALOG,	/* a part of the catalog cannot be read: what was in it is not known */
	LBCK_LOSS_JOURNAL,	/* what was written since the last commit goes */
};

struct lbck_loss {
	enum lbck_loss_kind kind;
	u64 volume;		/* 0: the pool */
	u64 lblk, count;	/* LBCK_LOSS_RANGE */
	char text[LBCK_TEXT];
};

struct lbck_salvage {
	bool write;		/* in: else it is only said what would be lost */
	bool scan;		/* in: look for nodes whose way is lost in all blocks that are in use and not reached */
	void (*on_loss)(void *arg, const struct lbck_loss *loss);	/* in: may be NULL */
	void *arg;
	bool needed;		/* out: a repair is not enough */
	bool possible;		/* out: the outcome was made in memory, and judged clean */
	bool written;
	u64 volumes, lost_blocks, losses;
};

/*
 * Make a pool that cannot be repaired one that can be opened, with what is left of it. Made and judged in memory; with
 * salvage->write it is then written, and at no moment of that is the old state gone before the new one is whole. Errors
 * as of lbck_check(), and -EUCLEAN: not possible, sum->remaining findings are left; nothing was written. The findings are
 * those of the pool as it is.
 */
int lbck_salvage(struct port_dev *dev, const struct lbck_opts *opts, struct lbck_salvage *salvage, lbck_report report,
		 void *arg, struct lbck_summary *sum);

#define LBCK_DAMAGED	"layerblk.damaged"	/* attribute of a salvaged volume: lines "offset length" in bytes */

/* ------------------------------------------------------------------ checking */

/*
 * 0: judged, see *sum (clean when remaining is 0). Else nothing was judged or the judging broke off: -EMEDIUMTYPE
 * no pool, -EOPNOTSUPP a pool from the future, -EFBIG the device is smaller than the pool, -EIO while writing,
 * -ENOMEM. Damage that leaves no superblock to judge by is a finding and returns 0. report may be NULL.
 */
int lbck_check(struct port_dev *dev, const struct lbck_opts *opts, lbck_report report, void *arg,
	       struct lbck_summary *sum);

/* 0 clean, 1 all found was corrected, 4 something is left: the exit status of a checker. */
int lbck_status(const struct lbck_summary *sum);

#endif /* LAYERCK_CHECK_H */
