/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Damage by finding: at least one case for every id of findings.def, and more where the checker comes to an id by
 * several ways.
 */
#ifndef TEST_CHECKCASES_H
#define TEST_CHECKCASES_H

#include "checklab.h"
#include "damage.h"

enum fate {
	MENDED,			/* a repair leaves nothing */
	KEPT,			/* a repair writes nothing */
	PARTLY,			/* a repair mends what is in `also` and leaves the finding itself */
};

#define CASE_ALSO	4u
struct check_case {
	unsigned int id;
	enum fate fate;
	const char *what;
	void (*make)(struct damage *d);
	enum checklab_image image;
	unsigned int also[CASE_ALSO];	/* further ids that must be told; none but these may be */
	unsigned int how;		/* JUDGE_FALLBACK */
};

#define CASE(n, f, w, m, ...)	{ .id = (n), .fate = (f), .what = (w), .make = (m), __VA_ARGS__ }

extern const struct check_case cases_space[], cases_tree[], cases_catalog[], cases_journal[];
extern const unsigned int cases_space_count, cases_tree_count, cases_catalog_count, cases_journal_count;

/* A block of region 0 that nothing uses, and the next one. */
#define FREE_BLOCK	10000u

#endif /* TEST_CHECKCASES_H */
