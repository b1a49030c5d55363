/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The killer: a process with several threads uses a pool in a file, and notes in memory that it shares with its parent what it has asked for and what it was told. The parent
 * kills it at a random moment, and looks at what is in the file. Then another one goes on from there.
 *
 * Every sector written says which volume wrote it, where, and in which version. Versions come from one counter; odd ones are discards. Of each sector of each volume three
 * are noted: the last one asked for (submitted), the last one done (acked), and the one that a flush or FUA has made durable. A sector has one writer, so what is found after the kill
 * lies between the third and the first. What a request makes is there if it said so, and may be there if it was asked for.
 *
 * All that is shared is written with relaxed atomics, in an order that makes every moment a good one to die at: first what is asked for, then the call, then the answer.
 */
#ifndef TEST_KILL_H
#define TEST_KILL_H

#include "host.h"
#include "support.h"

#define KILL_SLOTS	12u
#define KILL_BLOCKS	96u
#define KILL_SECTORS	(KILL_BLOCKS * SECTORS)
#define KILL_LINEAGE	40u
#define KILL_RUN	8u		/* blocks in one I/O at the most */
#define KILL_POOL	16384ull

enum kill_state {
	KILL_FREE,
	KILL_MAKING,		/* asked for: there or not */
	KILL_LIVE,
	KILL_REMOVING,		/* there or not */
};

struct kill_bounds {
	u32 durable[KILL_SECTORS], acked[KILL_SECTORS], submitted[KILL_SECTORS], discarded[KILL_SECTORS];	/* discarded: last discard submitted */
};

struct kill_slot {
	u32 state;			/* enum kill_state */
	u32 uid;			/* in its name and its tags; never used again */
	u32 frozen_asked, frozen;
	u32 made_from;			/* slot + 1 whose content it gets, while it is being made */
	u32 rolling_to;			/* slot + 1 whose content it gets, while it is being rolled back */
	u32 attr_asked, attr;		/* versions; odd: deleted */
	u32 generations;
	u32 lineage[KILL_LINEAGE];	/* uids whose sectors may be found here */
	struct kill_bounds b;
	u32 seen[KILL_SECTORS];		/* of a frozen one: the version found, plus 1; 0: not looked at */
};

struct kill_shared {
	u32 version, uids;
	u32 ready;			/* the child's threads are at work */
	u64 ops;			/* done by children */
	char complaint[400];		/* why a child ended itself */
	struct kill_slot slots[KILL_SLOTS];
};

#define load(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

static inline bool kill_is_zeros(u32 version) { return !version || (version & 1); }

struct kill_opts {
	const char *path;
	u64 seed;
	bool cached;			/* with a volatile cache that dies with the process */
};

/* The child's life: never returns. */
void kill_child(struct kill_shared *sh, const struct kill_opts *opts) __attribute__((noreturn));

/* After the kill: is all in the file that must be, and nothing that must not? What was found is what counts from here on. False: sh->complaint. */
bool kill_judge(struct kill_shared *sh, const struct kill_opts *opts);

/* kill_judge.c: content */
void kill_fill(u8 *sector, u32 uid, u64 at, u32 version);
void kill_name(char name[32], u32 uid);
#define KILL_ATTR_WORDS 300u
void kill_attr(u32 *value, u32 uid, u32 version);
/* The version that a sector of the slot's volume holds; false (complaint set): it is nobody's who may write there. */
bool kill_version(struct kill_shared *sh, const struct kill_slot *s, u64 at, const u8 *sector, u32 *version);
/* The tag is one that may be there: what else is wrong may be a write that a read has met half way, for a file does not keep the two apart as a disk does its sectors. */
bool kill_torn(const struct kill_slot *s, u64 at, const u8 *sector);
bool kill_complain(struct kill_shared *sh, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif /* TEST_KILL_H */
