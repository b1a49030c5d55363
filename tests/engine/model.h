/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The model: what a pool should hold, kept in memory beside the real one, and the comparison of the two.
 *
 * Every sector written carries a tag: which volume wrote it, which sector it is, and a version that is used once. So a sector that turns up where it does not belong names its
 * owner. For each sector of each volume the model knows the version it has now, the one known to be durable, and all versions written since then (pending): after a crash it may hold the durable
 * one or a pending one, nothing else.
 */
#ifndef TEST_MODEL_H
#define TEST_MODEL_H

#include "host.h"

#define MODEL_VOLS	40u		/* at a time */
#define MODEL_ATTRS	4u		/* keys of a volume, and of the pool */
#define MODEL_TEXT	1000u

struct model_attr {
	bool there;
	u32 len;
	u32 seed;			/* decides the value */
};

struct model_pending {
	u64 sector;
	u32 version;
	bool in_flight;			/* submitted, not acknowledged */
};

struct model_vol {
	bool live;
	u64 id;
	u32 label;			/* what scripts call it, for as long as it lives; 0: none */
	char name[24];
	u64 blocks, quota;
	bool frozen;
	u64 parent;			/* live or hidden; 0: none */
	u32 *now, *durable;		/* version by sector; 0: zeros */
	struct model_pending *pending;
	size_t pending_count, pending_room;
	struct model_attr attrs[MODEL_ATTRS];
	struct disk *disk;		/* open; not part of a copy */
};

struct model {
	struct model_vol vols[MODEL_VOLS];
	struct model_attr attrs[MODEL_ATTRS];	/* the pool's */
	u64 total_blocks;
	/* shared by all copies: who wrote a version */
	struct model_versions {
		u64 *vol;
		u32 count, room;
	} *versions;
	char why[MODEL_TEXT];		/* the last comparison that failed */
};

struct model *model_new(u64 total_blocks);
void model_free(struct model *m);
/* A deep copy, with no disk open. */
struct model *model_copy(const struct model *m);
void model_copy_free(struct model *m);

struct model_vol *model_find(struct model *m, u64 id);
struct model_vol *model_find_label(struct model *m, u32 label);
struct model_vol *model_slot(struct model *m);		/* a free one, or NULL */
void model_vol_init(struct model_vol *v, u64 id, const char *name, u64 blocks);
void model_vol_clear(struct model_vol *v);
/* to's content becomes from's current one, and durable. */
void model_content_copy(struct model_vol *to, const struct model_vol *from);
void model_resize(struct model_vol *v, u64 blocks);

/* A new version, by this volume; what a sector with it holds. */
u32 model_version(struct model *m, u64 vol);
void model_fill(const struct model *m, u32 version, u64 sector, void *buf);
void model_attr_value(const struct model_attr *a, u8 *buf);

/* Submitted: may be there after a crash. Acknowledged: it is what is read. Version 0: discarded. */
void model_submit(struct model_vol *v, u64 sector, u64 count, u32 version, bool in_flight);
void model_ack(struct model_vol *v, u64 sector, u64 count, u32 version);
/* Never submitted after all. */
void model_unsubmit(struct model_vol *v, u64 sector, u64 count, u32 version);
/* All that is acknowledged is durable (of these sectors). */
void model_durable(struct model_vol *v);
void model_durable_range(struct model_vol *v, u64 sector, u64 count);
void model_durable_all(struct model *m);
/* All that was acknowledged before a write of these sectors, which is submitted and not acknowledged: these may hold either. */
void model_durable_before(struct model_vol *v, u64 sector, u64 count);

enum model_mode { MODEL_LIVE, MODEL_CRASHED };
/*
 * Compare all of the pool with the model: volumes, names, parents, sizes, attributes, content. Opens and closes volumes that are not open. False: m->why. After MODEL_CRASHED with `adopt`, what was
 * found is what is now, and durable.
 */
bool model_verify(struct model *m, struct host *h, enum model_mode mode, bool adopt);
/* One volume's content. */
bool model_verify_content(struct model *m, struct host *h, struct model_vol *v, enum model_mode mode, bool adopt);
/* Is what a sector was found to hold one of the versions it may hold? */
bool model_verify_sector(struct model *m, struct model_vol *v, u64 sector, const u8 *buf, enum model_mode mode);
/* The checker's verdict on the device: notes are fine. False: m->why. */
bool model_check(struct model *m, struct port_dev *dev, const char *when);

#endif /* TEST_MODEL_H */
