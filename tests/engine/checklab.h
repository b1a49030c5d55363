/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Good pools made by the engine for the checker to judge, what their volumes hold, and the questions that its tests
 * ask: which findings, was anything written, is the data there. Everything fails the running cmocka test when it
 * goes wrong.
 */
#ifndef TEST_CHECKLAB_H
#define TEST_CHECKLAB_H

#include "check.h"
#include "host.h"
#include "support.h"

enum checklab_image {
	IMAGE_PLAIN,		/* closed: nothing in the journal; the volumes below */
	IMAGE_JOURNAL,		/* the same after a power cut: writes, a new volume, an attribute are in the journal only */
	IMAGE_COLLAPSE,		/* a deleted parent half collapsed into its child */
	IMAGE_FREE,		/* a deleted volume half freed */
	IMAGE_CHAIN,		/* closed: a deep tree, a chain of three with branches, a snapshot of what goes on */
	IMAGE_NEW,		/* nothing was ever written to it */
	IMAGES,
};

/* The volumes of IMAGE_PLAIN and IMAGE_JOURNAL by id. */
#define VOL_DATA	1u	/* no relatives; 400 extents in a tree of two levels */
#define VOL_BASE	2u	/* frozen, 400 extents in a tree of two levels, attributes */
#define VOL_WEB1	3u	/* child of base with two blocks written: owns its root and one leaf */
#define VOL_WEB2	4u	/* child of base as it was made; in IMAGE_JOURNAL written to */
#define VOL_SMALL	5u	/* four extents, one leaf */
#define VOL_EMPTY	6u	/* the last one, nothing mapped */
#define VOL_NEXT	7u	/* in IMAGE_JOURNAL: made in the journal */
#define CHECKLAB_VOLS	8u

#define CHECKLAB_BLOCKS	40000u	/* two regions */
#define ATTR_BYTES	2500u	/* three chunks */

struct checklab_vol {
	u64 id;			/* 0: none */
	u64 blocks;
	u64 *pattern;		/* of each block; 0: zeros */
};

struct checklab {
	struct port_dev *images[IMAGES];
	struct checklab_vol vols[IMAGES][CHECKLAB_VOLS];
};

struct checklab *checklab_new(void);
void checklab_free(struct checklab *lab);

/* ------------------------------------------------------------------ judging */

#define ID_END		1000u
struct verdict {
	int err;
	struct lbck_summary sum;
	u64 told[ID_END];	/* how many of an id, in the first look */
	u64 left[ID_END];	/* warnings and errors of the look after a repair */
	char text[ID_END][LBCK_TEXT];
};

#define JUDGE_REPAIR	1u
#define JUDGE_FALLBACK	2u
void checklab_judge(struct port_dev *dev, unsigned int how, struct verdict *v);

/* Is every block the same? */
bool checklab_same(struct port_dev *a, struct port_dev *b);

/* The pool opens, its volumes hold what they should, and the checker is content with it closed. It is written to. */
void checklab_opens(struct checklab *lab, enum checklab_image image, struct port_dev *dev);

#endif /* TEST_CHECKLAB_H */
