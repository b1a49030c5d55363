// SPDX-License-Identifier: GPL-2.0
/*
 * Putting right what can be put right without guessing.
 *
 * Copies are written again from their twins, in place. All else is one offline commit: new catalog nodes and region
 * table blocks go where nothing is (not by the trees, not by the bitmaps, not by the journal), bitmaps to the slots
 * that do not count, then the superblock of the same generation, primary first. The generation must not rise: the
 * journal's entries would no longer be newer than it. A cut at any moment leaves the old state or the new one.
 *
 * What could not be walked stays as it is: then nothing is ever freed, the catalog is not rebuilt, and no counter
 * is touched, but for the region table's own blocks.
 */
#include "ck.h"

static bool kept_off(const struct ck *ck, u64 block)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ck->keep_off); i++)
		if (ck->keep_off[i] && blockset_has(ck->keep_off[i], block))
			return true;
	return false;
}

int ck_fresh_block(struct ck *ck, bool far, u64 *block)
{
	u64 *at = far ? &ck->fresh_far : &ck->fresh_near, tries;

	for (tries = 0; tries < ck->total; tries++) {
		u64 b = *at;

		*at = b + 1 < ck->total ? b + 1 : 0;
		if (ck_fixed(ck, b) || blockset_has(&ck->used, b) || blockset_has(&ck->lost, b) ||
		    blockset_has(&ck->named, b) || kept_off(ck, b))
			continue;
		*block = b;
		return blockset_add(&ck->used, b);
	}
	return -ENOSPC;
}

int ck_write_pair(struct ck *ck, void *buf, u32 magic, u8 level, struct lb_ptr *ptr)
{
	struct lb_ref ref = { .gen = ck->gen, .level = level };
	int err = ck_fresh_block(ck, false, &ref.addr);

	if (!err)
		err = ck_fresh_block(ck, true, &ref.addr2);
	if (err)
		return err;
	ref.csum = lb_block_seal(buf, magic, ref.addr, ck->gen, 0);
	err = port_write(ck->dev, ref.addr, (void *const *)&buf, 1, 0);
	if (err)
		return err;
	lb_block_seal(buf, magic, ref.addr2, ck->gen, 0);
	*ptr = lb_ref_encode(&ref);
	return port_write(ck->dev, ref.addr2, (void *const *)&buf, 1, 0);
}

/* ------------------------------------------------------------------ copies */

static int repair_copy(struct ck *ck, const struct ck_copy_fix *fix, void *buf)
{
	const struct lb_block_header *h = buf;
	const char *why;
	int err = port_read(ck->dev, fix->good, buf);

	if (err)
		return err;
	if (lb_block_verify(buf, fix->magic, fix->good, le64_to_cpu(h->gen), le32_to_cpu(h->csum), &why))
		return -EIO;	/* it was good a moment ago */
	lb_block_seal(buf, fix->magic, fix->bad, le64_to_cpu(h->gen), le64_to_cpu(h->owner));
	return port_write(ck->dev, fix->bad, (void *const *)&buf, 1, PORT_FUA);
}

static int repair_copies(struct ck *ck)
{
	void *buf = port_alloc_block(PORT_WAIT);
	int err = buf ? 0 : -ENOMEM, done = 0;
	size_t i;

	for (i = 0; i < ck->fixes.copy_count && !err; i++) {
		const struct ck_copy_fix *fix = &ck->fixes.copies[i];

		/* A block that something else claims too, or that is no node's to write. */
		if (fix->bad >= ck->total || (fix->magic != LB_MAGIC_SUPER &&
					      (ck->twice_count || ck_fixed(ck, fix->bad))))
			continue;
		err = repair_copy(ck, fix, buf);
		done = 1;
	}
	port_free_block(buf);
	return err ? err : done;
}

/* ------------------------------------------------------------------ the offline commit */

int ck_name_blocks(struct ck *ck)
{
	int err = blockset_init(&ck->named, ck->total);
	size_t i;
	u64 b;

	for (i = 0; i < ck->journal.count && !err; i++) {
		const struct ck_entry *e = &ck->journal.entries[i];

		if (!e->map || e->pblk == LB_PBLK_HOLE)
			continue;
		for (b = e->pblk; b < e->pblk + e->len && b < ck->total && err >= 0; b++)
			err = blockset_add(&ck->named, b);
		err = err < 0 ? err : 0;
	}
	ck->fresh_near = LB_SUPER_SLOTS;
	ck->fresh_far = ck->total / 2;
	return err;
}

/* Blocks that a bitmap calls used and nothing was seen to reach: kept when something could not be walked. */
static int keep_lost(struct ck *ck)
{
	u64 r, regions = region_count(ck->total), i;
	int err = 0;

	for (r = 0; r < regions && err >= 0; r++)
		for (i = r * LB_REGION_BLOCKS; i < r * LB_REGION_BLOCKS + region_size(ck->total, r) && err >= 0; i++)
			if (blockset_has(&ck->lost, i))
				err = blockset_add(&ck->used, i);
	return err < 0 ? err : 0;
}

static bool bitmaps_known(const struct ck *ck)
{
	u64 r, regions = region_count(ck->total);

	for (r = 0; r < regions; r++)
		if (!ck->regions[r].known || !ck->regions[r].bitmap_ok)
			return false;
	return true;
}

/*
 * The table is replaced as a whole, and the catalog when it is rebuilt: what was claimed for them is free in the
 * new state. Until that is durable it is what a cut leaves, and an unreadable bitmap does not protect it, so it is
 * not to be written to.
 */
static int drop_old(struct ck *ck, size_t count)
{
	size_t i;
	int err = 0;

	for (i = 0; i < count && err >= 0; i++) {
		blockset_remove(&ck->used, ck->pool_blocks[i]);
		err = blockset_add(&ck->named, ck->pool_blocks[i]);
	}
	return err < 0 ? err : 0;
}

static int offline_commit(struct ck *ck)
{
	struct lb_ptr table, catalog = ck->sb->catalog_root;
	u64 nodes = 0, table_blocks;
	int err = ck_name_blocks(ck);

	if (!err && ck->incomplete)
		err = keep_lost(ck);
	if (err)
		return err;
	if (!ck->incomplete) {
		err = ck_rebuild_catalog(ck, &catalog, &nodes);
		if (err)
			return err;
	}
	err = drop_old(ck, ck->incomplete ? ck->table_block_count : ck->pool_block_count);
	if (!err)
		err = ck_rebuild_space(ck, &table, &table_blocks);
	if (err)
		return err;
	ck->sb->catalog_root = catalog;
	ck->sb->region_root = table;
	if (ck->incomplete) {
		ck->sb->meta_blocks = cpu_to_le64(le64_to_cpu(ck->sb->meta_blocks) +
						  table_blocks - ck->table_block_count);
	} else {
		ck->sb->catalog_nodes = cpu_to_le64(nodes);
		ck->sb->data_blocks = cpu_to_le64(ck->data_blocks);
		ck->sb->meta_blocks = cpu_to_le64(ck->used.count - ck->data_blocks);
	}
	return ck_super_write(ck);
}

int ck_repair(struct ck *ck)
{
	struct ck_fixes *f = &ck->fixes;
	bool commit = f->space || f->counters || f->edit_count || f->attr_count;
	int done = repair_copies(ck), err = 0;

	if (done < 0)
		return done;
	/*
	 * One block in two hands: any new state made from this would carry it on. Something unread: only what adds
	 * to the bitmaps, when all of them are known.
	 */
	if (commit && !ck->twice_count && (!ck->incomplete || (f->space && bitmaps_known(ck)))) {
		err = offline_commit(ck);
		done = 1;
	} else if (f->super_copies) {
		err = ck_super_write(ck);
		done = 1;
	}
	return err ? err : done;
}
