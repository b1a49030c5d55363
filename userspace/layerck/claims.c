// SPDX-License-Identifier: GPL-2.0
/*
 * Who uses a block. Every block of the pool has at most one user: the first claim enters it in ck->used, a second
 * one is a finding. The two users of such a block are named by walking all trees once more with only these blocks
 * in mind.
 */
#include <stdio.h>

#include "ck.h"

bool ck_fixed(const struct ck *ck, u64 block)
{
	const struct lb_super *sb = ck->sb;
	u64 journal = le64_to_cpu(sb->journal_block), mirror = le64_to_cpu(sb->mirror_block);
	u64 region = block / LB_REGION_BLOCKS;

	return region >= region_count(ck->total) || block < LB_SUPER_BLOCK + LB_SUPER_SLOTS ||
	       (block >= journal && block < journal + le64_to_cpu(sb->journal_blocks)) ||
	       (block >= mirror && block < mirror + LB_SUPER_SLOTS) ||
	       (block >= LB_BITMAP_BLOCK(region, 0) && block <= LB_BITMAP_BLOCK(region, 1));
}

static int claim_one(struct ck *ck, u64 block)
{
	int err = blockset_add(&ck->used, block);

	if (err < 0)
		return err;
	ck->meta_blocks += !err;
	return 0;
}

int ck_claim_fixed(struct ck *ck)
{
	u64 journal = le64_to_cpu(ck->sb->journal_block), ring = le64_to_cpu(ck->sb->journal_blocks);
	u64 mirror = le64_to_cpu(ck->sb->mirror_block);
	u64 i;
	int err = 0;

	for (i = 0; i < LB_SUPER_SLOTS && !err; i++) {
		err = claim_one(ck, LB_SUPER_BLOCK + i);
		if (!err)
			err = claim_one(ck, mirror + i);
	}
	for (i = 0; i < ring && !err; i++)
		err = claim_one(ck, journal + i);
	for (i = 0; i < region_count(ck->total) * 2 && !err; i++)
		err = claim_one(ck, LB_BITMAP_BLOCK(i / 2, i % 2));
	for (i = region_count(ck->total) * LB_REGION_BLOCKS; i < ck->total && !err; i++)
		err = claim_one(ck, i);
	return err;
}

static void user_text(char *buf, size_t size, u64 volume, const char *what, u64 place)
{
	if (volume)
		snprintf(buf, size, "volume %llu's %s %llu", (unsigned long long)volume, what,
			 (unsigned long long)place);
	else
		snprintf(buf, size, "the pool's %s %llu", what, (unsigned long long)place);
}

static void note_twice(struct ck *ck, u64 block, u64 volume, const char *what, u64 place)
{
	char user[128];

	if (ck->twice_count < CK_TWICE_NAMED) {
		ck->twice[ck->twice_count++].block = block;
		return;
	}
	user_text(user, sizeof(user), volume, what, place);
	ck_tell(ck, LBCK_BLOCK_TWICE, CK_VOL_AT(volume, block), "block %llu is used by %s and by something else",
		(unsigned long long)block, user);
}

/* While searching: does this user use one of the blocks? */
static void search(struct ck *ck, u64 block, u64 count, u64 volume, const char *what, u64 place)
{
	size_t i;

	for (i = 0; i < ck->twice_count; i++) {
		struct ck_twice *t = &ck->twice[i];

		if (t->block < block || t->block - block >= count || t->users == 2)
			continue;
		user_text(t->user[t->users++], sizeof(t->user[0]), volume, what,
			  place + (count > 1 ? t->block - block : 0));
	}
}

int ck_claim(struct ck *ck, u64 block, u64 count, enum ck_use use, u64 volume, const char *what, u64 place)
{
	char user[128];
	u64 i;
	int told = 0;

	if (ck->searching) {
		search(ck, block, count, volume, what, place);
		return 0;
	}
	user_text(user, sizeof(user), volume, what, place);
	if (block >= ck->total || count > ck->total - block) {
		ck_tell(ck, LBCK_BLOCK_OUTSIDE, CK_VOL_AT(volume, block),
			"%s: %llu blocks at %llu, the pool has %llu", user,
			(unsigned long long)count, (unsigned long long)block, (unsigned long long)ck->total);
		ck->incomplete = true;	/* some other block is what was meant */
		return 1;
	}
	for (i = 0; i < count; i++) {
		int err;

		if (ck_fixed(ck, block + i)) {
			ck_tell(ck, LBCK_BLOCK_FIXED, CK_VOL_AT(volume, block + i), "%s: block %llu", user,
				(unsigned long long)(block + i));
			ck->incomplete = true;
			told = 1;
			continue;
		}
		err = blockset_add(&ck->used, block + i);
		if (err < 0)
			return err;
		if (err) {
			err = blockset_add(&ck->multi, block + i);
			if (err < 0)
				return err;
			note_twice(ck, block + i, volume, what, place + (count > 1 ? i : 0));
			told = 1;
			continue;
		}
		if (use == CK_USE_DATA)
			ck->data_blocks++;
		else
			ck->meta_blocks++;
		if (!volume) {
			err = ck_grow(&ck->pool_blocks, &ck->pool_block_room, ck->pool_block_count,
				      sizeof(*ck->pool_blocks));
			if (err)
				return err;
			ck->pool_blocks[ck->pool_block_count++] = block + i;
		}
	}
	if (ck->opts->progress)
		ck->opts->progress(ck->opts->progress_arg, ck->used.count,
				   le64_to_cpu(ck->sb->data_blocks) + le64_to_cpu(ck->sb->meta_blocks));
	return told;
}

static int nothing(void *arg, const u8 *key, u32 key_len, const u8 *value, u32 value_len)
{
	(void)arg;
	(void)key;
	(void)key_len;
	(void)value;
	(void)value_len;
	return 0;
}

int ck_tell_twice(struct ck *ck)
{
	size_t i;
	int err;

	if (!ck->twice_count)
		return 0;
	ck->searching = true;
	err = ck_table(ck);
	if (!err)
		err = ck_catalog_walk(ck, true, nothing, NULL);
	if (!err)
		err = ck_maps(ck);
	ck->searching = false;
	for (i = 0; i < ck->twice_count && !err; i++) {
		struct ck_twice *t = &ck->twice[i];

		ck_tell(ck, LBCK_BLOCK_TWICE, CK_AT(t->block), "block %llu is used by %s and by %s",
			(unsigned long long)t->block,
			t->users > 0 ? t->user[0] : "something", t->users > 1 ? t->user[1] : "something else");
	}
	return err;
}
