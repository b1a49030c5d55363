// SPDX-License-Identifier: GPL-2.0
/*
 * Superblock copies: four of them, two slots and their mirrors. Which one counts, and what is wrong with the others.
 *
 * A crash tears at most one copy, and can leave a mirror one turn (two generations) behind: both are notes. A slot
 * with both copies damaged may have held the newest commit; an older one is judged only when asked for.
 */
#include <stdlib.h>

#include "ck.h"

/* FUTURE: perhaps of a later format, whose checksum we cannot judge. LATER: intact, and of one. */
enum copy_state { COPY_BLANK, COPY_FOREIGN, COPY_DAMAGED, COPY_FUTURE, COPY_LATER, COPY_VALID };

struct copy {
	u64 block;
	enum copy_state state;
	u64 gen;
	struct lb_super *sb;
};

struct super_look {
	struct copy copies[LB_SUPER_SLOTS][2];	/* primary, mirror */
	u64 mirror;
};

static bool all_zero(const void *p, size_t len)
{
	const u8 *b = p;

	return !len || (b[0] == 0 && !memcmp(b, b + 1, len - 1));
}

static enum copy_state copy_judge(const struct lb_super *sb, u64 block, unsigned int slot)
{
	bool ours = le32_to_cpu(sb->header.magic) == LB_MAGIC_SUPER ||
		!memcmp(sb->magic, LB_SUPER_MAGIC, sizeof(sb->magic));
	const char *why;

	if (all_zero(sb, sizeof(*sb)))
		return COPY_BLANK;
	if (!ours)
		return COPY_FOREIGN;
	if (memcmp(sb->magic, LB_SUPER_MAGIC, sizeof(sb->magic)))
		return COPY_DAMAGED;
	if (lb_block_verify(sb, LB_MAGIC_SUPER, block, le64_to_cpu(sb->header.gen), le32_to_cpu(sb->header.csum), &why))
		return le32_to_cpu(sb->version) > LB_FORMAT_VERSION ? COPY_FUTURE : COPY_DAMAGED;
	if ((le64_to_cpu(sb->header.gen) & 1) != slot)
		return COPY_DAMAGED;
	return le32_to_cpu(sb->version) != LB_FORMAT_VERSION || (le64_to_cpu(sb->incompat) & ~LB_INCOMPAT_KNOWN) ? COPY_LATER : COPY_VALID;
}

static int copy_read(struct ck *ck, struct copy *c, u64 block, unsigned int slot)
{
	c->block = block;
	if (!c->sb)
		c->sb = port_alloc_block(PORT_WAIT);
	if (!c->sb)
		return -ENOMEM;
	memset(c->sb, 0, sizeof(*c->sb));
	c->state = COPY_DAMAGED;
	if (block >= port_dev_blocks(ck->dev) || port_read(ck->dev, block, c->sb))
		return 0;
	c->state = copy_judge(c->sb, block, slot);
	/* What lies where another size of pool has its mirrors may be anybody's data. */
	if (c->state >= COPY_LATER && block >= LB_SUPER_SLOTS && le64_to_cpu(c->sb->mirror_block) != block - slot)
		c->state = COPY_FOREIGN;
	c->gen = c->state >= COPY_LATER ? le64_to_cpu(c->sb->header.gen) : 0;
	return 0;
}

/* The mirrors: where an intact primary says, or where one is found. */
static int read_mirrors(struct ck *ck, struct super_look *l)
{
	static const u64 places[] = { LB_MIRROR_BLOCK_LARGE, LB_MIRROR_BLOCK_SMALL };
	unsigned int i, slot;
	int err;

	for (slot = 0; slot < LB_SUPER_SLOTS; slot++) {
		struct copy *p = &l->copies[slot][0];

		if (p->state == COPY_VALID)
			l->mirror = le64_to_cpu(p->sb->mirror_block);
	}
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		u64 place = l->mirror ? l->mirror : places[i];

		for (slot = 0; slot < LB_SUPER_SLOTS; slot++) {
			err = copy_read(ck, &l->copies[slot][1], place + slot, slot);
			if (err)
				return err;
		}
		if (l->mirror || l->copies[0][1].state >= COPY_FUTURE || l->copies[1][1].state >= COPY_FUTURE)
			break;
	}
	return 0;
}

/* An intact copy of a later format that may be newer than what we understand: neither to be judged nor to be written over. */
static bool outdated(const struct super_look *l, u64 gen)
{
	unsigned int slot, side;

	for (slot = 0; slot < LB_SUPER_SLOTS; slot++)
		for (side = 0; side < 2; side++)
			if (l->copies[slot][side].state == COPY_LATER && l->copies[slot][side].gen >= gen)
				return true;
	return false;
}

static struct copy *newest(struct super_look *l)
{
	struct copy *best = NULL;
	unsigned int slot, side;

	for (slot = 0; slot < LB_SUPER_SLOTS; slot++)
		for (side = 0; side < 2; side++) {
			struct copy *c = &l->copies[slot][side];

			if (c->state == COPY_VALID && (!best || c->gen > best->gen))
				best = c;
		}
	return best;
}

/* 1: told that none is intact; or why there is nothing to judge. */
static int none_valid(struct ck *ck, struct super_look *l)
{
	bool ours = false, future = false;
	unsigned int slot, side;

	for (slot = 0; slot < LB_SUPER_SLOTS; slot++)
		for (side = 0; side < 2; side++) {
			struct copy *c = &l->copies[slot][side];

			future |= c->state == COPY_FUTURE || c->state == COPY_LATER;
			ours |= c->state == COPY_DAMAGED && le32_to_cpu(c->sb->header.magic) == LB_MAGIC_SUPER;
			ours |= c->state == COPY_DAMAGED && !memcmp(c->sb->magic, LB_SUPER_MAGIC, sizeof(c->sb->magic));
		}
	if (future)
		return -EOPNOTSUPP;
	if (!ours)
		return -EMEDIUMTYPE;
	ck_tell(ck, LBCK_SUPER_NONE, CK_NOWHERE,
		"blocks 0 and 1 and their mirrors hold no superblock with a right checksum");
	return 1;
}

static bool same_content(const struct lb_super *a, const struct lb_super *b)
{
	return !memcmp(&a->magic, &b->magic, sizeof(*a) - offsetof(struct lb_super, magic));
}

/* The two copies of one slot against each other. */
static int judge_slot(struct ck *ck, struct super_look *l, unsigned int slot, const struct copy *chosen)
{
	struct copy *p = &l->copies[slot][0], *m = &l->copies[slot][1];
	struct copy *good, *bad;

	if (p->state == COPY_VALID && m->state == COPY_VALID && p->gen == m->gen) {
		if (same_content(p->sb, m->sb))
			return 0;
		/* A repair that was cut off leaves this: both are whole states, and the primary is the later one. */
		ck_tell(ck, LBCK_SUPER_DIFFER, ((struct ck_where){ .block = m->block, .repairable = true }),
			"blocks %llu and %llu both hold generation %llu and differ; the first one counts",
			(unsigned long long)p->block,
			(unsigned long long)m->block, (unsigned long long)p->gen);
		if (p->gen != chosen->gen)
			return ck_fix_copy(ck, p->block, m->block, LB_MAGIC_SUPER);
		ck->fixes.super_copies = true;
		return 0;
	}
	if (p->state != COPY_VALID && m->state != COPY_VALID) {
		if (p->state == COPY_BLANK && m->state == COPY_BLANK)
			return 0;
		ck_tell(ck, LBCK_SUPER_FALLBACK, CK_AT(p->block),
			"blocks %llu and %llu are both damaged; the newest intact superblock is of generation %llu",
			(unsigned long long)p->block, (unsigned long long)m->block, (unsigned long long)chosen->gen);
		return ck->opts->fallback ? 0 : 1;
	}
	/* A new pool's slot 0 holds generation 0, and so do bad copies here: the state decides first. */
	good = m->state != COPY_VALID || (p->state == COPY_VALID && p->gen >= m->gen) ? p : m;
	bad = good == p ? m : p;
	if (bad->state == COPY_VALID || bad->state == COPY_BLANK)
		ck_tell(ck, LBCK_SUPER_STALE, ((struct ck_where){ .block = bad->block, .repairable = true }),
			"block %llu holds generation %llu, its twin %llu generation %llu",
			(unsigned long long)bad->block,
			(unsigned long long)bad->gen, (unsigned long long)good->block, (unsigned long long)good->gen);
	else
		ck_tell(ck, LBCK_SUPER_COPY, ((struct ck_where){ .block = bad->block, .repairable = true }),
			"block %llu is torn or damaged, its twin %llu holds generation %llu",
			(unsigned long long)bad->block,
			(unsigned long long)good->block, (unsigned long long)good->gen);
	if (good->gen == chosen->gen) {
		ck->fixes.super_copies = true;
		return 0;
	}
	return ck_fix_copy(ck, good->block, bad->block, LB_MAGIC_SUPER);
}

#define FIELD(ok, ...) do {						\
	if (!(ok)) {							\
		ck_tell(ck, LBCK_SUPER_FIELD, CK_NOWHERE, __VA_ARGS__);	\
		bad = 1;						\
	}								\
} while (0)

/* Fields against each other. 1: told; what follows would make no sense. */
static int judge_fields(struct ck *ck)
{
	const struct lb_super *sb = ck->sb;
	u64 total = le64_to_cpu(sb->total_blocks), mirror = le64_to_cpu(sb->mirror_block);
	u64 journal = le64_to_cpu(sb->journal_block), ring = le64_to_cpu(sb->journal_blocks);
	u32 depth = le32_to_cpu(sb->region_depth);
	u64 holds = LB_TABLE_ENTRIES;
	u32 least = 0;
	int bad = 0;

	FIELD(le32_to_cpu(sb->version) == LB_FORMAT_VERSION, "version %u", le32_to_cpu(sb->version));
	FIELD(le32_to_cpu(sb->block_size) == LB_BLOCK_BYTES, "block size %u", le32_to_cpu(sb->block_size));
	FIELD(total >= LB_POOL_MIN_BLOCKS && total <= LB_POOL_MAX_BLOCKS, "total_blocks %llu",
	      (unsigned long long)total);
	FIELD(mirror == LB_MIRROR_BLOCK_SMALL || mirror == LB_MIRROR_BLOCK_LARGE, "mirror_block %llu",
	      (unsigned long long)mirror);
	FIELD(mirror + LB_SUPER_SLOTS <= total, "the mirrors at %llu lie beyond the pool's end",
	      (unsigned long long)mirror);
	FIELD(journal == LB_JOURNAL_BLOCK, "journal_block %llu", (unsigned long long)journal);
	FIELD(ring >= LB_JOURNAL_MIN_BLOCKS && ring <= LB_JOURNAL_MAX_BLOCKS, "journal_blocks %llu",
	      (unsigned long long)ring);
	FIELD(journal + ring <= mirror, "the journal (%llu blocks) reaches into the mirrors", (unsigned long long)ring);
	FIELD(le64_to_cpu(sb->journal_pos) < ring, "journal_pos %llu",
	      (unsigned long long)le64_to_cpu(sb->journal_pos));
	FIELD(depth <= LB_TABLE_MAX_DEPTH, "region_depth %u", depth);
	for (; holds < region_count(total) && least <= LB_TABLE_MAX_DEPTH; least++)
		holds *= LB_TABLE_FANOUT;
	/* A new pool has no table yet, and then the depth says nothing. */
	FIELD(bad || !sb->region_root.addr || depth == least, "%llu regions need a table of depth %u, not %u",
	      (unsigned long long)region_count(total), least,
	      depth);
	FIELD(le64_to_cpu(sb->next_volume) >= 1, "next_volume is 0");
	FIELD(!(le32_to_cpu(sb->flags) & ~LB_SUPER_QUEUE_NOSPC), "flags 0x%x", le32_to_cpu(sb->flags));
	if (!all_zero(sb->reserved, sizeof(sb->reserved)))
		ck_tell(ck, LBCK_SUPER_RESERVED, CK_NOWHERE, "reserved bytes are in use");
	return bad;
}

/* Copies that are whole and of two pools: an older pool's, or another device's. Nothing says which one is meant. */
static int judge_one_pool(struct ck *ck, const struct super_look *l)
{
	unsigned int slot, side;

	for (slot = 0; slot < LB_SUPER_SLOTS; slot++)
		for (side = 0; side < 2; side++) {
			const struct copy *c = &l->copies[slot][side];

			if (c->state < COPY_LATER || (!memcmp(c->sb->uuid, ck->sb->uuid, sizeof(c->sb->uuid)) &&
						       c->sb->mirror_block == ck->sb->mirror_block))
				continue;
			ck_tell(ck, LBCK_SUPER_FIELD, CK_AT(c->block), "block %llu holds a superblock of another pool",
				(unsigned long long)c->block);
			return 1;
		}
	return 0;
}

static int super_choose(struct ck *ck, struct super_look *l)
{
	struct copy *chosen;
	unsigned int slot;
	int err;

	for (slot = 0; slot < LB_SUPER_SLOTS; slot++) {
		err = copy_read(ck, &l->copies[slot][0], LB_SUPER_BLOCK + slot, slot);
		if (err)
			return err;
	}
	err = read_mirrors(ck, l);
	if (err)
		return err;
	chosen = newest(l);
	if (!chosen)
		return none_valid(ck, l);
	if (outdated(l, chosen->gen))
		return -EOPNOTSUPP;
	memcpy(ck->sb, chosen->sb, sizeof(*ck->sb));
	ck->gen = chosen->gen;
	err = judge_one_pool(ck, l);
	if (err)
		return err;
	for (slot = 0; slot < LB_SUPER_SLOTS; slot++) {
		err = judge_slot(ck, l, slot, chosen);
		if (err)
			return err;
	}
	err = judge_fields(ck);
	if (err)
		return err;
	ck->total = le64_to_cpu(ck->sb->total_blocks);
	return ck->total > port_dev_blocks(ck->dev) ? -EFBIG : 0;
}

int ck_super(struct ck *ck)
{
	struct super_look look = { 0 };
	unsigned int slot, side;
	int err = super_choose(ck, &look);

	for (slot = 0; slot < LB_SUPER_SLOTS; slot++)
		for (side = 0; side < 2; side++)
			port_free_block(look.copies[slot][side].sb);
	return err;
}

int ck_super_write(struct ck *ck)
{
	u64 slot = ck->gen & 1, places[2] = { LB_SUPER_BLOCK + slot, le64_to_cpu(ck->sb->mirror_block) + slot };
	struct lb_super *buf = port_alloc_block(PORT_WAIT);
	unsigned int i;
	int err = buf ? 0 : -ENOMEM;

	for (i = 0; i < 2 && !err; i++) {
		memcpy(buf, ck->sb, sizeof(*buf));
		lb_block_seal(buf, LB_MAGIC_SUPER, places[i], ck->gen, 0);
		err = port_write(ck->dev, places[i], (void *const *)&buf, 1, PORT_PREFLUSH | PORT_FUA);
	}
	port_free_block(buf);
	return err;
}
