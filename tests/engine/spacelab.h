/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A bench for space: a simulated disk, the space under test, a superblock kept in memory, and a model that knows of every block what it must be. An independent
 * reader walks the region table and the bitmaps on disk and compares them with the model, block by block.
 */
#ifndef LB_SPACELAB_H
#define LB_SPACELAB_H

#include "engine.h"
#include "space.h"
#include "super.h"
#include "support.h"

enum { B_FREE, B_ALLOC, B_IMAGE, B_TABLE, B_PENDING };

struct run {
	u64 start, len;
	bool meta;		/* from alloc_meta in the commit under way */
};

struct runs {
	struct run *v;
	u64 n, room, blocks;
};

struct pending_list {
	struct lb_freed *f;
	struct runs runs;
};

#define LISTS 6u

struct slab {
	struct dice d;
	struct port_dev *dev;
	struct port_batch *batch;
	struct lb_space *space;
	struct lb_super *sb;		/* the durable one */
	u64 total, next_total;		/* as allocation knows it; as the next commit will say */
	u8 *state;			/* B_*, of every block that is not fixed */
	u64 room;			/* of state */
	u64 nonfree;
	struct runs alloc, image, table;
	struct runs durable_image;
	struct pending_list lists[LISTS];
	unsigned int nlists;
	/* the commit under way */
	bool committing;
	struct runs c_freed, c_alloc, c_image;	/* what it freed; alloc and image as before it */
	u64 writing_gen;
	u64 commits, aborts, crashes;
};

struct slab *slab_new(u64 total, u64 room, u64 seed);
void slab_free(struct slab *l);

void runs_add(struct runs *r, u64 start, u64 len, bool meta);
struct run runs_take(struct runs *r, u64 i);
void runs_copy(struct runs *to, const struct runs *from);

/* Steps; each checks what it is told against the model. */
int slab_alloc(struct slab *l, u64 want, u64 hint, unsigned int flags);	/* the call's result */
void slab_unalloc(struct slab *l);
void slab_begin(struct slab *l);
int slab_meta(struct slab *l, bool pair);				/* allocated and used */
void slab_use(struct slab *l);
void slab_release(struct slab *l);
void slab_drop(struct slab *l);
void slab_abort(struct slab *l);
int slab_commit(struct slab *l);		/* on an error: aborted */
void slab_reclaim(struct slab *l, unsigned int i);
void slab_grow(struct slab *l, u64 total);
void slab_crash(struct slab *l);		/* power cut, then open again */

/* Counters against the model; cheap. */
void slab_check(struct slab *l);
/* The durable image on disk against the model. */
void slab_verify(struct slab *l);
bool slab_verify_cut(struct slab *l, struct port_dev *dev);

#endif /* LB_SPACELAB_H */
